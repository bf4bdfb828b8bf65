/* Finding the templates of messages. Mirrored in logstore/templates.py. */
#ifndef TEMPLATES_H
#define TEMPLATES_H

#include "word_marks.h"

enum { TEMPLATE_MAX_BYTES = 4096, TEMPLATE_KEYS = 6, COPIED_AT_ONCE = 16, HASHED_AT_ONCE = 32, NO_TEMPLATE = -1 };

struct find_request {
    int64_t rows;
    const int32_t *offsets;
    const uint8_t *messages;
    const uint8_t *secret; /* 16 bytes */
    uint64_t id_mask;      /* all ones, but in the tests of collisions */
};

struct find_result {
    struct column_buffer entries; /* struct template_entry each */
    struct column_buffer of_row;  /* int32: which entry, or NO_TEMPLATE */
};

/* The words of one message. */
struct message_words {
    struct word_marks marks;
    struct buffer padded, spans;
    const uint8_t *text;
    size_t with_digits; /* as many struct word_span are in `spans` */
};

void message_words_init(struct message_words *words, struct memory *memory);
void message_words_free(struct message_words *words);

/* Reads a valid UTF-8 text; memory is readable up to `readable_end`. */
void message_words_read(struct message_words *words, const uint8_t *text, size_t length, const uint8_t *readable_end);

struct template_text {
    uint64_t letters;
    uint8_t text[TEMPLATE_MAX_BYTES + COPIED_AT_ONCE + HASHED_AT_ONCE];
};

struct finder {
    struct memory *memory;
    const struct find_request *request;
    uint64_t keys[TEMPLATE_KEYS];
    struct template_text made, made_again;
    struct message_words words_again;
    struct buffer entries, of_row, texts, words;
    uint32_t *table; /* entry + 1 */
    uint32_t table_size, count;
};

/* `f` is all zero. */
void finder_init(struct finder *f, const struct find_request *request, struct memory *memory);
void finder_free(struct finder *f);

/* Notes the template of the next row, whose message has these words; which entry that is, or NO_TEMPLATE. */
int32_t finder_note(struct finder *f, int64_t row, const struct message_words *words);

struct find_result finder_hand_over(struct finder *f);

#endif
