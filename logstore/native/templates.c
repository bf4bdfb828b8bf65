#include <stdlib.h>

#include "columns.h"
#include "mix.h"
#include "word_marks.h"

/* The texts of templates are kept up to so many bytes in all; of others the first row is read again. */
enum { TEMPLATE_MAX_BYTES = 4096, TEXTS_MAX_BYTES = 16 << 20, COPIED_AT_ONCE = 16, HASHED_AT_ONCE = 32 };
enum { ENTRIES_FIRST = 256, NO_TEMPLATE = -1, KEYS = 6 };

struct find_request {
    int64_t rows;
    const int32_t *offsets;
    const uint8_t *messages;
    const uint8_t *secret; /* 16 bytes */
    uint64_t id_mask;      /* all ones, but in the tests of collisions */
};

/* A distinct template, in the order of first appearance. */
struct template_entry {
    uint64_t id;
    uint32_t count, first_row;
    uint32_t text_at, text_length; /* of `texts`; NOT_KEPT */
    uint64_t letters;              /* which are in the words that became wildcards: `letter_of` */
};

#define NOT_KEPT UINT32_MAX

struct find_result {
    struct column_buffer entries;  /* struct template_entry each */
    struct column_buffer of_row;   /* int32: which entry, or NO_TEMPLATE */
};

/* What making a template needs. */
struct maker {
    struct word_marks marks;
    struct buffer padded;
    uint64_t letters;
    uint8_t text[TEMPLATE_MAX_BYTES + COPIED_AT_ONCE + HASHED_AT_ONCE];
};

struct finder {
    struct memory memory;
    const struct find_request *request;
    uint64_t keys[KEYS];
    struct maker maker, again;
    struct buffer entries, of_row, texts;
    uint32_t *table; /* entry + 1 */
    uint32_t table_size, count;
};

static void maker_init(struct maker *maker, struct memory *memory) {
    maker->marks.bits.memory = maker->padded.memory = memory;
}

static void maker_free(struct maker *maker) {
    buffer_free(&maker->marks.bits);
    buffer_free(&maker->padded);
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

/* Makes the template of a row's message in `maker->text`; its length, or NO_TEMPLATE. */
static int32_t make(struct maker *maker, const int32_t *offsets, const uint8_t *messages, int64_t row, int64_t rows) {
    size_t length = (size_t)(offsets[row + 1] - offsets[row]);
    const uint8_t *message = word_text_padded(&maker->padded, messages + offsets[row], length, messages + offsets[rows]);
    const struct word_marks *marks = &maker->marks;
    word_marks_read(&maker->marks, message, length);
    if (marks->has_wildcard) return NO_TEMPLATE;
    uint8_t *out = maker->text;
    size_t from = 0, used = 0;
    maker->letters = 0;
    for (;;) {
        size_t digit = next_digit(marks, from);
        size_t end = digit < length ? word_begin(marks, digit) : length;
        if (used + (end - from) + (end < length) > TEMPLATE_MAX_BYTES) return NO_TEMPLATE;
        copy_short(out + used, message + from, end - from);
        used += end - from;
        if (end == length) return (int32_t)used;
        out[used++] = WILDCARD;
        from = word_end(marks, digit);
        maker->letters |= letters_of(message + end, message + from);
    }
}

static void keys_init(uint64_t keys[KEYS], const uint8_t *secret) {
    uint64_t first = load_64(secret) ^ 0xA0761D6478BD642Fu, second = load_64(secret + 8) ^ 0xE7037ED1A0B428DBu;
    for (int i = 0; i < KEYS; i++) {
        first += 0x9E3779B97F4A7C15u;
        keys[i] = mix(first, second ^ mix(first, 0x8EBC6AF09C88C6E3u));
    }
}

/* A hash of the text, which nobody can foresee who does not know the secret. HASHED_AT_ONCE bytes past the text are
 * overwritten. */
static uint64_t hash_keyed(const uint64_t keys[KEYS], uint8_t *text, size_t length) {
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
    f->table = memory_resize(&f->memory, f->table, f->table_size * sizeof *f->table);
    memset(f->table, 0, f->table_size * sizeof *f->table);
    for (uint32_t entry = 0; entry < f->count; entry++) place(f, entry);
}

static int32_t add(struct finder *f, int64_t row, uint64_t id, size_t length) {
    struct template_entry entry = {id, 1, (uint32_t)row, NOT_KEPT, (uint32_t)length, f->maker.letters};
    if (f->texts.length + length <= TEXTS_MAX_BYTES) {
        entry.text_at = (uint32_t)f->texts.length;
        buffer_append(&f->texts, f->maker.text, length);
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
        make(&f->again, f->request->offsets, f->request->messages, entry->first_row, f->request->rows);
        known = f->again.text;
    }
    return length == 0 || memcmp(known, f->maker.text, length) == 0;
}

static int32_t find_row(struct finder *f, int64_t row) {
    int32_t length = make(&f->maker, f->request->offsets, f->request->messages, row, f->request->rows);
    if (length == NO_TEMPLATE) return NO_TEMPLATE;
    uint64_t id = hash_keyed(f->keys, f->maker.text, (size_t)length) & f->request->id_mask;
    if (id == 0) id = 1;
    if (f->table_size == 0) widen(f);
    uint32_t mask = f->table_size - 1;
    for (uint32_t slot = (uint32_t)id & mask; f->table[slot]; slot = (slot + 1) & mask) {
        struct template_entry *entry = (struct template_entry *)f->entries.data + (f->table[slot] - 1);
        if (entry->id != id) continue;
        if (!is_same(f, entry, (size_t)length)) return NO_TEMPLATE;
        entry->count++;
        entry->letters |= f->maker.letters;
        return (int32_t)f->table[slot] - 1;
    }
    return add(f, row, id, (size_t)length);
}

EXPORT int32_t kernel_templates_find(const struct find_request *request, struct find_result *result) {
    struct finder *f = calloc(1, sizeof *f);
    if (!f) return KERNEL_OUT_OF_MEMORY;
    f->request = request;
    keys_init(f->keys, request->secret);
    maker_init(&f->maker, &f->memory);
    maker_init(&f->again, &f->memory);
    f->entries.memory = f->of_row.memory = f->texts.memory = &f->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(f->memory.exhausted) == 0) {
        buffer_reserve(&f->of_row, (size_t)request->rows * sizeof(int32_t));
        for (int64_t row = 0; row < request->rows; row++) buffer_int32(&f->of_row, find_row(f, row));
        result->entries = buffer_hand_over(&f->entries);
        result->of_row = buffer_hand_over(&f->of_row);
        status = KERNEL_OK;
    }
    maker_free(&f->maker);
    maker_free(&f->again);
    buffer_free(&f->entries);
    buffer_free(&f->of_row);
    buffer_free(&f->texts);
    free(f->table);
    free(f);
    return status;
}

struct texts_maker {
    struct memory memory;
    struct maker maker;
    struct text_builder texts;
};

/* The templates of some of the rows, each of which has one; below 2^31 bytes in all. */
EXPORT int32_t kernel_template_texts(
    const int32_t *offsets, const uint8_t *messages, int64_t rows, const int64_t *asked, int64_t count,
    struct text_column *result
) {
    struct texts_maker *t = calloc(1, sizeof *t);
    if (!t) return KERNEL_OUT_OF_MEMORY;
    maker_init(&t->maker, &t->memory);
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(t->memory.exhausted) == 0) {
        text_init(&t->texts, &t->memory);
        for (int64_t i = 0; i < count; i++) {
            int32_t length = make(&t->maker, offsets, messages, asked[i], rows);
            if (length != NO_TEMPLATE) buffer_append(&t->texts.text, t->maker.text, (size_t)length);
            text_end_row(&t->texts, 1);
        }
        *result = text_hand_over(&t->texts);
        status = KERNEL_OK;
    }
    maker_free(&t->maker);
    text_free(&t->texts);
    free(t);
    return status;
}
