/* Loki's push in JSON as agents write it: {"streams": [{"stream": {"job": "api"}, "values": [["1700…", "line", {}]]}]}.
 * All else is ingest/protocols/loki/json_form.py's. */
#include "entries_json.h"
#include "loki.h"

static void read_metadata(struct entries *e, const struct json_value *object, struct entry *entry) {
    struct json_value key, value;
    for (const uint8_t *at = json_open(e, object); json_next_member(e, &at, &key, &value);) {
        struct span name, text;
        if (!json_string(e, &key, &name)) return;
        if (value.kind == JSON_STRING) {
            if (!json_string(e, &value, &text)) return;
            loki_metadata(e, name, text, entry);
            continue;
        }
        struct buffer *out = entries_member(e, name, LIFT_NEVER);
        json_append_value(&e->reader, out, &value);
        buffer_byte(out, ',');
    }
}

static void read_entry(struct entries *e, const struct json_value *value) {
    struct json_value time, line, metadata;
    if (value->kind != JSON_ARRAY) {
        json_unsure(e);
        return;
    }
    arena_reset(&e->reader.arena);
    const uint8_t *at = json_open(e, value);
    if (!json_next_item(e, &at, &time) || !json_next_item(e, &at, &line)) {
        json_unsure(e);
        return;
    }
    struct entry entry = {.has_time = 1};
    uint64_t time_ns;
    if (!json_count(e, &time, &time_ns) || !json_string(e, &line, &entry.message)) return;
    if (time_ns > INT64_MAX) json_unsure(e);
    entry.time_ns = (int64_t)time_ns;
    entries_begin(e);
    if (json_next_item(e, &at, &metadata)) {
        if (metadata.kind == JSON_OBJECT) read_metadata(e, &metadata, &entry);
        else json_unsure(e);
    }
    if (e->status == KERNEL_OK) entries_end(e, &entry);
}

static const uint8_t *read_stream(struct entries *e, const uint8_t *stream) {
    static const struct json_name names[] = {JSON_NAME("stream"), JSON_NAME("values"), JSON_NAME("labels"),
                                             JSON_NAME("entries")};
    struct json_value fields[COUNT(names)], value;
    const uint8_t *end = json_fields(e, stream, names, COUNT(names), fields);
    if (!end) return NULL;
    const struct json_value *labels = &fields[0], *values = &fields[1];
    int is_usual = labels->text && labels->kind == JSON_OBJECT && json_is_array(values);
    if (!is_usual || fields[2].text || fields[3].text) {
        json_unsure(e);
        return NULL;
    }
    entries_begin_base(e, (struct span){labels->text, labels->length});
    for (const uint8_t *at = json_open(e, values); e->status == KERNEL_OK && json_next_item(e, &at, &value);) {
        read_entry(e, &value);
    }
    return end;
}

static void read_push(struct entries *e, struct span body) {
    static const struct json_name names[] = {JSON_NAME("streams")};
    struct json_value streams;
    const uint8_t *at = json_body(e, body);
    const uint8_t *end = at ? json_fields(e, at, names, COUNT(names), &streams) : NULL;
    if (!end) return;
    if (!json_is_array(&streams) || json_skip_space(end, e->reader.end) != e->reader.end) {
        json_unsure(e);
        return;
    }
    at = json_open(e, &streams);
    while (e->status == KERNEL_OK && *at != ']') {
        const uint8_t *after = read_stream(e, at);
        if (!after) return;
        at = json_after_item(e, after);
    }
}

EXPORT int32_t kernel_loki_json(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_push);
}
