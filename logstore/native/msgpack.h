/* MessagePack, read value by value without copying. Source: the MessagePack specification, "formats". */
#ifndef MSGPACK_H
#define MSGPACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum kind { NIL, BOOLEAN, UNSIGNED, SIGNED, REAL, STRING, BINARY, ARRAY, MAP, EXTENSION };

/* A value's head. `size`: bytes of content, members, or the number itself; `content` follows the head. */
struct value {
    enum kind kind;
    uint64_t size;
    double real;
    int type;
    const uint8_t *content;
};

static inline uint64_t big_endian(const uint8_t *at, int width) {
    uint64_t number = 0;
    for (int i = 0; i < width; i++) number = number << 8 | at[i];
    return number;
}

static inline double real_of(uint64_t bits, int width) {
    if (width == 8) {
        double wide;
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
    uint32_t half = (uint32_t)bits;
    float narrow;
    memcpy(&narrow, &half, sizeof narrow);
    return narrow;
}

/* Of a value whose first byte is below 0x80, from 0xe0 on, or holds a length. */
static inline const uint8_t *read_short(const uint8_t *at, struct value *value) {
    uint8_t first = *at;
    if (first < 0x80) *value = (struct value){.kind = UNSIGNED, .size = first};
    else if (first < 0x90) *value = (struct value){.kind = MAP, .size = first & 0x0F};
    else if (first < 0xA0) *value = (struct value){.kind = ARRAY, .size = first & 0x0F};
    else if (first < 0xC0) *value = (struct value){.kind = STRING, .size = first & 0x1F};
    else *value = (struct value){.kind = SIGNED, .size = (uint64_t)(int64_t)(int8_t)first};
    return at + 1;
}

/* Reads the head at `at`; returns the end of a scalar, or of another's head, or NULL if it is not all there. The
 * content of strings, binaries and extensions is there. */
static inline const uint8_t *read_value(const uint8_t *at, const uint8_t *end, struct value *value) {
    /* From 0xc0: the kind, and the bytes of a number or length; fixext have theirs in the first byte. */
    static const struct { uint8_t kind, width; } forms[32] = {
        {NIL, 0},      {0xFF, 0},     {BOOLEAN, 0},  {BOOLEAN, 0},   {BINARY, 1},    {BINARY, 2},    {BINARY, 4},
        {EXTENSION, 1}, {EXTENSION, 2}, {EXTENSION, 4}, {REAL, 4},     {REAL, 8},      {UNSIGNED, 1},  {UNSIGNED, 2},
        {UNSIGNED, 4}, {UNSIGNED, 8}, {SIGNED, 1},   {SIGNED, 2},    {SIGNED, 4},    {SIGNED, 8},    {EXTENSION, 0},
        {EXTENSION, 0}, {EXTENSION, 0}, {EXTENSION, 0}, {EXTENSION, 0}, {STRING, 1},    {STRING, 2},    {STRING, 4},
        {ARRAY, 2},    {ARRAY, 4},    {MAP, 2},      {MAP, 4}};
    if (at >= end) return NULL;
    uint8_t first = *at;
    if (first < 0xC0 || first >= 0xE0) {
        at = read_short(at, value);
    } else {
        int width = forms[first - 0xC0].width;
        if (forms[first - 0xC0].kind == 0xFF || end - ++at < width) return NULL;
        *value = (struct value){.kind = (enum kind)forms[first - 0xC0].kind, .size = big_endian(at, width)};
        at += width;
        if (value->kind == BOOLEAN) value->size = first == 0xC3;
        if (value->kind == REAL) value->real = real_of(value->size, width);
        if (value->kind == SIGNED && width < 8) {
            int unused = 64 - 8 * width;
            value->size = (uint64_t)((int64_t)(value->size << unused) >> unused);
        }
        if (value->kind == EXTENSION) {
            if (at >= end) return NULL;
            if (width == 0) value->size = UINT64_C(1) << (first - 0xD4);
            value->type = (int8_t)*at++;
        }
    }
    value->content = at;
    if (value->kind != STRING && value->kind != BINARY && value->kind != EXTENSION) return at;
    return (uint64_t)(end - at) < value->size ? NULL : at + value->size;
}

enum { SKIP_DEPTH_MAX = 512 };

/* The end of the value at `at`; NULL if it is not all there, or nested too deep. */
static inline const uint8_t *skip_value(const uint8_t *at, const uint8_t *end, int depth) {
    struct value value;
    at = depth > SKIP_DEPTH_MAX ? NULL : read_value(at, end, &value);
    if (!at || (value.kind != ARRAY && value.kind != MAP)) return at;
    uint64_t members = value.kind == MAP ? value.size * 2 : value.size;
    for (uint64_t i = 0; at && i < members; i++) at = skip_value(at, end, depth + 1);
    return at;
}

#endif
