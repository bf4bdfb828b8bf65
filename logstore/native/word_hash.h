/* A number for a word, whatever its case: written into files, so it must never change.
 *
 * The word's bytes count with bit 5 set, which lower-cases ASCII letters and keeps all ASCII word characters apart;
 * beyond ASCII, each character counts as one byte 0xFF, but U+212A as `k` and U+0130 as `i`, as their lower case is.
 * 16 bytes at a time, zeros after the last, are folded into a hash that begins with the length. */
#ifndef WORD_HASH_H
#define WORD_HASH_H

#include "memory.h"
#include "mix.h"

/* A word as it is hashed, readable as `word_hash` needs it; its length in `length`. Of ASCII it is the word itself. */
const uint8_t *word_normalise(struct buffer *room, const uint8_t *at, const uint8_t *end, size_t *length);

/* `word` is readable for 16 bytes past its end, and holds neither a zero nor a byte that is not counted as it is. */
static inline uint64_t word_hash(const uint8_t *word, size_t length) {
    static const uint8_t ones_then_zeros[32] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    const uint64_t lower = 0x2020202020202020u, first_key = 0xA0761D6478BD642Fu, second_key = 0xE7037ED1A0B428DBu;
    uint64_t hash = length * 0x9E3779B97F4A7C15u;
    while (length > 16) {
        hash = mix((load_64(word) | lower) ^ first_key ^ hash, (load_64(word + 8) | lower) ^ second_key);
        word += 16, length -= 16;
    }
    const uint8_t *mask = ones_then_zeros + 16 - length;
    uint64_t first = (load_64(word) | lower) & load_64(mask), second = (load_64(word + 8) | lower) & load_64(mask + 8);
    return mix(mix(first ^ first_key ^ hash, second ^ second_key) ^ first_key, hash ^ second_key);
}

#endif
