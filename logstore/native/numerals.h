/* Numbers that are written in another way than by their digits: `4.711e3`, or "04711" as a text. */
#ifndef NUMERALS_H
#define NUMERALS_H

#include "word_marks.h"

/* A double tells all integers of so many digits apart. */
enum { EXACT_DIGITS = 15 };

struct numeral {
    const uint8_t *end;
    const uint8_t *digits, *digits_end; /* of what stands before the point, without leading zeros */
    int is_integer;                     /* has neither a fraction nor an exponent */
    int is_large;                       /* no such integer, and its double may be of 16 digits or more */
    uint64_t integers[2];               /* of at most 15 digits, that its double may be; 0: none */
};

/* Reads what query/literals.py calls a number from its first byte on; false if there is none. */
int numeral_read(const uint8_t *at, const uint8_t *end, struct numeral *numeral);

/* Reads the number of a JSON text that has these digits, which its exponent or its fraction follows; false if there is
 * none that is a whole key or value. */
int numeral_around(
    const uint8_t *text, const uint8_t *end, const uint8_t *digits, const uint8_t *digits_end, struct numeral *numeral
);

/* In 64 bytes of a text, where words begin with a digit. */
static inline uint64_t digit_starts(const struct word_marks *marks, size_t block) {
    uint64_t before = block ? marks->blocks[block - 1].word >> 63 : 0;
    return marks->blocks[block].digit & ~(marks->blocks[block].word << 1 | before);
}

/* Past the digits from `at` on. */
static inline size_t digits_past(const struct word_marks *marks, size_t at) {
    size_t block = at / 64;
    uint64_t others = ~marks->blocks[block].digit >> at % 64 << at % 64;
    while (!others) others = ~marks->blocks[++block].digit;
    return block * 64 + (size_t)__builtin_ctzll(others);
}

/* Reads the number of a JSON text that has the digits with which the word at `at` begins, if it may equal an integer
 * whose digits are no word of the text: if these begin with a zero, or are followed by an exponent, by a nine behind the
 * point, or by a fraction where they are more than a double tells apart. */
static inline int numeral_at(const struct word_marks *marks, const uint8_t *text, size_t at, struct numeral *numeral) {
    size_t past = digits_past(marks, at), count = past - at;
    uint8_t before = text[at - (at > 0)], after = text[past];
    uint8_t next = text[past + 1];
    int has_exponent = ((after | 0x20) == 'e') & (next <= '9');
    int has_fraction = (after == '.') & ((next == '9') | (count > EXACT_DIGITS));
    int has_zeros = (text[at] == '0') & (count > 1) & ((before == '"') | (before == '-'));
    if (!(has_exponent | has_fraction | has_zeros)) return 0;
    return numeral_around(text, text + marks->length, text + at, text + past, numeral);
}

#endif
