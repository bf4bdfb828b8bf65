/* What comes over a stream, cut into messages and packed (logstore/native/messages.h): as many as are whole and framed as
 * usual. The rest is left to the framers of ingest/protocols, which say what becomes of it. Mirrored in ingest/frames.py. */
#include <stdlib.h>

#include "memory.h"
#include "number.h"

enum { COUNT_DIGITS_MAX = 8 };

struct frames {
    struct memory memory;
    const uint8_t *at, *end;
    size_t max_bytes;
    int was_counted; /* the message before was framed by its number of bytes */
    struct buffer packed;
};

static int is_trailer(uint8_t byte) { return byte == '\n' || byte == '\r' || byte == 0; }
static int is_blank(uint8_t byte) { return is_trailer(byte) || byte == ' ' || byte == '\t'; }

static void pack(struct frames *f, const uint8_t *at, const uint8_t *end) {
    if (at == end) return;
    uint8_t *to = buffer_reserve(&f->packed, NUMBER_TEXT_MAX);
    f->packed.length = (size_t)(number_print_integer(to, end - at) - f->packed.data);
    buffer_byte(&f->packed, ' ');
    buffer_append(&f->packed, at, (size_t)(end - at));
}

/* Packs the message at `at`, which ends with this byte; false if it is not whole. */
static int take_document(struct frames *f, uint8_t last) {
    const uint8_t *at = f->at, *end = memchr(at, last, (size_t)(f->end - at));
    if (!end || (size_t)(end - at) > f->max_bytes) return 0;
    f->at = end + 1;
    while (at < end && is_blank(*at)) at++;
    while (at < end && is_blank(end[-1])) end--;
    pack(f, at, end);
    return 1;
}

/* Packs the message between two places; the next one begins at `next`. False if it is too long. */
static int take_syslog(struct frames *f, const uint8_t *at, const uint8_t *end, const uint8_t *next) {
    if ((size_t)(end - at) > f->max_bytes) return 0;
    while (at < end && is_trailer(end[-1])) end--;
    pack(f, at, end);
    f->at = next;
    return 1;
}

/* A counted message (RFC 6587 §3.4.1), `at` its number. */
static int take_counted(struct frames *f, const uint8_t *at) {
    size_t size = 0;
    const uint8_t *first = at;
    if (*at == '0') return 0;
    for (; at < f->end && at - first < COUNT_DIGITS_MAX && *at >= '0' && *at <= '9'; at++) size = size * 10 + (*at - '0');
    if (at == first || f->end - at < 2 || at[0] != ' ' || (at[1] != '<' && !f->was_counted)) return 0;
    at++;
    if ((size_t)(f->end - at) < size || !take_syslog(f, at, at + size, at + size)) return 0;
    f->was_counted = 1;
    return 1;
}

/* Packs the message of syslog at `at`, counted or a line that begins with `<`; false if it is neither, or not whole. */
static int take_message(struct frames *f) {
    const uint8_t *at = f->at;
    while (at < f->end && (is_trailer(*at) || *at == ' ')) at++;
    f->at = at;
    if (at == f->end) return 0;
    if (*at != '<') return take_counted(f, at);
    const uint8_t *end = memchr(at, '\n', (size_t)(f->end - at));
    if (!end || !take_syslog(f, at, end, end + 1)) return 0;
    f->was_counted = 0;
    return 1;
}

/* Of the bytes `read` are packed. `last`: the byte that ends each message, or -1 for syslog. */
EXPORT int32_t kernel_frames(const uint8_t *bytes, int64_t length, int64_t max_bytes, int32_t last, int32_t *was_counted,
                             int64_t *read, struct column_buffer *packed) {
    struct frames *f = calloc(1, sizeof *f);
    if (!f) return KERNEL_OUT_OF_MEMORY;
    f->at = bytes, f->end = bytes + length;
    f->max_bytes = (size_t)max_bytes;
    f->was_counted = *was_counted;
    f->packed.memory = &f->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(f->memory.exhausted) == 0) {
        buffer_reserve(&f->packed, (size_t)length + (size_t)length / 16);
        while (f->at < f->end && (last < 0 ? take_message(f) : take_document(f, (uint8_t)last))) continue;
        *read = f->at - bytes;
        *was_counted = f->was_counted;
        *packed = buffer_hand_over(&f->packed);
        status = KERNEL_OK;
    }
    buffer_free(&f->packed);
    free(f);
    return status;
}
