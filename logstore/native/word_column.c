#include <stdlib.h>

#include "memory.h"

/* The codes of these rows, in this order, numbered anew without those that no row has; `is_used` begins as zeros. */
EXPORT int32_t kernel_take_codes(const int32_t *codes, const int64_t *rows, int64_t count, uint8_t *is_used,
                                 int64_t code_count, int32_t *taken) {
    for (int64_t i = 0; i < count; i++) {
        taken[i] = codes[rows[i]];
        is_used[taken[i]] = 1;
    }
    int32_t *new_codes = malloc((size_t)code_count * sizeof *new_codes + 1);
    if (!new_codes) return KERNEL_OUT_OF_MEMORY;
    int32_t used = 0;
    for (int64_t i = 0; i < code_count; i++) {
        new_codes[i] = used;
        used += is_used[i];
    }
    for (int64_t i = 0; i < count; i++) taken[i] = new_codes[taken[i]];
    free(new_codes);
    return KERNEL_OK;
}
