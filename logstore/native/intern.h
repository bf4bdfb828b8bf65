/* A dictionary column under construction: distinct texts and a code a row. */
#ifndef INTERN_H
#define INTERN_H

#include "memory.h"

struct intern {
    struct memory *memory;
    struct buffer text;    /* all distinct texts, one after the other */
    struct buffer offsets; /* int32: where each begins, and the end */
    struct buffer hashes;  /* uint64 of each */
    int32_t count;
    int32_t last; /* the code given last: the next row usually has it too */
    int32_t *table;
    uint32_t table_size;
};

void intern_init(struct intern *intern, struct memory *memory);
void intern_free(struct intern *intern);

/* The code of a text: 0, 1, 2 … in the order of first appearance. */
int32_t intern_code(struct intern *intern, const uint8_t *text, size_t length);

/* Likewise, or -1 for a text that is not there. */
int32_t intern_find(const struct intern *intern, const uint8_t *text, size_t length);

/* Is this the text of the code, which is one that was given? */
static inline int intern_is(const struct intern *intern, int32_t code, const uint8_t *text, size_t length) {
    const int32_t *offsets = (const int32_t *)(const void *)intern->offsets.data;
    size_t known = (size_t)(offsets[code + 1] - offsets[code]);
    return known == length && (length == 0 || memcmp(intern->text.data + offsets[code], text, length) == 0);
}

#endif
