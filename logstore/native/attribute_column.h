/* The column of one attribute under construction. */
#ifndef ATTRIBUTE_COLUMN_H
#define ATTRIBUTE_COLUMN_H

#include "attributes.h"
#include "intern.h"

/* Rows without a value cost nothing: all begin as null. Texts are codes of words while these are few. */
struct attribute_column {
    enum attribute_kind kind;
    struct buffer validity, values, text; /* values: of texts that are no words, where they end */
    struct buffer codes;
    struct intern words;
    struct buffer unescaped;
    int64_t rows, valid;
    int64_t ended; /* rows whose text's end is written */
    int64_t last;  /* the row whose value was put last */
    int is_words, in_rest;
};

void attribute_column_begin(struct attribute_column *column, struct memory *memory, enum attribute_kind kind, int64_t rows);
void attribute_column_free(struct attribute_column *column);

/* Puts a value of the column's kind into a row after all that have one; `scalar` is it, unless it is a text. */
void attribute_column_put(struct attribute_column *column, int64_t row, const struct json_value *value,
                          const union attribute_scalar *scalar);

/* Likewise, the value that was put last. */
void attribute_column_put_again(struct attribute_column *column, int64_t row, const struct json_value *value);

struct typed_column attribute_column_hand_over(struct attribute_column *column);

#endif
