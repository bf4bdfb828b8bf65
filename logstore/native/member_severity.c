#include "member_severity.h"

struct said {
    struct json_reader *reader;
    struct json_members *pushed, *line;
};

static const struct json_value *value_of(const struct said *said, const char *key) {
    size_t length = strlen(key);
    const struct json_member *member = json_members_find(said->pushed, (const uint8_t *)key, length);
    if (!member) member = json_members_find(said->line, (const uint8_t *)key, length);
    return member ? &member->value : NULL;
}

static int is_kind(const struct json_value *value, enum json_kind kind) { return value && value->kind == kind; }

/* Reads the value of a member of an object; false if it has none of that name. */
static int read_inner(struct json_reader *reader, const struct json_value *object, const char *key,
                      struct json_value *found) {
    size_t length = strlen(key);
    int is_found = 0;
    reader->end = object->text + object->length;
    const uint8_t *at = json_skip_space(object->text + 1, reader->end);
    while (*at != '}') {
        struct json_value name, value;
        at = json_scan_key(reader, at, &name);
        at = json_scan(reader, at, 0, &value);
        if (name.length - 2 == length && memcmp(name.text + 1, key, length) == 0) {
            *found = value;
            is_found = 1;
        }
        at = json_scan_separator(reader, at);
    }
    return is_found;
}

static enum severity severity_of_value(struct json_reader *reader, const struct json_value *value) {
    if (!is_kind(value, JSON_NUMBER) && !is_kind(value, JSON_STRING)) return SEVERITY_NONE;
    if (value->kind == JSON_NUMBER) return severity_of_word(value->text, value->length);
    if (!value->has_backslash) return severity_of_word(value->text + 1, value->length - 2);
    uint8_t *text = arena_take(&reader->arena, value->length);
    return severity_of_word(text, (size_t)(json_unescape(value, text) - text));
}

/* A word counts more than a number, which loggers count in their own ways (log4js' TRACE is 50, pino's error). */
static enum severity of_names(const struct said *said) {
    static const char *const names[] = {
        "severity", "level", "lvl", "loglevel", "log.level", "levelname", "level_name", "Level", "LogLevel", "@level",
        "@l", "severityText", "severity_text", "SeverityText", "Severity", "sev", "error_severity", "syslogseverity",
        "syslogseverity-text",
    };
    enum severity of_number = SEVERITY_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct json_value *value = value_of(said, names[i]);
        enum severity severity = severity_of_value(said->reader, value);
        if (severity != SEVERITY_NONE && value->kind == JSON_STRING) return severity;
        if (of_number == SEVERITY_NONE) of_number = severity;
    }
    return of_number;
}

/* Of Elastic's nested names, log4js, Loguru, and Logstash's first format. */
static enum severity of_objects(const struct said *said) {
    static const char *const paths[][3] = {
        {"log", "level"}, {"level", "levelStr"}, {"level", "name"}, {"record", "level", "name"}, {"@fields", "levelname"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct json_value *value = value_of(said, paths[i][0]);
        struct json_value inner;
        for (int depth = 1; depth < 3 && paths[i][depth] && value; depth++) {
            int is_there = is_kind(value, JSON_OBJECT) && read_inner(said->reader, value, paths[i][depth], &inner);
            value = is_there ? &inner : NULL;
        }
        enum severity severity = severity_of_value(said->reader, value);
        if (severity != SEVERITY_NONE) return severity;
    }
    return SEVERITY_NONE;
}

/* {"t": {"$date": "…"}, "s": "W", …} (MongoDB manual, "Log Messages"). */
static enum severity of_mongodb(const struct said *said) {
    const struct json_value *time = value_of(said, "t"), *severity = value_of(said, "s");
    struct json_value date;
    int is_mongodb = is_kind(time, JSON_OBJECT) && severity && read_inner(said->reader, time, "$date", &date);
    return is_mongodb ? severity_of_value(said->reader, severity) : SEVERITY_NONE;
}

/* An event of which no level is told is of level Information (Compact Log Event Format, "@l"). */
static enum severity of_compact_event(const struct said *said) {
    return value_of(said, "@t") && !value_of(said, "@l") ? SEVERITY_INFO : SEVERITY_NONE;
}

/* {"caller": "server.go:3", "v": 0, …}; an error has `err` and no `v` (Kubernetes, "System Logs"). */
static enum severity of_klog(const struct said *said) {
    static const char go[] = ".go:";
    const struct json_value *caller = value_of(said, "caller");
    if (!is_kind(caller, JSON_STRING)) return SEVERITY_NONE;
    const uint8_t *at = caller->text, *end = at + caller->length - (sizeof go - 1);
    while (at < end && memcmp(at, go, sizeof go - 1) != 0) at++;
    if (at >= end) return SEVERITY_NONE;
    const struct json_value *verbosity = value_of(said, "v");
    if (verbosity) return is_kind(verbosity, JSON_NUMBER) ? SEVERITY_INFO : SEVERITY_NONE;
    return value_of(said, "err") ? SEVERITY_ERROR : SEVERITY_NONE;
}

enum severity severity_of_members(struct json_reader *reader, struct json_members *pushed, struct json_members *line) {
    static enum severity (*const ways[])(const struct said *) = {of_names, of_objects, of_mongodb, of_compact_event, of_klog};
    struct said said = {reader, pushed, line};
    enum severity severity = SEVERITY_NONE;
    if (!pushed->count && !line->count) return SEVERITY_NONE;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && severity == SEVERITY_NONE; i++) severity = ways[i](&said);
    return severity;
}
