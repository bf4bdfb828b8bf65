#include "decode_names.h"

static int is_name(const uint8_t *key, const char *name, size_t length) { return memcmp(key, name, length) == 0; }

static struct meaning of_contract(const uint8_t *key, size_t length) {
#define NAME(text, its_field, its_rank) \
    if (is_name(key, text, sizeof text - 1)) return (struct meaning){.field = its_field, .rank = its_rank}
    switch (length) {
    case 2: NAME("ts", FIELD_TIME, 2); break;
    case 3:
        NAME("pod", (enum field)WORD_POD, 0);
        NAME("msg", FIELD_MESSAGE, 1);
        NAME("log", FIELD_MESSAGE, 2);
        break;
    case 4: NAME("time", FIELD_TIME, 0); NAME("_msg", FIELD_MESSAGE, 3); break;
    case 5: NAME("_time", FIELD_TIME, 1); NAME("level", FIELD_SEVERITY, 1); break;
    case 6: NAME("stream", FIELD_STREAM, 0); NAME("labels", FIELD_LABELS, 0); break;
    case 7:
        NAME("message", FIELD_MESSAGE, 0);
        NAME("cluster", (enum field)WORD_CLUSTER, 0);
        NAME("span_id", FIELD_SPAN_ID, 0);
        break;
    case 8: NAME("severity", FIELD_SEVERITY, 0); NAME("trace_id", FIELD_TRACE_ID, 0); break;
    case 9:
        NAME("namespace", (enum field)WORD_NAMESPACE, 0);
        NAME("container", (enum field)WORD_CONTAINER, 0);
        NAME("timestamp", FIELD_TIME, 3);
        break;
    case 10: NAME("@timestamp", FIELD_TIME, 4); NAME("attributes", FIELD_ATTRIBUTES, 0); break;
    }
#undef NAME
    return (struct meaning){.field = FIELD_NONE};
}

static int has_prefix(const struct decode_names *names, const uint8_t *key, size_t length) {
    for (int i = 0; i < names->prefix_count; i++) {
        const struct decode_name *prefix = &names->prefixes[i];
        size_t size = (size_t)prefix->length;
        if (length > size && prefix->text[0] == key[0] && memcmp(prefix->text, key, size) == 0) return 1;
    }
    return 0;
}

static void give(struct meaning *meaning, enum field field, int rank) {
    meaning->field = field;
    meaning->rank = rank;
}

static struct meaning look_up(struct decode_names *names, const uint8_t *key, size_t length, struct meaning meaning) {
    const struct json_member *found = json_members_find(&names->exact, key, length);
    if (!found) {
        if (has_prefix(names, key, length)) meaning.metadata = METADATA_ALWAYS;
        return meaning;
    }
    int place = (int)found->value.length;
    switch ((enum decode_role)names->request->names[place].role) {
    case ROLE_METADATA: case ROLE_PREFIX: meaning.metadata = METADATA_ALWAYS; break;
    case ROLE_OBJECT: meaning.metadata = METADATA_OBJECT; break;
    case ROLE_TEXT: meaning.metadata = METADATA_TEXT; break;
    case ROLE_WEAK: meaning.metadata = METADATA_WEAK; break;
    case ROLE_WALK: meaning.is_walked = 1; break;
    case ROLE_EVENT: meaning.wants_severity = 1; /* fall through */
    case ROLE_BODY: meaning.is_walked = 1; /* fall through */
    case ROLE_MESSAGE: give(&meaning, FIELD_MESSAGE, LATE_RANK + place); break;
    case ROLE_TIME: give(&meaning, FIELD_TIME, -1); break;
    case ROLE_LATE_TIME: give(&meaning, FIELD_TIME, LATE_RANK + place); break;
    case ROLE_SEVERITY: give(&meaning, FIELD_SEVERITY, LATE_RANK + place); break;
    case ROLE_TRACE_ID: give(&meaning, FIELD_TRACE_ID, LATE_RANK + place); break;
    case ROLE_SPAN_ID: give(&meaning, FIELD_SPAN_ID, LATE_RANK + place); break;
    }
    return meaning;
}

struct meaning decode_names_of_path(struct decode_names *names, const uint8_t *path, size_t length) {
    return look_up(names, path, length, (struct meaning){.field = FIELD_NONE});
}

struct meaning decode_names_of(struct decode_names *names, int32_t place, const struct json_member *member) {
    const uint8_t *key = member->key;
    uint32_t length = member->key_length;
    if (!names->request->name_count) return of_contract(key, length);
    struct guess *guess = place < NAME_GUESSES ? &names->guesses[place] : NULL;
    if (guess && guess->key && guess->length == length && memcmp(guess->key, key, length) == 0) return guess->meaning;
    struct meaning meaning = look_up(names, key, length, of_contract(key, length));
    if (guess && member->key_is_plain) *guess = (struct guess){key, length, meaning}; /* the key stands in the body */
    return meaning;
}

static int holds(const struct json_value *string, const struct needle *needle) {
    size_t size = (size_t)needle->length;
    const uint8_t *at = string->text, *end = at + string->length;
    while (size <= (size_t)(end - at) && (at = memchr(at, needle->text[0], (size_t)(end - at) - size + 1))) {
        if (memcmp(at, needle->text, size) == 0) return 1;
        at++;
    }
    return 0;
}

int decode_names_admit(const struct decode_names *names, enum decode_metadata metadata, const struct json_value *value) {
    if (metadata == METADATA_NO) return 0;
    if (metadata == METADATA_ALWAYS || value->kind == JSON_OBJECT) return 1;
    if (metadata == METADATA_OBJECT) return 0;
    if (metadata == METADATA_WEAK) return value->kind != JSON_ARRAY;
    if (value->kind != JSON_STRING) return 0;
    const struct decode_request *request = names->request;
    for (int64_t i = 0; i < request->needle_count; i++) {
        if (holds(value, &request->needles[i])) return 1;
    }
    return 0;
}

void decode_names_init(struct decode_names *names, const struct decode_request *request, struct memory *memory) {
    *names = (struct decode_names){.request = request, .exact = {.memory = memory}};
    for (int64_t i = 0; i < request->name_count; i++) {
        const struct decode_name *name = &request->names[i];
        if (name->role == ROLE_PREFIX) {
            if (names->prefix_count < NAME_PREFIXES_MAX) names->prefixes[names->prefix_count++] = *name;
            continue;
        }
        struct json_member member = {.key = name->text, .key_length = (uint32_t)name->length,
                                     .value = {.length = (uint32_t)i}};
        if (!json_members_find(&names->exact, name->text, (size_t)name->length)) json_members_put(&names->exact, &member);
    }
}

void decode_names_free(struct decode_names *names) { json_members_free(&names->exact); }
