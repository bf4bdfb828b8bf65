/* Columns that kernels handed over, as Arrow arrays that own their memory, through Arrow's C data interface
 * (https://arrow.apache.org/docs/format/CDataInterface.html). */
#ifndef ARROW_H
#define ARROW_H

#include "decode.h"

/* Named and laid out by the interface. */
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

/* Each takes what the column holds, also where it returns KERNEL_OUT_OF_MEMORY. */
EXPORT int32_t kernel_arrow_numbers(const struct column_buffer *numbers, int64_t rows, struct ArrowArray *array);
EXPORT int32_t kernel_arrow_texts(const struct text_column *column, int64_t rows, struct ArrowArray *array);
EXPORT int32_t kernel_arrow_words(const struct word_column_buffers *column, int64_t rows, struct ArrowArray *array);

/* What a body was decoded to, as a record batch: all columns of a record but the last, which is `attributes`. These,
 * and `metadata`, own memory of their own: the batch's stays as long as one of its columns does. */
EXPORT int32_t kernel_arrow_decoded(const struct decode_result *result, struct ArrowArray *batch,
                                    struct ArrowArray *attributes, struct ArrowArray *metadata);

#endif
