/* Matrices times one or two tokens, 8 rows at a time, straight from the packed blocks.
 *
 * Each row is summed in one order, block after block, here and in matmul.c, whatever the number of
 * tokens, threads or the kind of machine: one token alone and the same token in a batch give the
 * same bits. Quantized types: exact integers within a block of 32 columns (16 where a scale serves
 * no more), then sum += (float)integer * (scale of the weights * scale of the activations). Blocks
 * of activations with outliers come a second time, for what the first rounding left over. F32 and
 * bfloat16: even and odd columns are summed apart and added at the end. */
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

int32_t activation_form(int32_t type, enum dot dot) {
    if (is_float(type))
        return AS_FLOATS;
    return way_of(packed_as(type), dot) == PAIRS ? AS_PAIRS : AS_BYTES;
}

/* sums += one part of a block x its columns of a slot of each token */
INLINE void dot_part(struct rows sums[], const void *block, int32_t type, enum way way,
                     const v128 *x, int32_t part, int32_t width,
                     const struct constants *constants) {
    uint32_t octets = (uint32_t)(4 / parts_of(type)), first = (uint32_t)part * octets;
    v128 constant = hidden(way == PAIRS ? 0x00ff00ff : 0x00010001);
    struct rows narrow[2], *into = way == NARROW ? narrow : sums;
    for (int32_t token = 0; token < width; token++)
        narrow[token] = no_rows();
    UNROLL
    for (uint32_t octet = first; octet < first + octets; octet++) {
        struct octet weights = unpack_octet(block, type, octet, constants);
        dot_octet(into, way, &weights, x, octet, (uint32_t)width, constant);
    }
    for (int32_t token = 0; token < width && way == NARROW; token++)
        widen(&sums[token], narrow[token], constant);
}

/* Sums of 8 rows on their way: products with the scales, and with the minima. */
struct totals {
    struct rows products, minima;
};

/* totals + one block x one slot. The scales are read 2^-112 too small; half of that is mended in
 * the activation's scale, half at the end, so that neither a great activation nor a small product
 * leaves the range of f32. */
INLINE void add_block(struct totals totals[], const void *block, int32_t type, enum way way,
                      bool is_signed, const struct activation *x, int32_t slot, int32_t width,
                      const struct constants *constants) {
    struct scales scales = scales_of(block, type, constants);
    const v128 *words = words_of_slot(x, way, slot, width);
    UNROLL
    for (int32_t part = 0; part < parts_of(type); part++) {
        struct rows sums[2];
        start_sums(sums, x, offset_of(type, is_signed), parts_of(type), slot, part, width);
        dot_part(sums, block, type, way, words, part, width, constants);
        for (int32_t token = 0; token < width; token++) {
            int32_t place = slot * width + token;
            v128 scale = f32x4_splat(x->scales[place] * TWO_TO_56);
            totals[token].products = add_scaled(totals[token].products, sums[token],
                                                scales.scales[part], scale);
            if (!has_minima(type))
                continue;
            v128 weighted = weighted_sum(x, place, parts_of(type), part);
            weighted = f32x4_mul(weighted, f32x4_splat(TWO_TO_56));
            totals[token].minima = multiply_add(totals[token].minima, scales.minima[part].low,
                                                scales.minima[part].high, weighted);
        }
    }
}

INLINE struct rows mended(struct rows total) {
    v128 mend = f32x4_splat(TWO_TO_56);
    return (struct rows){f32x4_mul(total.low, mend), f32x4_mul(total.high, mend)};
}

/* 8 rows of a quantized matrix times a tile of tokens. type, way and width are constants where this
 * is used. */
INLINE void rows_quantized(const uint8_t *weights, int32_t type, enum way way, bool is_signed,
                           const struct activation *x, int32_t width, int32_t columns,
                           struct rows total[]) {
    struct totals totals[2];
    for (int32_t token = 0; token < width; token++)
        totals[token] = (struct totals){no_rows(), no_rows()};
    struct constants constants = constants_of(type, is_signed);
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++) {
        size_t block = (size_t)block_of_slot(x, slot, blocks);
        add_block(totals, weights + block * (size_t)packed_block_bytes(type), type, way, is_signed,
                  x, slot, width, &constants);
    }
    for (int32_t token = 0; token < width; token++) {
        total[token] = mended(totals[token].products);
        if (has_minima(type))
            total[token] = add_sums(total[token], mended(totals[token].minima));
    }
}

INLINE void rows_float(const uint8_t *weights, int32_t type, const float *x, int32_t width,
                       int32_t columns, struct rows total[]) {
    for (int32_t token = 0; token < width; token++) {
        struct rows even = no_rows(), odd = no_rows();
        for (int32_t pair = 0; pair < columns / 2; pair++) {
            struct two_columns w = load_columns(weights, type, pair);
            const float *here = x + 2 * pair * width + token;
            even = multiply_add(even, w.even_low, w.even_high, v128_load32_splat(here));
            odd = multiply_add(odd, w.odd_low, w.odd_high, v128_load32_splat(here + width));
        }
        total[token] = add_sums(even, odd);
    }
}

#ifdef __wasm__
/* Every type and way as a function of its own, in which both are constants. A list for each way. */
#define NARROW_TYPES(each) each(Q4_0, NARROW) each(Q4_1, NARROW) each(Q2_K, NARROW) each(Q3_K, NARROW)
#define WIDE_TYPES(each) each(Q5_0, WIDE) each(Q5_1, WIDE) each(Q6_K, WIDE) each(MXFP4, WIDE)
#define ALL_TYPES(each, way)                                                                       \
    each(Q4_0, way) each(Q4_1, way) each(Q2_K, way) each(Q3_K, way) each(Q5_0, way)                \
        each(Q5_1, way) each(Q6_K, way) each(MXFP4, way) each(Q8_0, way) each(IQ4_NL, way)
#if HAS_BYTE_DOT
#define EVERY(each)                                                                                \
    NARROW_TYPES(each) WIDE_TYPES(each) ALL_TYPES(each, BYTES) ALL_TYPES(each, PAIRS)
#else
#define EVERY(each) ALL_TYPES(each, PAIRS)
#endif

#define DEFINE(type, way)                                                                          \
    __attribute__((noinline)) static void few_##type##_##way(                                      \
        const uint8_t *weights, bool is_signed, const struct activation *x, int32_t width,         \
        int32_t columns, struct rows total[]) {                                                    \
        if (width == 1)                                                                            \
            rows_quantized(weights, type, way, is_signed, x, 1, columns, total);                   \
        else                                                                                       \
            rows_quantized(weights, type, way, is_signed, x, 2, columns, total);                   \
    }
EVERY(DEFINE)

static void choose(const uint8_t *weights, int32_t type, enum way way, bool is_signed,
                   const struct activation *x, int32_t width, int32_t columns,
                   struct rows total[]) {
#define CHOOSE(t, w)                                                                               \
    if (type == t && way == w) {                                                                   \
        few_##t##_##w(weights, is_signed, x, width, columns, total);                               \
        return;                                                                                    \
    }
    EVERY(CHOOSE)
    __builtin_unreachable();
}
#else
#define choose rows_quantized
#endif

/* total (token) = 8 rows x a tile of `width` tokens: 1 or 2 */
void rows_of_few(const uint8_t *weights, int32_t type, enum dot dot, const struct activation *x,
                 int32_t width, int32_t columns, struct rows total[]) {
    type = packed_as(type);
    if (type == F32)
        rows_float(weights, F32, x->floats, width, columns, total);
    else if (type == BF16)
        rows_float(weights, BF16, x->floats, width, columns, total);
    else
        choose(weights, type, way_of(type, dot), dot == DOT_SIGNED, x, width, columns, total);
}
