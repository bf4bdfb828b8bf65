#define _GNU_SOURCE
#include "words.h"

#include <string.h>

#include "word_table.h"

#define EXPORT __attribute__((visibility("default")))

enum { RANGES = sizeof(word_ranges) / sizeof(word_ranges[0]) };

static uint8_t plane_0[0x10000 / 8]; /* a bit a character of the basic plane */

static int is_in_ranges(uint32_t code) {
    int low = 0, high = RANGES;
    while (low < high) {
        int middle = (low + high) / 2;
        if (word_ranges[middle][1] < code) low = middle + 1;
        else high = middle;
    }
    return low < RANGES && word_ranges[low][0] <= code;
}

__attribute__((constructor)) static void fill_plane_0(void) {
    for (int i = 0; i < RANGES; i++) {
        for (uint32_t code = word_ranges[i][0]; code <= word_ranges[i][1] && code < 0x10000; code++) {
            plane_0[code / 8] |= (uint8_t)(1u << code % 8);
        }
    }
    for (const char *c = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"; *c; c++) {
        plane_0[*c / 8] |= (uint8_t)(1u << *c % 8);
    }
}

int is_word_character(uint32_t code) {
    return code < 0x10000 ? plane_0[code / 8] >> code % 8 & 1 : is_in_ranges(code);
}

EXPORT int32_t kernel_is_word_character(uint32_t code) { return is_word_character(code); }

static int begins_free(const uint8_t *start, const uint8_t *at, const uint8_t *end) {
    if (at == start) return 1;
    const uint8_t *before = at - 1;
    while (before > start && (*before & 0xC0) == 0x80) before--;
    return !is_word_character(character_at(before, end));
}

static int ends_free(const uint8_t *at, const uint8_t *end) {
    return at == end || !is_word_character(character_at(at, end));
}

int stands_free_at(const uint8_t *text, const uint8_t *end, const uint8_t *at, int64_t length) {
    return begins_free(text, at, end) && ends_free(at + length, end);
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
