#include "word_hash.h"

#include "words.h"

const uint8_t *word_normalise(struct buffer *room, const uint8_t *at, const uint8_t *end, size_t *length) {
    room->length = 0;
    uint8_t *out = buffer_reserve(room, (size_t)(end - at) + 16), *start = out;
    for (; at < end; at++) {
        if ((*at & 0xC0) == 0x80) continue;
        uint32_t code = character_at(at, end);
        *out++ = code < 0x80 ? (uint8_t)code : code == 0x212A ? 'k' : code == 0x130 ? 'i' : 0xFF;
    }
    *length = (size_t)(out - start);
    return start;
}
