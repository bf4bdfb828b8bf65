#include "decode.h"

#include <stdlib.h>

#include "columns.h"
#include "decode_names.h"
#include "intern.h"
#include "json.h"
#include "severity.h"
#include "timestamp.h"
#include "utf8.h"

struct words {
    struct intern intern;
    struct buffer codes;
    int32_t default_code;
};

enum { WALKED_MAX = 32, WALK_PATH_MAX = 128, WEAK_MAX = 16, ENVELOPE_RANK = -2 };
enum { MILLISECOND_NS = 1000000, MICROSECOND_NS = 1000 };
#define YEAR_1990_NS (INT64_C(631152000) * NS_PER_S)

struct decoder {
    struct memory memory;
    const struct decode_request *request;
    int is_valid_utf8; /* the whole body */
    struct json_reader reader;
    struct json_members members, merged;
    struct json_members outer; /* those of the envelope that the record came in */
    struct json_member *envelope_time;
    struct buffer time, severity, rejects, canonical;
    struct words words[WORD_COLUMNS];
    struct intern labels_as_sent, labels;
    struct buffer label_codes, label_validity, codes_of_labels; /* the last: code of each text in labels_as_sent */
    int64_t label_nulls;
    struct decode_names names;
    struct json_member walked[WALKED_MAX]; /* what the record's objects that are walked say about its fields */
    int walked_count;
    struct buffer gathered; /* the record's metadata */
    struct intern metadata;
    struct buffer metadata_codes, metadata_validity;
    int64_t metadata_nulls;
    struct text_builder message, trace_id, span_id, attributes;
    int64_t rows, rejected;
    int has_too_many;
};

struct span {
    const uint8_t *at;
    size_t length;
};

static void reject(struct decoder *d, int64_t line, enum reject_cause cause, int column, const uint8_t *at,
                   const uint8_t *end) {
    d->rejected++;
    if (d->rejected > d->request->max_rejects) return;
    struct reject told = {line, cause, column, at - d->request->body, end - at};
    buffer_append(&d->rejects, &told, sizeof told);
}

/* A value as a column's text: a string's characters (valid UTF-8), else its JSON text. */
static struct span text_of(struct decoder *d, const struct json_value *value) {
    if (value->kind != JSON_STRING) return (struct span){value->text, value->length};
    struct span text = {value->text + 1, value->length - 2};
    struct json_reader *reader = &d->reader;
    if (value->has_backslash) {
        uint8_t *copy = arena_take(&reader->arena, value->length);
        text = (struct span){copy, (size_t)(json_unescape(value, copy) - copy)};
    }
    if (!reader->is_valid_utf8 && !utf8_is_valid(text.at, text.at + text.length)) {
        reader->scratch.length = 0;
        utf8_append_replaced(&reader->scratch, text.at, text.at + text.length);
        uint8_t *copy = arena_take(&reader->arena, reader->scratch.length);
        memcpy(copy, reader->scratch.data, reader->scratch.length);
        text = (struct span){copy, reader->scratch.length};
    }
    return text;
}

static int is_object(const struct json_value *value) { return value->kind == JSON_OBJECT; }
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
    struct span text = text_of(d, value);
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
        struct span text = text_of(d, &seconds);
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
    struct span text = text_of(d, value);
    return (is_of_contract ? time_parse : time_parse_loosely)(text.at, text.length, time_ns);
}

/* From 1990 to a day from now: under a name that may have another meaning too. */
static int is_time_of_these_years(struct decoder *d, const struct json_value *value) {
    int64_t time_ns;
    return read_time(d, value, &time_ns) == TIME_OK && time_ns >= YEAR_1990_NS && time_ns - DAY_NS <= d->request->now_ns;
}

/* What the members of a record say about its fields. */
struct fields {
    struct json_member *of[FIELD_COUNT];
    int ranks[FIELD_COUNT];
};

/* Gives the member to its field and drops it from the attributes, unless a better one is there; false if it can be no
 * field's. Nulls say nothing, but for a message. */
static int offer(struct decoder *d, struct fields *fields, struct json_member *member, struct meaning meaning) {
    enum field field = meaning.field;
    if (field == FIELD_NONE) return 0;
    if (member->value.kind == JSON_NULL && field != FIELD_MESSAGE) {
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

static void choose_fields(struct decoder *d, struct fields *fields) {
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

/* A document's `@timestamp`, or the time of its envelope, may be the `time` of its line cut to milliseconds, or rounded to
 * microseconds: then that one counts. One that is the same is said twice. */
static void refine_time(struct decoder *d, int64_t *time_ns) {
    struct json_member *line = json_members_find(&d->members, (const uint8_t *)"time", 4);
    int64_t finer_ns;
    int64_t unit_ns = *time_ns % MILLISECOND_NS == 0 ? MILLISECOND_NS : *time_ns % MICROSECOND_NS == 0 ? MICROSECOND_NS : 1;
    if (!line || line->is_dropped || line->value.kind != JSON_STRING) return;
    if (read_time(d, &line->value, &finer_ns) != TIME_OK) return;
    if (finer_ns <= *time_ns - unit_ns || finer_ns >= *time_ns + unit_ns) return;
    *time_ns = finer_ns;
    line->is_dropped = 1;
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

/* The severity that a member tells; one that is not understood, or says more, stays an attribute. */
static enum severity read_severity(struct decoder *d, struct json_member *member) {
    if (!member) return SEVERITY_NONE;
    int is_word = member->value.kind == JSON_STRING || member->value.kind == JSON_NUMBER;
    if (member->value.kind == JSON_NUMBER && d->request->name_count && has_level_name(d)) {
        member->is_dropped = 0; /* the word tells it, as of any other line (member_severity.c) */
        return SEVERITY_NONE;
    }
    struct span text = text_of(d, &member->value);
    enum severity severity = is_word ? severity_of_word(text.at, text.length) : SEVERITY_NONE;
    if (text.length > 0 && !severity_is_plain(text.at, text.length)) member->is_dropped = 0;
    return severity;
}

static void append_label_code(struct decoder *d, int32_t code) {
    buffer_int32(&d->label_codes, code < 0 ? 0 : code);
    buffer_bit(&d->label_validity, d->rows, code >= 0);
    d->label_nulls += code < 0;
}

static void append_metadata_code(struct decoder *d) {
    int is_there = d->gathered.length > 0;
    buffer_int32(&d->metadata_codes, is_there ? intern_code(&d->metadata, d->gathered.data, d->gathered.length) : 0);
    buffer_bit(&d->metadata_validity, d->rows, is_there);
    d->metadata_nulls += !is_there;
}

/* Equal label sets get equal codes, however they were written; each way of writing is canonicalised once. */
static int32_t label_code(struct decoder *d, const struct json_member *member) {
    if (!member) return -1;
    int32_t known = d->labels_as_sent.count;
    int32_t code = intern_code(&d->labels_as_sent, member->value.text, member->value.length);
    if (code == known) {
        d->canonical.length = 0;
        json_append_canonical(&d->reader, &d->canonical, &member->value, 1);
        int is_empty = d->canonical.length == 2;
        buffer_int32(&d->codes_of_labels,
                     is_empty ? -1 : intern_code(&d->labels, d->canonical.data, d->canonical.length));
    }
    return ((const int32_t *)d->codes_of_labels.data)[code];
}

/* Ends the message's row at what was appended from `from` on, less one trailing newline. Returns whether it
 * had to be escaped since it was not UTF-8. */
static int end_message(struct decoder *d, size_t from) {
    struct buffer *text = &d->message.text;
    if (text->length > from && text->data[text->length - 1] == '\n') text->length--;
    int is_escaped = !d->reader.is_valid_utf8 && !utf8_is_valid(text->data + from, text->data + text->length);
    if (is_escaped) {
        struct buffer *scratch = &d->reader.scratch;
        scratch->length = 0;
        buffer_append(scratch, text->data + from, text->length - from);
        text->length = from;
        utf8_append_escaped(text, scratch->data, scratch->data + scratch->length);
    }
    text_end_row(&d->message, 1);
    return is_escaped;
}

/* Bytes as numbers, as journalctl writes a text that has control characters or is not UTF-8; false if they are none. */
static int append_bytes(struct decoder *d, const struct json_value *array) {
    struct buffer *text = &d->message.text;
    size_t from = text->length;
    const uint8_t *at = array->text + 1, *end = array->text + array->length - 1;
    while ((at = json_skip_space(at, end)) < end) {
        unsigned byte = 0;
        const uint8_t *first = at;
        while (at < end && at - first < 3 && *at >= '0' && *at <= '9') byte = byte * 10 + (unsigned)(*at++ - '0');
        if (at == first || byte > UINT8_MAX) break;
        buffer_byte(text, (uint8_t)byte);
        at = json_skip_space(at, end);
        if (at < end && *at++ != ',') break;
        if (at == end) {
            d->reader.is_valid_utf8 = 0;
            return 1;
        }
    }
    text->length = from;
    return 0;
}

static int is_of_journal(const struct decoder *d, const struct json_member *member) {
    return d->request->name_count && member->value.kind == JSON_ARRAY && member->key_length == 7 &&
           memcmp(member->key, "MESSAGE", 7) == 0;
}

static int append_message(struct decoder *d, const struct json_member *member, const uint8_t *start,
                          const uint8_t *end) {
    struct buffer *text = &d->message.text;
    size_t from = text->length;
    if (!member) {
        buffer_append(text, start, (size_t)(end - start));
    } else if (is_of_journal(d, member) && append_bytes(d, &member->value)) {
        return end_message(d, from);
    } else if (member->value.kind != JSON_STRING) {
        buffer_append(text, member->value.text, member->value.length);
    } else if (!member->value.has_backslash) {
        buffer_append(text, member->value.text + 1, member->value.length - 2);
    } else {
        uint8_t *to = buffer_reserve(text, member->value.length);
        text->length = (size_t)(json_unescape(&member->value, to) - text->data);
    }
    return end_message(d, from);
}

/* Has the document nothing but what Fluent Bit's and Fluentd's parsers of CRI leave of a line without text? */
static int is_empty_line(const struct decoder *d) {
    int has_tag = 0;
    for (int32_t i = 0; i < d->members.count; i++) {
        const struct json_member *member = &d->members.items[i];
        if (member->is_dropped) continue;
        int is_tag = member->key_length == 6 && memcmp(member->key, "logtag", 6) == 0;
        if (!is_tag && !(member->key_length == 4 && memcmp(member->key, "time", 4) == 0)) return 0;
        has_tag |= is_tag;
    }
    return has_tag;
}

/* A document without a message: what it says besides its metadata is the message. */
static void append_own_message(struct decoder *d, size_t attributes_at) {
    const struct buffer *attributes = &d->attributes.text;
    size_t from = d->message.text.length;
    if (!is_empty_line(d)) buffer_append(&d->message.text, attributes->data + attributes_at, attributes->length - attributes_at);
    end_message(d, from);
}

static void append_optional_text(struct decoder *d, struct text_builder *column, const struct json_member *member) {
    struct span text = member ? text_of(d, &member->value) : (struct span){NULL, 0};
    buffer_append(&column->text, text.at, text.length);
    text_end_row(column, text.length > 0);
}

/* Of a document's `projects/shop/traces/0af7651916cd43dd8448eb211c80319c`, as Google names it, the last part. */
static void append_trace_id(struct decoder *d, const struct json_member *member) {
    struct span text = member ? text_of(d, &member->value) : (struct span){NULL, 0};
    for (size_t at = text.length; d->request->name_count && at > 0; at--) {
        if (text.at[at - 1] != '/') continue;
        text = (struct span){text.at + at, text.length - at};
        break;
    }
    buffer_append(&d->trace_id.text, text.at, text.length);
    text_end_row(&d->trace_id, text.length > 0);
}

/* Appends the members that are no field's as one object, null if there are none. */
static void append_members(struct decoder *d, const struct json_members *members) {
    struct buffer *out = &d->attributes.text;
    uint8_t separator = '{';
    for (int32_t i = 0; i < members->count; i++) {
        const struct json_member *member = &members->items[i];
        if (member->is_dropped) continue;
        buffer_byte(out, separator);
        json_append_key(out, member);
        buffer_byte(out, ':');
        json_append_value(&d->reader, out, &member->value);
        separator = ',';
    }
    int is_empty = separator == '{';
    if (!is_empty) buffer_byte(out, '}');
    text_end_row(&d->attributes, !is_empty);
}

static void put_value(struct json_members *members, const char *key, const struct json_value *value) {
    struct json_member member = {(const uint8_t *)key, (uint32_t)strlen(key), 1, 0, *value};
    json_members_put(members, &member);
}

/* As append_members, with the members of a pushed `attributes` in its place, and the two notes of our own. */
static void append_merged(struct decoder *d, const struct json_member *pushed, const struct json_value *sent_time,
                          int is_escaped) {
    json_members_clear(&d->merged);
    for (int32_t i = 0; i < d->members.count; i++) {
        const struct json_member *member = &d->members.items[i];
        if (member == pushed) json_read_object(&d->reader, member->value.text, 1, &d->merged);
        else if (!member->is_dropped) json_members_put(&d->merged, member);
    }
    if (sent_time) put_value(&d->merged, "_time", sent_time);
    if (is_escaped) {
        static const char backslash[] = "\"backslash\"";
        struct json_value value = {.text = (const uint8_t *)backslash, .length = sizeof backslash - 1};
        put_value(&d->merged, "_escape", &value);
    }
    append_members(d, &d->merged);
}

static int has_room(struct decoder *d) {
    if (d->rows < d->request->max_records) return 1;
    d->has_too_many = 1;
    return 0;
}

/* Takes the record in `members`, whose own text is start … end, or rejects it. */
static void take_record(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end) {
    struct fields chosen;
    choose_fields(d, &chosen);
    struct json_member **fields = chosen.of;
    int64_t time_ns = d->request->now_ns;
    const struct json_value *sent_time = NULL;
    if (fields[FIELD_TIME]) {
        const struct json_value *value = &fields[FIELD_TIME]->value;
        enum time_status status = read_time(d, value, &time_ns);
        if (status == TIME_UNREADABLE) {
            reject(d, line, REJECT_TIME, 0, value->text, value->text + value->length);
            return;
        }
        if (status == TIME_OUT_OF_RANGE || time_ns - DAY_NS > d->request->now_ns) {
            time_ns = d->request->now_ns;
            sent_time = value;
        } else if (chosen.ranks[FIELD_TIME] < 0) {
            refine_time(d, &time_ns);
        } else if (d->request->name_count) {
            add_nanoseconds(d, fields[FIELD_TIME], &time_ns);
        }
    }
    struct span words[WORD_COLUMNS] = {{NULL, 0}};
    for (int i = 0; i < WORD_COLUMNS; i++) {
        if (!fields[i]) continue;
        words[i] = text_of(d, &fields[i]->value);
        if (i != WORD_STREAM && words[i].length > IDENTITY_MAX_BYTES) {
            const struct json_value *value = &fields[i]->value;
            reject(d, line, REJECT_IDENTITY, i, value->text, value->text + value->length);
            return;
        }
    }
    if (!has_room(d)) return;
    buffer_int64(&d->time, time_ns);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        int is_named = fields[i] && (words[i].length > 0 || (i != WORD_CLUSTER && i != WORD_NAMESPACE));
        int32_t code = is_named ? intern_code(&d->words[i].intern, words[i].at, words[i].length)
                                : d->words[i].default_code;
        buffer_int32(&d->words[i].codes, code);
    }
    buffer_int32(&d->severity, (int32_t)read_severity(d, fields[FIELD_SEVERITY]));
    int is_own = !fields[FIELD_MESSAGE] && d->request->name_count;
    int is_escaped = is_own ? 0 : append_message(d, fields[FIELD_MESSAGE], start, end);
    append_label_code(d, label_code(d, fields[FIELD_LABELS]));
    append_metadata_code(d);
    append_trace_id(d, fields[FIELD_TRACE_ID]);
    append_optional_text(d, &d->span_id, fields[FIELD_SPAN_ID]);
    size_t attributes_at = d->attributes.text.length;
    if (fields[FIELD_ATTRIBUTES] || sent_time || is_escaped) {
        append_merged(d, fields[FIELD_ATTRIBUTES], sent_time, is_escaped);
    } else {
        append_members(d, &d->members);
    }
    if (is_own) append_own_message(d, attributes_at);
    d->rows++;
}

static void put_absent(struct json_members *members, const struct json_member *member) {
    if (!json_members_find(members, member->key, member->key_length)) json_members_put(members, member);
}

/* Adds what a member of the envelope says of the record. */
static void add_from_envelope(struct decoder *d, const struct envelope_name *name, struct json_member *member) {
    if (name->role == ENVELOPE_TIME) {
        d->envelope_time = member;
    } else if (name->role == ENVELOPE_MEMBERS && is_object(&member->value)) {
        json_members_clear(&d->merged);
        json_read_object(&d->reader, member->value.text, 1, &d->merged);
        for (int32_t i = 0; i < d->merged.count; i++) put_absent(&d->members, &d->merged.items[i]);
    } else {
        struct json_member renamed = *member;
        if (name->role == ENVELOPE_MEMBER) {
            renamed.key = name->becomes;
            renamed.key_length = (uint32_t)name->becomes_length;
            renamed.key_is_plain = 1;
        }
        put_absent(&d->members, &renamed);
    }
}

/* Makes `members` those of the record in the envelope start … end; 0 if there is none. */
static int unwrap(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end) {
    const struct decode_request *request = d->request;
    struct json_member *record = NULL;
    for (int64_t i = 0; i < request->envelope_count && !record; i++) {
        const struct envelope_name *name = &request->envelope[i];
        if (name->role == ENVELOPE_RECORD) record = json_members_find(&d->outer, name->text, (size_t)name->length);
    }
    int is_there = record && record->value.kind != JSON_NULL;
    if (!is_there || (record->value.kind == JSON_STRING && record->value.length == 2)) {
        reject(d, line, is_there ? REJECT_EMPTY_RECORD : REJECT_NO_RECORD, 0, start, end);
        return 0;
    }
    if (is_object(&record->value)) json_read_object(&d->reader, record->value.text, 1, &d->members);
    else put_value(&d->members, "message", &record->value);
    for (int64_t i = 0; i < request->envelope_count; i++) {
        const struct envelope_name *name = &request->envelope[i];
        if (name->role == ENVELOPE_RECORD) continue;
        struct json_member *member = json_members_find(&d->outer, name->text, (size_t)name->length);
        if (member && member->value.kind != JSON_NULL) add_from_envelope(d, name, member);
    }
    return 1;
}

/* Takes what was read at start … end: a record, or an envelope with one. */
static void take(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end) {
    if (!d->request->envelope_count || unwrap(d, line, start, end)) take_record(d, line, start, end);
}

static const uint8_t *read_object(struct decoder *d, const uint8_t *at) {
    return json_read_object(&d->reader, at, 0, d->request->envelope_count ? &d->outer : &d->members);
}

static void begin_record(struct decoder *d) {
    arena_reset(&d->reader.arena);
    json_members_clear(&d->members);
    json_members_clear(&d->outer);
    d->envelope_time = NULL;
}

static void decode_line(struct decoder *d, int64_t line, const uint8_t *from, const uint8_t *to) {
    const uint8_t *at = json_skip_space(from, to);
    if (at == to) return;
    if (to - from > d->request->max_line_bytes) {
        reject(d, line, REJECT_TOO_LONG, 0, from, to);
        return;
    }
    struct json_reader *reader = &d->reader;
    reader->end = to;
    reader->is_valid_utf8 = d->is_valid_utf8 || utf8_is_valid(from, to);
    begin_record(d);
    struct json_value other = {0};
    int is_record = *at == '{';
    const uint8_t *after = is_record ? read_object(d, at) : json_scan(reader, at, 0, &other);
    if (!after) {
        reject(d, line, reader->error == JSON_TOO_DEEP ? REJECT_TOO_DEEP : REJECT_MALFORMED, 0, from, reader->failed_at);
        return;
    }
    const uint8_t *rest = json_skip_space(after, to);
    if (rest != to) reject(d, line, REJECT_TRAILING, 0, rest, to);
    else if (!is_record) reject(d, line, REJECT_NO_OBJECT, 0, at, after);
    else take(d, line, at, after);
}

static const uint8_t *line_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
    return newline ? newline : end;
}

static void decode_lines(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    for (int64_t line = 1; at < end && !d->has_too_many; line++) {
        const uint8_t *newline = line_end(at, end);
        decode_line(d, line, at, newline);
        at = newline + 1;
    }
}

/* The array's elements from after its bracket. Where it breaks off, what came before is kept. */
static void decode_array(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    struct json_reader *reader = &d->reader;
    reader->end = end;
    reader->is_valid_utf8 = d->is_valid_utf8;
    at = json_skip_space(at, end);
    int is_first = 1;
    for (int64_t element = 1; !d->has_too_many; element++) {
        if (is_first && at < end && *at == ']') break;
        is_first = 0;
        begin_record(d);
        struct json_value other = {0};
        int is_record = at < end && *at == '{';
        const uint8_t *after = is_record ? read_object(d, at)
                                         : json_scan(reader, at, 0, &other);
        if (!after) {
            reject(d, element, REJECT_ARRAY_BROKEN, 0, d->request->body, reader->failed_at);
            return;
        }
        if (after - at > d->request->max_line_bytes) reject(d, element, REJECT_TOO_LONG, 0, at, after);
        else if (!is_record) reject(d, element, REJECT_NO_OBJECT, 0, at, after);
        else take(d, element, at, after);
        at = json_skip_space(after, end);
        if (at < end && *at == ',') {
            at = json_skip_space(at + 1, end);
            continue;
        }
        if (at == end || *at != ']') {
            reject(d, element + 1, REJECT_ARRAY_BROKEN, 0, d->request->body, at);
            return;
        }
        is_first = 1;
    }
    if (d->has_too_many) return;
    at = json_skip_space(at + 1, end);
    if (at != end) reject(d, d->rows + d->rejected + 1, REJECT_TRAILING, 0, at, end);
}

static int is_between(uint8_t byte) { return json_is_space(byte) || byte == ','; }

/* Objects one after the other. Where something else comes, what came before is kept. */
static void decode_row(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    struct json_reader *reader = &d->reader;
    reader->end = end;
    reader->is_valid_utf8 = d->is_valid_utf8;
    for (int64_t place = 1; !d->has_too_many; place++) {
        while (at < end && is_between(*at)) at++;
        if (at == end) return;
        begin_record(d);
        const uint8_t *after = *at == '{' ? read_object(d, at) : json_fail(reader, at, JSON_MALFORMED);
        if (!after) {
            reject(d, place, REJECT_ARRAY_BROKEN, 0, d->request->body, reader->failed_at);
            return;
        }
        if (after - at > d->request->max_line_bytes) reject(d, place, REJECT_TOO_LONG, 0, at, after);
        else take(d, place, at, after);
        at = after;
    }
}

static void decode_text_line(struct decoder *d, int64_t line, const uint8_t *from, const uint8_t *to) {
    if (to - from > d->request->max_line_bytes) {
        reject(d, line, REJECT_TOO_LONG, 0, from, to);
        return;
    }
    if (!has_room(d)) return;
    begin_record(d);
    d->reader.is_valid_utf8 = d->is_valid_utf8 || utf8_is_valid(from, to);
    buffer_int64(&d->time, d->request->now_ns);
    for (int i = 0; i < WORD_COLUMNS; i++) buffer_int32(&d->words[i].codes, d->words[i].default_code);
    buffer_int32(&d->severity, SEVERITY_NONE);
    int is_escaped = append_message(d, NULL, from, to);
    append_label_code(d, -1);
    append_metadata_code(d);
    text_end_row(&d->trace_id, 0);
    text_end_row(&d->span_id, 0);
    append_merged(d, NULL, NULL, is_escaped);
    d->rows++;
}

static void decode_text(struct decoder *d, const uint8_t *at, const uint8_t *end) {
    for (int64_t line = 1; at < end && !d->has_too_many; line++) {
        const uint8_t *newline = line_end(at, end);
        decode_text_line(d, line, at, newline);
        at = newline + 1;
    }
}

static void decode_body(struct decoder *d) {
    const uint8_t *at = d->request->body, *end = at + d->request->length;
    decode_names_init(&d->names, d->request, &d->memory);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        d->words[i].default_code =
            intern_code(&d->words[i].intern, d->request->defaults[i], (size_t)d->request->default_lengths[i]);
    }
    text_init(&d->message, &d->memory);
    text_init(&d->trace_id, &d->memory);
    text_init(&d->span_id, &d->memory);
    text_init(&d->attributes, &d->memory);
    d->is_valid_utf8 = utf8_is_valid(at, end);
    if (d->request->form == FORM_TEXT) {
        decode_text(d, at, end);
        return;
    }
    if (d->request->form == FORM_LINES) {
        decode_lines(d, at, end);
        return;
    }
    if (end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
    const uint8_t *first = json_skip_space(at, end);
    if (first < end && *first == '[') decode_array(d, first + 1, end);
    else if (d->request->form == FORM_ROW) decode_row(d, at, end);
    else decode_lines(d, at, end);
}

static struct word_column_buffers hand_over_words(struct buffer *codes, struct buffer *validity, int64_t nulls,
                                                  struct intern *intern) {
    if (intern->count == 0) buffer_int32(&intern->offsets, 0);
    return (struct word_column_buffers){buffer_hand_over(validity), buffer_hand_over(codes),
                                        buffer_hand_over(&intern->offsets), buffer_hand_over(&intern->text),
                                        nulls, intern->count};
}

static void hand_over(struct decoder *d, struct decode_result *result) {
    result->rows = d->rows;
    result->rejected = d->rejected;
    result->rejects = buffer_hand_over(&d->rejects);
    result->time = buffer_hand_over(&d->time);
    result->severity = buffer_hand_over(&d->severity);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        struct buffer no_validity = {0};
        result->words[i] = hand_over_words(&d->words[i].codes, &no_validity, 0, &d->words[i].intern);
    }
    result->metadata = hand_over_words(&d->metadata_codes, &d->metadata_validity, d->metadata_nulls, &d->metadata);
    result->labels = hand_over_words(&d->label_codes, &d->label_validity, d->label_nulls, &d->labels);
    result->message = text_hand_over(&d->message);
    result->trace_id = text_hand_over(&d->trace_id);
    result->span_id = text_hand_over(&d->span_id);
    result->attributes = text_hand_over(&d->attributes);
}

static void decoder_init(struct decoder *d, const struct decode_request *request) {
    struct memory *memory = &d->memory;
    d->request = request;
    json_reader_init(&d->reader, memory);
    d->members.memory = d->merged.memory = d->outer.memory = memory;
    struct buffer *buffers[] = {&d->time, &d->severity, &d->rejects, &d->canonical, &d->label_codes,
                                &d->label_validity, &d->codes_of_labels, &d->gathered, &d->metadata_codes,
                                &d->metadata_validity};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffers[i]->memory = memory;
    for (int i = 0; i < WORD_COLUMNS; i++) {
        intern_init(&d->words[i].intern, memory);
        d->words[i].codes.memory = memory;
    }
    intern_init(&d->labels_as_sent, memory);
    intern_init(&d->labels, memory);
    intern_init(&d->metadata, memory);
}

static void decoder_free(struct decoder *d) {
    json_reader_free(&d->reader);
    json_members_free(&d->members);
    json_members_free(&d->merged);
    json_members_free(&d->outer);
    struct buffer *buffers[] = {&d->time, &d->severity, &d->rejects, &d->canonical, &d->label_codes,
                                &d->label_validity, &d->codes_of_labels, &d->gathered, &d->metadata_codes,
                                &d->metadata_validity};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
    for (int i = 0; i < WORD_COLUMNS; i++) {
        intern_free(&d->words[i].intern);
        buffer_free(&d->words[i].codes);
    }
    intern_free(&d->labels_as_sent);
    intern_free(&d->metadata);
    decode_names_free(&d->names);
    intern_free(&d->labels);
    text_free(&d->message);
    text_free(&d->trace_id);
    text_free(&d->span_id);
    text_free(&d->attributes);
    free(d);
}

int32_t kernel_decode(const struct decode_request *request, struct decode_result *result) {
    if (request->length > DECODE_MAX_BYTES) return KERNEL_REFUSED;
    struct decoder *d = calloc(1, sizeof *d);
    if (!d) return KERNEL_OUT_OF_MEMORY;
    decoder_init(d, request);
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(d->memory.exhausted) == 0) {
        decode_body(d);
        if (d->has_too_many) {
            status = KERNEL_TOO_MANY_RECORDS;
        } else {
            hand_over(d, result);
            status = KERNEL_OK;
        }
    }
    decoder_free(d);
    return status;
}
