/* Entries of Fluent forward, `[time, record]` in MessagePack one after the other, as JSON documents, one a line: what
 * is common is written here in one pass. Entries with anything else among them are refused, and read by the exact way
 * (ingest/protocols/forward/documents.py), which says the same of all that is taken here. */
#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "msgpack.h"
#include "number.h"
#include "timestamp.h"
#include "utf8.h"

enum { DEPTH_MAX = 60, TIME_TEXT_MAX = 64 };
#define MARK_SECONDS UINT64_C(0xFFFFFFFE) /* from here on, a time marks a group */

struct forward_request {
    const uint8_t *entries;
    int64_t length;
    const uint8_t *origin; /* a member that tells where records come from that do not say it themselves, or nothing */
    int64_t origin_length;
    int64_t line_bytes; /* what a line counts for besides its own */
    int64_t max_bytes;
    int64_t max_lines;
};

/* The last `kubernetes` map: records of one pod, which say the same each time, follow each other. */
struct last_map {
    const uint8_t *content;
    size_t length;
    size_t text_at, text_length; /* its JSON text in what was written */
};

struct writer {
    struct memory memory;
    const uint8_t *end;
    struct buffer out, time;
    struct last_map last;
};

static int is_text(const struct value *value, const char *text) {
    size_t length = strlen(text);
    return value->size == length && memcmp(value->content, text, length) == 0;
}

/* In quotes. Bytes that are no UTF-8 stand as they are. */
static void append_string(struct buffer *out, const uint8_t *at, size_t length) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *end = at + length, *from = at;
    buffer_byte(out, '"');
    for (; at < end; at++) {
        if (*at >= 0x20 && *at != '"' && *at != '\\') continue;
        buffer_append(out, from, (size_t)(at - from));
        from = at + 1;
        if (*at == '\n') {
            buffer_append(out, "\\n", 2);
        } else if (*at >= 0x20) {
            buffer_byte(out, '\\');
            buffer_byte(out, *at);
        } else {
            const char escaped[] = {'\\', 'u', '0', '0', digits[*at >> 4], digits[*at & 15]};
            buffer_append(out, escaped, sizeof escaped);
        }
    }
    buffer_append(out, from, (size_t)(end - from));
    buffer_byte(out, '"');
}

static void append_unsigned(struct buffer *out, uint64_t number) {
    char text[NUMBER_TEXT_MAX];
    int at = NUMBER_TEXT_MAX;
    do text[--at] = (char)('0' + number % 10);
    while (number /= 10);
    buffer_append(out, text + at, (size_t)(NUMBER_TEXT_MAX - at));
}

static void append_signed(struct buffer *out, int64_t number) {
    uint8_t *to = buffer_reserve(out, NUMBER_TEXT_MAX);
    out->length = (size_t)(number_print_integer(to, number) - out->data);
}

static int append_real(struct buffer *out, double real) {
    if (!isfinite(real) || !number_is_plain(real)) return 0;
    uint8_t *to = buffer_reserve(out, NUMBER_TEXT_MAX);
    out->length = (size_t)(number_print_double(to, real) - out->data);
    return 1;
}

static const uint8_t *append_value(struct writer *writer, const uint8_t *at, int depth);

static const uint8_t *append_array(struct writer *writer, const uint8_t *at, uint64_t members, int depth) {
    buffer_byte(&writer->out, '[');
    for (uint64_t i = 0; at && i < members; i++) {
        if (i) buffer_byte(&writer->out, ',');
        at = append_value(writer, at, depth + 1);
    }
    buffer_byte(&writer->out, ']');
    return at;
}

/* A key, if it is a string, and the colon after it. */
static const uint8_t *append_key(struct writer *writer, const uint8_t *at, struct value *key) {
    at = read_value(at, writer->end, key);
    if (!at || key->kind != STRING || !utf8_is_valid(key->content, key->content + key->size)) return NULL;
    append_string(&writer->out, key->content, key->size);
    buffer_byte(&writer->out, ':');
    return at;
}

static const uint8_t *append_map(struct writer *writer, const uint8_t *at, uint64_t members, int depth) {
    struct value key;
    buffer_byte(&writer->out, '{');
    for (uint64_t i = 0; at && i < members; i++) {
        if (i) buffer_byte(&writer->out, ',');
        if ((at = append_key(writer, at, &key))) at = append_value(writer, at, depth + 1);
    }
    buffer_byte(&writer->out, '}');
    return at;
}

/* Returns the end of the value, or NULL for what is left to the exact way. */
static const uint8_t *append_value(struct writer *writer, const uint8_t *at, int depth) {
    struct value value;
    struct buffer *out = &writer->out;
    if (depth > DEPTH_MAX || !(at = read_value(at, writer->end, &value))) return NULL;
    switch (value.kind) {
    case NIL: buffer_append(out, "null", 4); return at;
    case BOOLEAN: buffer_append(out, value.size ? "true" : "false", value.size ? 4 : 5); return at;
    case UNSIGNED: append_unsigned(out, value.size); return at;
    case SIGNED: append_signed(out, (int64_t)value.size); return at;
    case REAL: return append_real(out, value.real) ? at : NULL;
    case STRING:
    case BINARY:
        if (!utf8_is_valid(value.content, value.content + value.size)) return NULL;
        append_string(out, value.content, value.size);
        return at;
    case ARRAY: return append_array(writer, at, value.size, depth);
    case MAP: return append_map(writer, at, value.size, depth);
    default: return NULL;
    }
}

/* The member of the time, and the time itself where it is an EventTime: else -1. */
static const uint8_t *read_time(struct writer *writer, const uint8_t *at, struct buffer *member, int64_t *time_ns) {
    struct value time, metadata;
    member->length = 0;
    *time_ns = -1;
    buffer_append(member, "\"@timestamp\":", 13);
    if (!(at = read_value(at, writer->end, &time))) return NULL;
    if (time.kind == ARRAY) {
        if (time.size != 2 || !(at = read_value(at, writer->end, &time))) return NULL;
        if (!(at = read_value(at, writer->end, &metadata)) || metadata.kind != MAP || metadata.size) return NULL;
    }
    if (time.kind == UNSIGNED || time.kind == SIGNED) {
        if (time.size == 0) buffer_append(member, "null", 4);
        else if (time.kind == SIGNED) append_signed(member, (int64_t)time.size);
        else append_unsigned(member, time.size);
        return at;
    }
    if (time.kind != EXTENSION || time.type != 0 || time.size != 8) return NULL;
    uint64_t seconds = big_endian(time.content, 4), nanos = big_endian(time.content + 4, 4);
    if (seconds >= MARK_SECONDS || nanos >= NS_PER_S) return NULL;
    *time_ns = (int64_t)seconds * NS_PER_S + (int64_t)nanos;
    append_unsigned(member, seconds);
    buffer_byte(member, '.');
    for (uint64_t digit = NS_PER_S / 10; digit; digit /= 10) buffer_byte(member, (uint8_t)('0' + nanos / digit % 10));
    return at;
}

/* Is it the entry's time once more, as a container runtime wrote it? */
static int is_said_by(int64_t time_ns, const struct value *own) {
    int64_t own_ns;
    if (time_ns < 0 || own->kind != STRING || own->size < 20 || own->content[4] != '-') return 0;
    return time_parse(own->content, own->size, &own_ns) == TIME_OK && own_ns == time_ns;
}

static int is_message(const struct value *key) {
    return is_text(key, "log") || is_text(key, "message") || is_text(key, "msg") || is_text(key, "_msg");
}

/* The value at `at`, copied if it is the last one again. */
static const uint8_t *append_kubernetes(struct writer *writer, const uint8_t *at) {
    struct last_map *last = &writer->last;
    struct buffer *out = &writer->out;
    if (last->length && (size_t)(writer->end - at) >= last->length && !memcmp(at, last->content, last->length)) {
        uint8_t *to = buffer_reserve(out, last->text_length);
        memcpy(to, out->data + last->text_at, last->text_length);
        out->length += last->text_length;
        return at + last->length;
    }
    size_t text_at = out->length;
    const uint8_t *end = append_value(writer, at, 1);
    if (end) *last = (struct last_map){at, (size_t)(end - at), text_at, out->length - text_at};
    return end;
}

/* A member of the record itself, with a comma after it. */
static const uint8_t *append_member(struct writer *writer, const uint8_t *at, int64_t time_ns, int *has_origin) {
    struct value key, value;
    struct buffer *out = &writer->out;
    size_t before = out->length;
    if (!(at = append_key(writer, at, &key)) || is_text(&key, "@timestamp")) return NULL;
    const uint8_t *end = read_value(at, writer->end, &value);
    if (!end) return NULL;
    if (is_text(&key, "time") && is_said_by(time_ns, &value)) {
        out->length = before;
        return end;
    }
    int is_kubernetes = is_text(&key, "kubernetes");
    *has_origin |= is_kubernetes || is_text(&key, "container_id");
    if (is_message(&key) && (value.kind == STRING || value.kind == BINARY)) {
        append_string(out, value.content, value.size);
    } else {
        end = is_kubernetes ? append_kubernetes(writer, at) : append_value(writer, at, 1);
    }
    buffer_byte(out, ',');
    return end;
}

/* The line of the entry at `at`; returns its end, or NULL. */
static const uint8_t *append_entry(struct writer *writer, const uint8_t *at, const struct forward_request *request) {
    struct buffer *time = &writer->time;
    struct value entry, record;
    int64_t time_ns;
    int has_origin = request->origin_length == 0;
    if (!(at = read_value(at, writer->end, &entry)) || entry.kind != ARRAY || entry.size != 2) return NULL;
    if (!(at = read_time(writer, at, time, &time_ns))) return NULL;
    if (!(at = read_value(at, writer->end, &record)) || record.kind != MAP) return NULL;
    buffer_byte(&writer->out, '{');
    for (uint64_t i = 0; at && i < record.size; i++) at = append_member(writer, at, time_ns, &has_origin);
    buffer_append(&writer->out, time->data, time->length);
    if (!has_origin) buffer_append(&writer->out, request->origin, (size_t)request->origin_length);
    buffer_append(&writer->out, "}\n", 2);
    return at;
}

/* KERNEL_REFUSED: something among the entries is uncommon, or they are too many or too much. */
EXPORT int32_t kernel_forward_documents(const struct forward_request *request, int64_t *lines,
                                        struct column_buffer *text) {
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer) return KERNEL_OUT_OF_MEMORY;
    writer->end = request->entries + request->length;
    writer->out.memory = writer->time.memory = &writer->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(writer->memory.exhausted) == 0) {
        const uint8_t *at = request->entries;
        int64_t count = 0;
        buffer_reserve(&writer->time, TIME_TEXT_MAX);
        buffer_reserve(&writer->out, (size_t)request->length + (size_t)request->length / 4);
        while (at && at < writer->end) {
            at = append_entry(writer, at, request);
            int64_t size = (int64_t)writer->out.length + ++count * request->line_bytes;
            if (count > request->max_lines || size > request->max_bytes) at = NULL;
        }
        status = at ? KERNEL_OK : KERNEL_REFUSED;
        *lines = count;
        if (status == KERNEL_OK) *text = buffer_hand_over(&writer->out);
    }
    buffer_free(&writer->out);
    buffer_free(&writer->time);
    free(writer);
    return status;
}
