/* Messages that came over bare connections or in datagrams, packed into one body as ingest/messages.py has it. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "wire.h"

enum { MESSAGE_DIGITS_MAX = 12 };

struct messages {
    const uint8_t *at, *end;
    struct span peer;
    int is_cut;    /* the message is only the beginning of one */
    int is_broken; /* bytes that are no packed message: nothing after them is read */
};

/* Reads a number; false if there is none, or if there is too little after it. */
static inline int messages_number(const uint8_t **at, const uint8_t *end, size_t *number) {
    const uint8_t *first = *at;
    *number = 0;
    for (; *at < end && *at - first < MESSAGE_DIGITS_MAX && **at >= '0' && **at <= '9'; (*at)++) {
        *number = *number * 10 + (size_t)(**at - '0');
    }
    return *at > first && *at < end;
}

/* The next message; false if there is none. */
static inline int messages_next(struct messages *messages, struct span *message) {
    const uint8_t *at = messages->at, *end = messages->end;
    size_t size, whole_size;
    while (at < end && *at == '@') {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline) break;
        messages->peer = (struct span){at + 1, (size_t)(newline - at - 1)};
        at = newline + 1;
    }
    if (at == end) return 0;
    messages->is_broken = 1;
    if (!messages_number(&at, end, &size)) return 0;
    messages->is_cut = *at == '/';
    if (messages->is_cut && (at++, !messages_number(&at, end, &whole_size))) return 0;
    if (*at++ != ' ' || (size_t)(end - at) < size) return 0;
    messages->is_broken = 0;
    *message = (struct span){at, size};
    messages->at = at + size;
    return 1;
}

#endif
