/* Loki's push (grafana/loki, pkg/push/push.proto):
 *
 *   PushRequest { 1: Stream streams… }           Stream { 1: string labels, 2: Entry entries… }
 *   Entry { 1: { 1: int64 seconds, 2: int32 nanos } timestamp, 2: string line, 3: Pair metadata… }
 *   Pair { 1: string name, 2: string value }
 */
#include "loki.h"

#include "number.h"
#include "timestamp.h"

/* The names under which metadata has ids: in any case, with or without an underscore. */
static int is_id(struct span name, const char *first, size_t first_length) {
    size_t at = 0;
    for (size_t i = 0; i < name.length; i++) {
        uint8_t byte = name.at[i] | 0x20;
        if (name.at[i] == '_' && i == first_length) continue;
        if (at == first_length + 2) return 0;
        if (byte != (at < first_length ? (uint8_t)first[at] : (uint8_t)"id"[at - first_length])) return 0;
        at++;
    }
    return at == first_length + 2;
}

void loki_metadata(struct entries *e, struct span name, struct span value, struct entry *entry) {
    if (value.length && is_id(name, "trace", 5)) {
        entry->trace_id = value;
    } else if (value.length && is_id(name, "span", 4)) {
        entry->span_id = value;
    } else {
        struct buffer *out = entries_member(e, name, LIFT_NAMED);
        entries_append_text(e, out, value);
        buffer_byte(out, ',');
    }
}

static void read_time(struct entries *e, struct span timestamp, struct entry *entry) {
    struct wire wire = wire_of(timestamp);
    struct wire_field field;
    int64_t seconds = 0;
    int32_t nanos = 0;
    while (wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_VARINT)) seconds = (int64_t)field.value;
        else if (wire_is(&field, 2, WIRE_VARINT)) nanos = (int32_t)field.value;
    }
    e->is_broken |= wire.is_broken;
    entry->has_time = seconds != 0 || nanos != 0;
    if (seconds > TIME_MIN_S && seconds < TIME_END_S) {
        entry->time_ns = seconds * NS_PER_S + nanos;
    } else {
        e->body.length = 0;
        uint8_t *text = buffer_reserve(&e->body, NUMBER_TEXT_MAX);
        entry->odd_time = (struct span){text, (size_t)(number_print_integer(text, seconds) - text)};
    }
}

static void read_pair(struct entries *e, struct span pair, struct entry *entry) {
    struct wire wire = wire_of(pair);
    struct wire_field field;
    struct span name = {pair.at, 0}, value = {pair.at, 0};
    while (wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_BYTES)) name = field.bytes;
        else if (wire_is(&field, 2, WIRE_BYTES)) value = field.bytes;
    }
    e->is_broken |= wire.is_broken;
    loki_metadata(e, name, value, entry);
}

static void read_entry(struct entries *e, struct span message) {
    struct wire wire = wire_of(message);
    struct wire_field field;
    struct entry entry = {.message = {message.at, 0}};
    entries_begin(e);
    while (wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_BYTES)) read_time(e, field.bytes, &entry);
        else if (wire_is(&field, 2, WIRE_BYTES)) entry.message = field.bytes;
        else if (wire_is(&field, 3, WIRE_BYTES)) read_pair(e, field.bytes, &entry);
    }
    if (wire.is_broken || e->is_broken) entries_end_broken(e, message, "the entry is no Protocol Buffers message");
    else entries_end(e, &entry);
}

static void read_stream(struct entries *e, struct span stream) {
    entries_begin_base(e, wire_find(stream, 1));
    struct wire wire = wire_of(stream);
    struct wire_field field;
    while (e->status == KERNEL_OK && wire_next(&wire, &field)) {
        if (wire_is(&field, 2, WIRE_BYTES)) read_entry(e, field.bytes);
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

static void read_push(struct entries *e, struct span body) {
    struct wire wire = wire_of(body);
    struct wire_field field;
    while (e->status == KERNEL_OK && wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_BYTES)) read_stream(e, field.bytes);
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

EXPORT int32_t kernel_loki(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_push);
}
