#include <stdlib.h>

#include "memory.h"
#include "mix.h"

/* Marks the values that are among those wanted. */
EXPORT int32_t kernel_is_one_of(const int64_t *values, int64_t rows, const int64_t *wanted, int64_t count,
                                uint8_t *found) {
    uint64_t size = 16;
    while (size < 2 * (uint64_t)count) size *= 2;
    int64_t *table = calloc(size, sizeof *table); /* places in `wanted`, from 1 */
    if (!table) return KERNEL_OUT_OF_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        uint64_t slot = mix((uint64_t)wanted[i], 0x9E3779B97F4A7C15u) & (size - 1);
        while (table[slot] && wanted[table[slot] - 1] != wanted[i]) slot = (slot + 1) & (size - 1);
        table[slot] = i + 1;
    }
    for (int64_t row = 0; row < rows; row++) {
        uint64_t slot = mix((uint64_t)values[row], 0x9E3779B97F4A7C15u) & (size - 1);
        while (table[slot] && wanted[table[slot] - 1] != values[row]) slot = (slot + 1) & (size - 1);
        found[row] = table[slot] != 0;
    }
    free(table);
    return KERNEL_OK;
}
