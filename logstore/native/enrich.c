#include "enrich.h"

#include <stdlib.h>

#include "columns.h"
#include "lines.h"
#include "member_severity.h"

struct enricher {
    struct memory memory;
    const struct enrich_request *request;
    struct json_reader reader;
    struct json_members line, pushed;
    struct json_text pushed_text; /* what `pushed` was read from, if it may be kept for the next row */
    struct buffer severities;
    struct text_builder attributes;
    int64_t pushed_bytes_ahead; /* of the rows after this one: they must fit in any case */
};

enum { NOTE_BYTES = 64 };

static int has_attributes(const struct enrich_request *request, int64_t row) {
    int64_t bit = request->validity_at + row;
    return !request->attribute_validity || request->attribute_validity[bit / 8] >> bit % 8 & 1;
}

static struct json_text message_of(const struct enrich_request *request, int64_t row) {
    return (struct json_text){request->message + request->message_offsets[row],
                              request->message + request->message_offsets[row + 1]};
}

/* Without a place where there are none, or an empty text, which would say that they are the message. */
static struct json_text attributes_of(const struct enrich_request *request, int64_t row) {
    const int32_t *offsets = request->attribute_offsets + row;
    if (!has_attributes(request, row) || offsets[0] == offsets[1]) return (struct json_text){NULL, NULL};
    return (struct json_text){request->attributes + offsets[0], request->attributes + offsets[1]};
}

static int is_same(struct json_text one, struct json_text other) {
    size_t length = (size_t)(one.end - one.at);
    return other.at && (size_t)(other.end - other.at) == length && memcmp(one.at, other.at, length) == 0;
}

static void forget_pushed(struct enricher *e) {
    e->pushed_text = (struct json_text){NULL, NULL};
    json_members_clear(&e->pushed);
}

/* Reads the pushed attributes into `pushed`, unless the row before had the same; false where they are no object. */
static int read_pushed(struct enricher *e, struct json_text text) {
    if (text.at && is_same(text, e->pushed_text)) return 1;
    e->pushed_text = (struct json_text){NULL, NULL};
    if (!text.at) json_members_clear(&e->pushed);
    else if (!json_read_next_object(&e->reader, text, &e->pushed)) return 0;
    if (json_is_clean(&e->pushed)) e->pushed_text = text; /* all its keys stand there, none is the reader's */
    return 1;
}

/* Replaces what the line said by one note. */
static enum line_kind note_error(struct enricher *e, const char *text) {
    json_members_clear(&e->line);
    struct json_value value = {.text = (const uint8_t *)text, .length = (uint32_t)strlen(text)};
    struct json_member note = json_member_of("_ingest_error", value);
    json_members_put(&e->line, &note);
    return LINE_UNSURE;
}

/* The pushed attributes, and after them those of the line that they do not have. */
static void append_merged(struct enricher *e, struct json_text pushed) {
    struct buffer *out = &e->attributes.text;
    size_t from = out->length;
    int is_empty = e->pushed.count == 0;
    if (is_empty) {
        buffer_byte(out, '{');
    } else {
        pushed = json_trimmed(pushed);
        buffer_append(out, pushed.at, (size_t)(pushed.end - pushed.at - 1));
    }
    for (int32_t i = 0; i < e->line.count; i++) {
        const struct json_member *member = &e->line.items[i];
        if (json_members_find(&e->pushed, member->key, member->key_length)) continue;
        if (!is_empty) buffer_byte(out, ',');
        is_empty = 0;
        json_append_key(out, member);
        buffer_byte(out, ':');
        json_append_value(&e->reader, out, &member->value);
    }
    if (is_empty) out->length = from;
    else buffer_byte(out, '}');
    text_end_row(&e->attributes, !is_empty);
}

/* The attributes are the message without the blanks around it: where it has none, an empty text says so. */
static void append_message(struct enricher *e, struct json_text message) {
    struct json_text object = json_trimmed(message);
    if (object.end - object.at != message.end - message.at) {
        buffer_append(&e->attributes.text, object.at, (size_t)(object.end - object.at));
    }
    text_end_row(&e->attributes, 1);
}

/* May the message's members stand for themselves, after the pushed ones? */
static int can_follow(struct enricher *e, struct json_text message) {
    if (*message.at != '{' || message.end[-1] != '}' || !json_is_clean(&e->line)) return 0;
    if (!e->pushed.count || !json_is_clean(&e->pushed)) return 0;
    for (int32_t i = 0; i < e->line.count; i++) {
        if (json_members_find(&e->pushed, e->line.items[i].key, e->line.items[i].key_length)) return 0;
    }
    return 1;
}

/* A text that ends in a comma says that the message's members follow. */
static void append_open(struct enricher *e, struct json_text pushed) {
    pushed = json_trimmed(pushed);
    buffer_append(&e->attributes.text, pushed.at, (size_t)(pushed.end - pushed.at - 1));
    buffer_byte(&e->attributes.text, ',');
    text_end_row(&e->attributes, 1);
}

static void append_text(struct enricher *e, struct json_text text) {
    buffer_append(&e->attributes.text, text.at, (size_t)(text.end - text.at));
    text_end_row(&e->attributes, text.at != NULL);
}

/* Would the row's attributes fit, whatever they become, with `growth` bytes for what the line adds? */
static int fits(const struct enricher *e, struct json_text pushed, int64_t growth) {
    int64_t length = (int64_t)e->attributes.text.length + (pushed.end - pushed.at) + growth;
    return length + e->pushed_bytes_ahead <= INT32_MAX;
}

static void enrich_row(struct enricher *e, int64_t row) {
    struct json_text message = message_of(e->request, row), pushed = attributes_of(e->request, row);
    enum severity severity = (enum severity)e->request->severities[row], klog = SEVERITY_NONE;
    e->pushed_bytes_ahead -= pushed.end - pushed.at;
    arena_reset(&e->reader.arena);
    enum line_kind kind = line_read(&e->reader, message.at, message.end, &e->line, &klog);
    /* A pair a=b becomes "a":"b", and a backslash two: less than four times as long. */
    if (kind != LINE_PLAIN && !fits(e, pushed, (message.end - message.at) * 4 + NOTE_BYTES)) {
        kind = note_error(e, "\"too many attributes in one batch\"");
    } else if (kind == LINE_UNSURE) {
        kind = note_error(e, "\"JSON nested deeper than 128 levels\"");
    }
    int is_asked = severity == SEVERITY_NONE || (kind != LINE_PLAIN && pushed.at);
    if (!is_asked && !pushed.at) forget_pushed(e);
    if (is_asked && !read_pushed(e, pushed)) {
        forget_pushed(e);
        kind = note_error(e, "\"the pushed attributes are no JSON object\"");
        pushed = (struct json_text){NULL, NULL};
    }
    if (severity == SEVERITY_NONE) severity = severity_of_members(&e->reader, &e->pushed, &e->line);
    if (severity == SEVERITY_NONE) severity = klog;
    if (severity == SEVERITY_NONE && (kind == LINE_PLAIN || kind == LINE_KLOG)) {
        severity = severity_of_line(message.at, (size_t)(message.end - message.at));
    }
    buffer_int32(&e->severities, (int32_t)severity);
    if (e->line.count == 0 || !fits(e, pushed, NOTE_BYTES)) append_text(e, pushed);
    else if (kind == LINE_JSON && !pushed.at && json_is_clean(&e->line)) append_message(e, message);
    else if (kind == LINE_JSON && pushed.at && can_follow(e, message)) append_open(e, pushed);
    else append_merged(e, pushed);
}

static void enrich_rows(struct enricher *e) {
    const struct enrich_request *request = e->request;
    text_init(&e->attributes, &e->memory);
    buffer_reserve(&e->severities, (size_t)request->rows * sizeof(int32_t));
    if (request->rows) {
        e->pushed_bytes_ahead = (int64_t)request->attribute_offsets[request->rows] - request->attribute_offsets[0];
        buffer_reserve(&e->attributes.text, (size_t)e->pushed_bytes_ahead);
    }
    for (int64_t row = 0; row < request->rows; row++) enrich_row(e, row);
}

int32_t kernel_enrich(const struct enrich_request *request, struct enrich_result *result) {
    struct enricher *e = calloc(1, sizeof *e);
    if (!e) return KERNEL_OUT_OF_MEMORY;
    e->request = request;
    json_reader_init(&e->reader, &e->memory);
    e->line.memory = e->pushed.memory = e->severities.memory = &e->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(e->memory.exhausted) == 0) {
        enrich_rows(e);
        result->severities = buffer_hand_over(&e->severities);
        result->attributes = text_hand_over(&e->attributes);
        status = KERNEL_OK;
    }
    json_reader_free(&e->reader);
    json_members_free(&e->line);
    json_members_free(&e->pushed);
    buffer_free(&e->severities);
    text_free(&e->attributes);
    free(e);
    return status;
}
