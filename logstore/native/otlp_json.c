/* OTLP's logs in JSON as SDKs write them. All else is ingest/protocols/otlp/json_form.py's: keys in snake case, names of
 * enums, bytes, numbers that are no numbers, what is nested deep. */
#include "entries_json.h"
#include "otlp.h"

enum { DEPTH_MAX = 40, TRACE_ID_DIGITS = 32, SPAN_ID_DIGITS = 16 };

/* Of {"intValue": 5} the first letter and 5; without a known member, 0. */
struct any {
    char kind;
    struct json_value content;
};

static const uint8_t *append_any(struct entries *e, struct buffer *out, const uint8_t *at, int depth);

static const uint8_t *read_any(struct entries *e, const uint8_t *at, struct any *any) {
    static const struct json_name names[] = {JSON_NAME("stringValue"), JSON_NAME("boolValue"), JSON_NAME("intValue"),
                                             JSON_NAME("doubleValue"), JSON_NAME("arrayValue"), JSON_NAME("kvlistValue")};
    struct json_value fields[COUNT(names)];
    const uint8_t *end = json_fields(e, at, names, COUNT(names), fields);
    any->kind = 0;
    for (int i = 0; end && i < COUNT(names); i++) {
        if (!fields[i].text) continue;
        if (any->kind) json_unsure(e);
        any->kind = names[i].text[0];
        any->content = fields[i];
    }
    if (end && !any->kind && end - at != 2) json_unsure(e);
    return e->status == KERNEL_OK ? end : NULL;
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
    static const struct json_name names[] = {JSON_NAME("values")};
    if (!json_fields(e, container->text, names, COUNT(names), values)) return 0;
    return json_is_array(values) ? 1 : json_unsure(e);
}

static void append_array(struct entries *e, struct buffer *out, const struct json_value *container, int depth) {
    struct json_value values;
    if (!read_values(e, container, &values)) return;
    uint8_t separator = '[';
    for (const uint8_t *at = json_open(e, &values); *at != ']'; separator = ',') {
        buffer_byte(out, separator);
        if (!(at = append_any(e, out, at, depth + 1))) return;
        at = json_after_item(e, at);
    }
    if (separator == '[') buffer_byte(out, '[');
    buffer_byte(out, ']');
}

struct pair {
    struct span key;
    struct json_value value;
};

static const uint8_t *read_pair(struct entries *e, const uint8_t *at, struct pair *pair) {
    static const struct json_name names[] = {JSON_NAME("key"), JSON_NAME("value")};
    struct json_value fields[COUNT(names)];
    const uint8_t *end = json_fields(e, at, names, COUNT(names), fields);
    if (!end) return NULL;
    if (!fields[0].text || !fields[1].text) json_unsure(e);
    else json_string(e, &fields[0], &pair->key);
    pair->value = fields[1];
    return e->status == KERNEL_OK ? end : NULL;
}

static void append_kvlist(struct entries *e, struct buffer *out, const struct json_value *pairs, int depth) {
    struct pair pair;
    uint8_t separator = '{';
    uint64_t seen[4] = {0};
    for (const uint8_t *at = json_open(e, pairs); *at != ']'; separator = ',') {
        if (!(at = read_pair(e, at, &pair))) return;
        at = json_after_item(e, at);
        e->is_repeated |= json_mark_key(seen, pair.key.at, pair.key.length);
        buffer_byte(out, separator);
        entries_append_text(e, out, pair.key);
        buffer_byte(out, ':');
        if (!append_any(e, out, pair.value.text, depth + 1)) return;
    }
    if (separator == '{') buffer_byte(out, '{');
    buffer_byte(out, '}');
}

static void append_content(struct entries *e, struct buffer *out, const struct any *any, int depth) {
    const struct json_value *content = &any->content;
    struct json_value pairs;
    struct span text;
    switch (any->kind) {
    case 0: buffer_append(out, "null", 4); break;
    case 's': if (json_string(e, content, &text)) entries_append_text(e, out, text); break;
    case 'b':
        if (content->kind == JSON_BOOLEAN) buffer_append(out, content->text, content->length);
        else json_unsure(e);
        break;
    case 'i': append_integer(e, out, content); break;
    case 'd': append_double(e, out, content); break;
    case 'a': append_array(e, out, content, depth); break;
    default: if (read_values(e, content, &pairs)) append_kvlist(e, out, &pairs, depth);
    }
}

static const uint8_t *append_any(struct entries *e, struct buffer *out, const uint8_t *at, int depth) {
    struct any any;
    if (depth > DEPTH_MAX) json_unsure(e);
    const uint8_t *end = e->status == KERNEL_OK ? read_any(e, at, &any) : NULL;
    if (end) append_content(e, out, &any, depth);
    return e->status == KERNEL_OK ? end : NULL;
}

/* What stands between a string's quotes, escapes and all. */
static struct span quoted(const struct json_value *value) {
    if (value->kind != JSON_STRING) return (struct span){value->text, 0};
    return (struct span){value->text + 1, value->length - 2};
}

static void read_attributes(struct entries *e, const struct json_value *attributes) {
    struct pair pair;
    struct any any;
    for (const uint8_t *at = json_open(e, attributes); *at != ']';) {
        if (!(at = read_pair(e, at, &pair)) || !read_any(e, pair.value.text, &any)) return;
        at = json_after_item(e, at);
        enum lift of_text = any.kind == 's' ? entries_lift_of(quoted(&any.content)) : LIFT_NEVER;
        struct buffer *out = entries_member(e, pair.key, any.kind == 'k' ? LIFT_NAMED : of_text);
        append_content(e, out, &any, 1);
        buffer_byte(out, ',');
        if (e->status != KERNEL_OK) return;
    }
}

static void read_body(struct entries *e, const struct json_value *body, struct otlp_record *record) {
    struct any any;
    if (!read_any(e, body->text, &any)) return;
    record->has_body = any.kind != 0;
    if (any.kind == 's') {
        json_string(e, &any.content, &record->message);
    } else if (any.kind) {
        e->body.length = 0;
        append_content(e, &e->body, &any, 0);
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

enum { NUMBERS = 5, TEXTS = 2, BODY = NUMBERS + TEXTS, ATTRIBUTES, TRACE_ID, SPAN_ID };

static const uint8_t *read_record(struct entries *e, const uint8_t *at) {
    static const struct json_name names[] = {
        JSON_NAME("timeUnixNano"), JSON_NAME("observedTimeUnixNano"), JSON_NAME("severityNumber"),
        JSON_NAME("droppedAttributesCount"), JSON_NAME("flags"), JSON_NAME("severityText"), JSON_NAME("eventName"),
        JSON_NAME("body"), JSON_NAME("attributes"), JSON_NAME("traceId"), JSON_NAME("spanId")};
    struct json_value fields[COUNT(names)];
    uint8_t trace_id[TRACE_ID_DIGITS], span_id[SPAN_ID_DIGITS];
    arena_reset(&e->reader.arena);
    const uint8_t *end = json_fields(e, at, names, COUNT(names), fields);
    if (!end) return NULL;
    entries_begin(e);
    struct otlp_record record = otlp_record_of(at);
    uint64_t *numbers[] = {&record.time_ns, &record.observed_ns, &record.severity_number, &record.dropped, &record.flags};
    struct span *texts[] = {&record.severity_text, &record.event_name};
    for (int i = 0; i < NUMBERS; i++) if (fields[i].text) json_count(e, &fields[i], numbers[i]);
    for (int i = 0; i < TEXTS; i++) if (fields[NUMBERS + i].text) json_string(e, &fields[NUMBERS + i], texts[i]);
    if (fields[BODY].text) read_body(e, &fields[BODY], &record);
    if (json_is_array(&fields[ATTRIBUTES])) read_attributes(e, &fields[ATTRIBUTES]);
    if (fields[TRACE_ID].text) read_id(e, &fields[TRACE_ID], sizeof trace_id, trace_id, &record.trace_id);
    if (fields[SPAN_ID].text) read_id(e, &fields[SPAN_ID], sizeof span_id, span_id, &record.span_id);
    if (e->status == KERNEL_OK) otlp_end(e, &record);
    return e->status == KERNEL_OK ? end : NULL;
}

typedef const uint8_t *read_item(struct entries *e, const uint8_t *at);

static void read_items(struct entries *e, const struct json_value *array, read_item *read) {
    if (!json_is_array(array)) return;
    for (const uint8_t *at = json_open(e, array); *at != ']';) {
        if (!(at = read(e, at))) return;
        at = json_after_item(e, at);
    }
}

static void append_scope_word(struct entries *e, const char *key, const struct json_value *word) {
    struct span text;
    if (!word->text || !json_string(e, word, &text) || !text.length) return;
    struct buffer *out = entries_shared_member(e, span_of(key));
    entries_append_text(e, out, text);
    buffer_byte(out, ',');
}

static const uint8_t *read_scope_attribute(struct entries *e, const uint8_t *at) {
    struct pair pair;
    const uint8_t *end = read_pair(e, at, &pair);
    if (!end) return NULL;
    e->is_repeated = 0;
    struct buffer *out = entries_shared_member(e, pair.key);
    if (!append_any(e, out, pair.value.text, 1)) return NULL;
    buffer_byte(out, ',');
    e->shared_is_repeated |= e->is_repeated;
    return end;
}

static void read_scope(struct entries *e, const struct json_value *scope) {
    static const struct json_name names[] = {JSON_NAME("name"), JSON_NAME("version"), JSON_NAME("attributes")};
    struct json_value fields[COUNT(names)];
    entries_clear_shared(e);
    if (!scope->text || !json_fields(e, scope->text, names, COUNT(names), fields)) return;
    append_scope_word(e, "otel.scope.name", &fields[0]);
    append_scope_word(e, "otel.scope.version", &fields[1]);
    read_items(e, &fields[2], read_scope_attribute);
}

static const uint8_t *read_scope_logs(struct entries *e, const uint8_t *at) {
    static const struct json_name names[] = {JSON_NAME("scope"), JSON_NAME("logRecords")};
    struct json_value fields[COUNT(names)];
    const uint8_t *end = json_fields(e, at, names, COUNT(names), fields);
    if (!end) return NULL;
    read_scope(e, &fields[0]);
    if (e->status == KERNEL_OK) read_items(e, &fields[1], read_record);
    return e->status == KERNEL_OK ? end : NULL;
}

/* The resource's attributes as one JSON object are the base. */
static void read_resource(struct entries *e, const struct json_value *resource) {
    static const struct json_name names[] = {JSON_NAME("attributes")};
    struct json_value attributes = {0};
    e->body.length = 0;
    if (resource->text && !json_fields(e, resource->text, names, COUNT(names), &attributes)) return;
    if (json_is_array(&attributes)) append_kvlist(e, &e->body, &attributes, 0);
    else buffer_append(&e->body, "{}", 2);
    entries_begin_base(e, (struct span){e->body.data, e->body.length});
}

static const uint8_t *read_resource_logs(struct entries *e, const uint8_t *at) {
    static const struct json_name names[] = {JSON_NAME("resource"), JSON_NAME("scopeLogs")};
    struct json_value fields[COUNT(names)];
    arena_reset(&e->reader.arena);
    const uint8_t *end = json_fields(e, at, names, COUNT(names), fields);
    if (!end) return NULL;
    read_resource(e, &fields[0]);
    if (e->status == KERNEL_OK) read_items(e, &fields[1], read_scope_logs);
    return e->status == KERNEL_OK ? end : NULL;
}

static void read_export(struct entries *e, struct span body) {
    static const struct json_name names[] = {JSON_NAME("resourceLogs")};
    struct json_value list;
    const uint8_t *at = json_body(e, body);
    const uint8_t *end = at ? json_fields(e, at, names, COUNT(names), &list) : NULL;
    if (!end) return;
    if (json_skip_space(end, e->reader.end) != e->reader.end) json_unsure(e);
    else read_items(e, &list, read_resource_logs);
}

EXPORT int32_t kernel_otlp_json(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_export);
}
