#include <stdlib.h>

#include "columns.h"
#include "mix.h"
#include "templates.h"

/* The texts of templates are kept up to so many bytes in all; of others the first row is read again. As much are the
 * words kept that became wildcards, of the first WORDS_KEPT of them, up to WORD_MAX_BYTES each. */
enum { TEXTS_MAX_BYTES = 16 << 20, ENTRIES_FIRST = 256, WORDS_KEPT = 63, WORD_MAX_BYTES = 255 };

#define ALL_VARY UINT64_MAX

/* A distinct template, in the order of first appearance. */
struct template_entry {
    uint64_t id;
    uint32_t count, first_row;
    uint32_t text_at, text_length; /* of `texts`; NOT_KEPT */
    uint64_t letters;              /* which are in the words that became wildcards: `letter_of` */
    uint64_t varies;               /* a bit a wildcard: has not each of its messages the same word there? */
    uint64_t words_at;             /* of the finder's `words`: the first message's, unless all vary */
};

#define NOT_KEPT UINT32_MAX

void message_words_init(struct message_words *words, struct memory *memory) {
    words->marks.bits.memory = words->padded.memory = words->spans.memory = memory;
}

void message_words_free(struct message_words *words) {
    buffer_free(&words->marks.bits);
    buffer_free(&words->padded);
    buffer_free(&words->spans);
}

void message_words_read(struct message_words *words, const uint8_t *text, size_t length, const uint8_t *readable_end) {
    words->text = word_text_padded(&words->padded, text, length, readable_end);
    word_marks_read(&words->marks, words->text, length);
    words->with_digits = digit_words(&words->marks, &words->spans);
}

static void read_row(struct message_words *words, const int32_t *offsets, const uint8_t *messages, int64_t row,
                     int64_t rows) {
    message_words_read(words, messages + offsets[row], (size_t)(offsets[row + 1] - offsets[row]), messages + offsets[rows]);
}

/* Whole blocks may be read and written past `length`. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t length) {
    size_t done = 0;
    do {
        memcpy(to + done, from + done, COPIED_AT_ONCE);
        done += COPIED_AT_ONCE;
    } while (done < length);
}

/* A bit for each letter, whatever its case, one for `_`, and one for all characters beyond ASCII; none for digits. */
static inline uint64_t letter_of(uint8_t byte) {
    uint8_t letter = (uint8_t)((byte | 0x20) - 'a');
    return (uint64_t)(letter < 26) << (letter & 31) | (uint64_t)(byte == '_') << 26 | (uint64_t)(byte >> 7) << 27;
}

static inline uint64_t letters_of(const uint8_t *at, const uint8_t *end) {
    uint64_t letters = 0;
    while (at < end) letters |= letter_of(*at++);
    return letters;
}

static inline int is_constant(uint64_t varies, size_t wildcard) { return wildcard < WORDS_KEPT && !(varies >> wildcard & 1); }

/* Makes the template of a message in `template->text`, but for the words that do not vary; its length, or NO_TEMPLATE. */
static inline int32_t make_with(struct template_text *template, const struct message_words *words, uint64_t varies) {
    if (words->marks.has_wildcard) return NO_TEMPLATE;
    const struct word_span *spans = (const struct word_span *)words->spans.data;
    uint8_t *out = template->text;
    size_t from = 0, used = 0, length = words->marks.length;
    template->letters = 0;
    for (size_t i = 0; i < words->with_digits; i++) {
        if (is_constant(varies, i)) continue;
        size_t plain = spans[i].begin - from;
        if (used + plain + 1 > TEMPLATE_MAX_BYTES) return NO_TEMPLATE;
        copy_short(out + used, words->text + from, plain);
        used += plain;
        out[used++] = WILDCARD;
        from = spans[i].end;
        template->letters |= letters_of(words->text + spans[i].begin, words->text + from);
    }
    if (used + (length - from) > TEMPLATE_MAX_BYTES) return NO_TEMPLATE;
    copy_short(out + used, words->text + from, length - from);
    return (int32_t)(used + length - from);
}

static int32_t make(struct template_text *template, const struct message_words *words) {
    return make_with(template, words, ALL_VARY);
}

static void keys_init(uint64_t keys[TEMPLATE_KEYS], const uint8_t *secret) {
    uint64_t first = load_64(secret) ^ 0xA0761D6478BD642Fu, second = load_64(secret + 8) ^ 0xE7037ED1A0B428DBu;
    for (int i = 0; i < TEMPLATE_KEYS; i++) {
        first += 0x9E3779B97F4A7C15u;
        keys[i] = mix(first, second ^ mix(first, 0x8EBC6AF09C88C6E3u));
    }
}

/* A hash of the text, which nobody can foresee who does not know the secret. HASHED_AT_ONCE bytes past the text are
 * overwritten. */
static uint64_t hash_keyed(const uint64_t keys[TEMPLATE_KEYS], uint8_t *text, size_t length) {
    uint64_t a = keys[0], b = keys[1] ^ length;
    memset(text + length, 0, HASHED_AT_ONCE);
    for (size_t at = 0; at < length; at += HASHED_AT_ONCE) {
        a = mix(load_64(text + at) ^ keys[2], load_64(text + at + 8) ^ a);
        b = mix(load_64(text + at + 16) ^ keys[3], load_64(text + at + 24) ^ b);
    }
    return mix(mix(a ^ keys[4], b ^ keys[5]) ^ keys[2], a ^ keys[3]);
}

static void place(struct finder *f, uint32_t entry) {
    uint32_t mask = f->table_size - 1;
    uint32_t slot = (uint32_t)((const struct template_entry *)f->entries.data)[entry].id & mask;
    while (f->table[slot]) slot = (slot + 1) & mask;
    f->table[slot] = entry + 1;
}

static void widen(struct finder *f) {
    f->table_size = f->table_size ? f->table_size * 2 : ENTRIES_FIRST * 2;
    f->table = memory_resize(f->memory, f->table, f->table_size * sizeof *f->table);
    memset(f->table, 0, f->table_size * sizeof *f->table);
    for (uint32_t entry = 0; entry < f->count; entry++) place(f, entry);
}

static size_t words_kept(const struct message_words *words) {
    return words->with_digits < WORDS_KEPT ? words->with_digits : WORDS_KEPT;
}

/* Keeps the words of a template's first message, each after its length; which of them vary, as they are not kept. */
static uint64_t keep_words(struct finder *f, const struct message_words *words) {
    size_t count = words_kept(words);
    if (!count || f->words.length > TEXTS_MAX_BYTES) return ALL_VARY;
    uint64_t varies = ALL_VARY << count;
    const struct word_span *span = (const struct word_span *)words->spans.data;
    for (size_t i = 0; i < count; i++, span++) {
        size_t length = span->end - span->begin;
        if (length > WORD_MAX_BYTES) varies |= UINT64_C(1) << i, length = 0;
        uint8_t *kept = buffer_reserve(&f->words, 1 + length);
        kept[0] = (uint8_t)length;
        memcpy(kept + 1, words->text + span->begin, length);
        f->words.length += 1 + length;
    }
    return varies;
}

static void compare_words(const struct finder *f, struct template_entry *entry, const struct message_words *words) {
    const uint8_t *kept = f->words.data + entry->words_at;
    const struct word_span *span = (const struct word_span *)words->spans.data;
    for (size_t i = 0, count = words_kept(words); i < count; i++, span++) {
        size_t length = *kept++;
        int is_same = span->end - span->begin == length && memcmp(words->text + span->begin, kept, length) == 0;
        if (!is_same) entry->varies |= UINT64_C(1) << i;
        kept += length;
    }
}

static int32_t add(struct finder *f, int64_t row, uint64_t id, size_t length, const struct message_words *words) {
    struct template_entry entry = {id, 1, (uint32_t)row, NOT_KEPT, (uint32_t)length, f->made.letters, ALL_VARY, f->words.length};
    entry.varies = keep_words(f, words);
    if (f->texts.length + length <= TEXTS_MAX_BYTES) {
        entry.text_at = (uint32_t)f->texts.length;
        buffer_append(&f->texts, f->made.text, length);
    }
    buffer_append(&f->entries, &entry, sizeof entry);
    if (f->count * 2 >= f->table_size) widen(f);
    place(f, f->count);
    return (int32_t)f->count++;
}

/* Is the template just made this one, and not merely of the same id? */
static int is_same(struct finder *f, const struct template_entry *entry, size_t length) {
    if (entry->text_length != length) return 0;
    const uint8_t *known = f->texts.data + entry->text_at;
    if (entry->text_at == NOT_KEPT) {
        read_row(&f->words_again, f->request->offsets, f->request->messages, entry->first_row, f->request->rows);
        make(&f->made_again, &f->words_again);
        known = f->made_again.text;
    }
    return length == 0 || memcmp(known, f->made.text, length) == 0;
}

/* Any of its rows tells a template's text: the one that is read again and again may not be a huge one. */
static void prefer_shorter(const struct finder *f, struct template_entry *entry, int64_t row) {
    const int32_t *offsets = f->request->offsets;
    int32_t known = offsets[entry->first_row + 1] - offsets[entry->first_row];
    if (offsets[row + 1] - offsets[row] < known) entry->first_row = (uint32_t)row;
}

static int32_t find(struct finder *f, int64_t row, const struct message_words *words) {
    int32_t length = make(&f->made, words);
    if (length == NO_TEMPLATE) return NO_TEMPLATE;
    uint64_t id = hash_keyed(f->keys, f->made.text, (size_t)length) & f->request->id_mask;
    if (id == 0) id = 1;
    if (f->table_size == 0) widen(f);
    uint32_t mask = f->table_size - 1;
    for (uint32_t slot = (uint32_t)id & mask; f->table[slot]; slot = (slot + 1) & mask) {
        struct template_entry *entry = (struct template_entry *)f->entries.data + (f->table[slot] - 1);
        if (entry->id != id) continue;
        if (!is_same(f, entry, (size_t)length)) return NO_TEMPLATE;
        if (entry->text_at == NOT_KEPT) prefer_shorter(f, entry, row);
        entry->count++;
        entry->letters |= f->made.letters;
        if (entry->varies != ALL_VARY) compare_words(f, entry, words);
        return (int32_t)f->table[slot] - 1;
    }
    return add(f, row, id, (size_t)length, words);
}

void finder_init(struct finder *f, const struct find_request *request, struct memory *memory) {
    f->memory = memory;
    f->request = request;
    keys_init(f->keys, request->secret);
    message_words_init(&f->words_again, memory);
    f->entries.memory = f->of_row.memory = f->texts.memory = f->words.memory = memory;
}

void finder_free(struct finder *f) {
    message_words_free(&f->words_again);
    buffer_free(&f->entries);
    buffer_free(&f->of_row);
    buffer_free(&f->texts);
    buffer_free(&f->words);
    free(f->table);
}

int32_t finder_note(struct finder *f, int64_t row, const struct message_words *words) {
    int32_t entry = find(f, row, words);
    buffer_int32(&f->of_row, entry);
    return entry;
}

struct find_result finder_hand_over(struct finder *f) {
    return (struct find_result){buffer_hand_over(&f->entries), buffer_hand_over(&f->of_row)};
}

struct finding {
    struct memory memory;
    struct finder finder;
    struct message_words words;
};

EXPORT int32_t kernel_templates_find(const struct find_request *request, struct find_result *result) {
    struct finding *f = calloc(1, sizeof *f);
    if (!f) return KERNEL_OUT_OF_MEMORY;
    finder_init(&f->finder, request, &f->memory);
    message_words_init(&f->words, &f->memory);
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(f->memory.exhausted) == 0) {
        for (int64_t row = 0; row < request->rows; row++) {
            read_row(&f->words, request->offsets, request->messages, row, request->rows);
            finder_note(&f->finder, row, &f->words);
        }
        *result = finder_hand_over(&f->finder);
        status = KERNEL_OK;
    }
    message_words_free(&f->words);
    finder_free(&f->finder);
    free(f);
    return status;
}

struct texts_maker {
    struct memory memory;
    struct message_words words;
    struct template_text made;
    struct text_builder texts;
};

/* The templates of some of the rows, each of which has one; below 2^31 bytes in all. With `varies`, the same but for the
 * words that do not vary; empty where all do, or the text would be too long. */
EXPORT int32_t kernel_template_texts(
    const int32_t *offsets, const uint8_t *messages, int64_t rows, const int64_t *asked, const uint64_t *varies,
    int64_t count, struct text_column *result
) {
    struct texts_maker *t = calloc(1, sizeof *t);
    if (!t) return KERNEL_OUT_OF_MEMORY;
    message_words_init(&t->words, &t->memory);
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(t->memory.exhausted) == 0) {
        text_init(&t->texts, &t->memory);
        for (int64_t i = 0; i < count; i++) {
            int is_asked = !varies || varies[i] != ALL_VARY;
            if (is_asked) read_row(&t->words, offsets, messages, asked[i], rows);
            int32_t length = is_asked ? make_with(&t->made, &t->words, varies ? varies[i] : ALL_VARY) : NO_TEMPLATE;
            if (length != NO_TEMPLATE) buffer_append(&t->texts.text, t->made.text, (size_t)length);
            text_end_row(&t->texts, 1);
        }
        *result = text_hand_over(&t->texts);
        status = KERNEL_OK;
    }
    message_words_free(&t->words);
    text_free(&t->texts);
    free(t);
    return status;
}
