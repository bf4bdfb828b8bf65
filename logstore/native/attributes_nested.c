#include <stdlib.h>

#include "attribute_column.h"

/* A key of one of the paths, below that of its object; the first node is the attributes themselves. */
struct node {
    const uint8_t *key;
    size_t key_length;
    int32_t child, sibling; /* the first one, the next one; 0: none */
    int32_t column;         /* -1: none */
    int64_t has_dots;
    struct json_members members;
};

struct nester {
    struct memory memory;
    const struct nested_request *request;
    struct json_reader reader;
    struct attribute_column *columns;
    struct node *nodes;
    int32_t node_count;
    struct buffer scratch;
};

static int32_t child_of(struct nester *n, int32_t parent, const uint8_t *key, size_t length) {
    int32_t child = n->nodes[parent].child;
    for (; child; child = n->nodes[child].sibling) {
        const struct node *node = &n->nodes[child];
        if (node->key_length == length && memcmp(node->key, key, length) == 0) return child;
    }
    child = n->node_count++;
    n->nodes[child] = (struct node){key, length, 0, n->nodes[parent].child, -1, 0, {.memory = &n->memory}};
    n->nodes[parent].child = child;
    return child;
}

static void add_path(struct nester *n, const struct attribute_key *path, int32_t column) {
    const uint8_t *at = path->text, *end = at + path->length;
    int32_t node = 0;
    while (at <= end) {
        const uint8_t *stop = memchr(at, PATH_SEPARATOR, (size_t)(end - at));
        if (!stop) stop = end;
        node = child_of(n, node, at, (size_t)(stop - at));
        at = stop + 1;
    }
    n->nodes[node].column = column;
}

static size_t count_keys(const struct nested_request *request) {
    size_t count = 1;
    for (int64_t i = 0; i < request->path_count; i++) {
        const struct attribute_key *path = &request->paths[i];
        count++;
        for (int64_t at = 0; at < path->length; at++) count += path->text[at] == PATH_SEPARATOR;
    }
    return count;
}

/* Of an object that cannot be told apart: nothing is known of what is in it. */
static void note_unread(struct nester *n, int32_t at) {
    struct node *node = &n->nodes[at];
    node->has_dots = 1;
    if (node->column >= 0) n->columns[node->column].in_rest = 1;
    for (int32_t child = node->child; child; child = n->nodes[child].sibling) note_unread(n, child);
}

static void note_dots(struct node *node) {
    for (int32_t i = 0; i < node->members.count && !node->has_dots; i++) {
        const struct json_member *member = &node->members.items[i];
        node->has_dots = memchr(member->key, '.', member->key_length) != NULL;
    }
}

static void put(struct attribute_column *column, int64_t row, const struct json_value *value) {
    union attribute_scalar scalar;
    if (attribute_read(value, &scalar) == column->kind) attribute_column_put(column, row, value, &scalar);
    else column->in_rest |= value->kind != JSON_NULL;
}

static void read_object(struct nester *n, int32_t at, int64_t row, struct json_text text) {
    struct node *node = &n->nodes[at];
    if (!json_read_only_object(&n->reader, text, &node->members) || node->members.repeats) {
        note_unread(n, at);
        return;
    }
    note_dots(node);
    for (int32_t child = node->child; child; child = n->nodes[child].sibling) {
        const struct node *below = &n->nodes[child];
        const struct json_member *member = json_members_find(&node->members, below->key, below->key_length);
        if (!member) continue;
        const struct json_value *value = &member->value;
        if (below->column >= 0) put(&n->columns[below->column], row, value);
        if (below->child && value->kind == JSON_OBJECT) {
            read_object(n, child, row, (struct json_text){value->text, value->text + value->length});
        }
    }
}

static void read_rows(struct nester *n) {
    const struct nested_request *request = n->request;
    size_t columns = (size_t)request->path_count * sizeof *n->columns, nodes = count_keys(request) * sizeof *n->nodes;
    n->nodes = memory_resize(&n->memory, NULL, nodes);
    n->nodes[n->node_count++] = (struct node){.column = -1, .members.memory = &n->memory};
    n->columns = memory_resize(&n->memory, NULL, columns);
    memset(n->columns, 0, columns);
    for (int64_t i = 0; i < request->path_count; i++) {
        const struct attribute_key *path = &request->paths[i];
        attribute_column_begin(&n->columns[i], &n->memory, (enum attribute_kind)path->kind, request->rows);
        add_path(n, path, (int32_t)i);
    }
    for (int64_t row = 0; row < request->rows; row++) {
        struct json_text text = attributes_text(&request->attributes, &request->messages, row, &n->scratch);
        arena_reset(&n->reader.arena);
        if (text.at) read_object(n, 0, row, text);
    }
}

/* The object that a path is in is its last node but one. */
static int64_t parent_has_dots(struct nester *n, const struct attribute_key *path) {
    const uint8_t *at = path->text, *end = at + path->length, *stop;
    int32_t node = 0;
    int64_t has_dots = n->nodes[0].has_dots;
    while ((stop = memchr(at, PATH_SEPARATOR, (size_t)(end - at)))) {
        node = child_of(n, node, at, (size_t)(stop - at));
        has_dots |= n->nodes[node].has_dots;
        at = stop + 1;
    }
    return has_dots;
}

static void hand_over(struct nester *n, struct typed_column *columns, int64_t *has_dots) {
    for (int64_t i = 0; i < n->request->path_count; i++) {
        has_dots[i] = parent_has_dots(n, &n->request->paths[i]);
        columns[i] = attribute_column_hand_over(&n->columns[i]);
    }
}

static void free_nester(struct nester *n) {
    for (int64_t i = 0; n->columns && i < n->request->path_count; i++) attribute_column_free(&n->columns[i]);
    for (int32_t i = 0; i < n->node_count; i++) json_members_free(&n->nodes[i].members);
    free(n->columns);
    free(n->nodes);
    json_reader_free(&n->reader);
    buffer_free(&n->scratch);
    free(n);
}

int32_t kernel_attributes_nested(const struct nested_request *request, struct typed_column *columns, int64_t *has_dots) {
    struct nester *n = calloc(1, sizeof *n);
    if (!n) return KERNEL_OUT_OF_MEMORY;
    n->request = request;
    json_reader_init(&n->reader, &n->memory);
    n->reader.is_valid_utf8 = 1;
    n->scratch.memory = &n->memory;
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(n->memory.exhausted) == 0) {
        read_rows(n);
        hand_over(n, columns, has_dots);
        status = KERNEL_OK;
    }
    free_nester(n);
    return status;
}
