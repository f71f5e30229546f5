/* Rope, the KV cache, and grouped attention, causal or of all tokens of a step.
 *
 * Positions are seen in splits of 128. Each split gives (greatest score, sum of weights, weighted
 * sum of values); splits are merged in order, by the same arithmetic whether one unit of work
 * sees all of them (batches) or each is a unit of its own (one token), so both give the same
 * bits. Keys and values are bfloat16, two to a 32-bit lane: the even one is read by a shift, the
 * odd one as it is; the packer accounts for what then hangs below it. */
#include "kernels.h"
#include "numbers.h"

#define MASKED -1e30f

/* keys of one kv head: u16 (position / 8, head_size, 8), neighbours in position share a lane */
static uint16_t *keys_of(const struct attend *step, int32_t kv_head) {
    size_t bytes = (size_t)step->capacity * (size_t)step->head_size * 2;
    return (uint16_t *)((uint8_t *)at(step->keys) + (size_t)kv_head * bytes);
}

/* values of one kv head: u16 (position / 128, head_size / 8, 128, 8), neighbours in dimension
 * share */
static uint16_t *values_of(const struct attend *step, int32_t kv_head) {
    size_t bytes = (size_t)step->capacity * (size_t)step->head_size * 2;
    return (uint16_t *)((uint8_t *)at(step->values) + (size_t)kv_head * bytes);
}

static const float *angles_of(const struct attend *step, int32_t token) {
    return (const float *)at(step->angles) + (size_t)token * (size_t)step->pairs * 2;
}

/* from, to: f32 (head_size), may be the same. Turns pairs by the angles of the token, times
 * scale. */
static void rope(const struct attend *step, const float *angles, const float *from, float scale,
                 float *to) {
    int32_t pairs = step->pairs, apart = step->halves ? pairs : 1, stride = step->halves ? 1 : 2;
    for (int32_t pair = 0; pair < pairs; pair++) {
        int32_t a = pair * stride, b = a + apart;
        float x = from[a], y = from[b], cosine = angles[2 * pair], sine = angles[2 * pair + 1];
        to[a] = (x * cosine - y * sine) * scale;
        to[b] = (x * sine + y * cosine) * scale;
    }
    for (int32_t i = 2 * pairs; i < step->head_size; i++)
        to[i] = from[i] * scale;
}

/* The norm of q or of k of one token: a weight for each head's values, or the same for all heads;
 * scale 0 when each head is divided by its own size. No weight: no norm. */
struct head_norm {
    const float *weight;
    float scale;
};

/* values: f32 (heads, head_size) before any of them is changed */
static struct head_norm norm_of(const struct attend *step, int32_t weight, const float *values,
                                int32_t heads) {
    if (!weight || !step->of_all_heads)
        return (struct head_norm){weight ? at(weight) : NULL, 0.0f};
    float scale = inverse_size(values, float_of(step->epsilon), heads * step->head_size);
    return (struct head_norm){at(weight), scale};
}

/* Norm and rope of head `head`, times scale. from, to: f32 (head_size), may be the same. */
static void turn_head(const struct attend *step, struct head_norm norm, int32_t head,
                      const float *angles, const float *from, float scale, float *to) {
    if (norm.weight) {
        const float *weight = norm.weight + (step->of_all_heads ? head * step->head_size : 0);
        float size = step->of_all_heads
                         ? norm.scale
                         : inverse_size(from, float_of(step->epsilon), step->head_size);
        for (int32_t i = 0; i < step->head_size; i++)
            to[i] = from[i] * size * weight[i];
        from = to;
    }
    rope(step, angles, from, scale, to);
}

/* key: f32 (head_size), roped. Must be called in the order of positions within a pair. */
static void store_key(const struct attend *step, int32_t kv_head, int32_t position,
                      const float *key) {
    uint16_t *to = keys_of(step, kv_head) + (size_t)(position / 8) * (size_t)step->head_size * 8;
    for (int32_t i = 0, lane = position % 8; i < step->head_size; i++, to += 8)
        to[lane] = lane % 2 ? bfloat16_above(key[i], to[lane - 1]) : bfloat16_of(key[i]);
}

static void store_value(const struct attend *step, int32_t kv_head, int32_t position,
                        const float *value) {
    uint16_t *to = values_of(step, kv_head) +
                   (size_t)(position / SPLIT) * (size_t)step->head_size * SPLIT +
                   position % SPLIT * 8;
    for (int32_t i = 0; i < step->head_size; i += 2) {
        uint16_t *pair = to + i / 8 * 8 * SPLIT + i % 8;
        pair[0] = bfloat16_of(value[i]);
        pair[1] = bfloat16_above(value[i + 1], pair[0]);
    }
}

static float *token_of(const struct attend *step, int32_t token) {
    int32_t width = (step->heads + 2 * step->kv_heads) * step->head_size;
    return (float *)at(step->input) + (size_t)token * (size_t)width;
}

/* Ropes and stores key and value of one kv head of one token. */
static void store_token(const struct program *program, const struct attend *step, int32_t kv_head,
                        int32_t token, int32_t thread) {
    const float *keys = token_of(step, token) + step->heads * step->head_size;
    const float *from = keys + kv_head * step->head_size;
    const float *value = from + step->kv_heads * step->head_size;
    float *key = own(program, program->own_queries, thread);
    turn_head(step, norm_of(step, step->k_norm, keys, step->kv_heads), kv_head,
              angles_of(step, token), from, 1.0f, key);
    store_key(step, kv_head, program->position + token, key);
    store_value(step, kv_head, program->position + token, value);
}

/* Up to TILE query rows that look at the same keys: each sees positions low .. high - 1. */
struct queries {
    const float *query[TILE]; /* f32 (head_size), roped and scaled */
    int32_t low[TILE], high[TILE];
};

/* What one row got from one split, or from all splits so far. */
struct seen {
    float greatest, weight;
    float *sum; /* f32 (head_size) */
};

/* Scores of 8 positions for `rows` rows: (row, 8) in the order of positions. */
INLINE void score_8(const uint16_t *keys, const struct queries *queries, int32_t rows,
                    int32_t head_size, v128 scores[TILE][2]) {
    v128 even[TILE], odd[TILE];
    for (int32_t row = 0; row < rows; row++)
        even[row] = odd[row] = v128_zero();
    for (int32_t i = 0; i < head_size; i++) {
        v128 both = v128_load(keys + 8 * i), shifted = i32x4_shl(both, 16);
        for (int32_t row = 0; row < rows; row++) {
            v128 q = v128_load32_splat(queries->query[row] + i);
            even[row] = f32x4_add(even[row], f32x4_mul(q, shifted));
            odd[row] = f32x4_add(odd[row], f32x4_mul(q, both));
        }
    }
    for (int32_t row = 0; row < rows; row++) {
        scores[row][0] = i32x4_zip_low(even[row], odd[row]);
        scores[row][1] = i32x4_zip_high(even[row], odd[row]);
    }
}

/* MASKED where a position (first, first + 1, ...) is not in low .. high - 1. */
INLINE v128 mask_scores(v128 scores, int32_t first, int32_t low, int32_t high) {
    int32_t positions[4] = {first, first + 1, first + 2, first + 3};
    v128 here = v128_load(positions);
    scores = v128_select(f32x4_splat(MASKED), scores, i32x4_lt(here, i32x4_splat(low)));
    return v128_select(scores, f32x4_splat(MASKED), i32x4_lt(here, i32x4_splat(high)));
}

/* Scores of positions begin .. end - 1 (begin a multiple of 8 within the split) into
 * scores: f32 (TILE, SPLIT) at the position's place; lanes beyond are masked. */
INLINE void score_split(const struct attend *step, const uint16_t *keys,
                        const struct queries *queries, int32_t rows, int32_t begin, int32_t end,
                        float *scores) {
    for (int32_t first = begin; first < end; first += 8) {
        v128 eight[TILE][2];
        score_8(keys + (size_t)first * (size_t)step->head_size, queries, rows, step->head_size,
                eight);
        for (int32_t row = 0; row < rows; row++) {
            float *to = scores + row * SPLIT + first % SPLIT;
            bool whole = first >= queries->low[row] && first + 8 <= queries->high[row];
            for (int32_t half = 0; half < 2; half++) {
                v128 four = eight[row][half];
                if (!whole)
                    four = mask_scores(four, first + 4 * half, queries->low[row],
                                       queries->high[row]);
                v128_store(to + 4 * half, four);
            }
        }
    }
}

/* scores: f32 at places begin .. end - 1 (multiples of 8) -> weights e^(score - greatest) in
 * place. */
INLINE void weigh(float *scores, int32_t begin, int32_t end, struct seen *seen) {
    v128 greatest = f32x4_splat(MASKED), weight = v128_zero();
    for (int32_t i = begin; i < end; i += 4)
        greatest = f32x4_greater(v128_load(scores + i), greatest);
    seen->greatest = f32x4_greatest(greatest);
    greatest = f32x4_splat(seen->greatest);
    for (int32_t i = begin; i < end; i += 4) {
        v128 weights = f32x4_exponential(f32x4_sub(v128_load(scores + i), greatest));
        weight = f32x4_add(weight, weights);
        v128_store(scores + i, weights);
    }
    seen->weight = f32x4_sum(weight);
}

/* sums (row, head_size) = weights (row, position) x values, for places begin .. end - 1 of a
 * split. */
INLINE void sum_values(const uint16_t *values, const float *weights, int32_t rows, int32_t begin,
                       int32_t end, int32_t head_size, struct seen *seen) {
    for (int32_t plane = 0; plane < head_size / 8; plane++) {
        const uint16_t *from = values + (size_t)plane * 8 * SPLIT;
        v128 even[TILE], odd[TILE];
        for (int32_t row = 0; row < rows; row++)
            even[row] = odd[row] = v128_zero();
        for (int32_t i = begin; i < end; i++) {
            v128 both = v128_load(from + 8 * i), shifted = i32x4_shl(both, 16);
            for (int32_t row = 0; row < rows; row++) {
                v128 weight = v128_load32_splat(weights + row * SPLIT + i);
                even[row] = f32x4_add(even[row], f32x4_mul(weight, shifted));
                odd[row] = f32x4_add(odd[row], f32x4_mul(weight, both));
            }
        }
        for (int32_t row = 0; row < rows; row++) {
            v128_store(seen[row].sum + 8 * plane, i32x4_zip_low(even[row], odd[row]));
            v128_store(seen[row].sum + 8 * plane + 4, i32x4_zip_high(even[row], odd[row]));
        }
    }
}

/* One split for `rows` rows (a constant where this is used). */
INLINE void attend_rows(const struct attend *step, int32_t kv_head, int32_t split, int32_t rows,
                        const struct queries *queries, float *scores, struct seen *seen) {
    int32_t low = split * SPLIT, high = low + SPLIT, first = high, last = low;
    for (int32_t row = 0; row < rows; row++) {
        first = smaller(first, queries->low[row]);
        last = larger(last, queries->high[row]);
    }
    first = larger(first, low), last = smaller(last, high);
    int32_t begin = first / 8 * 8, padded = (last + 7) / 8 * 8;
    score_split(step, keys_of(step, kv_head), queries, rows, begin, padded, scores);
    for (int32_t row = 0; row < rows; row++)
        weigh(scores + row * SPLIT, begin - low, padded - low, &seen[row]);
    const uint16_t *values = values_of(step, kv_head) + (size_t)low * (size_t)step->head_size;
    sum_values(values, scores, rows, first - low, last - low, step->head_size, seen);
}

static void attend_split(const struct attend *step, int32_t kv_head, int32_t split, int32_t rows,
                         const struct queries *queries, float *scores, struct seen *seen) {
    switch (rows) {
    case 1: attend_rows(step, kv_head, split, 1, queries, scores, seen); break;
    case 2: attend_rows(step, kv_head, split, 2, queries, scores, seen); break;
    case 3: attend_rows(step, kv_head, split, 3, queries, scores, seen); break;
    default: attend_rows(step, kv_head, split, 4, queries, scores, seen);
    }
}

/* so_far = so_far merged with one split more. */
static void merge(struct seen *so_far, const struct seen *split, int32_t head_size) {
    float greatest = greater(so_far->greatest, split->greatest);
    v128 old = f32x4_exponential(f32x4_splat(so_far->greatest - greatest));
    v128 new = f32x4_exponential(f32x4_splat(split->greatest - greatest));
    for (int32_t i = 0; i < head_size; i += 4) {
        v128 sum = f32x4_mul(v128_load(so_far->sum + i), old);
        v128_store(so_far->sum + i, f32x4_add(sum, f32x4_mul(v128_load(split->sum + i), new)));
    }
    so_far->weight = so_far->weight * f32x4_lane0(old) + split->weight * f32x4_lane0(new);
    so_far->greatest = greatest;
}

static void clear_seen(struct seen *seen, int32_t head_size) {
    seen->greatest = MASKED;
    seen->weight = 0.0f;
    for (int32_t i = 0; i < head_size; i++)
        seen->sum[i] = 0.0f;
}

/* output: f32 (head_size) = sum / weight */
static void divide(const struct seen *seen, int32_t head_size, float *output) {
    v128 weight = f32x4_splat(seen->weight);
    for (int32_t i = 0; i < head_size; i += 4)
        v128_store(output + i, f32x4_div(v128_load(seen->sum + i), weight));
}

/* The first position that a token at `position` sees; window 0 is no window. */
static int32_t first_seen(int32_t window, int32_t position) {
    return window ? larger(0, position + 1 - window) : 0;
}

/* Where one head's result of one split lies: f32 (head_size + 4). */
static float *partial_of(int32_t partials, int32_t heads, int32_t head_size, int32_t split,
                         int32_t head) {
    size_t place = (size_t)split * (size_t)heads + (size_t)head;
    return (float *)at(partials) + place * (size_t)(head_size + 4);
}

/* ---- one token: a unit of work is a kv head and a split; the next operation merges ---- */

static void attend_unit(const struct program *program, const struct attend *step, int32_t kv_head,
                        int32_t split, int32_t thread) {
    int32_t group = step->heads / step->kv_heads, size = step->head_size,
            position = program->position;
    if (split == position / SPLIT)
        store_token(program, step, kv_head, 0, thread);
    struct head_norm norm = norm_of(step, step->q_norm, token_of(step, 0), step->heads);
    float *roped = own(program, program->own_queries, thread);
    for (int32_t first = 0; first < group; first += TILE) {
        int32_t rows = smaller(TILE, group - first);
        struct queries queries;
        struct seen seen[TILE];
        for (int32_t row = 0; row < rows; row++) {
            int32_t head = kv_head * group + first + row;
            turn_head(step, norm, head, angles_of(step, 0), token_of(step, 0) + head * size,
                      float_of(step->scale), roped + row * size);
            queries.query[row] = roped + row * size;
            queries.low[row] = first_seen(step->window, position);
            queries.high[row] = position + 1;
            seen[row].sum = partial_of(step->partials, step->heads, size, split, head);
        }
        attend_split(step, kv_head, split, rows, &queries,
                     own(program, program->own_scores, thread), seen);
        for (int32_t row = 0; row < rows; row++) {
            seen[row].sum[size] = seen[row].greatest;
            seen[row].sum[size + 1] = seen[row].weight;
        }
    }
}

static int32_t splits_of(int32_t position) { return position / SPLIT + 1; }

static void attend_one(const struct program *program, const struct attend *step, int32_t thread,
                       int32_t threads) {
    int32_t begin = first_seen(step->window, program->position) / SPLIT;
    int32_t splits = splits_of(program->position) - begin, units = step->kv_heads * splits;
    int32_t end = units * (thread + 1) / threads;
    for (int32_t unit = units * thread / threads; unit < end; unit++)
        attend_unit(program, step, unit / splits, begin + unit % splits, thread);
}

/* output: f32 (heads, head_size). Every thread that needs the attention of a single token merges it
 * for itself. Splits before the window were not computed. */
void merge_partials(const struct program *program, const struct project *step, float *output) {
    int32_t size = step->head_size, begin = first_seen(step->window, program->position) / SPLIT;
    for (int32_t head = 0; head < step->heads; head++, output += size) {
        struct seen so_far = {.sum = output};
        clear_seen(&so_far, size);
        for (int32_t split = begin; split < splits_of(program->position); split++) {
            float *from = partial_of(step->partials, step->heads, size, split, head);
            struct seen partial = {from[size], from[size + 1], from};
            merge(&so_far, &partial, size);
        }
        divide(&so_far, size, output);
    }
}

/* ---- batches: a unit of work is a kv head and 4 tokens ---- */

/* Positions in groups of 8, which share words of the cache: whoever draws a group ropes and stores
 * its tokens. */
static void store_tokens(const struct program *program, const struct attend *step,
                         int32_t thread) {
    int32_t first_group = program->position / 8, end = program->position + program->count, group;
    while ((group = first_group + draw_tile(control_of(program))) * 8 < end) {
        int32_t last = smaller(end, group * 8 + 8);
        for (int32_t position = larger(program->position, group * 8); position < last; position++) {
            int32_t token = position - program->position;
            float *queries = token_of(step, token);
            struct head_norm norm = norm_of(step, step->q_norm, queries, step->heads);
            for (int32_t head = 0; head < step->heads; head++, queries += step->head_size)
                turn_head(step, norm, head, angles_of(step, token), queries, float_of(step->scale),
                          queries);
            for (int32_t kv_head = 0; kv_head < step->kv_heads; kv_head++)
                store_token(program, step, kv_head, token, thread);
        }
    }
}

/* The heads of one kv head for tokens first .. first + rows - 1, all splits in order. */
static void attend_tokens(const struct program *program, const struct attend *step, int32_t kv_head,
                          int32_t first, int32_t rows, int32_t thread) {
    int32_t group = step->heads / step->kv_heads, size = step->head_size;
    float *outputs = own(program, program->own_outputs, thread);
    struct queries queries;
    for (int32_t row = 0; row < rows; row++) {
        int32_t position = program->position + first + row;
        queries.high[row] = step->all ? program->position + program->count : position + 1;
        queries.low[row] = first_seen(step->window, position);
    }
    for (int32_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
        struct seen so_far[TILE], split[TILE];
        for (int32_t row = 0; row < rows; row++) {
            queries.query[row] = token_of(step, first + row) + head * size;
            so_far[row].sum = outputs + row * size;
            split[row].sum = outputs + (TILE + row) * size;
            clear_seen(&so_far[row], size);
        }
        for (int32_t number = queries.low[0] / SPLIT;
             number < splits_of(queries.high[rows - 1] - 1); number++) {
            attend_split(step, kv_head, number, rows, &queries,
                         own(program, program->own_scores, thread), split);
            for (int32_t row = 0; row < rows; row++)
                merge(&so_far[row], &split[row], size);
        }
        for (int32_t row = 0; row < rows; row++) {
            size_t place = (size_t)(first + row) * (size_t)step->heads + (size_t)head;
            divide(&so_far[row], size, (float *)at(step->output) + place * (size_t)size);
        }
    }
}

/* Rope, KV store and attention of this step's tokens. At one token the result is left in parts for
 * the next operation. Ends before the barrier. */
void attend(const struct program *program, const struct attend *step, int32_t thread,
            int32_t threads) {
    if (program->count == 1) {
        attend_one(program, step, thread, threads);
        return;
    }
    store_tokens(program, step, thread);
    meet(control_of(program), threads);
    int32_t tiles = (program->count + TILE - 1) / TILE;
    for (int32_t unit; (unit = draw_tile(control_of(program))) < tiles * step->kv_heads;) {
        int32_t first = (tiles - 1 - unit / step->kv_heads) * TILE;
        attend_tokens(program, step, unit % step->kv_heads, first,
                      smaller(TILE, program->count - first), thread);
    }
}
