#include <stdlib.h>

#include "columns.h"

enum { AHEAD = 8 };

/* A part of a column of strings. */
struct text_chunk {
    const int32_t *offsets;
    const uint8_t *text;
    const uint8_t *validity; /* NULL: none is null */
    int64_t validity_at;     /* the first row's bit */
    int64_t first_row;
};

struct gather_request {
    const struct text_chunk *chunks; /* at least one; in the order of their rows */
    int64_t chunk_count;
    const int64_t *rows;
    int64_t count;
};

struct span {
    const uint8_t *at;
    int32_t length;
};

struct gatherer {
    struct memory memory;
    struct buffer spans;
    struct text_builder texts;
};

static int holds(const struct gather_request *request, const struct text_chunk *chunk, int64_t row) {
    const struct text_chunk *next = chunk + 1;
    return chunk->first_row <= row && (next == request->chunks + request->chunk_count || row < next->first_row);
}

/* The last chunk that begins at the row or before; `guess`, where it is that. */
static const struct text_chunk *chunk_of(const struct gather_request *request, const struct text_chunk *guess,
                                         int64_t row) {
    if (holds(request, guess, row)) return guess;
    const struct text_chunk *first = request->chunks;
    for (int64_t count = request->chunk_count; count > 1;) {
        int64_t half = count / 2;
        if (first[half].first_row <= row) first += half;
        count -= half;
    }
    return first;
}

static int is_valid(const struct text_chunk *chunk, int64_t row) {
    int64_t bit = chunk->validity_at + row;
    return !chunk->validity || chunk->validity[bit / 8] >> bit % 8 & 1;
}

/* Where the texts stand, and the columns but for the texts themselves; their size in bytes. */
static int64_t find_texts(struct gatherer *g, const struct gather_request *request) {
    int64_t bytes = 0;
    const struct text_chunk *chunk = request->chunks;
    struct span *spans = (struct span *)buffer_reserve(&g->spans, (size_t)request->count * sizeof *spans);
    for (int64_t i = 0; i < request->count; i++) {
        chunk = chunk_of(request, chunk, request->rows[i]);
        int64_t row = request->rows[i] - chunk->first_row;
        int is_some = is_valid(chunk, row);
        spans[i].at = chunk->text + chunk->offsets[row];
        spans[i].length = is_some ? chunk->offsets[row + 1] - chunk->offsets[row] : 0;
        bytes += spans[i].length;
        if (bytes > INT32_MAX) return bytes;
        buffer_bit(&g->texts.validity, i, is_some);
        g->texts.nulls += !is_some;
        buffer_int32(&g->texts.offsets, (int32_t)bytes);
    }
    return bytes;
}

static void copy_texts(struct gatherer *g, int64_t count, int64_t bytes) {
    const struct span *spans = (const struct span *)g->spans.data;
    uint8_t *to = buffer_reserve(&g->texts.text, (size_t)bytes);
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(spans[i + AHEAD].at);
        if (spans[i].length) memcpy(to, spans[i].at, (size_t)spans[i].length);
        to += spans[i].length;
    }
    g->texts.text.length = (size_t)bytes;
}

/* The texts of these rows, in this order; refused if they are more than one array can hold. */
EXPORT int32_t kernel_gather_texts(const struct gather_request *request, struct text_column *result) {
    struct gatherer *g = calloc(1, sizeof *g);
    if (!g) return KERNEL_OUT_OF_MEMORY;
    g->spans.memory = &g->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(g->memory.exhausted) == 0) {
        text_init(&g->texts, &g->memory);
        int64_t bytes = find_texts(g, request);
        status = bytes > INT32_MAX ? KERNEL_REFUSED : KERNEL_OK;
        if (status == KERNEL_OK) {
            copy_texts(g, request->count, bytes);
            *result = text_hand_over(&g->texts);
        }
    }
    buffer_free(&g->spans);
    text_free(&g->texts);
    free(g);
    return status;
}
