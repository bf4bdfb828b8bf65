/* Rows that are alike in some columns of codes, and columns made of what is known of them. Mirrored in
 * ingest/placing_kernels.py. */
#include <stdlib.h>

#include "memory.h"
#include "mix.h"

struct code_column {
    const int32_t *codes;
    const uint8_t *validity; /* NULL: none is null */
    int64_t at;              /* of the first row, in the bitmap */
};

enum { NULL_CODE = -1, TABLE_FIRST = 1024 };

static int32_t code_at(const struct code_column *column, int64_t row) {
    int64_t bit = column->at + row;
    int is_null = column->validity && !(column->validity[bit >> 3] >> (bit & 7) & 1);
    return is_null ? NULL_CODE : column->codes[row];
}

/* `seed` is nobody's to know, so that nobody can send colliding rows. */
static uint64_t hash_of(const struct code_column *columns, int64_t count, int64_t row, uint64_t seed) {
    uint64_t hash = seed;
    for (int64_t i = 0; i < count; i++) {
        hash = mix(hash ^ (uint32_t)code_at(&columns[i], row), 0x9E3779B97F4A7C15u + (uint64_t)(2 * i));
    }
    return hash;
}

static int is_alike(const struct code_column *columns, int64_t count, int64_t one, int64_t other) {
    for (int64_t i = 0; i < count; i++) {
        if (code_at(&columns[i], one) != code_at(&columns[i], other)) return 0;
    }
    return 1;
}

struct groups {
    const struct code_column *columns;
    int64_t column_count;
    int64_t *first;
    int32_t count;
    int32_t *table; /* groups + 1 */
    uint64_t mask, seed;
};

static void put(struct groups *groups, int32_t group) {
    uint64_t slot = hash_of(groups->columns, groups->column_count, groups->first[group], groups->seed) & groups->mask;
    while (groups->table[slot]) slot = (slot + 1) & groups->mask;
    groups->table[slot] = group + 1;
}

static int widen(struct groups *groups) {
    uint64_t size = groups->table ? 4 * (groups->mask + 1) : TABLE_FIRST;
    int32_t *table = calloc(size, sizeof *table);
    if (!table) return 0;
    free(groups->table);
    groups->table = table;
    groups->mask = size - 1;
    for (int32_t group = 0; group < groups->count; group++) put(groups, group);
    return 1;
}

/* The group of a row, which may be a new one. */
static int32_t group_of(struct groups *groups, int64_t row) {
    uint64_t slot = hash_of(groups->columns, groups->column_count, row, groups->seed) & groups->mask;
    for (; groups->table[slot]; slot = (slot + 1) & groups->mask) {
        int32_t group = groups->table[slot] - 1;
        if (is_alike(groups->columns, groups->column_count, groups->first[group], row)) return group;
    }
    groups->first[groups->count] = row;
    groups->table[slot] = groups->count + 1;
    return groups->count++;
}

/* Numbers the groups of rows that have the same codes, in the order of their first rows, of which `first` has room
 * for one a row. */
EXPORT int32_t kernel_rows_alike(const struct code_column *columns, int64_t column_count, int64_t rows, int32_t *which,
                                 int64_t *first, int64_t *count) {
    struct groups groups = {columns, column_count, first, 0, NULL, 0, hash_bytes((const uint8_t *)"", 0)};
    for (int64_t row = 0; row < rows; row++) {
        if ((!groups.table || 2 * (uint64_t)groups.count > groups.mask) && !widen(&groups)) {
            free(groups.table);
            return KERNEL_OUT_OF_MEMORY;
        }
        which[row] = row && is_alike(columns, column_count, row - 1, row) ? which[row - 1] : group_of(&groups, row);
    }
    free(groups.table);
    *count = groups.count;
    return KERNEL_OK;
}

struct word_codes {
    const int32_t *codes; /* of all places */
    int64_t words;
};

/* Of each column the codes of the rows, numbered anew among the words that are used; `which` has for each row its
 * place among `places`. `is_used` has a byte for each word of each column, zeros before; `taken` a code for each row
 * of each column. */
EXPORT int32_t kernel_take_words(const struct word_codes *columns, int64_t column_count, const int32_t *places,
                                 int64_t place_count, const int32_t *which, int64_t rows, uint8_t *is_used,
                                 int32_t *taken) {
    int64_t most = 0;
    for (int64_t i = 0; i < column_count; i++) most = columns[i].words > most ? columns[i].words : most;
    int32_t *number = malloc((size_t)(most + place_count) * sizeof *number + 1), *of_place = number + most;
    if (!number) return KERNEL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < column_count; i++) {
        const struct word_codes *column = &columns[i];
        for (int64_t place = 0; place < place_count; place++) is_used[column->codes[places[place]]] = 1;
        int32_t used = 0;
        for (int64_t word = 0; word < column->words; word++) {
            number[word] = used;
            used += is_used[word];
        }
        for (int64_t place = 0; place < place_count; place++) of_place[place] = number[column->codes[places[place]]];
        for (int64_t row = 0; row < rows; row++) taken[row] = of_place[which[row]];
        is_used += column->words;
        taken += rows;
    }
    free(number);
    return KERNEL_OK;
}
