#include "attribute_column.h"

enum { WORDS_MAX = 256, WORDS_MAX_BYTES = 16 << 10 };

static void append_zeros(struct buffer *buffer, size_t count) {
    if (count == 0) return; /* a buffer may have no memory then, which memset may not be given */
    memset(buffer_reserve(buffer, count), 0, count);
    buffer->length += count;
}

void attribute_column_begin(struct attribute_column *column, struct memory *memory, enum attribute_kind kind,
                            int64_t rows) {
    size_t bitmap = (size_t)(rows + 7) / 8;
    *column = (struct attribute_column){.kind = kind, .rows = rows, .is_words = kind == ATTRIBUTE_TEXT};
    struct buffer *buffers[] = {&column->validity, &column->values, &column->text, &column->codes, &column->unescaped};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = memory;
    intern_init(&column->words, memory);
    append_zeros(&column->validity, bitmap);
    if (kind == ATTRIBUTE_TEXT) append_zeros(&column->codes, (size_t)rows * sizeof(int32_t));
    else append_zeros(&column->values, kind == ATTRIBUTE_BOOLEAN ? bitmap : (size_t)rows * sizeof(int64_t));
}

void attribute_column_free(struct attribute_column *column) {
    struct buffer *buffers[] = {&column->validity, &column->values, &column->text, &column->codes, &column->unescaped};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    intern_free(&column->words);
}

static int32_t *codes_of(struct attribute_column *column) { return (int32_t *)(void *)column->codes.data; }

/* Writes the ends of all texts before the row. */
static void end_texts(struct attribute_column *column, int64_t row) {
    int32_t *ends = (int32_t *)(void *)column->values.data + 1;
    while (column->ended < row) ends[column->ended++] = (int32_t)column->text.length;
}

static void append_text(struct attribute_column *column, int64_t row, const uint8_t *text, size_t length) {
    end_texts(column, row);
    buffer_append(&column->text, text, length);
    end_texts(column, row + 1);
}

/* From now on texts are no words, nor are those of the rows before. */
static void spell_out(struct attribute_column *column, int64_t row) {
    const int32_t *offsets = (const int32_t *)(const void *)column->words.offsets.data;
    column->is_words = 0;
    append_zeros(&column->values, (size_t)(column->rows + 1) * sizeof(int32_t));
    for (int64_t i = 0; i < row; i++) {
        int32_t code = codes_of(column)[i];
        if (!(column->validity.data[i / 8] >> i % 8 & 1)) continue;
        append_text(column, i, column->words.text.data + offsets[code], (size_t)(offsets[code + 1] - offsets[code]));
    }
}

static void put_word(struct attribute_column *column, int64_t row, const uint8_t *text, size_t length) {
    codes_of(column)[row] = intern_code(&column->words, text, length);
    if (column->words.count > WORDS_MAX || column->words.text.length > WORDS_MAX_BYTES) spell_out(column, row + 1);
}

static void put_text(struct attribute_column *column, int64_t row, const struct json_value *string) {
    const uint8_t *text = string->text + 1;
    size_t length = string->length - 2;
    if (string->has_backslash) {
        column->unescaped.length = 0;
        uint8_t *to = buffer_reserve(&column->unescaped, string->length);
        length = (size_t)(json_unescape(string, to) - to);
        text = to;
    }
    if (column->is_words) put_word(column, row, text, length);
    else append_text(column, row, text, length);
}

static void note_valid(struct attribute_column *column, int64_t row) {
    column->validity.data[row / 8] |= (uint8_t)(1u << row % 8);
    column->valid++;
    column->last = row;
}

void attribute_column_put(struct attribute_column *column, int64_t row, const struct json_value *value,
                          const union attribute_scalar *scalar) {
    note_valid(column, row);
    if (column->kind == ATTRIBUTE_TEXT) put_text(column, row, value);
    else if (column->kind != ATTRIBUTE_BOOLEAN) memcpy(column->values.data + row * 8, scalar, 8);
    else if (scalar->integer) column->values.data[row / 8] |= (uint8_t)(1u << row % 8);
}

void attribute_column_put_again(struct attribute_column *column, int64_t row, const struct json_value *value) {
    int64_t last = column->last;
    if (column->is_words) {
        note_valid(column, row);
        codes_of(column)[row] = codes_of(column)[last];
        return;
    }
    union attribute_scalar scalar = {0};
    if (column->kind == ATTRIBUTE_BOOLEAN) scalar.integer = *value->text == 't';
    else if (column->kind != ATTRIBUTE_TEXT) memcpy(&scalar, column->values.data + last * 8, 8);
    attribute_column_put(column, row, value, &scalar);
}

static struct typed_column hand_over_words(struct attribute_column *column) {
    if (!column->words.count) intern_code(&column->words, NULL, 0);
    return (struct typed_column){
        {buffer_hand_over(&column->validity), buffer_hand_over(&column->codes),
         buffer_hand_over(&column->words.offsets), buffer_hand_over(&column->words.text), column->rows - column->valid,
         column->words.count},
        1, column->in_rest};
}

struct typed_column attribute_column_hand_over(struct attribute_column *column) {
    if (column->is_words) return hand_over_words(column);
    if (column->kind == ATTRIBUTE_TEXT) end_texts(column, column->rows);
    return (struct typed_column){.content.validity = buffer_hand_over(&column->validity),
                                 .content.codes = buffer_hand_over(&column->values),
                                 .content.text = buffer_hand_over(&column->text),
                                 .content.nulls = column->rows - column->valid,
                                 .in_rest = column->in_rest};
}
