/* What metadata of agents told before, and columns of rows whose metadata is known. Mirrored in ingest/places.py. */
#ifndef PLACES_H
#define PLACES_H

#include "decode.h"

struct text_input {
    const uint8_t *text; /* NULL: none */
    int64_t length;
};

struct word {
    const uint8_t *text; /* NULL: none */
    int32_t length;
    int32_t code; /* equal words of a column have the same; NO_WORD: none */
};

enum { NO_WORD = -1 };

/* What some texts (the keys) tell: a word for each column. It never changes and never goes. */
struct place {
    uint64_t hash;
    const uint8_t *key;
    size_t key_length;
    struct word words[];
};

struct places;

int64_t places_columns(const struct places *places);

/* Appends one of a place's keys. */
void places_append_key(struct buffer *key, const uint8_t *text, int64_t length);

/* The place of these keys; NULL if it is not known. */
const struct place *places_find(struct places *places, const struct buffer *key);

EXPORT int32_t kernel_places_new(int64_t columns, struct places **made);
EXPORT int32_t kernel_places_free(struct places *places);

/* Adds what the keys tell, unless it is there; `bytes` are those of all places. */
EXPORT int32_t kernel_places_add(struct places *places, const struct text_input *keys, int64_t key_count,
                                 const struct text_input *words, int64_t *bytes);

/* A dictionary array. */
struct key_column {
    const int32_t *codes;
    const uint8_t *validity; /* NULL: none is null */
    int64_t at;              /* of the first row, in the bitmap */
    const int32_t *offsets;
    const uint8_t *text;
    int64_t is_told_apart; /* has it more than one value? */
};

struct tell_request {
    int64_t rows;
    const struct key_column *keys;
    int64_t key_count;
    const struct text_input *defaults; /* for each column what stands for an empty word */
};

struct tell_result {
    struct column_buffer unknown;        /* int64: a row of each group whose keys are not known; nothing else then */
    struct word_column_buffers *columns; /* without memory where no row has a word */
};

/* The columns of rows whose keys are all known, or the rows whose are not. */
EXPORT int32_t kernel_places_tell(struct places *places, const struct tell_request *request,
                                  struct tell_result *result);

#endif
