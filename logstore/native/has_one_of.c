#include <stdlib.h>

#include "memory.h"

/* Texts one after the other. */
struct words {
    const int32_t *offsets; /* count + 1 */
    const uint8_t *text;
    int64_t count;
};

static int is_same(const struct words *some, int64_t i, const struct words *others, int64_t j) {
    int32_t length = some->offsets[i + 1] - some->offsets[i];
    if (others->offsets[j + 1] - others->offsets[j] != length) return 0;
    return memcmp(some->text + some->offsets[i], others->text + others->offsets[j], (size_t)length) == 0;
}

static int is_among(const struct words *some, int64_t i, const struct words *wanted) {
    for (int64_t j = 0; j < wanted->count; j++)
        if (is_same(some, i, wanted, j)) return 1;
    return 0;
}

/* Marks the rows whose words are among those wanted, which are few; `codes` tell each row its word. */
EXPORT int32_t kernel_has_one_of(const int32_t *codes, int64_t rows, const struct words *words,
                                 const struct words *wanted, uint8_t *found) {
    uint8_t *is_wanted = malloc((size_t)words->count + 1);
    if (!is_wanted) return KERNEL_OUT_OF_MEMORY;
    int has_some = 0;
    for (int64_t i = 0; i < words->count; i++) has_some |= is_wanted[i] = (uint8_t)is_among(words, i, wanted);
    if (!has_some) memset(found, 0, (size_t)rows);
    else
        for (int64_t row = 0; row < rows; row++) found[row] = is_wanted[codes[row]];
    free(is_wanted);
    return KERNEL_OK;
}
