#define _GNU_SOURCE
#include "words.h"

#include <string.h>

#include "word_table.h"

#define EXPORT __attribute__((visibility("default")))

enum { RANGES = sizeof(word_ranges) / sizeof(word_ranges[0]) };

int is_word_character(uint32_t code) {
    if (code < 0x80) {
        uint32_t folded = code | 0x20;
        return (folded >= 'a' && folded <= 'z') || (code >= '0' && code <= '9') || code == '_';
    }
    int low = 0, high = RANGES;
    while (low < high) {
        int middle = (low + high) / 2;
        if (word_ranges[middle][1] < code) low = middle + 1;
        else high = middle;
    }
    return low < RANGES && word_ranges[low][0] <= code;
}

EXPORT int32_t kernel_is_word_character(uint32_t code) { return is_word_character(code); }

/* The character that begins at `at` (at < end) of valid UTF-8. */
static uint32_t character_at(const uint8_t *at, const uint8_t *end) {
    uint32_t lead = *at;
    if (lead < 0x80) return lead;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t code = lead & (0x3Fu >> more);
    for (int i = 1; i <= more && at + i < end; i++) code = code << 6 | (at[i] & 0x3F);
    return code;
}

static int begins_free(const uint8_t *start, const uint8_t *at, const uint8_t *end) {
    if (at == start) return 1;
    const uint8_t *before = at - 1;
    while (before > start && (*before & 0xC0) == 0x80) before--;
    return !is_word_character(character_at(before, end));
}

static int ends_free(const uint8_t *at, const uint8_t *end) {
    return at == end || !is_word_character(character_at(at, end));
}

/* Whether the needle (not empty) stands somewhere in the text so that neither end of it is inside a word. */
static int stands_free(
    const uint8_t *text, const uint8_t *end, const uint8_t *needle, int64_t length, int check_begin, int check_end
) {
    for (const uint8_t *at = text; end - at >= length; at++) {
        at = memmem(at, (size_t)(end - at), needle, (size_t)length);
        if (!at) return 0;
        if ((!check_begin || begins_free(text, at, end)) && (!check_end || ends_free(at + length, end))) return 1;
    }
    return 0;
}

/* One byte a text: 1 where the needle stands free. `offsets` has rows + 1 entries; all is valid UTF-8. */
EXPORT int32_t kernel_stands_free(
    const uint8_t *text, const int32_t *offsets, int64_t rows, const uint8_t *needle, int64_t length,
    int32_t check_begin, int32_t check_end, uint8_t *out
) {
    for (int64_t row = 0; row < rows; row++)
        out[row] = (uint8_t)stands_free(
            text + offsets[row], text + offsets[row + 1], needle, length, check_begin, check_end
        );
    return 0;
}
