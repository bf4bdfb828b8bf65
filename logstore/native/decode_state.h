/* What the decoder of a body holds while it reads one, and its parts: decode.c reads bodies, decode_fields.c finds what
 * members say about a record's fields, decode_record.c writes the record. */
#ifndef DECODE_STATE_H
#define DECODE_STATE_H

#include "columns.h"
#include "decode.h"
#include "decode_names.h"
#include "intern.h"
#include "json.h"
#include "severity.h"
#include "timestamp.h"
#include "utf8.h"

enum { WALKED_MAX = 32 };

struct words {
    struct intern intern;
    struct buffer codes;
    int32_t default_code;
};


struct decoder {
    struct memory memory;
    const struct decode_request *request;
    int is_valid_utf8; /* the whole body */
    struct json_reader reader;
    struct json_members members, merged;
    struct json_members outer; /* those of the envelope that the record came in */
    struct json_member *envelope_time;
    struct buffer time, severity, rejects, canonical;
    struct words words[WORD_COLUMNS];
    struct intern labels_as_sent, labels;
    struct buffer label_codes, label_validity, codes_of_labels; /* the last: code of each text in labels_as_sent */
    int64_t label_nulls;
    struct decode_names names;
    struct json_member walked[WALKED_MAX]; /* what the record's objects that are walked say about its fields */
    int walked_count;
    struct buffer gathered; /* the record's metadata */
    struct intern metadata;
    struct buffer metadata_codes, metadata_validity;
    int64_t metadata_nulls;
    struct text_builder message, trace_id, span_id, attributes;
    int64_t rows, rejected;
    int has_too_many;
};

struct span {
    const uint8_t *at;
    size_t length;
};

/* What the members of a record say about its fields. */
struct fields {
    struct json_member *of[FIELD_COUNT];
    int ranks[FIELD_COUNT];
};

static inline int is_object(const struct json_value *value) { return value->kind == JSON_OBJECT; }

void decode_reject(struct decoder *d, int64_t line, enum reject_cause cause, int column, const uint8_t *at,
                   const uint8_t *end);
/* A value as a column's text: a string's characters (valid UTF-8), else its JSON text. */
struct span decode_text_of(struct decoder *d, const struct json_value *value);

/* Which of `members` are whose, and what of them is metadata. */
void decode_choose_fields(struct decoder *d, struct fields *fields);
/* The record's time, now if it tells none; `sent_time` is one that is not believed. False, and rejected, if it cannot be read. */
int decode_read_time(struct decoder *d, int64_t line, const struct fields *fields, int64_t *time_ns,
                     const struct json_value **sent_time);
/* The severity that a member tells; one that is not understood, or says more, stays an attribute. */
enum severity decode_read_severity(struct decoder *d, struct json_member *member);

/* Takes what was read at start … end: a record, or an envelope with one. */
void decode_take(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end);
/* Takes the text from … to as a message. */
void decode_take_text(struct decoder *d, const uint8_t *from, const uint8_t *to);

#endif
