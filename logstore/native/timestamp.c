#include "timestamp.h"

#include <string.h>

#include "memory.h"

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* The number in two digits, or -1. */
static inline int two_digits(const uint8_t *at) {
    unsigned tens = at[0] - '0', ones = at[1] - '0';
    return tens <= 9 && ones <= 9 ? (int)(tens * 10 + ones) : -1;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int32_t year, int month, int day) {
    year -= month <= 2;
    int32_t era = (year >= 0 ? year : year - 399) / 400;
    int32_t year_of_era = year - era * 400;
    int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_of_month(int year, int month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

int64_t time_of_clock(int year, int month, int day, const uint8_t clock[8]) {
    int hour = two_digits(clock), minute = two_digits(clock + 3), second = two_digits(clock + 6);
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return INT64_MIN;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return INT64_MIN;
    if (clock[2] != ':' || clock[5] != ':') return INT64_MIN;
    return days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static enum time_status in_range(int64_t seconds, int64_t nanoseconds, int64_t *time_ns) {
    if (seconds < TIME_MIN_S || seconds >= TIME_END_S) return TIME_OUT_OF_RANGE;
    *time_ns = seconds * NS_PER_S + nanoseconds;
    return TIME_OK;
}

/* Z, z, +hh:mm or +hhmm, to the end of the text: its seconds; or INT32_MIN. */
static int32_t offset_seconds(const uint8_t *at, const uint8_t *end) {
    if (end - at == 1) return *at == 'Z' || *at == 'z' ? 0 : INT32_MIN;
    if (end - at != 5 && end - at != 6) return INT32_MIN;
    if (*at != '+' && *at != '-') return INT32_MIN;
    int hours = two_digits(at + 1);
    if (end - at == 6 && at[3] != ':') return INT32_MIN;
    int minutes = two_digits(end - 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return INT32_MIN;
    int32_t seconds = hours * 3600 + minutes * 60;
    return *at == '-' ? -seconds : seconds;
}

struct clock_time {
    int64_t seconds, nanoseconds;
};

/* A date and a time of day, whose fraction follows a point, or the byte `comma`. Returns where they end; NULL if there are none. */
static const uint8_t *read_clock(const uint8_t *at, const uint8_t *end, uint8_t comma, struct clock_time *read) {
    if (end - at < 19 || at[4] != '-' || at[7] != '-') return NULL;
    if (at[10] != 'T' && at[10] != 't' && at[10] != ' ') return NULL;
    int century = two_digits(at), year_of_century = two_digits(at + 2), year = century * 100 + year_of_century;
    int month = two_digits(at + 5), day = two_digits(at + 8);
    int64_t seconds = century < 0 || year_of_century < 0 ? INT64_MIN : time_of_clock(year, month, day, at + 11);
    if (seconds == INT64_MIN) return NULL;
    at += 19;
    int64_t nanoseconds = 0;
    if (at < end && (*at == '.' || *at == comma)) {
        static const int32_t units[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
        const uint8_t *first = ++at;
        while (at < end && at - first < 9 && is_digit(*at)) nanoseconds = nanoseconds * 10 + (*at++ - '0');
        if (at == first) return NULL;
        nanoseconds *= units[at - first];
        while (at < end && is_digit(*at)) at++;
    }
    *read = (struct clock_time){seconds, nanoseconds};
    return at;
}

static enum time_status parse_rfc3339(const uint8_t *at, const uint8_t *end, int64_t *time_ns) {
    struct clock_time read;
    at = read_clock(at, end, '.', &read);
    int32_t offset = at ? offset_seconds(at, end) : INT32_MIN;
    if (offset == INT32_MIN) return TIME_UNREADABLE;
    return in_range(read.seconds - offset, read.nanoseconds, time_ns);
}

/* Of a zone as loggers write it: nothing and UTC are UTC; the hours of an offset alone; a space may stand before. */
static int32_t loose_offset_seconds(const uint8_t *at, const uint8_t *end) {
    if (at < end && *at == ' ') at++;
    if (at == end) return 0;
    if (end - at == 3 && (memcmp(at, "UTC", 3) == 0 || memcmp(at, "GMT", 3) == 0)) return 0;
    if (end - at == 3 && (*at == '+' || *at == '-')) {
        int hours = two_digits(at + 1);
        return hours < 0 || hours > 23 ? INT32_MIN : (*at == '-' ? -hours : hours) * 3600;
    }
    return offset_seconds(at, end);
}

static enum time_status parse_iso8601(const uint8_t *at, const uint8_t *end, int64_t *time_ns) {
    struct clock_time read;
    at = read_clock(at, end, ',', &read);
    int32_t offset = at ? loose_offset_seconds(at, end) : INT32_MIN;
    if (offset == INT32_MIN) return TIME_UNREADABLE;
    return in_range(read.seconds - offset, read.nanoseconds, time_ns);
}

static int month_of(const uint8_t *name) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 1; month <= 12; month++) {
        if (memcmp(names + 3 * (month - 1), name, 3) == 0) return month;
    }
    return 0;
}

/* 01/Mar/2026:12:00:00 +0000, perhaps in brackets, as access logs have it. */
static enum time_status parse_access_time(const uint8_t *at, const uint8_t *end, int64_t *time_ns) {
    if (end - at == 28 && at[0] == '[' && end[-1] == ']') at++, end--;
    if (end - at != 26 || at[2] != '/' || at[6] != '/' || at[11] != ':' || at[20] != ' ') return TIME_UNREADABLE;
    int day = two_digits(at), month = month_of(at + 3), century = two_digits(at + 7), year = two_digits(at + 9);
    int32_t offset = offset_seconds(at + 21, end);
    if (day < 0 || century < 0 || year < 0 || offset == INT32_MIN) return TIME_UNREADABLE;
    int64_t seconds = time_of_clock(century * 100 + year, month, day, at + 12);
    return seconds == INT64_MIN ? TIME_UNREADABLE : in_range(seconds - offset, 0, time_ns);
}

/* A decimal number as its digits (leading zeros gone) and the place of its point: 0.DIGITS * 10^point. */
struct decimal {
    const uint8_t *whole, *fraction, *end_of_whole, *end_of_fraction;
    int64_t point;
    int is_negative, is_zero;
};

static int read_decimal(const uint8_t *at, const uint8_t *end, struct decimal *number) {
    enum { EXPONENT_MAX = 1000000 };
    number->is_negative = at < end && *at == '-';
    at += number->is_negative;
    number->whole = at;
    while (at < end && is_digit(*at)) at++;
    number->end_of_whole = at;
    if (at == number->whole) return 0;
    number->fraction = number->end_of_fraction = at;
    if (at < end && *at == '.') {
        number->fraction = ++at;
        while (at < end && is_digit(*at)) at++;
        number->end_of_fraction = at;
        if (at == number->fraction) return 0;
    }
    int64_t exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        int is_negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        const uint8_t *first = at;
        for (; at < end && is_digit(*at); at++) {
            if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (*at - '0');
        }
        if (at == first) return 0;
        if (is_negative) exponent = -exponent;
    }
    if (at != end) return 0;
    while (number->whole < number->end_of_whole && *number->whole == '0') number->whole++;
    number->point = exponent + (number->end_of_whole - number->whole);
    if (number->whole == number->end_of_whole) {
        while (number->fraction < number->end_of_fraction && *number->fraction == '0') {
            number->fraction++;
            number->point--;
        }
        number->is_zero = number->fraction == number->end_of_fraction;
    } else {
        number->is_zero = 0;
    }
    return 1;
}

enum time_status time_parse_epoch(const uint8_t *text, size_t length, int64_t *time_ns) {
    struct decimal number;
    if (!read_decimal(text, text + length, &number)) return TIME_UNREADABLE;
    if (number.is_zero) return in_range(0, 0, time_ns);
    int64_t shift = number.point <= 11 ? 9 : number.point <= 14 ? 6 : number.point <= 17 ? 3 : 0;
    int64_t wanted = number.point + shift;
    if (wanted > 19) return TIME_OUT_OF_RANGE;
    uint64_t magnitude = 0;
    for (int64_t i = 0; i < wanted; i++) {
        uint8_t digit = '0';
        if (number.whole < number.end_of_whole) digit = *number.whole++;
        else if (number.fraction < number.end_of_fraction) digit = *number.fraction++;
        magnitude = magnitude * 10 + (digit - '0');
    }
    if (magnitude > INT64_MAX) return TIME_OUT_OF_RANGE;
    int64_t value = number.is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    int64_t seconds = value / NS_PER_S, rest = value % NS_PER_S;
    if (rest < 0) seconds--, rest += NS_PER_S;
    return in_range(seconds, rest, time_ns);
}

enum time_status time_parse(const uint8_t *text, size_t length, int64_t *time_ns) {
    if (length > 4 && text[4] == '-') {
        enum time_status status = parse_rfc3339(text, text + length, time_ns);
        if (status != TIME_UNREADABLE) return status;
    }
    return time_parse_epoch(text, length, time_ns);
}

enum time_status time_parse_loosely(const uint8_t *text, size_t length, int64_t *time_ns) {
    enum time_status status = time_parse(text, length, time_ns);
    if (status != TIME_UNREADABLE || length < 5) return status;
    return (text[4] == '-' ? parse_iso8601 : parse_access_time)(text, text + length, time_ns);
}

EXPORT int32_t kernel_time_parse(const uint8_t *text, int64_t length, int64_t *time_ns) {
    return time_parse(text, (size_t)length, time_ns);
}
