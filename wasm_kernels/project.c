/* The project operation: prepares activations, shares rows among threads, finishes results.
 * Knows nothing of packed layouts or of how a dot is done. */
#include "dots.h"

/* Up to so many tokens a step is bound by the reading of weights more than by multiplying. */
enum { FEW = 8 };

/* gate / (1 + e^-gate) * up */
INLINE v128 silu_gated(v128 gate, v128 up) {
    v128 grown = f32x4_exponential(f32x4_sub(v128_zero(), gate));
    return f32x4_mul(f32x4_div(gate, f32x4_add(f32x4_splat(1.0f), grown)), up);
}

/* gate / (1 + e^(-2 sqrt(2 / pi) (gate + 0.044715 gate^3))) * up: gelu by its tanh */
INLINE v128 gelu_gated(v128 gate, v128 up) {
    v128 inner = f32x4_mul(f32x4_mul(gate, gate), f32x4_splat(-0.0713548163f));
    inner = f32x4_mul(gate, f32x4_sub(inner, f32x4_splat(1.59576912f)));
    v128 grown = f32x4_exponential(inner);
    return f32x4_mul(f32x4_div(gate, f32x4_add(f32x4_splat(1.0f), grown)), up);
}

/* x / 2 * (1 + the error function of x / sqrt(2)) */
INLINE v128 gelu(v128 x) {
    v128 share = f32x4_error_function(f32x4_mul(x, f32x4_splat(0.707106781f)));
    return f32x4_mul(f32x4_mul(x, f32x4_splat(0.5f)), f32x4_add(share, f32x4_splat(1.0f)));
}

/* Bias, activation, scale, residual, store: 8 rows (4 when gated) of one token of the output. */
static void finish(const struct project *step, int32_t block, int32_t row, struct rows sums) {
    if (step->biases) {
        const float *biases = (const float *)at(step->biases) + block * ROWS;
        sums = add_sums(sums, (struct rows){v128_load(biases), v128_load(biases + 4)});
    }
    size_t place = (size_t)row * (size_t)step->width;
    v128 scale = f32x4_splat(float_of(step->scale));
    if (step->activation == GELU) {
        sums = (struct rows){gelu(sums.low), gelu(sums.high)};
    } else if (step->activation != LINEAR) {
        place += (size_t)block * 4;
        v128 gated = step->activation == SILU_GATED ? silu_gated(sums.low, sums.high)
                                                    : gelu_gated(sums.low, sums.high);
        gated = f32x4_mul(gated, scale);
        if (step->residual)
            gated = f32x4_add(gated, v128_load((const float *)at(step->residual) + place));
        v128_store((float *)at(step->output) + place, gated);
        return;
    }
    sums = (struct rows){f32x4_mul(sums.low, scale), f32x4_mul(sums.high, scale)};
    place += (size_t)block * ROWS;
    if (step->residual) {
        const float *residual = (const float *)at(step->residual) + place;
        sums = add_sums(sums, (struct rows){v128_load(residual), v128_load(residual + 4)});
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
                               (int16_t *)((uint8_t *)at(places->sums) + more) + 2 * slots,
                               (float *)((uint8_t *)at(places->weighted) + more) + slots,
                               (int32_t *)((uint8_t *)at(places->extras) + more) + extras};
}

/* One token of the input after its norm, f32 (columns); in `values` if it had to be made. */
static const float *prepared(const struct program *program, const struct project *step,
                             int32_t token, float *values) {
    const float *input = (const float *)at(step->input) + (size_t)token * (size_t)step->columns;
    if (step->partials && program->count == 1) {
        merge_partials(program, step, values);
        input = values;
    }
    if (!step->norm.weight)
        return input;
    normalize(input, &step->norm, step->columns, values);
    return values;
}

/* A thread's piece of the rows times one tile of one or two tokens. The piece is contiguous: the
 * weights come in one stream. */
static void project_piece(const struct project *step, const struct activation *x, int32_t width,
                          int32_t thread, int32_t threads, enum dot dot) {
    int32_t blocks = blocks_of(step), end = blocks * (thread + 1) / threads;
    for (int32_t block = blocks * thread / threads; block < end; block++) {
        int32_t type;
        const uint8_t *weights = block_of(step, block, &type);
        struct rows sums[2];
        rows_of_few(weights, type, dot, x, width, step->columns, sums);
        for (int32_t token = 0; token < width; token++)
            finish(step, block, token, sums[token]);
    }
}

/* One token: every thread prepares the input for itself. */
static void project_one(const struct program *program, const struct project *step, int32_t token,
                        int32_t thread, int32_t threads, enum dot dot) {
    size_t more = (size_t)thread * (size_t)program->own_stride;
    struct activation x = activation_at(&program->own, step->columns, 1, 0, more);
    const float *values = prepared(program, step, token, own(program, program->own_values, thread));
    quantize(&values, step->columns, forms_of(step, dot), 1, &x);
    project_piece(step, &x, 1, thread, threads, dot);
}

/* Tokens first .. first + count, in tiles of `width`, whoever draws a tile quantizes it. A tile
 * that the tokens do not fill repeats the last of them. */
static void quantize_tiles(const struct program *program, const struct project *step, int32_t first,
                           int32_t count, int32_t width, int32_t thread, enum dot dot) {
    int32_t forms = forms_of(step, dot);
    float *room = own(program, program->own_values, thread);
    for (int32_t tile; (tile = draw_tile(control_of(program))) * width < count;) {
        struct activation x = activation_at(&program->shared, step->columns, width, tile, 0);
        const float *values[TILE];
        for (int32_t lane = 0; lane < width; lane++) {
            int32_t token = first + smaller(tile * width + lane, count - 1);
            values[lane] = prepared(program, step, token, room + lane * step->columns);
        }
        quantize(values, step->columns, forms, width, &x);
    }
}

/* One block of 8 rows: unpacked, then multiplied with all tiles. */
static void project_block(const struct program *program, const struct project *step, int32_t block,
                          int32_t count, int32_t thread, enum dot dot) {
    uint8_t *quants = own(program, program->own_panel, thread);
    float *scales = own(program, program->own_panel_scales, thread);
    int32_t type;
    const uint8_t *weights = block_of(step, block, &type);
    struct panel panel = unpack_panel(weights, type, dot, step->columns, quants, scales);
    for (int32_t tile = 0; tile * TILE < count; tile++) {
        struct activation x = activation_at(&program->shared, step->columns, TILE, tile, 0);
        struct rows sums[TILE];
        rows_of_tile(&panel, type, dot, &x, step->columns, sums);
        for (int32_t lane = 0; lane < TILE && tile * TILE + lane < count; lane++)
            finish(step, block, tile * TILE + lane, sums[lane]);
    }
}

/* Few tokens wait for the weights: a contiguous piece for each thread. Many do not: whoever is free
 * draws the next block. */
static void project_tiles(const struct program *program, const struct project *step, int32_t count,
                          int32_t thread, int32_t threads, enum dot dot) {
    int32_t blocks = blocks_of(step), block, end = blocks * (thread + 1) / threads;
    if (count <= FEW)
        for (block = blocks * thread / threads; block < end; block++)
            project_block(program, step, block, count, thread, dot);
    else
        while ((block = draw_tile(control_of(program))) < blocks)
            project_block(program, step, block, count, thread, dot);
}

/* output (token, rows) = activation(norm(input) x weights + biases) * scale + residual. With
 * last_rows only the step's last logits_rows tokens are computed. Ends before the barrier. */
void project(const struct program *program, const struct project *step, int32_t thread,
             int32_t threads, enum dot dot) {
    int32_t count = step->last_rows ? smaller(program->logits_rows, program->count)
                                    : program->count;
    int32_t first = program->count - count;
    if (count == 1)
        project_one(program, step, first, thread, threads, dot);
    if (count <= 1)
        return;
    int32_t width = count == 2 ? 2 : TILE;
    quantize_tiles(program, step, first, count, width, thread, dot);
    meet(control_of(program), threads);
    struct activation two = activation_at(&program->shared, step->columns, 2, 0, 0);
    if (count == 2)
        project_piece(step, &two, 2, thread, threads, dot);
    else
        project_tiles(program, step, count, thread, threads, dot);
}
