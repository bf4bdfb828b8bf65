/* Growable buffers and a bump allocator. There is one way to run out of memory: a jump to the kernel's entry,
 * which frees everything and returns KERNEL_OUT_OF_MEMORY; so nothing in between checks for it. */
#ifndef MEMORY_H
#define MEMORY_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum kernel_status { KERNEL_OK, KERNEL_OUT_OF_MEMORY, KERNEL_REFUSED, KERNEL_TOO_MANY_RECORDS };

struct memory {
    jmp_buf exhausted;
};

/* realloc that jumps instead of returning NULL. */
void *memory_resize(struct memory *memory, void *block, size_t size);

struct buffer {
    struct memory *memory;
    uint8_t *data;
    size_t length;
    size_t capacity;
};

void buffer_grow(struct buffer *buffer, size_t more);
void buffer_free(struct buffer *buffer);

/* The end of the content, with room for `more` bytes. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->length < more) buffer_grow(buffer, more);
    return buffer->data + buffer->length;
}

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t count) {
    if (count == 0) return;
    memcpy(buffer_reserve(buffer, count), bytes, count);
    buffer->length += count;
}

static inline void buffer_byte(struct buffer *buffer, uint8_t byte) {
    *buffer_reserve(buffer, 1) = byte;
    buffer->length += 1;
}

static inline void buffer_int32(struct buffer *buffer, int32_t number) {
    memcpy(buffer_reserve(buffer, sizeof number), &number, sizeof number);
    buffer->length += sizeof number;
}

static inline void buffer_int64(struct buffer *buffer, int64_t number) {
    memcpy(buffer_reserve(buffer, sizeof number), &number, sizeof number);
    buffer->length += sizeof number;
}

/* Appends one bit to a bitmap whose number of bits so far is `position`. */
static inline void buffer_bit(struct buffer *buffer, int64_t position, int bit) {
    if (position % 8 == 0) buffer_byte(buffer, 0);
    if (bit) buffer->data[position / 8] |= (uint8_t)(1u << (position % 8));
}

struct arena_block;

/* Memory that never moves and is taken back all at once. */
struct arena {
    struct memory *memory;
    struct arena_block *blocks;
};

uint8_t *arena_take(struct arena *arena, size_t size);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

/* What a kernel hands to Python: freed by kernel_release. */
struct column_buffer {
    uint8_t *data;
    int64_t length;
};

/* Moves the content out, cut to its length. */
struct column_buffer buffer_hand_over(struct buffer *buffer);

/* A hash of all bytes, seeded once per process, so that nobody can send colliding keys. */
uint64_t hash_bytes(const uint8_t *bytes, size_t length);

#endif
