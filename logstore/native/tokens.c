#include <stdlib.h>

#include "addresses.h"
#include "bloom.h"
#include "fuse.h"
#include "number.h"
#include "numerals.h"
#include "templates.h"
#include "token_set.h"
#include "utf8.h"
#include "word_hash.h"
#include "words.h"

struct token_column {
    const int32_t *offsets;
    const uint8_t *text;
    const uint8_t *validity; /* NULL: none is null */
    int64_t validity_at;     /* the first row's bit */
};

enum { MESSAGE, ATTRIBUTES, OTHERS };

struct build_request {
    int64_t rows;
    const struct token_column *columns; /* the message, attributes (JSON), others */
    int64_t columns_count;
    const int64_t *ends; /* of the groups */
    int64_t groups;
    const uint8_t *secret; /* of the templates' ids */
};

struct build_result {
    struct column_buffer offsets; /* int64: where each group's filter begins, and the end */
    struct column_buffer content;
    struct find_result templates;
};

/* As words: their 16 bytes are what `word_hash` may read. */
static const uint8_t NESTED[17] = "{", LARGE[17] = "+";

struct text {
    const uint8_t *at;
    size_t length;
    const uint8_t *readable_end;
};

struct builder {
    struct memory memory;
    const struct build_request *request;
    struct find_request of_templates;
    struct finder finder;
    struct message_words message;
    struct word_marks marks; /* of another text than the message */
    struct buffer spans;     /* of that text: struct word_span each */
    struct buffer padded, unescaped, normal;
    struct buffer offsets, content;
    struct token_set set; /* the group's words */
    struct buffer words_in;   /* int32: of each template, the last group in which such a message was noted whole, plus 1 */
    struct buffer objects_in; /* the same of such an object, as attributes as well */
    uint64_t nested; /* noted where an attribute may be an object or a list */
    uint64_t large;  /* and where one may be so large a number in another spelling that it may equal several integers */
    struct text noted; /* attributes that were noted last, in the group `noted_in` - 1 */
    int32_t noted_in;
};

static inline void note(struct builder *b, uint64_t hash) { token_set_note(&b->set, hash); }

static void note_word(struct builder *b, const struct word_marks *marks, const uint8_t *text, size_t begin, size_t end) {
    const uint8_t *word = text + begin;
    size_t length = end - begin;
    if (!marks->is_ascii) word = word_normalise(&b->normal, word, text + end, &length);
    note(b, word_hash(word, length));
}

/* Each address among these words with digits, as one word; of more than four numbers in a row all four. */
static void note_addresses(struct builder *b, const uint8_t *text, const struct word_span *spans, size_t count) {
    for (size_t i = 0; i + ADDRESS_WORDS <= count; i++) {
        if (!is_address(text, spans + i)) continue;
        size_t begin = spans[i].begin, end = spans[i + ADDRESS_WORDS - 1].end;
        note(b, word_hash(text + begin, end - begin));
    }
}

static void note_addresses_of(struct builder *b, const struct message_words *message) {
    note_addresses(b, message->text, (const struct word_span *)message->spans.data, message->with_digits);
}

static void note_digit_words(struct builder *b, const struct message_words *message) {
    const struct word_span *spans = (const struct word_span *)message->spans.data;
    for (size_t i = 0; i < message->with_digits; i++) {
        note_word(b, &message->marks, message->text, spans[i].begin, spans[i].end);
    }
    note_addresses_of(b, message);
}

static void note_all_words(struct builder *b, const struct word_marks *marks, const uint8_t *text) {
    for (size_t begin = next_word(marks, 0); begin < marks->length;) {
        size_t end = word_end(marks, begin);
        note_word(b, marks, text, begin, end);
        begin = next_word(marks, end);
    }
}

/* Marks the words of a text, and notes them; returns where the text is readable past its end. */
static const uint8_t *note_words(struct builder *b, struct text text) {
    const uint8_t *at = word_text_padded(&b->padded, text.at, text.length, text.readable_end);
    word_marks_read(&b->marks, at, text.length);
    note_all_words(b, &b->marks, at);
    size_t with_digits = digit_words(&b->marks, &b->spans);
    note_addresses(b, at, (const struct word_span *)b->spans.data, with_digits);
    return at;
}

static void note_integer(struct builder *b, uint64_t value) {
    uint8_t digits[NUMBER_TEXT_MAX + 16] = {0};
    if (value) note(b, word_hash(digits, (size_t)(number_print_integer(digits, (int64_t)value) - digits)));
}

/* The digits of all integers that equal the number, as words. */
static void note_numeral(struct builder *b, const struct numeral *numeral) {
    if (numeral->is_integer) {
        if (numeral->digits < numeral->digits_end) {
            note(b, word_hash(numeral->digits, (size_t)(numeral->digits_end - numeral->digits)));
        }
        return;
    }
    if (numeral->is_large) note(b, b->large);
    for (int i = 0; i < 2; i++) note_integer(b, numeral->integers[i]);
}

/* Of the numbers of a JSON text that are written in another way. */
static void note_numerals(struct builder *b, const struct word_marks *marks, const uint8_t *text) {
    struct numeral numeral;
    for (size_t block = 0; block <= marks->length / 64; block++) {
        for (uint64_t starts = digit_starts(marks, block); starts; starts &= starts - 1) {
            size_t at = block * 64 + (size_t)__builtin_ctzll(starts);
            if (numeral_at(marks, text, at, &numeral)) note_numeral(b, &numeral);
        }
    }
}

/* The words of a text that may be an attribute. */
static void note_value(struct builder *b, struct text text) {
    const uint8_t *at = note_words(b, text), *end = at + text.length;
    struct numeral numeral;
    if (numeral_read(at, end, &numeral) && numeral.end == end) note_numeral(b, &numeral);
}

static uint32_t hex4(const uint8_t *at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 4 | ((at[i] & 15u) + (at[i] >= 'A' ? 9 : 0));
    return value;
}

/* The character that the escape \uXXXX at `*at` stands for, with the other half of a pair if there is one. */
static uint32_t escaped_character(const uint8_t **at, const uint8_t *end) {
    uint32_t unit = hex4(*at + 2);
    *at += 6;
    if (unit < 0xD800 || unit > 0xDFFF) return unit;
    if (unit > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return 0xFFFD;
    uint32_t low = hex4(*at + 2);
    if (low < 0xDC00 || low > 0xDFFF) return 0xFFFD;
    *at += 6;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

/* A JSON text with the escapes of its strings decoded: no JSON any more, but the words are right, as a quote ends a
 * word wherever it stands. */
static struct text unescape(struct buffer *room, struct text json) {
    const uint8_t *at = json.at, *end = json.at + json.length;
    room->length = 0;
    uint8_t *start = buffer_reserve(room, json.length + WORD_PADDING), *out = start;
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(out, at, plain);
        at += plain, out += plain;
        if (!escape) break;
        if (end - at >= 6 && at[1] == 'u') {
            out += utf8_encode(escaped_character(&at, end), out);
        } else {
            *out++ = ' ';
            at += 2;
        }
    }
    return (struct text){start, (size_t)(out - start), out + WORD_PADDING};
}

static int is_valid(const struct token_column *column, int64_t row) {
    int64_t bit = column->validity_at + row;
    return !column->validity || column->validity[bit / 8] >> bit % 8 & 1;
}

/* The text of a row; a null counts as empty. */
static struct text text_of(const struct builder *b, int64_t of_column, int64_t row) {
    const struct token_column *column = &b->request->columns[of_column];
    const uint8_t *readable_end = column->text + column->offsets[b->request->rows];
    if (!is_valid(column, row)) return (struct text){readable_end, 0, readable_end};
    int32_t begin = column->offsets[row];
    return (struct text){column->text + begin, (size_t)(column->offsets[row + 1] - begin), readable_end};
}

/* May an attribute be an object or a list? Then there is a bracket that is not the first byte; one in a string counts. */
static int may_nest(struct text json) {
    return json.length && (memchr(json.at + 1, '{', json.length - 1) || memchr(json.at + 1, '[', json.length - 1));
}

static int is_escaped(struct text json) { return memchr(json.at, '\\', json.length) != NULL; }

static void note_json(struct builder *b, struct text json) {
    const uint8_t *text = note_words(b, is_escaped(json) ? unescape(&b->unescaped, json) : json);
    note_numerals(b, &b->marks, text);
    if (may_nest(json)) note(b, b->nested);
}

/* Has another message of this template been noted in the group? But for the words with digits this one has the same
 * words, and the same brackets. */
static int was_noted(const struct buffer *noted_in, int32_t template, int32_t group) {
    return template != NO_TEMPLATE && (size_t)template * sizeof(int32_t) < noted_in->length &&
           ((const int32_t *)noted_in->data)[template] == group + 1;
}

static void set_noted(struct buffer *noted_in, int32_t template, int32_t group) {
    if (template == NO_TEMPLATE) return;
    while (noted_in->length <= (size_t)template * sizeof(int32_t)) buffer_int32(noted_in, 0);
    ((int32_t *)noted_in->data)[template] = group + 1;
}

static void note_message(struct builder *b, int32_t template, int32_t group) {
    if (was_noted(&b->words_in, template, group)) {
        note_digit_words(b, &b->message);
        return;
    }
    note_all_words(b, &b->message.marks, b->message.text);
    note_addresses_of(b, &b->message);
    set_noted(&b->words_in, template, group);
}

/* How many bytes both begin with. */
static size_t common_prefix(const uint8_t *one, const uint8_t *other, size_t at_most) {
    size_t length = 0;
    for (; at_most - length >= 8; length += 8) {
        uint64_t a, b;
        memcpy(&a, one + length, 8);
        memcpy(&b, other + length, 8);
        if (a != b) break;
    }
    while (length < at_most && one[length] == other[length]) length++;
    return length;
}

/* The words of attributes that others have not, all of whose words are noted: those from the last quote that both have
 * to the next comma, which never part a word, a number or an escape. Attributes of a stream mostly differ in few places. */
static void note_changes(struct builder *b, struct text noted, struct text text) {
    const uint8_t *at = text.at, *end = at + text.length, *other = noted.at, *other_end = other + noted.length;
    while (at < end) {
        size_t left = (size_t)(end - at), other_left = (size_t)(other_end - other);
        size_t same = common_prefix(at, other, left < other_left ? left : other_left);
        if (same == left && same == other_left) return;
        size_t from = same;
        while (from && at[--from] != '"') {}
        const uint8_t *comma = memchr(at + same, ',', left - same);
        const uint8_t *other_comma = memchr(other + same, ',', other_left - same);
        const uint8_t *stop = comma && other_comma ? comma : end;
        note_json(b, (struct text){at + from, (size_t)(stop - at) - from, text.readable_end});
        at = stop;
        if (other_comma) other = other_comma;
    }
}

/* Of attributes, or of those that were pushed before the members of the message. */
static void note_pushed(struct builder *b, struct text pushed, int32_t group) {
    if (b->noted_in == group + 1) note_changes(b, b->noted, pushed);
    else note_json(b, pushed);
    b->noted = pushed;
    b->noted_in = group + 1;
}

static void note_attributes(
    struct builder *b, struct text attributes, struct text message, int32_t template, int32_t group
) {
    int is_message = attributes.length == message.length &&
                     (attributes.at == message.at || memcmp(attributes.at, message.at, message.length) == 0);
    if (is_message && !is_escaped(message)) {
        note_all_words(b, &b->message.marks, b->message.text);
        note_addresses_of(b, &b->message);
        note_numerals(b, &b->message.marks, b->message.text);
        if (may_nest(message)) note(b, b->nested);
        return;
    }
    note_pushed(b, attributes, group);
    note_message(b, template, group);
}

/* Of a message that is its attributes as well. */
static void note_object(struct builder *b, struct text message, int32_t template, int32_t group) {
    if (was_noted(&b->objects_in, template, group)) {
        note_digit_words(b, &b->message);
        note_numerals(b, &b->message.marks, b->message.text);
        return;
    }
    note_attributes(b, message, message, template, group);
    if (!is_escaped(message)) set_noted(&b->objects_in, template, group);
}

static void note_row(struct builder *b, int64_t row, int32_t group) {
    struct text message = text_of(b, MESSAGE, row), attributes = text_of(b, ATTRIBUTES, row);
    message_words_read(&b->message, message.at, message.length, message.readable_end);
    int32_t template = finder_note(&b->finder, row, &b->message);
    int is_valued = is_valid(&b->request->columns[ATTRIBUTES], row);
    int is_open = attributes.length && attributes.at[attributes.length - 1] == ',';
    if (is_open) note_pushed(b, attributes, group);
    if (is_open || (message.length && !attributes.length && is_valued)) note_object(b, message, template, group);
    else if (attributes.length) note_attributes(b, attributes, message, template, group);
    else note_message(b, template, group);
    for (int64_t other = OTHERS; other < b->request->columns_count; other++) {
        struct text text = text_of(b, other, row);
        if (text.length) note_value(b, text);
    }
}

static void build_group(struct builder *b, int32_t group, int64_t from, int64_t to) {
    token_set_clear(&b->set);
    for (int64_t row = from; row < to; row++) note_row(b, row, group);
    token_set_append_filter(&b->set, &b->content);
    buffer_int64(&b->offsets, (int64_t)b->content.length);
}

EXPORT int32_t kernel_tokens_build(const struct build_request *request, struct build_result *result) {
    struct builder *b = calloc(1, sizeof *b);
    if (!b) return KERNEL_OUT_OF_MEMORY;
    b->request = request;
    b->marks.bits.memory = b->padded.memory = b->unescaped.memory = b->normal.memory = &b->memory;
    b->offsets.memory = b->content.memory = b->spans.memory = &b->memory;
    b->words_in.memory = b->objects_in.memory = &b->memory;
    const struct token_column *messages = &request->columns[MESSAGE];
    b->of_templates = (struct find_request){request->rows, messages->offsets, messages->text, request->secret, UINT64_MAX};
    finder_init(&b->finder, &b->of_templates, &b->memory);
    message_words_init(&b->message, &b->memory);
    b->nested = word_hash(NESTED, 1);
    b->large = word_hash(LARGE, 1);
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(b->memory.exhausted) == 0) {
        token_set_init(&b->set, &b->memory);
        buffer_int64(&b->offsets, 0);
        for (int64_t i = 0; i < request->groups; i++) {
            build_group(b, (int32_t)i, i ? request->ends[i - 1] : 0, request->ends[i]);
        }
        result->offsets = buffer_hand_over(&b->offsets);
        result->content = buffer_hand_over(&b->content);
        result->templates = finder_hand_over(&b->finder);
        status = KERNEL_OK;
    }
    buffer_free(&b->marks.bits);
    buffer_free(&b->padded);
    buffer_free(&b->unescaped);
    buffer_free(&b->normal);
    buffer_free(&b->offsets);
    buffer_free(&b->content);
    buffer_free(&b->spans);
    buffer_free(&b->words_in);
    buffer_free(&b->objects_in);
    finder_free(&b->finder);
    message_words_free(&b->message);
    token_set_free(&b->set);
    free(b);
    return status;
}

/* The number by which a word, valid UTF-8, is known to the filters. */
EXPORT int32_t kernel_token_hash(const uint8_t *word, int64_t length, uint64_t *hash) {
    struct memory memory;
    struct buffer normal = {.memory = &memory};
    if (setjmp(memory.exhausted)) return KERNEL_OUT_OF_MEMORY;
    size_t count;
    const uint8_t *normal_word = word_normalise(&normal, word, word + length, &count);
    *hash = word_hash(normal_word, count);
    *hash += *hash == 0;
    buffer_free(&normal);
    return KERNEL_OK;
}

/* One byte a filter, each of which is somewhere in memory: 1 where it may hold all the words. What is no filter may hold
 * anything. */
EXPORT int32_t kernel_tokens_may_hold(
    const uint8_t *const *filters, const int64_t *sizes, int64_t count, const uint64_t *hashes, int64_t words,
    uint8_t *out
) {
    for (int64_t filter = 0; filter < count; filter++) {
        int64_t bytes = sizes[filter];
        int may_hold = 1, is_bloom = bytes % BLOOM_BLOCK_BYTES == 0;
        for (int64_t i = 0; bytes >= 0 && may_hold && i < words; i++) {
            may_hold = is_bloom ? bloom_may_hold(filters[filter], (uint64_t)bytes / BLOOM_BLOCK_BYTES, hashes[i])
                                : fuse_may_hold(filters[filter], (size_t)bytes, hashes[i]);
        }
        out[filter] = (uint8_t)may_hold;
    }
    return KERNEL_OK;
}
