/* What members say about severity, by the names and the forms that loggers give it. */
#ifndef MEMBER_SEVERITY_H
#define MEMBER_SEVERITY_H

#include "json.h"
#include "severity.h"

/* Of a record: the pushed members, and below them those of its line. Both were scanned before, in this reader's arena. */
enum severity severity_of_members(struct json_reader *reader, struct json_members *pushed, struct json_members *line);

#endif
