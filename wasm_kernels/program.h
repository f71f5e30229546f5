/* The words of a program: what py/onglet/engine/program.py writes and the kernels read. The
 * structs are arrays of 32-bit words; tests/kernels/test_words.py compares each field with the
 * Python table. An address is a byte offset in linear memory; 0 means "none". */
#ifndef ONGLET_PROGRAM_H
#define ONGLET_PROGRAM_H

#include <stdint.h>

enum { PROGRAM_FORMAT = 1, THREADS_LIMIT = 8, REPACK_JOBS = 64, RECENT_LIMIT = 4096 };
enum { ROWS = 8, BLOCK = 32, TILE = 4, SPLIT = 128, OPERATION_WORDS = 32, PARTS = 3 };
enum operation_kind { EMBED = 1, ANGLES, PROJECT, ATTEND, ADD, POOL };
enum activation_kind { LINEAR, SILU_GATED, GELU_GATED, GELU };
enum pooling_kind { MEAN, FIRST };
/* Tensor types by their number in GGUF files. */
enum tensor_type {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ4_NL = 20,
    BF16 = 30,
    MXFP4 = 39
};
/* Where row r of a tensor goes: PLAIN block r / 8 lane r % 8; GATE block r / 4 lane r % 4; UP block
 * r / 4 lane 4 + r % 4; VECTOR: not a matrix, float32 side by side. */
enum row_pattern { PLAIN, GATE, UP, VECTOR };

/* Activations of one input for matmul, in tiles of T tokens (T = 1 alone, TILE in a batch). A
 * slot is 32 quantized columns: first every block of the input, then a second, 254 times finer
 * plane for the blocks that `extras` names. There is room for a second plane of every block. */
struct activation_places {
    int32_t bytes;    /* i8 (tile, slot, 8, T, 4), columns in nibble order */
    int32_t pairs;    /* i16 (tile, slot, 16, T, 2) */
    int32_t floats;   /* f32 (tile, columns, T) */
    int32_t scales;   /* f32 (tile, slot, T) */
    int32_t sums;     /* i16 (tile, slot, T, 2): sums of the quantized values, 16 columns each */
    int32_t weighted; /* f32 (tile, slot, T): scale * sum */
    int32_t extras;   /* i32 (tile, 1 + blocks): how many, then the block of each extra slot */
};

struct program {
    int32_t format;
    int32_t operations; /* how many; they follow this header */
    int32_t count;      /* tokens of this step */
    int32_t position;   /* of the first of them */
    int32_t logits_rows;
    int32_t logits_limit; /* the most there is room for */
    int32_t tokens;       /* i32 (chunk) */
    int32_t logits;       /* f32 (logits_limit, vocabulary rounded up to 8) */
    int32_t vocabulary;
    int32_t context;
    int32_t chunk;
    int32_t control;                 /* struct control */
    int32_t sampler;                 /* struct sampler */
    int32_t recent;                  /* i32 (RECENT_LIMIT): ring of the last tokens */
    int32_t seen;                    /* one bit for each token of the vocabulary */
    int32_t candidates;              /* struct candidate (vocabulary) */
    int32_t own_stride;              /* bytes from one thread's scratch to the next one's */
    int32_t own_values;              /* f32 (TILE, columns): tokens after their norm */
    int32_t own_panel;               /* 8 rows of weights unpacked to bytes or i16 pairs */
    int32_t own_panel_scales;        /* f32 (2, columns / 16, 8): scales, minima */
    int32_t own_queries;             /* f32 (TILE, head_size) */
    int32_t own_scores;              /* f32 (TILE, SPLIT) */
    int32_t own_outputs;             /* f32 (2, TILE, head_size): sums so far, one split's sums */
    struct activation_places own;    /* thread 0's; T = 1 */
    struct activation_places shared; /* T = TILE */
};

struct embed {
    int32_t kind;
    int32_t weight; /* packed matrix */
    int32_t type;
    int32_t columns;
    int32_t output; /* f32 (token, columns) */
    int32_t scale;  /* f32 bits */
    int32_t positions; /* packed matrix or none: the row of the token's position is added */
    int32_t positions_type;
    int32_t types; /* packed matrix or none: its first row is added */
    int32_t types_type;
};

struct angles {
    int32_t kind;
    int32_t pairs;       /* rotated pairs of a head */
    int32_t factors;     /* f32 (pairs) or none: divides the frequencies */
    int32_t frequencies; /* f64 (pairs) */
    int32_t table;       /* f32 (token, pair, 2): cosine, sine */
    int32_t amplitude;   /* f32 bits: times cosine and sine */
};

struct part {
    int32_t weight; /* packed matrix */
    int32_t type;
    int32_t blocks; /* of 8 rows */
};

struct norm {
    int32_t weight;  /* f32 (columns), or none: no norm */
    int32_t bias;    /* f32 (columns) or none */
    int32_t epsilon; /* f32 bits */
    int32_t centred; /* 1: the mean is taken away first */
};

struct project {
    int32_t kind;
    int32_t input; /* f32 (token, columns) */
    int32_t columns;
    struct norm norm;
    int32_t parts; /* how many of part[] are used */
    struct part part[PARTS];
    int32_t biases;     /* f32 (rows) or none */
    int32_t activation; /* gated ones: lanes 0..3 gate lanes 4..7 */
    int32_t residual;   /* f32 (token, width) or none */
    int32_t output;     /* f32 (token, width) */
    int32_t width;
    int32_t scale;     /* f32 bits */
    int32_t last_rows; /* 1: only the last logits_rows tokens, output rows from 0 */
    int32_t partials;  /* of the attention that feeds this at batch 1, or none */
    int32_t heads;
    int32_t head_size;
    int32_t window;
};

struct attend {
    int32_t kind;
    int32_t input;  /* f32 (token, heads + 2 kv_heads, head_size) */
    int32_t output; /* f32 (token, heads, head_size) */
    int32_t heads;
    int32_t kv_heads;
    int32_t head_size;
    int32_t scale;    /* f32 bits */
    int32_t halves;   /* 1: rope pairs (i, i + pairs); 0: (2 i, 2 i + 1) */
    int32_t pairs;    /* rotated pairs of a head */
    int32_t angles;   /* f32 (token, pair, 2) */
    int32_t keys;     /* bf16 (kv_head, position / 8, head_size, 8) */
    int32_t values;   /* bf16 (kv_head, position / 128, head_size / 8, 128, 8) */
    int32_t capacity; /* positions a kv head has room for, a multiple of SPLIT */
    int32_t window;   /* how many positions a token sees, itself included; 0: all */
    int32_t partials; /* f32 (split, head, head_size + 4): sums, greatest score, weight, 0, 0 */
    int32_t q_norm;   /* f32 (head_size), or (heads, head_size), or none */
    int32_t k_norm;   /* f32 (head_size), or (kv_heads, head_size), or none */
    int32_t epsilon;  /* f32 bits */
    int32_t of_all_heads; /* 1: one root mean square of all heads of q, one of all of k */
    int32_t all;          /* 1: a token sees the later ones of its step too */
};

struct add {
    int32_t kind;
    int32_t input; /* f32 (token, columns) */
    struct norm norm;
    int32_t residual; /* f32 (token, columns) or none */
    int32_t output;   /* f32 (token, columns) */
    int32_t columns;
};

struct pool {
    int32_t kind;
    int32_t input;  /* f32 (token, columns) */
    int32_t output; /* f32 (columns) */
    int32_t columns;
    int32_t pooling;
};

/* Written by JavaScript before `accept(program, -1)`; the rest of it is the sampler's own. */
struct sampler {
    float temperature;    /* 0: the best token */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off */
    int32_t top_k;        /* 0: off */
    int32_t repeat_last_n;
    uint32_t seed;
    int32_t accepted; /* tokens accepted since the reset */
    uint64_t state;   /* of the random numbers */
};

struct candidate {
    float weight;
    int32_t token;
};

struct repack_job {
    int32_t type, columns, rows, first_row, pattern, source, target;
    int32_t finished; /* 1 once done; set back when the slot is used again */
};

/* What the threads share; each group on a cache line of its own. All zero at the start. */
struct control {
    int32_t epoch; /* raised at each new work; sleeping workers wait on it */
    int32_t step;  /* number of the step x 16 + its threads */
    int32_t stopped;
    int32_t idle; /* workers asleep on epoch */
    int32_t line_0[12];
    int32_t arrived; /* at the barrier */
    int32_t line_1[15];
    int32_t generation; /* of the barrier */
    int32_t sleepers;   /* asleep on generation */
    int32_t patience;   /* how many long waits may still fail */
    int32_t line_2[13];
    int32_t next_tile; /* of this phase; back to 0 at the barrier */
    int32_t line_3[15];
    int32_t posted; /* repack jobs so far; job n lies in slot n % REPACK_JOBS */
    int32_t claimed;
    int32_t done; /* finished in order; thread 0's own */
    int32_t line_4[13];
    struct repack_job jobs[REPACK_JOBS];
};

#ifdef __wasm__
static inline void *at(int32_t address) { return (void *)(uintptr_t)(uint32_t)address; }
#else
extern uint8_t *linear_memory;
static inline void *at(int32_t address) { return linear_memory + (uint32_t)address; }
#endif

static inline float float_of(int32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t bits_of(float value) {
    int32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif
