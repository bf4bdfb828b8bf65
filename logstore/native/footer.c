/* Where the row groups of a Parquet footer stand in its bytes, and the few numbers in them that change when the pages
 * move: parquet.thrift's FileMetaData in Thrift's compact protocol, of which all else is passed over. */
#include <stdlib.h>

#include "memory.h"
#include "thrift.h"

enum { FILE_GROUPS = 4 };
enum { GROUP_COLUMNS = 1, GROUP_ROWS = 3, GROUP_OFFSET = 5, GROUP_ORDINAL = 7 };
enum { CHUNK_OFFSET = 2, CHUNK_COLUMN = 3 };
enum { COLUMN_SIZE = 7, COLUMN_DATA = 9, COLUMN_INDEX = 10, COLUMN_DICTIONARY = 11, COLUMN_BLOOM = 14 };

/* A number and its bytes in the footer; all zero where there is none. */
struct number {
    int64_t begin, end, value;
};

struct chunk {
    int64_t begin, end; /* of the struct */
    struct number offset, size, data, dictionary;
    int64_t has_others; /* places that nobody here writes */
};

struct group {
    int64_t begin, end;
    int64_t columns_begin, columns_end; /* the list, its head included */
    int64_t chunks;                     /* how many there are in it */
    struct number rows, offset, ordinal;
};

struct footer_result {
    struct column_buffer groups, chunks;
    int64_t groups_begin, groups_end; /* the list, its head included */
};

struct walker {
    struct memory memory;
    struct thrift in;
    struct buffer groups, chunks;
};

static const uint8_t *number_at(struct walker *w, const uint8_t *at, struct number *number) {
    number->begin = at - w->in.start;
    at = signed_at(&w->in, at, &number->value);
    number->end = at - w->in.start;
    return at;
}

static const uint8_t *read_column(struct walker *w, const uint8_t *at, struct chunk *chunk) {
    int kind;
    int64_t field = 0;
    for (at = field_at(&w->in, at, &kind, &field); kind && !w->in.is_bad; at = field_at(&w->in, at, &kind, &field)) {
        if (field == COLUMN_INDEX || field == COLUMN_BLOOM) chunk->has_others = 1;
        struct number *number = field == COLUMN_SIZE         ? &chunk->size
                                : field == COLUMN_DATA       ? &chunk->data
                                : field == COLUMN_DICTIONARY ? &chunk->dictionary
                                                             : NULL;
        at = number && kind == I64 ? number_at(w, at, number) : past(&w->in, at, kind, 0);
    }
    return at;
}

static const uint8_t *read_chunk(struct walker *w, const uint8_t *at) {
    struct chunk chunk = {.begin = at - w->in.start};
    int kind;
    int64_t field = 0;
    for (at = field_at(&w->in, at, &kind, &field); kind && !w->in.is_bad; at = field_at(&w->in, at, &kind, &field)) {
        if (field == CHUNK_OFFSET && kind == I64) {
            at = number_at(w, at, &chunk.offset);
        } else if (field == CHUNK_COLUMN && kind == STRUCT) {
            at = read_column(w, at, &chunk);
        } else {
            chunk.has_others = 1;
            at = past(&w->in, at, kind, 0);
        }
    }
    chunk.end = at - w->in.start;
    buffer_append(&w->chunks, &chunk, sizeof chunk);
    return at;
}

static const uint8_t *read_chunks(struct walker *w, const uint8_t *at, struct group *group) {
    int kind;
    uint64_t count;
    group->columns_begin = at - w->in.start;
    at = list_at(&w->in, at, &kind, &count);
    if (kind != STRUCT) return bad(&w->in);
    for (uint64_t i = 0; i < count && !w->in.is_bad; i++) at = read_chunk(w, at);
    group->columns_end = at - w->in.start;
    group->chunks = (int64_t)count;
    return at;
}

static const uint8_t *read_group(struct walker *w, const uint8_t *at) {
    struct group group = {.begin = at - w->in.start};
    int kind;
    int64_t field = 0;
    for (at = field_at(&w->in, at, &kind, &field); kind && !w->in.is_bad; at = field_at(&w->in, at, &kind, &field)) {
        struct number *number = field == GROUP_ROWS      ? &group.rows
                                : field == GROUP_OFFSET  ? &group.offset
                                : field == GROUP_ORDINAL ? &group.ordinal
                                                         : NULL;
        if (number && (kind == I64 || kind == I16)) {
            at = number_at(w, at, number);
        } else {
            at = field == GROUP_COLUMNS && kind == LIST ? read_chunks(w, at, &group) : past(&w->in, at, kind, 0);
        }
    }
    group.end = at - w->in.start;
    buffer_append(&w->groups, &group, sizeof group);
    return at;
}

static void read_file(struct walker *w, struct footer_result *result) {
    const uint8_t *at = w->in.start;
    int kind;
    int64_t field = 0;
    for (at = field_at(&w->in, at, &kind, &field); kind && !w->in.is_bad; at = field_at(&w->in, at, &kind, &field)) {
        if (field != FILE_GROUPS || kind != LIST) {
            at = past(&w->in, at, kind, 0);
            continue;
        }
        int of;
        uint64_t count;
        result->groups_begin = at - w->in.start;
        at = list_at(&w->in, at, &of, &count);
        if (of != STRUCT) at = bad(&w->in);
        for (uint64_t i = 0; i < count && !w->in.is_bad; i++) at = read_group(w, at);
        result->groups_end = at - w->in.start;
    }
    if (at != w->in.end || !result->groups_end) w->in.is_bad = 1;
}

/* Refused if the bytes are no footer. */
EXPORT int32_t kernel_footer_groups(const uint8_t *footer, int64_t length, struct footer_result *result) {
    struct walker *w = calloc(1, sizeof *w);
    if (!w) return KERNEL_OUT_OF_MEMORY;
    w->in = (struct thrift){.start = footer, .end = footer + length};
    w->groups.memory = w->chunks.memory = &w->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(w->memory.exhausted) == 0) {
        read_file(w, result);
        status = w->in.is_bad ? KERNEL_REFUSED : KERNEL_OK;
        if (status == KERNEL_OK) {
            result->groups = buffer_hand_over(&w->groups);
            result->chunks = buffer_hand_over(&w->chunks);
        }
    }
    buffer_free(&w->groups);
    buffer_free(&w->chunks);
    free(w);
    return status;
}
