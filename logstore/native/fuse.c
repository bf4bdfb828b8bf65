#include "fuse.h"

#include <stdlib.h>

#include "bloom.h"
#include "mix.h"

enum { HEAD_BYTES = 8, PLACES = 3, FINGERPRINT_BITS = 12, SEEDS_MAX = 64, SEGMENT_BITS_MAX = 18 };
enum { WORDS_MAX = 1 << 19 }; /* for which it takes 30 MB of memory to find one */

/* As many segments as places of a word begin in, and two more. */
struct shape {
    uint32_t seed, segments;
    int bits;
};

static inline uint64_t length_of(const struct shape *shape) { return ((uint64_t)shape->segments + 2) << shape->bits; }

static inline size_t padded(size_t size) { return size + (size % BLOOM_BLOCK_BYTES == 0); }

static inline size_t size_of(const struct shape *shape) {
    uint64_t length = length_of(shape);
    return padded(HEAD_BYTES + length + (length + 1) / 2);
}

static inline uint64_t seeded(uint64_t hash, uint32_t seed) {
    return mix(hash ^ 0xA0761D6478BD642Fu, ((uint64_t)seed << 32 | seed) ^ 0xE7037ED1A0B428DBu);
}

static inline uint16_t fingerprint(uint64_t hash) { return (hash ^ hash >> 32) & ((1 << FINGERPRINT_BITS) - 1); }

static inline void places_of(const struct shape *shape, uint64_t hash, uint32_t places[PLACES]) {
    uint64_t begins = (uint64_t)shape->segments << shape->bits;
    uint32_t segment = UINT32_C(1) << shape->bits, mask = segment - 1;
    places[0] = (uint32_t)((unsigned __int128)hash * begins >> 64);
    places[1] = (places[0] + segment) ^ ((uint32_t)(hash >> 18) & mask);
    places[2] = (places[0] + 2 * segment) ^ ((uint32_t)hash & mask);
}

/* About the paper's sizes: 1.125 places a word or, where these are few, up to twice as many. Segments are half as large,
 * so that less is left over in the last one: one set in twenty takes a second seed. */
static struct shape shape_for(size_t count) {
    struct shape shape = {.bits = 2};
    double words = (double)count, logarithm = 1;
    for (double power = 3.33 * 0.75; power * 3.33 <= words && shape.bits < SEGMENT_BITS_MAX; power *= 3.33) shape.bits++;
    for (double left = words; left > 2.718281828; left /= 2.718281828) logarithm++;
    double factor = 0.875 + 3.6 / logarithm;
    uint64_t length = (uint64_t)(words * (factor > 1.125 ? factor : 1.125)) + 1;
    uint64_t segments = (length + (UINT64_C(1) << shape.bits) - 1) >> shape.bits;
    shape.segments = segments > 3 ? (uint32_t)segments - 2 : 1;
    return shape;
}

/* What is needed to find the order in which words are taken out, each where it is the only one of a place. */
struct workspace {
    uint64_t *sums;   /* of each place: its words' hashes, xor-ed */
    uint32_t *counts; /* and how many there are */
    uint32_t *queue;  /* places that may have one word */
    uint64_t *taken;  /* hashes of words in the order in which they are taken out */
    uint32_t *taken_at;
    uint16_t *values;
};

static int make_room(struct workspace *w, uint64_t length, size_t count) {
    w->sums = malloc(length * sizeof *w->sums);
    w->counts = malloc(length * sizeof *w->counts);
    w->queue = malloc((length + PLACES * count) * sizeof *w->queue);
    w->taken = malloc(count * sizeof *w->taken);
    w->taken_at = malloc(count * sizeof *w->taken_at);
    w->values = malloc(length * sizeof *w->values);
    return w->sums && w->counts && w->queue && w->taken && w->taken_at && w->values;
}

static void free_all(struct workspace *w) {
    free(w->sums);
    free(w->counts);
    free(w->queue);
    free(w->taken);
    free(w->taken_at);
    free(w->values);
}

static void fill(const struct workspace *w, const struct shape *shape, const uint64_t *hashes, size_t count) {
    uint64_t length = length_of(shape);
    memset(w->sums, 0, length * sizeof *w->sums);
    memset(w->counts, 0, length * sizeof *w->counts);
    for (size_t i = 0; i < count; i++) {
        uint32_t places[PLACES];
        uint64_t hash = seeded(hashes[i], shape->seed);
        places_of(shape, hash, places);
        for (int k = 0; k < PLACES; k++) {
            w->sums[places[k]] ^= hash;
            w->counts[places[k]]++;
        }
    }
}

/* How many words can be taken out one after the other. */
static size_t take_out(const struct workspace *w, const struct shape *shape) {
    size_t queued = 0, taken = 0;
    for (uint32_t place = 0; place < length_of(shape); place++) {
        w->queue[queued] = place;
        queued += w->counts[place] == 1;
    }
    while (queued) {
        uint32_t place = w->queue[--queued], places[PLACES];
        if (w->counts[place] != 1) continue;
        uint64_t hash = w->sums[place];
        w->taken[taken] = hash;
        w->taken_at[taken++] = place;
        places_of(shape, hash, places);
        for (int k = 0; k < PLACES; k++) {
            w->sums[places[k]] ^= hash;
            w->queue[queued] = places[k];
            queued += --w->counts[places[k]] == 1;
        }
    }
    return taken;
}

/* The last that was taken out first: its place is no other's of those that come after it. */
static void assign(const struct workspace *w, const struct shape *shape, size_t count) {
    memset(w->values, 0, length_of(shape) * sizeof *w->values);
    for (size_t i = count; i-- > 0;) {
        uint32_t places[PLACES];
        places_of(shape, w->taken[i], places);
        w->values[w->taken_at[i]] =
            fingerprint(w->taken[i]) ^ w->values[places[0]] ^ w->values[places[1]] ^ w->values[places[2]];
    }
}

static void write_filter(struct buffer *content, const struct shape *shape, const uint16_t *values) {
    uint64_t length = length_of(shape);
    size_t size = size_of(shape);
    uint8_t *at = buffer_reserve(content, size);
    memset(at, 0, size);
    memcpy(at, &shape->seed, sizeof shape->seed);
    at[4] = (uint8_t)shape->segments, at[5] = (uint8_t)(shape->segments >> 8), at[6] = (uint8_t)shape->bits;
    uint8_t *upper = at + HEAD_BYTES + length;
    for (uint64_t i = 0; i < length; i++) {
        at[HEAD_BYTES + i] = (uint8_t)values[i];
        upper[i / 2] |= (uint8_t)(values[i] >> 8 << (i % 2 * 4));
    }
    content->length += size;
}

int fuse_append(struct buffer *content, const uint64_t *hashes, size_t count) {
    if (count > WORDS_MAX) return 0;
    struct shape shape = shape_for(count);
    struct workspace w = {0};
    buffer_reserve(content, size_of(&shape)); /* before there is something to free: it may not return */
    int is_found = 0;
    if (make_room(&w, length_of(&shape), count)) {
        for (; !is_found && shape.seed < SEEDS_MAX; shape.seed += !is_found) {
            fill(&w, &shape, hashes, count);
            is_found = take_out(&w, &shape) == count;
        }
    }
    if (is_found) {
        assign(&w, &shape, count);
        write_filter(content, &shape, w.values);
    }
    free_all(&w);
    return is_found;
}

int fuse_may_hold(const uint8_t *filter, size_t size, uint64_t hash) {
    struct shape shape;
    if (size < HEAD_BYTES) return 1;
    memcpy(&shape.seed, filter, sizeof shape.seed);
    shape.segments = filter[4] | (uint32_t)filter[5] << 8;
    shape.bits = filter[6];
    if (!shape.segments || shape.bits > SEGMENT_BITS_MAX || size != size_of(&shape)) return 1;
    uint32_t places[PLACES];
    uint64_t mixed = seeded(hash, shape.seed);
    const uint8_t *lower = filter + HEAD_BYTES, *upper = lower + length_of(&shape);
    places_of(&shape, mixed, places);
    uint16_t found = fingerprint(mixed);
    for (int k = 0; k < PLACES; k++) {
        found ^= lower[places[k]] | (uint16_t)((upper[places[k] / 2] >> (places[k] % 2 * 4) & 15) << 8);
    }
    return found == 0;
}
