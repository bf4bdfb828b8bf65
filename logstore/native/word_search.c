/* Words in texts: which of many texts have one that stands free, whatever its case (logstore/words.py). */
#include <string.h>

#include "words.h"

#define EXPORT __attribute__((visibility("default")))

/* Letters, digits and `_`, the more often they stand in logs the earlier. */
static const char COMMON[] = "etaoinrsl0d1u2c_mp3h54g6y978fbvwkxjqz";

enum { FOLD = 0x20, BLOCK = 64 };

typedef uint8_t block __attribute__((vector_size(BLOCK)));

struct texts {
    const uint8_t *content;
    const int32_t *offsets; /* rows + 1 */
    int64_t rows;
};

/* Of a word of ASCII the two characters that are looked for, folded, and where they stand in it. */
struct anchors {
    const uint8_t *word;
    int64_t length;
    int64_t first_at, second_at;
    uint8_t first, second;
};

static int64_t rarest(const uint8_t *word, int64_t length, int64_t but) {
    int64_t found = 0;
    const char *best = NULL;
    for (int64_t i = 0; i < length; i++) {
        const char *rank = i == but ? NULL : strchr(COMMON, word[i]);
        if (rank && (!best || rank > best)) found = i, best = rank;
    }
    return found;
}

static struct anchors anchors_of(const uint8_t *word, int64_t length) {
    int64_t first_at = rarest(word, length, -1), second_at = rarest(word, length, first_at);
    return (struct anchors){word, length, first_at, second_at, word[first_at] | FOLD, word[second_at] | FOLD};
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | FOLD : c; }

static int is_word_at(const struct anchors *wanted, const uint8_t *at) {
    for (int64_t i = 0; i < wanted->length; i++)
        if (lower(at[i]) != wanted->word[i]) return 0;
    return 1;
}

static block folded(const uint8_t *at) {
    block found;
    memcpy(&found, at, BLOCK);
    return found | FOLD;
}

/* Whether the word may begin at one of the BLOCK places that follow. */
static int may_begin(const struct anchors *wanted, const uint8_t *at) {
    block found = (block)(folded(at + wanted->first_at) == wanted->first) &
        (block)(folded(at + wanted->second_at) == wanted->second);
    uint64_t words[BLOCK / 8], any = 0;
    memcpy(words, &found, BLOCK);
    for (int i = 0; i < BLOCK / 8; i++) any |= words[i];
    return any != 0;
}

/* Where the word begins next, whatever the case of its letters; NULL where it does not. */
static const uint8_t *find(const struct anchors *wanted, const uint8_t *at, const uint8_t *end) {
    while (end - at >= wanted->length) {
        int64_t places = end - at - wanted->length + 1;
        if (places >= BLOCK && !may_begin(wanted, at)) {
            at += BLOCK;
            continue;
        }
        for (const uint8_t *stop = at + (places < BLOCK ? places : BLOCK); at < stop; at++) {
            int is_one = (at[wanted->first_at] | FOLD) == wanted->first;
            if (is_one && is_word_at(wanted, at)) return at;
        }
    }
    return NULL;
}

/* The text, not before `row`, that has this place of the content. */
static int64_t text_at(const int32_t *offsets, int64_t row, int64_t rows, int64_t place) {
    int64_t step = 1, low = row;
    while (low + step < rows && offsets[low + step] <= place) low += step, step *= 2;
    int64_t high = low + step < rows ? low + step : rows; /* offsets[low] <= place < offsets[high] */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offsets[middle] <= place) low = middle;
        else high = middle;
    }
    return low;
}

static void mark_word(const struct texts *texts, const struct anchors *wanted, uint8_t *out) {
    const uint8_t *end = texts->content + texts->offsets[texts->rows];
    const uint8_t *at = texts->content + texts->offsets[0];
    for (int64_t row = 0; (at = find(wanted, at, end));) {
        row = text_at(texts->offsets, row, texts->rows, at - texts->content);
        const uint8_t *text = texts->content + texts->offsets[row], *text_end = texts->content + texts->offsets[row + 1];
        if (text_end - at < wanted->length || !stands_free_at(text, text_end, at, wanted->length)) {
            at++;
            continue;
        }
        out[row] = 1;
        at = text_end;
    }
}

/* Texts with a character beyond ASCII whose lower case is a letter of ASCII: a dotted capital I, and the sign for kelvin. */
static void mark_others(const struct texts *texts, uint8_t *out) {
    for (int64_t row = 0; row < texts->rows; row++) {
        const uint8_t *at = texts->content + texts->offsets[row], *end = texts->content + texts->offsets[row + 1];
        for (; end - at >= 2 && !out[row]; at++) {
            out[row] |= at[0] == 0xC4 && at[1] == 0xB0;
            out[row] |= end - at >= 3 && at[0] == 0xE2 && at[1] == 0x84 && at[2] == 0xAA;
        }
    }
}

static int is_ascii(const struct texts *texts) {
    uint8_t all = 0;
    for (const uint8_t *at = texts->content + texts->offsets[0]; at < texts->content + texts->offsets[texts->rows]; at++)
        all |= *at;
    return all < 0x80;
}

/* One byte a text of all chunks: 1 where one of the words, of ASCII in lower case, may stand in it, whatever the case of
 * its letters there. All is valid UTF-8. */
EXPORT int32_t kernel_words_may_stand(
    const struct texts *texts, int64_t count, const uint8_t *words, const int32_t *word_offsets, int64_t word_count,
    uint8_t *out
) {
    for (int64_t chunk = 0; chunk < count; out += texts[chunk++].rows) {
        int has_others = 0;
        for (int64_t i = 0; i < word_count; i++) {
            const uint8_t *word = words + word_offsets[i];
            struct anchors wanted = anchors_of(word, word_offsets[i + 1] - word_offsets[i]);
            mark_word(&texts[chunk], &wanted, out);
            has_others |= memchr(word, 'i', (size_t)wanted.length) || memchr(word, 'k', (size_t)wanted.length);
        }
        if (has_others && !is_ascii(&texts[chunk])) mark_others(&texts[chunk], out);
    }
    return 0;
}
