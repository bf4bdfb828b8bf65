/* Texts that have one of many words (logstore/words.py): one pass over their words, however many are looked for. */
#include <stdlib.h>

#include "memory.h"
#include "texts.h"
#include "word_hash.h"
#include "word_marks.h"

struct wanted_word {
    uint64_t hash; /* 0: no word */
    const uint8_t *text;
    size_t length;
};

struct word_set {
    struct memory memory;
    struct wanted_word *slots;
    size_t size;      /* a power of two */
    uint64_t lengths; /* a bit for each length that a word has, the last for all from there on */
    struct buffer padded, normal;
    struct word_marks marks;
};

enum { LENGTH_LAST = 63 };

static uint64_t length_bit(size_t length) { return UINT64_C(1) << (length < LENGTH_LAST ? length : LENGTH_LAST); }

static void put(struct word_set *set, const uint8_t *text, size_t length) {
    size_t ignored;
    uint64_t hash = word_hash(word_normalise(&set->normal, text, text + length, &ignored), length);
    hash += hash == 0;
    size_t slot = hash & (set->size - 1);
    while (set->slots[slot].hash) slot = (slot + 1) & (set->size - 1);
    set->slots[slot] = (struct wanted_word){hash, text, length};
    set->lengths |= length_bit(length);
}

static int is_same(const uint8_t *word, const struct wanted_word *wanted) {
    for (size_t i = 0; i < wanted->length; i++) {
        uint8_t byte = word[i];
        if ((byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte) != wanted->text[i]) return 0;
    }
    return 1;
}

static int holds(const struct word_set *set, const uint8_t *word, size_t length) {
    if (!(set->lengths & length_bit(length))) return 0;
    uint64_t hash = word_hash(word, length);
    hash += hash == 0;
    for (size_t slot = hash & (set->size - 1); set->slots[slot].hash; slot = (slot + 1) & (set->size - 1)) {
        const struct wanted_word *wanted = &set->slots[slot];
        if (wanted->hash == hash && wanted->length == length && is_same(word, wanted)) return 1;
    }
    return 0;
}

static int has_one(struct word_set *set, const uint8_t *text, size_t length, const uint8_t *readable_end) {
    const uint8_t *at = word_text_padded(&set->padded, text, length, readable_end);
    word_marks_read(&set->marks, at, length);
    for (size_t begin = next_word(&set->marks, 0); begin < length;) {
        size_t end = word_end(&set->marks, begin), size = end - begin;
        const uint8_t *word = at + begin;
        if (!set->marks.is_ascii) word = word_normalise(&set->normal, word, at + end, &size);
        if (holds(set, word, size)) return 1;
        begin = next_word(&set->marks, end);
    }
    return 0;
}

static void fill(struct word_set *set, const uint8_t *words, const int32_t *offsets, int64_t count) {
    set->size = 16;
    while (set->size < (size_t)count * 2) set->size *= 2;
    set->slots = memory_resize(&set->memory, NULL, set->size * sizeof *set->slots);
    memset(set->slots, 0, set->size * sizeof *set->slots);
    for (int64_t i = 0; i < count; i++) put(set, words + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
}

/* One byte a text of all chunks: 1 where one of the words, of ASCII in lower case, stands in it, whatever the case of
 * its letters there. All is valid UTF-8. */
EXPORT int32_t kernel_word_of_set(
    const struct texts *texts, int64_t count, const uint8_t *words, const int32_t *word_offsets, int64_t word_count,
    uint8_t *out
) {
    struct word_set *set = calloc(1, sizeof *set);
    if (!set) return KERNEL_OUT_OF_MEMORY;
    set->padded.memory = set->normal.memory = set->marks.bits.memory = &set->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(set->memory.exhausted) == 0) {
        fill(set, words, word_offsets, word_count);
        for (int64_t chunk = 0; chunk < count; out += texts[chunk++].rows) {
            const uint8_t *content = texts[chunk].content;
            const int32_t *offsets = texts[chunk].offsets;
            const uint8_t *readable_end = content + offsets[texts[chunk].rows];
            for (int64_t row = 0; row < texts[chunk].rows; row++) {
                size_t length = (size_t)(offsets[row + 1] - offsets[row]);
                out[row] = (uint8_t)has_one(set, content + offsets[row], length, readable_end);
            }
        }
        status = KERNEL_OK;
    }
    struct buffer *buffers[] = {&set->padded, &set->normal, &set->marks.bits};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    free(set->slots);
    free(set);
    return status;
}
