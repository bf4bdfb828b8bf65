/* What the kernels for JSON forms share. They read what senders usually write; where a body has anything else they are
 * unsure, and its exact reader in Python takes the whole of it. Values have been scanned before they are walked. */
#ifndef ENTRIES_JSON_H
#define ENTRIES_JSON_H

#include "entries.h"
#include "utf8.h"

static inline int json_unsure(struct entries *e) {
    e->status = ENTRIES_UNSURE;
    return 0;
}

/* Scans the whole body; false if it is no valid JSON in UTF-8, or nested too deep. */
static inline int json_body(struct entries *e, struct span body, struct json_value *value) {
    struct json_reader *reader = &e->reader;
    const uint8_t *end = body.at + body.length;
    reader->end = end;
    reader->is_valid_utf8 = 1;
    const uint8_t *at = utf8_is_valid(body.at, end) ? json_scan(reader, json_skip_space(body.at, end), 0, value) : NULL;
    return at && json_skip_space(at, end) == end ? 1 : json_unsure(e);
}

/* The place of the first member or item. */
static inline const uint8_t *json_open(struct entries *e, const struct json_value *container) {
    return json_skip_space(container->text + 1, e->reader.end);
}

static inline int json_next_member(struct entries *e, const uint8_t **at, struct json_value *key, struct json_value *value) {
    if (**at == '}') return 0;
    const uint8_t *from = json_scan_key(&e->reader, *at, key);
    from = from ? json_scan(&e->reader, from, 0, value) : NULL;
    from = from ? json_scan_separator(&e->reader, from) : NULL;
    if (!from) return json_unsure(e);
    *at = from;
    return 1;
}

static inline int json_next_item(struct entries *e, const uint8_t **at, struct json_value *value) {
    if (**at == ']') return 0;
    const uint8_t *from = json_scan(&e->reader, *at, 0, value);
    if (!from) return json_unsure(e);
    from = json_skip_space(from, e->reader.end);
    *at = *from == ',' ? json_skip_space(from + 1, e->reader.end) : from;
    return 1;
}

/* A string's characters; they live until arena_reset. */
static inline int json_string(struct entries *e, const struct json_value *value, struct span *text) {
    if (value->kind != JSON_STRING || value->is_dirty) return json_unsure(e);
    *text = (struct span){value->text + 1, value->length - 2};
    if (!value->has_backslash) return 1;
    uint8_t *copy = arena_take(&e->reader.arena, value->length);
    *text = (struct span){copy, (size_t)(json_unescape(value, copy) - copy)};
    return 1;
}

/* A number without a sign, or a string of its digits. */
static inline int json_count(struct entries *e, const struct json_value *value, uint64_t *count) {
    struct span text = {value->text, value->length};
    if (value->kind == JSON_STRING && !json_string(e, value, &text)) return 0;
    if (text.length == 0 || text.length > 19) return json_unsure(e);
    *count = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return json_unsure(e);
        *count = *count * 10 + (uint64_t)(text.at[i] - '0');
    }
    return 1;
}

/* The members with these names; one that is null is as none, whose text is NULL. */
static inline int json_fields(struct entries *e, const struct json_value *object, const char *const *names, int count,
                              struct json_value *fields) {
    if (object->kind != JSON_OBJECT) return json_unsure(e);
    memset(fields, 0, (size_t)count * sizeof *fields);
    struct json_value key, value;
    for (const uint8_t *at = json_open(e, object); json_next_member(e, &at, &key, &value);) {
        struct span name = {key.text + 1, key.length - 2};
        if (key.has_backslash || memchr(name.at, '_', name.length)) return json_unsure(e);
        for (int i = 0; i < count; i++) {
            if (strlen(names[i]) != name.length || memcmp(names[i], name.at, name.length) != 0) continue;
            fields[i] = value.kind == JSON_NULL ? (struct json_value){0} : value;
        }
    }
    return e->status == KERNEL_OK;
}

#endif
