/* Arrow columns under construction. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "decode.h"

/* Strings: the text of a row is what was appended to `text` since the row before. */
struct text_builder {
    struct buffer validity, offsets, text;
    int64_t rows, nulls;
};

static inline void text_init(struct text_builder *builder, struct memory *memory) {
    *builder = (struct text_builder){{.memory = memory}, {.memory = memory}, {.memory = memory}, 0, 0};
    buffer_int32(&builder->offsets, 0);
}

static inline void text_end_row(struct text_builder *builder, int is_valid) {
    buffer_bit(&builder->validity, builder->rows++, is_valid);
    builder->nulls += !is_valid;
    buffer_int32(&builder->offsets, (int32_t)builder->text.length);
}

static inline struct text_column text_hand_over(struct text_builder *builder) {
    return (struct text_column){buffer_hand_over(&builder->validity), buffer_hand_over(&builder->offsets),
                                buffer_hand_over(&builder->text), builder->nulls};
}

static inline void text_free(struct text_builder *builder) {
    buffer_free(&builder->validity);
    buffer_free(&builder->offsets);
    buffer_free(&builder->text);
}

#endif
