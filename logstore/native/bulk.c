#include "bulk.h"

#include <stdlib.h>

#include "columns.h"
#include "intern.h"
#include "json.h"
#include "utf8.h"

struct action {
    enum bulk_verb verb;
    int32_t index; /* code, or -1 */
    int has_id;
};

struct splitter {
    struct memory memory;
    const uint8_t *at, *end;
    int64_t max_items, items, index_nulls;
    int has_too_many;
    struct json_reader reader;
    struct json_members outer, inner;
    struct buffer verbs, states, index_codes, index_validity, documents;
    struct intern index;
    struct text_builder ids;
    struct json_text known; /* the action line that was read last, if it can be told by its text alone */
    struct action known_action;
};

/* The next line that is not blank, trimmed; without a place at the end of the body. */
static struct json_text next_line(struct splitter *s) {
    while (s->at < s->end) {
        const uint8_t *newline = memchr(s->at, '\n', (size_t)(s->end - s->at));
        const uint8_t *line_end = newline ? newline : s->end;
        struct json_text line = json_trimmed((struct json_text){s->at, line_end});
        s->at = newline ? newline + 1 : s->end;
        if (line.at < line.end) return line;
    }
    return (struct json_text){NULL, NULL};
}

static int read_object(struct splitter *s, struct json_text text, struct json_members *members) {
    s->reader.is_valid_utf8 = utf8_is_valid(text.at, text.end);
    return json_read_only_object(&s->reader, text, members);
}

static int verb_of(const struct json_member *member) {
    static const char *const words[BULK_VERBS] = {"index", "create", "update", "delete"};
    for (int verb = 0; verb < BULK_VERBS; verb++) {
        if (member->key_length == strlen(words[verb]) && memcmp(member->key, words[verb], member->key_length) == 0) {
            return verb;
        }
    }
    return -1;
}

static const struct json_value *value_of(struct json_members *members, const char *key) {
    struct json_member *member = json_members_find(members, (const uint8_t *)key, strlen(key));
    return member ? &member->value : NULL;
}

static int32_t index_code(struct splitter *s, const struct json_value *value) {
    if (!value || value->kind != JSON_STRING || value->length == 2) return -1;
    uint8_t *copy = arena_take(&s->reader.arena, value->length);
    size_t length = (size_t)(json_unescape(value, copy) - copy);
    return utf8_is_valid(copy, copy + length) ? intern_code(&s->index, copy, length) : -1;
}

/* The action's `_id` as a JSON string, into the row of `ids` that is not ended yet. */
static int append_id(struct splitter *s, const struct json_value *value) {
    struct buffer *out = &s->ids.text;
    if (!value || (value->kind != JSON_STRING && value->kind != JSON_NUMBER)) return 0;
    if (value->kind == JSON_NUMBER) buffer_byte(out, '"');
    json_append_value(&s->reader, out, value);
    if (value->kind == JSON_NUMBER) buffer_byte(out, '"');
    return 1;
}

/* Reads an action line; false if it is none. Its first member is the action: clients put notes of their own behind it. */
static int read_action(struct splitter *s, struct json_text line, struct action *action) {
    size_t length = (size_t)(line.end - line.at);
    if (s->known.at && (size_t)(s->known.end - s->known.at) == length && memcmp(s->known.at, line.at, length) == 0) {
        *action = s->known_action;
        return 1;
    }
    arena_reset(&s->reader.arena);
    if (!read_object(s, line, &s->outer) || s->outer.count == 0) return 0;
    const struct json_value *about = &s->outer.items[0].value;
    int verb = verb_of(&s->outer.items[0]);
    if (verb < 0 || about->kind != JSON_OBJECT) return 0;
    json_members_clear(&s->inner);
    json_read_object(&s->reader, about->text, 1, &s->inner);
    *action = (struct action){(enum bulk_verb)verb, index_code(s, value_of(&s->inner, "_index")), 0};
    action->has_id = append_id(s, value_of(&s->inner, "_id"));
    s->known = action->has_id ? (struct json_text){NULL, NULL} : line;
    s->known_action = *action;
    return 1;
}

/* After a line that is no action: is the next one an action, and not that one's document? */
static int begins_action(struct splitter *s) {
    const uint8_t *was = s->at;
    struct json_text line = next_line(s);
    s->at = was;
    if (!line.at || !read_object(s, line, &s->outer) || s->outer.count != 1) return 0;
    return verb_of(&s->outer.items[0]) >= 0 && s->outer.items[0].value.kind == JSON_OBJECT;
}

static void append_document(struct splitter *s, struct json_text text) {
    buffer_append(&s->documents, text.at, (size_t)(text.end - text.at));
    buffer_byte(&s->documents, '\n');
}

/* What an update would leave is what it brings. */
static int append_update(struct splitter *s, struct json_text line) {
    if (!read_object(s, line, &s->outer)) return 0;
    const struct json_value *document = value_of(&s->outer, "doc");
    if (!document || document->kind != JSON_OBJECT) document = value_of(&s->outer, "upsert");
    if (!document || document->kind != JSON_OBJECT) return 0;
    append_document(s, (struct json_text){document->text, document->text + document->length});
    return 1;
}

static enum bulk_state read_document(struct splitter *s, const struct action *action) {
    if (action->verb == BULK_DELETE) return BULK_DELETION;
    struct json_text line = next_line(s);
    if (!line.at) return BULK_NO_DOCUMENT;
    if (action->verb == BULK_UPDATE) return append_update(s, line) ? BULK_DOCUMENT : BULK_BAD_UPDATE;
    append_document(s, line);
    return BULK_DOCUMENT;
}

static void split_item(struct splitter *s, struct json_text line) {
    struct action action = {BULK_INDEX, -1, 0};
    enum bulk_state state = BULK_BAD_ACTION;
    if (read_action(s, line, &action)) state = read_document(s, &action);
    else if (!begins_action(s)) next_line(s);
    buffer_byte(&s->verbs, (uint8_t)action.verb);
    buffer_byte(&s->states, (uint8_t)state);
    buffer_int32(&s->index_codes, action.index < 0 ? 0 : action.index);
    buffer_bit(&s->index_validity, s->items, action.index >= 0);
    s->index_nulls += action.index < 0;
    text_end_row(&s->ids, action.has_id);
    s->items++;
}

static void split(struct splitter *s) {
    text_init(&s->ids, &s->memory);
    for (struct json_text line = next_line(s); line.at && !s->has_too_many; line = next_line(s)) {
        if (s->items == s->max_items) s->has_too_many = 1;
        else split_item(s, line);
    }
}

static void hand_over(struct splitter *s, struct bulk_result *result) {
    if (s->index.count == 0) buffer_int32(&s->index.offsets, 0);
    result->items = s->items;
    result->verbs = buffer_hand_over(&s->verbs);
    result->states = buffer_hand_over(&s->states);
    result->index = (struct word_column_buffers){
        buffer_hand_over(&s->index_validity), buffer_hand_over(&s->index_codes), buffer_hand_over(&s->index.offsets),
        buffer_hand_over(&s->index.text), s->index_nulls, s->index.count};
    result->ids = text_hand_over(&s->ids);
    result->documents = buffer_hand_over(&s->documents);
}

static void free_splitter(struct splitter *s) {
    json_reader_free(&s->reader);
    json_members_free(&s->outer);
    json_members_free(&s->inner);
    struct buffer *buffers[] = {&s->verbs, &s->states, &s->index_codes, &s->index_validity, &s->documents};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    intern_free(&s->index);
    text_free(&s->ids);
    free(s);
}

int32_t kernel_bulk_split(const uint8_t *body, int64_t length, int64_t max_items, struct bulk_result *result) {
    struct splitter *s = calloc(1, sizeof *s);
    if (!s) return KERNEL_OUT_OF_MEMORY;
    s->at = body;
    s->end = body + length;
    s->max_items = max_items;
    if (length >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0) s->at += 3;
    json_reader_init(&s->reader, &s->memory);
    intern_init(&s->index, &s->memory);
    s->outer.memory = s->inner.memory = s->ids.text.memory = &s->memory;
    struct buffer *buffers[] = {&s->verbs, &s->states, &s->index_codes, &s->index_validity, &s->documents};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = &s->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(s->memory.exhausted) == 0) {
        split(s);
        status = s->has_too_many ? KERNEL_TOO_MANY_RECORDS : KERNEL_OK;
        if (status == KERNEL_OK) hand_over(s, result);
    }
    free_splitter(s);
    return status;
}
