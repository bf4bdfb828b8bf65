/* Log entries of binary protocols to the columns of a record batch. Mirrored in ingest/entries.py.
 *
 * Entries come from a base (a Loki stream's labels, an OTLP resource), told once. Members of theirs that name where they
 * come from are lifted: a base and what was lifted are a group, which the caller resolves. All others are attributes. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "columns.h"
#include "intern.h"
#include "json.h"
#include "severity.h"
#include "wire.h"

struct entries_request {
    const uint8_t *body;
    int64_t length;
    int64_t now_ns;
    int64_t max_line_bytes;
    int64_t max_records;
    int64_t max_text_bytes; /* of messages and attributes together: a scope's stand in each of its entries */
    const uint8_t *lifted;  /* names of members, one a line, as `normal` of ingest/identity_table.py spells them; after an
                             * empty line those of members that are only lifted if they are `stdout` or `stderr` */
    int64_t lifted_length;
};

struct entries_result {
    int64_t rows, bases, groups;
    int64_t broken;                /* stored as they came */
    int64_t rejected;              /* longer than max_line_bytes, or left; the first ENTRIES_TOLD_MAX are told */
    struct column_buffer rejects;  /* int64 each: the entry's place, from 1, and its bytes; ENTRIES_LEFT if it was left */
    struct column_buffer time;     /* int64 */
    struct column_buffer severity; /* int32: 0 is '', then trace … fatal */
    struct column_buffer group;    /* int32 */
    struct text_column base_texts;
    struct text_column group_texts; /* the base's number, a newline, and what was lifted as a JSON object or nothing */
    struct text_column message, trace_id, span_id, attributes;
};

enum { ENTRIES_TOLD_MAX = 10000, ENTRIES_LEFT = -1, ENTRIES_NAME_MAX = 96 /* no longer name is lifted */ };

/* Beside enum kernel_status. */
enum entries_status { ENTRIES_MALFORMED = 16, ENTRIES_TOO_LARGE, ENTRIES_UNSURE /* the exact reader takes it */ };

struct entries {
    struct memory memory;
    const struct entries_request *request;
    struct json_reader reader;
    struct intern lifted_names, stream_names, groups;
    int32_t lifted_count, plain_group;
    struct buffer time, severity, group, rejects, scratch;
    struct buffer lifted; /* members of the entry, each with a comma after it */
    struct buffer shared; /* likewise, those that all entries of a scope have */
    struct buffer body;   /* an entry's message, where that is no text */
    struct intern names;          /* those that entries give their fields, where they are told apart */
    struct buffer fields; /* of the entry */
    struct buffer kept;   /* what is kept of each of these names */
    struct buffer keys;   /* these as keys of JSON objects */
    struct text_builder bases, message, trace_id, span_id, attributes;
    uint64_t seen[4], shared_seen[4]; /* marks of keys: of the entry, of `shared` */
    int is_repeated, shared_is_repeated; /* some object's keys may repeat */
    int is_broken;
    size_t attributes_from;
    int64_t rows, broken, rejected;
    int32_t status;
};

struct entry {
    int64_t time_ns;
    int has_time;
    enum severity severity;
    struct span odd_time; /* a time that is no int64, as JSON */
    struct span message, trace_id, span_id;
};

typedef void entries_read(struct entries *entries, struct span body);

/* Runs a protocol's reader; the exported kernels are this. After KERNEL_OK the result's buffers are the caller's. */
int32_t entries_decode(const struct entries_request *request, struct entries_result *result, entries_read *read);

/* What follows comes from here; the text is valid UTF-8 in the result. */
void entries_begin_base(struct entries *entries, struct span text);

void entries_clear_shared(struct entries *entries);

void entries_begin(struct entries *entries);

/* What may be done with a member for its value's sake. */
enum lift { LIFT_NEVER, LIFT_NAMED, LIFT_STREAM };

/* Of a text: is it `stdout` or `stderr`? */
enum lift entries_lift_of(struct span text);

/* One spelling for `k8s.pod.name`, `k8s_pod_name` and `K8s-pod/name`, as `normal` of ingest/identity_table.py; `out` has
 * room for all of the key. */
size_t entries_normalise(struct span key, uint8_t *out);

/* Writes the key of a member, and a colon; the caller appends its JSON and a comma. It is lifted if its name says so and it may be. */
struct buffer *entries_member(struct entries *entries, struct span key, enum lift lift);

/* Likewise, of a member that all entries have which begin until entries_clear_shared. */
struct buffer *entries_shared_member(struct entries *entries, struct span key);

void entries_end(struct entries *entries, const struct entry *entry);

/* Leaves the entry that has begun to the exact reader. */
void entries_leave(struct entries *entries);

/* Stores what could not be read as the message of an entry that says so. */
void entries_end_broken(struct entries *entries, struct span raw, const char *why);

/* The text as a JSON string; what is not UTF-8 becomes U+FFFD. */
void entries_append_text(struct entries *entries, struct buffer *out, struct span text);

static inline struct span span_of(const char *text) { return (struct span){(const uint8_t *)text, strlen(text)}; }

#endif
