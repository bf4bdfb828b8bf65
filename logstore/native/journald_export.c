/* Journal Export Format (systemd.io/JOURNAL_EXPORT_FORMATS), cut into entries as it comes. Mirrored in
 * ingest/protocols/journald/export.py.
 *
 * A field is `NAME=text`, or `NAME`, a newline, eight bytes of size (little-endian), that many bytes and a newline; an
 * empty line ends an entry. What is no field, or too large for one, is left out of its entry, which says so. */
#include "journald.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "memory.h"
#include "utf8.h"

enum { SIZE_BYTES = 8, NAME_MAX_BYTES = 64, TOLD_MAX_BYTES = 80 };
#define DECLARED_MAX_BYTES (UINT64_C(768) << 20) /* the largest field that systemd writes: a larger number is no size */

/* What is known of a stream between two pieces of it; zero at first, but for the bounds. */
struct export_state {
    int64_t field_max_bytes, entry_max_bytes; /* of a value; of all names and values of an entry */
    int64_t skip_bytes;                       /* of a field that is left out */
    int64_t skips_line;
    int64_t entry_bytes, fields, is_told; /* of the entry that is not complete; whether it says that something is missing */
};

struct export {
    struct memory memory;
    struct export_state *state;
    const uint8_t *at, *end;
    struct buffer fields, ends, told;
};

static void append_field(struct buffer *out, const uint8_t *name, size_t name_length, const uint8_t *value,
                         size_t length) {
    size_t begin = out->length;
    buffer_int64(out, 0);
    utf8_append_replaced(out, name, name + name_length);
    int32_t head[] = {(int32_t)(out->length - begin - FIELD_HEAD_BYTES), (int32_t)length};
    memcpy(out->data + begin, head, sizeof head);
    buffer_byte(out, '=');
    buffer_append(out, value, length);
}

/* Likewise, of a line whose name is ASCII: it stands there as it is kept. */
static void append_line(struct buffer *out, const uint8_t *line, size_t name_length, size_t length) {
    int32_t head[] = {(int32_t)name_length, (int32_t)(length - name_length - 1)};
    uint8_t *to = buffer_reserve(out, sizeof head + length);
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, line, length);
    out->length += sizeof head + length;
}

/* The first reason why something is missing is told. */
static void leave_out(struct export *x, const char *before, const uint8_t *name, size_t length, const char *after) {
    x->state->fields++;
    if (x->state->is_told) return;
    x->state->is_told = 1;
    struct buffer *told = &x->told;
    told->length = 0;
    buffer_append(told, before, strlen(before));
    utf8_append_replaced(told, name, name + (length < TOLD_MAX_BYTES ? length : TOLD_MAX_BYTES));
    buffer_append(told, after, strlen(after));
    append_field(&x->fields, (const uint8_t *)LEFT_OUT, strlen(LEFT_OUT), told->data, told->length);
}

static void leave_out_large(struct export *x, const uint8_t *name, size_t length) {
    leave_out(x, "left out: the field ", name, length, " is too large (max_line, max_body)");
}

/* Has the entry room for such a field? It is counted in, or left out. */
static int admit(struct export *x, const uint8_t *name, size_t name_length, size_t length) {
    struct export_state *state = x->state;
    int64_t size = (int64_t)(name_length + length);
    if ((int64_t)length > state->field_max_bytes || state->entry_bytes + size > state->entry_max_bytes) {
        leave_out_large(x, name, name_length);
        return 0;
    }
    if (state->fields >= FIELDS_MAX) {
        leave_out(x, "left out: it has more than 1,024 fields", name, 0, "");
        return 0;
    }
    state->fields++;
    state->entry_bytes += size;
    state->is_told |= name_length == strlen(LEFT_OUT) && !memcmp(name, LEFT_OUT, name_length);
    return 1;
}

static void end_entry(struct export *x) {
    struct export_state *state = x->state;
    if (state->fields) {
        buffer_int32(&x->fields, ENTRY_END);
        buffer_int64(&x->ends, (int64_t)x->fields.length);
    }
    state->entry_bytes = state->fields = state->is_told = 0;
}

static int is_name(const uint8_t *name, size_t length) {
    if (!length || length > NAME_MAX_BYTES || (name[0] >= '0' && name[0] <= '9')) return 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t letter = name[i] | 0x20;
        int is_word = (letter >= 'a' && letter <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_';
        if (!is_word) return 0;
    }
    return 1;
}

static uint64_t size_at(const uint8_t *at) {
    uint64_t size = 0;
    for (int i = SIZE_BYTES; i-- > 0;) size = size << 8 | at[i];
    return size;
}

/* A field whose name ends at `line_end`; false if it is not all there. */
static int read_binary(struct export *x, const uint8_t *line_end) {
    const uint8_t *name = x->at;
    size_t length = (size_t)(line_end - name);
    if (x->end - line_end <= SIZE_BYTES) return 0;
    const uint8_t *value = line_end + 1 + SIZE_BYTES;
    uint64_t size = size_at(line_end + 1);
    if (size > DECLARED_MAX_BYTES || !is_name(name, length)) {
        leave_out(x, "left out: a line is no field: ", name, length, "");
        x->at = line_end + 1;
    } else if ((int64_t)size > x->state->field_max_bytes) {
        leave_out_large(x, name, length);
        x->state->skip_bytes = (int64_t)size + 1;
        x->at = value;
    } else {
        if ((uint64_t)(x->end - value) <= size) return 0;
        if (admit(x, name, length, (size_t)size)) append_field(&x->fields, name, length, value, (size_t)size);
        x->at = value + size + 1;
    }
    return 1;
}

/* A line that is not all there: waited for, or left out if what there is of its value is too long already, so that it
 * does not matter in which pieces it comes. */
static int await_line(struct export *x) {
    size_t length = (size_t)(x->end - x->at);
    size_t name_length = length < NAME_MAX_BYTES ? length : NAME_MAX_BYTES;
    const uint8_t *equals = memchr(x->at, '=', length), *value = equals ? equals + 1 : x->at;
    if (x->end - value <= x->state->field_max_bytes) return 0;
    leave_out_large(x, x->at, equals ? (size_t)(equals - x->at) : name_length);
    x->state->skips_line = 1;
    x->at = x->end;
    return 0;
}

static void skip(struct export *x) {
    struct export_state *state = x->state;
    if (state->skip_bytes) {
        int64_t left = x->end - x->at, skipped = state->skip_bytes < left ? state->skip_bytes : left;
        state->skip_bytes -= skipped;
        x->at += skipped;
        return;
    }
    const uint8_t *newline = memchr(x->at, '\n', (size_t)(x->end - x->at));
    x->at = newline ? newline + 1 : x->end;
    state->skips_line = !newline;
}

/* The first `=` or newline, or the end; and whether what stands before it is ASCII. */
static const uint8_t *find_name_end(const uint8_t *at, const uint8_t *end, int *is_ascii) {
    uint8_t bytes = 0;
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)at);
        __m128i stops = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('=')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\n')));
        unsigned mask = (unsigned)_mm_movemask_epi8(stops), beyond_ascii = (unsigned)_mm_movemask_epi8(block);
        if (mask) {
            unsigned before = (mask & (0 - mask)) - 1;
            *is_ascii = !(bytes & 0x80) && !(beyond_ascii & before);
            return at + __builtin_ctz(mask);
        }
        if (beyond_ascii) bytes = 0x80;
    }
#endif
    for (; at < end && *at != '=' && *at != '\n'; at++) bytes |= *at;
    *is_ascii = bytes < 0x80;
    return at;
}

static void read_line(struct export *x, const uint8_t *equals, const uint8_t *line_end, int is_ascii) {
    const uint8_t *name = x->at, *value = equals + 1;
    size_t name_length = (size_t)(equals - name), length = (size_t)(line_end - value);
    x->at = line_end + 1;
    if (!admit(x, name, name_length, length)) return;
    if (is_ascii) append_line(&x->fields, name, name_length, (size_t)(line_end - name));
    else append_field(&x->fields, name, name_length, value, length);
}

/* Reads what stands next; false if it is not all there. */
static int read_next(struct export *x) {
    if (x->at == x->end) return 0;
    if (x->state->skip_bytes || x->state->skips_line) {
        skip(x);
        return 1;
    }
    if (*x->at == '\n') {
        end_entry(x);
        x->at++;
        return 1;
    }
    int is_ascii;
    const uint8_t *name_end = find_name_end(x->at, x->end, &is_ascii);
    const uint8_t *line_end = memchr(name_end, '\n', (size_t)(x->end - name_end));
    if (!line_end) return await_line(x);
    if (line_end == name_end) return read_binary(x, line_end);
    read_line(x, name_end, line_end, is_ascii);
    return 1;
}

/* Reads the bytes that follow those that were read before; `read` is how many were, the rest has to come again, with
 * more. `fields` go on the entry that was not complete; `ends`, int64 each, are the places in them where entries end. */
EXPORT int32_t kernel_journald_export(struct export_state *state, const uint8_t *bytes, int64_t length, int64_t *read,
                                      struct column_buffer *fields, struct column_buffer *ends) {
    struct export *x = calloc(1, sizeof *x);
    if (!x) return KERNEL_OUT_OF_MEMORY;
    x->state = state;
    x->at = bytes, x->end = bytes + length;
    x->fields.memory = x->ends.memory = x->told.memory = &x->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(x->memory.exhausted) == 0) {
        buffer_reserve(&x->fields, (size_t)length + (size_t)length / 4);
        while (read_next(x)) continue;
        *read = x->at - bytes;
        *fields = buffer_hand_over(&x->fields);
        *ends = buffer_hand_over(&x->ends);
        status = KERNEL_OK;
    }
    buffer_free(&x->fields);
    buffer_free(&x->ends);
    buffer_free(&x->told);
    free(x);
    return status;
}
