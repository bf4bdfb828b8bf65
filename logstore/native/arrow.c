#include "arrow.h"

#include <stdlib.h>

enum { BUFFERS_MAX = 3 };

/* What an array of a column needs besides: its `private_data`. */
struct column {
    const void *buffers[BUFFERS_MAX];
    struct ArrowArray dictionary;
};

static void release_column(struct ArrowArray *array) {
    struct column *column = array->private_data;
    for (int64_t i = 0; i < array->n_buffers; i++) free((void *)column->buffers[i]);
    if (array->dictionary && array->dictionary->release) array->dictionary->release(array->dictionary);
    free(column);
    array->release = NULL;
}

static void free_all(const struct column_buffer *buffers, int64_t count) {
    for (int64_t i = 0; i < count; i++) free(buffers[i].data);
}

/* Of the buffers the first is the validity, which is not kept where no row is null. */
static int32_t make(const struct column_buffer *buffers, int64_t count, int64_t rows, int64_t nulls,
                    struct ArrowArray *array) {
    struct column *column = calloc(1, sizeof *column);
    if (!column) {
        free_all(buffers, count);
        return KERNEL_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) column->buffers[i] = buffers[i].data;
    if (nulls == 0) {
        free(buffers[0].data);
        column->buffers[0] = NULL;
    }
    *array = (struct ArrowArray){.length = rows,
                                 .null_count = nulls,
                                 .n_buffers = count,
                                 .buffers = column->buffers,
                                 .release = release_column,
                                 .private_data = column};
    return KERNEL_OK;
}

int32_t kernel_arrow_numbers(const struct column_buffer *numbers, int64_t rows, struct ArrowArray *array) {
    struct column_buffer buffers[] = {{NULL, 0}, *numbers};
    return make(buffers, 2, rows, 0, array);
}

int32_t kernel_arrow_texts(const struct text_column *column, int64_t rows, struct ArrowArray *array) {
    struct column_buffer buffers[] = {column->validity, column->offsets, column->text};
    return make(buffers, 3, rows, column->nulls, array);
}

int32_t kernel_arrow_words(const struct word_column_buffers *column, int64_t rows, struct ArrowArray *array) {
    struct column_buffer codes[] = {column->validity, column->codes};
    struct column_buffer words[] = {{NULL, 0}, column->offsets, column->text};
    if (make(codes, 2, rows, column->nulls, array) != KERNEL_OK) {
        free_all(words, 3);
        return KERNEL_OUT_OF_MEMORY;
    }
    struct column *column_of = array->private_data;
    if (make(words, 3, column->words, 0, &column_of->dictionary) != KERNEL_OK) {
        array->release(array);
        return KERNEL_OUT_OF_MEMORY;
    }
    array->dictionary = &column_of->dictionary;
    return KERNEL_OK;
}

enum { DECODED_COLUMNS = 11 };

struct batch {
    struct ArrowArray columns[DECODED_COLUMNS];
    struct ArrowArray *children[DECODED_COLUMNS];
    const void *no_validity[1];
};

static void release_batch(struct ArrowArray *array) {
    struct batch *batch = array->private_data;
    for (int i = 0; i < DECODED_COLUMNS; i++) {
        if (batch->columns[i].release) batch->columns[i].release(&batch->columns[i]);
    }
    free(batch);
    array->release = NULL;
}

static void release_nothing(struct ArrowArray *array) { array->release = NULL; }

/* A dictionary column whose words are those of severities. */
static int32_t make_severities(const struct decode_result *result, struct ArrowArray *array) {
    static const int32_t offsets[] = {0, 0, 5, 10, 14, 18, 23, 28};
    static const void *buffers[] = {NULL, offsets, "tracedebuginfowarnerrorfatal"};
    int32_t status = kernel_arrow_numbers(&result->severity, result->rows, array);
    if (status != KERNEL_OK) return status;
    struct column *column = array->private_data;
    column->dictionary =
        (struct ArrowArray){.length = 7, .n_buffers = 3, .buffers = buffers, .release = release_nothing};
    array->dictionary = &column->dictionary;
    return KERNEL_OK;
}

static int32_t make_columns(const struct decode_result *result, struct ArrowArray *columns) {
    int64_t rows = result->rows;
    int32_t status = kernel_arrow_numbers(&result->time, rows, columns++);
    for (int i = 0; i < WORD_COLUMNS; i++) status |= kernel_arrow_words(&result->words[i], rows, columns++);
    status |= make_severities(result, columns++);
    status |= kernel_arrow_texts(&result->message, rows, columns++);
    status |= kernel_arrow_words(&result->labels, rows, columns++);
    status |= kernel_arrow_texts(&result->trace_id, rows, columns++);
    return status | kernel_arrow_texts(&result->span_id, rows, columns);
}

static int32_t make_batch(const struct ArrowArray *columns, int64_t rows, struct ArrowArray *array) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return KERNEL_OUT_OF_MEMORY;
    for (int i = 0; i < DECODED_COLUMNS; i++) {
        batch->columns[i] = columns[i];
        batch->children[i] = &batch->columns[i];
    }
    *array = (struct ArrowArray){.length = rows,
                                 .n_buffers = 1,
                                 .buffers = batch->no_validity,
                                 .n_children = DECODED_COLUMNS,
                                 .children = batch->children,
                                 .release = release_batch,
                                 .private_data = batch};
    return KERNEL_OK;
}

static void release_if_made(struct ArrowArray *array) {
    if (array->release) array->release(array);
}

int32_t kernel_arrow_decoded(const struct decode_result *result, struct ArrowArray *batch,
                             struct ArrowArray *attributes, struct ArrowArray *metadata) {
    struct ArrowArray columns[DECODED_COLUMNS] = {0};
    *attributes = *metadata = (struct ArrowArray){0};
    int32_t status = make_columns(result, columns);
    status |= kernel_arrow_texts(&result->attributes, result->rows, attributes);
    status |= kernel_arrow_words(&result->metadata, result->rows, metadata);
    if (status == KERNEL_OK && make_batch(columns, result->rows, batch) == KERNEL_OK) return KERNEL_OK;
    for (int i = 0; i < DECODED_COLUMNS; i++) release_if_made(&columns[i]);
    release_if_made(attributes);
    release_if_made(metadata);
    return KERNEL_OUT_OF_MEMORY;
}
