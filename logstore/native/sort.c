#include <stdlib.h>

#include "memory.h"

enum { FEW = 32, DIGITS_MAX = 1 << 11 };

struct entry {
    uint64_t key;
    int64_t row;
};

/* The rows' keys, less the least of them; returns the greatest, or 0 if the rows are in their order already. */
static uint64_t load_keys(struct entry *entries, int64_t count, const int64_t *keys) {
    int64_t least = INT64_MAX, greatest = INT64_MIN, before = INT64_MIN;
    int is_sorted = 1;
    for (int64_t i = 0; i < count; i++) {
        int64_t key = keys[entries[i].row];
        entries[i].key = (uint64_t)key;
        least = key < least ? key : least;
        greatest = key > greatest ? key : greatest;
        is_sorted &= key >= before;
        before = key;
    }
    for (int64_t i = 0; i < count; i++) entries[i].key -= (uint64_t)least;
    return is_sorted ? 0 : (uint64_t)greatest - (uint64_t)least;
}

static void sort_few(struct entry *entries, int64_t count) {
    for (int64_t i = 1; i < count; i++) {
        struct entry entry = entries[i];
        int64_t place = i;
        for (; place > 0 && entries[place - 1].key > entry.key; place--) entries[place] = entries[place - 1];
        entries[place] = entry;
    }
}

static void sort_by_digit(const struct entry *from, struct entry *to, int64_t count, int shift, int bits) {
    int64_t places[DIGITS_MAX];
    int64_t digits = 1 << bits, place = 0;
    memset(places, 0, (size_t)digits * sizeof *places);
    for (int64_t i = 0; i < count; i++) places[from[i].key >> shift & (uint64_t)(digits - 1)] += 1;
    for (int64_t i = 0; i < digits; i++) {
        int64_t of_digit = places[i];
        places[i] = place;
        place += of_digit;
    }
    for (int64_t i = 0; i < count; i++) to[places[from[i].key >> shift & (uint64_t)(digits - 1)]++] = from[i];
}

/* A radix sort, the least significant digit first (Knuth, The Art of Computer Programming 3, 5.2.5). */
static void sort_many(struct entry *entries, struct entry *spare, int64_t count, uint64_t greatest) {
    int bits = count < DIGITS_MAX ? 8 : 11;
    struct entry *from = entries, *to = spare;
    for (int shift = 0; shift < 64 && greatest >> shift; shift += bits) {
        sort_by_digit(from, to, count, shift, bits);
        struct entry *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != entries) memcpy(entries, from, (size_t)count * sizeof *entries);
}

/* Sorts by the first key, and each range of rows that are equal in it by the other ones. */
static void sort_range(struct entry *entries, struct entry *spare, int64_t count, const int64_t *const *keys,
                       int64_t key_count) {
    uint64_t greatest = load_keys(entries, count, keys[0]);
    if (greatest && count <= FEW) sort_few(entries, count);
    if (greatest && count > FEW) sort_many(entries, spare, count, greatest);
    if (key_count == 1) return;
    for (int64_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && entries[end].key == entries[start].key;) end++;
        if (end - start > 1) sort_range(entries + start, spare, end - start, keys + 1, key_count - 1);
    }
}

/* The rows ordered by several keys, of which the first counts most; equal rows keep their order. */
EXPORT int32_t kernel_sort(const int64_t *const *keys, int64_t key_count, int64_t count, int64_t *rows) {
    struct entry *entries = malloc(2 * (size_t)count * sizeof *entries + 1);
    if (!entries) return KERNEL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < count; i++) entries[i].row = i;
    sort_range(entries, entries + count, count, keys, key_count);
    for (int64_t i = 0; i < count; i++) rows[i] = entries[i].row;
    free(entries);
    return KERNEL_OK;
}
