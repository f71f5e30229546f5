/* The 128-bit vector operations the kernels use, under one set of names: WASM intrinsics in the two
 * WASM builds, GCC/clang vector extensions in the native builds (tests under sanitizers).
 * Every operation gives the same bits everywhere; that is why there is no fused multiply-add.
 * Knows nothing of models, layouts or threads. */
#ifndef ONGLET_VECTOR_H
#define ONGLET_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Natively, where sanitizers watch every access, inlining by force makes compiling slow. */
#ifdef __wasm__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Before a loop: its counter becomes a constant. */
#ifdef __wasm__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

/* How i32x4.relaxed_dot_i8x16_i7x16_add reads its second operand on this machine when a byte is
 * above 127. NONE: the build has no relaxed dot. SATURATING: pmaddubsw (x64 before VNNI). */
enum dot { DOT_NONE, DOT_SIGNED, DOT_UNSIGNED, DOT_SATURATING };

#ifdef __wasm__

#include <wasm_simd128.h>

typedef v128_t v128;

INLINE v128 v128_load(const void *from) { return wasm_v128_load(from); }
INLINE void v128_store(void *to, v128 a) { wasm_v128_store(to, a); }
INLINE v128 v128_load32_splat(const void *from) { return wasm_v128_load32_splat(from); }
INLINE v128 v128_zero(void) { return wasm_i32x4_const_splat(0); }
INLINE v128 v128_and(v128 a, v128 b) { return wasm_v128_and(a, b); }
INLINE v128 v128_or(v128 a, v128 b) { return wasm_v128_or(a, b); }
INLINE v128 v128_xor(v128 a, v128 b) { return wasm_v128_xor(a, b); }
/* a where the mask is all ones, b where it is zero */
INLINE v128 v128_select(v128 a, v128 b, v128 mask) { return wasm_v128_bitselect(a, b, mask); }
INLINE v128 i32x4_splat(int32_t a) { return wasm_i32x4_splat(a); }
INLINE v128 i32x4_make(int32_t a, int32_t b, int32_t c, int32_t d) {
    return wasm_i32x4_make(a, b, c, d);
}
INLINE v128 i32x4_add(v128 a, v128 b) { return wasm_i32x4_add(a, b); }
INLINE v128 i32x4_shl(v128 a, uint32_t count) { return wasm_i32x4_shl(a, count); }
INLINE v128 i32x4_shr(v128 a, uint32_t count) { return wasm_i32x4_shr(a, count); }
INLINE v128 i32x4_lt(v128 a, v128 b) { return wasm_i32x4_lt(a, b); }
INLINE v128 i16x8_add(v128 a, v128 b) { return wasm_i16x8_add(a, b); }
INLINE v128 u16x8_shr(v128 a, uint32_t count) { return wasm_u16x8_shr(a, count); }
/* i32 lane j = a[2j] * b[2j] + a[2j + 1] * b[2j + 1] over the i16 lanes */
INLINE v128 i16x8_dot(v128 a, v128 b) { return wasm_i32x4_dot_i16x8(a, b); }
/* i32 lanes of a, then of b, as i16; then i16 lanes as i8: both saturate */
INLINE v128 i16x8_narrow(v128 a, v128 b) { return wasm_i16x8_narrow_i32x4(a, b); }
INLINE v128 i8x16_narrow(v128 a, v128 b) { return wasm_i8x16_narrow_i16x8(a, b); }
INLINE void v128_store_word0(void *to, v128 a) { wasm_v128_store32_lane(to, a, 0); }
INLINE void v128_store_word1(void *to, v128 a) { wasm_v128_store32_lane(to, a, 1); }
INLINE void v128_store_word2(void *to, v128 a) { wasm_v128_store32_lane(to, a, 2); }
INLINE void v128_store_word3(void *to, v128 a) { wasm_v128_store32_lane(to, a, 3); }
INLINE v128 i32x4_low_i16x8(v128 a) { return wasm_i32x4_extend_low_i16x8(a); }
INLINE v128 i32x4_high_i16x8(v128 a) { return wasm_i32x4_extend_high_i16x8(a); }
INLINE v128 f32x4_splat(float a) { return wasm_f32x4_splat(a); }
INLINE v128 f32x4_add(v128 a, v128 b) { return wasm_f32x4_add(a, b); }
INLINE v128 f32x4_sub(v128 a, v128 b) { return wasm_f32x4_sub(a, b); }
INLINE v128 f32x4_mul(v128 a, v128 b) { return wasm_f32x4_mul(a, b); }
INLINE v128 f32x4_div(v128 a, v128 b) { return wasm_f32x4_div(a, b); }
INLINE v128 f32x4_abs(v128 a) { return wasm_f32x4_abs(a); }
/* a > b ? a : b in each lane (one instruction on x64, unlike f32x4.max) */
INLINE v128 f32x4_greater(v128 a, v128 b) { return wasm_f32x4_pmax(b, a); }
INLINE v128 f32x4_lt(v128 a, v128 b) { return wasm_f32x4_lt(a, b); }
INLINE v128 f32x4_nearest(v128 a) { return wasm_f32x4_nearest(a); }
INLINE v128 f32x4_from_i32x4(v128 a) { return wasm_f32x4_convert_i32x4(a); }
INLINE v128 i32x4_from_f32x4(v128 a) { return wasm_i32x4_trunc_sat_f32x4(a); }
INLINE float f32x4_lane0(v128 a) { return wasm_f32x4_extract_lane(a, 0); }
INLINE float f32x4_lane1(v128 a) { return wasm_f32x4_extract_lane(a, 1); }
INLINE float f32x4_lane2(v128 a) { return wasm_f32x4_extract_lane(a, 2); }
INLINE float f32x4_lane3(v128 a) { return wasm_f32x4_extract_lane(a, 3); }
/* a0 b0 a1 b1, and a2 b2 a3 b3 */
INLINE v128 i32x4_zip_low(v128 a, v128 b) { return wasm_i32x4_shuffle(a, b, 0, 4, 1, 5); }
INLINE v128 i32x4_zip_high(v128 a, v128 b) { return wasm_i32x4_shuffle(a, b, 2, 6, 3, 7); }
INLINE v128 i32x4_lane0_splat(v128 a) { return wasm_i32x4_shuffle(a, a, 0, 0, 0, 0); }
INLINE v128 i32x4_lane1_splat(v128 a) { return wasm_i32x4_shuffle(a, a, 1, 1, 1, 1); }
INLINE v128 i32x4_lane2_splat(v128 a) { return wasm_i32x4_shuffle(a, a, 2, 2, 2, 2); }
INLINE v128 i32x4_lane3_splat(v128 a) { return wasm_i32x4_shuffle(a, a, 3, 3, 3, 3); }
INLINE float square_root(float a) { return __builtin_sqrtf(a); }
INLINE double nearest_double(double a) { return __builtin_rint(a); }

#ifdef __wasm_relaxed_simd__
#define HAS_BYTE_DOT 1
/* byte j = table[indices[j]]: indices in 0..15 */
INLINE v128 i8x16_swizzle(v128 table, v128 indices) {
    return wasm_i8x16_relaxed_swizzle(table, indices);
}
/* i32 lane j = c[j] + the sum of a[4j + i] * b[4j + i]: a signed bytes, b bytes in 0..127 */
INLINE v128 i8x16_dot_add(v128 a, v128 b, v128 c) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, c);
}
/* i16 lane j = a[2j] * b[2j] + a[2j + 1] * b[2j + 1]: a signed bytes, b bytes in 0..127 */
INLINE v128 i8x16_dot_pairs(v128 a, v128 b) { return wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b); }
#else
#define HAS_BYTE_DOT 0
INLINE v128 i8x16_swizzle(v128 table, v128 indices) { return wasm_i8x16_swizzle(table, indices); }
#endif

#else /* native */

typedef int32_t v128 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef v128 v128_anywhere __attribute__((aligned(1), may_alias));

INLINE v128 v128_load(const void *from) { return *(const v128_anywhere *)from; }
INLINE void v128_store(void *to, v128 a) { *(v128_anywhere *)to = a; }
INLINE v128 i32x4_splat(int32_t a) { return (v128){a, a, a, a}; }
INLINE v128 i32x4_make(int32_t a, int32_t b, int32_t c, int32_t d) { return (v128){a, b, c, d}; }
INLINE v128 v128_load32_splat(const void *from) {
    int32_t a;
    __builtin_memcpy(&a, from, sizeof a);
    return i32x4_splat(a);
}
INLINE v128 v128_zero(void) { return i32x4_splat(0); }
INLINE v128 v128_and(v128 a, v128 b) { return a & b; }
INLINE v128 v128_or(v128 a, v128 b) { return a | b; }
INLINE v128 v128_xor(v128 a, v128 b) { return a ^ b; }
INLINE v128 v128_select(v128 a, v128 b, v128 mask) { return (a & mask) | (b & ~mask); }
INLINE v128 i32x4_add(v128 a, v128 b) { return (v128)((u32x4)a + (u32x4)b); }
INLINE v128 i32x4_shl(v128 a, uint32_t count) { return (v128)((u32x4)a << count); }
INLINE v128 i32x4_shr(v128 a, uint32_t count) { return a >> (int32_t)count; }
INLINE v128 i32x4_lt(v128 a, v128 b) { return a < b; }
INLINE v128 i16x8_add(v128 a, v128 b) { return (v128)((u16x8)a + (u16x8)b); }
INLINE v128 u16x8_shr(v128 a, uint32_t count) { return (v128)((u16x8)a >> (uint16_t)count); }
INLINE v128 i16x8_dot(v128 a, v128 b) {
    i16x8 x = (i16x8)a, y = (i16x8)b;
    v128 sums;
    for (int j = 0; j < 4; j++) {
        int64_t sum = (int64_t)x[2 * j] * y[2 * j] + (int64_t)x[2 * j + 1] * y[2 * j + 1];
        sums[j] = (int32_t)sum;
    }
    return sums;
}
INLINE int16_t saturated(int32_t a) {
    return a > INT16_MAX ? INT16_MAX : a < INT16_MIN ? INT16_MIN : (int16_t)a;
}
INLINE v128 i16x8_narrow(v128 a, v128 b) {
    i16x8 all;
    for (int j = 0; j < 8; j++)
        all[j] = saturated(j < 4 ? a[j] : b[j - 4]);
    return (v128)all;
}
INLINE v128 i8x16_narrow(v128 a, v128 b) {
    i16x8 x = (i16x8)a, y = (i16x8)b;
    i8x16 all;
    for (int j = 0; j < 16; j++) {
        int16_t value = j < 8 ? x[j] : y[j - 8];
        all[j] = value > INT8_MAX ? INT8_MAX : value < INT8_MIN ? INT8_MIN : (int8_t)value;
    }
    return (v128)all;
}
INLINE v128 i8x16_swizzle(v128 a, v128 b) {
    i8x16 table = (i8x16)a, all = (i8x16)b;
    for (int j = 0; j < 16; j++)
        all[j] = table[all[j] & 15];
    return (v128)all;
}
INLINE void store_word(void *to, int32_t word) { __builtin_memcpy(to, &word, sizeof word); }
INLINE void v128_store_word0(void *to, v128 a) { store_word(to, a[0]); }
INLINE void v128_store_word1(void *to, v128 a) { store_word(to, a[1]); }
INLINE void v128_store_word2(void *to, v128 a) { store_word(to, a[2]); }
INLINE void v128_store_word3(void *to, v128 a) { store_word(to, a[3]); }
INLINE v128 i32x4_low_i16x8(v128 a) {
    i16x8 x = (i16x8)a;
    return (v128){x[0], x[1], x[2], x[3]};
}
INLINE v128 i32x4_high_i16x8(v128 a) {
    i16x8 x = (i16x8)a;
    return (v128){x[4], x[5], x[6], x[7]};
}
INLINE v128 f32x4_splat(float a) { return (v128)(f32x4){a, a, a, a}; }
INLINE v128 f32x4_add(v128 a, v128 b) { return (v128)((f32x4)a + (f32x4)b); }
INLINE v128 f32x4_sub(v128 a, v128 b) { return (v128)((f32x4)a - (f32x4)b); }
INLINE v128 f32x4_mul(v128 a, v128 b) { return (v128)((f32x4)a * (f32x4)b); }
INLINE v128 f32x4_div(v128 a, v128 b) { return (v128)((f32x4)a / (f32x4)b); }
INLINE v128 f32x4_abs(v128 a) { return a & i32x4_splat(0x7fffffff); }
INLINE v128 f32x4_lt(v128 a, v128 b) { return (v128)((f32x4)a < (f32x4)b); }
INLINE v128 f32x4_greater(v128 a, v128 b) { return v128_select(a, b, f32x4_lt(b, a)); }
INLINE v128 f32x4_nearest(v128 a) {
    f32x4 x = (f32x4)a;
    for (int j = 0; j < 4; j++)
        x[j] = __builtin_rintf(x[j]);
    return (v128)x;
}
INLINE v128 f32x4_from_i32x4(v128 a) {
    return (v128)(f32x4){(float)a[0], (float)a[1], (float)a[2], (float)a[3]};
}
INLINE int32_t truncated(float a) {
    return a >= 2147483648.0f   ? INT32_MAX
           : a < -2147483648.0f ? INT32_MIN
           : a == a             ? (int32_t)a
                                : 0;
}
INLINE v128 i32x4_from_f32x4(v128 a) {
    f32x4 x = (f32x4)a;
    return (v128){truncated(x[0]), truncated(x[1]), truncated(x[2]), truncated(x[3])};
}
INLINE float f32x4_lane0(v128 a) { return ((f32x4)a)[0]; }
INLINE float f32x4_lane1(v128 a) { return ((f32x4)a)[1]; }
INLINE float f32x4_lane2(v128 a) { return ((f32x4)a)[2]; }
INLINE float f32x4_lane3(v128 a) { return ((f32x4)a)[3]; }
INLINE v128 i32x4_zip_low(v128 a, v128 b) { return (v128){a[0], b[0], a[1], b[1]}; }
INLINE v128 i32x4_zip_high(v128 a, v128 b) { return (v128){a[2], b[2], a[3], b[3]}; }
INLINE v128 i32x4_lane0_splat(v128 a) { return i32x4_splat(a[0]); }
INLINE v128 i32x4_lane1_splat(v128 a) { return i32x4_splat(a[1]); }
INLINE v128 i32x4_lane2_splat(v128 a) { return i32x4_splat(a[2]); }
INLINE v128 i32x4_lane3_splat(v128 a) { return i32x4_splat(a[3]); }
INLINE float square_root(float a) { return __builtin_sqrtf(a); }
INLINE double nearest_double(double a) { return __builtin_rint(a); }

/* A native run takes on the habits of one kind of machine (native_main.c). */
extern enum dot native_dot;
#define HAS_BYTE_DOT 1

INLINE int32_t second_operand(int8_t byte) {
    return native_dot == DOT_SIGNED ? byte : (uint8_t)byte;
}
INLINE v128 i8x16_dot_pairs(v128 a, v128 b) {
    i8x16 x = (i8x16)a, y = (i8x16)b;
    i16x8 sums;
    for (int j = 0; j < 8; j++) {
        int32_t sum = x[2 * j] * second_operand(y[2 * j]) +
                      x[2 * j + 1] * second_operand(y[2 * j + 1]);
        sums[j] = saturated(sum);
    }
    return (v128)sums;
}
INLINE v128 i8x16_dot_add(v128 a, v128 b, v128 c) {
    i8x16 x = (i8x16)a, y = (i8x16)b;
    if (native_dot == DOT_SATURATING)
        return i32x4_add(c, i16x8_dot(i8x16_dot_pairs(a, b), i32x4_splat(0x10001)));
    for (int j = 0; j < 16; j++)
        c[j / 4] += x[j] * second_operand(y[j]);
    return native_dot == DOT_NONE ? v128_zero() : c;
}

#endif /* native */

/* ((a0 + a1) + (a2 + a3)): the one order of summing lanes */
INLINE float f32x4_sum(v128 a) {
    return (f32x4_lane0(a) + f32x4_lane1(a)) + (f32x4_lane2(a) + f32x4_lane3(a));
}
INLINE float greater(float a, float b) { return a > b ? a : b; }
INLINE float f32x4_greatest(v128 a) {
    return greater(greater(f32x4_lane0(a), f32x4_lane1(a)),
                   greater(f32x4_lane2(a), f32x4_lane3(a)));
}

#endif
