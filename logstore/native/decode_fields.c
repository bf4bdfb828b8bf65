#include "decode_state.h"

#include <string.h>

enum { WALK_PATH_MAX = 128, WEAK_MAX = 16, ENVELOPE_RANK = -2 };
enum { MILLISECOND_NS = 1000000, MICROSECOND_NS = 1000 };
#define YEAR_1990_NS (INT64_C(631152000) * NS_PER_S)

static int is_scalar(const struct json_value *value) { return value->kind != JSON_OBJECT && value->kind != JSON_ARRAY; }

/* Can a value of this shape be the field's? What cannot stays an attribute. */
static int suits(enum field field, const struct json_value *value) {
    switch (field) {
    case FIELD_TIME: case FIELD_MESSAGE: case FIELD_SEVERITY: return 1;
    case FIELD_LABELS: case FIELD_ATTRIBUTES: return is_object(value);
    default: return is_scalar(value);
    }
}

/* A value of an object that was scanned before; false if it has none of that name. */
static int read_inner(struct decoder *d, const struct json_value *object, const char *key, struct json_value *found) {
    size_t length = strlen(key);
    const uint8_t *end = object->text + object->length, *at = json_skip_space(object->text + 1, end);
    while (*at != '}') {
        struct json_value name;
        at = json_scan_key(&d->reader, at, &name);
        at = json_scan(&d->reader, at, 0, found);
        if (name.length - 2 == length && memcmp(name.text + 1, key, length) == 0) return 1;
        at = json_scan_separator(&d->reader, at);
    }
    return 0;
}

/* A whole number below 10^9, also as a string; or -1. */
static int64_t nanoseconds_of(struct decoder *d, const struct json_value *value) {
    if (value->kind != JSON_NUMBER && value->kind != JSON_STRING) return -1;
    struct span text = decode_text_of(d, value);
    int64_t number = text.length && text.length <= 9 ? 0 : -1;
    for (size_t i = 0; i < text.length && number >= 0; i++) {
        number = text.at[i] >= '0' && text.at[i] <= '9' ? number * 10 + (text.at[i] - '0') : -1;
    }
    return number;
}

/* {"epochSecond": 1, "nanoOfSecond": 2} of Log4j, {"seconds": 1, "nanos": 2} of Protocol Buffers. */
static enum time_status read_parts_of_time(struct decoder *d, const struct json_value *object, int64_t *time_ns) {
    static const char *const names[][2] = {{"epochSecond", "nanoOfSecond"}, {"seconds", "nanos"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct json_value seconds, rest;
        if (!read_inner(d, object, names[i][0], &seconds) || !is_scalar(&seconds)) continue;
        struct span text = decode_text_of(d, &seconds);
        enum time_status status = time_parse_epoch(text.at, text.length, time_ns);
        int64_t nanoseconds = read_inner(d, object, names[i][1], &rest) ? nanoseconds_of(d, &rest) : 0;
        if (nanoseconds < 0) return TIME_UNREADABLE;
        if (status == TIME_OK) *time_ns += nanoseconds;
        return status;
    }
    return TIME_UNREADABLE;
}

static enum time_status read_time(struct decoder *d, const struct json_value *value, int64_t *time_ns) {
    int is_of_contract = d->request->name_count == 0;
    if (value->kind == JSON_NUMBER) return time_parse_epoch(value->text, value->length, time_ns);
    if (value->kind == JSON_OBJECT && !is_of_contract) return read_parts_of_time(d, value, time_ns);
    if (value->kind != JSON_STRING) return TIME_UNREADABLE;
    struct span text = decode_text_of(d, value);
    return (is_of_contract ? time_parse : time_parse_loosely)(text.at, text.length, time_ns);
}

/* From 1990 to a day from now: under a name that may have another meaning too. */
static int is_time_of_these_years(struct decoder *d, const struct json_value *value) {
    int64_t time_ns;
    return read_time(d, value, &time_ns) == TIME_OK && time_ns >= YEAR_1990_NS && time_ns - DAY_NS <= d->request->now_ns;
}

/* Gives the member to its field and drops it from the attributes, unless a better one is there; false if it can be no
 * field's. Nulls say nothing, but for a message of the contract's names. */
static int offer(struct decoder *d, struct fields *fields, struct json_member *member, struct meaning meaning) {
    enum field field = meaning.field;
    if (field == FIELD_NONE) return 0;
    if (member->value.kind == JSON_NULL && (field != FIELD_MESSAGE || meaning.rank >= LATE_RANK)) {
        member->is_dropped = 1;
        return 1;
    }
    if (!suits(field, &member->value)) return 0;
    struct json_member *chosen = fields->of[field];
    if (chosen && fields->ranks[field] < meaning.rank) return 1;
    if (field == FIELD_TIME && meaning.rank >= LATE_RANK && !is_time_of_these_years(d, &member->value)) return 0;
    if (field == FIELD_MESSAGE && meaning.is_walked && member->value.kind != JSON_STRING) return 0;
    if (chosen) chosen->is_dropped = 0;
    member->is_dropped = 1;
    fields->of[field] = member;
    fields->ranks[field] = meaning.rank;
    return 1;
}

/* The field has none, and its member stays an attribute. */
static void give_back(struct fields *fields, enum field field) {
    fields->of[field]->is_dropped = 0;
    fields->of[field] = NULL;
}

static void begin_gathered(struct decoder *d) { buffer_byte(&d->gathered, d->gathered.length ? ',' : '{'); }

static void gather(struct decoder *d, struct json_member *member) {
    begin_gathered(d);
    json_append_key(&d->gathered, member);
    buffer_byte(&d->gathered, ':');
    json_append_value(&d->reader, &d->gathered, &member->value);
    member->is_dropped = 1;
}

static void walk(struct decoder *d, struct fields *fields, const struct json_value *object, uint8_t *path,
                 size_t length);

/* A value inside an object that is walked: `path` leads to it. */
static void visit(struct decoder *d, struct fields *fields, const struct json_value *value, uint8_t *path,
                  size_t length) {
    struct meaning meaning = decode_names_of_path(&d->names, path, length);
    if (value->kind == JSON_NULL) return;
    if (meaning.is_walked && is_object(value)) {
        walk(d, fields, value, path, length);
    } else if (decode_names_admit(&d->names, meaning.metadata, value)) {
        begin_gathered(d);
        json_append_string(&d->gathered, path, length);
        buffer_byte(&d->gathered, ':');
        json_append_value(&d->reader, &d->gathered, value);
    } else if (meaning.field != FIELD_NONE && d->walked_count < WALKED_MAX) {
        struct json_member *member = &d->walked[d->walked_count++];
        *member = (struct json_member){.value = *value};
        offer(d, fields, member, meaning);
    }
}

static void walk(struct decoder *d, struct fields *fields, const struct json_value *object, uint8_t *path,
                 size_t length) {
    struct json_reader *reader = &d->reader;
    path[length++] = '.';
    const uint8_t *at = json_skip_space(object->text + 1, reader->end);
    while (*at != '}') {
        struct json_value key, value;
        at = json_scan_key(reader, at, &key);
        at = json_scan(reader, at, 0, &value);
        size_t key_length = key.length - 2;
        if (!key.has_backslash && length + key_length + 1 < WALK_PATH_MAX) {
            memcpy(path + length, key.text + 1, key_length);
            visit(d, fields, &value, path, length + key_length);
        }
        at = json_scan_separator(reader, at);
    }
}

void decode_choose_fields(struct decoder *d, struct fields *fields) {
    uint8_t path[WALK_PATH_MAX];
    struct json_member *weak[WEAK_MAX];
    int weak_count = 0;
    const struct json_member *event = NULL;
    *fields = (struct fields){{NULL}, {0}};
    d->walked_count = 0;
    d->gathered.length = 0;
    if (d->envelope_time) offer(d, fields, d->envelope_time, (struct meaning){.field = FIELD_TIME, .rank = ENVELOPE_RANK});
    for (int32_t i = 0; i < d->members.count; i++) {
        struct json_member *member = &d->members.items[i];
        struct meaning meaning = decode_names_of(&d->names, i, member);
        if (meaning.wants_severity) event = member;
        if (meaning.is_walked && is_object(&member->value) && member->key_length + 1 < WALK_PATH_MAX) {
            memcpy(path, member->key, member->key_length);
            walk(d, fields, &member->value, path, member->key_length);
        } else if (!offer(d, fields, member, meaning) && decode_names_admit(&d->names, meaning.metadata, &member->value)) {
            int is_weak = meaning.metadata == METADATA_WEAK && !is_object(&member->value);
            if (!is_weak) gather(d, member);
            else if (weak_count < WEAK_MAX) weak[weak_count++] = member;
        }
    }
    if (event && fields->of[FIELD_MESSAGE] == event && !fields->of[FIELD_SEVERITY]) give_back(fields, FIELD_MESSAGE);
    if (!d->gathered.length) {
        for (int i = 0; i < weak_count; i++) gather(d, weak[i]);
    }
    if (d->gathered.length) buffer_byte(&d->gathered, '}');
}

/* Whether the member is a time that differs by less than `unit_ns`: then it counts, and is said already. */
static int refine_by(struct decoder *d, const char *key, int64_t unit_ns, int64_t *time_ns) {
    struct json_member *member = json_members_find(&d->members, (const uint8_t *)key, strlen(key));
    int64_t finer_ns;
    if (!member || member->is_dropped || member->value.kind != JSON_STRING) return 0;
    if (read_time(d, &member->value, &finer_ns) != TIME_OK) return 0;
    if (finer_ns <= *time_ns - unit_ns || finer_ns >= *time_ns + unit_ns) return 0;
    *time_ns = finer_ns;
    member->is_dropped = 1;
    return 1;
}

/* A document's `@timestamp`, or the time of its envelope, may be the `time` of its line cut to milliseconds, or rounded to
 * microseconds; and that of the envelope may be the document's `@timestamp`. */
static void refine_time(struct decoder *d, int64_t *time_ns) {
    int64_t unit_ns = *time_ns % MILLISECOND_NS == 0 ? MILLISECOND_NS : *time_ns % MICROSECOND_NS == 0 ? MICROSECOND_NS : 1;
    if (!refine_by(d, "time", unit_ns, time_ns) && d->envelope_time) refine_by(d, "@timestamp", unit_ns, time_ns);
}

/* A time in seconds or milliseconds, of which a member has the nanoseconds of the second: `timestampSeconds` and
 * `timestampNanos` of Google's agents, `timestamp` and `nanoseconds` of Logback. */
static void add_nanoseconds(struct decoder *d, const struct json_member *time, int64_t *time_ns) {
    int is_in_seconds = time->key_length == 16 && memcmp(time->key, "timestampSeconds", 16) == 0;
    const char *key = is_in_seconds ? "timestampNanos" : "nanoseconds";
    struct json_member *rest = json_members_find(&d->members, (const uint8_t *)key, strlen(key));
    int64_t unit_ns = is_in_seconds ? NS_PER_S : MILLISECOND_NS;
    int64_t nanoseconds = rest ? nanoseconds_of(d, &rest->value) : -1;
    if (nanoseconds < 0 || *time_ns < 0 || *time_ns % unit_ns || *time_ns % NS_PER_S != nanoseconds / unit_ns * unit_ns) return;
    *time_ns += nanoseconds % unit_ns;
    rest->is_dropped = 1;
}

static int has_level_name(struct decoder *d) {
    return json_members_find(&d->members, (const uint8_t *)"level_name", 10) ||
           json_members_find(&d->members, (const uint8_t *)"levelname", 9);
}

enum severity decode_read_severity(struct decoder *d, struct json_member *member) {
    if (!member) return SEVERITY_NONE;
    int is_word = member->value.kind == JSON_STRING || member->value.kind == JSON_NUMBER;
    if (member->value.kind == JSON_NUMBER && d->request->name_count && has_level_name(d)) {
        member->is_dropped = 0; /* the word tells it, as of any other line (member_severity.c) */
        return SEVERITY_NONE;
    }
    struct span text = decode_text_of(d, &member->value);
    enum severity severity = is_word ? severity_of_word(text.at, text.length) : SEVERITY_NONE;
    if (text.length > 0 && !severity_is_plain(text.at, text.length)) member->is_dropped = 0;
    return severity;
}

int decode_read_time(struct decoder *d, int64_t line, const struct fields *fields, int64_t *time_ns,
                     const struct json_value **sent_time) {
    const struct json_member *member = fields->of[FIELD_TIME];
    *time_ns = d->request->now_ns;
    *sent_time = NULL;
    if (!member) return 1;
    const struct json_value *value = &member->value;
    enum time_status status = read_time(d, value, time_ns);
    if (status == TIME_UNREADABLE) {
        decode_reject(d, line, REJECT_TIME, 0, value->text, value->text + value->length);
        return 0;
    }
    if (status == TIME_OUT_OF_RANGE || *time_ns - DAY_NS > d->request->now_ns) {
        *time_ns = d->request->now_ns;
        *sent_time = value;
    } else if (fields->ranks[FIELD_TIME] < 0) {
        refine_time(d, time_ns);
    } else if (d->request->name_count) {
        add_nanoseconds(d, member, time_ns);
    }
    return 1;
}
