#include "words.h"

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

int stands_free_at(const uint8_t *text, const uint8_t *end, const uint8_t *at, const uint8_t *at_end, struct ends ends) {
    return (!ends.begins_in_word || begins_free(text, at, end)) && (!ends.ends_in_word || ends_free(at_end, end));
}
