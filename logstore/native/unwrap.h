/* Lines out of what container runtimes wrap them in. Mirrored in ingest/lines_kernels.py. */
#ifndef UNWRAP_H
#define UNWRAP_H

#include "attributes.h"

enum { UNWRAP_CRI = 1, UNWRAP_DOCKER = 2 };
enum { SOURCE_COLUMNS = 6 };
enum unwrapped_stream { STREAM_AS_BEFORE = -1, STREAM_STDOUT, STREAM_STDERR };

struct unwrap_request {
    int64_t rows;
    struct array_input messages, attributes;
    const int64_t *times;
    const int32_t *sources; /* SOURCE_COLUMNS numbers a row: rows with other numbers are never of one line */
    int64_t formats;
    int64_t is_told; /* some attributes tell of pieces */
    int64_t now_ns;
    int64_t max_line_bytes; /* pieces that are more together stay pieces */
};

struct unwrap_result {
    int64_t rows;
    struct column_buffer firsts;  /* int64: the row in which each line begins */
    struct column_buffer times;   /* int64 */
    struct column_buffer streams; /* int32: enum unwrapped_stream */
    struct text_column messages, attributes;
};

/* How many rows look as if they were wrapped in one of the formats: a test of their first bytes. */
EXPORT int32_t kernel_wrapped_count(int64_t rows, const struct array_input *messages, int64_t formats, int64_t *count);

/* KERNEL_OK or KERNEL_OUT_OF_MEMORY; only after KERNEL_OK the result holds anything. */
EXPORT int32_t kernel_unwrap(const struct unwrap_request *request, struct unwrap_result *result);

#endif
