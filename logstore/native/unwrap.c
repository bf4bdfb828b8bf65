#include "unwrap.h"

#include <stdlib.h>

#include "columns.h"
#include "intern.h"
#include "utf8.h"
#include "wrapping.h"

/* A row, and the row in which its line goes on. What is in it is read again when it is written: rows are many. */
struct piece {
    int32_t next;       /* -1: none */
    uint8_t is_wrapped;
    uint8_t is_partial; /* its line goes on */
    uint8_t is_rest;    /* its line began in a row before */
    uint8_t is_escaped; /* its message is written in the escape of `utf8_append_escaped` */
};

/* The line of a source that waits for its next piece. */
struct open_line {
    int32_t last; /* -1: none */
    int64_t bytes;
};

struct unwrapper {
    struct memory memory;
    const struct unwrap_request *request;
    struct json_reader reader;
    struct json_members members;
    struct buffer pieces, open, raw;
    struct intern sources;
    struct buffer firsts, times, streams;
    struct text_builder messages, attributes;
};

static struct piece *piece_at(struct unwrapper *u, int64_t row) { return (struct piece *)u->pieces.data + row; }

static struct json_member *find(struct unwrapper *u, const char *key) {
    return json_members_find(&u->members, (const uint8_t *)key, strlen(key));
}

/* The row's attributes into `members`; false if there are none, or none that can be read. */
static int read_attributes(struct unwrapper *u, int64_t row) {
    struct json_text text = array_text(&u->request->attributes, row);
    arena_reset(&u->reader.arena);
    if (text.at && json_read_only_object(&u->reader, text, &u->members)) return 1;
    json_members_clear(&u->members);
    return 0;
}

static void read_row(struct unwrapper *u, int64_t row, struct wrapped *found) {
    struct json_text message = array_text(&u->request->messages, row);
    arena_reset(&u->reader.arena);
    read_wrapped(&u->reader, &u->members, message, u->request->formats, u->request->now_ns, found);
    if (found->kind != WRAPPED_NOT || !u->request->is_told || !read_attributes(u, row)) return;
    read_told(&u->members, u->request->formats, found);
    found->content = message;
    found->time_ns = u->request->times[row];
    found->is_time_kept = 1;
}

static int is_written_escaped(struct unwrapper *u, int64_t row) {
    struct json_text message = array_text(&u->request->messages, row);
    if (message.at == message.end || !memchr(message.at, '\\', (size_t)(message.end - message.at))) return 0;
    return read_attributes(u, row) && find(u, "_escape") != NULL;
}

static struct piece piece_of(struct unwrapper *u, int64_t row) {
    struct piece piece = {.next = -1};
    struct wrapped wrapped;
    read_row(u, row, &wrapped);
    if (wrapped.kind == WRAPPED_NOT) return piece;
    piece.is_escaped = (uint8_t)is_written_escaped(u, row);
    /* Docker writes no bytes that must be escaped: what these backslashes mean, nobody knows. */
    piece.is_wrapped = wrapped.kind != WRAPPED_DOCKER || !piece.is_escaped;
    piece.is_partial = piece.is_wrapped && wrapped.is_partial;
    return piece;
}

/* Notes what each row is; how many are partial. */
static int64_t read_pieces(struct unwrapper *u) {
    int64_t partial = 0;
    for (int64_t row = 0; row < u->request->rows; row++) {
        struct piece piece = piece_of(u, row);
        buffer_append(&u->pieces, &piece, sizeof piece);
        partial += piece.is_partial;
    }
    return partial;
}

/* What tells one file from another where senders give no identity: pieces with other values are never of one line. */
static uint64_t file_of(struct unwrapper *u, int64_t row) {
    static const char *const keys[] = {"file", "path", "filename", "file_path", "log.file.path", "tag", "_tag",
                                       "container_id", "source", "partial_id", "CONTAINER_PARTIAL_ID"};
    uint64_t hash = 0;
    if (!read_attributes(u, row)) return hash;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct json_member *member = find(u, keys[i]);
        if (member && member->value.kind == JSON_STRING) {
            hash = hash * 31 + hash_bytes(member->value.text, member->value.length) + i;
        }
    }
    return hash;
}

static struct open_line *open_line_of(struct unwrapper *u, int64_t row, enum unwrapped_stream stream) {
    struct { int32_t columns[SOURCE_COLUMNS + 2]; uint64_t file; } key;
    memcpy(key.columns, u->request->sources + row * SOURCE_COLUMNS, SOURCE_COLUMNS * sizeof(int32_t));
    key.columns[SOURCE_COLUMNS] = stream;
    key.columns[SOURCE_COLUMNS + 1] = 0;
    key.file = file_of(u, row);
    int32_t count = u->sources.count, code = intern_code(&u->sources, (const uint8_t *)&key, sizeof key);
    if (code == count) {
        struct open_line none = {-1, 0};
        buffer_append(&u->open, &none, sizeof none);
    }
    return (struct open_line *)u->open.data + code;
}

static int64_t content_bytes(const struct wrapped *wrapped) {
    if (wrapped->kind == WRAPPED_DOCKER) return wrapped->log.length;
    return wrapped->content.end - wrapped->content.at;
}

/* Hangs each piece on the one before it. */
static void link_pieces(struct unwrapper *u) {
    for (int64_t row = 0; row < u->request->rows; row++) {
        struct piece *piece = piece_at(u, row);
        if (!piece->is_wrapped) continue;
        struct wrapped wrapped;
        read_row(u, row, &wrapped);
        struct open_line *line = open_line_of(u, row, wrapped.stream);
        int64_t bytes = content_bytes(&wrapped);
        if (line->last >= 0 && line->bytes + bytes <= u->request->max_line_bytes) {
            piece_at(u, line->last)->next = (int32_t)row;
            piece->is_rest = 1;
            bytes += line->bytes;
        }
        line->last = piece->is_partial ? (int32_t)row : -1;
        line->bytes = bytes;
    }
}

/* The content as it stands in the message, to `out`. */
static void append_content(struct buffer *out, const struct wrapped *wrapped) {
    if (wrapped->kind != WRAPPED_DOCKER) {
        buffer_append(out, wrapped->content.at, (size_t)content_bytes(wrapped));
        return;
    }
    uint8_t *to = buffer_reserve(out, wrapped->log.length);
    uint8_t *end = json_unescape(&wrapped->log, to);
    out->length += (size_t)(end - to) - !wrapped->is_partial; /* a whole line ends in its newline */
}

static int hex_digit(uint8_t byte) { return byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10; }

/* The bytes that `utf8_append_escaped` was given. */
static void append_unescaped(struct buffer *out, struct json_text text) {
    uint8_t *to = buffer_reserve(out, (size_t)(text.end - text.at));
    while (text.at < text.end) {
        if (*text.at != '\\' || text.end - text.at < 2) {
            *to++ = *text.at++;
        } else if (text.at[1] == 'x' && text.end - text.at >= 4) {
            *to++ = (uint8_t)(hex_digit(text.at[2]) << 4 | hex_digit(text.at[3]));
            text.at += 4;
        } else {
            *to++ = text.at[1];
            text.at += 2;
        }
    }
    out->length = (size_t)(to - out->data);
}

/* A line of which some piece is written in the escape; is it too? A runtime cuts between any two bytes: pieces that
 * are no UTF-8 each may be so together. */
static int append_escaped_line(struct unwrapper *u, int64_t row, struct wrapped wrapped) {
    struct buffer *out = &u->messages.text;
    u->raw.length = 0;
    for (;;) {
        if (piece_at(u, row)->is_escaped) append_unescaped(&u->raw, wrapped.content);
        else append_content(&u->raw, &wrapped);
        row = piece_at(u, row)->next;
        if (row < 0) break;
        read_row(u, row, &wrapped);
    }
    const uint8_t *raw = u->raw.data, *end = raw + u->raw.length;
    int is_escaped = !utf8_is_valid(raw, end);
    if (is_escaped) utf8_append_escaped(out, raw, end);
    else buffer_append(out, raw, (size_t)(end - raw));
    return is_escaped;
}

/* The line that begins in this row, whose first piece is `wrapped`; is it written in the escape? */
static int append_line(struct unwrapper *u, int64_t row, struct wrapped wrapped) {
    const struct piece *first = piece_at(u, row);
    if (first->next < 0) {
        append_content(&u->messages.text, &wrapped);
        return first->is_escaped;
    }
    int is_escaped = first->is_escaped;
    for (int32_t next = first->next; next >= 0; next = piece_at(u, next)->next) {
        is_escaped |= piece_at(u, next)->is_escaped;
    }
    if (is_escaped) return append_escaped_line(u, row, wrapped);
    for (;;) {
        append_content(&u->messages.text, &wrapped);
        row = piece_at(u, row)->next;
        if (row < 0) return 0;
        read_row(u, row, &wrapped);
    }
}

static void put(struct unwrapper *u, const char *key, struct json_value value) {
    struct json_member member = json_member_of(key, value);
    json_members_put(&u->members, &member);
}

static void append_members(struct unwrapper *u) {
    struct buffer *out = &u->attributes.text;
    uint8_t separator = '{';
    for (int32_t i = 0; i < u->members.count; i++) {
        const struct json_member *member = &u->members.items[i];
        if (member->is_dropped) continue;
        buffer_byte(out, separator);
        json_append_key(out, member);
        buffer_byte(out, ':');
        json_append_value(&u->reader, out, &member->value);
        separator = ',';
    }
    if (separator == ',') buffer_byte(out, '}');
    text_end_row(&u->attributes, separator == ',');
}

static void append_attributes_as_before(struct unwrapper *u, int64_t row) {
    struct json_text text = array_text(&u->request->attributes, row);
    buffer_append(&u->attributes.text, text.at, (size_t)(text.end - text.at));
    text_end_row(&u->attributes, text.at != NULL);
}

/* In quotes: a time has no character that JSON wants escaped. */
static struct json_value quoted_time(struct unwrapper *u, struct json_text time) {
    uint32_t length = (uint32_t)(time.end - time.at);
    uint8_t *text = arena_take(&u->reader.arena, length + 2);
    text[0] = text[length + 1] = '"';
    memcpy(text + 1, time.at, length);
    return (struct json_value){.text = text, .length = length + 2, .kind = JSON_STRING};
}

/* The first piece's, with what there is to say of the line. */
static void append_attributes(struct unwrapper *u, int64_t row, const struct wrapped *head, int is_partial,
                              int is_escaped) {
    int is_joined = head->kind == WRAPPED_TOLD && piece_at(u, row)->next >= 0 && !is_partial;
    int is_other = is_joined || is_partial || !head->is_time_kept || head->attrs.text;
    if (!is_other && is_escaped == piece_at(u, row)->is_escaped) {
        append_attributes_as_before(u, row);
        return;
    }
    read_attributes(u, row);
    if (is_joined) drop_told(&u->members);
    if (head->attrs.text && !find(u, "attrs")) put(u, "attrs", head->attrs);
    if (!head->is_time_kept) put(u, "_time", quoted_time(u, head->time));
    struct json_member *escape = find(u, "_escape");
    if (escape) escape->is_dropped = 1;
    if (is_escaped) put(u, "_escape", (struct json_value){.text = (const uint8_t *)"\"backslash\"", .length = 11});
    if (is_partial) put(u, "_partial", (struct json_value){.text = (const uint8_t *)"true", .length = 4});
    append_members(u);
}

static void append_as_before(struct unwrapper *u, int64_t row) {
    struct json_text message = array_text(&u->request->messages, row);
    buffer_append(&u->messages.text, message.at, (size_t)(message.end - message.at));
    text_end_row(&u->messages, 1);
    buffer_int64(&u->times, u->request->times[row]);
    buffer_int32(&u->streams, STREAM_AS_BEFORE);
    append_attributes_as_before(u, row);
}

static void append_record(struct unwrapper *u, int64_t row) {
    const struct piece *last = piece_at(u, row);
    buffer_int64(&u->firsts, row);
    if (!last->is_wrapped) {
        append_as_before(u, row);
        return;
    }
    struct wrapped wrapped;
    read_row(u, row, &wrapped);
    while (last->next >= 0) last = piece_at(u, last->next);
    int is_escaped = append_line(u, row, wrapped);
    text_end_row(&u->messages, 1);
    buffer_int64(&u->times, wrapped.is_time_kept ? wrapped.time_ns : u->request->now_ns);
    buffer_int32(&u->streams, wrapped.stream);
    append_attributes(u, row, &wrapped, last->is_partial, is_escaped);
}

static void unwrap(struct unwrapper *u) {
    text_init(&u->messages, &u->memory);
    text_init(&u->attributes, &u->memory);
    if (read_pieces(u)) link_pieces(u);
    for (int64_t row = 0; row < u->request->rows; row++) {
        if (!piece_at(u, row)->is_rest) append_record(u, row);
    }
}

int32_t kernel_wrapped_count(int64_t rows, const struct array_input *messages, int64_t formats, int64_t *count) {
    *count = 0;
    for (int64_t row = 0; row < rows; row++) *count += looks_wrapped(array_text(messages, row), formats);
    return KERNEL_OK;
}

int32_t kernel_unwrap(const struct unwrap_request *request, struct unwrap_result *result) {
    struct unwrapper *u = calloc(1, sizeof *u);
    if (!u) return KERNEL_OUT_OF_MEMORY;
    u->request = request;
    json_reader_init(&u->reader, &u->memory);
    u->reader.is_valid_utf8 = 1;
    intern_init(&u->sources, &u->memory);
    struct buffer *buffers[] = {&u->pieces, &u->open, &u->raw, &u->firsts, &u->times, &u->streams};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = &u->memory;
    u->members.memory = &u->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(u->memory.exhausted) == 0) {
        unwrap(u);
        result->rows = u->messages.rows;
        result->firsts = buffer_hand_over(&u->firsts);
        result->times = buffer_hand_over(&u->times);
        result->streams = buffer_hand_over(&u->streams);
        result->messages = text_hand_over(&u->messages);
        result->attributes = text_hand_over(&u->attributes);
        status = KERNEL_OK;
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    json_reader_free(&u->reader);
    json_members_free(&u->members);
    intern_free(&u->sources);
    text_free(&u->messages);
    text_free(&u->attributes);
    free(u);
    return status;
}
