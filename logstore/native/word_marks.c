#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#include "word_marks.h"
#include "words.h"

/* Bits of 64 bytes each. */
struct classes {
    uint64_t word, digit, wildcard, beyond_ascii;
};

#ifdef __SSSE3__

/* A byte's class is what the entries of its high and of its low half have in common. */
enum { TO_O = 1, P_TO_Z = 2, UNDERSCORE = 4, IS_WILDCARD = 64, IS_DIGIT = 128, IN_WORD = 128 + 4 + 2 + 1 };

static inline void classify_16(const uint8_t *at, int shift, struct classes *classes) {
    const __m128i high_half = _mm_setr_epi8(0, IS_WILDCARD, 0, (char)IS_DIGIT, TO_O, P_TO_Z | UNDERSCORE, TO_O, P_TO_Z,
                                            0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i low_half = _mm_setr_epi8(
        (char)(IS_DIGIT | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z),
        (char)(IS_DIGIT | TO_O | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z),
        (char)(IS_DIGIT | TO_O | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z), (char)(IS_DIGIT | TO_O | P_TO_Z),
        (char)(IS_DIGIT | TO_O | P_TO_Z), TO_O | P_TO_Z | IS_WILDCARD, TO_O, TO_O, TO_O, TO_O, TO_O | UNDERSCORE);
    __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15));
    __m128i class = _mm_and_si128(_mm_shuffle_epi8(low_half, bytes), _mm_shuffle_epi8(high_half, high));
    __m128i in_word = _mm_and_si128(class, _mm_set1_epi8((char)IN_WORD));
    unsigned outside = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(in_word, _mm_setzero_si128()));
    classes->word |= (uint64_t)(~outside & 0xFFFF) << shift;
    classes->digit |= (uint64_t)(unsigned)_mm_movemask_epi8(class) << shift;
    classes->wildcard |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_add_epi8(class, class)) << shift;
    classes->beyond_ascii |= (uint64_t)(unsigned)_mm_movemask_epi8(bytes) << shift;
}

static inline struct classes classify_64(const uint8_t *at) {
    struct classes classes = {0};
    for (int i = 0; i < 64; i += 16) classify_16(at + i, i, &classes);
    return classes;
}

#else

static inline struct classes classify_64(const uint8_t *at) {
    struct classes classes = {0};
    for (int i = 0; i < 64; i++) {
        uint8_t byte = at[i], letter = (byte | 0x20) - 'a', digit = byte - '0';
        classes.word |= (uint64_t)((letter < 26) | (digit < 10) | (byte == '_')) << i;
        classes.digit |= (uint64_t)(digit < 10) << i;
        classes.wildcard |= (uint64_t)(byte == WILDCARD) << i;
        classes.beyond_ascii |= (uint64_t)(byte >> 7) << i;
    }
    return classes;
}

#endif

/* The bits of the non-ASCII bytes that belong to words. `is_word`: whether the character does whose first bytes are
 * in the block before; then the last one of this block. */
static uint64_t beyond_ascii_words(const uint8_t *at, const uint8_t *end, uint64_t bytes, int *is_word) {
    uint64_t words = 0;
    for (; bytes; bytes &= bytes - 1) {
        int i = __builtin_ctzll(bytes);
        if ((at[i] & 0xC0) == 0xC0) *is_word = is_word_character(character_at(at + i, end));
        words |= (uint64_t)*is_word << i;
    }
    return words;
}

const uint8_t *word_text_padded(struct buffer *room, const uint8_t *text, size_t length, const uint8_t *readable_end) {
    if ((size_t)(readable_end - text) >= length + WORD_PADDING) return text;
    room->length = 0;
    buffer_reserve(room, length + WORD_PADDING);
    buffer_append(room, text, length);
    memset(room->data + length, 0, WORD_PADDING);
    return room->data;
}

void word_marks_read(struct word_marks *marks, const uint8_t *text, size_t length) {
    size_t count = length / 64 + 1;
    marks->bits.length = 0;
    struct word_block *blocks = (struct word_block *)buffer_reserve(&marks->bits, count * sizeof *blocks);
    uint64_t wildcard = 0, beyond_ascii = 0;
    int is_word = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = text + i * 64;
        struct classes classes = classify_64(at);
        uint64_t inside = i == length / 64 ? (UINT64_C(1) << length % 64) - 1 : ~UINT64_C(0);
        wildcard |= classes.wildcard & inside;
        beyond_ascii |= classes.beyond_ascii &= inside;
        if (classes.beyond_ascii) {
            classes.word |= beyond_ascii_words(at, text + length, classes.beyond_ascii, &is_word);
        }
        blocks[i] = (struct word_block){classes.word & inside, classes.digit & inside};
    }
    marks->blocks = blocks;
    marks->length = length;
    marks->has_wildcard = wildcard != 0;
    marks->is_ascii = beyond_ascii == 0;
}
