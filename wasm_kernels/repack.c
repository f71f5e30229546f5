/* Rearranges rows of a tensor, as they lie in the file, into blocks of 8 rows x 32 columns.
 * Knows the layouts of the file's types and of the kernels, nothing of who asks for it. */
#include "kernels.h"
#include "numbers.h"

/* Bytes of one block of 8 rows x 32 columns. F16 is kept as bfloat16 pairs. */
int32_t packed_block_bytes(int32_t type) {
    switch (type) {
    case Q4_0: return 128 + 16;
    case Q4_1: return 128 + 32;
    case Q8_0: return 256 + 16;
    case F32: return 1024;
    default: return 512;
    }
}

static uint32_t file_block_bytes(int32_t type) {
    switch (type) {
    case Q4_0: return 18;
    case Q4_1: return 20;
    case Q8_0: return 34;
    case F32: return 128;
    default: return 64;
    }
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

/* 8 nibbles, one a byte, columns 0..7 -> one word of a lane: bytes hold the columns (low, high)
 * (0, 2) (4, 6) (1, 3) (5, 7), so that byte dots and 16-bit dots both find neighbours. */
static uint32_t interleave_nibbles(uint64_t nibbles) {
    uint64_t pairs = nibbles | nibbles >> 12;
    return (uint32_t)((pairs & 0xff) | (pairs >> 32 & 0xff) << 8 | (pairs >> 8 & 0xff) << 16 |
                      (pairs >> 40 & 0xff) << 24);
}

/* from: 16 bytes, byte j = column j and column j + 16; to: lane words 32 bytes apart. */
static void repack_nibbles(const uint8_t *from, uint8_t *to) {
    for (int32_t half = 0; half < 2; half++) {
        uint64_t bytes;
        __builtin_memcpy(&bytes, from + 8 * half, sizeof bytes);
        uint32_t low = interleave_nibbles(bytes & 0x0f0f0f0f0f0f0f0full);
        uint32_t high = interleave_nibbles(bytes >> 4 & 0x0f0f0f0f0f0f0f0full);
        __builtin_memcpy(to + 32 * half, &low, sizeof low);
        __builtin_memcpy(to + 32 * (half + 2), &high, sizeof high);
    }
}

/* from: 32 signed bytes; to: lane words of 4 columns, 32 bytes apart, each byte + 128. */
static void repack_bytes(const uint8_t *from, uint8_t *to) {
    for (int32_t octet = 0; octet < 4; octet++, from += 8, to += 64) {
        const uint8_t first[4] = {from[0], from[4], from[1], from[5]};
        const uint8_t second[4] = {from[2], from[6], from[3], from[7]};
        for (int32_t i = 0; i < 4; i++) {
            to[i] = first[i] ^ 0x80;
            to[32 + i] = second[i] ^ 0x80;
        }
    }
}

static void copy_u16(const uint8_t *from, uint8_t *to) {
    to[0] = from[0];
    to[1] = from[1];
}

/* One block of one row into its lane. */
static void repack_block(const uint8_t *from, int32_t type, int32_t lane, uint8_t *to) {
    switch (type) {
    case Q4_0:
        copy_u16(from, to + 128 + 2 * lane);
        repack_nibbles(from + 2, to + 4 * lane);
        break;
    case Q4_1:
        copy_u16(from, to + 128 + 2 * lane);
        copy_u16(from + 2, to + 144 + 2 * lane);
        repack_nibbles(from + 4, to + 4 * lane);
        break;
    case Q8_0:
        copy_u16(from, to + 256 + 2 * lane);
        repack_bytes(from + 2, to + 4 * lane);
        break;
    case F32:
        for (int32_t column = 0; column < BLOCK; column++)
            ((float *)to)[column * ROWS + lane] = read_float(from, type, column);
        break;
    default:
        for (int32_t pair = 0; pair < BLOCK / 2; pair++) {
            uint32_t low = bfloat16_of(read_float(from, type, 2 * pair));
            uint32_t high = bfloat16_of(read_float(from, type, 2 * pair + 1));
            ((uint32_t *)to)[pair * ROWS + lane] = low | high << 16;
        }
    }
}

/* A row of zeros, for the lanes that a tensor's last block leaves empty. */
static void clear_row(int32_t type, int32_t blocks, int32_t lane, uint8_t *to) {
    _Static_assert(ROWS * BLOCK / 2 == 128, "the layouts below count on 8 x 32");
    int32_t words = type == Q4_0 || type == Q4_1 ? 4 : type == Q8_0 ? 8 : type == F32 ? 32 : 16;
    int32_t scales = type == Q4_1 ? 2 : type == Q4_0 || type == Q8_0 ? 1 : 0;
    for (int32_t block = 0; block < blocks; block++, to += packed_block_bytes(type)) {
        for (int32_t word = 0; word < words; word++)
            ((uint32_t *)to)[word * ROWS + lane] = 0;
        for (int32_t scale = 0; scale < scales; scale++)
            ((uint16_t *)(to + 32 * words))[scale * ROWS + lane] = 0;
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

/* Does one job: rows first_row .. first_row + rows of a tensor, whose packed matrix begins at
 * target. When the rows end inside a block of 8 they are the tensor's last: the rest is cleared. */
void repack(const struct repack_job *job) {
    if (job->pattern == VECTOR) {
        repack_vector(job);
        return;
    }
    int32_t blocks = job->columns / BLOCK, block_row, lane;
    size_t row_bytes = (size_t)blocks * file_block_bytes(job->type);
    size_t block_bytes = (size_t)packed_block_bytes(job->type);
    int32_t end = job->first_row + job->rows;
    int32_t padded = job->pattern == PLAIN ? (end + ROWS - 1) / ROWS * ROWS : end;
    for (int32_t row = job->first_row; row < padded; row++) {
        place_of_row(row, job->pattern, &block_row, &lane);
        uint8_t *to = (uint8_t *)at(job->target) + (size_t)block_row * (size_t)blocks * block_bytes;
        if (row >= end) {
            clear_row(job->type, blocks, lane, to);
            continue;
        }
        const uint8_t *from = (uint8_t *)at(job->source) +
                              (size_t)(row - job->first_row) * row_bytes;
        for (int32_t block = 0; block < blocks; block++)
            repack_block(from + (size_t)block * file_block_bytes(job->type), job->type, lane,
                         to + (size_t)block * block_bytes);
    }
}
