/* Matrices times tiles of 4 tokens of activations, 8 rows at a time: the rows are unpacked once
 * into the first cache, then meet every tile. The order of every sum is that of matvec.c.
 *
 *                      a panel: 8 rows, unpacked          a tile: 4 tokens
 *                      block 0 | block 1 | ...            slot 0 | slot 1 | ... | extra slots
 *
 *   a block  8 words of 8 rows x 4 columns (16 of 2 for PAIRS)       |
 *   a slot   8 words of 4 tokens x 4 columns (16 of 2 for PAIRS)     v
 *
 *   for each slot:   8 vectors of integer sums (4 tokens x rows 0..3, 4..7) stay in registers
 *     for each word:   2 vectors of weights meet 4 words of activations, each in all lanes
 *     then the sums become floats, times scale of the row x scale of the token, and are added up */
#include "dots.h"

INLINE struct rows load_rows(const struct rows *words, uint32_t word) {
    return (struct rows){v128_load(&words[word].low), v128_load(&words[word].high)};
}

/* sums (token) += words first .. first + count of a block x those of a slot of the tile */
INLINE void tile_words(struct rows sums[TILE], enum way way, const struct rows *weights,
                       const v128 *x, uint32_t first, uint32_t count) {
    for (uint32_t word = first; word < first + count; word++)
        dot_word(sums, way, load_rows(weights, word), x, word, TILE);
}

INLINE void tile_narrow(struct rows sums[TILE], const struct rows *weights, const v128 *x,
                        uint32_t first, uint32_t count) {
    struct rows narrow[TILE] = {no_rows(), no_rows(), no_rows(), no_rows()};
    tile_words(narrow, NARROW, weights, x, first, count);
    for (int32_t token = 0; token < TILE; token++)
        widen(&sums[token], narrow[token], i32x4_splat(0x10001));
}

#if HAS_BYTE_DOT
/* Octet `octet` of an unpacked block. */
INLINE struct octet load_octet(const struct rows *words, uint32_t octet) {
    const struct rows *two = &words[2 * octet];
    return (struct octet){{v128_load(&two[0].low), v128_load(&two[0].high)},
                          {v128_load(&two[1].low), v128_load(&two[1].high)}};
}

INLINE void tile_wide(struct rows sums[TILE], const struct rows *weights, const v128 *x,
                      uint32_t first, uint32_t count) {
    for (uint32_t word = first; word < first + count; word += 2) {
        struct octet octet = load_octet(weights, word / 2);
        dot_wide(sums, &octet, x, word, TILE, hidden(0x10001));
    }
}
#endif

/* One part of a block of a panel times a slot of a tile, added to the totals. */
INLINE void add_part(const struct panel *panel, int32_t block, enum way way, int32_t offset,
                     int32_t parts, int32_t part, const struct activation *x, int32_t slot,
                     struct rows total[TILE]) {
    struct rows sums[TILE];
    start_sums(sums, x, offset, parts, slot, part, TILE);
    const struct rows *weights = (const void *)(panel->quants + block * (way == PAIRS ? 512 : 256));
    const v128 *words = words_of_slot(x, way, slot, TILE);
    uint32_t count = (way == PAIRS ? 16u : 8u) / (uint32_t)parts, first = (uint32_t)part * count;
    if (way == NARROW)
        tile_narrow(sums, weights, words, first, count);
#if HAS_BYTE_DOT
    else if (way == WIDE)
        tile_wide(sums, weights, words, first, count);
#endif
    else
        tile_words(sums, way, weights, words, first, count);
    const float *scales = panel->scales + (block * parts + part) * ROWS;
    struct rows scale = {v128_load(scales), v128_load(scales + 4)};
    for (int32_t token = 0; token < TILE; token++)
        total[token] = add_scaled(total[token], sums[token], scale,
                                  v128_load32_splat(x->scales + slot * TILE + token));
}

/* total += minima of the panel x (scale * sum) of the activations. A pass of its own: its sums stay
 * in registers, which those of the products need. parts: a constant where this is used. */
INLINE void add_minima(const struct panel *panel, const struct activation *x, int32_t parts,
                       int32_t columns, struct rows total[TILE]) {
    struct rows minima[TILE] = {no_rows(), no_rows(), no_rows(), no_rows()};
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++)
        for (int32_t part = 0; part < parts; part++) {
            int32_t block = block_of_slot(x, slot, blocks);
            const float *rows = panel->minima + (block * parts + part) * ROWS;
            v128 low = v128_load(rows), high = v128_load(rows + 4);
            for (int32_t token = 0; token < TILE; token++)
                minima[token] = multiply_add(minima[token], low, high,
                                             weighted_sum(x, slot * TILE + token, parts, part));
        }
    for (int32_t token = 0; token < TILE; token++)
        total[token] = add_sums(total[token], minima[token]);
}

/* A panel times a tile of quantized activations. way and parts, and an offset of 0, are constants
 * where this is used. */
INLINE void tile_quantized(const struct panel *panel, enum way way, int32_t offset, int32_t parts,
                           const struct activation *x, int32_t columns, struct rows total[TILE]) {
    for (int32_t token = 0; token < TILE; token++)
        total[token] = no_rows();
    int32_t blocks = columns / BLOCK, slots = blocks + x->extras[0];
    for (int32_t slot = 0; slot < slots; slot++)
        for (int32_t part = 0; part < parts; part++)
            add_part(panel, block_of_slot(x, slot, blocks), way, offset, parts, part, x, slot,
                     total);
}

INLINE void tile_float(const uint8_t *weights, int32_t type, const float *x, int32_t columns,
                       struct rows total[TILE]) {
    for (int32_t first = 0; first < TILE; first += 2) {
        struct rows even[2] = {no_rows(), no_rows()}, odd[2] = {no_rows(), no_rows()};
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

/* total (token) = 8 unpacked rows x a tile of 4 tokens */
void rows_of_tile(const struct panel *panel, int32_t type, enum dot dot, const struct activation *x,
                  int32_t columns, struct rows total[TILE]) {
    type = packed_as(type);
    if (type == F32) {
        tile_float(panel->quants, F32, x->floats, columns, total);
        return;
    }
    if (type == BF16) {
        tile_float(panel->quants, BF16, x->floats, columns, total);
        return;
    }
    enum way way = way_of(type, dot);
    int32_t offset = offset_of(type, dot == DOT_SIGNED);
#define UNPACKED(w, parts)                                                                         \
    if (way == w && parts_of(type) == parts && offset == 0)                                        \
        tile_quantized(panel, w, 0, parts, x, columns, total);                                     \
    else if (way == w && parts_of(type) == parts)                                                  \
        tile_quantized(panel, w, offset, parts, x, columns, total);
#if HAS_BYTE_DOT
    UNPACKED(BYTES, 1)
    UNPACKED(BYTES, 2)
    UNPACKED(NARROW, 1)
    UNPACKED(NARROW, 2)
    UNPACKED(WIDE, 1)
    UNPACKED(WIDE, 2)
#endif
    UNPACKED(PAIRS, 1)
    UNPACKED(PAIRS, 2)
#undef UNPACKED
    if (has_minima(type) && parts_of(type) == 1)
        add_minima(panel, x, 1, columns, total);
    else if (has_minima(type))
        add_minima(panel, x, 2, columns, total);
}
