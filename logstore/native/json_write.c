#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json.h"
#include "utf8.h"

/* Must one of these eight bytes be escaped? (Bit Twiddling Hacks, "Determine if a word has a byte less than n") */
static inline int has_escape(uint64_t bytes) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quotes = bytes ^ ones * '"', backslashes = bytes ^ ones * '\\';
    uint64_t controls = (bytes - ones * 0x20) & ~bytes;
    return ((controls | ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & high) != 0;
}

/* Copies a text of less than 16 bytes if it needs no escape, as two parts that may overlap; else nothing. */
static inline int copy_short(const uint8_t *text, size_t length, uint8_t *to) {
    if (length >= 8) {
        uint64_t first, last;
        memcpy(&first, text, 8);
        memcpy(&last, text + length - 8, 8);
        if (has_escape(first) || has_escape(last)) return 0;
        memcpy(to, &first, 8);
        memcpy(to + length - 8, &last, 8);
        return 1;
    }
    if (length < 4) return 0;
    uint32_t first, last;
    memcpy(&first, text, 4);
    memcpy(&last, text + length - 4, 4);
    if (has_escape((uint64_t)first << 32 | last)) return 0;
    memcpy(to, &first, 4);
    memcpy(to + length - 4, &last, 4);
    return 1;
}

/* Copies what needs no escape, up to `end`. There has to be room for whole blocks up to it. */
static inline const uint8_t *copy_plain(const uint8_t *text, const uint8_t *end, uint8_t **to) {
    uint8_t *out = *to;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1F);
    while (end - text >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)text);
        _mm_storeu_si128((__m128i *)out, bytes);
        __m128i stops = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                     _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
        int mask = _mm_movemask_epi8(stops);
        int plain = mask ? __builtin_ctz((unsigned)mask) : 16;
        text += plain, out += plain;
        if (mask) break;
    }
#endif
    if (copy_short(text, (size_t)(end - text), out)) {
        *to = out + (end - text);
        return end;
    }
    while (text < end && *text >= 0x20 && *text != '"' && *text != '\\') *out++ = *text++;
    *to = out;
    return text;
}

static void append_string(struct buffer *out, const uint8_t *text, size_t length, const char *digits) {
    uint8_t *to = buffer_reserve(out, length * 6 + 2);
    *to++ = '"';
    for (const uint8_t *end = text + length; (text = copy_plain(text, end, &to)) < end; text++) {
        uint8_t byte = *text, letter = 0;
        switch (byte) {
        case '"': case '\\': letter = byte; break;
        case '\b': letter = 'b'; break;
        case '\f': letter = 'f'; break;
        case '\n': letter = 'n'; break;
        case '\r': letter = 'r'; break;
        case '\t': letter = 't'; break;
        }
        if (letter) {
            *to++ = '\\', *to++ = letter;
        } else {
            memcpy(to, "\\u00", 4);
            to[4] = (uint8_t)digits[byte >> 4], to[5] = (uint8_t)digits[byte & 15];
            to += 6;
        }
    }
    *to++ = '"';
    out->length = (size_t)(to - out->data);
}

void json_append_string(struct buffer *out, const uint8_t *text, size_t length) {
    append_string(out, text, length, "0123456789abcdef");
}

void json_append_string_upper(struct buffer *out, const uint8_t *text, size_t length) {
    append_string(out, text, length, "0123456789ABCDEF");
}

void json_append_base64(struct buffer *out, const uint8_t *bytes, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *to = buffer_reserve(out, length / 3 * 4 + 6);
    *to++ = '"';
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        *to++ = (uint8_t)digits[bits >> 18], *to++ = (uint8_t)digits[bits >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)digits[bits & 63] : '=';
    }
    *to++ = '"';
    out->length = (size_t)(to - out->data);
}

void json_append_key(struct buffer *out, const struct json_member *member) {
    if (!member->key_is_plain) {
        json_append_string(out, member->key, member->key_length);
        return;
    }
    uint8_t *to = buffer_reserve(out, (size_t)member->key_length + 2);
    *to++ = '"';
    memcpy(to, member->key, member->key_length);
    to[member->key_length] = '"';
    out->length += (size_t)member->key_length + 2;
}

static void append_canonical_string(struct json_reader *reader, struct buffer *out, const struct json_value *value) {
    if (!value->has_backslash && reader->is_valid_utf8) {
        buffer_append(out, value->text, value->length);
        return;
    }
    struct buffer *scratch = &reader->scratch;
    scratch->length = 0;
    /* Room for both forms of the text at once, so that the first one stays where it is. */
    uint8_t *from = buffer_reserve(scratch, (size_t)value->length * 4);
    uint8_t *end = json_unescape(value, from);
    scratch->length = (size_t)(end - from);
    size_t length = scratch->length;
    if (!reader->is_valid_utf8) {
        utf8_append_replaced(scratch, scratch->data, scratch->data + length);
        json_append_string(out, scratch->data + length, scratch->length - length);
    } else {
        json_append_string(out, scratch->data, length);
    }
}

static int by_key(const void *left, const void *right) {
    const struct json_member *a = left, *b = right;
    size_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, shorter);
    return order ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

static void append_canonical(struct json_reader *reader, struct buffer *out, const struct json_value *value,
                             int is_sorted, int depth);

static struct json_members *members_of_level(struct json_reader *reader, int depth) {
    struct json_members **level = &reader->levels[depth];
    if (!*level) {
        *level = memory_resize(reader->memory, NULL, sizeof **level);
        **level = (struct json_members){.memory = reader->memory};
    }
    json_members_clear(*level);
    return *level;
}

static void append_canonical_object(struct json_reader *reader, struct buffer *out, const struct json_value *value,
                                    int is_sorted, int depth) {
    struct json_members *members = members_of_level(reader, depth);
    json_read_object(reader, value->text, depth, members);
    if (is_sorted && members->count > 1) {
        qsort(members->items, (size_t)members->count, sizeof *members->items, by_key);
        members->is_indexed = 0;
    }
    buffer_byte(out, '{');
    for (int32_t i = 0; i < members->count; i++) {
        if (i) buffer_byte(out, ',');
        json_append_key(out, &members->items[i]);
        buffer_byte(out, ':');
        append_canonical(reader, out, &members->items[i].value, is_sorted, depth + 1);
    }
    buffer_byte(out, '}');
}

static void append_canonical_array(struct json_reader *reader, struct buffer *out, const struct json_value *value,
                                   int is_sorted, int depth) {
    const uint8_t *at = json_skip_space(value->text + 1, reader->end);
    buffer_byte(out, '[');
    while (*at != ']') {
        struct json_value item;
        at = json_scan(reader, at, depth + 1, &item);
        append_canonical(reader, out, &item, is_sorted, depth + 1);
        at = json_skip_space(at, reader->end);
        if (*at != ',') break;
        buffer_byte(out, ',');
        at = json_skip_space(at + 1, reader->end);
    }
    buffer_byte(out, ']');
}

static void append_canonical(struct json_reader *reader, struct buffer *out, const struct json_value *value,
                             int is_sorted, int depth) {
    switch (value->kind) {
    case JSON_STRING: append_canonical_string(reader, out, value); break;
    case JSON_OBJECT: append_canonical_object(reader, out, value, is_sorted, depth); break;
    case JSON_ARRAY: append_canonical_array(reader, out, value, is_sorted, depth); break;
    default: buffer_append(out, value->text, value->length);
    }
}

void json_append_canonical(struct json_reader *reader, struct buffer *out, const struct json_value *value,
                           int is_sorted) {
    const uint8_t *end = reader->end;
    reader->end = value->text + value->length;
    append_canonical(reader, out, value, is_sorted, 0);
    reader->end = end;
}

void json_append_value(struct json_reader *reader, struct buffer *out, const struct json_value *value) {
    if (value->is_dirty || !reader->is_valid_utf8) json_append_canonical(reader, out, value, 0);
    else buffer_append(out, value->text, value->length);
}

void json_reader_free(struct json_reader *reader) {
    arena_free(&reader->arena);
    buffer_free(&reader->scratch);
    for (int i = 0; i <= JSON_DEPTH_MAX; i++) {
        if (!reader->levels[i]) continue;
        json_members_free(reader->levels[i]);
        free(reader->levels[i]);
        reader->levels[i] = NULL;
    }
}

void json_reader_init(struct json_reader *reader, struct memory *memory) {
    *reader = (struct json_reader){.memory = memory, .arena = {.memory = memory}, .scratch = {.memory = memory}};
}

struct canonical {
    struct memory memory;
    struct json_reader reader;
    struct buffer out;
};

/* The JSON text in canonical form; KERNEL_REFUSED if it is no JSON value, or nested too deep. */
EXPORT int32_t kernel_json_canonical(const uint8_t *text, int64_t length, int32_t is_sorted,
                                     struct column_buffer *canonical) {
    struct canonical *c = calloc(1, sizeof *c);
    if (!c) return KERNEL_OUT_OF_MEMORY;
    json_reader_init(&c->reader, &c->memory);
    c->out.memory = &c->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(c->memory.exhausted) == 0) {
        struct json_value value;
        const uint8_t *end = text + length;
        c->reader.end = end;
        c->reader.is_valid_utf8 = utf8_is_valid(text, end);
        const uint8_t *at = json_scan(&c->reader, json_skip_space(text, end), 0, &value);
        status = at && json_skip_space(at, end) == end ? KERNEL_OK : KERNEL_REFUSED;
        if (status == KERNEL_OK) {
            json_append_canonical(&c->reader, &c->out, &value, is_sorted);
            *canonical = buffer_hand_over(&c->out);
        }
    }
    json_reader_free(&c->reader);
    buffer_free(&c->out);
    free(c);
    return status;
}
