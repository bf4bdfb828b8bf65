/* The body of POST /api/v1/logs to the columns of a record batch. Mirrored in ingest/decoding.py. */
#ifndef DECODE_H
#define DECODE_H

#include "memory.h"

/* The columns whose values repeat from row to row and may have a default. */
enum word_column { WORD_CLUSTER, WORD_NAMESPACE, WORD_POD, WORD_CONTAINER, WORD_STREAM, WORD_COLUMNS };

/* What a name beyond those of the contract means in documents. */
enum decode_role {
    ROLE_METADATA, /* the member is handed back in `metadata` instead of among the attributes */
    ROLE_OBJECT,   /* if it is an object */
    ROLE_TEXT,     /* if it is an object, or a string that holds one of the needles */
    ROLE_WEAK,     /* if it is an object, or if the record has no other metadata */
    ROLE_PREFIX,   /* so are all whose keys begin with it */
    ROLE_WALK,     /* an object that stays an attribute; its members' names, after its own and a dot, are looked up */
    ROLE_TIME,     /* comes before the contract's names */
    ROLE_MESSAGE,  /* this and the others come after them */
    ROLE_SEVERITY,
    ROLE_TRACE_ID,
    ROLE_SPAN_ID,
    ROLE_LATE_TIME, /* comes after the contract's names, and counts if it is a time of these years */
    ROLE_BODY,      /* an object that is walked, or a string that is the message */
    ROLE_EVENT,     /* likewise, but a string only if the record has a severity */
};

struct decode_name {
    const uint8_t *text;
    int64_t length;
    int64_t role;
};

enum decode_form {
    FORM_JSON,  /* an array if its first byte that is not space is `[`, else objects, one a line */
    FORM_TEXT,  /* one record a line, whatever it holds */
    FORM_LINES, /* objects, one a line */
    FORM_ROW,   /* an array, or objects one after the other with white space, commas or nothing between them */
};

/* What a member of an envelope is, if a record comes in one. */
enum envelope_role {
    ENVELOPE_RECORD,  /* the record: its members if it is an object, else its message */
    ENVELOPE_MEMBERS, /* an object whose members are the record's too, where it has none of their names */
    ENVELOPE_TIME,    /* the record's time, before all that it says itself */
    ENVELOPE_MEMBER,  /* a member of the record, named as `becomes` says, where it has none of that name */
    /* A member that the record itself must not have, or not as an object: it is rejected, for others to read. */
    ENVELOPE_FOREIGN,
    ENVELOPE_FOREIGN_OBJECT,
};

struct envelope_name {
    const uint8_t *text;
    int64_t length;
    int64_t role;
    const uint8_t *becomes;
    int64_t becomes_length;
};

struct needle {
    const uint8_t *text;
    int64_t length;
};

struct decode_request {
    const uint8_t *body;
    int64_t length;
    int64_t now_ns;
    int64_t max_line_bytes;
    int64_t max_records;
    int64_t max_rejects; /* how many are told */
    int64_t form;
    const uint8_t *defaults[WORD_COLUMNS];
    int64_t default_lengths[WORD_COLUMNS];
    const struct decode_name *names;
    int64_t name_count;
    const struct needle *needles;
    int64_t needle_count;
    const struct envelope_name *envelope;
    int64_t envelope_count; /* 0: records come in none. Members of an envelope without a name here are dropped */
};

enum reject_cause {
    REJECT_MALFORMED,     /* detail: where in the line */
    REJECT_NO_OBJECT,     /* detail: the value */
    REJECT_TRAILING,      /* detail: the text after the value */
    REJECT_TOO_LONG,      /* detail: the line */
    REJECT_TOO_DEEP,
    REJECT_TIME,          /* detail: the value */
    REJECT_IDENTITY,      /* detail: the value; `column` tells which */
    REJECT_ARRAY_BROKEN,  /* detail: where in the body; nothing after it was read */
    REJECT_NO_RECORD,     /* an envelope with none; detail: the envelope */
    REJECT_EMPTY_RECORD,  /* one with an empty text; detail: the envelope */
    REJECT_FOREIGN,       /* one that others read; detail: the envelope */
};

struct reject {
    int64_t line; /* or element of the array, from 1 */
    int64_t cause;
    int64_t column;
    int64_t detail_at, detail_length; /* of the body */
};

struct text_column {
    struct column_buffer validity, offsets, text;
    int64_t nulls;
};

struct word_column_buffers {
    struct column_buffer validity, codes, offsets, text;
    int64_t nulls, words;
};

struct decode_result {
    int64_t rows;
    int64_t rejected;          /* how many in all; the first max_rejects are told */
    struct column_buffer rejects; /* struct reject each */
    struct column_buffer time;     /* int64 */
    struct column_buffer severity; /* int32: 0 is '', then trace … fatal */
    struct word_column_buffers words[WORD_COLUMNS];
    struct word_column_buffers labels;
    struct word_column_buffers metadata; /* the texts of JSON objects; null where nothing was handed back */
    struct text_column message, trace_id, span_id, attributes;
};

enum { IDENTITY_MAX_BYTES = 253 };
#define DECODE_MAX_BYTES (INT64_C(256) << 20) /* keeps every column's text below 2^31 bytes */
#define DAY_NS INT64_C(86400000000000)

/* KERNEL_OK, KERNEL_OUT_OF_MEMORY, KERNEL_REFUSED (body over DECODE_MAX_BYTES) or KERNEL_TOO_MANY_RECORDS. Only
 * after KERNEL_OK the result holds anything; each of its buffers is then the caller's to release. */
EXPORT int32_t kernel_decode(const struct decode_request *request, struct decode_result *result);

#endif
