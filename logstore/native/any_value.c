#include "any_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"
#include "utf8.h"

enum { DEPTH_MAX = 100, DOUBLE_TEXT_MAX = 32 };

struct any_value any_read(struct entries *e, struct span message) {
    static const uint32_t types[] = {[ANY_STRING] = WIRE_BYTES,   [ANY_BOOL] = WIRE_VARINT, [ANY_INT] = WIRE_VARINT,
                                     [ANY_DOUBLE] = WIRE_FIXED64, [ANY_ARRAY] = WIRE_BYTES, [ANY_KVLIST] = WIRE_BYTES,
                                     [ANY_BYTES] = WIRE_BYTES};
    struct wire wire = wire_of(message);
    struct wire_field field;
    struct any_value value = {.bytes = {message.at, 0}};
    while (wire_next(&wire, &field)) {
        if (field.number > ANY_BYTES || field.type != types[field.number]) continue;
        value.kind = (enum any_kind)field.number;
        if (field.type == WIRE_BYTES) value.bytes = field.bytes;
        else value.number = field.value;
    }
    e->is_broken |= wire.is_broken;
    return value;
}

struct key_value key_value_read(struct entries *e, struct span message) {
    struct wire wire = wire_of(message);
    struct wire_field field;
    struct key_value pair = {.key = {message.at, 0}};
    while (wire_next(&wire, &field)) {
        if (wire_is(&field, 1, WIRE_BYTES)) pair.key = field.bytes;
        else if (wire_is(&field, 2, WIRE_BYTES)) pair.value = any_read(e, field.bytes);
    }
    e->is_broken |= wire.is_broken;
    return pair;
}

static void append_bytes(struct entries *e, struct buffer *out, struct span bytes) {
    if (utf8_is_valid(bytes.at, bytes.at + bytes.length)) entries_append_text(e, out, bytes);
    else json_append_base64(out, bytes.at, bytes.length);
}

/* The shortest of the usual precisions that reads back as the same double; its exponent without plus and zeros. */
static void append_odd_double(struct buffer *out, double value) {
    char text[DOUBLE_TEXT_MAX];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    int is_whole = 1, is_in_exponent = 0;
    for (const char *at = text; *at; at++) {
        if (is_in_exponent == 1 && (*at == '+' || *at == '0')) continue;
        if (is_in_exponent && *at != '-') is_in_exponent = 2;
        if (*at == 'e') is_in_exponent = 1;
        int is_point = *at == '.' || *at == ','; /* as the locale has it */
        if (is_point || *at == 'e') is_whole = 0;
        buffer_byte(out, is_point ? '.' : (uint8_t)*at);
    }
    if (is_whole) buffer_append(out, ".0", 2);
}

static void append_double(struct buffer *out, uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isnan(value)) {
        buffer_append(out, "\"NaN\"", 5);
    } else if (isinf(value)) {
        struct span word = value > 0 ? span_of("\"Infinity\"") : span_of("\"-Infinity\"");
        buffer_append(out, word.at, word.length);
    } else if (number_is_plain(value)) {
        uint8_t *to = buffer_reserve(out, DOUBLE_TEXT_MAX);
        out->length = (size_t)(number_print_double(to, value) - out->data);
    } else {
        append_odd_double(out, value);
    }
}

static void append_array(struct entries *e, struct buffer *out, struct span array, int depth) {
    struct wire wire = wire_of(array);
    struct wire_field field;
    uint8_t separator = '[';
    while (wire_next(&wire, &field)) {
        if (!wire_is(&field, 1, WIRE_BYTES)) continue;
        buffer_byte(out, separator);
        any_append(e, out, any_read(e, field.bytes), depth + 1);
        separator = ',';
    }
    e->is_broken |= wire.is_broken;
    if (separator == '[') buffer_byte(out, '[');
    buffer_byte(out, ']');
}

static void append_kvlist(struct entries *e, struct buffer *out, struct span list, int depth) {
    struct wire wire = wire_of(list);
    struct wire_field field;
    uint8_t separator = '{';
    uint64_t seen[4] = {0};
    while (wire_next(&wire, &field)) {
        if (!wire_is(&field, 1, WIRE_BYTES)) continue;
        struct key_value pair = key_value_read(e, field.bytes);
        e->is_repeated |= json_mark_key(seen, pair.key.at, pair.key.length);
        buffer_byte(out, separator);
        entries_append_text(e, out, pair.key);
        buffer_byte(out, ':');
        any_append(e, out, pair.value, depth + 1);
        separator = ',';
    }
    e->is_broken |= wire.is_broken;
    if (separator == '{') buffer_byte(out, '{');
    buffer_byte(out, '}');
}

void any_append(struct entries *e, struct buffer *out, struct any_value value, int depth) {
    uint8_t *to;
    switch (value.kind) {
    case ANY_NONE: buffer_append(out, "null", 4); break;
    case ANY_STRING: entries_append_text(e, out, value.bytes); break;
    case ANY_BOOL: buffer_append(out, value.number ? "true" : "false", value.number ? 4 : 5); break;
    case ANY_INT:
        to = buffer_reserve(out, NUMBER_TEXT_MAX);
        out->length = (size_t)(number_print_integer(to, (int64_t)value.number) - out->data);
        break;
    case ANY_DOUBLE: append_double(out, value.number); break;
    case ANY_BYTES: append_bytes(e, out, value.bytes); break;
    default:
        if (depth >= DEPTH_MAX) json_append_base64(out, value.bytes.at, value.bytes.length);
        else if (value.kind == ANY_ARRAY) append_array(e, out, value.bytes, depth);
        else append_kvlist(e, out, value.bytes, depth);
    }
}
