/* Words: runs of letters, digits (Unicode's categories L and N) and `_`. */
#ifndef WORDS_H
#define WORDS_H

#include <stdint.h>

int is_word_character(uint32_t code);

/* Which ends of a phrase are word characters, that must not be inside a longer word. */
struct ends {
    int begins_in_word, ends_in_word;
};

/* Whether neither end of what stands from `at` to `at_end` in a text is inside a word. */
int stands_free_at(const uint8_t *text, const uint8_t *end, const uint8_t *at, const uint8_t *at_end, struct ends ends);

/* The character that begins at `at` (at < end) of valid UTF-8. */
static inline uint32_t character_at(const uint8_t *at, const uint8_t *end) {
    uint32_t lead = *at;
    if (lead < 0x80) return lead;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    uint32_t code = lead & (0x3Fu >> more);
    for (int i = 1; i <= more && at + i < end; i++) code = code << 6 | (at[i] & 0x3F);
    return code;
}

#endif
