#include "token_set.h"

#include <stdlib.h>

#include "bloom.h"
#include "fuse.h"

/* BITS_PER_WORD: 0.18 % of the words that a Bloom filter does not hold are taken for held. */
enum { BITS_PER_WORD = 15, SET_FIRST = 1024 };

static inline void put(struct token_set *set, size_t slot, uint64_t hash) {
    while (set->slots[slot] && set->slots[slot] != hash) slot = (slot + 1) & (set->size - 1);
    set->count += set->slots[slot] == 0;
    set->slots[slot] = hash;
}

static void widen(struct token_set *set) {
    uint64_t *old = set->slots;
    size_t old_size = set->size, size = old_size ? old_size * 2 : SET_FIRST;
    set->slots = memory_resize(set->memory, NULL, size * sizeof *set->slots);
    set->size = size;
    set->count = 0;
    memset(set->slots, 0, size * sizeof *set->slots);
    for (size_t i = 0; i < old_size; i++) {
        if (old[i]) put(set, token_slot(set, old[i]), old[i]);
    }
    free(old);
}

void token_set_init(struct token_set *set, struct memory *memory) {
    set->memory = set->hashes.memory = memory;
    widen(set);
}

void token_set_free(struct token_set *set) {
    buffer_free(&set->hashes);
    free(set->slots);
}

void token_set_put_pending(struct token_set *set) {
    for (size_t i = 0; i < set->pending_count; i++) put(set, set->pending_slots[i], set->pending[i]);
    set->pending_count = 0;
    if ((set->count + PENDING_MAX) * 2 > set->size) widen(set);
}

void token_set_clear(struct token_set *set) {
    size_t size = SET_FIRST;
    while (size < set->size && size < set->count * 4) size *= 2;
    set->size = size;
    set->count = set->pending_count = 0;
    memset(set->slots, 0, size * sizeof *set->slots);
    memset(set->recent, 0, sizeof set->recent);
}

/* In the place of a fuse filter, where none is found. */
static void append_bloom(const struct token_set *set, struct buffer *content, const uint64_t *hashes) {
    uint64_t blocks = (set->count * BITS_PER_WORD + BLOOM_BLOCK_BITS - 1) / BLOOM_BLOCK_BITS;
    uint8_t *filter = buffer_reserve(content, blocks * BLOOM_BLOCK_BYTES);
    memset(filter, 0, blocks * BLOOM_BLOCK_BYTES);
    for (size_t i = 0; i < set->count; i++) bloom_add(filter, blocks, hashes[i]);
    content->length += blocks * BLOOM_BLOCK_BYTES;
}

void token_set_append_filter(struct token_set *set, struct buffer *content) {
    token_set_put_pending(set);
    if (!set->count) return;
    uint64_t *hashes = (uint64_t *)buffer_reserve(&set->hashes, (set->count + 1) * sizeof *hashes);
    for (size_t i = 0, next = 0; i < set->size; i++) {
        hashes[next] = set->slots[i];
        next += set->slots[i] != 0;
    }
    if (!fuse_append(content, hashes, set->count)) append_bloom(set, content, hashes);
}
