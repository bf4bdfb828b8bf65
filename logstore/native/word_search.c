/* Words in texts: which of many texts have one that stands free, whatever its case (logstore/words.py). */
#include <stdlib.h>
#include <string.h>

#include "anchors.h"
#include "long_text.h"
#include "memory.h"
#include "texts.h"
#include "words.h"

#define EXPORT __attribute__((visibility("default")))

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

/* Phrases that are longer are not compared anew at each place where they may be. */
enum { LONG = 64 };

struct phrase {
    struct anchors anchors; /* in lower case */
    struct long_text whole; /* the same, which is looked for where it `is_long` */
    struct ends ends;
    int is_long;
};

static struct phrase phrase_of(const uint8_t *text, int64_t length, struct ends ends) {
    int is_long = length > LONG;
    struct long_text whole = is_long ? long_text_of(text, length) : (struct long_text){.period = 1};
    return (struct phrase){anchors_of(text, length, FOLD_CASE), whole, ends, is_long};
}

/* Where it begins next, or NULL; `known` of its beginning stands at `at`. */
static const uint8_t *phrase_find(const struct phrase *phrase, const uint8_t *at, const uint8_t *end, int64_t known) {
    return phrase->is_long ? long_text_find(&phrase->whole, at, end, known) : anchors_find(&phrase->anchors, at, end);
}

static void mark(const struct texts *texts, const struct phrase *phrase, uint8_t *out) {
    const uint8_t *end = texts->content + texts->offsets[texts->rows];
    const uint8_t *at = texts->content + texts->offsets[0];
    int64_t length = phrase->anchors.length, known = 0;
    for (int64_t row = 0; (at = phrase_find(phrase, at, end, known));) {
        row = text_at(texts->offsets, row, texts->rows, at - texts->content);
        const uint8_t *text = texts->content + texts->offsets[row], *text_end = texts->content + texts->offsets[row + 1];
        if (text_end - at < length || !stands_free_at(text, text_end, at, at + length, phrase->ends)) {
            at += phrase->whole.period;
            known = phrase->whole.kept;
            continue;
        }
        out[row] = 1;
        at = text_end;
        known = 0;
    }
}

/* The characters beyond ASCII whose lower case is a letter of ASCII: a dotted capital I, and the sign for kelvin. */
static const struct other {
    const char *text;
    int64_t length;
    uint8_t letter;
} OTHERS[] = {{"\xC4\xB0", 2, 'i'}, {"\xE2\x84\xAA", 3, 'k'}};

enum { OTHER_COUNT = sizeof OTHERS / sizeof *OTHERS };

static uint8_t lower_at(const uint8_t *at, const uint8_t *end, int64_t *size) {
    for (int i = 0; i < OTHER_COUNT; i++) {
        *size = OTHERS[i].length;
        if (end - at >= *size && memcmp(at, OTHERS[i].text, (size_t)*size) == 0) return OTHERS[i].letter;
    }
    *size = 1;
    return lower_ascii(*at);
}

/* Where the phrase ends that begins at `at`, or NULL. */
static const uint8_t *end_of(const struct phrase *phrase, const uint8_t *at, const uint8_t *end) {
    int64_t size;
    for (int64_t i = 0; i < phrase->anchors.length; i++, at += size) {
        if (at == end || lower_at(at, end, &size) != phrase->anchors.wanted[i]) return NULL;
    }
    return at;
}

static int stands_in(const struct phrase *phrase, const uint8_t *text, const uint8_t *end) {
    for (const uint8_t *at = text; at < end; at++) {
        const uint8_t *at_end = end_of(phrase, at, end);
        if (at_end && stands_free_at(text, end, at, at_end, phrase->ends)) return 1;
    }
    return 0;
}

/* The same of a long phrase, in a copy of the text that has the letters: 1, 0, or -1 without memory for it. */
static int stands_in_long(const struct phrase *phrase, const uint8_t *text, const uint8_t *end) {
    uint8_t *copy = malloc((size_t)(end - text) + 1);
    if (!copy) return -1;
    int64_t size, length = 0;
    for (const uint8_t *at = text; at < end; at += size) copy[length++] = lower_at(at, end, &size);
    int32_t offsets[] = {0, (int32_t)length};
    uint8_t found = 0;
    mark(&(struct texts){copy, offsets, 1}, phrase, &found);
    free(copy);
    return found;
}

/* Marks texts that have the phrase with one of the others in a letter's place; 0 without the memory for that. */
static int mark_others(const struct texts *texts, const struct phrase *phrase, uint8_t *out) {
    const uint8_t *end = texts->content + texts->offsets[texts->rows];
    for (int i = 0; i < OTHER_COUNT; i++) {
        if (!memchr(phrase->anchors.wanted, OTHERS[i].letter, (size_t)phrase->anchors.length)) continue;
        struct anchors other = anchors_of((const uint8_t *)OTHERS[i].text, OTHERS[i].length, FOLD_NONE);
        const uint8_t *at = texts->content + texts->offsets[0];
        for (int64_t row = 0; (at = anchors_find(&other, at, end));) {
            row = text_at(texts->offsets, row, texts->rows, at - texts->content);
            const uint8_t *text = texts->content + texts->offsets[row];
            at = texts->content + texts->offsets[row + 1];
            if (out[row]) continue;
            int stands = phrase->is_long ? stands_in_long(phrase, text, at) : stands_in(phrase, text, at);
            if (stands < 0) return 0;
            out[row] = (uint8_t)stands;
        }
    }
    return 1;
}

static int is_ascii(const struct texts *texts) {
    uint8_t all = 0;
    for (const uint8_t *at = texts->content + texts->offsets[0]; at < texts->content + texts->offsets[texts->rows]; at++)
        all |= *at;
    return all < 0x80;
}

/* One byte a text of all chunks: 1 where one of the words, of ASCII in lower case, stands in it, whatever the case of
 * its letters there. All is valid UTF-8. */
EXPORT int32_t kernel_words_stand(
    const struct texts *texts, int64_t count, const uint8_t *words, const int32_t *word_offsets, int64_t word_count,
    uint8_t *out
) {
    for (int64_t chunk = 0; chunk < count; out += texts[chunk++].rows) {
        int has_others = !is_ascii(&texts[chunk]);
        for (int64_t i = 0; i < word_count; i++) {
            int64_t length = word_offsets[i + 1] - word_offsets[i];
            struct phrase word = phrase_of(words + word_offsets[i], length, (struct ends){1, 1});
            mark(&texts[chunk], &word, out);
            if (has_others && !mark_others(&texts[chunk], &word, out)) return KERNEL_OUT_OF_MEMORY;
        }
    }
    return KERNEL_OK;
}

/* The same of one phrase, which may have characters beyond ASCII, if the texts are in lower case then. */
EXPORT int32_t kernel_phrase_stands(
    const struct texts *texts, const uint8_t *text, int64_t length, int32_t begins_in_word, int32_t ends_in_word,
    uint8_t *out
) {
    struct phrase phrase = phrase_of(text, length, (struct ends){begins_in_word, ends_in_word});
    mark(texts, &phrase, out);
    return mark_others(texts, &phrase, out) ? KERNEL_OK : KERNEL_OUT_OF_MEMORY;
}
