#include "json_compact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"

enum { DIGITS_MAX = 17, LEAD_MIN = -6, LEAD_MAX = 20 };

static int is_whole(const uint8_t *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' || (text[i] | 0x20) == 'e') return 0;
    }
    return 1;
}

/* The double nearest to digits * 10^exponent; without a point, as that is another character in some locales. */
static double nearest(char *digits, char *end, long long exponent) {
    snprintf(end, NUMBER_TEXT_MAX, "e%lld", exponent);
    return strtod(digits, NULL);
}

/* Of an unsigned JSON number that is not whole; there is room for it in `scratch`. */
static double read_double(const uint8_t *text, size_t length, char *scratch) {
    char *to = scratch;
    long long behind_point = 0;
    int is_behind = 0;
    size_t i = 0;
    for (; i < length && (text[i] | 0x20) != 'e'; i++) {
        if (text[i] == '.') {
            is_behind = 1;
            continue;
        }
        *to++ = (char)text[i];
        behind_point += is_behind;
    }
    long long exponent = i < length ? strtoll((const char *)text + i + 1, NULL, 10) : 0;
    return nearest(scratch, to, exponent < -(1LL << 40) ? -(1LL << 40) : exponent - behind_point);
}

/* Does the decimal of these digits, of which the first stands for 10^lead, read back as the double? */
static int is_read_back(char *digits, int count, int lead, double value) {
    return nearest(digits, digits + count, lead - (count - 1)) == value;
}

/* The decimal of so many digits that is nearest to the double; does it read back as that? */
static int is_nearest_read_back(double value, int count, char *digits, int *lead) {
    char text[2 * NUMBER_TEXT_MAX];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    digits[0] = text[0];
    memcpy(digits + 1, text + 2, (size_t)count - 1);
    *lead = atoi(strchr(text, 'e') + 1);
    return count == DIGITS_MAX || is_read_back(digits, count, *lead, value);
}

static int is_power_of_two(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* The shortest decimal that reads back as the double, above zero: its digits, how many they are, and the power of ten of
 * the first. It is the nearest of its length, and with more digits the nearest is never farther away, but for powers of
 * two: they are twice as far from the next double above as from the one below, so that the decimal above may read back
 * where the nearest does not. */
static int find_digits(double value, char digits[2 * NUMBER_TEXT_MAX], int *lead) {
    int least = 1, most = DIGITS_MAX;
    for (int count = 1; is_power_of_two(value); count++) {
        if (is_nearest_read_back(value, count, digits, lead)) return count;
        if (digits[count - 1] == '9') continue;
        digits[count - 1]++;
        if (is_read_back(digits, count, *lead, value)) return count;
    }
    while (least < most) {
        int middle = (least + most) / 2;
        if (is_nearest_read_back(value, middle, digits, lead)) most = middle;
        else least = middle + 1;
    }
    is_nearest_read_back(value, least, digits, lead);
    return least;
}

static void append_zeros(struct buffer *out, int count) {
    for (; count > 0; count--) buffer_byte(out, '0');
}

/* A double that is not zero; from 1e-6 to below 1e21 without an exponent. */
static void append_double(struct buffer *out, double value) {
    char digits[2 * NUMBER_TEXT_MAX];
    int lead, count = find_digits(value, digits, &lead), whole = lead + 1;
    if (lead < LEAD_MIN || lead > LEAD_MAX) {
        char exponent[NUMBER_TEXT_MAX];
        buffer_byte(out, (uint8_t)digits[0]);
        if (count > 1) buffer_byte(out, '.');
        buffer_append(out, digits + 1, (size_t)count - 1);
        buffer_append(out, exponent, (size_t)snprintf(exponent, sizeof exponent, "e%d", lead));
    } else if (whole <= 0) {
        buffer_append(out, "0.", 2);
        append_zeros(out, -whole);
        buffer_append(out, digits, (size_t)count);
    } else if (whole < count) {
        buffer_append(out, digits, (size_t)whole);
        buffer_byte(out, '.');
        buffer_append(out, digits + whole, (size_t)(count - whole));
    } else {
        buffer_append(out, digits, (size_t)count);
        append_zeros(out, whole - count);
        buffer_append(out, ".0", 2);
    }
}

void json_append_number(struct buffer *out, const uint8_t *text, size_t length) {
    double value;
    if (is_whole(text, length)) {
        int is_zero = length == 2 && memcmp(text, "-0", 2) == 0;
        buffer_append(out, text + is_zero, length - (size_t)is_zero);
    } else if (number_read_double(text, length, &value)) {
        out->length = (size_t)(number_print_double(buffer_reserve(out, NUMBER_TEXT_MAX), value) - out->data);
    } else {
        int is_negative = *text == '-';
        value = read_double(text + is_negative, length - (size_t)is_negative,
                            (char *)buffer_reserve(out, length + NUMBER_TEXT_MAX));
        if (isinf(value)) {
            buffer_append(out, text, length);
            return;
        }
        if (is_negative) buffer_byte(out, '-');
        if (value == 0) buffer_append(out, "0.0", 3);
        else append_double(out, value);
    }
}

static int is_of_number(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || (byte | 0x20) == 'e';
}

static void append_string(struct json_reader *reader, struct buffer *out, const struct json_value *string) {
    if (!string->has_backslash) {
        buffer_append(out, string->text, string->length);
        return;
    }
    reader->scratch.length = 0;
    uint8_t *from = buffer_reserve(&reader->scratch, string->length);
    json_append_string_upper(out, from, (size_t)(json_unescape(string, from) - from));
}

void json_append_compact(struct json_reader *reader, struct buffer *out, const struct json_value *value) {
    const uint8_t *before = reader->end, *at = value->text, *end = at + value->length;
    reader->end = end;
    while (at < end) {
        const uint8_t *from = at;
        if (*at == '"') {
            struct json_value string;
            at = json_scan(reader, at, 0, &string);
            append_string(reader, out, &string);
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            while (at < end && is_of_number(*at)) at++;
            json_append_number(out, from, (size_t)(at - from));
        } else {
            if (!json_is_space(*at)) buffer_byte(out, *at);
            at++;
        }
    }
    reader->end = before;
}
