#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json.h"
#include "utf8.h"

enum { INDEX_FROM = 16, KEY_MORE_BYTES = 3 /* quotes and a colon */ };

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
    if (size > members->table_room) {
        members->table = memory_resize(members->memory, members->table, size * sizeof *members->table);
        members->table_room = size;
    }
    members->table_size = size; /* not all there is: one object may have had a million members */
    memset(members->table, 0, size * sizeof *members->table);
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
    unsigned mark = json_key_mark(key, length);
    return members->seen[mark >> 6] & UINT64_C(1) << (mark & 63) ? find(members, key, length) : NULL;
}

/* Where the next member is to be written, before `settle` counts it in. */
static struct json_member *next_slot(struct json_members *members) {
    if (members->count == members->capacity) {
        int32_t capacity = members->capacity ? members->capacity * 2 : INDEX_FROM;
        members->items = memory_resize(members->memory, members->items, (size_t)capacity * sizeof *members->items);
        members->capacity = capacity;
    }
    return &members->items[members->count];
}

/* Counts in the member in the next slot, whose key has this mark, or gives its value to the one that has its key. */
static void settle(struct json_members *members, unsigned mark) {
    const struct json_member *member = &members->items[members->count];
    if (json_mark(members->seen, mark)) {
        struct json_member *known = find(members, member->key, member->key_length);
        if (known) {
            members->repeats++;
            known->value = member->value;
            known->is_dropped = member->is_dropped;
            return;
        }
    }
    members->count++;
    if (!members->is_indexed) {
        if (members->count > INDEX_FROM) index_members(members);
    } else if ((uint32_t)members->count * 2 > members->table_size) {
        index_members(members);
    } else {
        index_member(members, members->count - 1);
    }
}

void json_members_put(struct json_members *members, const struct json_member *member) {
    *next_slot(members) = *member;
    members->is_tight = 0;
    settle(members, json_key_mark(member->key, member->key_length));
}

void json_members_clear(struct json_members *members) {
    members->count = members->repeats = members->is_tight = members->is_alike = 0;
    memset(members->seen, 0, sizeof members->seen);
    members->is_indexed = 0;
}

/* Sets the member's key as UTF-8: in place where it can be, else in the arena. */
static void resolve_key(struct json_reader *reader, const struct json_value *key, struct json_member *member) {
    member->key = key->text + 1;
    member->key_length = key->length - 2;
    member->key_is_plain = 1;
    member->is_dropped = member->is_same = 0;
    if (!key->has_backslash && reader->is_valid_utf8) return;
    if (key->has_backslash) {
        uint8_t *copy = arena_take(&reader->arena, key->length);
        member->key = copy;
        member->key_length = (uint32_t)(json_unescape(key, copy) - copy);
        member->key_is_plain = 0;
    }
    if (!reader->is_valid_utf8 && !utf8_is_valid(member->key, member->key + member->key_length)) {
        reader->scratch.length = 0;
        utf8_append_replaced(&reader->scratch, member->key, member->key + member->key_length);
        uint8_t *copy = arena_take(&reader->arena, reader->scratch.length);
        memcpy(copy, reader->scratch.data, reader->scratch.length);
        member->key = copy;
        member->key_length = (uint32_t)reader->scratch.length;
        member->key_is_plain = 0;
    }
}

static int is_guessed(const struct json_guess *guess, const uint8_t *at, const uint8_t *end) {
    if (!guess->size || end - at < JSON_GUESS_BYTES) return 0;
#ifdef __SSE2__
    uint32_t alike = 0;
    for (int i = 0; i < JSON_GUESS_BYTES; i += 16) {
        __m128i here = _mm_loadu_si128((const __m128i *)(at + i));
        __m128i there = _mm_loadu_si128((const __m128i *)(guess->text + i));
        alike |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here, there)) << i;
    }
    return (alike | ~(uint32_t)((UINT64_C(1) << guess->size) - 1)) == UINT32_MAX;
#else
    return memcmp(at, guess->text, guess->size) == 0;
#endif
}

static void guess_again(struct json_guess *guess, const struct json_value *key, unsigned mark) {
    guess->size = 0;
    if (key->has_backslash || key->length > JSON_GUESS_BYTES) return;
    uint8_t bytes = 0;
    for (uint32_t i = 0; i < key->length; i++) bytes |= key->text[i];
    if (bytes & 0x80) return;
    memcpy(guess->text, key->text, key->length);
    guess->size = (uint8_t)key->length;
    guess->mark = (uint8_t)mark;
}

/* Reads the key at `at` into the member of the next slot; returns the place of the value, or NULL. */
static const uint8_t *read_key(struct json_reader *reader, const uint8_t *at, struct json_members *members,
                               unsigned *mark) {
    struct json_member *member = next_slot(members);
    struct json_guess *guess = members->count < JSON_GUESSES ? &members->guesses[members->count] : NULL;
    if (guess && is_guessed(guess, at, reader->end)) {
        *member = (struct json_member){.key = at + 1, .key_length = guess->size - 2u, .key_is_plain = 1};
        *mark = guess->mark;
        return json_scan_colon(reader, at + guess->size);
    }
    struct json_value key;
    at = json_scan_key(reader, at, &key);
    if (!at) return NULL;
    resolve_key(reader, &key, member);
    *mark = json_key_mark(member->key, member->key_length);
    if (guess) guess_again(guess, &key, *mark);
    return at;
}

static int is_inner(const struct json_members *members, const uint8_t *at, const uint8_t *end) {
    const struct json_inner *inner = &members->inner;
    return inner->members && at < end && *at == '{' && has_key(&members->items[members->count], inner->key, inner->key_length);
}

/* Reads the value of the member in the next slot, and the members that are wanted of it. */
static const uint8_t *read_value(struct json_reader *reader, const uint8_t *at, int depth, struct json_members *members) {
    struct json_value *value = &members->items[members->count].value;
    if (!is_inner(members, at, reader->end)) return json_scan(reader, at, depth, value);
    json_members_clear(members->inner.members);
    const uint8_t *end = json_read_object(reader, at, depth, members->inner.members);
    if (end) *value = (struct json_value){.text = at, .length = (uint32_t)(end - at), .kind = JSON_OBJECT, .is_dirty = 1};
    return end;
}

const uint8_t *json_read_object(struct json_reader *reader, const uint8_t *at, int depth,
                                struct json_members *members) {
    if (depth == JSON_DEPTH_MAX) return json_fail(reader, at, JSON_TOO_DEEP);
    at = json_skip_space(at + 1, reader->end);
    if (at == reader->end) return json_fail(reader, at, JSON_MALFORMED);
    while (*at != '}') {
        unsigned mark;
        at = read_key(reader, at, members, &mark);
        if (!at) return NULL;
        at = read_value(reader, at, depth + 1, members);
        if (!at) return NULL;
        settle(members, mark);
        at = json_scan_separator(reader, at);
        if (!at) return NULL;
    }
    return at + 1;
}

/* Is there nothing but the members in the text, from brace to brace? */
static int is_tight(const struct json_members *members, struct json_text text) {
    if (members->repeats || members->inner.members) return 0;
    size_t length = 2 + (members->count ? (size_t)members->count - 1 : 0);
    for (int32_t i = 0; i < members->count; i++) {
        const struct json_member *member = &members->items[i];
        if (!member->key_is_plain) return 0;
        length += member->key_length + KEY_MORE_BYTES + member->value.length;
    }
    return length == (size_t)(text.end - text.at);
}

int json_read_only_object(struct json_reader *reader, struct json_text text, struct json_members *members) {
    json_members_clear(members);
    reader->end = text.end;
    const uint8_t *at = json_skip_space(text.at, text.end);
    if (at == text.end || *at != '{') return 0;
    at = json_read_object(reader, at, 0, members);
    if (!at || json_skip_space(at, text.end) != text.end) return 0;
    members->is_tight = is_tight(members, text);
    return 1;
}

/* Reads the member at `at`, of which all but the value is known; returns its end, or NULL. */
static const uint8_t *read_member_alike(struct json_reader *reader, const uint8_t *at, struct json_member *member) {
    const uint8_t *before = member->key - 1;
    size_t key_length = member->key_length + KEY_MORE_BYTES, length = key_length + member->value.length;
    size_t left = (size_t)(reader->end - at);
    member->key = at + 1;
    member->is_dropped = 0;
    member->is_same = left > length && memcmp(at, before, length) == 0 && (at[length] == ',' || at[length] == '}');
    if (member->is_same) {
        member->value.text = at + key_length;
        return at + length;
    }
    if (left <= key_length || memcmp(at, before, key_length) != 0) return NULL;
    return json_scan(reader, at + key_length, 1, &member->value);
}

static int read_alike(struct json_reader *reader, struct json_text text, struct json_members *members) {
    if (!members->is_tight || text.at == text.end || *text.at != '{') return 0;
    reader->end = text.end;
    const uint8_t *at = text.at;
    for (int32_t i = 0; i < members->count; i++) {
        at = read_member_alike(reader, at + 1, &members->items[i]);
        if (!at || at == text.end || *at != (i + 1 < members->count ? ',' : '}')) return 0;
    }
    return members->count > 0 && at + 1 == text.end;
}

int json_read_next_object(struct json_reader *reader, struct json_text text, struct json_members *members) {
    if (!read_alike(reader, text, members)) return json_read_only_object(reader, text, members);
    members->is_alike = 1;
    return 1;
}

int json_is_clean(const struct json_members *members) {
    if (members->repeats) return 0;
    for (int32_t i = 0; i < members->count; i++) {
        if (members->items[i].value.is_dirty || !members->items[i].key_is_plain) return 0;
    }
    return 1;
}

void json_members_free(struct json_members *members) {
    free(members->items);
    free(members->table);
    *members = (struct json_members){.memory = members->memory};
}
