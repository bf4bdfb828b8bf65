#include <stdint.h>

__attribute__((visibility("default"))) int64_t kernels_version(void) { return 1; }
