/* Where the words of a text are: a bit a byte, so that a reader steps from word to word instead of byte to byte. */
#ifndef WORD_MARKS_H
#define WORD_MARKS_H

#include "memory.h"

enum { WORD_PADDING = 64, WILDCARD = 0x1A };

/* 64 bytes of the text, the first the lowest bit: which belong to words, and which are ASCII digits. */
struct word_block {
    uint64_t word, digit;
};

struct word_marks {
    struct buffer bits;
    const struct word_block *blocks; /* length / 64 + 1 of them; what is past the text belongs to no word */
    size_t length;
    int is_ascii, has_wildcard;
};

/* The text itself if it ends WORD_PADDING bytes before `readable_end`, else a copy in `room` that may be read so far
 * past its end. */
const uint8_t *word_text_padded(struct buffer *room, const uint8_t *text, size_t length, const uint8_t *readable_end);

/* Marks the words of a valid UTF-8 text, which is readable for WORD_PADDING bytes past its end. */
void word_marks_read(struct word_marks *marks, const uint8_t *text, size_t length);

/* The first byte at or after `at` that belongs to a word, or the text's length. */
static inline size_t next_word(const struct word_marks *marks, size_t at) {
    size_t block = at / 64, last = marks->length / 64;
    uint64_t found = marks->blocks[block].word >> at % 64 << at % 64;
    while (!found) {
        if (block == last) return marks->length;
        found = marks->blocks[++block].word;
    }
    return block * 64 + (size_t)__builtin_ctzll(found);
}

/* The first ASCII digit at or after `at`, or the text's length. */
static inline size_t next_digit(const struct word_marks *marks, size_t at) {
    size_t block = at / 64, last = marks->length / 64;
    uint64_t found = marks->blocks[block].digit >> at % 64 << at % 64;
    while (!found) {
        if (block == last) return marks->length;
        found = marks->blocks[++block].digit;
    }
    return block * 64 + (size_t)__builtin_ctzll(found);
}

/* Where the word begins that the byte at `at` belongs to. */
static inline size_t word_begin(const struct word_marks *marks, size_t at) {
    size_t block = at / 64;
    uint64_t outside = ~marks->blocks[block].word & ((UINT64_C(1) << at % 64) - 1);
    while (!outside) {
        if (block == 0) return 0;
        outside = ~marks->blocks[--block].word;
    }
    return block * 64 + 64 - (size_t)__builtin_clzll(outside);
}

/* Where the word ends that the byte at `at` belongs to. */
static inline size_t word_end(const struct word_marks *marks, size_t at) {
    size_t block = at / 64;
    uint64_t outside = ~marks->blocks[block].word >> at % 64 << at % 64;
    while (!outside) outside = ~marks->blocks[++block].word;
    return block * 64 + (size_t)__builtin_ctzll(outside);
}

struct word_span {
    size_t begin, end;
};

/* The words that have an ASCII digit, in their order, into `spans`; how many. */
static inline size_t digit_words(const struct word_marks *marks, struct buffer *spans) {
    spans->length = 0;
    for (size_t digit = next_digit(marks, 0); digit < marks->length;) {
        struct word_span span = {word_begin(marks, digit), word_end(marks, digit)};
        memcpy(buffer_reserve(spans, sizeof span), &span, sizeof span);
        spans->length += sizeof span;
        digit = next_digit(marks, span.end);
    }
    return spans->length / sizeof(struct word_span);
}

#endif
