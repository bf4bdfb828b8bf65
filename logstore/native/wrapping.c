#include "wrapping.h"

#include "timestamp.h"

enum { TIME_BYTES_MIN = 20, TIME_BYTES_MAX = 40 };

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static int begins_with(struct json_text text, const char *with, size_t length) {
    return (size_t)(text.end - text.at) >= length && memcmp(text.at, with, length) == 0;
}

static int looks_like_date(struct json_text text) {
    return text.end - text.at >= TIME_BYTES_MIN && is_digit(text.at[0]) && text.at[4] == '-' && text.at[10] == 'T';
}

static int looks_like_docker(struct json_text text) { return begins_with(text, "{\"log\":", 7); }

int looks_wrapped(struct json_text message, int64_t formats) {
    return (formats & UNWRAP_CRI && looks_like_date(message)) || (formats & UNWRAP_DOCKER && looks_like_docker(message));
}

/* RFC 3339; one that no record can have is a time too. */
static int read_time(struct json_text text, int64_t now_ns, struct wrapped *found) {
    if (!looks_like_date(text) || text.end - text.at > TIME_BYTES_MAX) return 0;
    enum time_status status = time_parse(text.at, (size_t)(text.end - text.at), &found->time_ns);
    found->time = text;
    found->is_time_kept = status == TIME_OK && found->time_ns - DAY_NS <= now_ns;
    return status != TIME_UNREADABLE;
}

static struct json_text until_space(const uint8_t *at, const uint8_t *end) {
    const uint8_t *space = memchr(at, ' ', (size_t)(end - at));
    return (struct json_text){at, space ? space : end};
}

static int read_stream(struct json_text word, enum unwrapped_stream *stream) {
    if (word.end - word.at != 6) return 0;
    if (memcmp(word.at, "stdout", 6) == 0) *stream = STREAM_STDOUT;
    else if (memcmp(word.at, "stderr", 6) == 0) *stream = STREAM_STDERR;
    else return 0;
    return 1;
}

/* <time> <stdout|stderr> <P or F, then tags after colons> <content> (the logging format of the Kubernetes CRI). */
static int read_cri(struct json_text message, int64_t now_ns, struct wrapped *found) {
    struct json_text head = {message.at, message.at + TIME_BYTES_MAX + 1};
    if (head.end > message.end) head.end = message.end;
    struct json_text time = until_space(head.at, head.end);
    if (time.end == message.end) return 0;
    struct json_text stream = until_space(time.end + 1, message.end);
    if (stream.end == message.end || !read_stream(stream, &found->stream)) return 0;
    struct json_text tags = until_space(stream.end + 1, message.end);
    if (tags.at == tags.end || (*tags.at != 'P' && *tags.at != 'F')) return 0;
    if (tags.end - tags.at > 1 && tags.at[1] != ':') return 0;
    if (!read_time(time, now_ns, found)) return 0;
    found->is_partial = *tags.at == 'P';
    found->content = (struct json_text){tags.end == message.end ? tags.end : tags.end + 1, message.end};
    return 1;
}

static struct json_text inside_quotes(const struct json_value *string) {
    return (struct json_text){string->text + 1, string->text + string->length - 1};
}

static const struct json_value *member_of(struct json_members *members, const char *key, enum json_kind kind) {
    const struct json_member *member = json_members_find(members, (const uint8_t *)key, strlen(key));
    return member && member->value.kind == kind ? &member->value : NULL;
}

static int ends_in_newline(const struct json_value *string) {
    struct json_text text = inside_quotes(string);
    int64_t backslashes = 0;
    if (text.end - text.at < 2 || text.end[-1] != 'n') return 0;
    for (const uint8_t *at = text.end - 2; at >= text.at && *at == '\\'; at--) backslashes++;
    return backslashes % 2 == 1;
}

/* {"log": "…\n", "stream": "stdout", "time": "…"}, perhaps with "attrs", and nothing else (Docker's json-file). */
static int read_docker(struct json_reader *reader, struct json_members *members, struct json_text message,
                       int64_t now_ns, struct wrapped *found) {
    if (!json_read_only_object(reader, message, members) || members->repeats) return 0;
    const struct json_value *log = member_of(members, "log", JSON_STRING);
    const struct json_value *stream = member_of(members, "stream", JSON_STRING);
    const struct json_value *time = member_of(members, "time", JSON_STRING);
    const struct json_value *attrs = member_of(members, "attrs", JSON_OBJECT);
    if (!log || !stream || !time || members->count != 3 + (attrs != NULL) || log->is_dirty) return 0;
    if (!read_stream(inside_quotes(stream), &found->stream) || !read_time(inside_quotes(time), now_ns, found)) return 0;
    found->log = *log;
    if (attrs) found->attrs = *attrs;
    found->is_partial = !ends_in_newline(log);
    return 1;
}

void read_wrapped(struct json_reader *reader, struct json_members *members, struct json_text message, int64_t formats,
                  int64_t now_ns, struct wrapped *found) {
    *found = (struct wrapped){.kind = WRAPPED_NOT, .stream = STREAM_AS_BEFORE};
    if (formats & UNWRAP_CRI && looks_like_date(message)) {
        if (read_cri(message, now_ns, found)) found->kind = WRAPPED_CRI;
    } else if (formats & UNWRAP_DOCKER && looks_like_docker(message)) {
        if (read_docker(reader, members, message, now_ns, found)) found->kind = WRAPPED_DOCKER;
    }
}

static const char *const told_keys[] = {
    "logtag", "partial_message", "partial_id", "partial_ordinal", "partial_last", "CONTAINER_PARTIAL_MESSAGE",
    "CONTAINER_PARTIAL_ID", "CONTAINER_PARTIAL_ORDINAL", "CONTAINER_PARTIAL_LAST",
};

static int says(struct json_members *attributes, const char *key, const char *word) {
    const struct json_value *value = member_of(attributes, key, JSON_STRING);
    if (!value) return 0;
    struct json_text text = inside_quotes(value);
    return (size_t)(text.end - text.at) == strlen(word) && memcmp(text.at, word, strlen(word)) == 0;
}

void read_told(struct json_members *attributes, int64_t formats, struct wrapped *found) {
    if (formats & UNWRAP_CRI && (says(attributes, "logtag", "P") || says(attributes, "logtag", "F"))) {
        found->kind = WRAPPED_TOLD;
        found->is_partial = says(attributes, "logtag", "P");
    } else if (formats & UNWRAP_DOCKER && says(attributes, "partial_message", "true")) {
        found->kind = WRAPPED_TOLD;
        found->is_partial = !says(attributes, "partial_last", "true");
    } else if (formats & UNWRAP_DOCKER && says(attributes, "CONTAINER_PARTIAL_MESSAGE", "true")) {
        found->kind = WRAPPED_TOLD;
        found->is_partial = !says(attributes, "CONTAINER_PARTIAL_LAST", "true");
    } else if (formats & UNWRAP_DOCKER && member_of(attributes, "CONTAINER_ID", JSON_STRING)) {
        found->kind = WRAPPED_TOLD; /* Podman's journald driver says nothing of the last piece, nor of a whole line */
    }
}

void drop_told(struct json_members *attributes) {
    for (size_t i = 0; i < sizeof told_keys / sizeof *told_keys; i++) {
        struct json_member *member = json_members_find(attributes, (const uint8_t *)told_keys[i], strlen(told_keys[i]));
        if (member) member->is_dropped = 1;
    }
}
