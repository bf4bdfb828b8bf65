#include "lines.h"

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
static int is_letter(uint8_t byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; }

/* A text in quotes as a JSON string, in the arena; a backslash in it is doubled. It holds no other byte that
 * JSON wants escaped. */
static struct json_value quoted(struct json_reader *reader, const uint8_t *text, size_t length) {
    uint8_t *copy = arena_take(&reader->arena, length * 2 + 2), *to = copy;
    struct json_value value = {.text = copy, .kind = JSON_STRING};
    *to++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\') {
            *to++ = '\\';
            value.has_backslash = 1;
        }
        *to++ = text[i];
    }
    *to++ = '"';
    value.length = (uint32_t)(to - copy);
    return value;
}

static void put(struct json_members *members, const uint8_t *key, size_t length, const struct json_value *value) {
    struct json_member member = {.key = key, .key_length = (uint32_t)length, .key_is_plain = 1, .value = *value};
    json_members_put(members, &member);
}

static enum line_kind read_json(struct json_reader *reader, struct json_text line, struct json_members *members) {
    reader->error = JSON_FINE;
    if (json_read_next_object(reader, line, members)) return LINE_JSON;
    json_members_clear(members);
    return reader->error == JSON_TOO_DEEP ? LINE_UNSURE : LINE_PLAIN;
}

static int begins_key(uint8_t byte) { return is_letter(byte) || byte == '_' || byte == '@'; }

static int continues_key(uint8_t byte) {
    return begins_key(byte) || is_digit(byte) || byte == '.' || byte == '-' || byte == '/';
}

static int is_bare(uint8_t byte) { return byte > ' ' && byte != '"' && byte != '=' && byte != 0x7F; }

/* Reads one key=value at `at`; returns its end, or NULL. */
static const uint8_t *read_pair(struct json_reader *reader, const uint8_t *at, const uint8_t *end,
                                struct json_members *members) {
    const uint8_t *key = at;
    if (at == end || !begins_key(*at)) return NULL;
    while (at < end && continues_key(*at)) at++;
    if (at == end || *at != '=') return NULL;
    size_t key_length = (size_t)(at++ - key);
    struct json_value value;
    if (at < end && *at == '"') {
        at = json_scan(reader, at, 0, &value);
        if (!at) return NULL;
    } else {
        const uint8_t *text = at;
        while (at < end && is_bare(*at)) at++;
        value = quoted(reader, text, (size_t)(at - text));
    }
    put(members, key, key_length, &value);
    return at;
}

static int is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

static enum line_kind read_logfmt(struct json_reader *reader, const uint8_t *at, const uint8_t *end,
                                  struct json_members *members) {
    while (end > at && json_is_space(end[-1])) end--;
    int pairs = 0;
    while (at < end) {
        at = read_pair(reader, at, end, members);
        if (!at || (at < end && !is_blank(*at))) {
            pairs = 0;
            break;
        }
        while (at < end && is_blank(*at)) at++;
        pairs++;
    }
    if (pairs >= 2) return LINE_LOGFMT;
    json_members_clear(members);
    return LINE_PLAIN;
}

/* Does the text begin as the pattern says (0: a digit, else itself)? */
static int matches(const uint8_t *at, const uint8_t *end, const char *pattern) {
    for (; *pattern; pattern++, at++) {
        if (at == end || (*pattern == '0' ? !is_digit(*at) : *at != (uint8_t)*pattern)) return 0;
    }
    return 1;
}

/* The end of a number of 1 to 10 digits without leading zeros, or NULL. */
static const uint8_t *number_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *first = at;
    while (at < end && is_digit(*at)) at++;
    if (at == first || at - first > 10 || (*first == '0' && at - first > 1)) return NULL;
    return at;
}

static struct json_value number(const uint8_t *text, const uint8_t *end) {
    return (struct json_value){.text = text, .length = (uint32_t)(end - text), .kind = JSON_NUMBER};
}

/* Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg (k8s.io/klog, as glog's). */
static enum line_kind read_klog(struct json_reader *reader, const uint8_t *line, const uint8_t *end,
                                struct json_members *members, enum severity *severity) {
    if (!matches(line + 1, end, "0000 00:00:00.000000 ")) return LINE_PLAIN;
    const uint8_t *thread = line + 22;
    while (thread < end && *thread == ' ') thread++;
    const uint8_t *thread_end = number_end(thread, end);
    if (!thread_end || thread_end == end || *thread_end != ' ') return LINE_PLAIN;
    const uint8_t *source = thread_end + 1, *source_end = source;
    while (source_end < end && is_bare(*source_end) && *source_end != ':' && *source_end != ']') source_end++;
    if (source_end == source || source_end == end || *source_end != ':') return LINE_PLAIN;
    const uint8_t *row = source_end + 1, *row_end = number_end(row, end);
    if (!row_end || row_end == end || *row_end != ']') return LINE_PLAIN;
    if (row_end + 1 < end && row_end[1] != ' ') return LINE_PLAIN;
    struct json_value value = number(thread, thread_end);
    put(members, (const uint8_t *)"thread", 6, &value);
    value = quoted(reader, source, (size_t)(source_end - source));
    put(members, (const uint8_t *)"source", 6, &value);
    value = number(row, row_end);
    put(members, (const uint8_t *)"line", 4, &value);
    *severity = *line == 'I' ? SEVERITY_INFO : *line == 'W' ? SEVERITY_WARN
              : *line == 'E' ? SEVERITY_ERROR : SEVERITY_FATAL;
    return LINE_KLOG;
}

enum line_kind line_read(struct json_reader *reader, const uint8_t *line, const uint8_t *end,
                         struct json_members *members, enum severity *severity) {
    reader->end = end;
    reader->is_valid_utf8 = 1;
    const uint8_t *at = json_skip_space(line, end);
    if (at < end && *at == '{') return read_json(reader, (struct json_text){at, end}, members);
    json_members_clear(members);
    if (at == end) return LINE_PLAIN;
    if (*line == 'I' || *line == 'W' || *line == 'E' || *line == 'F') {
        if (read_klog(reader, line, end, members, severity) == LINE_KLOG) return LINE_KLOG;
    }
    return read_logfmt(reader, at, end, members);
}
