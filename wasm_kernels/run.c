/* Walks a program: every thread of a step goes through the same operations and meets the others
 * after each. Knows the kinds of operations, nothing of what they compute. */
#include "kernels.h"

static const void *operation_at(const struct program *program, int32_t index) {
    const int32_t *words = (const int32_t *)(program + 1);
    return words + (size_t)index * OPERATION_WORDS;
}

/* One step: program->count tokens at program->position, on one of its threads. Writes the cache of
 * keys and values, and the logits of the last logits_rows tokens. */
void walk(struct program *program, int32_t thread, int32_t threads) {
    struct control *control = control_of(program);
    enum dot dot = probe_dot();
    for (int32_t index = 0; index < program->operations; index++) {
        const void *operation = operation_at(program, index);
        switch (*(const int32_t *)operation) {
        case EMBED: embed(program, operation, thread); break;
        case ANGLES: fill_angles(program, operation); break;
        case PROJECT: project(program, operation, thread, threads, dot); break;
        case ATTEND: attend(program, operation, thread, threads); break;
        case ADD: add(program, operation, thread); break;
        case POOL: pool(program, operation); break;
        }
        meet(control, threads);
    }
}
