/* Rearranges rows of a tensor, as they lie in the file, into blocks of 8 rows x 32 columns.
 * Knows the layouts of the file's types and of the kernels, nothing of who asks for it. */
#include "blocks.h"

INLINE int32_t file_block_bytes(int32_t type) {
    switch (type) {
    case Q4_0:
    case IQ4_NL: return 18;
    case Q4_1: return 20;
    case Q5_0: return 22;
    case Q5_1: return 24;
    case Q8_0: return 34;
    case Q2_K: return 84;
    case Q3_K: return 110;
    case Q4_K: return 144;
    case Q5_K: return 176;
    case Q6_K: return 210;
    case MXFP4: return 17;
    case F32: return 128;
    default: return 64;
    }
}

/* Columns of a block in the file. */
INLINE int32_t file_block(int32_t type) {
    return type == Q2_K || type == Q3_K || type == Q4_K || type == Q5_K || type == Q6_K ? 256
                                                                                        : BLOCK;
}

/* The file may put a tensor at any address: these read without asking for alignment. */
static uint16_t read_u16(const uint8_t *from) {
    uint16_t value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

static float read_f32(const uint8_t *from) {
    float value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

static float read_float(const uint8_t *from, int32_t type, int32_t index) {
    if (type == F32)
        return read_f32(from + 4 * (size_t)index);
    uint16_t half = read_u16(from + 2 * (size_t)index);
    return type == BF16 ? float_of((int32_t)((uint32_t)half << 16)) : float_of_half(half);
}

/* 32 columns of one row between file and block: bytes as offset_of says (the nibbles of IQ4_NL and
 * MXFP4), half-precision scale and minimum, and the factors of both halves. */
struct piece {
    uint8_t quants[BLOCK];
    uint16_t scale, minimum;
    uint8_t factors[2];
};

/* 16 bytes: the low nibbles are columns 0..15, the high ones 16..31. */
INLINE void read_nibbles(const uint8_t *from, uint8_t *quants) {
    for (int32_t i = 0; i < 16; i++) {
        quants[i] = from[i] & 15;
        quants[i + 16] = from[i] >> 4;
    }
}

/* 4 bytes: bit c is bit 4 of column c. */
INLINE void read_fifth_bits(const uint8_t *from, uint8_t *quants) {
    for (int32_t i = 0; i < BLOCK; i++)
        quants[i] |= (uint8_t)((from[i / 8] >> (i % 8) & 1) << 4);
}

/* 2^(exponent - 128) in half precision; what is too small is 0, too great 2^15. */
static uint16_t half_power(uint8_t exponent) {
    int32_t power = exponent - 128;
    if (power < -14)
        return power < -24 ? 0 : (uint16_t)(1 << (power + 24));
    return (uint16_t)((smaller(power, 15) + 15) << 10);
}

/* Piece 0..7 of a block of 256 columns of Q4_K or Q5_K: scale and minimum have 6 bits each. */
INLINE void read_scales_of_k(const uint8_t *from, int32_t piece, struct piece *to) {
    const uint8_t *six = from + 4;
    uint8_t scale, minimum;
    if (piece < 4) {
        scale = six[piece] & 63;
        minimum = six[piece + 4] & 63;
    } else {
        scale = (uint8_t)((six[piece + 4] & 15) | six[piece - 4] >> 6 << 4);
        minimum = (uint8_t)(six[piece + 4] >> 4 | six[piece] >> 6 << 4);
    }
    to->scale = half_of_float(float_of_half(read_u16(from)) * (float)scale);
    to->minimum = half_of_float(float_of_half(read_u16(from + 2)) * -(float)minimum);
}

INLINE void read_q4_k(const uint8_t *from, int32_t piece, struct piece *to) {
    read_scales_of_k(from, piece, to);
    for (int32_t i = 0; i < BLOCK; i++)
        to->quants[i] = from[16 + piece / 2 * 32 + i] >> piece % 2 * 4 & 15;
}

INLINE void read_q5_k(const uint8_t *from, int32_t piece, struct piece *to) {
    read_scales_of_k(from, piece, to);
    for (int32_t i = 0; i < BLOCK; i++) {
        uint8_t low = from[48 + piece / 2 * 32 + i] >> piece % 2 * 4 & 15;
        to->quants[i] = (uint8_t)(low | (from[16 + i] >> piece & 1) << 4);
    }
}

INLINE void read_q6_k(const uint8_t *from, int32_t piece, struct piece *to) {
    const uint8_t *low = from + piece / 4 * 64 + piece % 2 * 32, *high = from + 128 + piece / 4 * 32;
    for (int32_t i = 0; i < BLOCK; i++)
        to->quants[i] = (uint8_t)((low[i] >> piece % 4 / 2 * 4 & 15) |
                                  (high[i] >> piece % 4 * 2 & 3) << 4);
    to->factors[0] = from[192 + 2 * piece];
    to->factors[1] = from[193 + 2 * piece];
    to->scale = read_u16(from + 208);
}

/* Columns of 2 bits: 32 columns a bit pair, 32 bytes for 128 columns. */
INLINE void read_twos(const uint8_t *from, int32_t piece, uint8_t *quants) {
    for (int32_t i = 0; i < BLOCK; i++)
        quants[i] = from[piece / 4 * 32 + i] >> piece % 4 * 2 & 3;
}

INLINE void read_q3_k(const uint8_t *from, int32_t piece, struct piece *to) {
    read_twos(from + 32, piece, to->quants);
    for (int32_t i = 0; i < BLOCK; i++)
        to->quants[i] |= (uint8_t)((from[i] >> piece & 1) << 2);
    const uint8_t *six = from + 96;
    for (int32_t half = 0; half < 2; half++) {
        int32_t index = 2 * piece + half;
        int32_t low = six[index % 8] >> index / 8 * 4 & 15;
        int32_t high = six[8 + index % 4] >> index / 4 * 2 & 3;
        to->factors[half] = (uint8_t)((low | high << 4) - 32);
    }
    to->scale = read_u16(from + 108);
}

INLINE void read_q2_k(const uint8_t *from, int32_t piece, struct piece *to) {
    read_twos(from + 16, piece, to->quants);
    to->factors[0] = from[2 * piece];
    to->factors[1] = from[2 * piece + 1];
    to->scale = read_u16(from + 80);
    to->minimum = read_u16(from + 82) ^ 0x8000;
}

/* Piece `piece` of a block as it lies in the file. */
INLINE void read_piece(const uint8_t *from, int32_t type, int32_t piece, struct piece *to) {
    if (file_block(type) == BLOCK)
        to->scale = type == MXFP4 ? half_power(from[0]) : read_u16(from);
    if (type == Q4_1 || type == Q5_1)
        to->minimum = read_u16(from + 2);
    switch (type) {
    case Q4_0:
    case IQ4_NL: read_nibbles(from + 2, to->quants); break;
    case MXFP4: read_nibbles(from + 1, to->quants); break;
    case Q4_1: read_nibbles(from + 4, to->quants); break;
    case Q5_0:
        read_nibbles(from + 6, to->quants);
        read_fifth_bits(from + 2, to->quants);
        break;
    case Q5_1:
        read_nibbles(from + 8, to->quants);
        read_fifth_bits(from + 4, to->quants);
        break;
    case Q8_0:
        for (int32_t i = 0; i < BLOCK; i++)
            to->quants[i] = from[2 + i] ^ 0x80;
        break;
    case Q2_K: read_q2_k(from, piece, to); break;
    case Q3_K: read_q3_k(from, piece, to); break;
    case Q4_K: read_q4_k(from, piece, to); break;
    case Q5_K: read_q5_k(from, piece, to); break;
    default: read_q6_k(from, piece, to);
    }
}

/* Columns 0 4 1 5 of 8. */
INLINE uint32_t first_word(uint64_t octet) {
    return (uint32_t)((octet & 0xff) | (octet >> 32 & 0xff) << 8 | (octet >> 8 & 0xff) << 16 |
                      (octet >> 40 & 0xff) << 24);
}

/* The `bits` bits from `low` on of 8 columns: those of 2 6 3 7 above those of 0 4 1 5. */
INLINE uint32_t field(uint64_t octet, uint32_t low, uint32_t bits) {
    octet = octet >> low & (0x0101010101010101ull * ((1u << bits) - 1));
    return first_word(octet | octet >> (16 - bits));
}

static void store_u32(struct rows *plane, int32_t lane, uint32_t word) {
    ((uint32_t *)plane)[lane] = word;
}

/* The planes that follow each other in a block; one that the type does not have is NULL. */
struct planes {
    struct rows *words, *nibbles, *twos, *ones;
};

INLINE struct planes planes_of(uint8_t *block, int32_t type) {
    struct rows *rows = (struct rows *)(void *)block;
    switch (type) {
    case Q8_0: return (struct planes){rows, NULL, NULL, NULL};
    case Q2_K: return (struct planes){NULL, NULL, rows, NULL};
    case Q3_K: return (struct planes){NULL, NULL, rows, rows + 2};
    case Q6_K: return (struct planes){NULL, rows, rows + 4, NULL};
    case Q5_0:
    case Q5_1: return (struct planes){NULL, rows, NULL, rows + 4};
    default: return (struct planes){NULL, rows, NULL, NULL};
    }
}

/* Puts 32 quants into their lane of a block; blocks.h draws the planes. */
INLINE void store_quants(const uint8_t *quants, int32_t type, int32_t lane, uint8_t *block) {
    struct planes planes = planes_of(block, type);
    uint32_t twos = 0, ones = 0;
    for (uint32_t octet = 0; octet < 4; octet++) {
        uint64_t bytes;
        __builtin_memcpy(&bytes, quants + 8 * octet, sizeof bytes);
        if (planes.words) {
            store_u32(&planes.words[2 * octet], lane, first_word(bytes));
            store_u32(&planes.words[2 * octet + 1], lane, first_word(bytes >> 16));
        }
        if (planes.nibbles)
            store_u32(&planes.nibbles[octet], lane, field(bytes, 0, 4));
        if (planes.twos) {
            twos = octet % 2 * twos | field(bytes, planes.nibbles ? 4 : 0, 2) << octet % 2 * 4;
            store_u32(&planes.twos[octet / 2], lane, twos);
        }
        ones |= field(bytes, planes.nibbles ? 4 : 2, 1) << 2 * octet;
    }
    if (planes.ones)
        store_u32(planes.ones, lane, ones);
}

/* Puts scale, minimum and factors behind the quants of a block. */
INLINE void store_scales(const struct piece *piece, int32_t type, int32_t lane, uint8_t *block) {
    int32_t factors = parts_of(type) == 2 ? 16 : 0;
    uint8_t *end = block + packed_block_bytes(type) - factors;
    if (factors) {
        uint8_t *to = end + lane % 4 * 4 + lane / 4 * 2;
        to[0] = piece->factors[0];
        to[1] = piece->factors[1];
    }
    if (has_minima(type)) {
        end -= 16;
        ((uint16_t *)(void *)end)[lane] = piece->minimum;
    }
    ((uint16_t *)(void *)(end - 16))[lane] = piece->scale;
}

INLINE void repack_floats(const uint8_t *from, int32_t type, int32_t lane, uint8_t *to) {
    for (int32_t column = 0; column < BLOCK; column += 2) {
        float even = read_float(from, type, column), odd = read_float(from, type, column + 1);
        if (type == F32) {
            ((float *)to)[column * ROWS + lane] = even;
            ((float *)to)[(column + 1) * ROWS + lane] = odd;
        } else {
            ((uint32_t *)to)[column / 2 * ROWS + lane] = bfloat16_of(even) |
                                                         (uint32_t)bfloat16_of(odd) << 16;
        }
    }
}

/* A row (columns) as it lies in the file, or zeros for NULL, into its lane of the blocks of 8 rows
 * at `to`. */
INLINE void repack_row(const uint8_t *from, int32_t type, int32_t columns, int32_t lane,
                       uint8_t *to) {
    _Static_assert(ROWS == 8 && BLOCK == 32, "the layouts count on 8 x 32");
    const float zeros[BLOCK] = {0};
    int32_t kept = packed_as(type), pieces = file_block(type) / BLOCK;
    for (int32_t block = 0; block < columns / BLOCK; block++, to += packed_block_bytes(kept)) {
        const uint8_t *here = from ? from + block / pieces * file_block_bytes(type) : NULL;
        if (is_float(type)) {
            repack_floats(here ? here : (const uint8_t *)zeros, type, lane, to);
            continue;
        }
        struct piece piece = {0};
        if (here)
            read_piece(here, type, block % pieces, &piece);
        store_quants(piece.quants, kept, lane, to);
        store_scales(&piece, kept, lane, to);
    }
}

static void place_of_row(int32_t row, int32_t pattern, int32_t *block_row, int32_t *lane) {
    *block_row = pattern == PLAIN ? row / ROWS : row / (ROWS / 2);
    *lane = pattern == PLAIN ? row % ROWS : row % (ROWS / 2) + (pattern == UP ? ROWS / 2 : 0);
}

static void repack_vector(const struct repack_job *job) {
    const uint8_t *from = at(job->source);
    float *to = at(job->target);
    for (int32_t index = 0; index < job->columns; index++)
        to[index] = read_float(from, job->type, index);
}

/* Rows of a matrix. type: a constant where this is used. */
INLINE void repack_rows(const struct repack_job *job, int32_t type) {
    size_t row_bytes = (size_t)(job->columns / file_block(type)) * (size_t)file_block_bytes(type);
    size_t packed_bytes = (size_t)(job->columns / BLOCK) * (size_t)packed_block_bytes(type);
    int32_t block_row, lane, end = job->first_row + job->rows;
    int32_t padded = job->pattern == PLAIN ? (end + ROWS - 1) / ROWS * ROWS : end;
    const uint8_t *from = at(job->source);
    for (int32_t row = job->first_row; row < padded; row++, from += row_bytes) {
        place_of_row(row, job->pattern, &block_row, &lane);
        repack_row(row < end ? from : NULL, type, job->columns, lane,
                   (uint8_t *)at(job->target) + (size_t)block_row * packed_bytes);
    }
}

/* Does one job: rows first_row .. first_row + rows of a tensor, whose packed matrix begins at
 * target. When the rows end inside a block of 8 they are the tensor's last: the rest is cleared. */
void repack(const struct repack_job *job) {
    if (job->pattern == VECTOR) {
        repack_vector(job);
        return;
    }
    switch (job->type) {
#define CASE(type)                                                                                 \
    case type: repack_rows(job, type); return;
        CASE(F32)
        CASE(F16)
        CASE(BF16)
        CASE(Q4_0)
        CASE(Q4_1)
        CASE(Q5_0)
        CASE(Q5_1)
        CASE(Q8_0)
        CASE(Q2_K)
        CASE(Q3_K)
        CASE(Q4_K)
        CASE(Q5_K)
        CASE(Q6_K)
        CASE(IQ4_NL)
        CASE(MXFP4)
#undef CASE
    default: __builtin_unreachable();
    }
}
