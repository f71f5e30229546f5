/* The packed layouts: what a block of 8 rows x 32 columns is made of, and how it is unpacked. Knows
 * nothing of activations.
 *
 * A vector holds 4 rows; the same word of all rows lies side by side, so that one word of
 * activations, repeated in all lanes, meets 8 rows:
 *
 *              lane 0        lane 1        lane 2        lane 3
 *   low     |  row 0 ....  |  row 1 ....  |  row 2 ....  |  row 3 ....  |     .... = one word
 *   high    |  row 4 ....  |  row 5 ....  |  row 6 ....  |  row 7 ....  |
 *
 * A block is 4 octets of columns. Unpacked, an octet is two words of bytes, whose even bytes and
 * whose odd bytes are neighbours, so that byte dots and 16-bit dots share one layout:
 *
 *   first    | col 0 | col 4 | col 1 | col 5 |        second   | col 2 | col 6 | col 3 | col 7 |
 *
 * Packed, the bits of a weight lie in planes, a byte of which serves the same byte of several words
 * (f: first, s: second, of octets 0, 1, 2, 3):
 *
 *   nibbles   bit 7 .. 0 = s s s s f f f f                one vector pair an octet
 *   twos      bit 7 .. 0 = s1 s1 f1 f1 s0 s0 f0 f0        one vector pair two octets
 *   ones      bit 7 .. 0 = s3 f3 s2 f2 s1 f1 s0 f0        one vector pair a block
 *
 * A weight's value is (unsigned bits - offset_of its type) * scale + minimum; the 16 nibbles of
 * IQ4_NL and MXFP4 stand for the values of a table. Scales and minima are half precision, one for
 * 32 columns; Q2_K, Q3_K and Q6_K have factors for each 16 columns too. What is rounded on the way
 * from the file: the products of scales of Q4_K and Q5_K, to half precision, so that those are
 * packed as Q4_1 and Q5_1; the exponents of MXFP4 outside -24 .. 15; F16, to bfloat16. */
#ifndef ONGLET_BLOCKS_H
#define ONGLET_BLOCKS_H

#include "kernels.h"
#include "numbers.h"

/* Something of 8 rows: of rows 0..3 and of rows 4..7. */
struct rows {
    v128 low, high;
};

/* Two words of unpacked bytes of 8 rows. */
struct octet {
    struct rows first, second;
};

/* Packed blocks as structs: a member's offset becomes part of the load instruction, a sum of a
 * pointer and a number does not. */
struct q4_block { /* Q4_0, Q4_1, IQ4_NL, MXFP4 */
    struct rows nibbles[4];
    v128 scales, minima;
};
struct q5_block { /* Q5_0, Q5_1 */
    struct rows nibbles[4], ones;
    v128 scales, minima;
};
struct q6_block { /* Q6_K */
    struct rows nibbles[4], twos[2];
    v128 scales, factors;
};
struct q3_block { /* Q3_K */
    struct rows twos[2], ones;
    v128 scales, factors;
};
struct q2_block { /* Q2_K */
    struct rows twos[2];
    v128 scales, minima, factors;
};
struct q8_block { /* Q8_0 */
    struct rows words[8];
    v128 scales;
};

/* The type in whose layout a type of the file is kept. */
INLINE int32_t packed_as(int32_t type) {
    return type == F16 ? BF16 : type == Q4_K ? Q4_1 : type == Q5_K ? Q5_1 : type;
}

INLINE int32_t packed_block_bytes(int32_t type) {
    switch (packed_as(type)) {
    case Q4_1: return sizeof(struct q4_block);
    case Q4_0:
    case IQ4_NL:
    case MXFP4: return sizeof(struct q4_block) - sizeof(v128);
    case Q5_1: return sizeof(struct q5_block);
    case Q5_0: return sizeof(struct q5_block) - sizeof(v128);
    case Q6_K: return sizeof(struct q6_block);
    case Q3_K: return sizeof(struct q3_block);
    case Q2_K: return sizeof(struct q2_block);
    case Q8_0: return sizeof(struct q8_block);
    case F32: return ROWS * BLOCK * 4;
    default: return ROWS * BLOCK * 2;
    }
}

INLINE bool is_float(int32_t type) { return type == F32 || type == F16 || type == BF16; }

/* How many scales a row has in a block: one for 32 columns or two for 16 each. */
INLINE int32_t parts_of(int32_t type) {
    return type == Q2_K || type == Q3_K || type == Q6_K ? 2 : 1;
}

INLINE bool has_minima(int32_t type) { return type == Q4_1 || type == Q5_1 || type == Q2_K; }

/* What an unpacked byte is above the weight. Signed dots take the bytes of Q8_0 and IQ4_NL as they
 * are in the file. */
INLINE int32_t offset_of(int32_t type, bool is_signed) {
    switch (type) {
    case Q4_0: return 8;
    case Q5_0: return 16;
    case Q6_K: return 32;
    case Q3_K: return 4;
    case MXFP4: return 12;
    case Q8_0:
    case IQ4_NL: return is_signed ? 0 : 128;
    default: return 0;
    }
}

/* Constants of the loops, in registers: V8 builds a v128 constant anew, with three instructions, at
 * each use, unless it does not see that it is one. */
struct constants {
    v128 nibble, high_bits, low_bits, half_bits, flip, table;
};

INLINE int32_t hidden_word(uint32_t bits) {
    __asm__("" : "+r"(bits));
    return (int32_t)bits;
}

INLINE v128 hidden(uint32_t bits) { return i32x4_splat(hidden_word(bits)); }

/* The bytes that the 16 nibbles of IQ4_NL and MXFP4 stand for, from nibble 0 on. */
INLINE v128 table_of(int32_t type, bool is_signed) {
    if (type == MXFP4) /* twice the value, + 12 */
        return i32x4_make(hidden_word(0x0f0e0d0c), hidden_word(0x18141210), hidden_word(0x090a0b0c),
                          hidden_word(0x00040608));
    v128 table = i32x4_make(hidden_word(0xbfad9881), hidden_word(0xf6eaddcf),
                            hidden_word(0x26190d01), hidden_word(0x71594535));
    return is_signed ? table : v128_xor(table, i32x4_splat((int32_t)0x80808080u));
}

INLINE struct constants constants_of(int32_t type, bool is_signed) {
    uint32_t high = type == Q6_K ? 0x30303030 : type == Q3_K ? 0x04040404 : 0x10101010;
    struct constants constants = {hidden(0x0f0f0f0f), hidden(high),    hidden(0x03030303),
                                  hidden(0x8fffe000), v128_zero(),     v128_zero()};
    if (type == Q8_0)
        constants.flip = hidden(is_signed ? 0x80808080 : 0);
    if (type == IQ4_NL || type == MXFP4)
        constants.table = table_of(type, is_signed);
    return constants;
}

/* The bits of `mask` after the bit `from` has moved to the bit `to`. from, to: constants. */
INLINE v128 moved(v128 plane, uint32_t from, uint32_t to, v128 mask) {
    return v128_and(from > to ? u16x8_shr(plane, from - to) : i32x4_shl(plane, to - from), mask);
}

INLINE struct rows moved_rows(const struct rows *plane, uint32_t from, uint32_t to, v128 mask) {
    return (struct rows){moved(v128_load(&plane->low), from, to, mask),
                         moved(v128_load(&plane->high), from, to, mask)};
}

INLINE struct rows either(struct rows a, struct rows b) {
    return (struct rows){v128_or(a.low, b.low), v128_or(a.high, b.high)};
}

/* a + bits of a plane, moved to where they belong */
INLINE struct octet with_bits(struct octet a, const struct rows *plane, uint32_t first,
                              uint32_t second, uint32_t to, v128 mask) {
    return (struct octet){either(a.first, moved_rows(plane, first, to, mask)),
                          either(a.second, moved_rows(plane, second, to, mask))};
}

INLINE struct octet nibbles_of(const struct rows *nibbles, v128 mask) {
    return (struct octet){moved_rows(nibbles, 0, 0, mask), moved_rows(nibbles, 4, 0, mask)};
}

INLINE struct octet twos_of(const struct rows *twos, uint32_t octet, v128 mask) {
    uint32_t bit = octet % 2 * 4;
    return (struct octet){moved_rows(twos, bit, 0, mask), moved_rows(twos, bit + 2, 0, mask)};
}

INLINE struct rows looked_up(struct rows nibbles, v128 table) {
    return (struct rows){i8x16_swizzle(table, nibbles.low), i8x16_swizzle(table, nibbles.high)};
}

INLINE struct rows flipped(const struct rows *words, v128 flip) {
    return (struct rows){v128_xor(v128_load(&words->low), flip),
                         v128_xor(v128_load(&words->high), flip)};
}

/* Octet 0..3 of a block, unpacked to bytes. type and octet: constants where speed counts. */
INLINE struct octet unpack_octet(const void *block, int32_t type, uint32_t octet,
                                 const struct constants *constants) {
    const struct q5_block *q5 = block;
    const struct q6_block *q6 = block;
    const struct q3_block *q3 = block;
    const struct q8_block *q8 = block;
    struct octet bytes = {{v128_zero(), v128_zero()}, {v128_zero(), v128_zero()}};
    switch (type) {
    case Q8_0:
        bytes.first = flipped(&q8->words[2 * octet], constants->flip);
        bytes.second = flipped(&q8->words[2 * octet + 1], constants->flip);
        return bytes;
    case Q2_K:
    case Q3_K:
        bytes = twos_of(&q3->twos[octet / 2], octet, constants->low_bits);
        if (type == Q3_K)
            bytes = with_bits(bytes, &q3->ones, 2 * octet, 2 * octet + 1, 2, constants->high_bits);
        return bytes;
    default: bytes = nibbles_of(&q5->nibbles[octet], constants->nibble);
    }
    switch (type) {
    case Q5_0:
    case Q5_1:
        return with_bits(bytes, &q5->ones, 2 * octet, 2 * octet + 1, 4, constants->high_bits);
    case Q6_K:
        return with_bits(bytes, &q6->twos[octet / 2], octet % 2 * 4, octet % 2 * 4 + 2, 4,
                         constants->high_bits);
    case IQ4_NL:
    case MXFP4:
        return (struct octet){looked_up(bytes.first, constants->table),
                              looked_up(bytes.second, constants->table)};
    default: return bytes;
    }
}

/* Scales and minima of a block, one or two of each, all of them times 2^-112. */
struct scales {
    struct rows scales[2], minima[2];
};

/* Eight half-precision numbers times 2^-112. */
INLINE struct rows small_halves(v128 halves, v128 half_bits) {
    return (struct rows){v128_and(i32x4_shl(i32x4_low_i16x8(halves), 13), half_bits),
                         v128_and(i32x4_shl(i32x4_high_i16x8(halves), 13), half_bits)};
}

INLINE struct rows times_integers(struct rows scale, v128 low, v128 high) {
    return (struct rows){f32x4_mul(scale.low, f32x4_from_i32x4(low)),
                         f32x4_mul(scale.high, f32x4_from_i32x4(high))};
}

/* Byte 0..3 of each word, signed. */
INLINE v128 signed_byte(v128 words, uint32_t byte) {
    return i32x4_shr(i32x4_shl(words, 24 - 8 * byte), 24);
}

INLINE v128 nibble_at(v128 words, uint32_t bit) {
    return v128_and(i32x4_shr(words, bit), i32x4_splat(15));
}

INLINE struct scales scales_of(const void *block, int32_t type,
                               const struct constants *constants) {
    const struct q4_block *q4 = block;
    const struct q5_block *q5 = block;
    const struct q6_block *q6 = block;
    const struct q3_block *q3 = block;
    const struct q2_block *q2 = block;
    const struct q8_block *q8 = block;
    const v128 *scales = type == Q8_0                   ? &q8->scales
                         : type == Q6_K                 ? &q6->scales
                         : type == Q3_K                 ? &q3->scales
                         : type == Q2_K                 ? &q2->scales
                         : type == Q5_0 || type == Q5_1 ? &q5->scales
                                                        : &q4->scales;
    const v128 *minima = type == Q2_K ? &q2->minima : type == Q5_1 ? &q5->minima : &q4->minima;
    v128 half_bits = constants->half_bits;
    struct rows scale = small_halves(v128_load(scales), half_bits), minimum = scale;
    if (has_minima(type))
        minimum = small_halves(v128_load(minima), half_bits);
    struct scales all = {{scale, scale}, {minimum, minimum}};
    if (parts_of(type) == 1)
        return all;
    v128 factors = v128_load(type == Q6_K   ? &q6->factors
                             : type == Q3_K ? &q3->factors
                                            : &q2->factors);
    for (uint32_t part = 0; part < 2; part++) {
        uint32_t low = 8 * part, high = 16 + 8 * part;
        if (type == Q2_K) {
            all.scales[part] = times_integers(scale, nibble_at(factors, low),
                                              nibble_at(factors, high));
            all.minima[part] = times_integers(minimum, nibble_at(factors, low + 4),
                                              nibble_at(factors, high + 4));
        } else {
            all.scales[part] = times_integers(scale, signed_byte(factors, part),
                                              signed_byte(factors, part + 2));
        }
    }
    return all;
}

/* 8 rows unpacked: quants as bytes (octet, word, row, 4) or i16 pairs (pair of columns, row, 2),
 * and f32 scales and minima (block, part, 8). For F32 and bfloat16 `quants` is the packed matrix. */
struct panel {
    const uint8_t *quants;
    const float *scales, *minima;
};

/* Two neighbouring columns of 8 rows: four vectors even low, even high, odd low, odd high. */
struct two_columns {
    v128 even_low, even_high, odd_low, odd_high;
};

INLINE struct two_columns load_columns(const uint8_t *weights, int32_t type, int32_t pair) {
    if (type == F32) {
        const uint8_t *from = weights + (size_t)pair * 64;
        return (struct two_columns){v128_load(from), v128_load(from + 16), v128_load(from + 32),
                                    v128_load(from + 48)};
    }
    v128 low = v128_load(weights + (size_t)pair * 32),
         high = v128_load(weights + (size_t)pair * 32 + 16);
    v128 upper = i32x4_splat((int32_t)0xffff0000u);
    return (struct two_columns){i32x4_shl(low, 16), i32x4_shl(high, 16), v128_and(low, upper),
                                v128_and(high, upper)};
}

#endif
