/* OTLP's logs in JSON as SDKs write them. All else is ingest/protocols/otlp/json_form.py's: keys in snake case, names of
 * enums, bytes, numbers that are no numbers, what is nested deep. */
#include "entries_json.h"
#include "otlp.h"

enum { DEPTH_MAX = 40, TRACE_ID_DIGITS = 32, SPAN_ID_DIGITS = 16 };

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void append_any(struct entries *e, struct buffer *out, const struct json_value *any, int depth);

/* Of {"intValue": 5} the kind and 5: the first member that is known and not null, as the exact reader has it. */
static int read_any(struct entries *e, const struct json_value *any, char *kind, struct json_value *content) {
    static const char *const names[] = {"stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue"};
    struct json_value fields[COUNT(names)];
    if (!json_fields(e, any, names, COUNT(names), fields)) return 0;
    *kind = 0;
    for (int i = 0; i < COUNT(names); i++) {
        if (!fields[i].text) continue;
        if (*kind) return json_unsure(e);
        *kind = names[i][0];
        *content = fields[i];
    }
    if (*kind) return 1;
    return any->length == 2 ? 1 : json_unsure(e);
}

static void append_integer(struct entries *e, struct buffer *out, const struct json_value *value) {
    struct span text = {value->text, value->length};
    if (value->kind == JSON_STRING && !json_string(e, value, &text)) return;
    size_t first = text.length && text.at[0] == '-';
    int is_plain = text.length > first && text.length <= 19 && (text.at[first] != '0' || text.length == 1);
    for (size_t i = first; i < text.length; i++) is_plain &= text.at[i] >= '0' && text.at[i] <= '9';
    if (is_plain) buffer_append(out, text.at, text.length);
    else json_unsure(e);
}

/* A whole number stays a double. */
static void append_double(struct entries *e, struct buffer *out, const struct json_value *value) {
    if (value->kind != JSON_NUMBER || value->length > 24) {
        json_unsure(e);
        return;
    }
    int is_whole = 1;
    for (uint32_t i = 0; i < value->length; i++) is_whole &= value->text[i] == '-' || (value->text[i] >= '0' && value->text[i] <= '9');
    buffer_append(out, value->text, value->length);
    if (is_whole) buffer_append(out, ".0", 2);
}

/* Of {"values": […]} the array. */
static int read_values(struct entries *e, const struct json_value *container, struct json_value *values) {
    static const char *const names[] = {"values"};
    if (!json_fields(e, container, names, 1, values)) return 0;
    return values->text && values->kind == JSON_ARRAY ? 1 : json_unsure(e);
}

static void append_array(struct entries *e, struct buffer *out, const struct json_value *container, int depth) {
    struct json_value values, item;
    if (!read_values(e, container, &values)) return;
    uint8_t separator = '[';
    for (const uint8_t *at = json_open(e, &values); e->status == KERNEL_OK && json_next_item(e, &at, &item);) {
        buffer_byte(out, separator);
        append_any(e, out, &item, depth + 1);
        separator = ',';
    }
    if (separator == '[') buffer_byte(out, '[');
    buffer_byte(out, ']');
}

struct pair {
    struct span key;
    struct json_value value;
};

static int read_pair(struct entries *e, const struct json_value *object, struct pair *pair) {
    static const char *const names[] = {"key", "value"};
    struct json_value fields[2];
    if (!json_fields(e, object, names, 2, fields)) return 0;
    if (!fields[0].text || !fields[1].text) return json_unsure(e);
    pair->value = fields[1];
    return json_string(e, &fields[0], &pair->key);
}

static void append_kvlist(struct entries *e, struct buffer *out, const struct json_value *pairs, int depth) {
    struct json_value item;
    struct pair pair;
    uint8_t separator = '{';
    uint64_t seen[4] = {0};
    for (const uint8_t *at = json_open(e, pairs); e->status == KERNEL_OK && json_next_item(e, &at, &item);) {
        if (!read_pair(e, &item, &pair)) return;
        e->is_repeated |= json_mark_key(seen, pair.key.at, pair.key.length);
        buffer_byte(out, separator);
        entries_append_text(e, out, pair.key);
        buffer_byte(out, ':');
        append_any(e, out, &pair.value, depth + 1);
        separator = ',';
    }
    if (separator == '{') buffer_byte(out, '{');
    buffer_byte(out, '}');
}

static void append_any(struct entries *e, struct buffer *out, const struct json_value *any, int depth) {
    struct json_value content, pairs;
    struct span text;
    char kind;
    if (depth > DEPTH_MAX) json_unsure(e);
    if (e->status != KERNEL_OK || !read_any(e, any, &kind, &content)) return;
    switch (kind) {
    case 0: buffer_append(out, "null", 4); break;
    case 's': if (json_string(e, &content, &text)) entries_append_text(e, out, text); break;
    case 'b':
        if (content.kind == JSON_BOOLEAN) buffer_append(out, content.text, content.length);
        else json_unsure(e);
        break;
    case 'i': append_integer(e, out, &content); break;
    case 'd': append_double(e, out, &content); break;
    case 'a': append_array(e, out, &content, depth); break;
    default: if (read_values(e, &content, &pairs)) append_kvlist(e, out, &pairs, depth);
    }
}

static int is_text(struct entries *e, const struct json_value *any) {
    struct json_value content;
    char kind;
    return read_any(e, any, &kind, &content) && kind == 's';
}

static void read_attributes(struct entries *e, const struct json_value *attributes) {
    struct json_value item;
    struct pair pair;
    for (const uint8_t *at = json_open(e, attributes); e->status == KERNEL_OK && json_next_item(e, &at, &item);) {
        if (!read_pair(e, &item, &pair)) return;
        struct buffer *out = entries_member(e, pair.key, is_text(e, &pair.value));
        append_any(e, out, &pair.value, 1);
        buffer_byte(out, ',');
    }
}

static void read_body(struct entries *e, const struct json_value *any, struct otlp_record *record) {
    struct json_value content;
    char kind;
    if (!read_any(e, any, &kind, &content)) return;
    record->has_body = kind != 0;
    if (kind == 's') {
        json_string(e, &content, &record->message);
    } else if (kind) {
        e->body.length = 0;
        append_any(e, &e->body, any, 0);
        record->message = (struct span){e->body.data, e->body.length};
    }
}

/* In lower case; an id of another length, or all zero, is none. */
static void read_id(struct entries *e, const struct json_value *value, size_t length, uint8_t *text, struct span *id) {
    struct span digits;
    uint8_t any = 0;
    if (!json_string(e, value, &digits) || digits.length != length) return;
    for (size_t i = 0; i < length; i++) {
        uint8_t digit = digits.at[i];
        if (digit >= 'A' && digit <= 'F') digit |= 0x20;
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'))) return;
        any |= digit ^ '0';
        text[i] = digit;
    }
    if (any) *id = (struct span){text, length};
}

static void read_record(struct entries *e, const struct json_value *object) {
    static const char *const names[] = {"timeUnixNano", "observedTimeUnixNano", "severityNumber", "droppedAttributesCount",
                                        "flags", "severityText", "eventName", "body", "attributes", "traceId", "spanId"};
    struct json_value fields[COUNT(names)];
    uint8_t trace_id[TRACE_ID_DIGITS], span_id[SPAN_ID_DIGITS];
    arena_reset(&e->reader.arena);
    if (!json_fields(e, object, names, COUNT(names), fields)) return;
    entries_begin(e);
    struct otlp_record record = otlp_record_of(object->text);
    uint64_t *numbers[] = {&record.time_ns, &record.observed_ns, &record.severity_number, &record.dropped, &record.flags};
    struct span *texts[] = {&record.severity_text, &record.event_name};
    for (int i = 0; i < COUNT(numbers); i++) if (fields[i].text) json_count(e, &fields[i], numbers[i]);
    for (int i = 0; i < COUNT(texts); i++) if (fields[5 + i].text) json_string(e, &fields[5 + i], texts[i]);
    if (fields[7].text) read_body(e, &fields[7], &record);
    if (fields[8].text && fields[8].kind == JSON_ARRAY) read_attributes(e, &fields[8]);
    if (fields[9].text) read_id(e, &fields[9], sizeof trace_id, trace_id, &record.trace_id);
    if (fields[10].text) read_id(e, &fields[10], sizeof span_id, span_id, &record.span_id);
    if (e->status == KERNEL_OK) otlp_end(e, &record);
}

static void append_scope_word(struct entries *e, const char *key, const struct json_value *word) {
    struct span text;
    if (!word->text || !json_string(e, word, &text) || !text.length) return;
    struct buffer *out = entries_shared_member(e, span_of(key));
    entries_append_text(e, out, text);
    buffer_byte(out, ',');
}

static void read_scope(struct entries *e, const struct json_value *scope) {
    static const char *const names[] = {"name", "version", "attributes"};
    struct json_value fields[3], item;
    struct pair pair;
    entries_clear_shared(e);
    if (!scope->text || !json_fields(e, scope, names, 3, fields)) return;
    append_scope_word(e, "otel.scope.name", &fields[0]);
    append_scope_word(e, "otel.scope.version", &fields[1]);
    if (!fields[2].text || fields[2].kind != JSON_ARRAY) return;
    for (const uint8_t *at = json_open(e, &fields[2]); e->status == KERNEL_OK && json_next_item(e, &at, &item);) {
        if (!read_pair(e, &item, &pair)) return;
        e->is_repeated = 0;
        struct buffer *out = entries_shared_member(e, pair.key);
        append_any(e, out, &pair.value, 1);
        buffer_byte(out, ',');
        e->shared_is_repeated |= e->is_repeated;
    }
}

static void read_scope_logs(struct entries *e, const struct json_value *logs) {
    static const char *const names[] = {"scope", "logRecords"};
    struct json_value fields[2], record;
    if (!json_fields(e, logs, names, 2, fields)) return;
    read_scope(e, &fields[0]);
    if (!fields[1].text || fields[1].kind != JSON_ARRAY) return;
    for (const uint8_t *at = json_open(e, &fields[1]); e->status == KERNEL_OK && json_next_item(e, &at, &record);) {
        read_record(e, &record);
    }
}

/* The resource's attributes as one JSON object are the base. */
static void read_resource(struct entries *e, const struct json_value *resource) {
    static const char *const names[] = {"attributes"};
    struct json_value attributes = {0};
    e->body.length = 0;
    if (resource->text && !json_fields(e, resource, names, 1, &attributes)) return;
    if (attributes.text && attributes.kind == JSON_ARRAY) append_kvlist(e, &e->body, &attributes, 0);
    else buffer_append(&e->body, "{}", 2);
    entries_begin_base(e, (struct span){e->body.data, e->body.length});
}

static void read_resource_logs(struct entries *e, const struct json_value *logs) {
    static const char *const names[] = {"resource", "scopeLogs"};
    struct json_value fields[2], scope_logs;
    arena_reset(&e->reader.arena);
    if (!json_fields(e, logs, names, 2, fields)) return;
    read_resource(e, &fields[0]);
    if (!fields[1].text || fields[1].kind != JSON_ARRAY) return;
    for (const uint8_t *at = json_open(e, &fields[1]); e->status == KERNEL_OK && json_next_item(e, &at, &scope_logs);) {
        read_scope_logs(e, &scope_logs);
    }
}

static void read_export(struct entries *e, struct span body) {
    static const char *const names[] = {"resourceLogs"};
    struct json_value export, list, logs;
    if (!json_body(e, body, &export) || !json_fields(e, &export, names, 1, &list)) return;
    if (!list.text || list.kind != JSON_ARRAY) return;
    for (const uint8_t *at = json_open(e, &list); e->status == KERNEL_OK && json_next_item(e, &at, &logs);) {
        read_resource_logs(e, &logs);
    }
}

EXPORT int32_t kernel_otlp_json(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_export);
}
