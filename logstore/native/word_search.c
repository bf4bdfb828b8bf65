/* Words in texts: which of many texts have one that stands free, whatever its case (logstore/words.py). */
#include <string.h>

#include "anchors.h"
#include "words.h"

#define EXPORT __attribute__((visibility("default")))

struct texts {
    const uint8_t *content;
    const int32_t *offsets; /* rows + 1 */
    int64_t rows;
};

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

static void mark_word(const struct texts *texts, const struct anchors *word, uint8_t *out) {
    const uint8_t *end = texts->content + texts->offsets[texts->rows];
    const uint8_t *at = texts->content + texts->offsets[0];
    for (int64_t row = 0; (at = anchors_find(word, at, end));) {
        row = text_at(texts->offsets, row, texts->rows, at - texts->content);
        const uint8_t *text = texts->content + texts->offsets[row], *text_end = texts->content + texts->offsets[row + 1];
        if (text_end - at < word->length || !stands_free_at(text, text_end, at, word->length)) {
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
            int64_t length = word_offsets[i + 1] - word_offsets[i];
            struct anchors anchors = anchors_of(word, length, FOLD_CASE);
            mark_word(&texts[chunk], &anchors, out);
            has_others |= memchr(word, 'i', (size_t)length) || memchr(word, 'k', (size_t)length);
        }
        if (has_others && !is_ascii(&texts[chunk])) mark_others(&texts[chunk], out);
    }
    return 0;
}
