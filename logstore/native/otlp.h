/* What a log record of OpenTelemetry becomes, whichever form it had. */
#ifndef OTLP_H
#define OTLP_H

#include "entries.h"

struct otlp_record {
    uint64_t time_ns, observed_ns, severity_number, dropped, flags;
    struct span severity_text, event_name, message;
    struct span trace_id, span_id; /* hexadecimal, in lower case */
    int has_body;                  /* else the event's name is the message */
};

/* An empty one; `anywhere` is a place for empty texts. */
static inline struct otlp_record otlp_record_of(const uint8_t *anywhere) {
    struct span empty = {anywhere, 0};
    return (struct otlp_record){.severity_text = empty, .event_name = empty, .message = empty,
                                .trace_id = empty, .span_id = empty};
}

/* Ends an entry whose attributes have been written. */
void otlp_end(struct entries *entries, const struct otlp_record *record);

#endif
