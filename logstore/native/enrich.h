/* Accepted records to complete ones: attributes and severity from what the lines say. Mirrored in
 * logstore/enrich.py. */
#ifndef ENRICH_H
#define ENRICH_H

#include "decode.h"

struct enrich_request {
    int64_t rows;
    const int32_t *message_offsets;
    const uint8_t *message;
    const int32_t *attribute_offsets;
    const uint8_t *attributes;
    const uint8_t *attribute_validity; /* NULL: none is null */
    int64_t validity_at;               /* the first row's bit */
    const int32_t *severities;         /* enum severity of each row */
};

struct enrich_result {
    struct column_buffer severities; /* int32: enum severity of each row */
    struct text_column attributes;
};

EXPORT int32_t kernel_enrich(const struct enrich_request *request, struct enrich_result *result);

#endif
