/* Unpacks packed blocks: 8 rows for matmul.c, one row for the embedding. */
#include "dots.h"

/* to: 256 bytes (octet, word, row, 4) */
INLINE void unpack_to_bytes(const uint8_t *block, int32_t type, const struct constants *constants,
                            uint8_t *to) {
    UNROLL
    for (uint32_t octet = 0; octet < 4; octet++, to += 64) {
        struct octet bytes = unpack_octet(block, type, octet, constants);
        v128_store(to, bytes.first.low), v128_store(to + 16, bytes.first.high);
        v128_store(to + 32, bytes.second.low), v128_store(to + 48, bytes.second.high);
    }
}

static void store_pairs(uint8_t *to, struct rows words) {
    v128 mask = i32x4_splat(0x00ff00ff);
    v128_store(to, v128_and(words.low, mask)), v128_store(to + 16, v128_and(words.high, mask));
    v128_store(to + 64, u16x8_shr(words.low, 8)), v128_store(to + 80, u16x8_shr(words.high, 8));
}

/* to: 512 bytes (pair of columns, row, 2) i16 */
INLINE void unpack_to_pairs(const uint8_t *block, int32_t type, const struct constants *constants,
                            uint8_t *to) {
    UNROLL
    for (uint32_t octet = 0; octet < 4; octet++, to += 128) {
        struct octet bytes = unpack_octet(block, type, octet, constants);
        store_pairs(to, bytes.first);
        store_pairs(to + 32, bytes.second);
    }
}

static void store_mended(float *to, struct rows small) {
    v128_store(to, f32x4_mul(small.low, f32x4_splat(TWO_TO_112)));
    v128_store(to + 4, f32x4_mul(small.high, f32x4_splat(TWO_TO_112)));
}

/* One part or two: 8 scales each, 8 minima each. */
INLINE void unpack_scales(const uint8_t *block, int32_t type, const struct constants *constants,
                          float *scales, float *minima) {
    struct scales small = scales_of(block, type, constants);
    for (int32_t part = 0; part < parts_of(type); part++) {
        store_mended(scales + part * ROWS, small.scales[part]);
        if (has_minima(type))
            store_mended(minima + part * ROWS, small.minima[part]);
    }
}

INLINE void unpack_blocks(const uint8_t *weights, int32_t type, bool is_signed, bool pairs,
                          int32_t blocks, uint8_t *quants, float *scales, float *minima) {
    struct constants constants = constants_of(type, is_signed);
    int32_t block_bytes = packed_block_bytes(type), more = parts_of(type) * ROWS;
    for (int32_t block = 0; block < blocks; block++, weights += block_bytes) {
        if (pairs)
            unpack_to_pairs(weights, type, &constants, quants + block * 512);
        else
            unpack_to_bytes(weights, type, &constants, quants + block * 256);
        unpack_scales(weights, type, &constants, scales + block * more, minima + block * more);
    }
}

/* Unpacks 8 rows for rows_of_tile. quants: 8 x columns x 2 bytes; scales: f32 (2, columns / 16,
 * 8). */
struct panel unpack_panel(const uint8_t *weights, int32_t type, enum dot dot, int32_t columns,
                          uint8_t *quants, float *scales) {
    if (is_float(type))
        return (struct panel){weights, NULL, NULL};
    bool pairs = activation_form(type, dot) == AS_PAIRS, is_signed = dot == DOT_SIGNED;
    int32_t blocks = columns / BLOCK;
    float *minima = scales + blocks * 2 * ROWS;
    switch (packed_as(type)) {
#define CASE(t)                                                                                    \
    case t: unpack_blocks(weights, t, is_signed, pairs, blocks, quants, scales, minima); break;
        CASE(Q4_0)
        CASE(Q4_1)
        CASE(Q5_0)
        CASE(Q5_1)
        CASE(Q8_0)
        CASE(Q2_K)
        CASE(Q3_K)
        CASE(Q6_K)
        CASE(IQ4_NL)
        CASE(MXFP4)
#undef CASE
    default: __builtin_unreachable();
    }
    return (struct panel){quants, scales, minima};
}

static float float_of_row(const uint8_t *block, int32_t type, int32_t lane, int32_t column) {
    if (type == F32)
        return ((const float *)block)[column * ROWS + lane];
    uint32_t pair = ((const uint32_t *)block)[column / 2 * ROWS + lane];
    return float_of((int32_t)(column % 2 ? pair & 0xffff0000u : pair << 16));
}

/* 32 values of one row of a quantized block. */
static void unpack_lane(const uint8_t *block, int32_t type, int32_t lane, float *output) {
    uint8_t bytes[ROWS * BLOCK];
    float scales[2 * ROWS], minima[2 * ROWS] = {0};
    struct constants constants = constants_of(type, false);
    unpack_to_bytes(block, type, &constants, bytes);
    unpack_scales(block, type, &constants, scales, minima);
    for (int32_t column = 0; column < BLOCK; column++) {
        int32_t word = column / 8 * 2 + (column >> 1 & 1);
        int32_t byte = (column & 1) * 2 + (column >> 2 & 1);
        int32_t part = parts_of(type) == 2 ? column / 16 : 0;
        int32_t value = bytes[word * 32 + lane * 4 + byte] - offset_of(type, false);
        output[column] = (float)value * scales[part * ROWS + lane];
        if (has_minima(type))
            output[column] += minima[part * ROWS + lane];
    }
}

/* Row `row` of a packed matrix as f32 (columns). */
void unpack_row(const uint8_t *matrix, int32_t type, int32_t columns, int32_t row, float *output) {
    size_t blocks = (size_t)(columns / BLOCK), block_bytes = (size_t)packed_block_bytes(type);
    const uint8_t *from = matrix + (size_t)(row / ROWS) * blocks * block_bytes;
    int32_t kept = packed_as(type), lane = row % ROWS;
    for (; columns > 0; columns -= BLOCK, from += block_bytes, output += BLOCK) {
        if (is_float(type))
            for (int32_t column = 0; column < BLOCK; column++)
                output[column] = float_of_row(from, kept, lane, column);
        else
            unpack_lane(from, kept, lane, output);
    }
}
