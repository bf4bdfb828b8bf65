/* Binary fuse filters (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022) of three places
 * a word and 12 bits a place: 0.024 % of what is not held is taken for held.
 *
 * In memory, and in files: a seed (u32), the number of segments (u16) and the bits of a place in one (u8), a zero; the
 * places' lower eight bits, a byte each; their upper four, two in a byte, the first lower; and one zero more where all
 * of this were as many bytes as Bloom filters have. Numbers are little-endian. */
#ifndef FUSE_H
#define FUSE_H

#include "memory.h"

/* Appends the filter of these different hashes, at least one; 0 where they are too many or there is no memory for it, or
 * none was found, which nobody can bring about. */
int fuse_append(struct buffer *content, const uint64_t *hashes, size_t count);

/* Of what is no such filter too: that may hold anything. */
int fuse_may_hold(const uint8_t *filter, size_t size, uint64_t hash);

#endif
