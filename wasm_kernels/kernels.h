/* What the kernel files give to each other. The functions that JavaScript calls are in run.c,
 * threads.c and sample.c, marked EXPORT. */
#ifndef ONGLET_KERNELS_H
#define ONGLET_KERNELS_H

#include "program.h"
#include "vector.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name))) name
#else
#define EXPORT(name) name
#endif

/* Which form of the activations a matrix wants. */
enum activation_form { AS_BYTES = 1, AS_PAIRS = 2, AS_FLOATS = 4 };

/* One tile of activations; see struct activation_places for the layouts. */
struct activation {
    int8_t *bytes;
    int16_t *pairs;
    float *floats;
    float *scales;
    int16_t *sums;
    float *weighted;
    int32_t *extras;
};

/* elementwise.c */
float inverse_size(const float *values, float epsilon, int32_t columns);
void normalize(const float *input, const struct norm *norm, int32_t columns, float *output);
void quantize(const float *const values[], int32_t columns, int32_t forms, int32_t width,
              const struct activation *tile);
void embed(const struct program *program, const struct embed *step, int32_t thread);
void fill_angles(const struct program *program, const struct angles *step);
void add(const struct program *program, const struct add *step, int32_t thread);
void pool(const struct program *program, const struct pool *step);

/* unpack.c */
void unpack_row(const uint8_t *matrix, int32_t type, int32_t columns, int32_t row, float *output);

/* matvec.c */
enum dot probe_dot(void);

/* project.c */
void project(const struct program *program, const struct project *step, int32_t thread,
             int32_t threads, enum dot dot);

/* attention.c */
void attend(const struct program *program, const struct attend *step, int32_t thread,
            int32_t threads);
void merge_partials(const struct program *program, const struct project *step, float *output);

/* repack.c */
void repack(const struct repack_job *job);

/* threads.c */
struct control *control_of(const struct program *program);
void meet(struct control *control, int32_t threads);
int32_t draw_tile(struct control *control);

/* run.c */
void walk(struct program *program, int32_t thread, int32_t threads);

/* A thread's own copy of a scratch place. */
static inline void *own(const struct program *program, int32_t place, int32_t thread) {
    return (uint8_t *)at(place) + (size_t)thread * (size_t)program->own_stride;
}

static inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

#endif
