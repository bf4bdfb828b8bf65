/* Protocol Buffers' wire format (protobuf.dev, "Encoding"): fields of a message, one after the other. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_FIXED32 = 5 };

struct span {
    const uint8_t *at;
    size_t length;
};

struct wire {
    const uint8_t *at, *end;
    int is_broken; /* what follows is no field; groups, which no message here has, count as such */
};

struct wire_field {
    uint32_t number;
    uint32_t type;
    uint64_t value;    /* of all types but WIRE_BYTES */
    struct span bytes; /* of WIRE_BYTES */
};

static inline struct wire wire_of(struct span message) {
    return (struct wire){message.at, message.at + message.length, 0};
}

static inline int wire_varint(struct wire *wire, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 64 && wire->at < wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return 1;
    }
    return 0;
}

static inline int wire_fixed(struct wire *wire, size_t size, uint64_t *value) {
    if ((size_t)(wire->end - wire->at) < size) return 0;
    *value = 0;
    for (size_t i = size; i--;) *value = *value << 8 | wire->at[i];
    wire->at += size;
    return 1;
}

static inline int wire_read(struct wire *wire, struct wire_field *field) {
    uint64_t tag, length;
    if (!wire_varint(wire, &tag) || tag >> 3 == 0 || tag >> 32) return 0;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    switch (field->type) {
    case WIRE_VARINT: return wire_varint(wire, &field->value);
    case WIRE_FIXED64: return wire_fixed(wire, 8, &field->value);
    case WIRE_FIXED32: return wire_fixed(wire, 4, &field->value);
    case WIRE_BYTES:
        if (!wire_varint(wire, &length) || length > (uint64_t)(wire->end - wire->at)) return 0;
        field->bytes = (struct span){wire->at, (size_t)length};
        wire->at += length;
        return 1;
    default: return 0;
    }
}

/* Reads the next field; false at the end, or where the message is broken. */
static inline int wire_next(struct wire *wire, struct wire_field *field) {
    if (wire->at == wire->end || wire->is_broken) return 0;
    wire->is_broken = !wire_read(wire, field);
    return !wire->is_broken;
}

static inline int wire_is(const struct wire_field *field, uint32_t number, uint32_t type) {
    return field->number == number && field->type == type;
}

/* The last field of this number, as Protocol Buffers want it, or an empty one. */
static inline struct span wire_find(struct span message, uint32_t number) {
    struct wire wire = wire_of(message);
    struct wire_field field;
    struct span found = {message.at, 0};
    while (wire_next(&wire, &field)) {
        if (wire_is(&field, number, WIRE_BYTES)) found = field.bytes;
    }
    return found;
}

#endif
