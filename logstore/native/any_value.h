/* OpenTelemetry's AnyValue (opentelemetry-proto, common/v1/common.proto) as JSON. */
#ifndef ANY_VALUE_H
#define ANY_VALUE_H

#include "entries.h"

enum any_kind { ANY_NONE, ANY_STRING, ANY_BOOL, ANY_INT, ANY_DOUBLE, ANY_ARRAY, ANY_KVLIST, ANY_BYTES };

struct any_value {
    enum any_kind kind;
    uint64_t number;
    struct span bytes;
};

/* Notes in `entries` where the message is broken. */
struct any_value any_read(struct entries *entries, struct span message);

/* Bytes are their text or, where that is not UTF-8, base64; so is a value nested deeper than 100 levels. NaN and the
 * infinities are strings. */
void any_append(struct entries *entries, struct buffer *out, struct any_value value, int depth);

struct key_value {
    struct span key;
    struct any_value value;
};

struct key_value key_value_read(struct entries *entries, struct span message);

#endif
