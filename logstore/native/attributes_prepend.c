#include "attributes.h"

#include <stdlib.h>

#include "columns.h"

struct joiner {
    struct memory memory;
    struct text_builder out;
};

static void append_text(struct buffer *out, struct json_text text) {
    buffer_append(out, text.at, (size_t)(text.end - text.at));
}

int32_t kernel_attributes_prepend(int64_t rows, const struct array_input *members, const int32_t *codes,
                                  const struct array_input *attributes, struct text_column *joined) {
    struct joiner *j = calloc(1, sizeof *j);
    if (!j) return KERNEL_OUT_OF_MEMORY;
    struct text_builder *out = &j->out;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(j->memory.exhausted) == 0) {
        text_init(out, &j->memory);
        for (int64_t row = 0; row < rows; row++) {
            struct json_text before = array_text(members, codes[row]), own = array_text(attributes, row);
            size_t size = (size_t)(before.end - before.at) + (size_t)(own.end - own.at) + 2;
            if (out->text.length + size > INT32_MAX) {
                status = KERNEL_REFUSED;
                break;
            }
            if (before.at) {
                int has_own = own.at && own.end - own.at > 2;
                buffer_byte(&out->text, '{');
                append_text(&out->text, before);
                buffer_byte(&out->text, has_own ? ',' : '}');
                if (has_own) own.at++;
                else own.end = own.at;
            }
            append_text(&out->text, own);
            text_end_row(out, before.at || own.at);
        }
        if (status != KERNEL_REFUSED) {
            *joined = text_hand_over(out);
            status = KERNEL_OK;
        }
    }
    text_free(out);
    free(j);
    return status;
}
