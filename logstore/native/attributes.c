#include "attributes.h"

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
