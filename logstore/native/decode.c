#include "decode_state.h"

#include <stdlib.h>
#include <string.h>

void decode_reject(struct decoder *d, int64_t line, enum reject_cause cause, int column, const uint8_t *at,
                   const uint8_t *end) {
    d->rejected++;
    if (d->rejected > d->request->max_rejects) return;
    struct reject told = {line, cause, column, at - d->request->body, end - at};
    buffer_append(&d->rejects, &told, sizeof told);
}

static const uint8_t *read_object(struct decoder *d, const uint8_t *at) {
    return json_read_object(&d->reader, at, 0, d->request->envelope_count ? &d->outer : &d->members);
}

static void begin_record(struct decoder *d) {
    arena_reset(&d->reader.arena);
    json_members_clear(&d->members);
    json_members_clear(&d->outer);
    d->envelope_time = NULL;
}

static void decode_line(struct decoder *d, int64_t line, const uint8_t *from, const uint8_t *to) {
    const uint8_t *at = json_skip_space(from, to);
    if (at == to) return;
    if (to - from > d->request->max_line_bytes) {
        decode_reject(d, line, REJECT_TOO_LONG, 0, from, to);
        return;
    }
    struct json_reader *reader = &d->reader;
    reader->end = to;
    reader->is_valid_utf8 = d->is_valid_utf8 || utf8_is_valid(from, to);
    begin_record(d);
    struct json_value other = {0};
    int is_record = *at == '{';
    const uint8_t *after = is_record ? read_object(d, at) : json_scan(reader, at, 0, &other);
    if (!after) {
        decode_reject(d, line, reader->error == JSON_TOO_DEEP ? REJECT_TOO_DEEP : REJECT_MALFORMED, 0, from, reader->failed_at);
        return;
    }
    const uint8_t *rest = json_skip_space(after, to);
    if (rest != to) decode_reject(d, line, REJECT_TRAILING, 0, rest, to);
    else if (!is_record) decode_reject(d, line, REJECT_NO_OBJECT, 0, at, after);
    else decode_take(d, line, at, after);
}

static const uint8_t *line_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
    return newline ? newline : end;
}

static void decode_lines(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    for (int64_t line = 1; at < end && !d->has_too_many; line++) {
        const uint8_t *newline = line_end(at, end);
        decode_line(d, line, at, newline);
        at = newline + 1;
    }
}

/* The array's elements from after its bracket. Where it breaks off, what came before is kept. */
static void decode_array(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    struct json_reader *reader = &d->reader;
    reader->end = end;
    reader->is_valid_utf8 = d->is_valid_utf8;
    at = json_skip_space(at, end);
    int is_first = 1;
    for (int64_t element = 1; !d->has_too_many; element++) {
        if (is_first && at < end && *at == ']') break;
        is_first = 0;
        begin_record(d);
        struct json_value other = {0};
        int is_record = at < end && *at == '{';
        const uint8_t *after = is_record ? read_object(d, at)
                                         : json_scan(reader, at, 0, &other);
        if (!after) {
            decode_reject(d, element, REJECT_ARRAY_BROKEN, 0, d->request->body, reader->failed_at);
            return;
        }
        if (after - at > d->request->max_line_bytes) decode_reject(d, element, REJECT_TOO_LONG, 0, at, after);
        else if (!is_record) decode_reject(d, element, REJECT_NO_OBJECT, 0, at, after);
        else decode_take(d, element, at, after);
        at = json_skip_space(after, end);
        if (at < end && *at == ',') {
            at = json_skip_space(at + 1, end);
            continue;
        }
        if (at == end || *at != ']') {
            decode_reject(d, element + 1, REJECT_ARRAY_BROKEN, 0, d->request->body, at);
            return;
        }
        is_first = 1;
    }
    if (d->has_too_many) return;
    at = json_skip_space(at + 1, end);
    if (at != end) decode_reject(d, d->rows + d->rejected + 1, REJECT_TRAILING, 0, at, end);
}

/* Blanks, a comma, or the record separator of JSON text sequences (RFC 7464). */
static int is_between(uint8_t byte) { return json_is_space(byte) || byte == ',' || byte == 0x1E; }

/* Objects one after the other. Where something else comes, what came before is kept. */
static void decode_row(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    struct json_reader *reader = &d->reader;
    reader->end = end;
    reader->is_valid_utf8 = d->is_valid_utf8;
    for (int64_t place = 1; !d->has_too_many; place++) {
        while (at < end && is_between(*at)) at++;
        if (at == end) return;
        begin_record(d);
        const uint8_t *after = *at == '{' ? read_object(d, at) : json_fail(reader, at, JSON_MALFORMED);
        if (!after) {
            decode_reject(d, place, REJECT_ARRAY_BROKEN, 0, d->request->body, reader->failed_at);
            return;
        }
        if (after - at > d->request->max_line_bytes) decode_reject(d, place, REJECT_TOO_LONG, 0, at, after);
        else decode_take(d, place, at, after);
        at = after;
    }
}

static void decode_text_line(struct decoder *d, int64_t line, const uint8_t *from, const uint8_t *to) {
    if (to - from > d->request->max_line_bytes) {
        decode_reject(d, line, REJECT_TOO_LONG, 0, from, to);
        return;
    }
    begin_record(d);
    d->reader.is_valid_utf8 = d->is_valid_utf8 || utf8_is_valid(from, to);
    decode_take_text(d, from, to);
}

static void decode_text(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    for (int64_t line = 1; at < end && !d->has_too_many; line++) {
        const uint8_t *newline = line_end(at, end);
        decode_text_line(d, line, at, newline);
        at = newline + 1;
    }
}

static void decode_body(struct decoder *d) {
    const uint8_t *at = d->request->body, *end = at + d->request->length;
    decode_names_init(&d->names, d->request, &d->memory);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        d->words[i].default_code =
            intern_code(&d->words[i].intern, d->request->defaults[i], (size_t)d->request->default_lengths[i]);
    }
    text_init(&d->message, &d->memory);
    text_init(&d->trace_id, &d->memory);
    text_init(&d->span_id, &d->memory);
    text_init(&d->attributes, &d->memory);
    d->is_valid_utf8 = utf8_is_valid(at, end);
    if (d->request->form == FORM_TEXT) {
        decode_text(d, at, end);
        return;
    }
    if (d->request->form == FORM_LINES) {
        decode_lines(d, at, end);
        return;
    }
    if (end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
    const uint8_t *first = json_skip_space(at, end);
    if (first < end && *first == '[') decode_array(d, first + 1, end);
    else if (d->request->form == FORM_ROW) decode_row(d, at, end);
    else decode_lines(d, at, end);
}

static struct word_column_buffers hand_over_words(struct buffer *codes, struct buffer *validity, int64_t nulls,
                                                  struct intern *intern) {
    if (intern->count == 0) buffer_int32(&intern->offsets, 0);
    return (struct word_column_buffers){buffer_hand_over(validity), buffer_hand_over(codes),
                                        buffer_hand_over(&intern->offsets), buffer_hand_over(&intern->text),
                                        nulls, intern->count};
}

static void hand_over(struct decoder *d, struct decode_result *result) {
    result->rows = d->rows;
    result->rejected = d->rejected;
    result->rejects = buffer_hand_over(&d->rejects);
    result->time = buffer_hand_over(&d->time);
    result->severity = buffer_hand_over(&d->severity);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        struct buffer no_validity = {0};
        result->words[i] = hand_over_words(&d->words[i].codes, &no_validity, 0, &d->words[i].intern);
    }
    result->metadata = hand_over_words(&d->metadata_codes, &d->metadata_validity, d->metadata_nulls, &d->metadata);
    result->labels = hand_over_words(&d->label_codes, &d->label_validity, d->label_nulls, &d->labels);
    result->message = text_hand_over(&d->message);
    result->trace_id = text_hand_over(&d->trace_id);
    result->span_id = text_hand_over(&d->span_id);
    result->attributes = text_hand_over(&d->attributes);
}

static void decoder_init(struct decoder *d, const struct decode_request *request) {
    struct memory *memory = &d->memory;
    d->request = request;
    json_reader_init(&d->reader, memory);
    d->members.memory = d->merged.memory = d->outer.memory = memory;
    for (int64_t i = 0; i < request->envelope_count; i++) {
        const struct envelope_name *name = &request->envelope[i];
        if (name->role == ENVELOPE_RECORD) d->outer.inner = (struct json_inner){name->text, (size_t)name->length, &d->members};
    }
    struct buffer *buffers[] = {&d->time, &d->severity, &d->rejects, &d->canonical, &d->label_codes,
                                &d->label_validity, &d->codes_of_labels, &d->gathered, &d->metadata_codes,
                                &d->metadata_validity};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = memory;
    for (int i = 0; i < WORD_COLUMNS; i++) {
        intern_init(&d->words[i].intern, memory);
        d->words[i].codes.memory = memory;
    }
    intern_init(&d->labels_as_sent, memory);
    intern_init(&d->labels, memory);
    intern_init(&d->metadata, memory);
}

static void decoder_free(struct decoder *d) {
    json_reader_free(&d->reader);
    json_members_free(&d->members);
    json_members_free(&d->merged);
    json_members_free(&d->outer);
    struct buffer *buffers[] = {&d->time, &d->severity, &d->rejects, &d->canonical, &d->label_codes,
                                &d->label_validity, &d->codes_of_labels, &d->gathered, &d->metadata_codes,
                                &d->metadata_validity};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        intern_free(&d->words[i].intern);
        buffer_free(&d->words[i].codes);
    }
    intern_free(&d->labels_as_sent);
    intern_free(&d->metadata);
    decode_names_free(&d->names);
    intern_free(&d->labels);
    text_free(&d->message);
    text_free(&d->trace_id);
    text_free(&d->span_id);
    text_free(&d->attributes);
    free(d);
}

int32_t kernel_decode(const struct decode_request *request, struct decode_result *result) {
    if (request->length > DECODE_MAX_BYTES) return KERNEL_REFUSED;
    struct decoder *d = calloc(1, sizeof *d);
    if (!d) return KERNEL_OUT_OF_MEMORY;
    decoder_init(d, request);
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(d->memory.exhausted) == 0) {
        decode_body(d);
        if (d->has_too_many) {
            status = KERNEL_TOO_MANY_RECORDS;
        } else {
            hand_over(d, result);
            status = KERNEL_OK;
        }
    }
    decoder_free(d);
    return status;
}
