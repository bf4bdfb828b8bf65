#include "memory.h"

#include <stdlib.h>

enum { BUFFER_FIRST_BYTES = 256, ARENA_BLOCK_BYTES = 16384 };

void *memory_resize(struct memory *memory, void *block, size_t size) {
    void *resized = realloc(block, size ? size : 1);
    if (!resized) longjmp(memory->exhausted, 1);
    return resized;
}

void buffer_grow(struct buffer *buffer, size_t more) {
    size_t needed = buffer->length + more;
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_BYTES;
    while (capacity < needed) capacity += capacity / 2;
    buffer->data = memory_resize(buffer->memory, buffer->data, capacity);
    buffer->capacity = capacity;
}

void buffer_free(struct buffer *buffer) {
    free(buffer->data);
    buffer->data = NULL;
    buffer->length = buffer->capacity = 0;
}

struct column_buffer buffer_hand_over(struct buffer *buffer) {
    uint8_t *cut = realloc(buffer->data, buffer->length ? buffer->length : 1);
    struct column_buffer column = {cut ? cut : buffer->data, (int64_t)buffer->length};
    buffer->data = NULL;
    buffer->length = buffer->capacity = 0;
    return column;
}

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    uint8_t bytes[];
};

uint8_t *arena_take(struct arena *arena, size_t size) {
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = memory_resize(arena->memory, NULL, sizeof *block + room);
        block->next = arena->blocks;
        block->used = 0;
        block->size = room;
        arena->blocks = block;
    }
    uint8_t *taken = block->bytes + block->used;
    block->used += size;
    return taken;
}

void arena_reset(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    if (!block) return;
    if (!block->next && block->size == ARENA_BLOCK_BYTES) {
        block->used = 0;
        return;
    }
    arena_free(arena);
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

static uint64_t hash_seed = 0x9E3779B97F4A7C15u;

EXPORT void kernel_seed(uint64_t seed) { hash_seed ^= seed; }

EXPORT void kernel_release(void *block) { free(block); }

static inline uint64_t fold(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)(a ^ 0xA0761D6478BD642Fu) * (b ^ 0xE7037ED1A0B428DBu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(const uint8_t *bytes, size_t length) {
    uint64_t hash = hash_seed ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = fold(hash, word);
        bytes += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    if (length) memcpy(&rest, bytes, length);
    return fold(fold(hash, rest), hash_seed);
}
