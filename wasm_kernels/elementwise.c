/* What is done value by value: norms, quantization of activations, embedding rows, rope angles.
 * Knows nothing of threads beyond which tokens are its own. */
#include "kernels.h"
#include "numbers.h"

/* 1 / sqrt(mean of squares + epsilon) of f32 (columns) */
float inverse_size(const float *values, float epsilon, int32_t columns) {
    v128 squares = v128_zero();
    for (int32_t i = 0; i < columns; i += 4) {
        v128 x = v128_load(values + i);
        squares = f32x4_add(squares, f32x4_mul(x, x));
    }
    float mean = f32x4_sum(squares) / (float)columns;
    return 1.0f / square_root(mean + epsilon);
}

/* input, output: f32 (columns). output = input minus its mean. */
static void centre(const float *input, int32_t columns, float *output) {
    v128 sums = v128_zero();
    for (int32_t i = 0; i < columns; i += 4)
        sums = f32x4_add(sums, v128_load(input + i));
    v128 mean = f32x4_splat(f32x4_sum(sums) / (float)columns);
    for (int32_t i = 0; i < columns; i += 4)
        v128_store(output + i, f32x4_sub(v128_load(input + i), mean));
}

/* input, output: f32 (columns). output = input * inverse_size(input) * weight + bias, after input
 * has lost its mean where the norm says so. */
void normalize(const float *input, const struct norm *norm, int32_t columns, float *output) {
    const float *weight = at(norm->weight), *bias = norm->bias ? at(norm->bias) : NULL;
    if (norm->centred) {
        centre(input, columns, output);
        input = output;
    }
    v128 scale = f32x4_splat(inverse_size(input, float_of(norm->epsilon), columns));
    for (int32_t i = 0; i < columns; i += 4) {
        v128 scaled = f32x4_mul(v128_load(input + i), scale);
        v128 weighted = f32x4_mul(scaled, v128_load(weight + i));
        if (bias)
            weighted = f32x4_add(weighted, v128_load(bias + i));
        v128_store(output + i, weighted);
    }
}

static float greatest_magnitude(const float *values) {
    v128 greatest = v128_zero();
    for (int32_t i = 0; i < BLOCK; i += 4)
        greatest = f32x4_greater(f32x4_abs(v128_load(values + i)), greatest);
    return f32x4_greatest(greatest);
}

/* 32 values times inverse, rounded to the nearest integers (ties to even). */
static void round_block(const float *values, float inverse, v128 quantized[8]) {
    v128 factor = f32x4_splat(inverse);
    for (int32_t i = 0; i < 8; i++)
        quantized[i] = i32x4_from_f32x4(
            f32x4_nearest(f32x4_mul(v128_load(values + 4 * i), factor)));
}

/* What the quantized block leaves over of 32 values. */
static void leave_over(const float *values, const v128 quantized[8], float scale, float *rest) {
    v128 factor = f32x4_splat(scale);
    for (int32_t i = 0; i < 8; i++) {
        v128 kept = f32x4_mul(f32x4_from_i32x4(quantized[i]), factor);
        v128_store(rest + 4 * i, f32x4_sub(v128_load(values + 4 * i), kept));
    }
}

/* Four words, `width` words apart. */
static void store_words(void *to, int32_t width, v128 words) {
    if (width == 1) {
        v128_store(to, words);
        return;
    }
    size_t stride = 4 * (size_t)width;
    v128_store_word0((uint8_t *)to, words);
    v128_store_word1((uint8_t *)to + stride, words);
    v128_store_word2((uint8_t *)to + 2 * stride, words);
    v128_store_word3((uint8_t *)to + 3 * stride, words);
}

/* Writes 32 integers (8 vectors) and their scale into one lane of a slot. */
static void store_slot(const v128 quantized[8], float scale, int32_t forms, int32_t width,
                       int32_t lane, int32_t slot, const struct activation *tile) {
    int32_t place = slot * width + lane;
    for (int32_t half = 0; half < 2; half++) {
        const v128 *q = quantized + 4 * half;
        int32_t sums[4];
        v128_store(sums, i32x4_add(i32x4_add(q[0], q[1]), i32x4_add(q[2], q[3])));
        tile->sums[2 * place + half] = (int16_t)((sums[0] + sums[1]) + (sums[2] + sums[3]));
        if (forms & AS_BYTES) {
            v128 low = i16x8_narrow(i32x4_zip_low(q[0], q[1]), i32x4_zip_high(q[0], q[1]));
            v128 high = i16x8_narrow(i32x4_zip_low(q[2], q[3]), i32x4_zip_high(q[2], q[3]));
            int32_t word = (slot * 8 + half * 4) * width + lane;
            store_words(tile->bytes + 4 * word, width, i8x16_narrow(low, high));
        }
        if (forms & AS_PAIRS) {
            int32_t word = (slot * 16 + half * 8) * width + lane;
            store_words(tile->pairs + 2 * word, width, i16x8_narrow(q[0], q[1]));
            store_words(tile->pairs + 2 * (word + 4 * width), width, i16x8_narrow(q[2], q[3]));
        }
    }
    tile->scales[place] = scale;
    tile->weighted[place] = scale * (float)(tile->sums[2 * place] + tile->sums[2 * place + 1]);
}

static float inverse_of(float scale) { return scale > 0.0f ? 1.0f / scale : 0.0f; }

/* The scale of a block: its greatest magnitude becomes 127. */
static void quantize_block(const float *values, int32_t forms, int32_t width, int32_t lane,
                           int32_t slot, const struct activation *tile) {
    v128 quantized[8];
    float scale = greatest_magnitude(values) / 127.0f;
    round_block(values, inverse_of(scale), quantized);
    store_slot(quantized, scale, forms, width, lane, slot, tile);
}

/* The second plane of a block: what the first left over, 254 times finer. */
static void quantize_rest(const float *values, float scale, int32_t forms, int32_t width,
                          int32_t lane, int32_t slot, const struct activation *tile) {
    v128 quantized[8];
    float rest[BLOCK];
    round_block(values, inverse_of(scale), quantized);
    leave_over(values, quantized, scale, rest);
    scale /= 254.0f;
    round_block(rest, inverse_of(scale), quantized);
    store_slot(quantized, scale, forms, width, lane, slot, tile);
}

/* The square of a scale above which a token's block is an outlier: 1.7 times their root mean
 * square. An error of rounding grows with the scale, so a few such blocks make most of it. */
static float outlier_square(const struct activation *tile, int32_t blocks, int32_t width,
                            int32_t lane) {
    float squares = 0.0f;
    for (int32_t block = 0; block < blocks; block++) {
        float scale = tile->scales[block * width + lane];
        squares += scale * scale;
    }
    return squares / (float)blocks * (1.7f * 1.7f);
}

/* Second planes of a tile: a block gets one when it is an outlier of any token; a token of which it
 * is none gets zeros, which change no sum. */
static void add_extras(const float *const values[], int32_t blocks, int32_t forms, int32_t width,
                       const struct activation *tile) {
    float limits[TILE];
    for (int32_t lane = 0; lane < width; lane++)
        limits[lane] = outlier_square(tile, blocks, width, lane);
    int32_t extras = 0;
    for (int32_t block = 0; block < blocks; block++) {
        bool found = false;
        const float *scales = tile->scales + block * width;
        for (int32_t lane = 0; lane < width; lane++)
            found |= scales[lane] * scales[lane] > limits[lane];
        if (!found)
            continue;
        for (int32_t lane = 0; lane < width; lane++) {
            float scale = scales[lane] * scales[lane] > limits[lane] ? scales[lane] : 0.0f;
            quantize_rest(values[lane] + block * BLOCK, scale, forms, width, lane, blocks + extras,
                          tile);
        }
        tile->extras[1 + extras++] = block;
    }
    tile->extras[0] = extras;
}

/* values: `width` tokens of f32 (columns), into a tile of as many, in each of the asked forms. */
void quantize(const float *const values[], int32_t columns, int32_t forms, int32_t width,
              const struct activation *tile) {
    if (forms & AS_FLOATS)
        for (int32_t lane = 0; lane < width; lane++)
            for (int32_t i = 0; i < columns; i++)
                tile->floats[i * width + lane] = values[lane][i];
    if (!(forms & (AS_BYTES | AS_PAIRS)))
        return;
    for (int32_t lane = 0; lane < width; lane++)
        for (int32_t block = 0; block < columns / BLOCK; block++)
            quantize_block(values[lane] + block * BLOCK, forms, width, lane, block, tile);
    add_extras(values, columns / BLOCK, forms, width, tile);
}

/* output, room: f32 (columns). output = output + a row of a packed matrix. */
static void add_row(int32_t matrix, int32_t type, int32_t columns, int32_t row, float *room,
                    float *output) {
    unpack_row(at(matrix), type, columns, row, room);
    for (int32_t column = 0; column < columns; column++)
        output[column] += room[column];
}

/* Embedding rows of this step's tokens, on whichever thread draws the token. A token outside the
 * vocabulary is read as token 0: the caller should not, but memory stays whole. */
void embed(const struct program *program, const struct embed *step, int32_t thread) {
    const int32_t *tokens = at(program->tokens);
    float scale = float_of(step->scale), *room = own(program, program->own_values, thread);
    for (int32_t token; (token = draw_tile(control_of(program))) < program->count;) {
        int32_t row = tokens[token] >= 0 && tokens[token] < program->vocabulary ? tokens[token] : 0;
        float *output = (float *)at(step->output) + (size_t)token * (size_t)step->columns;
        unpack_row(at(step->weight), step->type, step->columns, row, output);
        for (int32_t column = 0; column < step->columns; column++)
            output[column] *= scale;
        if (step->positions)
            add_row(step->positions, step->positions_type, step->columns, program->position + token,
                    room, output);
        if (step->types)
            add_row(step->types, step->types_type, step->columns, 0, room, output);
    }
}

/* Cosine and sine of an angle (radians, >= 0, below 2^30) in double, by quarter turns and fdlibm's
 * polynomials: the same bits on every machine. */
static void turn(double angle, float *cosine, float *sine) {
    double quarters = nearest_double(angle * 0.63661977236758134308);
    double x = angle - quarters * 1.57079632673412561417e+00;
    x -= quarters * 6.07710050650619224932e-11;
    double z = x * x;
    double s =
        x +
        x * z *
            (-1.66666666666666324348e-01 +
             z * (8.33333333332248946124e-03 +
                  z * (-1.98412698298579493134e-04 +
                       z * (2.75573137070700676789e-06 +
                            z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    double c =
        1.0 - 0.5 * z +
        z * z *
            (4.16666666666666019037e-02 +
             z * (-1.38888888888741095749e-03 +
                  z * (2.48015872894767294178e-05 +
                       z * (-2.75573143513906633035e-07 +
                            z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    int32_t quarter = (int32_t)((int64_t)quarters & 3);
    double cosines[4] = {c, -s, -c, s};
    *cosine = (float)cosines[quarter];
    *sine = (float)cosines[(quarter + 3) & 3];
}

/* The rope table of this step's positions. */
void fill_angles(const struct program *program, const struct angles *step) {
    const double *frequencies = at(step->frequencies);
    const float *factors = step->factors ? at(step->factors) : NULL;
    float amplitude = float_of(step->amplitude);
    for (int32_t token; (token = draw_tile(control_of(program))) < program->count;) {
        float *table = (float *)at(step->table) + (size_t)token * (size_t)step->pairs * 2;
        double position = program->position + token;
        for (int32_t pair = 0; pair < step->pairs; pair++) {
            double factor = factors ? (double)factors[pair] : 1.0;
            double angle = position * (frequencies[pair] / factor);
            /* the factors come from a file and may be anything */
            turn(angle >= 0.0 && angle < 1e9 ? angle : 0.0, table + 2 * pair, table + 2 * pair + 1);
            table[2 * pair] *= amplitude;
            table[2 * pair + 1] *= amplitude;
        }
    }
}

/* output = residual + norm(input), on whichever thread draws the token. */
void add(const struct program *program, const struct add *step, int32_t thread) {
    float *room = own(program, program->own_values, thread);
    for (int32_t token; (token = draw_tile(control_of(program))) < program->count;) {
        size_t place = (size_t)token * (size_t)step->columns;
        const float *input = (const float *)at(step->input) + place;
        float *output = (float *)at(step->output) + place;
        normalize(input, &step->norm, step->columns, step->residual ? room : output);
        if (!step->residual)
            continue;
        const float *residual = (const float *)at(step->residual) + place;
        for (int32_t i = 0; i < step->columns; i += 4)
            v128_store(output + i, f32x4_add(v128_load(residual + i), v128_load(room + i)));
    }
}

/* output = the mean of the step's tokens, or the first of them, made of length 1; by one thread,
 * which is as quick as all of them meeting twice. */
void pool(const struct program *program, const struct pool *step) {
    if (draw_tile(control_of(program)) != 0)
        return;
    int32_t count = step->pooling == MEAN ? program->count : 1, columns = step->columns;
    float *output = at(step->output);
    v128 squares = v128_zero(), share = f32x4_splat(1.0f / (float)count);
    for (int32_t i = 0; i < columns; i += 4) {
        const float *input = (const float *)at(step->input) + i;
        v128 sum = v128_zero();
        for (int32_t token = 0; token < count; token++, input += columns)
            sum = f32x4_add(sum, v128_load(input));
        sum = f32x4_mul(sum, share);
        squares = f32x4_add(squares, f32x4_mul(sum, sum));
        v128_store(output + i, sum);
    }
    v128 length = f32x4_splat(square_root(f32x4_sum(squares)));
    for (int32_t i = 0; i < columns; i += 4)
        v128_store(output + i, f32x4_div(v128_load(output + i), length));
}
