/* How threads find work and wait for each other: a pool of serving workers, one barrier, one
 * counter of tiles, one queue of repack jobs. A wait spins a little, then sleeps in a futex:
 * never a core burnt.
 *
 * To be woken from sleep takes a thread 5 to 50 us, the longer in a virtual machine; to spin is
 * waste when the other one has lost its core. So a wait is patient (some hundred us) while patience
 * lasts: each patient wait that ends in sleep takes one away, each step gives one back. A quiet
 * machine spins, a busy one sleeps after a microsecond. Knows nothing of what is computed. */
#ifdef __linux__
#define _GNU_SOURCE /* syscall, for the native tests */
#endif
#include "kernels.h"

enum { SPINS = 100, PATIENT_SPINS = 20000, PATIENCE = 16 };
enum { STEP_THREADS = 16 /* more than any number of threads */ };

#ifdef __wasm__
static void sleep_while(int32_t *word, int32_t value) {
    __builtin_wasm_memory_atomic_wait32(word, value, -1);
}
static void wake_all(int32_t *word) { __builtin_wasm_memory_atomic_notify(word, THREADS_LIMIT); }
#elif defined __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
static void sleep_while(int32_t *word, int32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL);
}
static void wake_all(int32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, THREADS_LIMIT); }
#else
#include <sched.h>
static void sleep_while(int32_t *word, int32_t value) {
    (void)word, (void)value;
    sched_yield();
}
static void wake_all(int32_t *word) { (void)word; }
#endif

static int32_t get(int32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static void set(int32_t *word, int32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
static int32_t atomic_add(int32_t *word, int32_t more) {
    return __atomic_fetch_add(word, more, __ATOMIC_SEQ_CST);
}

struct control *control_of(const struct program *program) { return at(program->control); }

/* Waits until *word is no longer `value`, awake: says whether it came to that. */
static bool spin(struct control *control, int32_t *word, int32_t value) {
    int32_t turns = get(&control->patience) > 0 ? PATIENT_SPINS : SPINS;
    for (int32_t turn = 0; turn < turns; turn++) {
        if (get(word) != value)
            return true;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    return false;
}

/* Waits until *word is no longer `value`, asleep; `sleepers` counts those whom a change must
 * wake. */
static void sleep_until_change(int32_t *word, int32_t value, int32_t *sleepers) {
    atomic_add(sleepers, 1);
    while (get(word) == value)
        sleep_while(word, value);
    atomic_add(sleepers, -1);
}

static void change(int32_t *word, int32_t value, int32_t *sleepers) {
    set(word, value);
    if (get(sleepers) != 0)
        wake_all(word);
}

/* The barrier: returns when all threads of the step have come. The last to come puts the counter
 * of tiles back to 0. With one thread it only does that. */
void meet(struct control *control, int32_t threads) {
    if (threads == 1) {
        control->next_tile = 0;
        return;
    }
    int32_t generation = get(&control->generation);
    if (atomic_add(&control->arrived, 1) + 1 < threads) {
        if (spin(control, &control->generation, generation))
            return;
        if (get(&control->patience) > 0)
            atomic_add(&control->patience, -1);
        sleep_until_change(&control->generation, generation, &control->sleepers);
        return;
    }
    set(&control->arrived, 0);
    set(&control->next_tile, 0);
    change(&control->generation, generation + 1, &control->sleepers);
}

/* The next tile of this phase that nobody has taken. */
int32_t draw_tile(struct control *control) { return atomic_add(&control->next_tile, 1); }

static void announce_work(struct control *control) {
    change(&control->epoch, get(&control->epoch) + 1, &control->idle);
}

/* Does one queued repack job if there is one; says whether it did. */
static bool do_repack_job(struct control *control) {
    int32_t claimed = get(&control->claimed);
    do {
        if (claimed == get(&control->posted))
            return false;
    } while (!__atomic_compare_exchange_n(&control->claimed, &claimed, claimed + 1, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    struct repack_job *job = &control->jobs[(uint32_t)claimed % REPACK_JOBS];
    repack(job);
    set(&job->finished, 1);
    return true;
}

/* Does one queued repack job on the calling thread. Returns 1, or 0 if there was none. */
int32_t EXPORT(repack_help)(struct program *program) { return do_repack_job(control_of(program)); }

/* How many repack jobs are finished, counted in the order they were posted: the source bytes of
 * the first n jobs may be overwritten once this says n. Called by thread 0 only. */
int32_t EXPORT(repacks_done)(struct program *program) {
    struct control *control = control_of(program);
    while (control->done != control->posted &&
           get(&control->jobs[(uint32_t)control->done % REPACK_JOBS].finished))
        control->done++;
    return control->done;
}

/* Queues a job (struct repack_job says what the numbers mean) and wakes the pool. When the queue is
 * full, works on it first. Called by thread 0 only. Returns the job's number, from 1. */
int32_t EXPORT(post_repack)(struct program *program, int32_t threads, int32_t type, int32_t columns,
                            int32_t rows, int32_t first_row, int32_t pattern, int32_t source,
                            int32_t target) {
    struct control *control = control_of(program);
    while (control->posted - repacks_done(program) >= REPACK_JOBS)
        do_repack_job(control);
    struct repack_job *job = &control->jobs[(uint32_t)control->posted % REPACK_JOBS];
    *job = (struct repack_job){type, columns, rows, first_row, pattern, source, target, 0};
    atomic_add(&control->posted, 1);
    if (threads > 1)
        announce_work(control);
    return control->posted;
}

/* A step beyond the places that were laid out would write over its neighbours: traps instead. */
static void check_step(const struct program *program) {
    bool fits = program->count >= 1 && program->count <= program->chunk && program->position >= 0 &&
                program->position <= program->context - program->count &&
                program->logits_rows >= 0 && program->logits_rows <= program->logits_limit;
    if (!fits)
        __builtin_trap();
}

/* Runs one step on this thread and on the `threads - 1` workers that serve. */
void EXPORT(step)(struct program *program, int32_t threads) {
    struct control *control = control_of(program);
    check_step(program);
    if (threads > 1) {
        set(&control->patience, smaller(PATIENCE, larger(0, get(&control->patience)) + 1));
        uint32_t number = (uint32_t)get(&control->step) / STEP_THREADS + 1;
        set(&control->step, (int32_t)(number * STEP_THREADS) + threads);
        announce_work(control);
    }
    walk(program, 0, threads);
}

/* The life of a kernel worker: steps and repack jobs until `stop`. A worker that begins to serve
 * after a step was announced still takes part in it: thread 0 is waiting at the barrier. */
void EXPORT(serve)(struct program *program, int32_t thread) {
    struct control *control = control_of(program);
    int32_t seen_step = 0;
    for (;;) {
        int32_t epoch = get(&control->epoch), step = get(&control->step);
        int32_t threads = step % STEP_THREADS;
        if (get(&control->stopped))
            return;
        if (step != seen_step) {
            seen_step = step;
            if (thread < threads)
                walk(program, thread, threads);
        } else if (!do_repack_job(control) && !spin(control, &control->epoch, epoch)) {
            sleep_until_change(&control->epoch, epoch, &control->idle);
        }
    }
}

/* Ends the pool: every `serve` returns. */
void EXPORT(stop)(struct program *program, int32_t threads) {
    struct control *control = control_of(program);
    set(&control->stopped, 1);
    if (threads > 1)
        announce_work(control);
}
