#include <stdlib.h>

#include "attributes.h"

static int is_same(const struct array_input *some, int64_t i, const struct array_input *others, int64_t j) {
    const int32_t *offsets = some->values, *other_offsets = others->values;
    int32_t length = offsets[i + 1] - offsets[i];
    if (other_offsets[j + 1] - other_offsets[j] != length) return 0;
    return memcmp(some->text + offsets[i], others->text + other_offsets[j], (size_t)length) == 0;
}

/* Marks the rows whose words are among those wanted, which are few; `codes` tell each row its word. */
EXPORT int32_t kernel_has_one_of(const int32_t *codes, int64_t rows, const struct array_input *words, int64_t count,
                                 const struct array_input *wanted, int64_t wanted_count, uint8_t *found) {
    uint8_t *is_wanted = calloc((size_t)count + 1, 1);
    if (!is_wanted) return KERNEL_OUT_OF_MEMORY;
    int has_some = 0;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < wanted_count && !is_wanted[i]; j++) is_wanted[i] = (uint8_t)is_same(words, i, wanted, j);
        has_some |= is_wanted[i];
    }
    for (int64_t row = 0; row < rows; row++) found[row] = has_some ? is_wanted[codes[row]] : 0;
    free(is_wanted);
    return KERNEL_OK;
}
