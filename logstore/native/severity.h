/* What a word, a number or a line says about severity. */
#ifndef SEVERITY_H
#define SEVERITY_H

#include <stddef.h>
#include <stdint.h>

enum severity { SEVERITY_NONE, SEVERITY_TRACE, SEVERITY_DEBUG, SEVERITY_INFO, SEVERITY_WARN, SEVERITY_ERROR, SEVERITY_FATAL };

/* A word in any case, perhaps with a step after it (DEBUG-4, D2), or a whole number: 0-7 as syslog counts (RFC 5424),
 * 10-60 as pino and bunyan do. */
enum severity severity_of_word(const uint8_t *word, size_t length);

/* Does the word say no more than the severity it means? NOTICE, CRITICAL and numbers do. */
int severity_is_plain(const uint8_t *word, size_t length);

/* An upper-case word such as WARN near the line's start, `[error]` in any case, or `error:` as its first word. */
enum severity severity_of_line(const uint8_t *line, size_t length);

#endif
