#include "intern.h"

#include <stdlib.h>

enum { TABLE_FIRST = 64 };

void intern_init(struct intern *intern, struct memory *memory) {
    *intern = (struct intern){.memory = memory, .text = {.memory = memory}, .offsets = {.memory = memory},
                              .hashes = {.memory = memory}, .last = -1};
}

void intern_free(struct intern *intern) {
    buffer_free(&intern->text);
    buffer_free(&intern->offsets);
    buffer_free(&intern->hashes);
    free(intern->table);
    intern->table = NULL;
}

static void place(struct intern *intern, int32_t code) {
    uint32_t mask = intern->table_size - 1;
    uint32_t slot = (uint32_t)((const uint64_t *)intern->hashes.data)[code] & mask;
    while (intern->table[slot]) slot = (slot + 1) & mask;
    intern->table[slot] = code + 1;
}

static void widen(struct intern *intern) {
    uint32_t size = intern->table_size ? intern->table_size * 4 : TABLE_FIRST;
    intern->table = memory_resize(intern->memory, intern->table, size * sizeof *intern->table);
    intern->table_size = size;
    memset(intern->table, 0, size * sizeof *intern->table);
    for (int32_t code = 0; code < intern->count; code++) place(intern, code);
}

static int32_t add(struct intern *intern, const uint8_t *text, size_t length, uint64_t hash) {
    if ((uint32_t)intern->count * 2 >= intern->table_size) widen(intern);
    if (intern->count == 0) buffer_int32(&intern->offsets, 0);
    buffer_append(&intern->text, text, length);
    buffer_int32(&intern->offsets, (int32_t)intern->text.length);
    buffer_int64(&intern->hashes, (int64_t)hash);
    place(intern, intern->count);
    return intern->count++;
}

static int32_t find(const struct intern *intern, const uint8_t *text, size_t length, uint64_t hash) {
    if (!intern->table_size) return -1;
    uint32_t mask = intern->table_size - 1, slot = (uint32_t)hash & mask;
    for (; intern->table[slot]; slot = (slot + 1) & mask) {
        int32_t code = intern->table[slot] - 1;
        if (((const uint64_t *)intern->hashes.data)[code] == hash && intern_is(intern, code, text, length)) return code;
    }
    return -1;
}

int32_t intern_find(const struct intern *intern, const uint8_t *text, size_t length) {
    return find(intern, text, length, hash_bytes(text, length));
}

int32_t intern_code(struct intern *intern, const uint8_t *text, size_t length) {
    if (intern->last >= 0 && intern_is(intern, intern->last, text, length)) return intern->last;
    uint64_t hash = hash_bytes(text, length);
    int32_t code = find(intern, text, length, hash);
    return intern->last = code >= 0 ? code : add(intern, text, length, hash);
}
