#include "places.h"

#include <pthread.h>
#include <stdlib.h>

#include "intern.h"

enum { TABLE_FIRST = 1024 };

struct places {
    struct memory memory;
    pthread_mutex_t lock;
    int64_t columns;
    struct intern *interns; /* of each column */
    struct place **table;
    uint64_t mask, count;
    int64_t bytes;
};

int64_t places_columns(const struct places *places) { return places->columns; }

void places_append_key(struct buffer *key, const uint8_t *text, int64_t length) {
    buffer_int32(key, text ? (int32_t)length : NO_WORD);
    if (text) buffer_append(key, text, (size_t)length);
}

static struct place *find(const struct places *places, const struct buffer *key, uint64_t hash) {
    for (uint64_t slot = hash & places->mask; places->table[slot]; slot = (slot + 1) & places->mask) {
        struct place *place = places->table[slot];
        int may_be = place->hash == hash && place->key_length == key->length;
        if (may_be && memcmp(place->key, key->data, key->length) == 0) return place;
    }
    return NULL;
}

const struct place *places_find(struct places *places, const struct buffer *key) {
    uint64_t hash = hash_bytes(key->data, key->length);
    pthread_mutex_lock(&places->lock);
    const struct place *place = find(places, key, hash);
    pthread_mutex_unlock(&places->lock);
    return place;
}

static void put(struct place **table, uint64_t mask, struct place *place) {
    uint64_t slot = place->hash & mask;
    while (table[slot]) slot = (slot + 1) & mask;
    table[slot] = place;
}

static void widen(struct places *places) {
    uint64_t size = 4 * (places->mask + 1);
    struct place **table = memory_resize(&places->memory, NULL, size * sizeof *table);
    memset(table, 0, size * sizeof *table);
    for (uint64_t slot = 0; slot <= places->mask; slot++) {
        if (places->table[slot]) put(table, size - 1, places->table[slot]);
    }
    free(places->table);
    places->table = table;
    places->mask = size - 1;
}

static void add(struct places *places, const struct buffer *key, const struct text_input *words) {
    uint64_t hash = hash_bytes(key->data, key->length);
    if (find(places, key, hash)) return;
    if (2 * places->count > places->mask) widen(places);
    size_t head = sizeof(struct place) + (size_t)places->columns * sizeof(struct word), size = head + key->length;
    for (int64_t i = 0; i < places->columns; i++) size += (size_t)words[i].length;
    struct place *place = memory_resize(&places->memory, NULL, size);
    uint8_t *text = (uint8_t *)place + head;
    *place = (struct place){hash, text, key->length};
    memcpy(text, key->data, key->length);
    text += key->length;
    places->bytes += (int64_t)size;
    for (int64_t i = 0; i < places->columns; i++) {
        place->words[i] = (struct word){NULL, (int32_t)words[i].length, NO_WORD};
        if (!words[i].text) continue;
        place->words[i].text = text;
        memcpy(text, words[i].text, (size_t)words[i].length);
        place->words[i].code = intern_code(&places->interns[i], text, (size_t)words[i].length);
        text += words[i].length;
    }
    put(places->table, places->mask, place);
    places->count++;
}

int32_t kernel_places_free(struct places *places) {
    for (uint64_t slot = 0; places->table && slot <= places->mask; slot++) free(places->table[slot]);
    for (int64_t i = 0; places->interns && i < places->columns; i++) intern_free(&places->interns[i]);
    pthread_mutex_destroy(&places->lock);
    free(places->interns);
    free(places->table);
    free(places);
    return KERNEL_OK;
}

int32_t kernel_places_new(int64_t columns, struct places **made) {
    struct places *places = calloc(1, sizeof *places);
    if (!places) return KERNEL_OUT_OF_MEMORY;
    pthread_mutex_init(&places->lock, NULL);
    places->columns = columns;
    places->mask = TABLE_FIRST - 1;
    places->interns = calloc((size_t)columns, sizeof *places->interns);
    places->table = calloc(TABLE_FIRST, sizeof *places->table);
    if (!places->interns || !places->table) {
        kernel_places_free(places);
        return KERNEL_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < columns; i++) intern_init(&places->interns[i], &places->memory);
    *made = places;
    return KERNEL_OK;
}

int32_t kernel_places_add(struct places *places, const struct text_input *keys, int64_t key_count,
                                 const struct text_input *words, int64_t *bytes) {
    struct buffer key = {.memory = &places->memory};
    volatile int32_t status = KERNEL_OUT_OF_MEMORY;
    pthread_mutex_lock(&places->lock);
    if (setjmp(places->memory.exhausted) == 0) {
        for (int64_t i = 0; i < key_count; i++) places_append_key(&key, keys[i].text, keys[i].length);
        add(places, &key, words);
        status = KERNEL_OK;
    }
    *bytes = places->bytes;
    pthread_mutex_unlock(&places->lock);
    buffer_free(&key);
    return status;
}
