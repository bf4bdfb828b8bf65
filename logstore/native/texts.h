/* Texts one after the other, as Arrow has them. Mirrored in logstore/words.py. */
#ifndef TEXTS_H
#define TEXTS_H

#include <stdint.h>

struct texts {
    const uint8_t *content;
    const int32_t *offsets; /* rows + 1 */
    int64_t rows;
};

#endif
