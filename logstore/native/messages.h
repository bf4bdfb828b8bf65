/* Messages that came over bare connections or in datagrams, packed into one body as ingest/messages.py has it. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "wire.h"

enum { MESSAGE_DIGITS_MAX = 12 };

struct messages {
    const uint8_t *at, *end;
    struct span peer;
    int is_odd; /* a message that was cut off, or bytes that are no packed message: nothing after it is read */
};

/* The next whole message; false if there is none. */
static inline int messages_next(struct messages *messages, struct span *message) {
    const uint8_t *at = messages->at, *end = messages->end;
    while (at < end && *at == '@') {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline) break;
        messages->peer = (struct span){at + 1, (size_t)(newline - at - 1)};
        at = newline + 1;
    }
    if (at == end) return 0;
    size_t size = 0;
    const uint8_t *first = at;
    while (at < end && at - first < MESSAGE_DIGITS_MAX && *at >= '0' && *at <= '9') size = size * 10 + (size_t)(*at++ - '0');
    messages->is_odd = at == first || at == end || *at != ' ' || (size_t)(end - at - 1) < size;
    if (messages->is_odd) return 0;
    *message = (struct span){at + 1, size};
    messages->at = at + 1 + size;
    return 1;
}

#endif
