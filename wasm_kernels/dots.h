/* What matvec.c and matmul.c share: packed blocks, and the ways of multiplying 8 rows with a word
 * of activations. Knows nothing of operations. */
#ifndef ONGLET_DOTS_H
#define ONGLET_DOTS_H

#include "kernels.h"
#include "numbers.h"

/* Something of 8 rows: of rows 0..3 and of rows 4..7. */
struct rows {
    v128 low, high;
};

INLINE struct rows add_sums(struct rows a, struct rows b) {
    return (struct rows){f32x4_add(a.low, b.low), f32x4_add(a.high, b.high)};
}

/* What the packed value of a weight is above the true one, as it is multiplied. */
INLINE int32_t offset_of(int32_t type, enum dot dot) {
    return type == Q4_0 ? 8 : type == Q8_0 && dot != DOT_SIGNED ? 128 : 0;
}

/* Packed blocks as structs: a member's offset becomes part of the load instruction, a sum of a
 * pointer and a number does not. */
struct nibble_block {
    struct rows octets[4]; /* 8 columns each */
    v128 scales, minima;
};

struct byte_block {
    struct rows groups[8]; /* 4 columns each */
    v128 scales;
};

/* Eight half-precision scales times 2^-112. */
INLINE struct rows small_scales(v128 halves, v128 half_bits) {
    return (struct rows){v128_and(i32x4_shl(i32x4_low_i16x8(halves), 13), half_bits),
                         v128_and(i32x4_shl(i32x4_high_i16x8(halves), 13), half_bits)};
}

#if HAS_BYTE_DOT
/* sums += rows x 4 columns, in i32 lanes */
INLINE void dot_add(struct rows *sums, v128 low, v128 high, v128 four) {
    sums->low = i8x16_dot_add(four, low, sums->low);
    sums->high = i8x16_dot_add(four, high, sums->high);
}

/* The same in i16 lanes, for x64 before VNNI: eight such sums of nibbles fit (8 x 2 x 15 x 127 =
 * 30480). */
INLINE void dot_pairs(struct rows *sums, v128 low, v128 high, v128 four) {
    sums->low = i16x8_add(sums->low, i8x16_dot_pairs(four, low));
    sums->high = i16x8_add(sums->high, i8x16_dot_pairs(four, high));
}
#endif

/* sums += rows x 2 columns, in 16-bit products */
INLINE void dot_two(struct rows *sums, v128 low, v128 high, v128 two) {
    sums->low = i32x4_add(sums->low, i16x8_dot(low, two));
    sums->high = i32x4_add(sums->high, i16x8_dot(high, two));
}

/* The block that a slot of activations belongs to. */
INLINE int32_t block_of_slot(const struct activation *x, int32_t slot, int32_t blocks) {
    return slot < blocks ? slot : x->extras[1 + slot - blocks];
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
    v128 low = v128_load(weights + (size_t)pair * 32),
         high = v128_load(weights + (size_t)pair * 32 + 16);
    v128 upper = i32x4_splat((int32_t)0xffff0000u);
    return (struct two_columns){i32x4_shl(low, 16), i32x4_shl(high, 16), v128_and(low, upper),
                                v128_and(high, upper)};
}

/* 8 rows unpacked: quants as bytes (column / 4, 8, 4) or i16 pairs (column / 2, 8, 2), and f32
 * scales and minima (block, 8). For F32 and bfloat16 `quants` is the packed matrix itself. */
struct panel {
    const uint8_t *quants;
    const float *scales, *minima;
};

/* matvec.c: which form of activations (kernels.h) a matrix of this type wants on this kind of
 * machine */
int32_t activation_form(int32_t type, enum dot dot);
struct rows rows_of_one(const uint8_t *weights, int32_t type, enum dot dot,
                        const struct activation *x, int32_t columns);

/* matmul.c */
struct panel unpack_panel(const uint8_t *weights, int32_t type, enum dot dot, int32_t columns,
                          uint8_t *quants, float *scales);
void rows_of_tile(const struct panel *panel, int32_t type, enum dot dot, const struct activation *x,
                  int32_t columns, struct rows total[TILE]);

#endif
