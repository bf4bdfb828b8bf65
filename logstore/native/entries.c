#include "entries.h"

#include <stdlib.h>

#include "number.h"
#include "timestamp.h"
#include "utf8.h"

#define TIME_MIN_NS (TIME_MIN_S * NS_PER_S)
#define TIME_MAX_NS (TIME_END_S * NS_PER_S - 1)

void entries_append_text(struct entries *e, struct buffer *out, struct span text) {
    if (utf8_is_valid(text.at, text.at + text.length)) {
        json_append_string(out, text.at, text.length);
        return;
    }
    e->scratch.length = 0;
    utf8_append_replaced(&e->scratch, text.at, text.at + text.length);
    json_append_string(out, e->scratch.data, e->scratch.length);
}

void entries_begin_base(struct entries *e, struct span text) {
    utf8_append_replaced(&e->bases.text, text.at, text.at + text.length);
    text_end_row(&e->bases, 1);
    e->plain_group = -1;
    entries_clear_shared(e);
}

void entries_clear_shared(struct entries *e) {
    e->shared.length = 0;
    e->shared_is_repeated = 0;
    memset(e->shared_seen, 0, sizeof e->shared_seen);
}

void entries_begin(struct entries *e) {
    struct buffer *attributes = &e->attributes.text;
    e->attributes_from = attributes->length;
    buffer_byte(attributes, '{');
    buffer_append(attributes, e->shared.data, e->shared.length);
    memcpy(e->seen, e->shared_seen, sizeof e->seen);
    e->is_repeated = e->shared_is_repeated;
    e->is_broken = 0;
    e->lifted.length = 0;
}

size_t entries_normalise(struct span key, uint8_t *out) {
    size_t length = 0;
    for (size_t i = 0; i < key.length; i++) {
        uint8_t byte = key.at[i];
        if (byte == '.' || byte == '/' || byte == '-') byte = '_';
        if (byte >= 'A' && byte <= 'Z') byte |= 0x20;
        if (byte != '_' || length) out[length++] = byte;
    }
    return length;
}

static int is_lifted(struct entries *e, struct span key, enum lift lift) {
    if (lift == LIFT_NEVER || key.length > ENTRIES_NAME_MAX) return 0;
    uint8_t name[ENTRIES_NAME_MAX];
    size_t length = entries_normalise(key, name);
    if (intern_find(&e->lifted_names, name, length) >= 0) return 1;
    return lift == LIFT_STREAM && intern_find(&e->stream_names, name, length) >= 0;
}

enum lift entries_lift_of(struct span text) {
    static const char words[2][7] = {"stdout", "stderr"};
    int is_stream = text.length == 6 && (memcmp(text.at, words[0], 6) == 0 || memcmp(text.at, words[1], 6) == 0);
    return is_stream ? LIFT_STREAM : LIFT_NAMED;
}

static void append_key(struct entries *e, struct buffer *out, struct span key) {
    entries_append_text(e, out, key);
    buffer_byte(out, ':');
}

struct buffer *entries_member(struct entries *e, struct span key, enum lift lift) {
    struct buffer *out = &e->attributes.text;
    if (is_lifted(e, key, lift)) out = &e->lifted;
    else e->is_repeated |= json_mark_key(e->seen, key.at, key.length);
    append_key(e, out, key);
    return out;
}

struct buffer *entries_shared_member(struct entries *e, struct span key) {
    e->shared_is_repeated |= json_mark_key(e->shared_seen, key.at, key.length);
    append_key(e, &e->shared, key);
    return &e->shared;
}

static void append_note(struct entries *e, const char *key, struct span json) {
    struct buffer *out = &e->attributes.text;
    e->is_repeated |= json_mark_key(e->seen, (const uint8_t *)key, strlen(key));
    append_key(e, out, span_of(key));
    buffer_append(out, json.at, json.length);
    buffer_byte(out, ',');
}

static int32_t group_of(struct entries *e) {
    if (!e->lifted.length && e->plain_group >= 0) return e->plain_group;
    struct buffer *text = &e->scratch;
    text->length = 0;
    text->length = (size_t)(number_print_integer(buffer_reserve(text, NUMBER_TEXT_MAX), e->bases.rows - 1) - text->data);
    buffer_byte(text, '\n');
    if (e->lifted.length) {
        buffer_byte(text, '{');
        buffer_append(text, e->lifted.data, e->lifted.length);
        text->data[text->length - 1] = '}';
    }
    int32_t code = intern_code(&e->groups, text->data, text->length);
    if (!e->lifted.length) e->plain_group = code;
    return code;
}

/* The entry's time, or the receiver's where it has none that can be kept. */
static int64_t time_of(struct entries *e, const struct entry *entry) {
    int64_t now_ns = e->request->now_ns;
    if (entry->odd_time.length) {
        append_note(e, "_time", entry->odd_time);
        return now_ns;
    }
    if (!entry->has_time) return now_ns;
    int64_t time_ns = entry->time_ns;
    if (time_ns >= TIME_MIN_NS && time_ns <= TIME_MAX_NS && time_ns - DAY_NS <= now_ns) return time_ns;
    uint8_t text[NUMBER_TEXT_MAX];
    append_note(e, "_time", (struct span){text, (size_t)(number_print_integer(text, time_ns) - text)});
    return now_ns;
}

/* Less one trailing newline; what is not UTF-8 is escaped, and said to be. */
static void append_message(struct entries *e, struct span message) {
    struct buffer *text = &e->message.text;
    const uint8_t *end = message.at + message.length;
    if (message.length && end[-1] == '\n') end--;
    if (utf8_is_valid(message.at, end)) {
        buffer_append(text, message.at, (size_t)(end - message.at));
    } else {
        utf8_append_escaped(text, message.at, end);
        append_note(e, "_escape", span_of("\"backslash\""));
    }
    text_end_row(&e->message, 1);
}

/* Where a key came twice the last value counts. */
static void make_unique(struct entries *e) {
    struct buffer *attributes = &e->attributes.text;
    struct json_reader *reader = &e->reader;
    struct json_value value;
    const uint8_t *text = attributes->data + e->attributes_from;
    reader->end = attributes->data + attributes->length;
    reader->is_valid_utf8 = 1;
    arena_reset(&reader->arena);
    if (!json_scan(reader, text, 0, &value)) return;
    e->scratch.length = 0;
    json_append_canonical(reader, &e->scratch, &value, 0);
    attributes->length = e->attributes_from;
    buffer_append(attributes, e->scratch.data, e->scratch.length);
}

static void end_attributes(struct entries *e) {
    struct buffer *attributes = &e->attributes.text;
    int is_empty = attributes->length == e->attributes_from + 1;
    if (is_empty) {
        attributes->length = e->attributes_from;
    } else {
        attributes->data[attributes->length - 1] = '}';
        if (e->is_repeated) make_unique(e);
    }
    text_end_row(&e->attributes, !is_empty);
}

static void append_optional(struct text_builder *column, struct span text) {
    utf8_append_replaced(&column->text, text.at, text.at + text.length);
    text_end_row(column, text.length > 0);
}

static void reject(struct entries *e, int64_t size) {
    e->attributes.text.length = e->attributes_from;
    e->rejected++;
    if (e->rejected > ENTRIES_TOLD_MAX) return;
    buffer_int64(&e->rejects, e->rows + e->rejected);
    buffer_int64(&e->rejects, size);
}

void entries_leave(struct entries *e) { reject(e, ENTRIES_LEFT); }

void entries_end(struct entries *e, const struct entry *entry) {
    if (entry->message.length > (uint64_t)e->request->max_line_bytes) {
        reject(e, (int64_t)entry->message.length);
        return;
    }
    if (e->rows == e->request->max_records) {
        e->status = KERNEL_TOO_MANY_RECORDS;
        return;
    }
    buffer_int32(&e->group, group_of(e));
    buffer_int64(&e->time, time_of(e, entry));
    buffer_int32(&e->severity, (int32_t)entry->severity);
    append_optional(&e->trace_id, entry->trace_id);
    append_optional(&e->span_id, entry->span_id);
    append_message(e, entry->message);
    end_attributes(e);
    e->rows++;
    uint64_t text_bytes = e->message.text.length + e->attributes.text.length + e->groups.text.length;
    if (text_bytes > (uint64_t)e->request->max_text_bytes) e->status = ENTRIES_TOO_LARGE;
}

void entries_end_broken(struct entries *e, struct span raw, const char *why) {
    e->attributes.text.length = e->attributes_from;
    entries_begin(e);
    entries_append_text(e, entries_member(e, span_of("_ingest_error"), LIFT_NEVER), span_of(why));
    buffer_byte(&e->attributes.text, ',');
    int64_t rows = e->rows;
    entries_end(e, &(struct entry){.message = raw});
    e->broken += e->rows - rows;
}

static void intern_names(struct entries *e) {
    const uint8_t *at = e->request->lifted, *end = at + e->request->lifted_length;
    struct intern *names = &e->lifted_names;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *stop = newline ? newline : end;
        if (stop == at) names = &e->stream_names;
        else intern_code(names, at, (size_t)(stop - at));
        at = stop + 1;
    }
}

static struct text_column hand_over_texts(struct intern *intern) {
    struct buffer no_validity = {0};
    if (intern->count == 0) buffer_int32(&intern->offsets, 0);
    return (struct text_column){buffer_hand_over(&no_validity), buffer_hand_over(&intern->offsets), buffer_hand_over(&intern->text), 0};
}

static void hand_over(struct entries *e, struct entries_result *result) {
    *result = (struct entries_result){
        .rows = e->rows,
        .bases = e->bases.rows,
        .groups = e->groups.count,
        .broken = e->broken,
        .rejected = e->rejected,
        .rejects = buffer_hand_over(&e->rejects),
        .time = buffer_hand_over(&e->time),
        .severity = buffer_hand_over(&e->severity),
        .group = buffer_hand_over(&e->group),
        .base_texts = text_hand_over(&e->bases),
        .message = text_hand_over(&e->message),
        .trace_id = text_hand_over(&e->trace_id),
        .span_id = text_hand_over(&e->span_id),
        .attributes = text_hand_over(&e->attributes),
    };
    result->group_texts = hand_over_texts(&e->groups);
}

static void entries_init(struct entries *e, const struct entries_request *request) {
    struct memory *memory = &e->memory;
    e->request = request;
    e->plain_group = -1;
    json_reader_init(&e->reader, memory);
    intern_init(&e->lifted_names, memory);
    intern_init(&e->stream_names, memory);
    intern_init(&e->groups, memory);
    intern_init(&e->names, memory);
    struct buffer *buffers[] = {&e->time, &e->severity, &e->group, &e->rejects, &e->scratch,
                                &e->lifted, &e->shared, &e->body, &e->fields, &e->kept, &e->keys};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = memory;
}

static void entries_free(struct entries *e) {
    json_reader_free(&e->reader);
    intern_free(&e->lifted_names);
    intern_free(&e->stream_names);
    intern_free(&e->groups);
    intern_free(&e->names);
    struct buffer *buffers[] = {&e->time, &e->severity, &e->group, &e->rejects, &e->scratch,
                                &e->lifted, &e->shared, &e->body, &e->fields, &e->kept, &e->keys};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    struct text_builder *texts[] = {&e->bases, &e->message, &e->trace_id, &e->span_id, &e->attributes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) text_free(texts[i]);
    free(e);
}

int32_t entries_decode(const struct entries_request *request, struct entries_result *result, entries_read *read) {
    if (request->length > DECODE_MAX_BYTES) return ENTRIES_TOO_LARGE;
    struct entries *e = calloc(1, sizeof *e);
    if (!e) return KERNEL_OUT_OF_MEMORY;
    entries_init(e, request);
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(e->memory.exhausted) == 0) {
        struct text_builder *texts[] = {&e->bases, &e->message, &e->trace_id, &e->span_id, &e->attributes};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) text_init(texts[i], &e->memory);
        intern_names(e);
        read(e, (struct span){request->body, (size_t)request->length});
        status = e->status;
        if (status == KERNEL_OK) hand_over(e, result);
    }
    entries_free(e);
    return status;
}
