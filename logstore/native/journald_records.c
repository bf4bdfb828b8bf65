/* Entries of the journal as records; what becomes of which field is told in docs/protocols/journald.md
 * (systemd.journal-fields(7), and the journald logging drivers of Docker and Podman). */
#include "journald.h"

#include "entries.h"
#include "number.h"
#include "utf8.h"

enum { DIGITS_MAX = 18, NS_PER_US_ZEROS = 3, NAMES_KEPT_MAX = 1 << 14 };
#define NS_PER_US INT64_C(1000)

/* Names with a meaning, first those that are known one by one. */
enum name {
    MESSAGE, CURSOR, SOURCE_TIME, RECEIVED_TIME, HOSTNAME, MACHINE_ID, BOOT_ID, TRANSPORT, SYSTEMD_UNIT, IDENTIFIER, COMM,
    CONTAINER_NAME, CONTAINER_ID_FULL, CONTAINER_TAG, IMAGE_NAME, PRIORITY, INGEST_ERROR, NOTE_TIME, NOTE_ESCAPE,
    FIRST_NUMBER, NONE = -1
};

static const char *const NAMES[] = {
    "MESSAGE", "__CURSOR", "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "_HOSTNAME", "_MACHINE_ID", "_BOOT_ID",
    "_TRANSPORT", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM", "CONTAINER_NAME", "CONTAINER_ID_FULL", "CONTAINER_TAG",
    "IMAGE_NAME", "PRIORITY", LEFT_OUT, "_time", "_escape",
    /* and those whose values are numbers */
    "ERRNO", "TID", "SYSLOG_FACILITY", "SYSLOG_PID", "CODE_LINE", "EXIT_STATUS", "LEADER", "_PID", "_UID", "_GID",
    "_AUDIT_SESSION", "_AUDIT_LOGINUID", "_SYSTEMD_OWNER_UID", "__MONOTONIC_TIMESTAMP", "_SOURCE_MONOTONIC_TIMESTAMP",
    "_SOURCE_BOOTTIME_TIMESTAMP", "__SEQNUM", "COREDUMP_PID", "COREDUMP_UID", "COREDUMP_GID", "COREDUMP_SIGNAL",
};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };

#define BIT(name) (1u << (name))

/* The fields that other columns hold: of all entries, of containers, of nodes; and those that tell where they are from. */
static const uint32_t SAID = BIT(MESSAGE) | BIT(CURSOR) | BIT(SOURCE_TIME) | BIT(RECEIVED_TIME);
static const uint32_t OF_CONTAINERS =
    BIT(HOSTNAME) | BIT(CONTAINER_NAME) | BIT(CONTAINER_ID_FULL) | BIT(CONTAINER_TAG) | BIT(IMAGE_NAME);
static const uint32_t OF_NODES = BIT(HOSTNAME) | BIT(MACHINE_ID) | BIT(BOOT_ID) | BIT(TRANSPORT);

struct field {
    struct span name, value;
    int32_t code;
    int32_t next, last; /* of those with the same name: the one after it, or NONE; the last one, told of the first */
    int8_t is_first, is_text;
};

/* What is kept of a name: where it was met last, and where it stands in `keys` with quotes and a colon. */
struct kept {
    int64_t entry;
    int32_t field;
    size_t key_from, key_length;
};

struct journal {
    struct entries *entries;
    const uint8_t *at, *end;
    int64_t entry;
    int32_t count;
    int32_t guesses[FIELDS_MAX]; /* the code of the name at this place in the entry before, if it had so many */
    int32_t of[FIRST_NUMBER]; /* the first field of each name, or NONE */
};

static struct field *field_of(struct journal *j, int32_t number) {
    return (struct field *)(void *)j->entries->fields.data + number;
}

/* The field of this name, if it is there once, as text. */
static const struct field *text_of(struct journal *j, enum name name) {
    if (j->of[name] == NONE) return NULL;
    const struct field *field = field_of(j, j->of[name]);
    return field->is_text && field->next == NONE ? field : NULL;
}

static int32_t int32_at(const uint8_t *at) {
    int32_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

static void keep_name(struct entries *e, struct span name) {
    size_t from = e->keys.length;
    json_append_string(&e->keys, name.at, name.length);
    buffer_byte(&e->keys, ':');
    struct kept kept = {NONE, NONE, from, e->keys.length - from};
    buffer_append(&e->kept, &kept, sizeof kept);
}

static struct kept *kept_of(struct entries *e, int32_t code) {
    return (struct kept *)(void *)e->kept.data + code;
}

/* The code of the name of the field with this number. */
static int32_t code_of(struct journal *j, int32_t number, struct span name) {
    struct entries *e = j->entries;
    int is_guessed = number < FIELDS_MAX;
    if (is_guessed && intern_is(&e->names, j->guesses[number], name.at, name.length)) return j->guesses[number];
    int32_t known = e->names.count, code = intern_code(&e->names, name.at, name.length);
    if (code == known) keep_name(e, name);
    if (is_guessed) j->guesses[number] = code;
    return code;
}

static void add_field(struct journal *j, struct span name, struct span value) {
    struct entries *e = j->entries;
    int32_t number = j->count++, code = code_of(j, number, name);
    struct kept *kept = kept_of(e, code);
    int is_first = kept->entry != j->entry;
    struct field field = {name, value, code, NONE, number, (int8_t)is_first, 0};
    field.is_text = (int8_t)utf8_is_valid(value.at, value.at + value.length);
    buffer_append(&e->fields, &field, sizeof field);
    if (is_first) {
        kept->entry = j->entry;
        kept->field = number;
        if (code < FIRST_NUMBER) j->of[code] = number;
        return;
    }
    struct field *first = field_of(j, kept->field);
    field_of(j, first->last)->next = number;
    first->last = number;
}

/* The fields of the entry that stands next; false if there is none. */
static int read_fields(struct journal *j) {
    j->entry++;
    j->count = 0;
    j->entries->fields.length = 0;
    for (int name = 0; name < FIRST_NUMBER; name++) j->of[name] = NONE;
    while (j->end - j->at >= (ptrdiff_t)sizeof(int32_t)) {
        int32_t name_length = int32_at(j->at);
        if (name_length == ENTRY_END) {
            j->at += sizeof name_length;
            return 1;
        }
        if (j->end - j->at < FIELD_HEAD_BYTES) break;
        int32_t length = int32_at(j->at + sizeof name_length);
        const uint8_t *name = j->at + FIELD_HEAD_BYTES, *value = name + name_length + 1;
        if (name_length < 0 || length < 0 || j->end - name < (int64_t)name_length + 1 + length) break;
        add_field(j, (struct span){name, (size_t)name_length}, (struct span){value, (size_t)length});
        j->at = value + length;
    }
    if (j->at != j->end || j->count) j->entries->status = ENTRIES_MALFORMED;
    return 0;
}

/* A text of digits without the zeros before them; empty if it is none. */
static struct span digits_of(const struct field *field) {
    struct span digits = field->value;
    if (!digits.length || digits.length > DIGITS_MAX) return (struct span){digits.at, 0};
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9') return (struct span){digits.at, 0};
    }
    while (digits.length > 1 && *digits.at == '0') digits.at++, digits.length--;
    return digits;
}

static void append_text(struct buffer *out, const struct field *field) {
    if (field->is_text) json_append_string(out, field->value.at, field->value.length);
    else json_append_base64(out, field->value.at, field->value.length);
}

static void append_value(struct journal *j, struct buffer *out, const struct field *field, int is_number) {
    struct span digits = is_number && field->next == NONE ? digits_of(field) : (struct span){0};
    if (digits.length) {
        buffer_append(out, digits.at, digits.length);
        return;
    }
    if (field->next != NONE) buffer_byte(out, '[');
    append_text(out, field);
    if (field->next == NONE) return;
    while (field->next != NONE) {
        field = field_of(j, field->next);
        buffer_byte(out, ',');
        append_text(out, field);
    }
    buffer_byte(out, ']');
}

/* Members, each with a comma after it. */
static void append_member(struct journal *j, struct buffer *out, const struct field *field, int is_number) {
    const struct kept *kept = kept_of(j->entries, field->code);
    buffer_append(out, j->entries->keys.data + kept->key_from, kept->key_length);
    append_value(j, out, field, is_number);
    buffer_byte(out, ',');
}

static int is_known(const struct field *field, uint32_t names) {
    return field->code < FIRST_NUMBER && (names & BIT(field->code)) != 0;
}

/* All fields but those that the record's other columns hold. */
static void append_attributes(struct journal *j, uint32_t said) {
    struct entries *e = j->entries;
    /* What is noted besides may have one of these names: then the note counts. */
    e->is_repeated = j->of[NOTE_TIME] != NONE || j->of[NOTE_ESCAPE] != NONE;
    for (int32_t number = 0; number < j->count; number++) {
        const struct field *field = field_of(j, number);
        if (!field->is_first || is_known(field, said)) continue;
        int is_number = field->code == PRIORITY || (field->code >= FIRST_NUMBER && field->code < NAME_COUNT);
        append_member(j, &e->attributes.text, field, is_number);
    }
}

/* `MESSAGE`, joined with newlines where there are several; of an entry that has none, all its fields. */
static struct span message_of(struct journal *j) {
    struct buffer *body = &j->entries->body;
    body->length = 0;
    if (j->of[MESSAGE] != NONE) {
        const struct field *field = field_of(j, j->of[MESSAGE]);
        if (field->next == NONE) return field->value;
        buffer_append(body, field->value.at, field->value.length);
        while (field->next != NONE) {
            field = field_of(j, field->next);
            buffer_byte(body, '\n');
            buffer_append(body, field->value.at, field->value.length);
        }
        return (struct span){body->data, body->length};
    }
    buffer_byte(body, '{');
    for (int32_t number = 0; number < j->count; number++) {
        const struct field *field = field_of(j, number);
        int is_of_address = field->name.length >= 2 && field->name.at[0] == '_' && field->name.at[1] == '_';
        if (field->is_first && !is_of_address) append_member(j, body, field, 0);
    }
    if (body->length > 1) body->length--;
    buffer_byte(body, '}');
    return (struct span){body->data, body->length};
}

/* The field that names what wrote the entry, as a set. */
static uint32_t unit_of(struct journal *j) {
    for (int name = SYSTEMD_UNIT; name <= COMM; name++) {
        const struct field *field = text_of(j, (enum name)name);
        if (field && field->value.length) return BIT(name);
    }
    return 0;
}

/* Tells where the entry comes from: `ingest.protocols.journald.records` reads it. Of a container it has one of the two
 * names by which it is known to be one, if only as an empty text. */
static void lift(struct journal *j, uint32_t names) {
    struct buffer *lifted = &j->entries->lifted;
    for (int name = 0; name < FIRST_NUMBER; name++) {
        if (!(names & BIT(name)) || j->of[name] == NONE) continue;
        const struct field *field = text_of(j, (enum name)name);
        json_append_string(lifted, (const uint8_t *)NAMES[name], strlen(NAMES[name]));
        buffer_byte(lifted, ':');
        json_append_string(lifted, field ? field->value.at : NULL, field ? field->value.length : 0);
        buffer_byte(lifted, ',');
    }
}

/* When the source says that it happened, else when journald received it. `odd` has room for a time that is too large. */
static void read_time(struct journal *j, struct entry *entry, uint8_t odd[DIGITS_MAX + NS_PER_US_ZEROS]) {
    for (int name = SOURCE_TIME; name <= RECEIVED_TIME; name++) {
        const struct field *field = text_of(j, (enum name)name);
        struct span digits = field ? digits_of(field) : (struct span){0};
        if (!digits.length) continue;
        int64_t time_us = 0;
        for (size_t i = 0; i < digits.length; i++) time_us = time_us * 10 + (digits.at[i] - '0');
        entry->has_time = 1;
        if (time_us <= INT64_MAX / NS_PER_US) {
            entry->time_ns = time_us * NS_PER_US;
        } else {
            memcpy(odd, digits.at, digits.length);
            memset(odd + digits.length, '0', NS_PER_US_ZEROS);
            entry->odd_time = (struct span){odd, digits.length + NS_PER_US_ZEROS};
        }
        return;
    }
}

static enum severity severity_of(const struct field *priority) {
    struct span level = priority ? priority->value : (struct span){0};
    return level.length == 1 && *level.at >= '0' && *level.at <= '7' ? severity_of_word(level.at, 1) : SEVERITY_NONE;
}

static void append_entry(struct journal *j) {
    struct entries *e = j->entries;
    int is_of_container = j->of[CONTAINER_NAME] != NONE || j->of[CONTAINER_ID_FULL] != NONE;
    struct entry entry = {0};
    uint8_t odd[DIGITS_MAX + NS_PER_US_ZEROS];
    entries_begin(e);
    if (is_of_container) {
        /* Its priority only says on which of its streams the line was. */
        lift(j, OF_CONTAINERS | BIT(PRIORITY));
        append_attributes(j, SAID | OF_CONTAINERS);
    } else {
        uint32_t names = OF_NODES | unit_of(j);
        lift(j, names);
        append_attributes(j, SAID | names);
        entry.severity = severity_of(text_of(j, PRIORITY));
    }
    read_time(j, &entry, odd);
    entry.message = message_of(j);
    int64_t rows = e->rows;
    entries_end(e, &entry);
    if (j->of[INGEST_ERROR] != NONE) e->broken += e->rows - rows;
}

/* So that `enum name` says which code a name has. */
static void intern_known_names(struct entries *e) {
    for (int name = 0; name < NAME_COUNT; name++) {
        intern_code(&e->names, (const uint8_t *)NAMES[name], strlen(NAMES[name]));
        keep_name(e, span_of(NAMES[name]));
    }
}

static void forget_other_names(struct journal *j) {
    struct entries *e = j->entries;
    intern_free(&e->names);
    intern_init(&e->names, &e->memory);
    e->kept.length = e->keys.length = 0;
    memset(j->guesses, 0, sizeof j->guesses);
    intern_known_names(e);
}

static void read_journal(struct entries *e, struct span body) {
    struct journal j = {.entries = e, .at = body.at, .end = body.at + body.length};
    intern_known_names(e);
    buffer_reserve(&e->attributes.text, body.length);
    entries_begin_base(e, (struct span){body.at, 0});
    while (e->status == KERNEL_OK && read_fields(&j)) {
        append_entry(&j);
        if (e->names.count > NAMES_KEPT_MAX) forget_other_names(&j);
    }
}

EXPORT int32_t kernel_journald(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_journal);
}
