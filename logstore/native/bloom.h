/* Split-block Bloom filters, as in Parquet's specification: blocks of eight 32-bit words, of each of which a value
 * sets one bit. */
#ifndef BLOOM_H
#define BLOOM_H

#include <stdint.h>
#include <string.h>

enum { BLOOM_WORDS = 8, BLOOM_BLOCK_BYTES = 32, BLOOM_BLOCK_BITS = 256 };

static const uint32_t bloom_salts[BLOOM_WORDS] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                                  0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

static inline uint64_t bloom_block(uint64_t hash, uint64_t blocks) { return (hash >> 32) * blocks >> 32; }

static inline void bloom_add(uint8_t *filter, uint64_t blocks, uint64_t hash) {
    uint8_t *block = filter + bloom_block(hash, blocks) * BLOOM_BLOCK_BYTES;
    uint32_t words[BLOOM_WORDS];
    memcpy(words, block, sizeof words);
    for (int i = 0; i < BLOOM_WORDS; i++) words[i] |= UINT32_C(1) << ((uint32_t)hash * bloom_salts[i] >> 27);
    memcpy(block, words, sizeof words);
}

static inline int bloom_may_hold(const uint8_t *filter, uint64_t blocks, uint64_t hash) {
    if (blocks == 0) return 0;
    const uint8_t *block = filter + bloom_block(hash, blocks) * BLOOM_BLOCK_BYTES;
    uint32_t words[BLOOM_WORDS], missing = 0;
    memcpy(words, block, sizeof words);
    for (int i = 0; i < BLOOM_WORDS; i++) missing |= ~words[i] >> ((uint32_t)hash * bloom_salts[i] >> 27) & 1;
    return !missing;
}

#endif
