/* What is done value by value: norms, quantization of activations, embedding rows, rope angles.
 * Knows nothing of threads beyond which tokens are its own. */
#include "kernels.h"
#include "numbers.h"

/* input, weight, output: f32 (columns). output = input / sqrt(mean of squares + epsilon) * weight. */
void normalize(const float *input, const float *weight, float epsilon, int32_t columns, float *output) {
    v128 squares = v128_zero();
    for (int32_t i = 0; i < columns; i += 4) {
        v128 x = v128_load(input + i);
        squares = f32x4_add(squares, f32x4_mul(x, x));
    }
    float mean = f32x4_sum(squares) / (float)columns;
    v128 scale = f32x4_splat(1.0f / square_root(mean + epsilon));
    for (int32_t i = 0; i < columns; i += 4) {
        v128 scaled = f32x4_mul(v128_load(input + i), scale);
        v128_store(output + i, f32x4_mul(scaled, v128_load(weight + i)));
    }
}

static float greatest_magnitude(const float *values) {
    v128 greatest = v128_zero();
    for (int32_t i = 0; i < BLOCK; i += 4)
        greatest = f32x4_greater(f32x4_abs(v128_load(values + i)), greatest);
    return f32x4_greatest(greatest);
}

/* values: f32 (32) -> i32 (32) within -127..127 so that values ~ quantized * scale. Returns scale. */
static float quantize_block(const float *values, int32_t *quantized) {
    float greatest = greatest_magnitude(values);
    v128 inverse = f32x4_splat(greatest > 0.0f ? 127.0f / greatest : 0.0f);
    for (int32_t i = 0; i < BLOCK; i += 4) {
        v128 scaled = f32x4_nearest(f32x4_mul(v128_load(values + i), inverse));
        v128_store(quantized + i, i32x4_from_f32x4(scaled));
    }
    return greatest / 127.0f;
}

/* Writes one token (values: f32 (columns)) into lane `lane` of a tile of `width` tokens, in each of
 * the asked forms. */
void quantize(const float *values, int32_t columns, int32_t forms, int32_t width, int32_t lane,
              const struct activation *tile) {
    if (forms & AS_FLOATS)
        for (int32_t i = 0; i < columns; i++)
            tile->floats[i * width + lane] = values[i];
    if (!(forms & (AS_BYTES | AS_PAIRS)))
        return;
    for (int32_t block = 0; block < columns / BLOCK; block++) {
        int32_t quantized[BLOCK], sum = 0;
        float scale = quantize_block(values + block * BLOCK, quantized);
        for (int32_t i = 0; i < BLOCK; i++)
            sum += quantized[i];
        tile->scales[block * width + lane] = scale;
        tile->sums[block * width + lane] = sum;
        if (forms & AS_BYTES)
            for (int32_t octet = 0; octet < 4; octet++) {
                const int32_t *q = quantized + 8 * octet;
                int8_t *to = tile->bytes + ((block * 8 + octet * 2) * width + lane) * 4;
                to[0] = (int8_t)q[0], to[1] = (int8_t)q[4], to[2] = (int8_t)q[1], to[3] = (int8_t)q[5];
                to += 4 * width;
                to[0] = (int8_t)q[2], to[1] = (int8_t)q[6], to[2] = (int8_t)q[3], to[3] = (int8_t)q[7];
            }
        if (forms & AS_PAIRS)
            for (int32_t i = 0; i < BLOCK; i++)
                tile->pairs[((block * BLOCK + i) / 2 * width + lane) * 2 + i % 2] =
                    (int16_t)quantized[i];
    }
}

/* One value of a packed block of quants: column 0..31 of a lane. */
static int32_t nibble_of(const uint8_t *block, int32_t lane, int32_t column) {
    _Static_assert(ROWS == 8 && BLOCK == 32, "nibble order");
    int32_t octet = column / 8, byte = (column & 1) * 2 + (column >> 2 & 1);
    uint8_t both = block[octet * 32 + lane * 4 + byte];
    return column & 2 ? both >> 4 : both & 15;
}

static int32_t byte_of(const uint8_t *block, int32_t lane, int32_t column) {
    int32_t group = column / 8 * 2 + (column >> 1 & 1), byte = (column & 1) * 2 + (column >> 2 & 1);
    return (int32_t)block[group * 32 + lane * 4 + byte] - 128;
}

static float half_at(const uint8_t *from, int32_t lane) {
    return float_of_half(((const uint16_t *)from)[lane]);
}

static float value_of(const uint8_t *block, int32_t type, int32_t lane, int32_t column) {
    switch (type) {
    case Q4_0: return half_at(block + 128, lane) * (float)(nibble_of(block, lane, column) - 8);
    case Q4_1:
        return half_at(block + 128, lane) * (float)nibble_of(block, lane, column) +
               half_at(block + 144, lane);
    case Q8_0: return half_at(block + 256, lane) * (float)byte_of(block, lane, column);
    case F32: return ((const float *)block)[column * ROWS + lane];
    default: {
        uint32_t pair = ((const uint32_t *)block)[column / 2 * ROWS + lane];
        return float_of((int32_t)(column % 2 ? pair & 0xffff0000u : pair << 16));
    }
    }
}

/* Row `row` of a packed matrix as f32 (columns). */
void unpack_row(const uint8_t *matrix, int32_t type, int32_t columns, int32_t row, float *output) {
    int32_t blocks = columns / BLOCK, block_bytes = packed_block_bytes(type);
    const uint8_t *from = matrix + (size_t)(row / ROWS) * (size_t)blocks * (size_t)block_bytes;
    for (int32_t column = 0; column < columns; column++)
        output[column] = value_of(from + (size_t)(column / BLOCK) * (size_t)block_bytes, type,
                                  row % ROWS, column % BLOCK);
}

/* Embedding rows of this step's tokens, on whichever thread draws the token. A token outside the
 * vocabulary is read as token 0: the caller should not, but memory stays whole. */
void embed(const struct program *program, const struct embed *step) {
    const int32_t *tokens = at(program->tokens);
    float scale = float_of(step->scale);
    for (int32_t token; (token = draw_tile(control_of(program))) < program->count;) {
        int32_t row = tokens[token] >= 0 && tokens[token] < program->vocabulary ? tokens[token] : 0;
        float *output = (float *)at(step->output) + (size_t)token * (size_t)step->columns;
        unpack_row(at(step->weight), step->type, step->columns, row, output);
        for (int32_t column = 0; column < step->columns; column++)
            output[column] *= scale;
    }
}

/* Cosine and sine of an angle (radians, >= 0, below 2^30) in double, by quarter turns and fdlibm's
 * polynomials: the same bits on every machine. */
static void turn(double angle, float *cosine, float *sine) {
    double quarters = nearest_double(angle * 0.63661977236758134308);
    double x = angle - quarters * 1.57079632673412561417e+00;
    x -= quarters * 6.07710050650619224932e-11;
    double z = x * x;
    double s = x + x * z *
                       (-1.66666666666666324348e-01 +
                        z * (8.33333333332248946124e-03 +
                             z * (-1.98412698298579493134e-04 +
                                  z * (2.75573137070700676789e-06 +
                                       z * (-2.50507602534068634195e-08 +
                                            z * 1.58969099521155010221e-10)))));
    double c = 1.0 - 0.5 * z +
               z * z *
                   (4.16666666666666019037e-02 +
                    z * (-1.38888888888741095749e-03 +
                         z * (2.48015872894767294178e-05 +
                              z * (-2.75573143513906633035e-07 +
                                   z * (2.08757232129817482790e-09 +
                                        z * -1.13596475577881948265e-11)))));
    int32_t quarter = (int32_t)((int64_t)quarters & 3);
    double cosines[4] = {c, -s, -c, s};
    *cosine = (float)cosines[quarter];
    *sine = (float)cosines[(quarter + 3) & 3];
}

/* The rope table of this step's positions. */
void fill_angles(const struct program *program, const struct angles *step) {
    const double *frequencies = at(step->frequencies);
    const float *factors = step->factors ? at(step->factors) : NULL;
    for (int32_t token; (token = draw_tile(control_of(program))) < program->count;) {
        float *table = (float *)at(step->table) + (size_t)token * (size_t)step->pairs * 2;
        double position = program->position + token;
        for (int32_t pair = 0; pair < step->pairs; pair++) {
            double factor = factors ? (double)factors[pair] : 1.0;
            double angle = position * (frequencies[pair] / factor);
            /* the factors come from a file and may be anything */
            turn(angle >= 0.0 && angle < 1e9 ? angle : 0.0, table + 2 * pair, table + 2 * pair + 1);
        }
    }
}
