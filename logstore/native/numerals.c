#include "numerals.h"

/* A double below 10^15 that is an integer is read of decimals alone whose first KNOWN_DIGITS digits are that integer's
 * with zeros, or with nines those of the one before: half its distance to the next double is less than their unit. */
enum { KNOWN_DIGITS = 16 };

static const uint64_t UNITS[] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u,
    1000000000000u, 10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u,
};

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static const uint8_t *past_digits(const uint8_t *at, const uint8_t *end) {
    while (at < end && is_digit(*at)) at++;
    return at;
}

static const uint8_t *past_zeros(const uint8_t *at, const uint8_t *end) {
    while (at < end && *at == '0') at++;
    return at;
}

/* Of 0.d1d2d3... * 10^lead the first digits, of which the very first is not zero. */
struct known {
    uint64_t digits;
    int count;
};

static void know(struct known *known, const uint8_t *at, const uint8_t *end) {
    for (; at < end && known->count < KNOWN_DIGITS; at++, known->count++) {
        known->digits = known->digits * 10 + (*at - '0');
    }
}

static void find_integers(struct numeral *numeral, struct known known, int64_t lead) {
    if (!known.count || lead < 0) return;
    if (lead > EXACT_DIGITS) {
        numeral->is_large = !numeral->is_integer;
        return;
    }
    uint64_t digits = known.digits * UNITS[KNOWN_DIGITS - known.count], unit = UNITS[KNOWN_DIGITS - lead];
    uint64_t whole = digits / unit, rest = digits % unit;
    if (rest == 0) numeral->integers[0] = whole;
    if (rest == unit - 1) numeral->integers[1] = whole + 1;
    if (numeral->integers[1] < UNITS[EXACT_DIGITS]) return;
    numeral->is_large = 1;
    numeral->integers[1] = 0;
}

/* What stands after an `e`, if that is an exponent, and else 0; how large it is does not matter beyond any text. */
static const uint8_t *read_exponent(const uint8_t *at, const uint8_t *end, int64_t *exponent) {
    int is_negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const uint8_t *begin = at;
    for (; at < end && is_digit(*at); at++) {
        if (*exponent < INT64_C(1) << 40) *exponent = *exponent * 10 + (*at - '0');
    }
    if (is_negative) *exponent = -*exponent;
    return at == begin ? NULL : at;
}

int numeral_read(const uint8_t *at, const uint8_t *end, struct numeral *numeral) {
    at += at < end && *at == '-';
    const uint8_t *whole_end = past_digits(at, end), *fraction = whole_end, *fraction_end = whole_end;
    if (whole_end == at) return 0;
    if (whole_end < end && *whole_end == '.') {
        fraction = whole_end + 1;
        fraction_end = past_digits(fraction, end);
        if (fraction_end == fraction) return 0;
    }
    int64_t exponent = 0;
    int has_exponent = fraction_end < end && (*fraction_end | 0x20) == 'e';
    const uint8_t *after = has_exponent ? read_exponent(fraction_end + 1, end, &exponent) : fraction_end;
    if (!after) return 0;
    const uint8_t *digits = past_zeros(at, whole_end);
    const uint8_t *first = digits < whole_end ? fraction : past_zeros(fraction, fraction_end);
    *numeral = (struct numeral){after, digits, whole_end, fraction_end == whole_end && !has_exponent, 0, {0, 0}};
    struct known known = {0, 0};
    know(&known, digits, whole_end);
    know(&known, first, fraction_end);
    find_integers(numeral, known, (whole_end - digits) - (first - fraction) + exponent);
    return 1;
}

static int is_one_of(uint8_t byte, const char *bytes) { return byte && strchr(bytes, byte); }

/* Where the number begins that has these digits, which its exponent or its fraction follows. */
static const uint8_t *begin_of(const uint8_t *text, const uint8_t *digits, const uint8_t *digits_end) {
    const uint8_t *begin = digits;
    if (*digits_end != '.' && begin > text && begin[-1] == '.') {
        for (begin--; begin > text && is_digit(begin[-1]); begin--) {}
    }
    return begin - (begin > text && begin[-1] == '-');
}

int numeral_around(
    const uint8_t *text, const uint8_t *end, const uint8_t *digits, const uint8_t *digits_end, struct numeral *numeral
) {
    const uint8_t *begin = begin_of(text, digits, digits_end);
    if (begin == text || !is_one_of(begin[-1], "\":,[ \t\n\r") || !numeral_read(begin, end, numeral)) return 0;
    if (begin[-1] == '"') return numeral->end < end && *numeral->end == '"';
    return numeral->end == end || is_one_of(*numeral->end, ",]} \t\n\r");
}
