/* Arrow columns -> text rows: JSON objects (RFC 8259), CSV (RFC 4180), plain lines.
 *
 * The caller passes one `encode_column` a column and a range of rows, and an output buffer. Rows are written whole;
 * the kernel stops before the first row that might not fit. Strings are UTF-8 already and are not checked.
 */
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum kind { KIND_TIME_NS = 0, KIND_STRING = 1, KIND_INT64 = 2, KIND_DOUBLE = 3, KIND_BOOL = 4, KIND_RAW = 5, KIND_UINT64 = 6 };
enum flag { OMIT_NULL = 1, OMIT_EMPTY = 2 };
enum style { STYLE_JSON = 0, STYLE_CSV = 1, STYLE_LINES = 2 };

enum { STATUS_OK = 0, STATUS_REFUSED = 2 };

enum { NUMBER_BYTES_MAX = 40, BYTES_A_CHARACTER_MAX = 6 };

typedef struct {
    int32_t kind;
    int32_t flags;
    int64_t offset;          /* Arrow's slice offset, in values */
    const uint8_t *validity; /* bitmap, or NULL where nothing is null */
    const int32_t *offsets;  /* strings only */
    const uint8_t *values;
    const uint8_t *key;      /* the JSON key with quotes and colon */
    int64_t key_bytes;
} encode_column;

typedef struct {
    int64_t second; /* the second whose text is in `text`, or INT64_MIN */
    uint8_t text[20];
} clock_text;

static int is_set(const uint8_t *bits, int64_t index) { return bits[index >> 3] >> (index & 7) & 1; }

static int is_null(const encode_column *column, int64_t row) {
    return column->validity && !is_set(column->validity, row + column->offset);
}

static int is_text(const encode_column *column) { return column->kind == KIND_STRING || column->kind == KIND_RAW; }

static int64_t text_bytes(const encode_column *column, int64_t row) {
    const int32_t *offsets = column->offsets + column->offset + row;
    return (int64_t)offsets[1] - offsets[0];
}

static const uint8_t *text_start(const encode_column *column, int64_t row) {
    return column->values + column->offsets[column->offset + row];
}

static int is_empty(const encode_column *column, int64_t row) {
    if (!is_text(column)) return 0;
    int64_t bytes = text_bytes(column, row);
    if (bytes == 0) return 1;
    return column->kind == KIND_RAW && bytes == 2 && memcmp(text_start(column, row), "{}", 2) == 0;
}

static int is_omitted(const encode_column *column, int64_t row) {
    if (is_null(column, row)) return column->flags & OMIT_NULL;
    return (column->flags & OMIT_EMPTY) && is_empty(column, row);
}

static uint8_t *put(uint8_t *out, const void *bytes, int64_t count) {
    memcpy(out, bytes, (size_t)count);
    return out + count;
}

static uint8_t *put_uint(uint8_t *out, uint64_t value) {
    uint8_t digits[20];
    int count = 0;
    do {
        digits[count++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    while (count) *out++ = digits[--count];
    return out;
}

static uint8_t *put_int(uint8_t *out, int64_t value) {
    if (value >= 0) return put_uint(out, (uint64_t)value);
    *out++ = '-';
    return put_uint(out, 0 - (uint64_t)value);
}

static void put_digits(uint8_t *out, int64_t value, int count) {
    while (count) {
        out[--count] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

/* Days since 1970-01-01 to a proleptic Gregorian date: Howard Hinnant, "chrono-compatible low-level date algorithms". */
static void format_second(clock_text *clock, int64_t second) {
    int64_t days = second / 86400, rest = second % 86400;
    if (rest < 0) { rest += 86400; days -= 1; }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    memcpy(clock->text, "0000-00-00T00:00:00.", 20);
    put_digits(clock->text, yoe + era * 400 + (month <= 2), 4);
    put_digits(clock->text + 5, month, 2);
    put_digits(clock->text + 8, doy - (153 * mp + 2) / 5 + 1, 2);
    put_digits(clock->text + 11, rest / 3600, 2);
    put_digits(clock->text + 14, rest / 60 % 60, 2);
    put_digits(clock->text + 17, rest % 60, 2);
    clock->second = second;
}

static uint8_t *put_time(uint8_t *out, int64_t time_ns, clock_text *clock) {
    int64_t second = time_ns / 1000000000, nanos = time_ns % 1000000000;
    if (nanos < 0) { nanos += 1000000000; second -= 1; }
    if (second != clock->second) format_second(clock, second);
    out = put(out, clock->text, 20);
    put_digits(out, nanos, 9);
    out[9] = 'Z';
    return out + 10;
}

/* `value` in so many digits, rounded towards `direction`, if that reads back as it; else 0. */
static int put_digits_if_exact(uint8_t *out, int precision, double value, int direction) {
    fesetround(direction);
    int written = snprintf((char *)out, NUMBER_BYTES_MAX, "%.*g", precision, value);
    fesetround(FE_TONEAREST);
    return strtod((char *)out, NULL) == value ? written : 0;
}

/* The shortest decimal that reads back as `value`; whole numbers below 2^53 without a point. */
static uint8_t *put_double(uint8_t *out, double value) {
    static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    double size = fabs(value);
    if (size < 9007199254740992.0) {
        for (int places = 0; places <= 6; places++) {
            double scaled = nearbyint(size * powers[places]);
            if ((places && scaled >= 1e15) || scaled / powers[places] != size) continue;
            if (value < 0) *out++ = '-';
            uint64_t digits = (uint64_t)scaled, unit = (uint64_t)powers[places];
            out = put_uint(out, digits / unit);
            if (!places) return out;
            *out++ = '.';
            put_digits(out, (int64_t)(digits % unit), places);
            return out + places;
        }
    }
    if (size >= 9007199254740992.0 && size < 1e16) return out + snprintf((char *)out, NUMBER_BYTES_MAX, "%.1f", value);
    int away = value < 0 ? FE_DOWNWARD : FE_UPWARD;
    /* Fifteen digits without trailing zeros are the shortest, but for a denormal, which has fewer. */
    for (int precision = size < 2.3e-308 ? 1 : 15; precision < 17; precision++) {
        int written = put_digits_if_exact(out, precision, value, FE_TONEAREST);
        /* A tie is rounded to even, and it may be its other neighbour that reads back: 2^-24. */
        if (!written) written = put_digits_if_exact(out, precision, value, away);
        if (written) return out + written;
    }
    return out + snprintf((char *)out, NUMBER_BYTES_MAX, "%.17g", value);
}

static int needs_escape(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

/* Whether one of eight bytes needs an escape (exact below 0x80; a byte above never sets its bit). */
static int any_needs_escape(uint64_t word) {
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t found = (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    return (found & ~word & highs) != 0;
}

static uint8_t *put_escape(uint8_t *out, uint8_t byte) {
    static const char hex[] = "0123456789abcdef";
    *out++ = '\\';
    switch (byte) {
    case '"': case '\\': *out++ = byte; return out;
    case '\n': *out++ = 'n'; return out;
    case '\t': *out++ = 't'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\b': *out++ = 'b'; return out;
    case '\f': *out++ = 'f'; return out;
    default:
        out = put(out, "u00", 3);
        *out++ = (uint8_t)hex[byte >> 4];
        *out++ = (uint8_t)hex[byte & 15];
        return out;
    }
}

static uint8_t *put_escaped(uint8_t *out, const uint8_t *text, int64_t bytes) {
    const uint8_t *end = text + bytes;
    while (text < end) {
        while (end - text >= 8) {
            uint64_t word;
            memcpy(&word, text, 8);
            if (any_needs_escape(word)) break;
            memcpy(out, &word, 8);
            text += 8;
            out += 8;
        }
        /* The eight bytes that hold an escape, or the last few. */
        const uint8_t *stop = end - text >= 8 ? text + 8 : end;
        for (; text < stop; text++) {
            if (needs_escape(*text)) out = put_escape(out, *text);
            else *out++ = *text;
        }
    }
    return out;
}

/* The most that a text can take in any style: doubled quotes in CSV, escapes in JSON. */
static int64_t encoded_bytes(const uint8_t *text, int64_t bytes) {
    int64_t escaped = bytes;
    for (int64_t i = 0; i < bytes; i++)
        if (needs_escape(text[i])) escaped += text[i] < 0x20 ? BYTES_A_CHARACTER_MAX - 1 : 1;
    return escaped > 2 * bytes ? escaped : 2 * bytes;
}

/* JSON text as it is; a line break can only stand between its tokens there, and would break NDJSON. */
static uint8_t *put_raw(uint8_t *out, const uint8_t *text, int64_t bytes) {
    memcpy(out, text, (size_t)bytes);
    for (uint8_t *at = out; (at = memchr(at, '\n', (size_t)(out + bytes - at))); ) *at = ' ';
    for (uint8_t *at = out; (at = memchr(at, '\r', (size_t)(out + bytes - at))); ) *at = ' ';
    return out + bytes;
}

static uint8_t *put_number(uint8_t *out, const encode_column *column, int64_t row, clock_text *clock) {
    int64_t at = row + column->offset;
    switch (column->kind) {
    case KIND_TIME_NS: return put_time(out, ((const int64_t *)column->values)[at], clock);
    case KIND_INT64: return put_int(out, ((const int64_t *)column->values)[at]);
    case KIND_UINT64: return put_uint(out, ((const uint64_t *)column->values)[at]);
    case KIND_DOUBLE: return put_double(out, ((const double *)column->values)[at]);
    default: return is_set(column->values, at) ? put(out, "true", 4) : put(out, "false", 5);
    }
}

static int is_no_number(const encode_column *column, int64_t row) {
    return column->kind == KIND_DOUBLE && !isfinite(((const double *)column->values)[row + column->offset]);
}

static uint8_t *put_json_value(uint8_t *out, const encode_column *column, int64_t row, clock_text *clock) {
    if (is_null(column, row) || is_no_number(column, row)) return put(out, "null", 4);
    if (column->kind == KIND_RAW) {
        if (text_bytes(column, row) == 0) return put(out, "null", 4);
        return put_raw(out, text_start(column, row), text_bytes(column, row));
    }
    int is_quoted = column->kind == KIND_STRING || column->kind == KIND_TIME_NS;
    if (is_quoted) *out++ = '"';
    if (column->kind == KIND_STRING) out = put_escaped(out, text_start(column, row), text_bytes(column, row));
    else out = put_number(out, column, row, clock);
    if (is_quoted) *out++ = '"';
    return out;
}

static uint8_t *put_json_row(uint8_t *out, const encode_column *columns, int32_t count, int64_t row, clock_text *clock) {
    uint8_t *start = out;
    *out++ = '{';
    for (int32_t i = 0; i < count; i++) {
        if (is_omitted(&columns[i], row)) continue;
        if (out - start > 1) *out++ = ',';
        out = put(out, columns[i].key, columns[i].key_bytes);
        out = put_json_value(out, &columns[i], row, clock);
    }
    *out++ = '}';
    return out;
}

static int needs_csv_quotes(const uint8_t *text, int64_t bytes) {
    if (bytes == 0) return 1; /* an empty string is "", a null is nothing */
    for (int64_t i = 0; i < bytes; i++)
        if (text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r') return 1;
    return 0;
}

static uint8_t *put_csv_text(uint8_t *out, const uint8_t *text, int64_t bytes) {
    if (!needs_csv_quotes(text, bytes)) return put(out, text, bytes);
    *out++ = '"';
    for (int64_t i = 0; i < bytes; i++) {
        if (text[i] == '"') *out++ = '"';
        *out++ = text[i];
    }
    *out++ = '"';
    return out;
}

static uint8_t *put_csv_row(uint8_t *out, const encode_column *columns, int32_t count, int64_t row, clock_text *clock) {
    for (int32_t i = 0; i < count; i++) {
        if (i) *out++ = ',';
        if (is_null(&columns[i], row)) continue;
        if (is_text(&columns[i])) out = put_csv_text(out, text_start(&columns[i], row), text_bytes(&columns[i], row));
        else out = put_number(out, &columns[i], row, clock);
    }
    return out;
}

/* Values with tabs between them, as they are. */
static uint8_t *put_line(uint8_t *out, const encode_column *columns, int32_t count, int64_t row, clock_text *clock) {
    for (int32_t i = 0; i < count; i++) {
        if (i) *out++ = '\t';
        if (is_null(&columns[i], row)) continue;
        if (is_text(&columns[i])) out = put(out, text_start(&columns[i], row), text_bytes(&columns[i], row));
        else out = put_number(out, &columns[i], row, clock);
    }
    return out;
}

/* At least what a row needs; `is_exact` looks at every byte of its strings instead of assuming the worst. */
static int64_t row_bytes(const encode_column *columns, int32_t count, int64_t row, int is_exact) {
    int64_t total = 8;
    for (int32_t i = 0; i < count; i++) {
        total += columns[i].key_bytes + 8 + NUMBER_BYTES_MAX;
        if (!is_text(&columns[i]) || is_null(&columns[i], row)) continue;
        int64_t bytes = text_bytes(&columns[i], row);
        total += is_exact ? encoded_bytes(text_start(&columns[i], row), bytes) : BYTES_A_CHARACTER_MAX * bytes;
    }
    return total;
}

/* Writes rows [*row, end) while they fit, each followed by `separator`; moves *row to the first that is not written.
 * `bytes` is the capacity of `out`, then what was written. Where not even one row fits: refused, and it is the
 * capacity that the row needs. */
EXPORT int32_t kernel_encode_rows(const encode_column *columns, int32_t count, int32_t style, const uint8_t *separator,
                                  int32_t separator_bytes, int64_t *row, int64_t end, uint8_t *out, int64_t *bytes) {
    uint8_t *start = out;
    clock_text clock = {.second = INT64_MIN};
    for (; *row < end; ++*row) {
        int64_t left = *bytes - (out - start);
        if (row_bytes(columns, count, *row, 0) + separator_bytes > left) {
            if (out > start) break;
            int64_t needed = row_bytes(columns, count, *row, 1) + separator_bytes;
            if (needed > left) {
                *bytes = needed;
                return STATUS_REFUSED;
            }
        }
        switch (style) {
        case STYLE_JSON: out = put_json_row(out, columns, count, *row, &clock); break;
        case STYLE_CSV: out = put_csv_row(out, columns, count, *row, &clock); break;
        default: out = put_line(out, columns, count, *row, &clock); break;
        }
        out = put(out, separator, separator_bytes);
    }
    *bytes = out - start;
    return STATUS_OK;
}
