#include <stdlib.h>

#include "attributes.h"
#include "columns.h"
#include "json_compact.h"

/* A column from one value of each message. The object that it stands in, and those around that, are read as the message
 * is, once. */
struct line_reader {
    struct memory memory;
    const struct line_request *request;
    struct json_reader reader;
    struct json_members *objects; /* those around the value at the longest path, from the message inwards */
    int32_t object_count;
    struct json_members other;
    struct text_builder column;
};

typedef void append_form(struct line_reader *l, const struct json_value *value);

static const uint8_t *key_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *stop = memchr(at, PATH_SEPARATOR, (size_t)(end - at));
    return stop ? stop : end;
}

static int32_t count_keys(const struct attribute_key *path) {
    int32_t count = 1;
    for (int64_t i = 0; i < path->length; i++) count += path->text[i] == PATH_SEPARATOR;
    return count;
}

static void take_longest_path(struct line_reader *l) {
    const struct attribute_key *longest = l->request->paths;
    for (int64_t i = 1; i < l->request->path_count; i++) {
        if (count_keys(&l->request->paths[i]) > count_keys(longest)) longest = &l->request->paths[i];
    }
    int32_t count = count_keys(longest);
    size_t size = (size_t)count * sizeof *l->objects;
    l->objects = memory_resize(&l->memory, NULL, size);
    memset(l->objects, 0, size);
    l->object_count = count;
    const uint8_t *at = longest->text, *end = at + longest->length;
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *stop = key_end(at, end);
        struct json_members *inner = i + 1 < count ? &l->objects[i + 1] : NULL;
        l->objects[i].memory = &l->memory;
        l->objects[i].inner = (struct json_inner){at, (size_t)(stop - at), inner};
        at = stop + 1;
    }
}

/* The member that leads to the next of the objects, which was read with it; NULL: it is not there. */
static const struct json_member *next_inwards(struct json_members *object) {
    if (!object->inner.members) return NULL;
    const struct json_member *member = json_members_find(object, object->inner.key, object->inner.key_length);
    return member && member->value.kind == JSON_OBJECT ? member : NULL;
}

static int is_clean_but(const struct json_members *object, const struct json_member *inner) {
    if (object->repeats) return 0;
    for (int32_t i = 0; i < object->count; i++) {
        const struct json_member *member = &object->items[i];
        if (!member->key_is_plain || (member->value.is_dirty && member != inner)) return 0;
    }
    return 1;
}

/* Reads the message's objects; how many of them are there: none where it cannot stand as attributes. */
static int32_t read_objects(struct line_reader *l, struct json_text message) {
    if (!message.at || !json_read_next_object(&l->reader, message, &l->objects[0])) return 0;
    for (int32_t i = 0;; i++) {
        const struct json_member *inner = next_inwards(&l->objects[i]);
        if (!is_clean_but(&l->objects[i], inner)) return 0;
        if (!inner) return i + 1;
    }
}

/* The value at the path, from the key at `at` on, within the object. */
static const struct json_value *value_within(struct line_reader *l, struct json_members *object, const uint8_t *at,
                                             const uint8_t *end) {
    while (1) {
        const uint8_t *stop = key_end(at, end);
        const struct json_member *member = json_members_find(object, at, (size_t)(stop - at));
        if (!member || member->value.kind == JSON_NULL) return NULL;
        if (stop == end) return &member->value;
        struct json_text inner = {member->value.text, member->value.text + member->value.length};
        if (!json_read_only_object(&l->reader, inner, &l->other)) return NULL;
        object = &l->other;
        at = stop + 1;
    }
}

static const struct json_value *value_at(struct line_reader *l, int32_t objects, const struct attribute_key *path) {
    const uint8_t *at = path->text, *end = at + path->length;
    int32_t inwards = 0;
    for (; inwards + 1 < objects; inwards++) {
        const struct json_inner *inner = &l->objects[inwards].inner;
        const uint8_t *stop = key_end(at, end);
        if (stop == end || (size_t)(stop - at) != inner->key_length || memcmp(at, inner->key, inner->key_length)) break;
        at = stop + 1;
    }
    return value_within(l, &l->objects[inwards], at, end);
}

static const struct json_value *first_value(struct line_reader *l, struct json_text message) {
    int32_t objects = read_objects(l, message);
    for (int64_t i = 0; objects && i < l->request->path_count; i++) {
        const struct json_value *value = value_at(l, objects, &l->request->paths[i]);
        if (value) return value;
    }
    return NULL;
}

static void append_text(struct line_reader *l, const struct json_value *value) {
    struct buffer *out = &l->column.text;
    if (value->kind == JSON_STRING) {
        uint8_t *to = buffer_reserve(out, value->length);
        out->length = (size_t)(json_unescape(value, to) - out->data);
    } else {
        json_append_compact(&l->reader, out, value);
    }
}

static void append_json(struct line_reader *l, const struct json_value *value) {
    json_append_compact(&l->reader, &l->column.text, value);
}

static int32_t read_lines(struct line_reader *l, append_form *append) {
    take_longest_path(l);
    text_init(&l->column, &l->memory);
    for (int64_t row = 0; row < l->request->rows; row++) {
        arena_reset(&l->reader.arena);
        const struct json_value *value = first_value(l, array_text(&l->request->messages, row));
        if (value) append(l, value);
        if (l->column.text.length > INT32_MAX) return KERNEL_REFUSED;
        text_end_row(&l->column, value != NULL);
    }
    return KERNEL_OK;
}

static void free_reader(struct line_reader *l) {
    json_reader_free(&l->reader);
    for (int32_t i = 0; i < l->object_count; i++) json_members_free(&l->objects[i]);
    free(l->objects);
    json_members_free(&l->other);
    text_free(&l->column);
    free(l);
}

static int32_t read_column(const struct line_request *request, append_form *append, struct text_column *column) {
    struct line_reader *l = calloc(1, sizeof *l);
    if (!l) return KERNEL_OUT_OF_MEMORY;
    l->request = request;
    json_reader_init(&l->reader, &l->memory);
    l->reader.is_valid_utf8 = 1;
    l->other.memory = &l->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(l->memory.exhausted) == 0) {
        status = read_lines(l, append);
        if (status == KERNEL_OK) *column = text_hand_over(&l->column);
    }
    free_reader(l);
    return status;
}

int32_t kernel_line_text(const struct line_request *request, struct text_column *text) {
    return read_column(request, append_text, text);
}

int32_t kernel_line_json(const struct line_request *request, struct text_column *json) {
    return read_column(request, append_json, json);
}
