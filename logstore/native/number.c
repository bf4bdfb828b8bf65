#include "number.h"

#include <string.h>

__extension__ typedef unsigned __int128 uint128;

enum { LEAD_MIN = -4, LEAD_MAX = 14, DIGITS_MAX = 17, EXACT_DIGITS = 15 };

/* digits * 10^exponent; the last of the `count` digits is not zero. All zero is zero. */
struct decimal {
    uint64_t digits;
    int32_t count;
    int64_t exponent;
};

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9, 1e10,
                                1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20};

static const double LEADS[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0,  1e1,  1e2,  1e3,  1e4, 1e5,
                               1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14};

static const uint64_t UNITS[] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u,
    1000000000000u, 10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u, 100000000000000000u,
    1000000000000000000u,
};

enum { UNIT_MAX = 18 };

static uint128 unit_of(int places) {
    return places <= UNIT_MAX ? UNITS[places] : (uint128)UNITS[UNIT_MAX] * UNITS[places - UNIT_MAX];
}

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static int64_t read_exponent(const uint8_t *at, const uint8_t *end) {
    int is_negative = *at == '-';
    if (!is_digit(*at)) at++;
    int64_t exponent = 0;
    /* No text has so many digits that they could make up for an exponent beyond this. */
    for (; at < end && exponent < INT64_C(1) << 40; at++) exponent = exponent * 10 + (*at - '0');
    return is_negative ? -exponent : exponent;
}

/* Reads the unsigned number; false if it has more than DIGITS_MAX digits that count, or is written as whole. */
static int read_decimal(const uint8_t *at, const uint8_t *end, struct decimal *decimal) {
    int64_t position = 0, last = 0, zeros = 0, point = -1, exponent = 0;
    int is_whole = 1;
    *decimal = (struct decimal){0, 0, 0};
    for (; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            point = position;
            continue;
        }
        if (*at == '0') {
            zeros += decimal->count > 0;
        } else {
            if (decimal->count + zeros >= DIGITS_MAX) return 0;
            for (; zeros; zeros--, decimal->count++) decimal->digits *= 10;
            decimal->digits = decimal->digits * 10 + (*at - '0');
            decimal->count++;
            last = position;
        }
        position++;
    }
    if (at < end) {
        exponent = read_exponent(at + 1, end);
        is_whole = 0;
    }
    if (point >= 0) is_whole = 0;
    else point = position;
    decimal->exponent = point - 1 - last + exponent;
    return !is_whole;
}

/* A double with few decimals, as most are; false if it has more. No other decimal of at most 15 digits reads back as
 * the same double. */
static int is_short(double value, struct decimal *decimal) {
    for (int places = 0; places <= 6; places++) {
        double scaled = value * POWERS[places];
        if (scaled >= 1e15) return 0;
        uint64_t digits = (uint64_t)(scaled + 0.5);
        if ((double)digits / POWERS[places] != value) continue;
        *decimal = (struct decimal){digits, 0, -places};
        return 1;
    }
    return 0;
}

/* Of a plain double above zero the only decimal with the fewest digits that is nearest to it.
 *
 * The double is m / 2^s with s from 3 to 66, so that everything below is exact in 128 bits: in units of the 17th
 * digit, what reads back as the double is the range from its middles to both neighbours. */
static struct decimal shortest(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1), m = fraction | UINT64_C(1) << 52;
    int shift = 1075 - (int)(bits >> 52) + 2;
    int lead = value >= 1 ? 0 : LEAD_MIN;
    while (lead < LEAD_MAX && value >= LEADS[lead + 1 - LEAD_MIN]) lead++;
    int places = DIGITS_MAX - 1 - lead;
    uint128 unit = unit_of(places), middle = unit * m * 4, one = (uint128)1 << shift;
    uint128 high = middle + 2 * unit, low = middle - (fraction ? 2 : 1) * unit;
    int is_odd = m & 1;
    uint64_t last = (uint64_t)((high - is_odd) >> shift), first = (uint64_t)((low + is_odd + one - 1) >> shift);
    uint64_t whole = (uint64_t)(middle >> shift);
    uint128 rest = middle & (one - 1);
    uint64_t digits = last - last % 100;
    if (digits < first) {
        uint64_t tens = whole / 10, ones = whole % 10;
        digits = (tens + (ones > 5 || (ones == 5 && (rest || tens & 1)))) * 10;
        if (digits < first) digits += 10;
        else if (digits > last) digits -= 10;
        if (digits < first || digits > last) digits = whole + (rest > one / 2 || (rest == one / 2 && whole & 1));
    }
    struct decimal decimal = {digits, 0, -places};
    for (; decimal.digits % 10 == 0; decimal.exponent++) decimal.digits /= 10;
    for (uint64_t left = decimal.digits; left; left /= 10) decimal.count++;
    return decimal;
}

/* The double whose shortest decimal is this one, if there is one and it is plain: it is the nearest then. */
static int to_double(const struct decimal *decimal, double *value) {
    int64_t lead = decimal->count - 1 + decimal->exponent;
    if (lead < LEAD_MIN || lead > LEAD_MAX) return 0;
    int exponent = (int)decimal->exponent;
    if (exponent >= 0) {
        *value = (double)decimal->digits * POWERS[exponent];
        return 1;
    }
    *value = (double)decimal->digits / POWERS[-exponent];
    if (decimal->count <= EXACT_DIGITS) return 1;
    /* Rounded twice, it may be the nearest one's neighbour. */
    static const int steps[] = {0, 1, -2};
    for (int i = 0; i < 3; i++) {
        uint64_t bits;
        memcpy(&bits, value, sizeof bits);
        bits += (uint64_t)(int64_t)steps[i];
        memcpy(value, &bits, sizeof bits);
        if (!number_is_plain(*value)) continue;
        struct decimal read_back = shortest(*value);
        if (read_back.digits == decimal->digits && read_back.exponent == decimal->exponent) return 1;
    }
    return 0;
}

int number_read_double(const uint8_t *text, size_t length, double *value) {
    struct decimal decimal;
    int is_negative = *text == '-';
    if (!read_decimal(text + is_negative, text + length, &decimal)) return 0;
    if (!decimal.count) *value = 0;
    else if (!to_double(&decimal, value)) return 0;
    if (is_negative) *value = -*value;
    return 1;
}

int number_read_integer(const uint8_t *text, size_t length, int64_t *value) {
    const uint8_t *at = text, *end = text + length;
    int is_negative = *at == '-';
    at += is_negative;
    if (end - at > 19 || (is_negative && *at == '0')) return 0;
    uint64_t size = 0;
    for (; at < end; at++) {
        if (!is_digit(*at)) return 0;
        size = size * 10 + (*at - '0');
    }
    if (size > (uint64_t)INT64_MAX + (uint64_t)is_negative) return 0;
    *value = (int64_t)(is_negative ? 0 - size : size);
    return 1;
}

int number_is_plain(double value) {
    double size = value < 0 ? -value : value;
    return size == 0 || (size >= 1e-4 && size < 1e15);
}

/* The digits, with leading zeros so that there are at least `places`. */
static uint8_t *print_digits(uint8_t *out, uint64_t value, int places) {
    uint8_t digits[20];
    int count = 0;
    for (; value || count < places; value /= 10) digits[count++] = (uint8_t)('0' + value % 10);
    while (count) *out++ = digits[--count];
    return out;
}

uint8_t *number_print_integer(uint8_t *out, int64_t value) {
    if (value < 0) *out++ = '-';
    return print_digits(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 1);
}

uint8_t *number_print_double(uint8_t *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits >> 63) {
        *out++ = '-';
        value = -value;
    }
    struct decimal decimal;
    if (!is_short(value, &decimal)) decimal = shortest(value);
    uint64_t whole = decimal.digits, fraction = 0;
    int places = 1;
    if (decimal.exponent < -UNIT_MAX) {
        places = (int)-decimal.exponent;
        fraction = whole, whole = 0;
    } else if (decimal.exponent < 0) {
        places = (int)-decimal.exponent;
        whole = decimal.digits / UNITS[places];
        fraction = decimal.digits % UNITS[places];
    } else {
        whole *= UNITS[decimal.exponent];
    }
    out = print_digits(out, whole, 1);
    *out++ = '.';
    return print_digits(out, fraction, places);
}
