#include <stdlib.h>

#include "columns.h"
#include "intern.h"
#include "trace_lines.h"
#include "unwrap.h"

struct traces_request {
    int64_t rows;
    struct array_input messages, attributes;
    const int32_t *sources; /* SOURCE_COLUMNS numbers a row: rows with other numbers are never of one trace */
    int64_t languages;
    int64_t max_bytes; /* a longer trace begins a new record */
};

struct traces_result {
    int64_t rows; /* as many as before: nothing was joined, and the result holds nothing */
    struct column_buffer firsts; /* int64: the row in which each record begins */
    struct text_column messages;
};

/* The record of one source that is being put together. */
struct record {
    int32_t last, held; /* rows; -1: none */
    enum trace_state state;
    int32_t is_escaped;
    int64_t bytes;
};

struct joiner {
    struct memory memory;
    const struct traces_request *request;
    struct json_reader reader;
    struct json_members members;
    struct intern sources;
    struct buffer records; /* struct record of each source */
    struct buffer next;    /* int32 of each row: the row in which its record goes on; -1: none */
    struct buffer is_rest; /* a byte of each row */
    struct buffer firsts;
    struct text_builder messages;
    int64_t joined;
};

static struct json_text line_of(const struct joiner *j, int64_t row) {
    if (row < 0) return (struct json_text){NULL, NULL};
    return array_text(&j->request->messages, row);
}

/* Is the row's message written in an escape, as bytes that are no UTF-8 are? */
static int is_escaped(struct joiner *j, int64_t row) {
    struct json_text message = line_of(j, row), attributes = array_text(&j->request->attributes, row);
    if (!attributes.at || message.at == message.end) return 0;
    if (!memchr(message.at, '\\', (size_t)(message.end - message.at))) return 0;
    arena_reset(&j->reader.arena);
    return json_read_only_object(&j->reader, attributes, &j->members) &&
           json_members_find(&j->members, (const uint8_t *)"_escape", 7) != NULL;
}

static struct record *record_of(struct joiner *j, int64_t row) {
    const uint8_t *key = (const uint8_t *)(j->request->sources + row * SOURCE_COLUMNS);
    int32_t count = j->sources.count, code = intern_code(&j->sources, key, SOURCE_COLUMNS * sizeof(int32_t));
    if (code == count) {
        struct record none = {.last = -1, .held = -1};
        buffer_append(&j->records, &none, sizeof none);
    }
    return (struct record *)j->records.data + code;
}

static void begin(struct joiner *j, struct record *record, int64_t row) {
    struct json_text line = line_of(j, row);
    *record = (struct record){.last = (int32_t)row, .held = -1, .bytes = line.end - line.at};
    record->state = trace_begin(line, j->request->languages);
    record->is_escaped = -1;
}

static void attach(struct joiner *j, struct record *record, int64_t row) {
    struct json_text line = line_of(j, row);
    ((int32_t *)j->next.data)[record->last] = (int32_t)row;
    j->is_rest.data[row] = 1;
    j->joined++;
    record->last = (int32_t)row;
    record->bytes += line.end - line.at + 1;
}

/* May the row stand in one message with what is there already? */
static int fits(struct joiner *j, struct record *record, int64_t row) {
    struct json_text line = line_of(j, row);
    if (record->bytes + (line.end - line.at) >= j->request->max_bytes) return 0;
    if (record->is_escaped < 0) record->is_escaped = is_escaped(j, record->last);
    return is_escaped(j, row) == record->is_escaped;
}

static void take(struct joiner *j, int64_t row) {
    struct record *record = record_of(j, row);
    if (record->last < 0) {
        begin(j, record, row);
        return;
    }
    struct json_text line = line_of(j, row), held = line_of(j, record->held);
    enum trace_verdict verdict = trace_step(&record->state, line, held, j->request->languages);
    if (verdict == TRACE_HOLDS && fits(j, record, row)) {
        record->held = (int32_t)row;
    } else if (verdict == TRACE_CONTINUES && fits(j, record, row)) {
        if (record->held >= 0) attach(j, record, record->held);
        record->held = -1;
        attach(j, record, row);
    } else if (record->held >= 0) { /* what was held begins a record, of which this line may be */
        begin(j, record, record->held);
        take(j, row);
    } else {
        begin(j, record, row);
    }
}

static void link_rows(struct joiner *j) {
    int64_t rows = j->request->rows;
    memset(buffer_reserve(&j->next, (size_t)rows * sizeof(int32_t)), 0xFF, (size_t)rows * sizeof(int32_t));
    memset(buffer_reserve(&j->is_rest, (size_t)rows), 0, (size_t)rows);
    for (int64_t row = 0; row < rows; row++) take(j, row);
}

static void append_records(struct joiner *j) {
    struct buffer *out = &j->messages.text;
    text_init(&j->messages, &j->memory);
    for (int64_t row = 0; row < j->request->rows; row++) {
        if (j->is_rest.data[row]) continue;
        buffer_int64(&j->firsts, row);
        for (int64_t at = row; at >= 0; at = ((const int32_t *)j->next.data)[at]) {
            struct json_text line = line_of(j, at);
            if (at != row) buffer_byte(out, '\n');
            buffer_append(out, line.at, (size_t)(line.end - line.at));
        }
        text_end_row(&j->messages, 1);
    }
}

/* Lines of stack traces as one record each. KERNEL_OK or KERNEL_OUT_OF_MEMORY. Mirrored in ingest/lines_kernels.py. */
EXPORT int32_t kernel_join_traces(const struct traces_request *request, struct traces_result *result) {
    struct joiner *j = calloc(1, sizeof *j);
    if (!j) return KERNEL_OUT_OF_MEMORY;
    j->request = request;
    json_reader_init(&j->reader, &j->memory);
    j->reader.is_valid_utf8 = 1;
    j->members.memory = &j->memory;
    intern_init(&j->sources, &j->memory);
    struct buffer *buffers[] = {&j->records, &j->next, &j->is_rest, &j->firsts};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = &j->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(j->memory.exhausted) == 0) {
        link_rows(j);
        result->rows = request->rows - j->joined;
        if (j->joined) {
            append_records(j);
            result->firsts = buffer_hand_over(&j->firsts);
            result->messages = text_hand_over(&j->messages);
        }
        status = KERNEL_OK;
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    json_reader_free(&j->reader);
    json_members_free(&j->members);
    intern_free(&j->sources);
    text_free(&j->messages);
    free(j);
    return status;
}
