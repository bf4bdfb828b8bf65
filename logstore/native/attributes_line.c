#include <stdlib.h>

#include "attributes.h"
#include "columns.h"

struct line_finder {
    struct memory memory;
    struct json_reader reader;
    struct json_members members;
    struct text_builder lines;
};

static int32_t find_lines(struct line_finder *f, int64_t rows, const struct array_input *messages) {
    text_init(&f->lines, &f->memory);
    for (int64_t row = 0; row < rows; row++) {
        struct json_text message = array_text(messages, row);
        arena_reset(&f->reader.arena);
        int is_line = attribute_read_line(&f->reader, message, &f->members) && f->members.count;
        if (is_line) {
            struct json_text object = json_trimmed(message);
            buffer_append(&f->lines.text, object.at, (size_t)(object.end - object.at));
        }
        if (f->lines.text.length > INT32_MAX) return KERNEL_REFUSED;
        text_end_row(&f->lines, is_line);
    }
    return KERNEL_OK;
}

int32_t kernel_attributes_line(int64_t rows, const struct array_input *messages, struct text_column *lines) {
    struct line_finder *f = calloc(1, sizeof *f);
    if (!f) return KERNEL_OUT_OF_MEMORY;
    json_reader_init(&f->reader, &f->memory);
    f->reader.is_valid_utf8 = 1;
    f->members.memory = &f->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(f->memory.exhausted) == 0) {
        status = find_lines(f, rows, messages);
        if (status == KERNEL_OK) *lines = text_hand_over(&f->lines);
    }
    json_reader_free(&f->reader);
    json_members_free(&f->members);
    text_free(&f->lines);
    free(f);
    return status;
}
