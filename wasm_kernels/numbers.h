/* Numbers in other clothes: half precision, bfloat16, and the exponential. Same bits everywhere. */
#ifndef ONGLET_NUMBERS_H
#define ONGLET_NUMBERS_H

#include "program.h"
#include "vector.h"

#define TWO_TO_56 72057594037927936.0f
#define TWO_TO_112 5192296858534827628530496329220096.0f

/* Exact. Infinities and NaN come out as large finite numbers: a file with such scales is broken but
 * harmless. */
INLINE float float_of_half(uint16_t half) {
    uint32_t bits = ((uint32_t)half & 0x7fff) << 13 | ((uint32_t)half & 0x8000) << 16;
    return float_of((int32_t)bits) * TWO_TO_112;
}

/* The nearest half-precision number, ties to even; 65504 for what is greater. */
INLINE uint16_t half_of_float(float value) {
    uint32_t bits = (uint32_t)bits_of(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude < 0x38800000) { /* 2^-14: below, steps of 2^-24 */
        float steps = float_of((int32_t)magnitude) * 16777216.0f;
        return (uint16_t)(sign | (uint16_t)nearest_double((double)steps));
    }
    uint32_t half = ((magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13) - (112 << 10);
    return (uint16_t)(sign | (half < 0x7bff ? half : 0x7bff));
}

/* The nearest bfloat16, ties to even. */
INLINE uint16_t bfloat16_of(float value) {
    uint32_t bits = (uint32_t)bits_of(value);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The upper half of a 32-bit lane that will be read whole, its lower half being `low`: chosen so
 * that the whole is the nearest to `value` that such a lane can hold. */
INLINE uint16_t bfloat16_above(float value, uint16_t low) {
    uint32_t bits = (uint32_t)bits_of(value), magnitude = (bits & 0x7fffffff) + 0x8000;
    uint32_t upper = magnitude < low ? 0 : (magnitude - low) >> 16;
    return (uint16_t)((bits >> 16 & 0x8000) | upper);
}

/* e^x within 2 units in the last place; 0 below -87, e^88 above 88. Cephes' polynomial. */
INLINE v128 f32x4_exponential(v128 x) {
    v128 vanishes = f32x4_lt(x, f32x4_splat(-87.0f));
    x = f32x4_greater(f32x4_splat(-87.0f), x);
    x = v128_select(f32x4_splat(88.0f), x, f32x4_lt(f32x4_splat(88.0f), x));
    v128 n = f32x4_nearest(f32x4_mul(x, f32x4_splat(1.44269504f)));
    v128 r = f32x4_sub(x, f32x4_mul(n, f32x4_splat(0.693359375f)));
    r = f32x4_add(r, f32x4_mul(n, f32x4_splat(2.12194440e-4f)));
    v128 p = f32x4_splat(1.98756915e-4f);
    p = f32x4_add(f32x4_mul(p, r), f32x4_splat(1.39819995e-3f));
    p = f32x4_add(f32x4_mul(p, r), f32x4_splat(8.33345191e-3f));
    p = f32x4_add(f32x4_mul(p, r), f32x4_splat(4.16657959e-2f));
    p = f32x4_add(f32x4_mul(p, r), f32x4_splat(1.66666655e-1f));
    p = f32x4_add(f32x4_mul(p, r), f32x4_splat(5.00000012e-1f));
    p = f32x4_add(f32x4_add(f32x4_mul(f32x4_mul(p, r), r), r), f32x4_splat(1.0f));
    v128 power = i32x4_shl(i32x4_add(i32x4_from_f32x4(n), i32x4_splat(127)), 23);
    return v128_select(v128_zero(), f32x4_mul(p, power), vanishes);
}

/* The error function within 4e-7: a quotient of polynomials, x held within -4..4. Source of the
 * coefficients: XLA, ErfImpl32. */
INLINE v128 f32x4_error_function(v128 x) {
    x = f32x4_greater(f32x4_splat(-4.0f), x);
    x = v128_select(f32x4_splat(4.0f), x, f32x4_lt(f32x4_splat(4.0f), x));
    v128 z = f32x4_mul(x, x), p = f32x4_splat(-2.72614225801306e-10f);
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(2.77068142495902e-08f));
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(-2.10102402082508e-06f));
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(-5.69250639462346e-05f));
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(-7.34990630326855e-04f));
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(-2.95459980854025e-03f));
    p = f32x4_add(f32x4_mul(p, z), f32x4_splat(-1.60960333262415e-02f));
    v128 q = f32x4_splat(-1.45660718464996e-05f);
    q = f32x4_add(f32x4_mul(q, z), f32x4_splat(-2.13374055278905e-04f));
    q = f32x4_add(f32x4_mul(q, z), f32x4_splat(-1.68282697438203e-03f));
    q = f32x4_add(f32x4_mul(q, z), f32x4_splat(-7.37332916720468e-03f));
    q = f32x4_add(f32x4_mul(q, z), f32x4_splat(-1.42647390514189e-02f));
    return f32x4_div(f32x4_mul(x, p), q);
}

INLINE float exponential(float x) { return f32x4_lane0(f32x4_exponential(f32x4_splat(x))); }

#endif
