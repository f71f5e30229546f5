/* Matrices times tiles of 4 tokens of activations, 8 rows at a time: the rows are unpacked once
 * into the first cache, then meet every tile. The order of every sum is that of matvec.c. */
#include "dots.h"

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

struct panel unpack_panel(const uint8_t *weights, int32_t type, enum dot dot, int32_t columns,
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

/* Keeps two sums in their registers, so that clang does not order the sums of a tile for its own
 * taste and spill them: the store of a spilled sum lies on the critical path. */
INLINE void pin(struct rows *sums) {
#ifdef __wasm__
    __asm__("" : "+r"(sums->low), "+r"(sums->high));
#else
    (void)sums;
#endif
}

/* sums (token) += rows x a word of columns of each of 4 tokens, by dot_add, dot_pairs or dot_two */
#define FOUR_TOKENS(add, sums, low, high, words)                                                   \
    add(&(sums)[0], low, high, i32x4_lane0_splat(words)), pin(&(sums)[0]);                         \
    add(&(sums)[1], low, high, i32x4_lane1_splat(words)), pin(&(sums)[1]);                         \
    add(&(sums)[2], low, high, i32x4_lane2_splat(words)), pin(&(sums)[2]);                         \
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
                even[token] = multiply_add(even[token], w.even_low, w.even_high,
                                           v128_load32_splat(here + token));
                odd[token] = multiply_add(odd[token], w.odd_low, w.odd_high,
                                          v128_load32_splat(here + TILE + token));
            }
        }
        total[first] = add_sums(even[0], odd[0]);
        total[first + 1] = add_sums(even[1], odd[1]);
    }
}

void rows_of_tile(const struct panel *panel, int32_t type, enum dot dot, const struct activation *x,
                  int32_t columns, struct rows total[TILE]) {
    if (type == F32) {
        tile_float(panel->quants, F32, x->floats, columns, total);
        return;
    }
    if (type == F16 || type == BF16) {
        tile_float(panel->quants, BF16, x->floats, columns, total);
        return;
    }
#define QUANTIZED(t, d)                                                                            \
    if (type == t && dot == d) {                                                                   \
        tile_quantized(panel, t, d, x, columns, total);                                            \
        return;                                                                                    \
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
