#include <stdlib.h>

#include "attributes.h"
#include "columns.h"

enum {
    ROWS_MAX = 1024,
    STRIDE = 1000003, /* a prime: rows are visited in a mixed order, so that some of them stand for all */
    BYTES_MAX = 32 << 20,
    KEYS_MAX = 4096,
    KEYS_KEPT = KEYS_MAX / 2, /* when there are too many: the most frequent so far */
    SKETCH = 32,
    NEAR_UNIQUE_BYTES = 12,
    DEPTH_MAX = 4,
};

/* What is known of a key. `least` are the smallest hashes of its texts, ascending: if 32 distinct ones lie in the
 * lowest hundredth of all hashes, there are some 3,200 distinct texts. */
struct known_key {
    const uint8_t *name;
    uint32_t name_length;
    int32_t hashes;
    uint64_t least[SKETCH];
    int64_t text_bytes;
    struct key_facts facts;
};

struct surveyor {
    struct memory memory;
    struct json_reader reader;
    struct json_members members[DEPTH_MAX];
    struct json_members places; /* of the keys in `known` */
    struct arena names;
    struct buffer known, facts, scratch, paths[DEPTH_MAX];
    struct text_builder out_names;
};

static struct known_key *known_keys(struct surveyor *s) { return (struct known_key *)s->known.data; }

static void note_hash(struct known_key *key, uint64_t hash) {
    int32_t at = key->hashes;
    if (at == SKETCH && hash >= key->least[SKETCH - 1]) return;
    while (at > 0 && key->least[at - 1] > hash) at--;
    if (at > 0 && key->least[at - 1] == hash) return;
    int32_t moved = (key->hashes < SKETCH ? key->hashes++ : SKETCH - 1) - at;
    memmove(&key->least[at + 1], &key->least[at], (size_t)moved * sizeof *key->least);
    key->least[at] = hash;
}

static double distinct_texts(const struct known_key *key) {
    if (key->hashes < SKETCH) return key->hashes;
    return (SKETCH - 1) / ((double)key->least[SKETCH - 1] / 0x1p64);
}

static int is_near_unique(const struct known_key *key) {
    int64_t texts = key->facts.kinds[ATTRIBUTE_TEXT];
    return texts && key->text_bytes >= NEAR_UNIQUE_BYTES * texts && distinct_texts(key) > (double)texts / 2;
}

static int most_frequent_first(const void *left, const void *right) {
    const struct known_key *a = left, *b = right;
    if (a->facts.rows != b->facts.rows) return a->facts.rows < b->facts.rows ? 1 : -1;
    uint32_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    int order = memcmp(a->name, b->name, shorter);
    return order ? order : (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

static void sort_keys(struct surveyor *s) {
    if (s->places.count == 0) return; /* no array then, which qsort may not be given */
    qsort(s->known.data, (size_t)s->places.count, sizeof(struct known_key), most_frequent_first);
}

/* Copies the key's name, and notes its place. */
static void place_key(struct surveyor *s, struct known_key *key) {
    uint8_t *name = arena_take(&s->names, key->name_length);
    memcpy(name, key->name, key->name_length);
    key->name = name;
    struct json_member member = {.key = name, .key_length = key->name_length};
    json_members_put(&s->places, &member);
}

/* Keeps only the keys that were most frequent so far. */
static void thin_out(struct surveyor *s) {
    sort_keys(s);
    struct arena names = s->names;
    s->names.blocks = NULL;
    s->known.length = KEYS_KEPT * sizeof(struct known_key);
    json_members_clear(&s->places);
    for (int32_t i = 0; i < KEYS_KEPT; i++) place_key(s, &known_keys(s)[i]);
    arena_free(&names);
}

static struct known_key *key_of(struct surveyor *s, const uint8_t *name, size_t length) {
    const struct json_member *place = json_members_find(&s->places, name, length);
    if (place) return &known_keys(s)[place - s->places.items];
    if (s->places.count == KEYS_MAX) thin_out(s);
    struct known_key key = {.name = name, .name_length = (uint32_t)length};
    place_key(s, &key);
    buffer_append(&s->known, &key, sizeof key);
    return &known_keys(s)[s->places.count - 1];
}

static void survey_value(struct surveyor *s, struct known_key *key, const struct json_value *value) {
    union attribute_scalar scalar;
    enum attribute_kind kind = attribute_read(value, &scalar);
    key->facts.rows++;
    key->facts.composite += value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
    if (kind != ATTRIBUTE_NONE) key->facts.kinds[kind]++;
    if (kind == ATTRIBUTE_TEXT) {
        key->text_bytes += value->length - 2;
        note_hash(key, hash_bytes(value->text, value->length));
    }
}

/* The path of a member: its key, after the path of the object that it is in. */
static const struct buffer *path_of(struct surveyor *s, const struct json_member *member, int depth) {
    struct buffer *path = &s->paths[depth];
    path->length = 0;
    if (depth) {
        buffer_append(path, s->paths[depth - 1].data, s->paths[depth - 1].length);
        buffer_byte(path, PATH_SEPARATOR);
    }
    buffer_append(path, member->key, member->key_length);
    return path;
}

/* Looks at the members of an object, and at those of the objects in it. */
static void survey_object(struct surveyor *s, struct json_text text, int depth) {
    struct json_members *members = &s->members[depth];
    if (!json_read_only_object(&s->reader, text, members)) return;
    for (int32_t i = 0; i < members->count; i++) {
        const struct json_member *member = &members->items[i];
        const struct json_value *value = &member->value;
        if (value->kind == JSON_NULL || memchr(member->key, PATH_SEPARATOR, member->key_length)) continue;
        const struct buffer *path = path_of(s, member, depth);
        survey_value(s, key_of(s, path->data, path->length), value);
        if (value->kind != JSON_OBJECT || depth + 1 == DEPTH_MAX) continue;
        survey_object(s, (struct json_text){value->text, value->text + value->length}, depth + 1);
    }
}

static int64_t survey_rows(struct surveyor *s, int64_t rows, const struct array_input *attributes,
                           const struct array_input *messages) {
    int64_t wanted = rows < ROWS_MAX ? rows : ROWS_MAX, bytes = 0, surveyed = 0;
    for (; surveyed < wanted && bytes < BYTES_MAX; surveyed++) {
        int64_t place = surveyed * STRIDE % wanted;
        int64_t row = (int64_t)((double)place * (double)rows / (double)wanted);
        struct json_text text = attributes_text(attributes, messages, row, &s->scratch);
        bytes += text.end - text.at;
        arena_reset(&s->reader.arena);
        if (text.at) survey_object(s, text, 0);
    }
    return surveyed;
}

static void report(struct surveyor *s, int64_t surveyed, struct survey_result *result) {
    text_init(&s->out_names, &s->memory);
    sort_keys(s);
    for (int32_t i = 0; i < s->places.count; i++) {
        struct known_key *key = &known_keys(s)[i];
        key->facts.is_near_unique = is_near_unique(key);
        buffer_append(&s->facts, &key->facts, sizeof key->facts);
        buffer_append(&s->out_names.text, key->name, key->name_length);
        text_end_row(&s->out_names, 1);
    }
    *result = (struct survey_result){surveyed, s->places.count, buffer_hand_over(&s->facts),
                                     text_hand_over(&s->out_names)};
}

int32_t kernel_attributes_survey(int64_t rows, const struct array_input *attributes, const struct array_input *messages,
                                 struct survey_result *result) {
    struct surveyor *s = calloc(1, sizeof *s);
    if (!s) return KERNEL_OUT_OF_MEMORY;
    json_reader_init(&s->reader, &s->memory);
    s->reader.is_valid_utf8 = 1;
    s->places.memory = s->names.memory = &s->memory;
    s->known.memory = s->facts.memory = s->scratch.memory = &s->memory;
    for (int i = 0; i < DEPTH_MAX; i++) s->members[i].memory = s->paths[i].memory = &s->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(s->memory.exhausted) == 0) {
        report(s, survey_rows(s, rows, attributes, messages), result);
        status = KERNEL_OK;
    }
    json_reader_free(&s->reader);
    for (int i = 0; i < DEPTH_MAX; i++) {
        json_members_free(&s->members[i]);
        buffer_free(&s->paths[i]);
    }
    json_members_free(&s->places);
    arena_free(&s->names);
    buffer_free(&s->known);
    buffer_free(&s->facts);
    buffer_free(&s->scratch);
    text_free(&s->out_names);
    free(s);
    return status;
}
