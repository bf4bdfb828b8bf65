#include "long_text.h"

#include <string.h>

#include "anchors.h"

/* Where the greatest suffix begins, by the order of bytes or by its reverse, and that suffix's period. */
static int64_t greatest_suffix(const uint8_t *text, int64_t length, int is_reverse, int64_t *period) {
    int64_t begin = 0, other = 1, same = 0;
    *period = 1;
    while (other + same < length) {
        uint8_t ours = text[begin + same], theirs = text[other + same];
        if (ours == theirs) {
            same++;
            if (same == *period) other += same, same = 0;
        } else if (is_reverse ? ours < theirs : ours > theirs) {
            other += same + 1, same = 0;
            *period = other - begin;
        } else {
            begin = other++, same = 0;
            *period = 1;
        }
    }
    return begin;
}

struct long_text long_text_of(const uint8_t *wanted, int64_t length) {
    int64_t period, reverse_period;
    int64_t critical = greatest_suffix(wanted, length, 0, &period);
    int64_t reverse = greatest_suffix(wanted, length, 1, &reverse_period);
    if (reverse > critical) critical = reverse, period = reverse_period;
    if (critical + period <= length && memcmp(wanted, wanted + period, (size_t)critical) == 0) {
        return (struct long_text){wanted, length, critical, period, length - period};
    }
    int64_t longer = critical > length - critical ? critical : length - critical;
    return (struct long_text){wanted, length, critical, longer + 1, 0};
}

const uint8_t *long_text_find(const struct long_text *text, const uint8_t *at, const uint8_t *end, int64_t known) {
    while (end - at >= text->length) {
        int64_t i = known > text->critical ? known : text->critical;
        while (i < text->length && lower_ascii(at[i]) == text->wanted[i]) i++;
        if (i < text->length) {
            at += i - text->critical + 1;
            known = 0;
            continue;
        }
        i = text->critical;
        while (i > known && lower_ascii(at[i - 1]) == text->wanted[i - 1]) i--;
        if (i <= known) return at;
        at += text->period;
        known = text->kept;
    }
    return 0;
}
