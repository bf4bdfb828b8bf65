#include <stdlib.h>

#include "mix.h"
#include "places.h"

enum { GROUPS_FIRST = 512 };

struct teller {
    struct memory memory;
    const struct tell_request *request;
    struct buffer first;  /* int64: the first row of each group */
    struct buffer groups; /* int32: the group of each row */
    struct buffer found;  /* const struct place * of each group */
    struct buffer local;  /* int32: of each group, its word in the column at hand */
    struct buffer key, unknown;
    int32_t *table; /* groups + 1 */
    uint64_t mask;
    int32_t count;
    int32_t *numbers; /* of each code of a column, the number in the batch, or NO_WORD */
    int64_t numbers_size;
    struct buffer codes, validity, offsets, text;
};

static int32_t code_at(const struct key_column *column, int64_t row) {
    int64_t bit = column->at + row;
    int is_null = column->validity && !(column->validity[bit >> 3] >> (bit & 7) & 1);
    return is_null ? NO_WORD : column->codes[row];
}

static void read_key(struct buffer *key, const struct tell_request *request, int64_t row) {
    key->length = 0;
    for (int64_t i = 0; i < request->key_count; i++) {
        const struct key_column *column = &request->keys[i];
        int32_t code = code_at(column, row);
        if (code == NO_WORD) {
            places_append_key(key, NULL, 0);
            continue;
        }
        const int32_t *offsets = &column->offsets[code];
        const uint8_t *text = column->text ? column->text + offsets[0] : (const uint8_t *)"";
        places_append_key(key, text, offsets[1] - offsets[0]);
    }
}

static uint64_t hash_of(const struct tell_request *request, int64_t row, uint64_t seed) {
    uint64_t hash = seed;
    for (int64_t i = 0; i < request->key_count; i++) {
        if (!request->keys[i].is_told_apart) continue;
        hash = mix(hash ^ (uint32_t)code_at(&request->keys[i], row), 0x9E3779B97F4A7C15u + (uint64_t)(2 * i));
    }
    return hash;
}

static int is_alike(const struct tell_request *request, int64_t one, int64_t other) {
    for (int64_t i = 0; i < request->key_count; i++) {
        const struct key_column *column = &request->keys[i];
        if (column->is_told_apart && code_at(column, one) != code_at(column, other)) return 0;
    }
    return 1;
}

static int64_t first_of(const struct teller *t, int32_t group) { return ((const int64_t *)t->first.data)[group]; }

/* `seed` is nobody's to know, so that nobody can send colliding rows. */
static void widen_groups(struct teller *t, uint64_t seed) {
    uint64_t size = t->table ? 4 * (t->mask + 1) : GROUPS_FIRST;
    t->table = memory_resize(&t->memory, t->table, size * sizeof *t->table);
    memset(t->table, 0, size * sizeof *t->table);
    t->mask = size - 1;
    for (int32_t group = 0; group < t->count; group++) {
        uint64_t slot = hash_of(t->request, first_of(t, group), seed) & t->mask;
        while (t->table[slot]) slot = (slot + 1) & t->mask;
        t->table[slot] = group + 1;
    }
}

static int32_t group_of(struct teller *t, int64_t row, uint64_t seed) {
    if (!t->table || 2 * (uint64_t)t->count > t->mask) widen_groups(t, seed);
    uint64_t slot = hash_of(t->request, row, seed) & t->mask;
    for (; t->table[slot]; slot = (slot + 1) & t->mask) {
        if (is_alike(t->request, first_of(t, t->table[slot] - 1), row)) return t->table[slot] - 1;
    }
    buffer_int64(&t->first, row);
    t->table[slot] = t->count + 1;
    return t->count++;
}

static void group_rows(struct teller *t) {
    uint64_t seed = hash_bytes((const uint8_t *)"", 0);
    int32_t group = NO_WORD;
    for (int64_t row = 0; row < t->request->rows; row++) {
        if (group == NO_WORD || !is_alike(t->request, row - 1, row)) group = group_of(t, row, seed);
        buffer_int32(&t->groups, group);
    }
}

static void find_places(struct teller *t, struct places *places) {
    for (int32_t group = 0; group < t->count; group++) {
        read_key(&t->key, t->request, first_of(t, group));
        const struct place *place = places_find(places, &t->key);
        if (!place) buffer_int64(&t->unknown, first_of(t, group));
        buffer_append(&t->found, &place, sizeof place);
    }
}

static int is_text(const struct word *word, const struct text_input *text) {
    return word->length == text->length && memcmp(word->text, text->text, (size_t)text->length) == 0;
}

static int32_t append_word(struct teller *t, const uint8_t *text, int64_t length) {
    buffer_append(&t->text, text, (size_t)length);
    buffer_int32(&t->offsets, (int32_t)t->text.length);
    return (int32_t)(t->offsets.length / sizeof(int32_t)) - 2;
}

/* Room for a number of each code that the places have in the column. */
static void need_numbers(struct teller *t, int64_t column) {
    int32_t most = NO_WORD;
    for (int32_t group = 0; group < t->count; group++) {
        int32_t code = ((const struct place **)t->found.data)[group]->words[column].code;
        if (code > most) most = code;
    }
    if (most < t->numbers_size) return;
    t->numbers = memory_resize(&t->memory, t->numbers, (size_t)(most + 1) * sizeof *t->numbers);
    while (t->numbers_size <= most) t->numbers[t->numbers_size++] = NO_WORD;
}

/* Gives each group its word's number in the batch, in the order of appearance; returns how many there are. An empty
 * word, and one that is the default, are the default. */
static int32_t number_words(struct teller *t, int64_t column) {
    const struct place **found = (const struct place **)t->found.data;
    const struct text_input *other = &t->request->defaults[column];
    int32_t of_default = NO_WORD;
    need_numbers(t, column);
    t->local.length = t->text.length = t->offsets.length = 0;
    buffer_int32(&t->offsets, 0);
    for (int32_t group = 0; group < t->count; group++) {
        const struct word *word = &found[group]->words[column];
        int32_t number = word->text ? t->numbers[word->code] : NO_WORD;
        if (word->text && number == NO_WORD) {
            int is_default = other->length && (!word->length || is_text(word, other));
            if (!is_default) number = append_word(t, word->text, word->length);
            else if (of_default == NO_WORD) number = of_default = append_word(t, other->text, other->length);
            else number = of_default;
            t->numbers[word->code] = number;
        }
        buffer_int32(&t->local, number);
    }
    for (int32_t group = 0; group < t->count; group++) {
        const struct word *word = &found[group]->words[column];
        if (word->text) t->numbers[word->code] = NO_WORD;
    }
    return (int32_t)(t->offsets.length / sizeof(int32_t)) - 1;
}

static struct word_column_buffers make_column(struct teller *t, int64_t column) {
    int32_t words = number_words(t, column);
    if (!words) return (struct word_column_buffers){.nulls = t->request->rows};
    const int32_t *numbers = (const int32_t *)t->local.data, *groups = (const int32_t *)t->groups.data;
    int64_t rows = t->request->rows, nulls = 0;
    int32_t *codes = (int32_t *)buffer_reserve(&t->codes, (size_t)rows * sizeof *codes);
    t->codes.length = (size_t)rows * sizeof *codes;
    for (int64_t row = 0; row < rows; row++) {
        codes[row] = numbers[groups[row]];
        nulls += codes[row] == NO_WORD;
    }
    for (int64_t row = 0; nulls && row < rows; row++) {
        buffer_bit(&t->validity, row, codes[row] != NO_WORD);
        if (codes[row] == NO_WORD) codes[row] = 0;
    }
    return (struct word_column_buffers){buffer_hand_over(&t->validity), buffer_hand_over(&t->codes),
                                        buffer_hand_over(&t->offsets), buffer_hand_over(&t->text), nulls, words};
}

static void free_column(struct word_column_buffers *column) {
    free(column->validity.data);
    free(column->codes.data);
    free(column->offsets.data);
    free(column->text.data);
}

static void tell(struct teller *t, struct places *places, struct tell_result *result) {
    group_rows(t);
    find_places(t, places);
    if (t->unknown.length) {
        result->unknown = buffer_hand_over(&t->unknown);
        return;
    }
    for (int64_t i = 0; i < places_columns(places); i++) result->columns[i] = make_column(t, i);
}

int32_t kernel_places_tell(struct places *places, const struct tell_request *request, struct tell_result *result) {
    struct teller *t = calloc(1, sizeof *t);
    if (!t) return KERNEL_OUT_OF_MEMORY;
    t->request = request;
    struct buffer *buffers[] = {&t->first, &t->groups,  &t->found,    &t->local,   &t->key,
                                &t->unknown, &t->codes, &t->validity, &t->offsets, &t->text};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = &t->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(t->memory.exhausted) == 0) {
        tell(t, places, result);
        status = KERNEL_OK;
    } else {
        for (int64_t i = 0; i < places_columns(places); i++) free_column(&result->columns[i]);
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    free(t->table);
    free(t->numbers);
    free(t);
    return status;
}
