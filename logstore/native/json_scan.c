#ifdef __SSSE3__
#include <tmmintrin.h>
#elif defined __SSE2__
#include <emmintrin.h>
#endif

#include "json.h"
#include "utf8.h"

static const uint8_t *malformed(struct json_reader *reader, const uint8_t *at) {
    return json_fail(reader, at, JSON_MALFORMED);
}

/* The first quote, backslash or control character, or the end. */
static inline const uint8_t *plain_end(const uint8_t *at, const uint8_t *end) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1F);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        __m128i stops = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                     _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
        int mask = _mm_movemask_epi8(stops);
        if (mask) return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20) at++;
    return at;
}

/* The value of four hex digits, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end) {
    if (end - at < 4) return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = at[i], low = byte | 0x20;
        if (byte >= '0' && byte <= '9') value = value << 4 | (byte - '0');
        else if (low >= 'a' && low <= 'f') value = value << 4 | (low - 'a' + 10);
        else return -1;
    }
    return value;
}

static int is_high(int32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
static int is_low(int32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

/* The unit of the escape \uXXXX at `at`, or -1. */
static int32_t unit_at(const uint8_t *at, const uint8_t *end) {
    return end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, end) : -1;
}

#ifdef __SSSE3__

/* Bits of 64 bytes each. */
struct string_classes {
    uint64_t quote, backslash, control, simple_escape;
};

/* `simple_escape`: what makes an escape of two characters behind a backslash. */
static inline struct string_classes classify_64(const uint8_t *at) {
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1F);
    /* By the low half of a byte, all the letters that an escape may have but for the backslash. */
    const __m128i by_low_half = _mm_setr_epi8(-1, -1, 'b', -1, 't', -1, 'f', -1, -1, -1, -1, -1, -1, -1, 'n', '/');
    const __m128i more_by_low_half = _mm_setr_epi8(-1, -1, '"', -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i letter_r = _mm_set1_epi8('r');
    struct string_classes classes = {0};
    for (int i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + i));
        __m128i is_backslash = _mm_cmpeq_epi8(bytes, backslash);
        __m128i is_letter = _mm_or_si128(_mm_cmpeq_epi8(_mm_shuffle_epi8(by_low_half, bytes), bytes),
                                         _mm_cmpeq_epi8(_mm_shuffle_epi8(more_by_low_half, bytes), bytes));
        is_letter = _mm_or_si128(is_letter, _mm_or_si128(is_backslash, _mm_cmpeq_epi8(bytes, letter_r)));
        classes.quote |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote)) << i;
        classes.backslash |= (uint64_t)(unsigned)_mm_movemask_epi8(is_backslash) << i;
        classes.control |=
            (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes)) << i;
        classes.simple_escape |= (uint64_t)(unsigned)_mm_movemask_epi8(is_letter) << i;
    }
    return classes;
}

/* The characters behind a backslash that is not itself behind one; `*carry`, before and after, is whether the first
 * character of the next 64 is (as in Langdale and Lemire, Parsing Gigabytes of JSON per Second, section 3.1.1). */
static inline uint64_t escaped_of(uint64_t backslash, uint64_t *carry) {
    const uint64_t even = 0x5555555555555555u;
    backslash &= ~*carry;
    uint64_t follows = backslash << 1 | *carry;
    uint64_t odd_starts = backslash & ~even & ~follows, runs;
    *carry = __builtin_add_overflow(odd_starts, backslash, &runs);
    return (even ^ (runs << 1)) & follows;
}

/* Skips blocks of 64 bytes of a string; `at` is at no character that is escaped. Returns the closing quote, or a place
 * from which the string has to be read with more care: there too no character is escaped. */
static const uint8_t *skip_blocks(const uint8_t *at, const uint8_t *end) {
    uint64_t carry = 0;
    for (; end - at >= 64; at += 64) {
        uint64_t was_escaped = carry;
        struct string_classes classes = classify_64(at);
        uint64_t escaped = escaped_of(classes.backslash, &carry), quotes = classes.quote & ~escaped;
        uint64_t inside = quotes ? (quotes & (0 - quotes)) - 1 : ~UINT64_C(0);
        if ((classes.control | (escaped & ~classes.simple_escape)) & inside) return at - was_escaped;
        if (quotes) return at + __builtin_ctzll(quotes);
    }
    return at - carry;
}

#endif

static const uint8_t *scan_string(struct json_reader *reader, const uint8_t *at, struct json_value *value) {
    const uint8_t *end = reader->end;
    value->kind = JSON_STRING;
    value->text = at++;
    for (;;) {
        at = plain_end(at, end);
#ifdef __SSSE3__
        if (at < end && *at == '\\' && !value->has_backslash) {
            value->has_backslash = 1;
            at = plain_end(skip_blocks(at, end), end);
        }
#endif
        if (at == end || *at < 0x20) return malformed(reader, at);
        if (*at == '"') break;
        value->has_backslash = 1;
        if (end - at < 2) return malformed(reader, end);
        switch (at[1]) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
            at += 2;
            break;
        case 'u': {
            int32_t unit = unit_at(at, end);
            if (unit < 0) return malformed(reader, at);
            at += 6;
            if (is_high(unit) && is_low(unit_at(at, end))) at += 6;
            else if (is_high(unit) || is_low(unit)) value->is_dirty = 1;
            break;
        }
        default:
            return malformed(reader, at);
        }
    }
    at++;
    value->length = (uint32_t)(at - value->text);
    return at;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end) {
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at;
}

static const uint8_t *scan_number(struct json_reader *reader, const uint8_t *at, struct json_value *value) {
    const uint8_t *end = reader->end;
    value->kind = JSON_NUMBER;
    value->text = at;
    if (*at == '-') at++;
    const uint8_t *first = at;
    at = skip_digits(at, end);
    if (at == first || (*first == '0' && at - first > 1)) return malformed(reader, first);
    if (at < end && *at == '.') {
        first = ++at;
        at = skip_digits(at, end);
        if (at == first) return malformed(reader, at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        first = at;
        at = skip_digits(at, end);
        if (at == first) return malformed(reader, at);
    }
    value->length = (uint32_t)(at - value->text);
    return at;
}

static const uint8_t *scan_word(struct json_reader *reader, const uint8_t *at, const char *word, enum json_kind kind,
                                struct json_value *value) {
    size_t length = strlen(word);
    if ((size_t)(reader->end - at) < length || memcmp(at, word, length) != 0) return malformed(reader, at);
    value->kind = (uint8_t)kind;
    value->text = at;
    value->length = (uint32_t)length;
    return at + length;
}

static const uint8_t *scan_array(struct json_reader *reader, const uint8_t *at, int depth, struct json_value *value) {
    value->kind = JSON_ARRAY;
    value->text = at;
    if (depth == JSON_DEPTH_MAX) return json_fail(reader, at, JSON_TOO_DEEP);
    at = json_skip_space(at + 1, reader->end);
    if (at < reader->end && *at == ']') {
        value->length = (uint32_t)(at + 1 - value->text);
        return at + 1;
    }
    for (;;) {
        struct json_value item;
        at = json_scan(reader, at, depth + 1, &item);
        if (!at) return NULL;
        value->is_dirty |= item.is_dirty;
        at = json_skip_space(at, reader->end);
        if (at == reader->end) return malformed(reader, at);
        if (*at == ']') break;
        if (*at != ',') return malformed(reader, at);
        at = json_skip_space(at + 1, reader->end);
    }
    value->length = (uint32_t)(at + 1 - value->text);
    return at + 1;
}

const uint8_t *json_scan_colon(struct json_reader *reader, const uint8_t *at) {
    at = json_skip_space(at, reader->end);
    if (at == reader->end || *at != ':') return malformed(reader, at);
    return json_skip_space(at + 1, reader->end);
}

const uint8_t *json_scan_key(struct json_reader *reader, const uint8_t *at, struct json_value *key) {
    *key = (struct json_value){0};
    if (at == reader->end || *at != '"') return malformed(reader, at);
    at = scan_string(reader, at, key);
    return at ? json_scan_colon(reader, at) : NULL;
}

const uint8_t *json_scan_separator(struct json_reader *reader, const uint8_t *at) {
    at = json_skip_space(at, reader->end);
    if (at == reader->end) return malformed(reader, at);
    if (*at == '}') return at;
    if (*at != ',') return malformed(reader, at);
    at = json_skip_space(at + 1, reader->end);
    return at == reader->end || *at != '"' ? malformed(reader, at) : at;
}

static const uint8_t *scan_object(struct json_reader *reader, const uint8_t *at, int depth, struct json_value *value) {
    value->kind = JSON_OBJECT;
    value->text = at;
    if (depth == JSON_DEPTH_MAX) return json_fail(reader, at, JSON_TOO_DEEP);
    uint64_t seen[4] = {0};
    at = json_skip_space(at + 1, reader->end);
    if (at == reader->end) return malformed(reader, at);
    while (*at != '}') {
        struct json_value key, item;
        at = json_scan_key(reader, at, &key);
        if (!at) return NULL;
        if (key.has_backslash || json_mark_key(seen, key.text + 1, key.length - 2)) value->is_dirty = 1;
        at = json_scan(reader, at, depth + 1, &item);
        if (!at) return NULL;
        value->is_dirty |= item.is_dirty;
        at = json_scan_separator(reader, at);
        if (!at) return NULL;
    }
    value->length = (uint32_t)(at + 1 - value->text);
    return at + 1;
}

const uint8_t *json_scan(struct json_reader *reader, const uint8_t *at, int depth, struct json_value *value) {
    *value = (struct json_value){0};
    if (at >= reader->end) return malformed(reader, at);
    switch (*at) {
    case '"': return scan_string(reader, at, value);
    case '{': return scan_object(reader, at, depth, value);
    case '[': return scan_array(reader, at, depth, value);
    case 't': return scan_word(reader, at, "true", JSON_BOOLEAN, value);
    case 'f': return scan_word(reader, at, "false", JSON_BOOLEAN, value);
    case 'n': return scan_word(reader, at, "null", JSON_NULL, value);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return scan_number(reader, at, value);
    default: return malformed(reader, at);
    }
}

/* Copies up to the next backslash or the end. Whole blocks may be written past it, never past the room that
 * json_unescape asks for: no escape is shorter than what it stands for. */
static inline void copy_plain(const uint8_t **from, const uint8_t *end, uint8_t **to) {
    const uint8_t *at = *from;
    uint8_t *out = *to;
#ifdef __SSE2__
    const __m128i backslash = _mm_set1_epi8('\\');
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        _mm_storeu_si128((__m128i *)out, bytes);
        int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, backslash));
        int plain = mask ? __builtin_ctz((unsigned)mask) : 16;
        at += plain, out += plain;
        if (mask) break;
    }
#endif
    while (at < end && *at != '\\') *out++ = *at++;
    *from = at, *to = out;
}

uint8_t *json_unescape(const struct json_value *string, uint8_t *out) {
    const uint8_t *at = string->text + 1, *end = string->text + string->length - 1;
    for (;;) {
        copy_plain(&at, end, &out);
        if (at == end) return out;
        uint8_t letter = at[1];
        if (letter != 'u') {
            *out++ = letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r'
                   : letter == 'b' ? '\b' : letter == 'f' ? '\f' : letter;
            at += 2;
            continue;
        }
        int32_t unit = unit_at(at, end), next = unit_at(at + 6, end);
        at += 6;
        uint32_t code = (uint32_t)unit;
        if (is_high(unit) && is_low(next)) {
            code = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)next - 0xDC00);
            at += 6;
        } else if (is_high(unit) || is_low(unit)) {
            code = 0xFFFD;
        }
        out += utf8_encode(code, out);
    }
}
