/* Matrices times one token of activations, 8 rows at a time, from the packed layouts of repack.c.
 *
 * Each row is summed in one order, block after block, here and in matmul.c, whatever the number
 * of tokens, threads or the kind of machine: one token alone and the same token in a batch give
 * the same bits. 4- and 8-bit types: exact integers within a block of 32, then sum +=
 * (float)integer * (d * scale). Blocks of activations with outliers come a second time, for what
 * the first rounding left over. F32 and bfloat16: even and odd columns are summed apart and added
 * at the end. */
#include "dots.h"

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
int32_t activation_form(int32_t type, enum dot dot) {
    switch (type) {
    case Q4_0:
    case Q4_1: return dot == DOT_NONE ? AS_PAIRS : AS_BYTES;
    case Q8_0: return dot == DOT_SIGNED || dot == DOT_UNSIGNED ? AS_BYTES : AS_PAIRS;
    default: return AS_FLOATS;
    }
}

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

#if HAS_BYTE_DOT
INLINE void dot_nibbles(struct rows *sums, enum dot dot, const struct rows *octet, v128 first,
                        v128 second, v128 mask) {
    v128 low = v128_load(&octet->low), high = v128_load(&octet->high);
    v128 low_second = v128_and(u16x8_shr(low, 4), mask),
         high_second = v128_and(u16x8_shr(high, 4), mask);
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
    dot_nibbles(&sums, dot, &block->octets[0], i32x4_lane0_splat(columns),
                i32x4_lane1_splat(columns), mask);
    dot_nibbles(&sums, dot, &block->octets[1], i32x4_lane2_splat(columns),
                i32x4_lane3_splat(columns), mask);
    columns = v128_load(&x[1]);
    dot_nibbles(&sums, dot, &block->octets[2], i32x4_lane0_splat(columns),
                i32x4_lane1_splat(columns), mask);
    dot_nibbles(&sums, dot, &block->octets[3], i32x4_lane2_splat(columns),
                i32x4_lane3_splat(columns), mask);
    if (dot != DOT_SATURATING)
        return sums;
    return (struct rows){i32x4_add(start.low, i16x8_dot(sums.low, constants->ones)),
                         i32x4_add(start.high, i16x8_dot(sums.high, constants->ones))};
}

INLINE void dot_group(struct rows *sums, enum dot dot, const struct rows *group, v128 four,
                      v128 flip) {
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

INLINE struct rows nibbles_pairwise(const struct nibble_block *block, const v128 x[4],
                                    struct rows sums, const struct constants *constants) {
    v128 mask = constants->low_nibbles;
    for (uint32_t octet = 0; octet < 4; octet++) {
        v128 low = v128_load(&block->octets[octet].low),
             high = v128_load(&block->octets[octet].high);
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
INLINE void dot_group_pairwise(struct rows *sums, const struct rows *group, v128 even, v128 odd,
                               v128 mask) {
    v128 low = v128_load(&group->low), high = v128_load(&group->high);
    dot_two(sums, v128_and(low, mask), v128_and(high, mask), even);
    dot_two(sums, u16x8_shr(low, 8), u16x8_shr(high, 8), odd);
}

INLINE struct rows bytes_pairwise(const struct byte_block *block, const v128 x[4], struct rows sums,
                                  const struct constants *constants) {
    v128 mask = constants->low_bytes;
    for (uint32_t octet = 0; octet < 4; octet++) {
        v128 pairs = v128_load(&x[octet]);
        dot_group_pairwise(&sums, &block->groups[2 * octet], i32x4_lane0_splat(pairs),
                           i32x4_lane2_splat(pairs), mask);
        dot_group_pairwise(&sums, &block->groups[2 * octet + 1], i32x4_lane1_splat(pairs),
                           i32x4_lane3_splat(pairs), mask);
    }
    return sums;
}

INLINE struct rows block_dot(const void *block, int32_t type, enum dot dot,
                             const struct activation *x, int32_t slot,
                             const struct constants *constants) {
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

INLINE int32_t quantized_block_bytes(int32_t type) {
    return type == Q4_1 ? 160 : type == Q4_0 ? 144 : 272;
}

/* Sums of 8 rows on their way: products with the scales, and with the minima of Q4_1. */
struct totals {
    struct rows products, minima;
};

/* totals + one block x one slot. The scales are read 2^-112 too small; half of that is mended in
 * the activation's scale, half at the end, so that neither a great activation nor a small product
 * leaves the range of f32. */
INLINE struct totals add_block(struct totals totals, const uint8_t *weights, int32_t type,
                               enum dot dot, const struct activation *x, int32_t slot,
                               const struct constants *constants) {
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
    struct rows total = {f32x4_mul(totals.products.low, mend),
                         f32x4_mul(totals.products.high, mend)};
    if (type != Q4_1)
        return total;
    struct rows minima = {f32x4_mul(totals.minima.low, mend), f32x4_mul(totals.minima.high, mend)};
    return add_sums(total, minima);
}

INLINE struct rows rows_float(const uint8_t *weights, int32_t type, const float *x,
                              int32_t columns) {
    struct rows even = {v128_zero(), v128_zero()}, odd = even;
    for (int32_t pair = 0; pair < columns / 2; pair++) {
        struct two_columns w = load_columns(weights, type, pair);
        even = multiply_add(even, w.even_low, w.even_high, v128_load32_splat(x + 2 * pair));
        odd = multiply_add(odd, w.odd_low, w.odd_high, v128_load32_splat(x + 2 * pair + 1));
    }
    return add_sums(even, odd);
}

/* 8 rows times one token; x is a tile of one. */
struct rows rows_of_one(const uint8_t *weights, int32_t type, enum dot dot,
                        const struct activation *x, int32_t columns) {
    if (type == F32)
        return rows_float(weights, F32, x->floats, columns);
    if (type == F16 || type == BF16)
        return rows_float(weights, BF16, x->floats, columns);
#define QUANTIZED(d)                                                                               \
    if (dot == d)                                                                                  \
        return type == Q4_0   ? rows_quantized(weights, Q4_0, d, x, columns)                       \
               : type == Q4_1 ? rows_quantized(weights, Q4_1, d, x, columns)                       \
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
