/* GELF documents as senders usually write them; others are left to ingest/protocols/gelf/decode.py, which says what becomes
 * of what.
 *
 * The names that are `lifted` each begin with a letter: `o` tells the origin, `p` does if the name only begins so, `t` and
 * `s` have the ids of trace and span. What is lifted of a document also has a member without a name: the sender's
 * address, the host, and the level where it tells the stream. */
#include "entries_json.h"
#include "messages.h"
#include "number.h"
#include "timestamp.h"

enum { TIME_TEXT_MAX = 24, LEVELS = 8, STDERR = 3, STDOUT = 6, NO_LEVEL = -1, NAMES_MAX = 512 };

static const char *const UNTOLD[LEVELS] = {"\"emerg\"", "\"alert\"", "\"crit\"", NULL, NULL, "\"notice\"", NULL, NULL};

enum own { VERSION, HOST, SHORT_MESSAGE, FULL_MESSAGE, TIMESTAMP, LEVEL, OWN_COUNT };

static const char *const OWN[OWN_COUNT] = {"version", "host", "short_message", "full_message", "timestamp", "level"};

enum role { ATTRIBUTE, ORIGIN, TRACE, SPAN };

struct document {
    struct json_value own[OWN_COUNT]; /* `text` is NULL where there is none */
    struct entry entry;
    int is_of_docker;
};

static int is_named(struct span name, const char *text) {
    return name.length == strlen(text) && memcmp(name.at, text, name.length) == 0;
}

static int is_known(struct entries *e, uint8_t letter, uint8_t *name, size_t length) {
    name[0] = letter;
    return intern_find(&e->lifted_names, name, length + 1) >= 0;
}

static enum role role_of(struct entries *e, struct span name) {
    uint8_t text[ENTRIES_NAME_MAX + 1];
    int is_long = name.length > ENTRIES_NAME_MAX;
    if (is_long) name.length = ENTRIES_NAME_MAX;
    size_t length = entries_normalise(name, text + 1);
    if (!is_long) {
        if (is_known(e, 'o', text, length)) return ORIGIN;
        if (is_known(e, 't', text, length)) return TRACE;
        if (is_known(e, 's', text, length)) return SPAN;
    }
    for (size_t i = 1; i < length; i++) {
        if (text[i + 1] == '_' && is_known(e, 'p', text, i)) return ORIGIN;
    }
    return ATTRIBUTE;
}

static void append_member(struct entries *e, struct buffer *out, struct span name, const struct json_value *value) {
    json_append_string(out, name.at, name.length);
    buffer_byte(out, ':');
    json_append_value(&e->reader, out, value);
    buffer_byte(out, ',');
}

/* Notes the name; one that is there already, or too many, are left to the exact reader. */
static void note_name(struct entries *e, struct span name) {
    size_t count = e->fields.length / sizeof name;
    const struct span *known = (const struct span *)(const void *)e->fields.data;
    if (json_mark_key(e->seen, name.at, name.length)) {
        for (size_t i = 0; i < count; i++) {
            if (known[i].length == name.length && memcmp(known[i].at, name.at, name.length) == 0) json_unsure(e);
        }
    }
    if (count == NAMES_MAX) json_unsure(e);
    else buffer_append(&e->fields, &name, sizeof name);
}

static void read_additional(struct entries *e, struct document *document, struct span name,
                            const struct json_value *value) {
    enum role role = role_of(e, name);
    note_name(e, name);
    if (role == TRACE || role == SPAN) {
        struct span *id = role == TRACE ? &document->entry.trace_id : &document->entry.span_id;
        if (id->length || !json_string(e, value, id) || !id->length) json_unsure(e);
    } else if (role == ATTRIBUTE) {
        append_member(e, &e->attributes.text, name, value);
    } else if (value->kind == JSON_STRING || value->kind == JSON_NUMBER) {
        append_member(e, &e->lifted, name, value);
        document->is_of_docker |= is_named(name, "container_id");
    } else {
        json_unsure(e);
    }
}

static enum own own_of(struct span name) {
    int own = 0;
    while (own < OWN_COUNT && !is_named(name, OWN[own])) own++;
    return (enum own)own;
}

static void read_member(struct entries *e, struct document *document, const struct json_value *key,
                        const struct json_value *value) {
    struct span name = {key->text + 1, key->length - 2};
    enum own own = own_of(name);
    if (key->has_backslash) {
        json_unsure(e);
    } else if (own < OWN_COUNT) {
        if (document->own[own].text) json_unsure(e);
        document->own[own] = *value;
    } else {
        if (name.length > 1 && name.at[0] == '_') name.at++, name.length--;
        /* An attribute with the name of a member that may become one. */
        if (is_named(name, "message") || is_named(name, "full_message") || is_named(name, "level")) json_unsure(e);
        else read_additional(e, document, name, value);
    }
}

/* 0-7, or NO_LEVEL where there is none. */
static int level_of(struct entries *e, const struct json_value *value) {
    if (!value->text) return NO_LEVEL;
    const uint8_t *digit = value->kind == JSON_STRING ? value->text + 1 : value->text;
    size_t length = value->kind == JSON_STRING ? value->length - 2 : value->length;
    int is_scalar = value->kind == JSON_STRING || value->kind == JSON_NUMBER;
    return is_scalar && length == 1 && *digit >= '0' && *digit <= '7' ? *digit - '0' : json_unsure(e);
}

static void read_time(struct entries *e, const struct json_value *value, struct entry *entry) {
    if (!value->text) return;
    int is_usual = value->kind == JSON_NUMBER && value->length <= TIME_TEXT_MAX;
    for (size_t i = 0; is_usual && i < value->length; i++) {
        is_usual = value->text[i] == '.' || (value->text[i] >= '0' && value->text[i] <= '9');
    }
    entry->has_time = 1;
    if (!is_usual || time_parse_epoch(value->text, value->length, &entry->time_ns) != TIME_OK) json_unsure(e);
}

static struct span text_of(struct entries *e, const struct json_value *value) {
    struct span text = {(const uint8_t *)"", 0};
    if (value->text) json_string(e, value, &text);
    return text;
}

static void append_own(struct entries *e, struct document *document, int level) {
    struct buffer *out = &e->attributes.text;
    struct span full = text_of(e, &document->own[FULL_MESSAGE]), message = document->entry.message;
    if (!message.length && full.length) json_unsure(e);
    if (document->own[FULL_MESSAGE].text && (full.length != message.length || memcmp(full.at, message.at, full.length))) {
        append_member(e, out, span_of("full_message"), &document->own[FULL_MESSAGE]);
    }
    if (level == NO_LEVEL || !UNTOLD[level]) return;
    note_name(e, span_of("syslog_severity"));
    buffer_append(out, "\"syslog_severity\":", 18);
    buffer_append(out, UNTOLD[level], strlen(UNTOLD[level]));
    buffer_byte(out, ',');
}

static void lift_origin(struct entries *e, struct span peer, struct span host, int level) {
    struct buffer *lifted = &e->lifted;
    buffer_append(lifted, "\"\":[", 4);
    json_append_string(lifted, peer.at, peer.length);
    buffer_byte(lifted, ',');
    json_append_string(lifted, host.at, host.length);
    if (level == STDERR || level == STDOUT) {
        buffer_byte(lifted, ',');
        buffer_byte(lifted, (uint8_t)('0' + level));
    }
    buffer_append(lifted, "],", 2);
}

static void end_document(struct entries *e, struct document *document, struct span peer) {
    struct entry *entry = &document->entry;
    int level = level_of(e, &document->own[LEVEL]);
    if (!document->own[SHORT_MESSAGE].text) json_unsure(e);
    entry->message = text_of(e, &document->own[SHORT_MESSAGE]);
    read_time(e, &document->own[TIMESTAMP], entry);
    struct span host = text_of(e, &document->own[HOST]);
    if (e->status != KERNEL_OK) return;
    append_own(e, document, level);
    lift_origin(e, peer, host, document->is_of_docker ? level : NO_LEVEL);
    if (level != NO_LEVEL) entry->severity = severity_of_word((const uint8_t *)&"01234567"[level], 1);
    if (e->status == KERNEL_OK) entries_end(e, entry);
}

/* Reads the object at `at`; returns its end, or NULL. */
static const uint8_t *read_document(struct entries *e, const uint8_t *at, struct span peer) {
    struct document document = {.entry = {.trace_id = {at, 0}, .span_id = {at, 0}}};
    struct json_value key, value;
    if (at == e->reader.end || *at != '{') {
        json_unsure(e);
        return NULL;
    }
    arena_reset(&e->reader.arena);
    entries_begin(e);
    e->fields.length = 0;
    at = json_skip_space(at + 1, e->reader.end);
    while (json_next_member(e, &at, &key, &value)) read_member(e, &document, &key, &value);
    if (e->status != KERNEL_OK) return NULL;
    end_document(e, &document, peer);
    return e->status == KERNEL_OK ? at + 1 : NULL;
}

static const uint8_t *skip_between(const uint8_t *at, const uint8_t *end) {
    while (at < end && (json_is_space(*at) || *at == 0)) at++;
    return at;
}

static int has_line_end(const uint8_t *at, const uint8_t *end) {
    while (at < end && *at != '\n' && *at != 0) at++;
    return at < end;
}

/* A message may have several documents if each is in a line of its own. Returns how many were read. */
static int read_message(struct entries *e, struct span message, struct span peer) {
    const uint8_t *at = message.at, *end = at + message.length;
    int count = 0;
    if (!utf8_is_valid(at, end)) json_unsure(e);
    while (e->status == KERNEL_OK && (at = skip_between(at, end)) < end) {
        e->reader.end = end;
        e->reader.is_valid_utf8 = 1;
        const uint8_t *after = read_document(e, at, peer);
        if (!after) return count;
        count++;
        const uint8_t *next = skip_between(after, end);
        int is_only = count == 1 && next == end, is_one_line = !memchr(at, '\n', (size_t)(after - at));
        if (!is_only && !is_one_line) json_unsure(e);
        if (next < end && !has_line_end(after, next)) json_unsure(e);
        at = next;
    }
    if (!count) json_unsure(e);
    return count;
}

/* Messages that are left are told by their places, which are those of records only if each has one document. */
static void read_messages(struct entries *e, struct span body) {
    struct messages messages = {.at = body.at, .end = body.at + body.length, .peer = {body.at, 0}};
    struct span message;
    int has_several = 0;
    entries_begin_base(e, (struct span){body.at, 0});
    while (e->status == KERNEL_OK && messages_next(&messages, &message)) {
        size_t attributes_bytes = e->attributes.text.length;
        int is_peer_text = utf8_is_valid(messages.peer.at, messages.peer.at + messages.peer.length);
        if (messages.is_cut || !is_peer_text) json_unsure(e);
        int count = e->status == KERNEL_OK ? read_message(e, message, messages.peer) : 0;
        has_several |= count > 1;
        if (e->status == ENTRIES_UNSURE && count == 0) {
            e->status = KERNEL_OK;
            e->attributes.text.length = attributes_bytes;
            entries_begin(e);
            entries_leave(e);
        }
    }
    if (messages.is_broken || (has_several && e->rejected)) json_unsure(e);
}

EXPORT int32_t kernel_gelf(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_messages);
}
