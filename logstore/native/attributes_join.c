#include <stdlib.h>

#include "attributes.h"
#include "columns.h"
#include "number.h"

struct joiner {
    struct memory memory;
    const struct join_request *request;
    struct json_reader reader;
    struct json_members line;
    struct text_builder attributes;
};

static int bit_at(const uint8_t *bits, int64_t bit) { return bits[bit / 8] >> bit % 8 & 1; }

static void append_number(struct buffer *out, const struct join_column *column, int64_t row) {
    uint8_t *to = buffer_reserve(out, NUMBER_TEXT_MAX);
    if (column->kind == ATTRIBUTE_INTEGER) to = number_print_integer(to, ((const int64_t *)column->values.values)[row]);
    else to = number_print_double(to, ((const double *)column->values.values)[row]);
    out->length = (size_t)(to - out->data);
}

/* Does the row have a value that split can have put there? */
static int has_value(const struct join_column *column, int64_t row) {
    if (!array_is_valid(&column->values, row)) return 0;
    return column->kind != ATTRIBUTE_NUMBER || number_is_plain(((const double *)column->values.values)[row]);
}

static void append_value(struct buffer *out, const struct join_column *column, int64_t row) {
    if (column->kind == ATTRIBUTE_TEXT) {
        struct json_text text = array_text(&column->values, row);
        json_append_string(out, text.at, (size_t)(text.end - text.at));
    } else if (column->kind == ATTRIBUTE_BOOLEAN) {
        int is_true = bit_at(column->values.values, column->values.at + row);
        buffer_append(out, is_true ? "true" : "false", is_true ? 4 : 5);
    } else {
        append_number(out, column, row);
    }
}

/* Each member begins with what closes the one before: a comma, which is the brace for the first. */
static void append_columns(struct joiner *j, int64_t row) {
    struct buffer *out = &j->attributes.text;
    for (int64_t i = 0; i < j->request->column_count; i++) {
        const struct join_column *column = &j->request->columns[i];
        if (!has_value(column, row)) continue;
        buffer_byte(out, ',');
        buffer_append(out, column->key, (size_t)column->key_length);
        append_value(out, column, row);
    }
}

static void append_omitted(struct joiner *j, int64_t row) {
    const struct join_request *request = j->request;
    struct buffer *out = &j->attributes.text;
    if (!request->omitted_count) return;
    arena_reset(&j->reader.arena);
    if (!attribute_read_line(&j->reader, array_text(&request->messages, row), &j->line)) return;
    for (int64_t i = 0; i < request->omitted_count; i++) {
        const struct attribute_key *key = &request->omitted[i];
        const struct json_member *member = json_members_find(&j->line, key->text, (size_t)key->length);
        if (!member) continue;
        buffer_byte(out, ',');
        json_append_key(out, member);
        buffer_byte(out, ':');
        buffer_append(out, member->value.text, member->value.length);
    }
}

static int is_empty_object(struct json_text text) {
    if (text.end - text.at < 2 || *text.at != '{' || text.end[-1] != '}') return 0;
    return json_skip_space(text.at + 1, text.end - 1) == text.end - 1;
}

static void join_row(struct joiner *j, int64_t row) {
    struct buffer *out = &j->attributes.text;
    size_t from = out->length;
    struct json_text rest = array_text(&j->request->rest, row), trimmed = {NULL, NULL};
    int has_rest = 0;
    if (rest.at) {
        trimmed = json_trimmed(rest);
        has_rest = !is_empty_object(trimmed);
    }
    if (has_rest) buffer_append(out, trimmed.at, (size_t)(trimmed.end - trimmed.at - (trimmed.end > trimmed.at)));
    size_t members = out->length;
    append_columns(j, row);
    if (!rest.at) append_omitted(j, row);
    int has_members = out->length > members;
    if (has_members) {
        if (!has_rest) out->data[from] = '{';
        buffer_byte(out, '}');
    } else if (has_rest) {
        out->length = from;
        buffer_append(out, rest.at, (size_t)(rest.end - rest.at));
    }
    text_end_row(&j->attributes, has_members || has_rest);
}

static int32_t join_rows(struct joiner *j) {
    text_init(&j->attributes, &j->memory);
    for (int64_t row = 0; row < j->request->rows; row++) {
        join_row(j, row);
        if (j->attributes.text.length > INT32_MAX) return KERNEL_REFUSED;
    }
    return KERNEL_OK;
}

int32_t kernel_attributes_join(const struct join_request *request, struct text_column *attributes) {
    struct joiner *j = calloc(1, sizeof *j);
    if (!j) return KERNEL_OUT_OF_MEMORY;
    j->request = request;
    json_reader_init(&j->reader, &j->memory);
    j->reader.is_valid_utf8 = 1;
    j->line.memory = &j->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(j->memory.exhausted) == 0) {
        status = join_rows(j);
        if (status == KERNEL_OK) *attributes = text_hand_over(&j->attributes);
    }
    json_reader_free(&j->reader);
    json_members_free(&j->line);
    text_free(&j->attributes);
    free(j);
    return status;
}
