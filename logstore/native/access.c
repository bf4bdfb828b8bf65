#include <stdlib.h>

#include "attributes.h"
#include "columns.h"

/* Access logs of web servers: the Common Log Format and Apache's and nginx' `combined`, perhaps with the virtual host
 * before it and more behind it.
 *   <client> <ident> <user> [<time>] "<method> <path> <protocol>" <status> <bytes> "<referer>" "<user agent>" */

enum { WORDS_MAX = 4 };

struct parser {
    struct memory memory;
    struct json_reader reader;
    struct json_members members;
    struct buffer scratch;
    struct text_builder attributes;
    struct buffer parsed; /* a byte a row */
};

static struct json_text word_at(struct json_text text) {
    const uint8_t *space = memchr(text.at, ' ', (size_t)(text.end - text.at));
    return (struct json_text){text.at, space ? space : text.end};
}

static int is_number(struct json_text text) {
    if (text.at == text.end || text.end - text.at > 18 || (*text.at == '0' && text.end - text.at > 1)) return 0;
    for (; text.at < text.end; text.at++) {
        if (*text.at < '0' || *text.at > '9') return 0;
    }
    return 1;
}

static int is_dash(struct json_text text) { return text.end - text.at == 1 && *text.at == '-'; }

/* What stands in quotes at `at`; a backslash escapes the byte after it. False if there are none. */
static int quoted_at(const uint8_t *at, const uint8_t *end, struct json_text *found) {
    if (at == end || *at != '"') return 0;
    found->at = ++at;
    while (at < end && *at != '"') at += *at == '\\' && at + 1 < end ? 2 : 1;
    found->end = at;
    return at < end;
}

/* A member unless it was pushed, or there is nothing to say. */
static void put(struct parser *p, const char *key, struct json_text text, int is_text) {
    size_t length = strlen(key);
    if (!text.at || text.at == text.end || is_dash(text)) return;
    if (json_members_find(&p->members, (const uint8_t *)key, length)) return;
    struct json_value value = {.text = text.at, .length = (uint32_t)(text.end - text.at), .kind = JSON_NUMBER};
    if (is_text) {
        p->scratch.length = 0;
        json_append_string(&p->scratch, text.at, (size_t)(text.end - text.at));
        uint8_t *copy = arena_take(&p->reader.arena, p->scratch.length);
        memcpy(copy, p->scratch.data, p->scratch.length);
        value = (struct json_value){.text = copy, .length = (uint32_t)p->scratch.length, .kind = JSON_STRING};
    }
    struct json_member member = json_member_of(key, value);
    json_members_put(&p->members, &member);
}

struct access {
    struct json_text host, client, user, request, status, bytes, referer, agent;
};

/* The words before the time: client, ident and user, perhaps with the virtual host before them. */
static const uint8_t *read_head(struct json_text line, struct access *access) {
    struct json_text words[WORDS_MAX];
    int count = 0;
    while (line.at < line.end && *line.at != '[') {
        if (count == WORDS_MAX) return NULL;
        words[count] = word_at(line);
        if (words[count].at == words[count].end || words[count].end == line.end) return NULL;
        line.at = words[count++].end + 1;
    }
    if (count < 3 || line.at == line.end) return NULL;
    if (count == 4) access->host = words[0];
    access->client = words[count - 3];
    access->user = words[count - 1];
    const uint8_t *bracket = memchr(line.at, ']', (size_t)(line.end - line.at));
    return bracket && bracket + 1 < line.end && bracket[1] == ' ' ? bracket + 2 : NULL;
}

static int read_access(struct json_text line, struct access *access) {
    const uint8_t *at = read_head(line, access);
    if (!at || !quoted_at(at, line.end, &access->request)) return 0;
    at = access->request.end + 1;
    if (at == line.end || *at != ' ') return 0;
    access->status = word_at((struct json_text){at + 1, line.end});
    if (!is_number(access->status) || access->status.end - access->status.at != 3) return 0;
    if (access->status.end == line.end) return 0;
    access->bytes = word_at((struct json_text){access->status.end + 1, line.end});
    if (!is_number(access->bytes) && !is_dash(access->bytes)) return 0;
    at = access->bytes.end;
    if (line.end - at < 2 || !quoted_at(at + 1, line.end, &access->referer)) return 1;
    at = access->referer.end + 1;
    if (line.end - at >= 2 && *at == ' ') quoted_at(at + 1, line.end, &access->agent);
    return 1;
}

static void put_request(struct parser *p, struct json_text request) {
    struct json_text method = word_at(request);
    struct json_text protocol = {request.end, request.end};
    while (protocol.at > method.end && protocol.at[-1] != ' ') protocol.at--;
    if (protocol.at <= method.end + 1 || method.at == method.end || protocol.end - protocol.at < 5 ||
        memcmp(protocol.at, "HTTP/", 5) != 0) {
        put(p, "request", request, 1);
        return;
    }
    put(p, "method", method, 1);
    put(p, "path", (struct json_text){method.end + 1, protocol.at - 1}, 1);
    put(p, "protocol", protocol, 1);
}

static void append_members(struct parser *p) {
    struct buffer *out = &p->attributes.text;
    uint8_t separator = '{';
    for (int32_t i = 0; i < p->members.count; i++) {
        buffer_byte(out, separator);
        json_append_key(out, &p->members.items[i]);
        buffer_byte(out, ':');
        json_append_value(&p->reader, out, &p->members.items[i].value);
        separator = ',';
    }
    if (separator == '{') buffer_byte(out, '{');
    buffer_byte(out, '}');
    text_end_row(&p->attributes, 1);
}

static int parse_row(struct parser *p, struct json_text message, struct json_text pushed) {
    struct access access = {{NULL, NULL}};
    if (!read_access(message, &access)) return 0;
    arena_reset(&p->reader.arena);
    json_members_clear(&p->members);
    if (pushed.at && !json_read_only_object(&p->reader, pushed, &p->members)) return 0;
    put(p, "vhost", access.host, 1);
    put(p, "client", access.client, 1);
    put(p, "user", access.user, 1);
    put_request(p, access.request);
    put(p, "status", access.status, 0);
    if (!is_dash(access.bytes)) put(p, "bytes", access.bytes, 0);
    put(p, "referer", access.referer, 1);
    put(p, "user_agent", access.agent, 1);
    append_members(p);
    return 1;
}

/* Attributes with what the messages of the chosen rows (a byte each) say as access logs, and which said something.
 * Mirrored in ingest/rules_texts.py. */
EXPORT int32_t kernel_parse_access(int64_t rows, const struct array_input *messages,
                                   const struct array_input *attributes, const uint8_t *chosen,
                                   struct text_column *result, struct column_buffer *parsed) {
    struct parser *p = calloc(1, sizeof *p);
    if (!p) return KERNEL_OUT_OF_MEMORY;
    json_reader_init(&p->reader, &p->memory);
    p->reader.is_valid_utf8 = 1;
    p->members.memory = p->scratch.memory = p->parsed.memory = &p->memory;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(p->memory.exhausted) == 0) {
        text_init(&p->attributes, &p->memory);
        for (int64_t row = 0; row < rows; row++) {
            struct json_text pushed = array_text(attributes, row);
            int is_parsed = chosen[row] && parse_row(p, array_text(messages, row), pushed);
            buffer_byte(&p->parsed, (uint8_t)is_parsed);
            if (is_parsed) continue;
            buffer_append(&p->attributes.text, pushed.at, (size_t)(pushed.end - pushed.at));
            text_end_row(&p->attributes, pushed.at != NULL);
        }
        *result = text_hand_over(&p->attributes);
        *parsed = buffer_hand_over(&p->parsed);
        status = KERNEL_OK;
    }
    json_reader_free(&p->reader);
    json_members_free(&p->members);
    buffer_free(&p->scratch);
    buffer_free(&p->parsed);
    text_free(&p->attributes);
    free(p);
    return status;
}
