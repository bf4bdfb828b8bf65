/* The JSON column `attributes` as typed columns of its frequent keys and a rest, and back. Mirrored in
 * logstore/attributes.py. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "decode.h"
#include "json.h"

/* A value fits at most one of the first four. */
enum attribute_kind {
    ATTRIBUTE_BOOLEAN,
    ATTRIBUTE_INTEGER,
    ATTRIBUTE_NUMBER,
    ATTRIBUTE_TEXT,
    ATTRIBUTE_KINDS,
    ATTRIBUTE_NONE = ATTRIBUTE_KINDS /* of a value: fits none; of a key: omitted, no column */
};

/* An Arrow array; `at` is its first row in the bitmaps, `offsets` and `values` of other kinds than BOOLEAN point to
 * the first row. */
struct array_input {
    const uint8_t *validity; /* NULL: none is null */
    int64_t at;
    const void *values;      /* of strings: int32 offsets */
    const uint8_t *text;
};

/* Between the keys of a path to a value inside of objects. */
enum { PATH_SEPARATOR = 0x1F };

struct attribute_key {
    const uint8_t *text;
    int64_t length;
    int64_t kind;
};

struct typed_column {
    struct word_column_buffers content; /* if it is no dictionary, `codes` are the values, or where texts begin */
    int64_t is_words; /* texts that are few: a dictionary */
    int64_t in_rest;  /* does some row keep a value of the key in the rest? */
};

struct split_request {
    int64_t rows;
    struct array_input attributes, messages;
    const struct attribute_key *keys; /* those with a column first */
    int64_t key_count, column_count;
};

/* KERNEL_OK or KERNEL_OUT_OF_MEMORY; only after KERNEL_OK the results hold anything. */
EXPORT int32_t kernel_attributes_split(const struct split_request *request, struct text_column *rest,
                                       struct typed_column *columns);

struct nested_request {
    int64_t rows;
    struct array_input attributes, messages;
    const struct attribute_key *paths; /* of keys, PATH_SEPARATOR between them */
    int64_t path_count;
};

/* The values at paths inside of objects, copied. A column's `in_rest` tells that some row has another value there than
 * the column; `has_dots`, of each path, that some object on the way to it has a key with a dot. As above. */
EXPORT int32_t kernel_attributes_nested(const struct nested_request *request, struct typed_column *columns,
                                        int64_t *has_dots);

/* The objects with more members before their own: those of the text, without braces, that `codes` says of each row;
 * null where neither is there. KERNEL_REFUSED: over 2 GiB in all. */
EXPORT int32_t kernel_attributes_prepend(int64_t rows, const struct array_input *members, const int32_t *codes,
                                         const struct array_input *attributes, struct text_column *joined);

struct join_column {
    const uint8_t *key; /* in quotes, with a colon */
    int64_t key_length;
    int64_t kind;
    struct array_input values;
};

struct join_request {
    int64_t rows;
    struct array_input rest, messages;
    const struct join_column *columns;
    int64_t column_count;
    const struct attribute_key *omitted;
    int64_t omitted_count;
};

/* As above, or KERNEL_REFUSED where the texts are too much for one array. */
EXPORT int32_t kernel_attributes_join(const struct join_request *request, struct text_column *attributes);

/* The attributes of enriched rows as they are, or KERNEL_REFUSED where that is too much for one array. */
EXPORT int32_t kernel_attributes_whole(int64_t rows, const struct array_input *attributes,
                                       const struct array_input *messages, struct text_column *whole);

/* Those messages that stand as attributes just as they are, without the blanks around them; null elsewhere, and of an
 * empty object. As above. */
EXPORT int32_t kernel_attributes_line(int64_t rows, const struct array_input *messages, struct text_column *lines);

struct line_request {
    int64_t rows;
    struct array_input messages;
    const struct attribute_key *paths; /* of keys, PATH_SEPARATOR between them; the first that has a value counts */
    int64_t path_count;                /* at least one */
};

/* The value at the paths in those messages that are one JSON object with unique keys and without lone surrogates; null
 * elsewhere. KERNEL_REFUSED: over 2 GiB in all. */
EXPORT int32_t kernel_line_text(const struct line_request *request, struct text_column *text);
EXPORT int32_t kernel_line_json(const struct line_request *request, struct text_column *json);

struct key_facts {
    int64_t rows;
    int64_t kinds[ATTRIBUTE_KINDS];
    int64_t composite; /* objects and arrays */
    int64_t is_near_unique;
};

struct survey_result {
    int64_t surveyed; /* rows that were looked at */
    int64_t keys;     /* their names are paths */
    struct column_buffer facts; /* struct key_facts each */
    struct text_column names;
};

EXPORT int32_t kernel_attributes_survey(int64_t rows, const struct array_input *attributes,
                                        const struct array_input *messages, struct survey_result *result);

union attribute_scalar {
    int64_t integer; /* or 0, 1 */
    double number;
};

/* Which kind the value fits; other than of a text, it is then in `scalar`. */
enum attribute_kind attribute_read(const struct json_value *value, union attribute_scalar *scalar);

/* The message's members, if it is one JSON object that stands as attributes just as it is. */
int attribute_read_line(struct json_reader *reader, struct json_text message, struct json_members *members);

static inline int array_is_valid(const struct array_input *array, int64_t row) {
    int64_t bit = array->at + row;
    return !array->validity || array->validity[bit / 8] >> bit % 8 & 1;
}

/* The row's text; of null without a place. */
static inline struct json_text array_text(const struct array_input *array, int64_t row) {
    if (!array_is_valid(array, row)) return (struct json_text){NULL, NULL};
    const int32_t *offsets = array->values;
    return (struct json_text){array->text + offsets[row], array->text + offsets[row + 1]};
}

/* The attributes of an enriched row. An empty text says that they are the message; one that ends in a comma, that its
 * members follow: `scratch` is where they are put together. */
static inline struct json_text attributes_text(const struct array_input *attributes, const struct array_input *messages,
                                               int64_t row, struct buffer *scratch) {
    if (!array_is_valid(attributes, row)) return (struct json_text){NULL, NULL};
    struct json_text text = array_text(attributes, row), message = array_text(messages, row);
    if (text.at == text.end) return message;
    if (text.end[-1] != ',') return text;
    scratch->length = 0;
    buffer_append(scratch, text.at, (size_t)(text.end - text.at));
    buffer_append(scratch, message.at + 1, (size_t)(message.end - message.at - 1));
    return (struct json_text){scratch->data, scratch->data + scratch->length};
}

#endif
