/* Thrift's compact protocol
 * (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), read without copying. */
#ifndef THRIFT_H
#define THRIFT_H

#include <stdint.h>

enum { TRUE = 1, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT };
enum { DEPTH_MAX = 16 };

/* What is read; once it is bad, all reading is at its end. */
struct thrift {
    const uint8_t *start, *end;
    int is_bad;
};

static inline const uint8_t *bad(struct thrift *t) {
    t->is_bad = 1;
    return t->end;
}

static inline const uint8_t *unsigned_at(struct thrift *t, const uint8_t *at, uint64_t *value) {
    *value = 0;
    for (int shift = 0; at < t->end && shift < 64; shift += 7) {
        *value |= (uint64_t)(*at & 127) << shift;
        if (*at++ < 128) return at;
    }
    return bad(t);
}

static inline const uint8_t *signed_at(struct thrift *t, const uint8_t *at, int64_t *value) {
    uint64_t zigzag;
    at = unsigned_at(t, at, &zigzag);
    *value = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
    return at;
}

static inline const uint8_t *list_at(struct thrift *t, const uint8_t *at, int *kind, uint64_t *count) {
    if (at >= t->end) return bad(t);
    *kind = *at & 15;
    *count = *at >> 4;
    return *count < 15 ? at + 1 : unsigned_at(t, at + 1, count);
}

/* The place of a field's value, its kind and number; at the end of the struct, kind 0. */
static inline const uint8_t *field_at(struct thrift *t, const uint8_t *at, int *kind, int64_t *number) {
    *kind = 0;
    if (at >= t->end) return bad(t);
    uint8_t head = *at++;
    *kind = head & 15;
    if (!head) return at;
    if (head >> 4) {
        *number = (int64_t)((uint64_t)*number + (head >> 4));
        return at;
    }
    return signed_at(t, at, number);
}

static inline const uint8_t *past(struct thrift *t, const uint8_t *at, int kind, int depth) {
    uint64_t count;
    int64_t ignored = 0;
    if (kind == TRUE || kind == FALSE) return at;
    if (kind >= I16 && kind <= I64) return signed_at(t, at, &ignored);
    if (kind == BYTE || kind == DOUBLE || kind == BINARY) {
        count = kind == BYTE ? 1 : 8;
        if (kind == BINARY) at = unsigned_at(t, at, &count);
        return count <= (uint64_t)(t->end - at) ? at + count : bad(t);
    }
    if (depth >= DEPTH_MAX) return bad(t);
    if (kind == STRUCT) {
        int inner;
        for (at = field_at(t, at, &inner, &ignored); inner && !t->is_bad; at = field_at(t, at, &inner, &ignored)) {
            at = past(t, at, inner, depth + 1);
        }
        return at;
    }
    if (kind != LIST) return bad(t);
    int of;
    at = list_at(t, at, &of, &count);
    for (uint64_t i = 0; i < count && !t->is_bad; i++) {
        at = of == TRUE || of == FALSE ? past(t, at, BYTE, depth + 1) : past(t, at, of, depth + 1);
    }
    return at;
}

#endif
