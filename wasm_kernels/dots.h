/* What matvec.c and matmul.c share: the ways of multiplying 8 rows of a block with some tokens.
 * Knows nothing of operations.
 *
 * The words of activations lie as the words of weights: word w of token t of a tile of `width`
 * tokens is word w * width + t of its slot. All ways give the same exact integers. */
#ifndef ONGLET_DOTS_H
#define ONGLET_DOTS_H

#include "blocks.h"

/* How bytes of weights, 0 .. greatest_byte of their type, are multiplied:
 * BYTES   the relaxed dot adds up 4 products in 32 bits
 * NARROW  x64 before VNNI adds up 2 products in 16 bits; so much of it fits there: a whole block of
 *         nibbles (8 x 2 x 15 x 127 = 30480)
 * WIDE    the same, one octet of columns (2 x 2 x 63 x 127 = 32004)
 * PAIRS   weights and activations in 16 bits: everywhere, half as fast */
enum way { BYTES, NARROW, WIDE, PAIRS };

INLINE int32_t greatest_byte(int32_t type) {
    switch (type) {
    case Q2_K: return 3;
    case Q3_K: return 7;
    case MXFP4: return 24;
    case Q5_0:
    case Q5_1: return 31;
    case Q6_K: return 63;
    case Q8_0:
    case IQ4_NL: return 255;
    default: return 15;
    }
}

INLINE enum way way_of(int32_t type, enum dot dot) {
    int32_t greatest = greatest_byte(type);
    if (dot != DOT_SATURATING)
        return dot == DOT_NONE ? PAIRS : BYTES;
    return greatest > 63 ? PAIRS : greatest > 15 ? WIDE : NARROW;
}

INLINE struct rows no_rows(void) { return (struct rows){v128_zero(), v128_zero()}; }

INLINE struct rows add_sums(struct rows a, struct rows b) {
    return (struct rows){f32x4_add(a.low, b.low), f32x4_add(a.high, b.high)};
}

INLINE struct rows multiply_add(struct rows sums, v128 low, v128 high, v128 x) {
    return (struct rows){f32x4_add(sums.low, f32x4_mul(low, x)),
                         f32x4_add(sums.high, f32x4_mul(high, x))};
}

/* The block that a slot of activations belongs to. */
INLINE int32_t block_of_slot(const struct activation *x, int32_t slot, int32_t blocks) {
    return slot < blocks ? slot : x->extras[1 + slot - blocks];
}

/* Word `index` of a slot, in all lanes. index: a constant where speed counts. */
INLINE v128 word_splat(const v128 *words, uint32_t index) {
    v128 four = v128_load(&words[index / 4]);
    switch (index % 4) {
    case 0: return i32x4_lane0_splat(four);
    case 1: return i32x4_lane1_splat(four);
    case 2: return i32x4_lane2_splat(four);
    default: return i32x4_lane3_splat(four);
    }
}

/* Keeps two sums in their registers, so that clang does not order the sums of a tile for its own
 * taste and spill them: the store of a spilled sum lies on the critical path. */
INLINE void pin(struct rows *sums) {
#ifdef __wasm__
    __asm__("" : "+r"(sums->low), "+r"(sums->high));
#else
    (void)sums;
#endif
}

INLINE void widen(struct rows *sums, struct rows pairs, v128 ones) {
    sums->low = i32x4_add(sums->low, i16x8_dot(pairs.low, ones));
    sums->high = i32x4_add(sums->high, i16x8_dot(pairs.high, ones));
}

/* sums += one word of weights x one word of activations of each token */
INLINE void dot_word(struct rows sums[], enum way way, struct rows weights, const v128 *x,
                     uint32_t word, uint32_t width) {
    for (uint32_t token = 0; token < width; token++) {
        v128 columns = word_splat(x, word * width + token);
        struct rows *sum = &sums[token];
        if (way == PAIRS) {
            sum->low = i32x4_add(sum->low, i16x8_dot(weights.low, columns));
            sum->high = i32x4_add(sum->high, i16x8_dot(weights.high, columns));
        }
#if HAS_BYTE_DOT
        if (way == BYTES) {
            sum->low = i8x16_dot_add(columns, weights.low, sum->low);
            sum->high = i8x16_dot_add(columns, weights.high, sum->high);
        }
        if (way == NARROW) {
            sum->low = i16x8_add(sum->low, i8x16_dot_pairs(columns, weights.low));
            sum->high = i16x8_add(sum->high, i8x16_dot_pairs(columns, weights.high));
        }
#endif
        pin(sum);
    }
}

#if HAS_BYTE_DOT
/* sums += an octet x two words of activations of each token */
INLINE void dot_wide(struct rows sums[], const struct octet *weights, const v128 *x, uint32_t word,
                     uint32_t width, v128 ones) {
    for (uint32_t token = 0; token < width; token++) {
        v128 first = word_splat(x, word * width + token);
        v128 second = word_splat(x, (word + 1) * width + token);
        struct rows pairs = {i16x8_add(i8x16_dot_pairs(first, weights->first.low),
                                       i8x16_dot_pairs(second, weights->second.low)),
                             i16x8_add(i8x16_dot_pairs(first, weights->first.high),
                                       i8x16_dot_pairs(second, weights->second.high))};
        widen(&sums[token], pairs, ones);
        pin(&sums[token]);
    }
}
#endif

INLINE struct rows even_bytes(struct rows words, v128 mask) {
    return (struct rows){v128_and(words.low, mask), v128_and(words.high, mask)};
}

INLINE struct rows odd_bytes(struct rows words) {
    return (struct rows){u16x8_shr(words.low, 8), u16x8_shr(words.high, 8)};
}

/* sums += octet `octet` of a block x the same columns of each token */
INLINE void dot_octet(struct rows sums[], enum way way, const struct octet *weights, const v128 *x,
                      uint32_t octet, uint32_t width, v128 constant) {
    if (way == PAIRS) {
        dot_word(sums, way, even_bytes(weights->first, constant), x, 4 * octet, width);
        dot_word(sums, way, even_bytes(weights->second, constant), x, 4 * octet + 1, width);
        dot_word(sums, way, odd_bytes(weights->first), x, 4 * octet + 2, width);
        dot_word(sums, way, odd_bytes(weights->second), x, 4 * octet + 3, width);
        return;
    }
#if HAS_BYTE_DOT
    if (way == WIDE) {
        dot_wide(sums, weights, x, 2 * octet, width, constant);
        return;
    }
#endif
    dot_word(sums, way, weights->first, x, 2 * octet, width);
    dot_word(sums, way, weights->second, x, 2 * octet + 1, width);
}

/* The words of a slot of a tile of `width` tokens. */
INLINE const v128 *words_of_slot(const struct activation *x, enum way way, int32_t slot,
                                 int32_t width) {
    if (way == PAIRS)
        return (const v128 *)(const void *)(x->pairs + slot * BLOCK * width);
    return (const v128 *)(const void *)(x->bytes + slot * BLOCK * width);
}

/* Where the integer sums of part `part` of `parts` begin: what the offset of the bytes will add is
 * taken off. */
INLINE void start_sums(struct rows sums[], const struct activation *x, int32_t offset,
                       int32_t parts, int32_t slot, int32_t part, int32_t width) {
    for (int32_t token = 0; token < width; token++) {
        const int16_t *halves = x->sums + 2 * (slot * width + token);
        int32_t sum = parts == 2 ? halves[part] : halves[0] + halves[1];
        v128 start = offset ? i32x4_splat(-offset * sum) : v128_zero();
        sums[token] = (struct rows){start, start};
    }
}

/* scale * sum of the activations that part `part` of `parts` meets, in all lanes */
INLINE v128 weighted_sum(const struct activation *x, int32_t place, int32_t parts, int32_t part) {
    if (parts == 1)
        return v128_load32_splat(x->weighted + place);
    return f32x4_splat(x->scales[place] * (float)x->sums[2 * place + part]);
}

/* total + integers * (scale of the rows * scale of the activations) */
INLINE struct rows add_scaled(struct rows total, struct rows integers, struct rows scale, v128 x) {
    v128 low = f32x4_mul(f32x4_from_i32x4(integers.low), f32x4_mul(scale.low, x));
    v128 high = f32x4_mul(f32x4_from_i32x4(integers.high), f32x4_mul(scale.high, x));
    return add_sums(total, (struct rows){low, high});
}

/* matvec.c: which form of activations (kernels.h) a matrix of this type wants on this kind of
 * machine */
int32_t activation_form(int32_t type, enum dot dot);
void rows_of_few(const uint8_t *weights, int32_t type, enum dot dot, const struct activation *x,
                 int32_t width, int32_t columns, struct rows total[]);

/* unpack.c */
struct panel unpack_panel(const uint8_t *weights, int32_t type, enum dot dot, int32_t columns,
                          uint8_t *quants, float *scales);

/* matmul.c */
void rows_of_tile(const struct panel *panel, int32_t type, enum dot dot, const struct activation *x,
                  int32_t columns, struct rows total[TILE]);

#endif
