/* JSON as DuckDB writes it (yyjson): no blanks, the escapes that JSON demands, and numbers as below. */
#ifndef JSON_COMPACT_H
#define JSON_COMPACT_H

#include "json.h"

/* Of a value that was scanned before and has no lone surrogates. */
void json_append_compact(struct json_reader *reader, struct buffer *out, const struct json_value *value);

/* A JSON number: one with a fraction or an exponent as the shortest decimal that reads back as its double, from 1e-6 to
 * below 1e21 without an exponent; others, and those that no double is near, as they stand, but `-0` as `0`. */
void json_append_number(struct buffer *out, const uint8_t *text, size_t length);

#endif
