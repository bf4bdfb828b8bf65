/* The body of Elasticsearch's _bulk as its actions and their documents. Mirrored in
 * ingest/protocols/elasticsearch/bulk.py. */
#ifndef BULK_H
#define BULK_H

#include "decode.h"

enum bulk_verb { BULK_INDEX, BULK_CREATE, BULK_UPDATE, BULK_DELETE, BULK_VERBS };

enum bulk_state {
    BULK_DOCUMENT,       /* its document is the next one in `documents` */
    BULK_DELETION,       /* has no document */
    BULK_BAD_ACTION,     /* the line is no action */
    BULK_NO_DOCUMENT,    /* the body ends after the action */
    BULK_BAD_UPDATE,     /* neither `doc` nor `upsert` is an object */
};

struct bulk_result {
    int64_t items;
    struct column_buffer verbs;     /* uint8 */
    struct column_buffer states;    /* uint8 */
    struct word_column_buffers index; /* `_index` of each, null where it has none */
    struct text_column ids;         /* `_id` of each as a JSON string; null where it has none */
    struct column_buffer documents; /* one a line */
};

/* KERNEL_OK, KERNEL_OUT_OF_MEMORY or KERNEL_TOO_MANY_RECORDS. */
EXPORT int32_t kernel_bulk_split(const uint8_t *body, int64_t length, int64_t max_items, struct bulk_result *result);

#endif
