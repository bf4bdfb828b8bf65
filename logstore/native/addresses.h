/* Numbers that are looked for together, as those of an IP address are, each of which is in very many texts alone. */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include "word_marks.h"

enum { ADDRESS_WORDS = 4, ADDRESS_DIGITS = 3, ADDRESS_MAX = ADDRESS_WORDS * (ADDRESS_DIGITS + 1) - 1 };

static inline int is_short_number(const uint8_t *text, struct word_span word) {
    if (word.end - word.begin > ADDRESS_DIGITS) return 0;
    for (size_t at = word.begin; at < word.end; at++) {
        if (text[at] < '0' || text[at] > '9') return 0;
    }
    return 1;
}

/* Whether these four words, that follow each other, are numbers of at most three digits, and between them stands
 * nothing but a `.` each or a `-` each: "10.0.0.7". */
static inline int is_address(const uint8_t *text, const struct word_span words[ADDRESS_WORDS]) {
    if (words[ADDRESS_WORDS - 1].end - words[0].begin > ADDRESS_MAX) return 0;
    uint8_t between = text[words[0].end];
    if (between != '.' && between != '-') return 0;
    for (int i = 0; i < ADDRESS_WORDS; i++) {
        if (i && (words[i].begin != words[i - 1].end + 1 || text[words[i - 1].end] != between)) return 0;
        if (!is_short_number(text, words[i])) return 0;
    }
    return 1;
}

#endif
