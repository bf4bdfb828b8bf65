#include <stdlib.h>

#include "attributes.h"
#include "columns.h"

struct completer {
    struct memory memory;
    struct text_builder whole;
    struct buffer scratch;
};

static int32_t complete_rows(struct completer *c, int64_t rows, const struct array_input *attributes,
                             const struct array_input *messages) {
    text_init(&c->whole, &c->memory);
    for (int64_t row = 0; row < rows; row++) {
        struct json_text text = attributes_text(attributes, messages, row, &c->scratch);
        size_t size = (size_t)(text.end - text.at);
        if (c->whole.text.length + size > INT32_MAX) return KERNEL_REFUSED;
        buffer_append(&c->whole.text, text.at, size);
        text_end_row(&c->whole, array_is_valid(attributes, row));
    }
    return KERNEL_OK;
}

int32_t kernel_attributes_whole(int64_t rows, const struct array_input *attributes, const struct array_input *messages,
                                struct text_column *whole) {
    struct completer *c = calloc(1, sizeof *c);
    if (!c) return KERNEL_OUT_OF_MEMORY;
    c->scratch.memory = &c->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(c->memory.exhausted) == 0) {
        status = complete_rows(c, rows, attributes, messages);
        if (status == KERNEL_OK) *whole = text_hand_over(&c->whole);
    }
    text_free(&c->whole);
    buffer_free(&c->scratch);
    free(c);
    return status;
}
