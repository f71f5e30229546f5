/* Matrices times activations, 8 rows at a time, from the packed layouts of repack.c.
 *
 * Each row is summed in one order, block after block, whatever the number of tokens, threads or the
 * kind of machine: one token alone and the same token in a batch give the same bits.
 * 4- and 8-bit types: exact integers within a block of 32, then sum += (float)integer * (d * scale).
 * Blocks of activations with outliers come a second time, for what the first rounding left over.
 * F32 and bfloat16: even and odd columns are summed apart and added at the end. */
#include "kernels.h"
#include "numbers.h"

/* The sums of 8 rows for one token: rows 0..3 and 4..7. */
struct sums {
    v128 low, high;
};

INLINE struct sums add_sums(struct sums a, struct sums b) {
    return (struct sums){f32x4_add(a.low, b.low), f32x4_add(a.high, b.high)};
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

INLINE int32_t scales_at(int32_t type) { return type == Q8_0 ? 256 : 128; }

/* Eight half-precision scales times 2^-112. */
INLINE struct sums small_scales(const uint8_t *from) {
    v128 halves = v128_load(from);
    return (struct sums){f32x4_of_halves_small(i32x4_low_i16x8(halves)),
                         f32x4_of_halves_small(i32x4_high_i16x8(halves))};
}

/* ---- one token: 8 rows x 32 columns -> exact i32 sums, in the four ways ---- */

INLINE v128 low_nibbles(v128 a) { return v128_and(a, i32x4_splat(0x0f0f0f0f)); }
INLINE v128 high_nibbles(v128 a) { return v128_and(u16x8_shr(a, 4), i32x4_splat(0x0f0f0f0f)); }

#if HAS_BYTE_DOT
INLINE struct sums nibbles_dot(const uint8_t *block, const int8_t *x, struct sums sums) {
    for (int32_t octet = 0; octet < 4; octet++, block += 32, x += 8) {
        v128 a = v128_load(block), b = v128_load(block + 16);
        v128 first = v128_load32_splat(x), second = v128_load32_splat(x + 4);
        sums.low = i8x16_dot_add(first, low_nibbles(a), sums.low);
        sums.high = i8x16_dot_add(first, low_nibbles(b), sums.high);
        sums.low = i8x16_dot_add(second, high_nibbles(a), sums.low);
        sums.high = i8x16_dot_add(second, high_nibbles(b), sums.high);
    }
    return sums;
}

/* x64 before VNNI: pairs of products fit an i16 lane eight times over (8 x 2 x 15 x 127 = 30480). */
INLINE struct sums nibbles_pairs(const uint8_t *block, const int8_t *x, struct sums start) {
    v128 low = v128_zero(), high = v128_zero();
    for (int32_t octet = 0; octet < 4; octet++, block += 32, x += 8) {
        v128 a = v128_load(block), b = v128_load(block + 16);
        v128 first = v128_load32_splat(x), second = v128_load32_splat(x + 4);
        low = i16x8_add(low, i8x16_dot_pairs(first, low_nibbles(a)));
        high = i16x8_add(high, i8x16_dot_pairs(first, low_nibbles(b)));
        low = i16x8_add(low, i8x16_dot_pairs(second, high_nibbles(a)));
        high = i16x8_add(high, i8x16_dot_pairs(second, high_nibbles(b)));
    }
    v128 ones = i32x4_splat(0x10001);
    return (struct sums){i32x4_add(start.low, i16x8_dot(low, ones)),
                         i32x4_add(start.high, i16x8_dot(high, ones))};
}

INLINE struct sums bytes_dot(const uint8_t *block, const int8_t *x, struct sums sums, v128 flip) {
    for (int32_t group = 0; group < 8; group++, block += 32, x += 4) {
        v128 four = v128_load32_splat(x);
        sums.low = i8x16_dot_add(four, v128_xor(v128_load(block), flip), sums.low);
        sums.high = i8x16_dot_add(four, v128_xor(v128_load(block + 16), flip), sums.high);
    }
    return sums;
}
#endif

INLINE struct sums nibbles_plain(const uint8_t *block, const int16_t *x, struct sums sums) {
    v128 mask = i32x4_splat(0x000f000f);
    for (int32_t octet = 0; octet < 4; octet++, block += 32, x += 8) {
        v128 a = v128_load(block), b = v128_load(block + 16);
        for (int32_t pair = 0; pair < 4; pair++) {
            v128 two = v128_load32_splat(x + 2 * pair);
            sums.low = i32x4_add(sums.low, i16x8_dot(v128_and(a, mask), two));
            sums.high = i32x4_add(sums.high, i16x8_dot(v128_and(b, mask), two));
            a = u16x8_shr(a, 4), b = u16x8_shr(b, 4);
        }
    }
    return sums;
}

/* A word holds columns 0 4 1 5, the next 2 6 3 7: even bytes are the pairs (0, 1) and (2, 3). */
INLINE struct sums bytes_plain(const uint8_t *block, const int16_t *x, struct sums sums) {
    v128 mask = i32x4_splat(0x00ff00ff);
    for (int32_t group = 0; group < 8; group++, block += 32) {
        const int16_t *pairs = x + group / 2 * 8 + group % 2 * 2;
        v128 a = v128_load(block), b = v128_load(block + 16);
        v128 even = v128_load32_splat(pairs), odd = v128_load32_splat(pairs + 4);
        sums.low = i32x4_add(sums.low, i16x8_dot(v128_and(a, mask), even));
        sums.high = i32x4_add(sums.high, i16x8_dot(v128_and(b, mask), even));
        sums.low = i32x4_add(sums.low, i16x8_dot(u16x8_shr(a, 8), odd));
        sums.high = i32x4_add(sums.high, i16x8_dot(u16x8_shr(b, 8), odd));
    }
    return sums;
}

INLINE struct sums block_dot(const uint8_t *weights, int32_t type, enum dot dot,
                             const struct activation *x, int32_t slot) {
    v128 start = i32x4_splat(-offset_of(type, dot) * x->sums[slot]);
    struct sums sums = {start, start};
#if HAS_BYTE_DOT
    const int8_t *bytes = x->bytes + slot * BLOCK;
    if (type == Q8_0 && dot == DOT_UNSIGNED)
        return bytes_dot(weights, bytes, sums, v128_zero());
    if (type == Q8_0 && dot == DOT_SIGNED)
        return bytes_dot(weights, bytes, sums, i32x4_splat((int32_t)0x80808080u));
    if (type != Q8_0 && dot == DOT_SATURATING)
        return nibbles_pairs(weights, bytes, sums);
    if (type != Q8_0 && dot != DOT_NONE)
        return nibbles_dot(weights, bytes, sums);
#endif
    const int16_t *pairs = x->pairs + slot * BLOCK;
    return type == Q8_0 ? bytes_plain(weights, pairs, sums) : nibbles_plain(weights, pairs, sums);
}

INLINE int32_t quantized_block_bytes(int32_t type) { return type == Q4_1 ? 160 : type == Q4_0 ? 144 : 272; }

/* Sums of 8 rows on their way: products with the scales, and with the minima of Q4_1. */
struct totals {
    struct sums products, minima;
};

/* totals + one block x one slot. The scales are read 2^-112 too small; half of that is mended in the
 * activation's scale, half at the end, so that neither a great activation nor a small product leaves
 * the range of f32. */
INLINE struct totals add_block(struct totals totals, const uint8_t *weights, int32_t type, enum dot dot,
                               const struct activation *x, int32_t slot) {
    struct sums dots = block_dot(weights, type, dot, x, slot);
    struct sums d = small_scales(weights + scales_at(type));
    v128 scale = f32x4_splat(x->scales[slot] * TWO_TO_56);
    v128 low = f32x4_mul(f32x4_from_i32x4(dots.low), f32x4_mul(d.low, scale));
    v128 high = f32x4_mul(f32x4_from_i32x4(dots.high), f32x4_mul(d.high, scale));
    totals.products = add_sums(totals.products, (struct sums){low, high});
    if (type == Q4_1) {
        struct sums m = small_scales(weights + 144);
        v128 sum = f32x4_splat(x->weighted[slot] * TWO_TO_56);
        struct sums more = {f32x4_mul(m.low, sum), f32x4_mul(m.high, sum)};
        totals.minima = add_sums(totals.minima, more);
    }
    return totals;
}

/* 8 rows of a quantized matrix times one token. type and dot are constants where this is used. */
INLINE struct sums rows_quantized(const uint8_t *weights, int32_t type, enum dot dot,
                                  const struct activation *x, int32_t columns) {
    struct sums none = {v128_zero(), v128_zero()};
    struct totals totals = {none, none};
    int32_t blocks = columns / BLOCK, bytes = quantized_block_bytes(type);
    const uint8_t *block = weights;
    for (int32_t slot = 0; slot < blocks; slot++, block += bytes)
        totals = add_block(totals, block, type, dot, x, slot);
    for (int32_t extra = 0; extra < x->extras[0]; extra++) {
        block = weights + (size_t)x->extras[1 + extra] * (size_t)bytes;
        totals = add_block(totals, block, type, dot, x, blocks + extra);
    }
    v128 mend = f32x4_splat(TWO_TO_56);
    struct sums total = {f32x4_mul(totals.products.low, mend), f32x4_mul(totals.products.high, mend)};
    if (type != Q4_1)
        return total;
    struct sums minima = {f32x4_mul(totals.minima.low, mend), f32x4_mul(totals.minima.high, mend)};
    return add_sums(total, minima);
}

INLINE struct sums multiply_add(struct sums sums, v128 low, v128 high, v128 x) {
    return (struct sums){f32x4_add(sums.low, f32x4_mul(low, x)),
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

INLINE struct sums rows_float(const uint8_t *weights, int32_t type, const float *x, int32_t columns) {
    struct sums even = {v128_zero(), v128_zero()}, odd = even;
    for (int32_t pair = 0; pair < columns / 2; pair++) {
        struct two_columns w = load_columns(weights, type, pair);
        even = multiply_add(even, w.even_low, w.even_high, v128_load32_splat(x + 2 * pair));
        odd = multiply_add(odd, w.odd_low, w.odd_high, v128_load32_splat(x + 2 * pair + 1));
    }
    return add_sums(even, odd);
}

/* 8 rows times one token; x is a tile of one. */
static struct sums rows_of_one(const uint8_t *weights, int32_t type, enum dot dot,
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
    struct sums small = small_scales(from);
    v128_store(to, f32x4_mul(small.low, f32x4_splat(TWO_TO_112)));
    v128_store(to + 4, f32x4_mul(small.high, f32x4_splat(TWO_TO_112)));
}

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
        unpack_scales(weights + scales_at(type), scales + block * ROWS);
        if (type == Q4_1)
            unpack_scales(weights + 144, minima + block * ROWS);
    }
    return (struct panel){quants, scales, minima};
}

/* Keeps a value in its register, so that clang does not order the sums of a tile for its own taste
 * and spill them: the store of a spilled sum lies on the critical path. */
#define PIN(value) __asm__("" : "+r"(value))
#ifndef __wasm__
#undef PIN
#define PIN(value) (void)(value)
#endif

/* One block of 32 columns: panel x 4 tokens -> i32 sums (token). */
INLINE void tile_pairs(const uint8_t *w, const int16_t *x, struct sums sums[TILE]) {
    for (int32_t pair = 0; pair < BLOCK / 2; pair++, w += 32, x += 2 * TILE) {
        v128 low = v128_load(w), high = v128_load(w + 16);
        for (int32_t token = 0; token < TILE; token++) {
            v128 two = v128_load32_splat(x + 2 * token);
            sums[token].low = i32x4_add(sums[token].low, i16x8_dot(low, two));
            sums[token].high = i32x4_add(sums[token].high, i16x8_dot(high, two));
            PIN(sums[token].low);
            PIN(sums[token].high);
        }
    }
}

#if HAS_BYTE_DOT
INLINE void tile_dot(const uint8_t *w, const int8_t *x, struct sums sums[TILE]) {
    for (int32_t group = 0; group < BLOCK / 4; group++, w += 32, x += 4 * TILE) {
        v128 low = v128_load(w), high = v128_load(w + 16);
        for (int32_t token = 0; token < TILE; token++) {
            v128 four = v128_load32_splat(x + 4 * token);
            sums[token].low = i8x16_dot_add(four, low, sums[token].low);
            sums[token].high = i8x16_dot_add(four, high, sums[token].high);
            PIN(sums[token].low);
            PIN(sums[token].high);
        }
    }
}

INLINE void tile_saturating(const uint8_t *w, const int8_t *x, struct sums sums[TILE]) {
    struct sums pairs[TILE];
    for (int32_t token = 0; token < TILE; token++)
        pairs[token] = (struct sums){v128_zero(), v128_zero()};
    for (int32_t group = 0; group < BLOCK / 4; group++, w += 32, x += 4 * TILE) {
        v128 low = v128_load(w), high = v128_load(w + 16);
        for (int32_t token = 0; token < TILE; token++) {
            v128 four = v128_load32_splat(x + 4 * token);
            pairs[token].low = i16x8_add(pairs[token].low, i8x16_dot_pairs(four, low));
            pairs[token].high = i16x8_add(pairs[token].high, i8x16_dot_pairs(four, high));
            PIN(pairs[token].low);
            PIN(pairs[token].high);
        }
    }
    v128 ones = i32x4_splat(0x10001);
    for (int32_t token = 0; token < TILE; token++) {
        sums[token].low = i32x4_add(sums[token].low, i16x8_dot(pairs[token].low, ones));
        sums[token].high = i32x4_add(sums[token].high, i16x8_dot(pairs[token].high, ones));
    }
}
#endif

INLINE void tile_block(const struct panel *panel, int32_t block, int32_t type, enum dot dot,
                       const struct activation *x, int32_t slot, struct sums sums[TILE]) {
    for (int32_t token = 0; token < TILE; token++) {
        v128 start = i32x4_splat(-offset_of(type, dot) * x->sums[slot * TILE + token]);
        sums[token] = (struct sums){start, start};
    }
#if HAS_BYTE_DOT
    const int8_t *bytes = x->bytes + slot * BLOCK * TILE;
    if (dot == DOT_SIGNED || dot == DOT_UNSIGNED) {
        tile_dot(panel->quants + block * 256, bytes, sums);
        return;
    }
    if (dot == DOT_SATURATING && type != Q8_0) {
        tile_saturating(panel->quants + block * 256, bytes, sums);
        return;
    }
#endif
    tile_pairs(panel->quants + block * 512, x->pairs + slot * BLOCK * TILE, sums);
}

/* total (token) += 8 rows x the number at place of each token */
INLINE void add_scaled(struct sums total[TILE], const float *rows, const float *place) {
    v128 low = v128_load(rows), high = v128_load(rows + 4);
    for (int32_t token = 0; token < TILE; token++) {
        v128 number = v128_load32_splat(place + token);
        total[token].low = f32x4_add(total[token].low, f32x4_mul(low, number));
        total[token].high = f32x4_add(total[token].high, f32x4_mul(high, number));
    }
}

/* A block of a panel times a slot of a tile of activations, added to the totals. */
INLINE void add_tile_block(const struct panel *panel, int32_t block, int32_t type, enum dot dot,
                           const struct activation *x, int32_t slot, struct sums total[TILE],
                           struct sums minima[TILE]) {
    struct sums dots[TILE];
    tile_block(panel, block, type, dot, x, slot, dots);
    const float *scales = panel->scales + block * ROWS;
    v128 low = v128_load(scales), high = v128_load(scales + 4);
    for (int32_t token = 0; token < TILE; token++) {
        v128 scale = v128_load32_splat(x->scales + slot * TILE + token);
        v128 a = f32x4_mul(f32x4_from_i32x4(dots[token].low), f32x4_mul(low, scale));
        v128 b = f32x4_mul(f32x4_from_i32x4(dots[token].high), f32x4_mul(high, scale));
        total[token] = add_sums(total[token], (struct sums){a, b});
    }
    if (type == Q4_1)
        add_scaled(minima, panel->minima + block * ROWS, x->weighted + slot * TILE);
}

/* A panel times a tile of quantized activations. type and dot are constants where this is used. */
INLINE void tile_quantized(const struct panel *panel, int32_t type, enum dot dot,
                           const struct activation *x, int32_t columns, struct sums total[TILE]) {
    struct sums minima[TILE];
    for (int32_t token = 0; token < TILE; token++)
        total[token] = minima[token] = (struct sums){v128_zero(), v128_zero()};
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++) {
        int32_t block = slot < blocks ? slot : x->extras[1 + slot - blocks];
        add_tile_block(panel, block, type, dot, x, slot, total, minima);
    }
    if (type == Q4_1)
        for (int32_t token = 0; token < TILE; token++)
            total[token] = add_sums(total[token], minima[token]);
}

INLINE void tile_float(const uint8_t *weights, int32_t type, const float *x, int32_t columns,
                       struct sums total[TILE]) {
    for (int32_t first = 0; first < TILE; first += 2) {
        struct sums even[2], odd[2];
        even[0] = even[1] = odd[0] = odd[1] = (struct sums){v128_zero(), v128_zero()};
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
                         const struct activation *x, int32_t columns, struct sums total[TILE]) {
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
static void finish(const struct project *step, int32_t block, int32_t row, struct sums sums) {
    if (step->biases) {
        const float *biases = (const float *)at(step->biases) + block * ROWS;
        sums = add_sums(sums, (struct sums){v128_load(biases), v128_load(biases + 4)});
    }
    size_t place = (size_t)row * (size_t)step->width;
    if (step->gated) {
        v128_store((float *)at(step->output) + place + (size_t)block * 4, silu_gated(sums.low, sums.high));
        return;
    }
    v128 scale = f32x4_splat(float_of(step->scale));
    sums = (struct sums){f32x4_mul(sums.low, scale), f32x4_mul(sums.high, scale)};
    place += (size_t)block * ROWS;
    if (step->residual) {
        const float *residual = (const float *)at(step->residual) + place;
        sums = add_sums(sums, (struct sums){v128_load(residual), v128_load(residual + 4)});
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
            struct sums sums[TILE];
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
