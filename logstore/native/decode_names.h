/* What the keys of a record mean: the contract's names, and those that documents have besides. */
#ifndef DECODE_NAMES_H
#define DECODE_NAMES_H

#include "decode.h"
#include "json.h"

/* A field of the record as a sender may push it; the first WORD_COLUMNS are those columns. */
enum field {
    FIELD_STREAM = WORD_STREAM,
    FIELD_TIME = WORD_COLUMNS,
    FIELD_MESSAGE,
    FIELD_SEVERITY,
    FIELD_LABELS,
    FIELD_TRACE_ID,
    FIELD_SPAN_ID,
    FIELD_ATTRIBUTES,
    FIELD_COUNT,
    FIELD_NONE = -1,
};

enum decode_metadata { METADATA_NO, METADATA_ALWAYS, METADATA_OBJECT, METADATA_TEXT, METADATA_WEAK };

enum { LATE_RANK = 10 }; /* the first rank of names that come after the contract's */

struct meaning {
    enum field field;
    int rank; /* of a field's several names the lowest rank counts */
    int is_walked;
    int wants_severity; /* it is the field's if the record has a severity */
    enum decode_metadata metadata;
};

enum { NAME_GUESSES = 64, NAME_PREFIXES_MAX = 64 };

struct decode_names {
    const struct decode_request *request;
    struct json_members exact; /* the request's names that are no prefixes; `value.length` is the place of each */
    struct decode_name prefixes[NAME_PREFIXES_MAX];
    int prefix_count;
    struct guess {
        const uint8_t *key;
        uint32_t length;
        struct meaning meaning;
    } guesses[NAME_GUESSES]; /* what the key at this place of an earlier record meant */
};

void decode_names_init(struct decode_names *names, const struct decode_request *request, struct memory *memory);
/* Is such a value metadata under a name that may have some? Of a weak name: as if there was no other. */
int decode_names_admit(const struct decode_names *names, enum decode_metadata metadata, const struct json_value *value);

void decode_names_free(struct decode_names *names);

/* What a member's key means; `place` is the member's in its record. */
struct meaning decode_names_of(struct decode_names *names, int32_t place, const struct json_member *member);

/* What a path means: a key, a dot, and a key of the object there. */
struct meaning decode_names_of_path(struct decode_names *names, const uint8_t *path, size_t length);

#endif
