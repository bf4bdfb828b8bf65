/* OpenTelemetry's logs (opentelemetry-proto, collector/logs/v1/logs_service.proto and logs/v1/logs.proto):
 *
 *   ExportLogsServiceRequest { 1: ResourceLogs… }
 *   ResourceLogs { 1: Resource { 1: KeyValue attributes… }, 2: ScopeLogs… }
 *   ScopeLogs { 1: Scope { 1: string name, 2: string version, 3: KeyValue attributes… }, 2: LogRecord… }
 *   LogRecord { 1: fixed64 time_unix_nano, 2: severity_number, 3: string severity_text, 5: AnyValue body,
 *               6: KeyValue attributes…, 7: dropped_attributes_count, 8: fixed32 flags, 9: bytes trace_id,
 *               10: bytes span_id, 11: fixed64 observed_time_unix_nano, 12: string event_name }
 *
 * ingest/protocols/otlp/records.py says the same of the JSON form. */
#include "otlp.h"

#include <inttypes.h>
#include <stdio.h>

#include "any_value.h"
#include "number.h"

enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8, NUMBERS_A_SEVERITY = 4, SEVERITY_NUMBER_MAX = 24, FLAGS_MASK = 0xFF };

static void append_pair(struct entries *e, struct span message) {
    struct key_value pair = key_value_read(e, message);
    enum lift of_text = pair.value.kind == ANY_STRING ? entries_lift_of(pair.value.bytes) : LIFT_NEVER;
    struct buffer *out = entries_member(e, pair.key, pair.value.kind == ANY_KVLIST ? LIFT_NAMED : of_text);
    any_append(e, out, pair.value, 1);
    buffer_byte(out, ',');
}

static void append_number(struct entries *e, const char *key, uint64_t number) {
    struct buffer *out = entries_member(e, span_of(key), LIFT_NEVER);
    uint8_t *to = buffer_reserve(out, NUMBER_TEXT_MAX);
    out->length = (size_t)(number_print_integer(to, (int64_t)number) - out->data);
    buffer_byte(out, ',');
}

static void append_word(struct entries *e, const char *key, struct span word) {
    struct buffer *out = entries_member(e, span_of(key), LIFT_NEVER);
    entries_append_text(e, out, word);
    buffer_byte(out, ',');
}

/* The severity of the number, else of the text; what it does not tell of both stays an attribute. */
static enum severity read_severity(struct entries *e, const struct otlp_record *record) {
    uint64_t number = record->severity_number;
    int is_known = number >= 1 && number <= SEVERITY_NUMBER_MAX;
    struct span text = record->severity_text;
    enum severity of_text = text.length ? severity_of_word(text.at, text.length) : SEVERITY_NONE;
    enum severity severity = is_known ? (enum severity)((number - 1) / NUMBERS_A_SEVERITY + 1) : of_text;
    if (text.length && (of_text != severity || !severity_is_plain(text.at, text.length))) append_word(e, "severity_text", text);
    if (number && (!is_known || (number - 1) % NUMBERS_A_SEVERITY)) append_number(e, "severity_number", number);
    return severity;
}

void otlp_end(struct entries *e, const struct otlp_record *record) {
    char odd_time[NUMBER_TEXT_MAX];
    struct entry entry = {.severity = read_severity(e, record), .trace_id = record->trace_id, .span_id = record->span_id};
    uint64_t time_ns = record->time_ns ? record->time_ns : record->observed_ns;
    entry.message = record->has_body ? record->message : record->event_name;
    entry.has_time = time_ns != 0;
    entry.time_ns = (int64_t)time_ns;
    if (time_ns > INT64_MAX) {
        snprintf(odd_time, sizeof odd_time, "%" PRIu64, time_ns);
        entry.odd_time = span_of(odd_time);
    }
    if (record->event_name.length) append_word(e, "event_name", record->event_name);
    if (record->flags & FLAGS_MASK) append_number(e, "trace_flags", record->flags & FLAGS_MASK);
    if (record->dropped) append_number(e, "dropped_attributes_count", record->dropped);
    entries_end(e, &entry);
}

/* As lower-case hexadecimal; an id of another length, or all zero, is none (Trace Context, "trace-id"). */
static struct span read_id(struct span id, size_t length, uint8_t *text) {
    static const char digits[] = "0123456789abcdef";
    uint8_t any = 0;
    if (id.length != length) return (struct span){text, 0};
    for (size_t i = 0; i < length; i++) {
        any |= id.at[i];
        text[2 * i] = (uint8_t)digits[id.at[i] >> 4], text[2 * i + 1] = (uint8_t)digits[id.at[i] & 15];
    }
    return (struct span){text, any ? 2 * length : 0};
}

/* The text, or the JSON of another value. */
static void set_message(struct entries *e, struct otlp_record *record, struct any_value body) {
    record->has_body = body.kind != ANY_NONE;
    record->message = body.bytes;
    if (body.kind == ANY_NONE || body.kind == ANY_STRING || body.kind == ANY_BYTES) return;
    e->body.length = 0;
    any_append(e, &e->body, body, 0);
    record->message = (struct span){e->body.data, e->body.length};
}

struct ids {
    uint8_t trace_id[2 * TRACE_ID_BYTES], span_id[2 * SPAN_ID_BYTES];
};

static void read_text(struct entries *e, struct otlp_record *record, struct ids *ids, const struct wire_field *field) {
    switch (field->number) {
    case 3: record->severity_text = field->bytes; break;
    case 5: set_message(e, record, any_read(e, field->bytes)); break;
    case 6: append_pair(e, field->bytes); break;
    case 9: record->trace_id = read_id(field->bytes, TRACE_ID_BYTES, ids->trace_id); break;
    case 10: record->span_id = read_id(field->bytes, SPAN_ID_BYTES, ids->span_id); break;
    case 12: record->event_name = field->bytes; break;
    }
}

static void read_record(struct entries *e, struct span message) {
    struct wire wire = wire_of(message);
    struct wire_field field;
    struct otlp_record record = otlp_record_of(message.at);
    struct ids ids;
    entries_begin(e);
    while (wire_next(&wire, &field)) {
        if (field.type == WIRE_BYTES) read_text(e, &record, &ids, &field);
        else if (wire_is(&field, 1, WIRE_FIXED64)) record.time_ns = field.value;
        else if (wire_is(&field, 11, WIRE_FIXED64)) record.observed_ns = field.value;
        else if (wire_is(&field, 2, WIRE_VARINT)) record.severity_number = field.value;
        else if (wire_is(&field, 7, WIRE_VARINT)) record.dropped = (uint32_t)field.value;
        else if (wire_is(&field, 8, WIRE_FIXED32)) record.flags = field.value;
    }
    if (wire.is_broken || e->is_broken) entries_end_broken(e, message, "the log record is no Protocol Buffers message");
    else otlp_end(e, &record);
}

static void append_scope_word(struct entries *e, const char *key, struct span word) {
    if (!word.length) return;
    struct buffer *out = entries_shared_member(e, span_of(key));
    entries_append_text(e, out, word);
    buffer_byte(out, ',');
}

static void read_scope(struct entries *e, struct span scope) {
    entries_clear_shared(e);
    append_scope_word(e, "otel.scope.name", wire_find(scope, 1));
    append_scope_word(e, "otel.scope.version", wire_find(scope, 2));
    struct wire wire = wire_of(scope);
    struct wire_field field;
    while (wire_next(&wire, &field)) {
        if (!wire_is(&field, 3, WIRE_BYTES)) continue;
        e->is_repeated = 0;
        struct key_value pair = key_value_read(e, field.bytes);
        struct buffer *out = entries_shared_member(e, pair.key);
        any_append(e, out, pair.value, 1);
        buffer_byte(out, ',');
        e->shared_is_repeated |= e->is_repeated;
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

static void read_scope_logs(struct entries *e, struct span logs) {
    read_scope(e, wire_find(logs, 1));
    struct wire wire = wire_of(logs);
    struct wire_field field;
    while (e->status == KERNEL_OK && wire_next(&wire, &field)) {
        if (wire_is(&field, 2, WIRE_BYTES)) read_record(e, field.bytes);
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

/* The resource's attributes as one JSON object are the base. */
static void read_resource(struct entries *e, struct span resource) {
    struct buffer *out = &e->body;
    struct wire wire = wire_of(resource);
    struct wire_field field;
    uint8_t separator = '{';
    out->length = 0;
    while (wire_next(&wire, &field)) {
        if (!wire_is(&field, 1, WIRE_BYTES)) continue;
        struct key_value pair = key_value_read(e, field.bytes);
        buffer_byte(out, separator);
        entries_append_text(e, out, pair.key);
        buffer_byte(out, ':');
        any_append(e, out, pair.value, 1);
        separator = ',';
    }
    if (separator == '{') buffer_byte(out, '{');
    buffer_byte(out, '}');
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
    entries_begin_base(e, (struct span){out->data, out->length});
}

static void read_resource_logs(struct entries *e, struct span logs) {
    read_resource(e, wire_find(logs, 1));
    struct wire wire = wire_of(logs);
    struct wire_field field;
    while (e->status == KERNEL_OK && wire_next(&wire, &field)) {
        if (wire_is(&field, 2, WIRE_BYTES)) read_scope_logs(e, field.bytes);
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

static void read_export(struct entries *e, struct span body) {
    struct wire wire = wire_of(body);
    struct wire_field field;
    while (e->status == KERNEL_OK && wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_BYTES)) read_resource_logs(e, field.bytes);
    }
    if (wire.is_broken) e->status = ENTRIES_MALFORMED;
}

EXPORT int32_t kernel_otlp(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_export);
}
