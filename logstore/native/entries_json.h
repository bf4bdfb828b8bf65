/* What the kernels for JSON forms share. They read what senders usually write; where a body has anything else they are
 * unsure, and its exact reader in Python takes the whole of it. What is walked has been scanned within what is around it, so that it does
 * not break off. */
#ifndef ENTRIES_JSON_H
#define ENTRIES_JSON_H

#include "entries.h"
#include "utf8.h"

static inline int json_unsure(struct entries *e) {
    e->status = ENTRIES_UNSURE;
    return 0;
}

/* Where the body's one object begins; NULL if it is not in UTF-8, or has none. */
static inline const uint8_t *json_body(struct entries *e, struct span body) {
    e->reader.end = body.at + body.length;
    e->reader.is_valid_utf8 = 1;
    const uint8_t *at = json_skip_space(body.at, e->reader.end);
    if (at < e->reader.end && utf8_is_valid(at, e->reader.end)) return at;
    json_unsure(e);
    return NULL;
}

/* The place of the first member or item. */
static inline const uint8_t *json_open(struct entries *e, const struct json_value *container) {
    return json_skip_space(container->text + 1, e->reader.end);
}

static inline int json_next_member(struct entries *e, const uint8_t **at, struct json_value *key, struct json_value *value) {
    if (*at < e->reader.end && **at == '}') return 0;
    const uint8_t *from = json_scan_key(&e->reader, *at, key);
    from = from ? json_scan(&e->reader, from, 0, value) : NULL;
    from = from ? json_scan_separator(&e->reader, from) : NULL;
    if (!from) return json_unsure(e);
    *at = from;
    return 1;
}

/* After an item of an array: the place of the next, or of the closing bracket. */
static inline const uint8_t *json_after_item(struct entries *e, const uint8_t *at) {
    at = json_skip_space(at, e->reader.end);
    return *at == ',' ? json_skip_space(at + 1, e->reader.end) : at;
}

static inline int json_next_item(struct entries *e, const uint8_t **at, struct json_value *value) {
    if (**at == ']') return 0;
    const uint8_t *from = json_scan(&e->reader, *at, 0, value);
    if (!from) return json_unsure(e);
    *at = json_after_item(e, from);
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

struct json_name {
    const char *text;
    size_t length;
};

#define JSON_NAME(text) {text, sizeof text - 1}
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Reads the object at `at`: its members with these names, of which one that is null is as none, whose text is NULL.
 * Returns the object's end, or NULL. Its values are walked afterwards: so an object need not be scanned before. */
static inline const uint8_t *json_fields(struct entries *e, const uint8_t *at, const struct json_name *names, int count,
                                         struct json_value *fields) {
    struct json_value key, value;
    memset(fields, 0, (size_t)count * sizeof *fields);
    if (*at != '{') goto unsure;
    at = json_skip_space(at + 1, e->reader.end);
    while (json_next_member(e, &at, &key, &value)) {
        struct span name = {key.text + 1, key.length - 2};
        if (key.has_backslash || memchr(name.at, '_', name.length)) goto unsure;
        for (int i = 0; i < count; i++) {
            if (names[i].length != name.length || memcmp(names[i].text, name.at, name.length) != 0) continue;
            fields[i] = value.kind == JSON_NULL ? (struct json_value){0} : value;
        }
    }
    return e->status == KERNEL_OK ? at + 1 : NULL;
unsure:
    json_unsure(e);
    return NULL;
}

static inline int json_is_array(const struct json_value *value) { return value->text && value->kind == JSON_ARRAY; }

#endif
