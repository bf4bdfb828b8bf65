/* The different words of one row group by their hashes, and the filter that is made of them. */
#ifndef TOKEN_SET_H
#define TOKEN_SET_H

#include "memory.h"

enum { RECENT_BITS = 12, PENDING_MAX = 64 };

struct token_set {
    struct memory *memory;
    uint64_t *slots; /* hashes, none of which is 0; there is room for all that are pending */
    size_t size, count;
    uint64_t pending[PENDING_MAX]; /* on their way into the set, their places there being fetched from memory */
    size_t pending_slots[PENDING_MAX];
    size_t pending_count;
    uint64_t recent[1 << RECENT_BITS]; /* words seen last: most come again soon */
    struct buffer hashes;              /* one after the other */
};

/* `set` is all zero. */
void token_set_init(struct token_set *set, struct memory *memory);
void token_set_free(struct token_set *set);

/* Empties the set, and makes it no larger than a group like the last one needs. */
void token_set_clear(struct token_set *set);

/* Appends the filter of all that were noted; nothing, where none was. */
void token_set_append_filter(struct token_set *set, struct buffer *content);

void token_set_put_pending(struct token_set *set);

/* Where a hash belongs, unless that is taken by another; nobody can send words that crowd there. */
static inline size_t token_slot(const struct token_set *set, uint64_t hash) {
    return (size_t)hash_bytes((const uint8_t *)&hash, sizeof hash) & (set->size - 1);
}

static inline void token_set_note(struct token_set *set, uint64_t hash) {
    hash += hash == 0;
    uint64_t *recent = &set->recent[hash >> (64 - RECENT_BITS)];
    if (*recent == hash) return;
    *recent = hash;
    size_t slot = token_slot(set, hash), pending = set->pending_count++;
    __builtin_prefetch(set->slots + slot, 1);
    set->pending[pending] = hash;
    set->pending_slots[pending] = slot;
    if (pending == PENDING_MAX - 1) token_set_put_pending(set);
}

#endif
