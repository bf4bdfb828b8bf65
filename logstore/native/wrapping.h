/* One message, read as what a container runtime writes. */
#ifndef WRAPPING_H
#define WRAPPING_H

#include "json.h"
#include "unwrap.h"

enum wrapping { WRAPPED_NOT, WRAPPED_CRI, WRAPPED_DOCKER, WRAPPED_TOLD /* by attributes */ };

struct wrapped {
    enum wrapping kind;
    enum unwrapped_stream stream;
    int is_partial;            /* its line goes on in the next piece */
    struct json_text content;  /* but of Docker: the line as it stands */
    struct json_value log;     /* of Docker: the line as a JSON string, its newline included */
    struct json_value attrs;   /* of Docker; without a text if there are none */
    struct json_text time;
    int64_t time_ns;
    int is_time_kept;          /* false: it is out of range, or more than a day ahead of now */
};

/* Do the first bytes look so? */
int looks_wrapped(struct json_text message, int64_t formats);

/* Reads the message, which is UTF-8; `members` are scratch. What is found points into the message. */
void read_wrapped(struct json_reader *reader, struct json_members *members, struct json_text message, int64_t formats,
                  int64_t now_ns, struct wrapped *found);

/* Reads what agents say of a message that they unwrapped, but whose line goes on: Fluent Bit's and Fluentd's parsers of
 * CRI (`logtag`), Docker's drivers for fluentd and journald (`partial_message`, `CONTAINER_PARTIAL_MESSAGE`). */
void read_told(struct json_members *attributes, int64_t formats, struct wrapped *found);

/* Marks those attributes as dropped. */
void drop_told(struct json_members *attributes);

#endif
