/* Messages of Fluent forward that hold one record each, as many as are complete and have one tag, as one message with
 * all their entries: `[tag, time, record]`, and with an option that says nothing. */
#include <stdlib.h>

#include "memory.h"
#include "msgpack.h"

enum { TAG_MAX_BYTES = 1024 };

static int is_time(enum kind kind) {
    return kind == UNSIGNED || kind == SIGNED || kind == REAL || kind == EXTENSION;
}

/* Appends the entry of the message at `at` and returns the message's end; NULL if it is not all there, is of another
 * kind or has another tag. The first one's tag is taken. */
static const uint8_t *append_message(struct buffer *entries, const uint8_t *at, const uint8_t *end,
                                     const uint8_t **tag, size_t *tag_length) {
    struct value message, value;
    const uint8_t *tag_at = read_value(at, end, &message);
    if (!tag_at || message.kind != ARRAY || message.size < 3 || message.size > 4) return NULL;
    const uint8_t *time_at = read_value(tag_at, end, &value);
    if (!time_at || (value.kind != STRING && value.kind != BINARY) || value.size > TAG_MAX_BYTES) return NULL;
    size_t length = (size_t)(time_at - tag_at);
    if (*tag && (length != *tag_length || memcmp(tag_at, *tag, length))) return NULL;
    const uint8_t *record_at = read_value(time_at, end, &value);
    if (!record_at || !is_time(value.kind)) return NULL;
    if (!read_value(record_at, end, &value) || value.kind != MAP) return NULL;
    const uint8_t *record_end = skip_value(record_at, end, 0);
    if (!record_end) return NULL;
    if (message.size == 4) {
        at = read_value(record_end, end, &value);
        if (!at || (value.kind != NIL && (value.kind != MAP || value.size))) return NULL;
    } else {
        at = record_end;
    }
    *tag = tag_at, *tag_length = length;
    buffer_byte(entries, 0x92);
    buffer_append(entries, time_at, (size_t)(record_end - time_at));
    return at;
}

struct joiner {
    struct memory memory;
    struct buffer entries, tag;
};

/* How many bytes were read, perhaps none; the tag is the value's bytes, head included. */
EXPORT int32_t kernel_forward_messages(const uint8_t *bytes, int64_t length, int64_t *read, struct column_buffer *tag,
                                       struct column_buffer *entries) {
    struct joiner *joined = calloc(1, sizeof *joined);
    if (!joined) return KERNEL_OUT_OF_MEMORY;
    joined->entries.memory = joined->tag.memory = &joined->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(joined->memory.exhausted) == 0) {
        const uint8_t *at = bytes, *end = bytes + length, *next, *name = NULL;
        size_t name_length = 0;
        while (at < end && (next = append_message(&joined->entries, at, end, &name, &name_length))) at = next;
        if (name) buffer_append(&joined->tag, name, name_length);
        *read = at - bytes;
        status = name ? KERNEL_OK : KERNEL_REFUSED;
        if (name) {
            *tag = buffer_hand_over(&joined->tag);
            *entries = buffer_hand_over(&joined->entries);
        }
    }
    buffer_free(&joined->entries);
    buffer_free(&joined->tag);
    free(joined);
    return status;
}
