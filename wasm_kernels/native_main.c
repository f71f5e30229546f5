/* Runs the kernels natively for the tests, under sanitizers: a linear memory and calls into the
 * kernels, driven by commands on standard input (tests/kernels/machines.py is the other side).
 * All buffers live in one memory, so everything outside the places that the driver names is
 * poisoned. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#endif

void step(struct program *program, int32_t threads);
void serve(struct program *program, int32_t thread);
void stop(struct program *program, int32_t threads);
int32_t post_repack(struct program *program, int32_t threads, int32_t type, int32_t columns,
                    int32_t rows, int32_t first_row, int32_t pattern, int32_t source,
                    int32_t target);
int32_t repacks_done(struct program *program);
int32_t repack_help(struct program *program);
int32_t sample(struct program *program);
void accept(struct program *program, int32_t token);

uint8_t *linear_memory;
enum dot native_dot;
static int32_t program_address;
static pthread_t workers[THREADS_LIMIT];

static void receive(void *to, size_t size) {
    if (size != 0 && fread(to, 1, size, stdin) != size)
        exit(1);
}

static void answer(const void *from, size_t size) {
    if (fwrite(from, 1, size, stdout) != size || fflush(stdout) != 0)
        exit(1);
}

static void *work(void *thread) {
    serve(at(program_address), (int32_t)(intptr_t)thread);
    return NULL;
}

static void start_workers(int32_t threads) {
    for (intptr_t thread = 1; thread < threads; thread++)
        if (pthread_create(&workers[thread], NULL, work, (void *)thread) != 0)
            exit(1);
}

static void stop_workers(int32_t threads) {
    stop(at(program_address), threads);
    for (int32_t thread = 1; thread < threads; thread++)
        pthread_join(workers[thread], NULL);
}

/* A call: its name's first letter, its numbers, and an answer of one number. */
static int32_t call(char name, const int32_t *a) {
    struct program *program = at(program_address);
    switch (name) {
    case 'w': start_workers(a[0]); return 0;
    case 'x': stop_workers(a[0]); return 0;
    case 's': step(program, a[0]); return 0;
    case 'p': return post_repack(program, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    case 'd': return repacks_done(program);
    case 'h': return repack_help(program);
    case 'c': return sample(program);
    case 'a': accept(program, a[0]); return 0;
    default: exit(1);
    }
}

static void new_memory(uint32_t size, int32_t program) {
    free(linear_memory);
    linear_memory = aligned_alloc(64, size);
    if (!linear_memory)
        exit(1);
    __builtin_memset(linear_memory, 0, size);
    ASAN_POISON_MEMORY_REGION(linear_memory, size);
    program_address = program;
}

/* The argument is the kind of machine to be, a number of enum dot.
 * Each command: a letter, then numbers of 32 bits; see the other side for the table. */
int main(int count, char **arguments) {
    native_dot = (enum dot)(count > 1 ? atoi(arguments[1]) : 0);
    for (int letter; (letter = getchar()) != EOF;) {
        int32_t numbers[9];
        receive(numbers, sizeof numbers);
        uint8_t *place = linear_memory + (uint32_t)numbers[0];
        uint32_t size = (uint32_t)numbers[1];
        if (letter == 'M') {
            new_memory(size, numbers[0]);
        } else if (letter == 'O') {
            ASAN_UNPOISON_MEMORY_REGION(place, size);
        } else if (letter == 'P') {
            ASAN_POISON_MEMORY_REGION(place, size);
        } else if (letter == 'W') {
            receive(place, size);
        } else if (letter == 'R') {
            answer(place, size);
        } else {
            int32_t result = call((char)letter, numbers);
            answer(&result, sizeof result);
        }
    }
    return 0;
}
