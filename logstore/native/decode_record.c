#include "decode_state.h"

#include <string.h>

struct span decode_text_of(struct decoder *d, const struct json_value *value) {
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
    struct span text = member ? decode_text_of(d, &member->value) : (struct span){NULL, 0};
    buffer_append(&column->text, text.at, text.length);
    text_end_row(column, text.length > 0);
}

/* Of a document's `projects/shop/traces/0af7651916cd43dd8448eb211c80319c`, as Google names it, the last part. */
static void append_trace_id(struct decoder *d, const struct json_member *member) {
    struct span text = member ? decode_text_of(d, &member->value) : (struct span){NULL, 0};
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
    struct json_member member = json_member_of(key, *value);
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
    decode_choose_fields(d, &chosen);
    struct json_member **fields = chosen.of;
    int64_t time_ns;
    const struct json_value *sent_time;
    if (!decode_read_time(d, line, &chosen, &time_ns, &sent_time)) return;
    struct span words[WORD_COLUMNS] = {{NULL, 0}};
    for (int i = 0; i < WORD_COLUMNS; i++) {
        if (!fields[i]) continue;
        words[i] = decode_text_of(d, &fields[i]->value);
        if (i != WORD_STREAM && words[i].length > IDENTITY_MAX_BYTES) {
            const struct json_value *value = &fields[i]->value;
            decode_reject(d, line, REJECT_IDENTITY, i, value->text, value->text + value->length);
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
    buffer_int32(&d->severity, (int32_t)decode_read_severity(d, fields[FIELD_SEVERITY]));
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

/* Whether the record's own members are of a kind that others read. */
static int is_foreign(struct decoder *d) {
    for (int64_t i = 0; i < d->request->envelope_count; i++) {
        const struct envelope_name *name = &d->request->envelope[i];
        if (name->role < ENVELOPE_FOREIGN) continue;
        const struct json_member *member = json_members_find(&d->members, name->text, (size_t)name->length);
        if (member && (name->role == ENVELOPE_FOREIGN || is_object(&member->value))) return 1;
    }
    return 0;
}

/* Makes `members` those of the record in the envelope start … end; 0 if there is none. */
static int unwrap(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end) {
    const struct decode_request *request = d->request;
    struct json_member *record = json_members_find(&d->outer, d->outer.inner.key, d->outer.inner.key_length);
    int is_there = record && record->value.kind != JSON_NULL;
    if (!is_there || (record->value.kind == JSON_STRING && record->value.length == 2)) {
        decode_reject(d, line, is_there ? REJECT_EMPTY_RECORD : REJECT_NO_RECORD, 0, start, end);
        return 0;
    }
    if (!is_object(&record->value)) {
        json_members_clear(&d->members);
        put_value(&d->members, "message", &record->value);
    } else if (is_foreign(d)) {
        decode_reject(d, line, REJECT_FOREIGN, 0, start, end);
        return 0;
    }
    for (int64_t i = 0; i < request->envelope_count; i++) {
        const struct envelope_name *name = &request->envelope[i];
        if (name->role == ENVELOPE_RECORD || name->role >= ENVELOPE_FOREIGN) continue;
        struct json_member *member = json_members_find(&d->outer, name->text, (size_t)name->length);
        if (member && member->value.kind != JSON_NULL) add_from_envelope(d, name, member);
    }
    return 1;
}

void decode_take(struct decoder *d, int64_t line, const uint8_t *start, const uint8_t *end) {
    if (!d->request->envelope_count || unwrap(d, line, start, end)) take_record(d, line, start, end);
}

void decode_take_text(struct decoder *d, const uint8_t *from, const uint8_t *to) {
    if (!has_room(d)) return;
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
