#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json.h"
#include "utf8.h"

static const uint8_t *fail(struct json_reader *reader, const uint8_t *at, enum json_error error) {
    reader->failed_at = at;
    reader->error = error;
    return NULL;
}

static const uint8_t *malformed(struct json_reader *reader, const uint8_t *at) {
    return fail(reader, at, JSON_MALFORMED);
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

static const uint8_t *scan_string(struct json_reader *reader, const uint8_t *at, struct json_value *value) {
    const uint8_t *end = reader->end;
    value->kind = JSON_STRING;
    value->text = at++;
    for (;;) {
        at = plain_end(at, end);
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
    if (depth == JSON_DEPTH_MAX) return fail(reader, at, JSON_TOO_DEEP);
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

/* Which of 256 bits stands for a key: keys with different marks are different. Unseeded, so that what is rewritten
 * does not depend on the process. */
static unsigned key_mark(const uint8_t *key, size_t length) {
    uint64_t head = 0, tail = 0;
    if (length >= 8) {
        memcpy(&head, key, 8);
        memcpy(&tail, key + length - 8, 8);
    } else if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, key, 4);
        memcpy(&last, key + length - 4, 4);
        head = first, tail = last;
    } else {
        for (size_t i = 0; i < length; i++) head = head << 8 | key[i];
    }
    return (unsigned)((((head * 0x9E3779B97F4A7C15u) ^ tail ^ length) * 0xC2B2AE3D27D4EB4Fu) >> 56);
}

/* Marks the key; was its mark there already? */
static int mark_key(uint64_t seen[4], const uint8_t *key, size_t length) {
    unsigned mark = key_mark(key, length);
    uint64_t bit = UINT64_C(1) << (mark & 63);
    int was_seen = (seen[mark >> 6] & bit) != 0;
    seen[mark >> 6] |= bit;
    return was_seen;
}

/* Reads `"key" :` at `at`; returns the place of the value. */
static const uint8_t *scan_key(struct json_reader *reader, const uint8_t *at, struct json_value *key) {
    *key = (struct json_value){0};
    if (at == reader->end || *at != '"') return malformed(reader, at);
    at = scan_string(reader, at, key);
    if (!at) return NULL;
    at = json_skip_space(at, reader->end);
    if (at == reader->end || *at != ':') return malformed(reader, at);
    return json_skip_space(at + 1, reader->end);
}

/* After a member: the place of the next key, or of the closing brace. */
static const uint8_t *scan_separator(struct json_reader *reader, const uint8_t *at) {
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
    if (depth == JSON_DEPTH_MAX) return fail(reader, at, JSON_TOO_DEEP);
    uint64_t seen[4] = {0};
    at = json_skip_space(at + 1, reader->end);
    if (at == reader->end) return malformed(reader, at);
    while (*at != '}') {
        struct json_value key, item;
        at = scan_key(reader, at, &key);
        if (!at) return NULL;
        if (key.has_backslash || mark_key(seen, key.text + 1, key.length - 2)) value->is_dirty = 1;
        at = json_scan(reader, at, depth + 1, &item);
        if (!at) return NULL;
        value->is_dirty |= item.is_dirty;
        at = scan_separator(reader, at);
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

uint8_t *json_unescape(const struct json_value *string, uint8_t *out) {
    const uint8_t *at = string->text + 1, *end = string->text + string->length - 1;
    while (at < end) {
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
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
    return out;
}

/* The key as UTF-8: in place where it can be, else in the arena. */
static struct json_member resolve_key(struct json_reader *reader, const struct json_value *key) {
    struct json_member member = {.key = key->text + 1, .key_length = key->length - 2, .key_is_plain = 1};
    if (key->has_backslash) {
        uint8_t *copy = arena_take(&reader->arena, key->length);
        member.key = copy;
        member.key_length = (uint32_t)(json_unescape(key, copy) - copy);
        member.key_is_plain = 0;
    }
    if (!reader->is_valid_utf8 && !utf8_is_valid(member.key, member.key + member.key_length)) {
        reader->scratch.length = 0;
        utf8_append_replaced(&reader->scratch, member.key, member.key + member.key_length);
        uint8_t *copy = arena_take(&reader->arena, reader->scratch.length);
        memcpy(copy, reader->scratch.data, reader->scratch.length);
        member.key = copy;
        member.key_length = (uint32_t)reader->scratch.length;
        member.key_is_plain = 0;
    }
    return member;
}

const uint8_t *json_read_object(struct json_reader *reader, const uint8_t *at, int depth,
                                struct json_members *members) {
    if (depth == JSON_DEPTH_MAX) return fail(reader, at, JSON_TOO_DEEP);
    at = json_skip_space(at + 1, reader->end);
    if (at == reader->end) return malformed(reader, at);
    while (*at != '}') {
        struct json_value key;
        at = scan_key(reader, at, &key);
        if (!at) return NULL;
        struct json_member member = resolve_key(reader, &key);
        at = json_scan(reader, at, depth + 1, &member.value);
        if (!at) return NULL;
        json_members_put(members, &member);
        at = scan_separator(reader, at);
        if (!at) return NULL;
    }
    return at + 1;
}

enum { INDEX_FROM = 16 };

static void index_member(struct json_members *members, int32_t position) {
    const struct json_member *member = &members->items[position];
    uint32_t mask = members->table_size - 1, slot = (uint32_t)hash_bytes(member->key, member->key_length) & mask;
    while (members->table[slot]) slot = (slot + 1) & mask;
    members->table[slot] = position + 1;
}

/* Builds the index anew with room for twice the members there are. */
static void index_members(struct json_members *members) {
    uint32_t size = 64;
    while (size < 4 * (uint32_t)members->count) size *= 2;
    if (size > members->table_size) {
        members->table = memory_resize(members->memory, members->table, size * sizeof *members->table);
        members->table_size = size;
    }
    memset(members->table, 0, members->table_size * sizeof *members->table);
    for (int32_t i = 0; i < members->count; i++) index_member(members, i);
    members->is_indexed = 1;
}

static int has_key(const struct json_member *member, const uint8_t *key, size_t length) {
    return member->key_length == length && memcmp(member->key, key, length) == 0;
}

static struct json_member *find(struct json_members *members, const uint8_t *key, size_t length) {
    if (!members->is_indexed) {
        for (int32_t i = 0; i < members->count; i++) {
            if (has_key(&members->items[i], key, length)) return &members->items[i];
        }
        return NULL;
    }
    uint32_t mask = members->table_size - 1, slot = (uint32_t)hash_bytes(key, length) & mask;
    for (; members->table[slot]; slot = (slot + 1) & mask) {
        struct json_member *member = &members->items[members->table[slot] - 1];
        if (has_key(member, key, length)) return member;
    }
    return NULL;
}

struct json_member *json_members_find(struct json_members *members, const uint8_t *key, size_t length) {
    unsigned mark = key_mark(key, length);
    return members->seen[mark >> 6] & UINT64_C(1) << (mark & 63) ? find(members, key, length) : NULL;
}

void json_members_put(struct json_members *members, const struct json_member *member) {
    if (mark_key(members->seen, member->key, member->key_length)) {
        struct json_member *known = find(members, member->key, member->key_length);
        if (known) {
            known->value = member->value;
            known->is_dropped = member->is_dropped;
            return;
        }
    }
    if (members->count == members->capacity) {
        int32_t capacity = members->capacity ? members->capacity * 2 : INDEX_FROM;
        members->items = memory_resize(members->memory, members->items, (size_t)capacity * sizeof *members->items);
        members->capacity = capacity;
    }
    members->items[members->count++] = *member;
    if (!members->is_indexed) {
        if (members->count > INDEX_FROM) index_members(members);
    } else if ((uint32_t)members->count * 2 > members->table_size) {
        index_members(members);
    } else {
        index_member(members, members->count - 1);
    }
}

void json_members_clear(struct json_members *members) {
    members->count = 0;
    memset(members->seen, 0, sizeof members->seen);
    members->is_indexed = 0;
}
