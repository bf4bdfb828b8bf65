/* Words: runs of letters, digits (Unicode's categories L and N) and `_`. */
#ifndef WORDS_H
#define WORDS_H

#include <stdint.h>

int is_word_character(uint32_t code);

#endif
