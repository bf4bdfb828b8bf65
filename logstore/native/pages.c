/* Single texts out of a column's pages (parquet.thrift's PageHeader, data pages of version 1, encoding PLAIN): where the
 * pages stand in a column chunk, and the texts of some rows, once the pages that have them are decompressed. */
#include <stdlib.h>

#include "columns.h"
#include "thrift.h"

enum { PAGE_KIND = 1, PAGE_PLAIN_SIZE, PAGE_SIZE, PAGE_DATA = 5 };
enum { DATA_VALUES = 1, DATA_ENCODING };
enum { DATA_PAGE = 0, PLAIN = 0 };
enum { LENGTH_BYTES = 4 };

struct page {
    int64_t begin, size, plain_size, values; /* where its content begins in the chunk */
};

struct page_text {
    const uint8_t *content;
    int64_t size, values;
};

static const uint8_t *read_data_header(struct thrift *t, const uint8_t *at, struct page *page) {
    int kind;
    int64_t field = 0, encoding = -1;
    for (at = field_at(t, at, &kind, &field); kind && !t->is_bad; at = field_at(t, at, &kind, &field)) {
        int64_t *number = field == DATA_VALUES && kind == I32     ? &page->values
                          : field == DATA_ENCODING && kind == I32 ? &encoding
                                                                  : NULL;
        at = number ? signed_at(t, at, number) : past(t, at, kind, 0);
    }
    return encoding == PLAIN ? at : bad(t);
}

/* The place after the page's content. */
static const uint8_t *read_page(struct thrift *t, const uint8_t *at, struct page *page) {
    int kind;
    int64_t field = 0, type = -1;
    page->values = page->size = page->plain_size = -1;
    for (at = field_at(t, at, &kind, &field); kind && !t->is_bad; at = field_at(t, at, &kind, &field)) {
        int64_t *number = kind != I32                ? NULL
                          : field == PAGE_KIND       ? &type
                          : field == PAGE_PLAIN_SIZE ? &page->plain_size
                          : field == PAGE_SIZE       ? &page->size
                                                     : NULL;
        if (number) {
            at = signed_at(t, at, number);
        } else {
            at = field == PAGE_DATA && kind == STRUCT ? read_data_header(t, at, page) : past(t, at, kind, 0);
        }
    }
    if (type != DATA_PAGE || page->values < 0 || page->plain_size < 0) return bad(t);
    if (page->size < 0 || page->size > t->end - at) return bad(t);
    page->begin = at - t->start;
    return at + page->size;
}

struct finder {
    struct memory memory;
    struct buffer pages;
};

/* Refused if there is a page that is none of plain values. */
EXPORT int32_t kernel_pages(const uint8_t *chunk, int64_t length, struct column_buffer *result) {
    struct finder *finder = calloc(1, sizeof *finder);
    if (!finder) return KERNEL_OUT_OF_MEMORY;
    finder->pages.memory = &finder->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(finder->memory.exhausted) == 0) {
        struct thrift t = {.start = chunk, .end = chunk + length};
        for (const uint8_t *at = chunk; at < t.end && !t.is_bad;) {
            struct page page;
            at = read_page(&t, at, &page);
            buffer_append(&finder->pages, &page, sizeof page);
        }
        status = t.is_bad ? KERNEL_REFUSED : KERNEL_OK;
        if (status == KERNEL_OK) *result = buffer_hand_over(&finder->pages);
    }
    buffer_free(&finder->pages);
    free(finder);
    return status;
}

/* Whether all of these rows (ascending, counted from the first page's first) were found. */
static int append_texts(struct text_builder *texts, const struct page_text *pages, int64_t count, const int64_t *rows,
                        int64_t row_count) {
    int64_t row = 0, found = 0;
    for (const struct page_text *page = pages; page < pages + count && found < row_count; page++) {
        const uint8_t *at = page->content, *end = at + page->size;
        for (int64_t stop = row + page->values; row < stop; row++) {
            uint32_t length;
            if (end - at < LENGTH_BYTES) return 0;
            memcpy(&length, at, LENGTH_BYTES);
            at += LENGTH_BYTES;
            if (length > end - at) return 0;
            if (found < row_count && rows[found] == row) {
                if (length > INT32_MAX - texts->text.length) return 0;
                buffer_append(&texts->text, at, length);
                text_end_row(texts, 1);
                found++;
            }
            at += length;
        }
        if (at != end) return 0;
    }
    return found == row_count;
}

struct reader {
    struct memory memory;
    struct text_builder texts;
};

/* Refused if the pages have not all of these rows, or their texts are too long for a column. */
EXPORT int32_t kernel_page_texts(const struct page_text *pages, int64_t count, const int64_t *rows, int64_t row_count,
                                 struct text_column *result) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) return KERNEL_OUT_OF_MEMORY;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(reader->memory.exhausted) == 0) {
        text_init(&reader->texts, &reader->memory);
        status = append_texts(&reader->texts, pages, count, rows, row_count) ? KERNEL_OK : KERNEL_REFUSED;
        if (status == KERNEL_OK) *result = text_hand_over(&reader->texts);
    }
    text_free(&reader->texts);
    free(reader);
    return status;
}
