/* Matrices times activations, 8 rows at a time, from the packed layouts of repack.c.
 *
 * Each row is summed in one order, block after block, whatever the number of tokens, threads or the
 * kind of machine: one token alone and the same token in a batch give the same bits.
 * 4- and 8-bit types: exact integers within a block of 32, then sum += (float)integer * (d * scale).
 * Blocks of activations with outliers come a second time, for what the first rounding left over.
 * F32 and bfloat16: even and odd columns are summed apart and added at the end. */
#include "kernels.h"
#include "numbers.h"

/* Something of 8 rows: of rows 0..3 and of rows 4..7. */
struct rows {
    v128 low, high;
};

INLINE struct rows add_sums(struct rows a, struct rows b) {
    return (struct rows){f32x4_add(a.low, b.low), f32x4_add(a.high, b.high)};
}

/* Finds out how the relaxed dot reads its second operand here. */
enum dot probe_dot(void) {
#if HAS_BYTE_DOT
    volatile int32_t all_ones = -1;
    v128 bytes = i32x4_splat(all_ones);
    v128 seen = i8x16_dot_add(i32x4_splat(0x7f7f7f7f), bytes, v128_zero());
    int32_t sum[4];
    v128_store(sum, seen);
    switch (sum[0]) {
    case 4 * 127 * -1: return DOT_SIGNED;
    case 4 * 127 * 255: return DOT_UNSIGNED;
    case 2 * 32767: return DOT_SATURATING;
    default: return DOT_NONE;
    }
#else
    return DOT_NONE;
#endif
}

/* The form of activations that a matrix of this type wants on this kind of machine. */
static int32_t activation_form(int32_t type, enum dot dot) {
    switch (type) {
    case Q4_0:
    case Q4_1: return dot == DOT_NONE ? AS_PAIRS : AS_BYTES;
    case Q8_0: return dot == DOT_SIGNED || dot == DOT_UNSIGNED ? AS_BYTES : AS_PAIRS;
    default: return AS_FLOATS;
    }
}

/* What the packed value of a weight is above the true one, in the form in which it is multiplied. */
INLINE int32_t offset_of(int32_t type, enum dot dot) {
    return type == Q4_0 ? 8 : type == Q8_0 && dot != DOT_SIGNED ? 128 : 0;
}

/* Packed blocks as structs: a member's offset becomes part of the load instruction, a sum of a pointer
 * and a number does not. */
struct nibble_block {
    struct rows octets[4]; /* 8 columns each */
    v128 scales, minima;
};

struct byte_block {
    struct rows groups[8]; /* 4 columns each */
    v128 scales;
};

/* Constants of the loops, in registers: V8 builds a v128 constant anew, with three instructions, at
 * each use, unless it does not see that it is one. */
struct constants {
    v128 low_nibbles, half_bits, ones, low_bytes, flip;
};

INLINE v128 hidden(uint32_t bits) {
    __asm__("" : "+r"(bits));
    return i32x4_splat((int32_t)bits);
}

INLINE struct constants constants_of(enum dot dot) {
    return (struct constants){hidden(dot == DOT_NONE ? 0x000f000f : 0x0f0f0f0f), hidden(0x8fffe000),
                              hidden(0x00010001), hidden(0x00ff00ff), hidden(0x80808080)};
}

/* Eight half-precision scales times 2^-112. */
INLINE struct rows small_scales(v128 halves, v128 half_bits) {
    return (struct rows){v128_and(i32x4_shl(i32x4_low_i16x8(halves), 13), half_bits),
                         v128_and(i32x4_shl(i32x4_high_i16x8(halves), 13), half_bits)};
}

/* ---- one token: 8 rows x 32 columns -> exact i32 sums, in the four ways ---- */

#if HAS_BYTE_DOT
/* sums += rows x 4 columns, in i32 lanes */
INLINE void dot_add(struct rows *sums, v128 low, v128 high, v128 four) {
    sums->low = i8x16_dot_add(four, low, sums->low);
    sums->high = i8x16_dot_add(four, high, sums->high);
}

/* The same in i16 lanes, for x64 before VNNI: eight such sums of nibbles fit (8 x 2 x 15 x 127 = 30480). */
INLINE void dot_pairs(struct rows *sums, v128 low, v128 high, v128 four) {
    sums->low = i16x8_add(sums->low, i8x16_dot_pairs(four, low));
    sums->high = i16x8_add(sums->high, i8x16_dot_pairs(four, high));
}

INLINE void dot_nibbles(struct rows *sums, enum dot dot, const struct rows *octet, v128 first, v128 second, v128 mask) {
    v128 low = v128_load(&octet->low), high = v128_load(&octet->high);
    v128 low_second = v128_and(u16x8_shr(low, 4), mask), high_second = v128_and(u16x8_shr(high, 4), mask);
    low = v128_and(low, mask), high = v128_and(high, mask);
    if (dot == DOT_SATURATING) {
        dot_pairs(sums, low, high, first);
        dot_pairs(sums, low_second, high_second, second);
    } else {
        dot_add(sums, low, high, first);
        dot_add(sums, low_second, high_second, second);
    }
}

INLINE struct rows nibbles_bytewise(const struct nibble_block *block, enum dot dot, const v128 x[2],
                                    struct rows start, const struct constants *constants) {
    struct rows sums = {v128_zero(), v128_zero()};
    if (dot != DOT_SATURATING)
        sums = start;
    v128 mask = constants->low_nibbles, columns = v128_load(&x[0]);
    dot_nibbles(&sums, dot, &block->octets[0], i32x4_lane0_splat(columns), i32x4_lane1_splat(columns), mask);
    dot_nibbles(&sums, dot, &block->octets[1], i32x4_lane2_splat(columns), i32x4_lane3_splat(columns), mask);
    columns = v128_load(&x[1]);
    dot_nibbles(&sums, dot, &block->octets[2], i32x4_lane0_splat(columns), i32x4_lane1_splat(columns), mask);
    dot_nibbles(&sums, dot, &block->octets[3], i32x4_lane2_splat(columns), i32x4_lane3_splat(columns), mask);
    if (dot != DOT_SATURATING)
        return sums;
    return (struct rows){i32x4_add(start.low, i16x8_dot(sums.low, constants->ones)),
                         i32x4_add(start.high, i16x8_dot(sums.high, constants->ones))};
}

INLINE void dot_group(struct rows *sums, enum dot dot, const struct rows *group, v128 four, v128 flip) {
    v128 low = v128_load(&group->low), high = v128_load(&group->high);
    if (dot == DOT_SIGNED)
        low = v128_xor(low, flip), high = v128_xor(high, flip);
    dot_add(sums, low, high, four);
}

INLINE struct rows bytes_bytewise(const struct byte_block *block, enum dot dot, const v128 x[2],
                                  struct rows sums, const struct constants *constants) {
    v128 flip = constants->flip;
    for (uint32_t half = 0; half < 2; half++) {
        v128 columns = v128_load(&x[half]);
        dot_group(&sums, dot, &block->groups[4 * half], i32x4_lane0_splat(columns), flip);
        dot_group(&sums, dot, &block->groups[4 * half + 1], i32x4_lane1_splat(columns), flip);
        dot_group(&sums, dot, &block->groups[4 * half + 2], i32x4_lane2_splat(columns), flip);
        dot_group(&sums, dot, &block->groups[4 * half + 3], i32x4_lane3_splat(columns), flip);
    }
    return sums;
}
#endif

/* sums += rows x 2 columns, in 16-bit products */
INLINE void dot_two(struct rows *sums, v128 low, v128 high, v128 two) {
    sums->low = i32x4_add(sums->low, i16x8_dot(low, two));
    sums->high = i32x4_add(sums->high, i16x8_dot(high, two));
}

INLINE struct rows nibbles_pairwise(const struct nibble_block *block, const v128 x[4], struct rows sums,
                                    const struct constants *constants) {
    v128 mask = constants->low_nibbles;
    for (uint32_t octet = 0; octet < 4; octet++) {
        v128 low = v128_load(&block->octets[octet].low), high = v128_load(&block->octets[octet].high);
        v128 pairs = v128_load(&x[octet]);
        dot_two(&sums, v128_and(low, mask), v128_and(high, mask), i32x4_lane0_splat(pairs));
        low = u16x8_shr(low, 4), high = u16x8_shr(high, 4);
        dot_two(&sums, v128_and(low, mask), v128_and(high, mask), i32x4_lane1_splat(pairs));
        low = u16x8_shr(low, 4), high = u16x8_shr(high, 4);
        dot_two(&sums, v128_and(low, mask), v128_and(high, mask), i32x4_lane2_splat(pairs));
        dot_two(&sums, u16x8_shr(low, 4), u16x8_shr(high, 4), i32x4_lane3_splat(pairs));
    }
    return sums;
}

/* A word holds columns 0 4 1 5, the next 2 6 3 7: even bytes are the pairs (0, 1) and (2, 3). */
INLINE void dot_group_pairwise(struct rows *sums, const struct rows *group, v128 even, v128 odd, v128 mask) {
    v128 low = v128_load(&group->low), high = v128_load(&group->high);
    dot_two(sums, v128_and(low, mask), v128_and(high, mask), even);
    dot_two(sums, u16x8_shr(low, 8), u16x8_shr(high, 8), odd);
}

INLINE struct rows bytes_pairwise(const struct byte_block *block, const v128 x[4], struct rows sums,
                                  const struct constants *constants) {
    v128 mask = constants->low_bytes;
    for (uint32_t octet = 0; octet < 4; octet++) {
        v128 pairs = v128_load(&x[octet]);
        dot_group_pairwise(&sums, &block->groups[2 * octet], i32x4_lane0_splat(pairs), i32x4_lane2_splat(pairs), mask);
        dot_group_pairwise(&sums, &block->groups[2 * octet + 1], i32x4_lane1_splat(pairs), i32x4_lane3_splat(pairs), mask);
    }
    return sums;
}

INLINE struct rows block_dot(const void *block, int32_t type, enum dot dot, const struct activation *x,
                             int32_t slot, const struct constants *constants) {
    v128 start = v128_zero();
    if (offset_of(type, dot) != 0)
        start = i32x4_splat(-offset_of(type, dot) * x->sums[slot]);
    struct rows sums = {start, start};
#if HAS_BYTE_DOT
    const v128 *bytes = (const v128 *)(const void *)(x->bytes + slot * BLOCK);
    if (type == Q8_0 && (dot == DOT_UNSIGNED || dot == DOT_SIGNED))
        return bytes_bytewise(block, dot, bytes, sums, constants);
    if (type != Q8_0 && dot != DOT_NONE)
        return nibbles_bytewise(block, dot, bytes, sums, constants);
#endif
    const v128 *pairs = (const v128 *)(const void *)(x->pairs + slot * BLOCK);
    if (type == Q8_0)
        return bytes_pairwise(block, pairs, sums, constants);
    return nibbles_pairwise(block, pairs, sums, constants);
}

/* The block that a slot of activations belongs to. */
INLINE int32_t block_of_slot(const struct activation *x, int32_t slot, int32_t blocks) {
    return slot < blocks ? slot : x->extras[1 + slot - blocks];
}

INLINE int32_t quantized_block_bytes(int32_t type) { return type == Q4_1 ? 160 : type == Q4_0 ? 144 : 272; }

/* Sums of 8 rows on their way: products with the scales, and with the minima of Q4_1. */
struct totals {
    struct rows products, minima;
};

/* totals + one block x one slot. The scales are read 2^-112 too small; half of that is mended in the
 * activation's scale, half at the end, so that neither a great activation nor a small product leaves
 * the range of f32. */
INLINE struct totals add_block(struct totals totals, const uint8_t *weights, int32_t type, enum dot dot,
                               const struct activation *x, int32_t slot, const struct constants *constants) {
    const struct nibble_block *nibbles = (const void *)weights;
    const struct byte_block *bytes = (const void *)weights;
    struct rows dots = block_dot(weights, type, dot, x, slot, constants);
    v128 halves = type == Q8_0 ? v128_load(&bytes->scales) : v128_load(&nibbles->scales);
    struct rows d = small_scales(halves, constants->half_bits);
    v128 scale = f32x4_splat(x->scales[slot] * TWO_TO_56);
    v128 low = f32x4_mul(f32x4_from_i32x4(dots.low), f32x4_mul(d.low, scale));
    v128 high = f32x4_mul(f32x4_from_i32x4(dots.high), f32x4_mul(d.high, scale));
    totals.products = add_sums(totals.products, (struct rows){low, high});
    if (type == Q4_1) {
        struct rows m = small_scales(v128_load(&nibbles->minima), constants->half_bits);
        v128 sum = f32x4_splat(x->weighted[slot] * TWO_TO_56);
        struct rows more = {f32x4_mul(m.low, sum), f32x4_mul(m.high, sum)};
        totals.minima = add_sums(totals.minima, more);
    }
    return totals;
}

/* 8 rows of a quantized matrix times one token. type and dot are constants where this is used. */
INLINE struct rows rows_quantized(const uint8_t *weights, int32_t type, enum dot dot,
                                  const struct activation *x, int32_t columns) {
    struct rows none = {v128_zero(), v128_zero()};
    struct totals totals = {none, none};
    struct constants constants = constants_of(dot);
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++) {
        size_t place = (size_t)block_of_slot(x, slot, blocks) * (size_t)quantized_block_bytes(type);
        totals = add_block(totals, weights + place, type, dot, x, slot, &constants);
    }
    v128 mend = f32x4_splat(TWO_TO_56);
    struct rows total = {f32x4_mul(totals.products.low, mend), f32x4_mul(totals.products.high, mend)};
    if (type != Q4_1)
        return total;
    struct rows minima = {f32x4_mul(totals.minima.low, mend), f32x4_mul(totals.minima.high, mend)};
    return add_sums(total, minima);
}

INLINE struct rows multiply_add(struct rows sums, v128 low, v128 high, v128 x) {
    return (struct rows){f32x4_add(sums.low, f32x4_mul(low, x)),
                         f32x4_add(sums.high, f32x4_mul(high, x))};
}

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
    v128 low = v128_load(weights + (size_t)pair * 32), high = v128_load(weights + (size_t)pair * 32 + 16);
    v128 upper = i32x4_splat((int32_t)0xffff0000u);
    return (struct two_columns){i32x4_shl(low, 16), i32x4_shl(high, 16), v128_and(low, upper),
                                v128_and(high, upper)};
}

INLINE struct rows rows_float(const uint8_t *weights, int32_t type, const float *x, int32_t columns) {
    struct rows even = {v128_zero(), v128_zero()}, odd = even;
    for (int32_t pair = 0; pair < columns / 2; pair++) {
        struct two_columns w = load_columns(weights, type, pair);
        even = multiply_add(even, w.even_low, w.even_high, v128_load32_splat(x + 2 * pair));
        odd = multiply_add(odd, w.odd_low, w.odd_high, v128_load32_splat(x + 2 * pair + 1));
    }
    return add_sums(even, odd);
}

/* 8 rows times one token; x is a tile of one. */
static struct rows rows_of_one(const uint8_t *weights, int32_t type, enum dot dot,
                               const struct activation *x, int32_t columns) {
    if (type == F32)
        return rows_float(weights, F32, x->floats, columns);
    if (type == F16 || type == BF16)
        return rows_float(weights, BF16, x->floats, columns);
#define QUANTIZED(d)                                                        \
    if (dot == d)                                                           \
        return type == Q4_0   ? rows_quantized(weights, Q4_0, d, x, columns) \
               : type == Q4_1 ? rows_quantized(weights, Q4_1, d, x, columns) \
                              : rows_quantized(weights, Q8_0, d, x, columns);
#if HAS_BYTE_DOT
    QUANTIZED(DOT_SIGNED)
    QUANTIZED(DOT_UNSIGNED)
    QUANTIZED(DOT_SATURATING)
#endif
    QUANTIZED(DOT_NONE)
#undef QUANTIZED
    __builtin_unreachable();
}

/* ---- batches: 8 rows are unpacked once, then multiplied with every tile of 4 tokens ---- */

/* 8 rows unpacked: quants as bytes (column / 4, 8, 4) or i16 pairs (column / 2, 8, 2), and f32
 * scales and minima (block, 8). For F32 and bfloat16 `quants` is the packed matrix itself. */
struct panel {
    const uint8_t *quants;
    const float *scales, *minima;
};

static void unpack_scales(const uint8_t *from, float *to) {
    struct rows small = small_scales(v128_load(from), i32x4_splat((int32_t)0x8fffe000u));
    v128_store(to, f32x4_mul(small.low, f32x4_splat(TWO_TO_112)));
    v128_store(to + 4, f32x4_mul(small.high, f32x4_splat(TWO_TO_112)));
}

INLINE v128 low_nibbles(v128 a) { return v128_and(a, i32x4_splat(0x0f0f0f0f)); }
INLINE v128 high_nibbles(v128 a) { return v128_and(u16x8_shr(a, 4), i32x4_splat(0x0f0f0f0f)); }

/* to: 256 bytes */
static void unpack_block_to_bytes(const uint8_t *block, int32_t type, enum dot dot, uint8_t *to) {
    v128 flip = i32x4_splat(dot == DOT_SIGNED ? (int32_t)0x80808080u : 0);
    if (type == Q8_0)
        for (int32_t i = 0; i < 256; i += 16)
            v128_store(to + i, v128_xor(v128_load(block + i), flip));
    else
        for (int32_t octet = 0; octet < 4; octet++)
            for (int32_t half = 0; half < 2; half++) {
                v128 both = v128_load(block + octet * 32 + half * 16);
                v128_store(to + octet * 64 + half * 16, low_nibbles(both));
                v128_store(to + octet * 64 + half * 16 + 32, high_nibbles(both));
            }
}

/* to: 512 bytes */
static void unpack_block_to_pairs(const uint8_t *block, int32_t type, uint8_t *to) {
    for (int32_t octet = 0; octet < 4; octet++)
        for (int32_t half = 0; half < 2; half++) {
            uint8_t *here = to + octet * 128 + half * 16;
            if (type == Q8_0) {
                v128 a = v128_load(block + octet * 64 + half * 16);
                v128 b = v128_load(block + octet * 64 + half * 16 + 32);
                v128 mask = i32x4_splat(0x00ff00ff);
                v128_store(here, v128_and(a, mask));
                v128_store(here + 32, v128_and(b, mask));
                v128_store(here + 64, u16x8_shr(a, 8));
                v128_store(here + 96, u16x8_shr(b, 8));
                continue;
            }
            v128 both = v128_load(block + octet * 32 + half * 16);
            for (int32_t pair = 0; pair < 4; pair++, both = u16x8_shr(both, 4))
                v128_store(here + pair * 32, v128_and(both, i32x4_splat(0x000f000f)));
        }
}

static struct panel unpack_panel(const uint8_t *weights, int32_t type, enum dot dot, int32_t columns,
                                 uint8_t *quants, float *scales) {
    int32_t form = activation_form(type, dot), blocks = columns / BLOCK;
    if (form == AS_FLOATS)
        return (struct panel){weights, NULL, NULL};
    float *minima = scales + blocks * ROWS;
    for (int32_t block = 0; block < blocks; block++, weights += packed_block_bytes(type)) {
        if (form == AS_BYTES)
            unpack_block_to_bytes(weights, type, dot, quants + block * 256);
        else
            unpack_block_to_pairs(weights, type, quants + block * 512);
        unpack_scales(weights + (type == Q8_0 ? 256 : 128), scales + block * ROWS);
        if (type == Q4_1)
            unpack_scales(weights + 144, minima + block * ROWS);
    }
    return (struct panel){quants, scales, minima};
}

/* Keeps two sums in their registers, so that clang does not order the sums of a tile for its own taste
 * and spill them: the store of a spilled sum lies on the critical path. */
INLINE void pin(struct rows *sums) {
#ifdef __wasm__
    __asm__("" : "+r"(sums->low), "+r"(sums->high));
#else
    (void)sums;
#endif
}

/* sums (token) += rows x a word of columns of each of 4 tokens, by dot_add, dot_pairs or dot_two */
#define FOUR_TOKENS(add, sums, low, high, words)                                  \
    add(&(sums)[0], low, high, i32x4_lane0_splat(words)), pin(&(sums)[0]);        \
    add(&(sums)[1], low, high, i32x4_lane1_splat(words)), pin(&(sums)[1]);        \
    add(&(sums)[2], low, high, i32x4_lane2_splat(words)), pin(&(sums)[2]);        \
    add(&(sums)[3], low, high, i32x4_lane3_splat(words)), pin(&(sums)[3])

/* One block of 32 columns: panel (column / 2, 2) x 4 tokens (column / 2) -> i32 sums (token). */
INLINE void tile_pairs(const struct rows *panel, const v128 *x, struct rows sums[TILE]) {
    for (int32_t pair = 0; pair < BLOCK / 2; pair++) {
        v128 low = v128_load(&panel[pair].low), high = v128_load(&panel[pair].high);
        v128 words = v128_load(&x[pair]);
        FOUR_TOKENS(dot_two, sums, low, high, words);
    }
}

#if HAS_BYTE_DOT
INLINE void tile_dot(const struct rows *panel, const v128 *x, struct rows sums[TILE]) {
    for (int32_t group = 0; group < BLOCK / 4; group++) {
        v128 low = v128_load(&panel[group].low), high = v128_load(&panel[group].high);
        v128 words = v128_load(&x[group]);
        FOUR_TOKENS(dot_add, sums, low, high, words);
    }
}

INLINE void tile_saturating(const struct rows *panel, const v128 *x, struct rows sums[TILE]) {
    struct rows pairs[TILE];
    for (int32_t token = 0; token < TILE; token++)
        pairs[token] = (struct rows){v128_zero(), v128_zero()};
    for (int32_t group = 0; group < BLOCK / 4; group++) {
        v128 low = v128_load(&panel[group].low), high = v128_load(&panel[group].high);
        v128 words = v128_load(&x[group]);
        FOUR_TOKENS(dot_pairs, pairs, low, high, words);
    }
    v128 ones = i32x4_splat(0x10001);
    for (int32_t token = 0; token < TILE; token++) {
        sums[token].low = i32x4_add(sums[token].low, i16x8_dot(pairs[token].low, ones));
        sums[token].high = i32x4_add(sums[token].high, i16x8_dot(pairs[token].high, ones));
    }
}
#endif

INLINE void tile_block(const struct panel *panel, int32_t block, int32_t type, enum dot dot,
                       const struct activation *x, int32_t slot, struct rows sums[TILE]) {
    for (int32_t token = 0; token < TILE; token++) {
        v128 start = i32x4_splat(-offset_of(type, dot) * x->sums[slot * TILE + token]);
        sums[token] = (struct rows){start, start};
    }
#if HAS_BYTE_DOT
    const v128 *bytes = (const v128 *)(const void *)(x->bytes + slot * BLOCK * TILE);
    if (dot == DOT_SIGNED || dot == DOT_UNSIGNED) {
        tile_dot((const void *)(panel->quants + block * 256), bytes, sums);
        return;
    }
    if (dot == DOT_SATURATING && type != Q8_0) {
        tile_saturating((const void *)(panel->quants + block * 256), bytes, sums);
        return;
    }
#endif
    const v128 *pairs = (const v128 *)(const void *)(x->pairs + slot * BLOCK * TILE);
    tile_pairs((const void *)(panel->quants + block * 512), pairs, sums);
}

/* A block of a panel times a slot of a tile of activations, added to the totals. */
INLINE void add_tile_block(const struct panel *panel, int32_t block, int32_t type, enum dot dot,
                           const struct activation *x, int32_t slot, struct rows total[TILE]) {
    struct rows dots[TILE];
    tile_block(panel, block, type, dot, x, slot, dots);
    const float *scales = panel->scales + block * ROWS;
    v128 low = v128_load(scales), high = v128_load(scales + 4);
    for (int32_t token = 0; token < TILE; token++) {
        v128 scale = v128_load32_splat(x->scales + slot * TILE + token);
        v128 a = f32x4_mul(f32x4_from_i32x4(dots[token].low), f32x4_mul(low, scale));
        v128 b = f32x4_mul(f32x4_from_i32x4(dots[token].high), f32x4_mul(high, scale));
        total[token] = add_sums(total[token], (struct rows){a, b});
    }
}

/* total += minima of the panel x (scale * sum) of the activations. A pass of its own: its sums stay
 * in registers, which those of the products need. */
static void add_minima(const struct panel *panel, const struct activation *x, int32_t columns,
                       struct rows total[TILE]) {
    struct rows minima[TILE];
    for (int32_t token = 0; token < TILE; token++)
        minima[token] = (struct rows){v128_zero(), v128_zero()};
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++) {
        const float *rows = panel->minima + block_of_slot(x, slot, blocks) * ROWS;
        v128 low = v128_load(rows), high = v128_load(rows + 4);
        for (int32_t token = 0; token < TILE; token++)
            minima[token] = multiply_add(minima[token], low, high,
                                         v128_load32_splat(x->weighted + slot * TILE + token));
    }
    for (int32_t token = 0; token < TILE; token++)
        total[token] = add_sums(total[token], minima[token]);
}

/* A panel times a tile of quantized activations. type and dot are constants where this is used. */
INLINE void tile_quantized(const struct panel *panel, int32_t type, enum dot dot,
                           const struct activation *x, int32_t columns, struct rows total[TILE]) {
    for (int32_t token = 0; token < TILE; token++)
        total[token] = (struct rows){v128_zero(), v128_zero()};
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++)
        add_tile_block(panel, block_of_slot(x, slot, blocks), type, dot, x, slot, total);
    if (type == Q4_1)
        add_minima(panel, x, columns, total);
}

INLINE void tile_float(const uint8_t *weights, int32_t type, const float *x, int32_t columns,
                       struct rows total[TILE]) {
    for (int32_t first = 0; first < TILE; first += 2) {
        struct rows even[2], odd[2];
        even[0] = even[1] = odd[0] = odd[1] = (struct rows){v128_zero(), v128_zero()};
        for (int32_t pair = 0; pair < columns / 2; pair++) {
            struct two_columns w = load_columns(weights, type, pair);
            const float *here = x + 2 * pair * TILE + first;
            for (int32_t token = 0; token < 2; token++) {
                even[token] = multiply_add(even[token], w.even_low, w.even_high, v128_load32_splat(here + token));
                odd[token] = multiply_add(odd[token], w.odd_low, w.odd_high, v128_load32_splat(here + TILE + token));
            }
        }
        total[first] = add_sums(even[0], odd[0]);
        total[first + 1] = add_sums(even[1], odd[1]);
    }
}

static void rows_of_tile(const struct panel *panel, int32_t type, enum dot dot,
                         const struct activation *x, int32_t columns, struct rows total[TILE]) {
    if (type == F32) {
        tile_float(panel->quants, F32, x->floats, columns, total);
        return;
    }
    if (type == F16 || type == BF16) {
        tile_float(panel->quants, BF16, x->floats, columns, total);
        return;
    }
#define QUANTIZED(t, d)                                     \
    if (type == t && dot == d) {                            \
        tile_quantized(panel, t, d, x, columns, total);     \
        return;                                             \
    }
#if HAS_BYTE_DOT
    QUANTIZED(Q4_0, DOT_SIGNED)
    QUANTIZED(Q4_1, DOT_SIGNED)
    QUANTIZED(Q8_0, DOT_SIGNED)
    QUANTIZED(Q4_0, DOT_UNSIGNED)
    QUANTIZED(Q4_1, DOT_UNSIGNED)
    QUANTIZED(Q8_0, DOT_UNSIGNED)
    QUANTIZED(Q4_0, DOT_SATURATING)
    QUANTIZED(Q4_1, DOT_SATURATING)
    QUANTIZED(Q8_0, DOT_SATURATING)
#endif
    QUANTIZED(Q4_0, DOT_NONE)
    QUANTIZED(Q4_1, DOT_NONE)
    QUANTIZED(Q8_0, DOT_NONE)
#undef QUANTIZED
    __builtin_unreachable();
}

/* ---- what a project operation does with them ---- */

/* gate / (1 + e^-gate) * up */
INLINE v128 silu_gated(v128 gate, v128 up) {
    v128 grown = f32x4_exponential(f32x4_sub(v128_zero(), gate));
    return f32x4_mul(f32x4_div(gate, f32x4_add(f32x4_splat(1.0f), grown)), up);
}

/* Bias, scale, activation, residual, store: 8 rows (4 when gated) of one token of the output. */
static void finish(const struct project *step, int32_t block, int32_t row, struct rows sums) {
    if (step->biases) {
        const float *biases = (const float *)at(step->biases) + block * ROWS;
        sums = add_sums(sums, (struct rows){v128_load(biases), v128_load(biases + 4)});
    }
    size_t place = (size_t)row * (size_t)step->width;
    if (step->gated) {
        v128_store((float *)at(step->output) + place + (size_t)block * 4, silu_gated(sums.low, sums.high));
        return;
    }
    v128 scale = f32x4_splat(float_of(step->scale));
    sums = (struct rows){f32x4_mul(sums.low, scale), f32x4_mul(sums.high, scale)};
    place += (size_t)block * ROWS;
    if (step->residual) {
        const float *residual = (const float *)at(step->residual) + place;
        sums = add_sums(sums, (struct rows){v128_load(residual), v128_load(residual + 4)});
    }
    v128_store((float *)at(step->output) + place, sums.low);
    v128_store((float *)at(step->output) + place + 4, sums.high);
}

static int32_t blocks_of(const struct project *step) {
    int32_t blocks = 0;
    for (int32_t i = 0; i < step->parts; i++)
        blocks += step->part[i].blocks;
    return blocks;
}

static int32_t forms_of(const struct project *step, enum dot dot) {
    int32_t forms = 0;
    for (int32_t i = 0; i < step->parts; i++)
        forms |= activation_form(step->part[i].type, dot);
    return forms;
}

/* The part that holds a block, and where the block's packed weights begin. */
static const uint8_t *block_of(const struct project *step, int32_t block, int32_t *type) {
    const struct part *part = step->part;
    while (block >= part->blocks)
        block -= part++->blocks;
    *type = part->type;
    size_t bytes = (size_t)(step->columns / BLOCK) * (size_t)packed_block_bytes(part->type);
    return (const uint8_t *)at(part->weight) + (size_t)block * bytes;
}

/* Where tile `tile` of `width` tokens lies; `more` bytes are added to every place. */
static struct activation activation_at(const struct activation_places *places, int32_t columns,
                                       int32_t width, int32_t tile, size_t more) {
    size_t values = (size_t)tile * (size_t)width * (size_t)columns, slots = 2 * values / BLOCK;
    size_t extras = (size_t)tile * (size_t)(1 + columns / BLOCK);
    return (struct activation){(int8_t *)((uint8_t *)at(places->bytes) + more) + 2 * values,
                               (int16_t *)((uint8_t *)at(places->pairs) + more) + 2 * values,
                               (float *)((uint8_t *)at(places->floats) + more) + values,
                               (float *)((uint8_t *)at(places->scales) + more) + slots,
                               (int32_t *)((uint8_t *)at(places->sums) + more) + slots,
                               (float *)((uint8_t *)at(places->weighted) + more) + slots,
                               (int32_t *)((uint8_t *)at(places->extras) + more) + extras};
}

/* One token of the input after its norm, f32 (columns); in `values` if it had to be made. */
static const float *prepared(const struct program *program, const struct project *step, int32_t token,
                             float *values) {
    const float *input = (const float *)at(step->input) + (size_t)token * (size_t)step->columns;
    if (step->partials && program->count == 1) {
        merge_partials(program, step, values);
        input = values;
    }
    if (!step->norm)
        return input;
    normalize(input, at(step->norm), float_of(step->epsilon), step->columns, values);
    return values;
}

/* One token: every thread prepares the input for itself and takes one contiguous piece of rows. */
static void project_one(const struct program *program, const struct project *step, int32_t token,
                        int32_t thread, int32_t threads, enum dot dot) {
    size_t more = (size_t)thread * (size_t)program->own_stride;
    struct activation x = activation_at(&program->own, step->columns, 1, 0, more);
    const float *values = prepared(program, step, token, own(program, program->own_values, thread));
    quantize(&values, step->columns, forms_of(step, dot), 1, &x);
    int32_t blocks = blocks_of(step), end = blocks * (thread + 1) / threads;
    for (int32_t block = blocks * thread / threads; block < end; block++) {
        int32_t type;
        const uint8_t *weights = block_of(step, block, &type);
        finish(step, block, 0, rows_of_one(weights, type, dot, &x, step->columns));
    }
}

/* Tokens first .. first + count, in tiles of 4, whoever draws a tile quantizes it. A tile that the
 * tokens do not fill repeats the last of them. */
static void quantize_tiles(const struct program *program, const struct project *step, int32_t first,
                           int32_t count, int32_t thread, enum dot dot) {
    int32_t forms = forms_of(step, dot);
    float *room = own(program, program->own_values, thread);
    for (int32_t tile; (tile = draw_tile(control_of(program))) * TILE < count;) {
        struct activation x = activation_at(&program->shared, step->columns, TILE, tile, 0);
        const float *values[TILE];
        for (int32_t lane = 0; lane < TILE; lane++) {
            int32_t token = first + smaller(tile * TILE + lane, count - 1);
            values[lane] = prepared(program, step, token, room + lane * step->columns);
        }
        quantize(values, step->columns, forms, TILE, &x);
    }
}

/* Whoever draws a block of 8 rows unpacks it and multiplies it with all tiles. */
static void project_tiles(const struct program *program, const struct project *step, int32_t count,
                          int32_t thread, enum dot dot) {
    uint8_t *quants = own(program, program->own_panel, thread);
    float *scales = own(program, program->own_panel_scales, thread);
    int32_t blocks = blocks_of(step), type;
    for (int32_t block; (block = draw_tile(control_of(program))) < blocks;) {
        const uint8_t *weights = block_of(step, block, &type);
        struct panel panel = unpack_panel(weights, type, dot, step->columns, quants, scales);
        for (int32_t tile = 0; tile * TILE < count; tile++) {
            struct activation x = activation_at(&program->shared, step->columns, TILE, tile, 0);
            struct rows sums[TILE];
            rows_of_tile(&panel, type, dot, &x, step->columns, sums);
            for (int32_t lane = 0; lane < TILE && tile * TILE + lane < count; lane++)
                finish(step, block, tile * TILE + lane, sums[lane]);
        }
    }
}

/* output (token, rows) = activation(norm(input) x weights + biases) * scale + residual. With
 * last_rows only the step's last logits_rows tokens are computed. Ends before the barrier. */
void project(const struct program *program, const struct project *step, int32_t thread, int32_t threads,
             enum dot dot) {
    int32_t count = step->last_rows ? smaller(program->logits_rows, program->count) : program->count;
    int32_t first = program->count - count;
    if (count == 1)
        project_one(program, step, first, thread, threads, dot);
    if (count <= 1)
        return;
    quantize_tiles(program, step, first, count, thread, dot);
    meet(control_of(program), threads);
    project_tiles(program, step, count, thread, dot);
}
