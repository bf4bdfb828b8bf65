/* JSON texts (RFC 8259): checked strictly, cut into members without copying, and written in canonical form. */
#ifndef JSON_H
#define JSON_H

#include "memory.h"

enum { JSON_DEPTH_MAX = 128 };

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_BOOLEAN, JSON_NULL, JSON_OBJECT, JSON_ARRAY };
enum json_error { JSON_FINE, JSON_MALFORMED, JSON_TOO_DEEP };

struct json_value {
    const uint8_t *text; /* quotes and brackets included */
    uint32_t length;
    uint8_t kind;
    uint8_t has_backslash; /* of a string: its characters are not simply what stands between the quotes */
    uint8_t is_dirty;      /* holds a lone surrogate, or an object whose keys may repeat: rewrite it before use */
};

/* A key is UTF-8, its escapes resolved; `key_is_plain`: its JSON text is just the key in quotes. */
struct json_member {
    const uint8_t *key;
    uint32_t key_length;
    uint8_t key_is_plain;
    uint8_t is_dropped; /* free for the caller's use */
    uint8_t is_same;    /* where they are alike: the value is that of the text before */
    struct json_value value;
};

/* A member whose key needs no escapes. */
static inline struct json_member json_member_of(const char *key, struct json_value value) {
    return (struct json_member){
        .key = (const uint8_t *)key, .key_length = (uint32_t)strlen(key), .key_is_plain = 1, .value = value};
}

enum { JSON_GUESSES = 32, JSON_GUESS_BYTES = 32 };

/* The key that a member had at this place in the object before: objects of one stream mostly have the same keys. */
struct json_guess {
    uint8_t size; /* of the key with its quotes: ASCII without escapes; 0: none */
    uint8_t mark;
    uint8_t text[JSON_GUESS_BYTES];
};

/* A member of an object whose own members are wanted, where its value is an object: they are read while the object is.
 * All zero is none. */
struct json_inner {
    const uint8_t *key;
    size_t key_length;
    struct json_members *members;
};

/* Members with unique keys in the order of first appearance. All zero is empty, but for `memory`. */
struct json_members {
    struct memory *memory;
    struct json_inner inner;
    struct json_member *items;
    int32_t count, capacity;
    int32_t repeats;  /* how often a key came again */
    int32_t is_tight; /* they are what stands in one text without blanks, their keys without escapes */
    int32_t is_alike; /* see json_read_next_object */
    uint64_t seen[4]; /* a bit per key mark: a key whose bit is not set is not there */
    int32_t *table;   /* open addressing over items, kept once there are many; entries are index + 1 */
    uint32_t table_size, table_room; /* in use, and there */
    int32_t is_indexed;
    struct json_guess guesses[JSON_GUESSES];
};

struct json_text {
    const uint8_t *at, *end;
};

/* What reading needs besides the text. `is_valid_utf8`: the caller has found the text to be so; else strings
 * are rewritten with U+FFFD for what is not. */
struct json_reader {
    struct memory *memory;
    const uint8_t *end;
    const uint8_t *failed_at;
    enum json_error error;
    int is_valid_utf8;
    struct arena arena;     /* resolved keys live here until arena_reset */
    struct buffer scratch;
    struct json_members *levels[JSON_DEPTH_MAX + 1];
};

void json_reader_init(struct json_reader *reader, struct memory *memory);
void json_reader_free(struct json_reader *reader);

/* Notes where reading ended and why; returns NULL. */
static inline const uint8_t *json_fail(struct json_reader *reader, const uint8_t *at, enum json_error error) {
    reader->failed_at = at;
    reader->error = error;
    return NULL;
}

static inline int json_is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

static inline const uint8_t *json_skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && json_is_space(*at)) at++;
    return at;
}

/* Without the blanks around it. */
static inline struct json_text json_trimmed(struct json_text text) {
    text.at = json_skip_space(text.at, text.end);
    while (text.end > text.at && json_is_space(text.end[-1])) text.end--;
    return text;
}

/* Reads the value that begins at `at`; returns its end, or NULL with `error` and `failed_at` set. `depth` is the
 * number of containers around it. */
const uint8_t *json_scan(struct json_reader *reader, const uint8_t *at, int depth, struct json_value *value);

/* Reads `"key" :` at `at`; returns the place of the value, or NULL. */
const uint8_t *json_scan_key(struct json_reader *reader, const uint8_t *at, struct json_value *key);

/* Reads `:` and the blanks around it, after a key; returns the place of the value, or NULL. */
const uint8_t *json_scan_colon(struct json_reader *reader, const uint8_t *at);

/* After a member: the place of the next key, or of the closing brace, or NULL. */
const uint8_t *json_scan_separator(struct json_reader *reader, const uint8_t *at);

/* Which of 256 bits stands for a key: keys with different marks are different. Unseeded, so that what is rewritten
 * does not depend on the process. */
static inline unsigned json_key_mark(const uint8_t *key, size_t length) {
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

static inline int json_mark(uint64_t seen[4], unsigned mark) {
    uint64_t bit = UINT64_C(1) << (mark & 63);
    int was_seen = (seen[mark >> 6] & bit) != 0;
    seen[mark >> 6] |= bit;
    return was_seen;
}

/* Marks the key; was its mark there already? */
static inline int json_mark_key(uint64_t seen[4], const uint8_t *key, size_t length) {
    return json_mark(seen, json_key_mark(key, length));
}

/* Reads the object at `at` (its `{`) into `members`, which keep what they had: a repeated key takes the new value.
 * Returns the object's end, or NULL. */
const uint8_t *json_read_object(struct json_reader *reader, const uint8_t *at, int depth, struct json_members *members);

/* Reads a text that is exactly one object, blanks around it allowed; false if it is not, and `members`, which are
 * cleared first, mean nothing. */
int json_read_only_object(struct json_reader *reader, struct json_text text, struct json_members *members);

/* Likewise, of one text after the other, of which the one before is still there. `members->is_alike` tells that it has
 * the same keys in the same order as that one, and their `is_same` which values are the same. */
int json_read_next_object(struct json_reader *reader, struct json_text text, struct json_members *members);

/* Does the object's own text have unique keys and no lone surrogates? */
int json_is_clean(const struct json_members *members);

void json_members_clear(struct json_members *members);
void json_members_free(struct json_members *members);
void json_members_put(struct json_members *members, const struct json_member *member);
struct json_member *json_members_find(struct json_members *members, const uint8_t *key, size_t length);

/* The string's characters as UTF-8 to `out` (at most value->length bytes); bytes that are not UTF-8 stay, a lone
 * surrogate becomes U+FFFD. Returns the end of what was written. */
uint8_t *json_unescape(const struct json_value *string, uint8_t *out);

/* A valid UTF-8 text in quotes, with the escapes that JSON demands and no more. */
void json_append_string(struct buffer *out, const uint8_t *text, size_t length);

/* The same, with capital letters where an escape has some. */
void json_append_string_upper(struct buffer *out, const uint8_t *text, size_t length);

/* Bytes in quotes, as RFC 4648 §4 has them. */
void json_append_base64(struct buffer *out, const uint8_t *bytes, size_t length);

/* The value without blanks, with unique keys (the last value counts), without lone surrogates or bytes that are
 * not UTF-8 (U+FFFD instead); keys sorted by their bytes if `is_sorted`. Numbers keep their text. The value was
 * scanned before. */
void json_append_canonical(struct json_reader *reader, struct buffer *out, const struct json_value *value, int is_sorted);

/* The value as it stands, or canonical where it must be. */
void json_append_value(struct json_reader *reader, struct buffer *out, const struct json_value *value);

void json_append_key(struct buffer *out, const struct json_member *member);

#endif
