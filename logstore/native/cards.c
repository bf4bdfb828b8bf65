#include <stdlib.h>

#include "attributes.h"
#include "columns.h"

/* Payment card numbers: 13 to 19 digits, perhaps with single blanks or hyphens between them, that begin as an issuer's
 * do (ISO/IEC 7812) and whose last digit is the Luhn check of the others. */

enum { DIGITS_MIN = 13, DIGITS_MAX = 19, PREFIX_DIGITS = 4 };

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static int is_separator(uint8_t byte) { return byte == ' ' || byte == '-'; }

static int is_within(int value, int low, int high) { return value >= low && value <= high; }

/* Does an issuer whose numbers begin with these four digits give out numbers of this length? */
static int is_issued(int prefix, int digits) {
    int two = prefix / 100, three = prefix / 10;
    if (prefix / 1000 == 4) return digits == 13 || digits == 16 || digits == 19;             /* Visa */
    if (is_within(two, 51, 55) || is_within(prefix, 2221, 2720)) return digits == 16;        /* Mastercard */
    if (two == 34 || two == 37) return digits == 15;                                         /* American Express */
    if (prefix == 6011 || two == 65 || is_within(three, 644, 649)) return digits >= 16;      /* Discover */
    if (is_within(prefix, 3528, 3589) || two == 62) return digits >= 16;                     /* JCB, UnionPay */
    if (is_within(three, 300, 305) || two == 36 || two == 38 || two == 39) return digits >= 14; /* Diners Club */
    return two == 50 || is_within(two, 56, 58);                                              /* Maestro */
}

/* The end of the longest card number that begins here, or NULL. A digit before it or after it makes it none. */
static const uint8_t *card_end(const uint8_t *at, const uint8_t *end) {
    static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
    const uint8_t *found = NULL;
    int sums[2] = {0, 0}; /* with the digits at even, or at odd places doubled */
    int digits = 0, prefix = 0;
    while (at < end && digits < DIGITS_MAX) {
        int digit = *at++ - '0';
        if (digits < PREFIX_DIGITS) prefix = prefix * 10 + digit;
        sums[digits % 2] += doubled[digit];
        sums[1 - digits % 2] += digit;
        digits++;
        int is_last = at == end || !is_digit(*at);
        /* The last digit is not doubled: in a number of n digits those are whose place has the parity of n. */
        if (is_last && digits >= DIGITS_MIN && sums[digits % 2] % 10 == 0 && is_issued(prefix, digits)) found = at;
        if (is_last && (at + 1 >= end || !is_separator(*at) || !is_digit(at[1]))) break;
        if (is_last) at++;
    }
    return found;
}

struct masker {
    struct memory memory;
    struct text_builder texts;
    int64_t count; /* of texts that were changed */
};

static void mask_text(struct masker *m, struct json_text text, struct json_text mask) {
    struct buffer *out = &m->texts.text;
    const uint8_t *kept = text.at;
    int is_changed = 0;
    for (const uint8_t *at = text.at; at < text.end;) {
        if (!is_digit(*at)) {
            at++;
            continue;
        }
        const uint8_t *card = card_end(at, text.end);
        if (card) {
            buffer_append(out, kept, (size_t)(at - kept));
            buffer_append(out, mask.at, (size_t)(mask.end - mask.at));
            kept = at = card;
            is_changed = 1;
        } else {
            while (at < text.end && is_digit(*at)) at++;
        }
    }
    buffer_append(out, kept, (size_t)(text.end - kept));
    m->count += is_changed;
}

/* The texts with each card number replaced, and how many were changed; if none was, the result holds nothing. A mask has at most as many bytes as the shortest number, so that texts only shrink. Mirrored in ingest/rules_texts.py. */
EXPORT int32_t kernel_mask_cards(int64_t rows, const struct array_input *texts, const uint8_t *mask,
                                 int64_t mask_length, struct text_column *result, int64_t *count) {
    if (mask_length > DIGITS_MIN) return KERNEL_REFUSED;
    struct masker *m = calloc(1, sizeof *m);
    if (!m) return KERNEL_OUT_OF_MEMORY;
    int32_t status = KERNEL_OUT_OF_MEMORY;
    if (setjmp(m->memory.exhausted) == 0) {
        text_init(&m->texts, &m->memory);
        for (int64_t row = 0; row < rows; row++) {
            struct json_text text = array_text(texts, row);
            mask_text(m, text, (struct json_text){mask, mask + mask_length});
            text_end_row(&m->texts, text.at != NULL);
        }
        *count = m->count;
        if (m->count) *result = text_hand_over(&m->texts);
        status = KERNEL_OK;
    }
    text_free(&m->texts);
    free(m);
    return status;
}
