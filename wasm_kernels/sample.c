/* Chooses the next token from the first row of logits, which it changes in place.
 * In order: repetition penalty, temperature, min-p, top-k, top-p, then one draw. No sorting: top-k
 * and top-p cut the candidates where they must by quickselect. Knows no text and no grammar. */
#include "kernels.h"
#include "numbers.h"

/* Tokens less likely than e^-24 of the best one are left out: together they weigh nothing. */
#define FAINTEST -24.0f

static struct sampler *sampler_of(const struct program *program) { return at(program->sampler); }

/* PCG32 (O'Neill 2014): 32 random bits. */
static uint32_t random_bits(struct sampler *sampler) {
    uint64_t old = sampler->state;
    sampler->state = old * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t shifted = (uint32_t)((old >> 18 ^ old) >> 27), turns = (uint32_t)(old >> 59);
    return shifted >> turns | shifted << (-turns & 31);
}

static void reset(struct sampler *sampler) {
    sampler->accepted = 0;
    sampler->state = 0;
    random_bits(sampler);
    sampler->state += sampler->seed;
    random_bits(sampler);
}

/* Tells the sampler a token of the conversation, for the repetition penalty. Token -1 forgets all
 * and seeds the random numbers: call it after the settings were written. */
void EXPORT(accept)(struct program *program, int32_t token) {
    struct sampler *sampler = sampler_of(program);
    if (token < 0) {
        reset(sampler);
        return;
    }
    int32_t *recent = at(program->recent);
    recent[sampler->accepted % RECENT_LIMIT] = token;
    sampler->accepted++;
    if (sampler->accepted == 2 * RECENT_LIMIT)
        sampler->accepted = RECENT_LIMIT; /* same place in the ring, still full */
}

static float penalized(float logit, float penalty) {
    return logit > 0.0f ? logit / penalty : logit * penalty;
}

/* Each distinct token of the last repeat_last_n once. */
static void penalize_repeats(const struct program *program, float *logits) {
    struct sampler *sampler = sampler_of(program);
    const int32_t *recent = at(program->recent);
    uint8_t *seen = at(program->seen);
    int32_t count = smaller(smaller(sampler->repeat_last_n, sampler->accepted), RECENT_LIMIT);
    for (int32_t pass = 0; pass < 2; pass++)
        for (int32_t i = 1; i <= count; i++) {
            int32_t token = recent[(sampler->accepted - i) % RECENT_LIMIT];
            if (token >= program->vocabulary)
                continue;
            uint8_t bit = (uint8_t)(1 << token % 8);
            if (pass == 0 && !(seen[token / 8] & bit))
                logits[token] = penalized(logits[token], sampler->repeat_penalty);
            seen[token / 8] = (uint8_t)(pass == 0 ? seen[token / 8] | bit : seen[token / 8] & ~bit);
        }
}

/* The first of the greatest logits; NaN never wins. */
static int32_t best_token(const float *logits, int32_t vocabulary) {
    int32_t best = 0;
    for (int32_t token = 1; token < vocabulary; token++)
        if (logits[token] > logits[best] || logits[best] != logits[best])
            best = token;
    return best;
}

/* Fills candidates with the tokens within `faintest` of the best, weights e^(difference). */
static int32_t gather(const float *logits, int32_t vocabulary, float best, float temperature,
                      float faintest, struct candidate *candidates) {
    int32_t count = 0;
    float floor = best + faintest * temperature;
    for (int32_t token = 0; token < vocabulary; token++)
        if (logits[token] >= floor)
            candidates[count++].token = token;
    for (int32_t i = 0; i < count; i++)
        candidates[i].weight = exponential((logits[candidates[i].token] - best) / temperature);
    return count;
}

/* A total order: heavier first, then the smaller token. */
static bool before(struct candidate a, struct candidate b) {
    return a.weight > b.weight || (a.weight == b.weight && a.token < b.token);
}

static void swap(struct candidate *a, struct candidate *b) {
    struct candidate kept = *a;
    *a = *b;
    *b = kept;
}

static struct candidate median(struct candidate a, struct candidate b, struct candidate c) {
    if (before(a, b))
        return before(b, c) ? b : before(a, c) ? c : a;
    return before(a, c) ? a : before(b, c) ? c : b;
}

/* Moves those that come before a pivot to the front of low .. high - 1, the pivot after them.
 * Returns the pivot's place. */
static int32_t divide_candidates(struct candidate *candidates, int32_t low, int32_t high) {
    struct candidate pivot = median(candidates[low], candidates[low + (high - low) / 2],
                                    candidates[high - 1]);
    int32_t place = low;
    for (int32_t i = low; i < high; i++)
        if (before(candidates[i], pivot))
            swap(&candidates[place++], &candidates[i]);
    for (int32_t i = place; i < high; i++)
        if (candidates[i].token == pivot.token)
            swap(&candidates[place], &candidates[i]);
    return place;
}

/* Brings the `kept` first of the order to the front. */
static int32_t keep_top_k(struct candidate *candidates, int32_t count, int32_t kept) {
    if (kept <= 0 || kept >= count)
        return count;
    int32_t low = 0, high = count;
    while (high - low > 1) {
        int32_t place = divide_candidates(candidates, low, high);
        if (place == kept)
            break;
        if (place > kept)
            high = place;
        else
            low = place + 1;
    }
    return kept;
}

static double weight_of(const struct candidate *candidates, int32_t begin, int32_t end) {
    double weight = 0.0;
    for (int32_t i = begin; i < end; i++)
        weight += (double)candidates[i].weight;
    return weight;
}

/* Brings the fewest first of the order that together weigh at least top_p of the whole to the
 * front. */
static int32_t keep_top_p(struct candidate *candidates, int32_t count, float top_p) {
    if (!(top_p < 1.0f))
        return count;
    double wanted = weight_of(candidates, 0, count) * (double)top_p;
    int32_t low = 0, high = count; /* the answer is in low + 1 .. high */
    while (high - low > 1) {
        int32_t place = divide_candidates(candidates, low, high);
        double weight = weight_of(candidates, low, place);
        if (weight >= wanted && place > low) {
            high = place;
            continue;
        }
        weight += (double)candidates[place].weight;
        if (weight >= wanted)
            return place + 1;
        wanted -= weight;
        low = place + 1;
    }
    return high;
}

static int32_t draw(struct sampler *sampler, const struct candidate *candidates, int32_t count) {
    double left = weight_of(candidates, 0, count) * ((double)random_bits(sampler) / 4294967296.0);
    for (int32_t i = 0; i < count - 1; i++) {
        left -= (double)candidates[i].weight;
        if (left < 0.0)
            return candidates[i].token;
    }
    return candidates[count - 1].token;
}

/* The natural logarithm of p in (0, 1] by Newton's steps on the exponential. */
static float logarithm(float p) {
    float x = 0.0f;
    for (int32_t step = 0; step < 40; step++) {
        float grown = exponential(x);
        x += 2.0f * (p - grown) / (p + grown);
    }
    return x;
}

/* The next token, from the first row of logits. Does not accept it. */
int32_t EXPORT(sample)(struct program *program) {
    struct sampler *sampler = sampler_of(program);
    float *logits = at(program->logits);
    if (sampler->repeat_penalty > 0.0f && sampler->repeat_penalty != 1.0f)
        penalize_repeats(program, logits);
    int32_t best = best_token(logits, program->vocabulary);
    if (!(sampler->temperature > 0.0f))
        return best;
    float faintest = FAINTEST;
    if (sampler->min_p > 0.0f)
        faintest = greater(FAINTEST, logarithm(sampler->min_p < 1.0f ? sampler->min_p : 1.0f));
    struct candidate *candidates = at(program->candidates);
    int32_t count = gather(logits, program->vocabulary, logits[best], sampler->temperature,
                           faintest, candidates);
    if (count == 0) /* every logit is NaN, or the best one is infinite */
        return best;
    count = keep_top_k(candidates, count, sampler->top_k);
    count = keep_top_p(candidates, count, sampler->top_p);
    return draw(sampler, candidates, count);
}
