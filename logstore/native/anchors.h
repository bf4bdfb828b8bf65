/* Where a text stands in a long one, looked for by the two of its bytes that are rarest in logs. */
#ifndef ANCHORS_H
#define ANCHORS_H

#include <stdint.h>

enum { FOLD_NONE = 0, FOLD_CASE = 0x20 /* of ASCII letters: the wanted text is in lower case */ };

static inline uint8_t lower_ascii(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | FOLD_CASE : c; }

struct anchors {
    const uint8_t *wanted; /* not empty */
    int64_t length;
    int64_t first_at, second_at;
    uint8_t first, second; /* those bytes, folded */
    uint8_t fold;
};

struct anchors anchors_of(const uint8_t *wanted, int64_t length, uint8_t fold);

/* Where it begins next, or NULL. */
const uint8_t *anchors_find(const struct anchors *anchors, const uint8_t *at, const uint8_t *end);

#endif
