/* Times as senders write them, to nanoseconds since 1970 (UTC). */
#ifndef TIMESTAMP_H
#define TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define TIME_MIN_S INT64_C(-9214560000) /* 1678-01-01T00:00:00Z, the first second that is kept */
#define TIME_END_S INT64_C(9214646400)  /* 2262-01-01T00:00:00Z, the first that is not */

enum time_status { TIME_OK, TIME_UNREADABLE, TIME_OUT_OF_RANGE };

/* RFC 3339 with any offset (`T`, `t` or a space between date and time; +hh:mm or +hhmm; a 60th second is the
 * next minute's first), or an epoch number. Digits beyond the nanosecond are cut. */
enum time_status time_parse(const uint8_t *text, size_t length, int64_t *time_ns);

/* The same, and what loggers write besides: no offset, which is then UTC; an offset of hours alone; a space before the
 * offset, or the words UTC and GMT; a fraction after a comma; and the times of access logs, 01/Mar/2026:12:00:00 +0000. */
enum time_status time_parse_loosely(const uint8_t *text, size_t length, int64_t *time_ns);

/* An epoch number -?\d+(\.\d+)?([eE][+-]?\d+)?: seconds below 10^11, milliseconds below 10^14, microseconds
 * below 10^17, else nanoseconds, whatever its sign. Exact: no floating point. */
enum time_status time_parse_epoch(const uint8_t *text, size_t length, int64_t *time_ns);

/* Seconds since 1970-01-01T00:00:00 of a date and a time of day on the same clock; INT64_MIN if there is no such moment. A
 * 60th second is the next minute's first. */
int64_t time_of_clock(int year, int month, int day, const uint8_t clock[8] /* hh:mm:ss */);

#endif
