/* What a line says of itself: one JSON object, wholly logfmt, or a klog header. */
#ifndef LINES_H
#define LINES_H

#include "json.h"
#include "severity.h"

enum line_kind { LINE_PLAIN, LINE_JSON, LINE_LOGFMT, LINE_KLOG, LINE_UNSURE /* nested too deep to tell */ };

/* Reads a line (valid UTF-8) into `members`, which hold something only if the line is one of the three kinds; of lines
 * read one after the other, the one before is still there. What they point to lives in the line and in the reader's arena. `severity` is set by klog only. */
enum line_kind line_read(struct json_reader *reader, const uint8_t *line, const uint8_t *end,
                         struct json_members *members, enum severity *severity);

#endif
