/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef UTF8_H
#define UTF8_H

#include "memory.h"

/* Of the bytes at `at` (at < end): n > 0, a valid character of n bytes; n < 0, -n bytes that are none
 * (the maximal subpart of Unicode's section 3.9, as Python's decoder counts). */
int utf8_step(const uint8_t *at, const uint8_t *end);

int utf8_is_valid(const uint8_t *at, const uint8_t *end);

/* Appends the bytes, each invalid part replaced by U+FFFD. */
void utf8_append_replaced(struct buffer *out, const uint8_t *at, const uint8_t *end);

/* Appends the bytes so that nothing is lost: a backslash is doubled, an invalid byte is written \xNN. */
void utf8_append_escaped(struct buffer *out, const uint8_t *at, const uint8_t *end);

/* Writes one character (surrogates excluded by the caller); returns its number of bytes, at most 4. */
static inline int utf8_encode(uint32_t code, uint8_t *out) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

#endif
