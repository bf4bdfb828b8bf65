#include <stdlib.h>

#include "attribute_column.h"
#include "columns.h"

enum { GUESSES = 64 };

enum fate { MOVED, OMITTABLE, LEFT };

/* What became of the member at this place of the row before. */
struct place {
    int32_t asked;
    enum fate fate;
};

struct splitter {
    struct memory memory;
    const struct split_request *request;
    struct json_reader reader;
    struct json_members asked, members, line; /* `asked`: the request's keys in their order */
    struct attribute_column *columns;
    struct text_builder rest;
    struct buffer scratch[2]; /* for the row, and for the one before */
    struct buffer places;     /* struct place, of the row before */
    int32_t guesses[GUESSES]; /* which asked key stood at this place in an earlier row */
};

/* Which of the asked keys the member's is, or -1. */
static int32_t asked_of(struct splitter *s, int32_t place, const struct json_member *member) {
    if (place < GUESSES) {
        const struct json_member *guess = &s->asked.items[s->guesses[place]];
        if (s->asked.count && guess->key_length == member->key_length &&
            memcmp(guess->key, member->key, member->key_length) == 0) return s->guesses[place];
    }
    const struct json_member *found = json_members_find(&s->asked, member->key, member->key_length);
    if (!found) return -1;
    int32_t asked = (int32_t)(found - s->asked.items);
    if (place < GUESSES) s->guesses[place] = asked;
    return asked;
}

/* A key with a lone surrogate (read as U+FFFD) could not be written back. */
static int is_sound(const struct json_member *member) {
    if (member->key_is_plain) return 1;
    const uint8_t *at = member->key, *end = at + member->key_length;
    while ((at = memchr(at, 0xEF, (size_t)(end - at)))) {
        if (end - at >= 3 && at[1] == 0xBF && at[2] == 0xBD) return 0;
        at++;
    }
    return 1;
}

/* Reads the row's members; false if it is to stay in the rest as it is. */
static int read_row(struct splitter *s, struct json_text text) {
    if (!json_read_next_object(&s->reader, text, &s->members)) {
        for (int64_t i = 0; i < s->request->column_count; i++) s->columns[i].in_rest = 1;
        json_members_clear(&s->members);
        return 0;
    }
    if (s->members.is_alike) return 1;
    if (s->members.repeats) return 0;
    for (int32_t i = 0; i < s->members.count; i++) {
        if (!is_sound(&s->members.items[i])) return 0;
    }
    return 1;
}

/* Of a row that stays as it is. */
static void note_in_rest(struct splitter *s) {
    for (int32_t i = 0; i < s->members.count; i++) {
        int32_t asked = asked_of(s, i, &s->members.items[i]);
        if (asked < 0 || asked >= s->request->column_count) continue;
        s->columns[asked].in_rest |= s->members.items[i].value.kind != JSON_NULL;
    }
}

static int is_composite(const struct json_value *value) {
    return value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
}

/* Puts the member into its column if it fits, or tells what else is to become of it. */
static enum fate put_member(struct splitter *s, int64_t row, const struct json_member *member, int32_t asked) {
    if (asked < 0) return LEFT;
    union attribute_scalar scalar;
    enum attribute_kind kind = attribute_read(&member->value, &scalar);
    if (asked >= s->request->column_count) return kind == ATTRIBUTE_TEXT || is_composite(&member->value) ? OMITTABLE : LEFT;
    if (kind != (enum attribute_kind)s->request->keys[asked].kind) {
        s->columns[asked].in_rest |= member->value.kind != JSON_NULL;
        return LEFT;
    }
    attribute_column_put(&s->columns[asked], row, &member->value, &scalar);
    return MOVED;
}

/* Moves the row's members into their columns, as far as they fit, marked as dropped. */
static void move_members(struct splitter *s, int64_t row) {
    size_t size = (size_t)s->members.count * sizeof(struct place);
    s->places.length = 0;
    struct place *places = (struct place *)(void *)buffer_reserve(&s->places, size);
    for (int32_t i = 0; i < s->members.count; i++) {
        struct json_member *member = &s->members.items[i];
        struct place *place = &places[i];
        if (!s->members.is_alike) place->asked = asked_of(s, i, member);
        if (!s->members.is_alike || !member->is_same) place->fate = put_member(s, row, member, place->asked);
        else if (place->fate == MOVED) attribute_column_put_again(&s->columns[place->asked], row, &member->value);
        member->is_dropped = place->fate == MOVED;
    }
}

static int is_same(const struct json_member *one, const struct json_member *other) {
    if (!one || !other) return one == other;
    return one->value.length == other->value.length &&
           memcmp(one->value.text, other->value.text, one->value.length) == 0;
}

/* Would a reader who finds no rest take of all omitted keys what the row has out of the message? */
static int is_in_message(struct splitter *s, int64_t row) {
    const struct split_request *request = s->request;
    if (request->column_count == request->key_count) return 1;
    if (!attribute_read_line(&s->reader, array_text(&request->messages, row), &s->line)) json_members_clear(&s->line);
    for (int64_t i = request->column_count; i < request->key_count; i++) {
        const struct attribute_key *key = &request->keys[i];
        const struct json_member *own = json_members_find(&s->members, key->text, (size_t)key->length);
        if (!is_same(own, json_members_find(&s->line, key->text, (size_t)key->length))) return 0;
    }
    return 1;
}

static void append_rest(struct splitter *s) {
    struct buffer *out = &s->rest.text;
    buffer_byte(out, '{');
    int is_first = 1;
    for (int32_t i = 0; i < s->members.count; i++) {
        const struct json_member *member = &s->members.items[i];
        if (member->is_dropped) continue;
        if (!is_first) buffer_byte(out, ',');
        is_first = 0;
        json_append_key(out, member);
        buffer_byte(out, ':');
        buffer_append(out, member->value.text, member->value.length);
    }
    buffer_byte(out, '}');
    text_end_row(&s->rest, 1);
}

/* The rest of a row of which nothing but omitted values is left: none if the message has the same, else these, or an
 * empty object where null would mislead. */
static void end_omitted(struct splitter *s, int64_t row) {
    if (is_in_message(s, row)) text_end_row(&s->rest, 0);
    else append_rest(s);
}

static void append_whole(struct splitter *s, struct json_text text) {
    buffer_append(&s->rest.text, text.at, (size_t)(text.end - text.at));
    text_end_row(&s->rest, 1);
}

/* Where the members of the message stand in the row's attributes, if all of them do, just as they are; else their end. */
static const uint8_t *line_of(const struct splitter *s, struct json_text text, int64_t row) {
    int is_put_together = text.at == s->scratch[row % 2].data;
    struct json_text message = array_text(&s->request->messages, row);
    return is_put_together ? text.end - (message.end - message.at) : text.at == message.at ? text.at : text.end;
}

static void split_row(struct splitter *s, int64_t row) {
    struct json_text text = attributes_text(&s->request->attributes, &s->request->messages, row, &s->scratch[row % 2]);
    arena_reset(&s->reader.arena);
    if (!text.at) {
        json_members_clear(&s->members);
        end_omitted(s, row);
        return;
    }
    if (!read_row(s, text)) {
        note_in_rest(s);
        append_whole(s, text);
        return;
    }
    const uint8_t *line = line_of(s, text, row);
    int is_any_left = 0, is_of_line = line < text.end && json_is_clean(&s->members);
    move_members(s, row);
    const struct place *places = (const struct place *)(const void *)s->places.data;
    for (int32_t i = 0; i < s->members.count; i++) {
        is_any_left |= places[i].fate == LEFT;
        is_of_line &= places[i].fate != OMITTABLE || s->members.items[i].value.text > line;
    }
    if (is_any_left) append_rest(s);
    else if (is_of_line) text_end_row(&s->rest, 0);
    else end_omitted(s, row);
}

static void split_rows(struct splitter *s) {
    const struct split_request *request = s->request;
    text_init(&s->rest, &s->memory);
    s->columns = memory_resize(&s->memory, NULL, (size_t)request->column_count * sizeof *s->columns);
    memset(s->columns, 0, (size_t)request->column_count * sizeof *s->columns);
    for (int64_t i = 0; i < request->column_count; i++) {
        attribute_column_begin(&s->columns[i], &s->memory, (enum attribute_kind)request->keys[i].kind, request->rows);
    }
    for (int64_t i = 0; i < request->key_count; i++) {
        const struct attribute_key *key = &request->keys[i];
        struct json_member member = {.key = key->text, .key_length = (uint32_t)key->length};
        json_members_put(&s->asked, &member);
    }
    for (int64_t row = 0; row < request->rows; row++) split_row(s, row);
}

static void hand_over(struct splitter *s, struct text_column *rest, struct typed_column *columns) {
    *rest = text_hand_over(&s->rest);
    for (int64_t i = 0; i < s->request->column_count; i++) {
        columns[i] = attribute_column_hand_over(&s->columns[i]);
    }
}

static void free_splitter(struct splitter *s) {
    for (int64_t i = 0; s->columns && i < s->request->column_count; i++) attribute_column_free(&s->columns[i]);
    free(s->columns);
    json_reader_free(&s->reader);
    json_members_free(&s->asked);
    json_members_free(&s->members);
    json_members_free(&s->line);
    text_free(&s->rest);
    struct buffer *buffers[] = {&s->scratch[0], &s->scratch[1], &s->places};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    free(s);
}

int32_t kernel_attributes_split(const struct split_request *request, struct text_column *rest,
                                struct typed_column *columns) {
    struct splitter *s = calloc(1, sizeof *s);
    if (!s) return KERNEL_OUT_OF_MEMORY;
    s->request = request;
    json_reader_init(&s->reader, &s->memory);
    s->reader.is_valid_utf8 = 1;
    s->asked.memory = s->members.memory = s->line.memory = &s->memory;
    s->scratch[0].memory = s->scratch[1].memory = s->places.memory = &s->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(s->memory.exhausted) == 0) {
        split_rows(s);
        hand_over(s, rest, columns);
        status = KERNEL_OK;
    }
    free_splitter(s);
    return status;
}
