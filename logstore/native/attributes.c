#include "attributes.h"

#include <stdlib.h>

#include "columns.h"
#include "number.h"

static int holds_null_character(const struct json_value *string) {
    const uint8_t *at = string->text + 1, *end = string->text + string->length - 1;
    while ((at = memchr(at, '\\', (size_t)(end - at)))) {
        if (at[1] == 'u' && memcmp(at + 2, "0000", 4) == 0) return 1;
        at += 2;
    }
    return 0;
}

enum attribute_kind attribute_read(const struct json_value *value, union attribute_scalar *scalar) {
    switch (value->kind) {
    case JSON_BOOLEAN:
        scalar->integer = *value->text == 't';
        return ATTRIBUTE_BOOLEAN;
    case JSON_NUMBER:
        if (number_read_integer(value->text, value->length, &scalar->integer)) return ATTRIBUTE_INTEGER;
        return number_read_double(value->text, value->length, &scalar->number) ? ATTRIBUTE_NUMBER : ATTRIBUTE_NONE;
    case JSON_STRING:
        if (value->is_dirty || (value->has_backslash && holds_null_character(value))) return ATTRIBUTE_NONE;
        return ATTRIBUTE_TEXT;
    default: return ATTRIBUTE_NONE;
    }
}

int attribute_read_line(struct json_reader *reader, struct json_text message, struct json_members *members) {
    return message.at && json_read_only_object(reader, message, members) && json_is_clean(members);
}

/* Two columns from one member of each message. */
struct member_reader {
    struct memory memory;
    struct json_reader reader;
    struct json_members members;
    struct text_builder text, json;
};

static void append_text_form(struct buffer *out, const struct json_value *value) {
    union attribute_scalar scalar;
    uint8_t *to = buffer_reserve(out, (size_t)value->length + NUMBER_TEXT_MAX);
    if (value->kind == JSON_STRING) {
        out->length = (size_t)(json_unescape(value, to) - out->data);
    } else if (attribute_read(value, &scalar) == ATTRIBUTE_NUMBER) {
        out->length = (size_t)(number_print_double(to, scalar.number) - out->data);
    } else {
        buffer_append(out, value->text, value->length);
    }
}

/* The JSON text, given the text form that was appended to `text` at `from`. */
static void append_json(struct buffer *out, const struct json_value *value, const struct buffer *text, size_t from) {
    if (value->has_backslash) json_append_string(out, text->data + from, text->length - from);
    else if (value->kind == JSON_STRING) buffer_append(out, value->text, value->length);
    else buffer_append(out, text->data + from, text->length - from);
}

/* The value at the path in the message, if that is a line with one there. */
static const struct json_value *value_at(struct member_reader *r, struct json_text message,
                                         const struct attribute_key *path) {
    const uint8_t *at = path->text, *end = at + path->length, *stop;
    if (!attribute_read_line(&r->reader, message, &r->members)) return NULL;
    while (1) {
        stop = memchr(at, PATH_SEPARATOR, (size_t)(end - at));
        const struct json_member *member = json_members_find(&r->members, at, (size_t)((stop ? stop : end) - at));
        if (!member || member->value.kind == JSON_NULL) return NULL;
        if (!stop) return &member->value;
        struct json_text inner = {member->value.text, member->value.text + member->value.length};
        if (!json_read_only_object(&r->reader, inner, &r->members)) return NULL;
        at = stop + 1;
    }
}

static int32_t read_members(struct member_reader *r, int64_t rows, const struct array_input *messages,
                            const struct attribute_key *path) {
    text_init(&r->text, &r->memory);
    text_init(&r->json, &r->memory);
    for (int64_t row = 0; row < rows; row++) {
        arena_reset(&r->reader.arena);
        const struct json_value *value = value_at(r, array_text(messages, row), path);
        if (value) {
            size_t from = r->text.text.length;
            append_text_form(&r->text.text, value);
            append_json(&r->json.text, value, &r->text.text, from);
        }
        if (r->text.text.length > INT32_MAX || r->json.text.length > INT32_MAX) return KERNEL_REFUSED;
        text_end_row(&r->text, value != NULL);
        text_end_row(&r->json, value != NULL);
    }
    return KERNEL_OK;
}

int32_t kernel_line_member(int64_t rows, const struct array_input *messages, const struct attribute_key *path,
                           struct text_column *text, struct text_column *json) {
    struct member_reader *r = calloc(1, sizeof *r);
    if (!r) return KERNEL_OUT_OF_MEMORY;
    json_reader_init(&r->reader, &r->memory);
    r->reader.is_valid_utf8 = 1;
    r->members.memory = &r->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(r->memory.exhausted) == 0) {
        status = read_members(r, rows, messages, path);
        if (status == KERNEL_OK) {
            *text = text_hand_over(&r->text);
            *json = text_hand_over(&r->json);
        }
    }
    json_reader_free(&r->reader);
    json_members_free(&r->members);
    text_free(&r->text);
    text_free(&r->json);
    free(r);
    return status;
}
