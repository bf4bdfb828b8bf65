#include "utf8.h"

static int continues(const uint8_t *at, const uint8_t *end) { return at < end && (*at & 0xC0) == 0x80; }

int utf8_step(const uint8_t *at, const uint8_t *end) {
    uint8_t lead = *at;
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return -1;
    if (lead < 0xE0) return continues(at + 1, end) ? 2 : -1;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at + 1 >= end || at[1] < low || at[1] > high) return -1;
    if (!continues(at + 2, end)) return -2;
    if (lead < 0xF0) return 3;
    return continues(at + 3, end) ? 4 : -3;
}

static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end) {
    while (end - at >= 32) {
        uint64_t words[4];
        memcpy(words, at, 32);
        if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) break;
        at += 32;
    }
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        if (word & 0x8080808080808080u) break;
        at += 8;
    }
    while (at < end && *at < 0x80) at++;
    return at;
}

int utf8_is_valid(const uint8_t *at, const uint8_t *end) {
    while ((at = skip_ascii(at, end)) < end) {
        do {
            int step = utf8_step(at, end);
            if (step < 0) return 0;
            at += step;
        } while (at < end && *at >= 0x80);
    }
    return 1;
}

void utf8_append_replaced(struct buffer *out, const uint8_t *at, const uint8_t *end) {
    uint8_t *to = buffer_reserve(out, (size_t)(end - at) * 3);
    while (at < end) {
        const uint8_t *plain_end = skip_ascii(at, end);
        memcpy(to, at, (size_t)(plain_end - at));
        to += plain_end - at;
        if ((at = plain_end) == end) break;
        int step = utf8_step(at, end);
        if (step > 0) {
            for (int i = 0; i < step; i++) *to++ = *at++;
        } else {
            *to++ = 0xEF, *to++ = 0xBF, *to++ = 0xBD;
            at -= step;
        }
    }
    out->length = (size_t)(to - out->data);
}

void utf8_append_escaped(struct buffer *out, const uint8_t *at, const uint8_t *end) {
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = buffer_reserve(out, (size_t)(end - at) * 4);
    while (at < end) {
        int step = utf8_step(at, end);
        if (step > 0) {
            if (*at == '\\') *to++ = '\\';
            for (int i = 0; i < step; i++) *to++ = *at++;
        }
        for (; step < 0; step++, at++) {
            *to++ = '\\', *to++ = 'x', *to++ = (uint8_t)digits[*at >> 4], *to++ = (uint8_t)digits[*at & 15];
        }
    }
    out->length = (size_t)(to - out->data);
}

EXPORT int32_t kernel_utf8_is_valid(const uint8_t *bytes, int64_t length) {
    return utf8_is_valid(bytes, bytes + length);
}
