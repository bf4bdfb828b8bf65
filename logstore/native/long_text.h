/* Where a long text stands in a longer one, in time that grows with their lengths, not with the product of these.
 * Crochemore and Perrin, Two-way string-matching, Journal of the ACM 38 (3), 1991. */
#ifndef LONG_TEXT_H
#define LONG_TEXT_H

#include <stdint.h>

struct long_text {
    const uint8_t *wanted; /* not empty; in lower case, and found whatever the case of ASCII's letters */
    int64_t length;
    int64_t critical; /* where its right part begins, which is compared first */
    int64_t period;   /* the next place may be so far after one where all of it, or the right part, stands */
    int64_t kept;     /* so much of its beginning is known to stand there */
};

struct long_text long_text_of(const uint8_t *wanted, int64_t length);

/* Where it begins next, or NULL; `known` of its beginning stands at `at`. */
const uint8_t *long_text_find(const struct long_text *text, const uint8_t *at, const uint8_t *end, int64_t known);

#endif
