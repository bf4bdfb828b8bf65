#include "severity.h"

#include <string.h>

enum { WORD_MAX = 13, LINE_WINDOW = 96 };

struct name {
    char word[WORD_MAX + 1];
    uint8_t severity;
    uint8_t is_clear; /* means a severity in running text too */
    uint8_t is_plain; /* says no more than the severity */
};

static const struct name names[] = {
    {"info", SEVERITY_INFO, 1, 1},      {"warn", SEVERITY_WARN, 1, 1},        {"error", SEVERITY_ERROR, 1, 1},
    {"warning", SEVERITY_WARN, 1, 1},   {"debug", SEVERITY_DEBUG, 1, 1},      {"notice", SEVERITY_INFO, 1, 0},
    {"err", SEVERITY_ERROR, 1, 1},      {"fatal", SEVERITY_FATAL, 1, 1},      {"trace", SEVERITY_TRACE, 1, 1},
    {"critical", SEVERITY_FATAL, 1, 0}, {"crit", SEVERITY_FATAL, 1, 0},       {"panic", SEVERITY_FATAL, 1, 0},
    {"emerg", SEVERITY_FATAL, 1, 0},    {"emergency", SEVERITY_FATAL, 0, 0},  {"alert", SEVERITY_FATAL, 0, 0},
    {"severe", SEVERITY_ERROR, 1, 0},   {"inf", SEVERITY_INFO, 1, 1},         {"wrn", SEVERITY_WARN, 1, 1},
    {"dbg", SEVERITY_DEBUG, 1, 1},      {"trc", SEVERITY_TRACE, 1, 1},        {"ftl", SEVERITY_FATAL, 1, 1},
    {"dpanic", SEVERITY_FATAL, 1, 0},   {"information", SEVERITY_INFO, 0, 1}, {"informational", SEVERITY_INFO, 0, 1},
    {"verbose", SEVERITY_TRACE, 0, 0},  {"finest", SEVERITY_TRACE, 0, 0},     {"finer", SEVERITY_TRACE, 0, 0},
    {"silly", SEVERITY_TRACE, 0, 0},    {"config", SEVERITY_DEBUG, 0, 0},     {"http", SEVERITY_DEBUG, 0, 0},
    {"success", SEVERITY_INFO, 0, 0},   {"log", SEVERITY_INFO, 0, 0},         {"fine", SEVERITY_DEBUG, 0, 0},
    {"t", SEVERITY_TRACE, 0, 1},        {"d", SEVERITY_DEBUG, 0, 1},          {"i", SEVERITY_INFO, 0, 1},
    {"w", SEVERITY_WARN, 0, 1},         {"e", SEVERITY_ERROR, 0, 1},          {"f", SEVERITY_FATAL, 0, 1},
};

static int is_upper(uint8_t byte) { return byte >= 'A' && byte <= 'Z'; }
static int is_letter(uint8_t byte) { return is_upper(byte) || (byte >= 'a' && byte <= 'z'); }

static const struct name *find_name(const uint8_t *word, size_t length) {
    char lower[WORD_MAX + 1] = {0};
    if (length == 0 || length > WORD_MAX) return NULL;
    for (size_t i = 0; i < length; i++) lower[i] = (char)(is_upper(word[i]) ? word[i] + 32 : word[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (memcmp(lower, names[i].word, sizeof lower) == 0) return &names[i];
    }
    return NULL;
}

static enum severity of_number(const uint8_t *text, size_t length) {
    static const uint8_t syslog[] = {SEVERITY_FATAL, SEVERITY_FATAL, SEVERITY_FATAL, SEVERITY_ERROR,
                                     SEVERITY_WARN,  SEVERITY_INFO,  SEVERITY_INFO,  SEVERITY_DEBUG};
    if (length == 1 && text[0] >= '0' && text[0] <= '7') return syslog[text[0] - '0'];
    if (length == 2 && text[0] >= '1' && text[0] <= '6' && text[1] == '0') return (enum severity)(text[0] - '0');
    return SEVERITY_NONE;
}

/* The length of a word without a step that follows it: DEBUG-4, ERROR+2 (Go's slog), D2 (MongoDB), DEBUG5 (PostgreSQL), WARN2. */
static size_t without_step(const uint8_t *word, size_t length) {
    size_t end = length;
    while (end > 1 && word[end - 1] >= '0' && word[end - 1] <= '9') end--;
    if (end == length) return length;
    return end > 1 && (word[end - 1] == '+' || word[end - 1] == '-') ? end - 1 : end;
}

enum severity severity_of_word(const uint8_t *word, size_t length) {
    if (length == 0) return SEVERITY_NONE;
    if (!is_letter(word[0])) return of_number(word, length);
    const struct name *name = find_name(word, without_step(word, length));
    return name ? (enum severity)name->severity : SEVERITY_NONE;
}

int severity_is_plain(const uint8_t *word, size_t length) {
    const struct name *name = find_name(word, length);
    return name && name->is_plain;
}

static int opens(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '[' || byte == '(' || byte == '<' || byte == '|'; }

static int closes(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == ']' || byte == ')' || byte == '>' || byte == '|' || byte == ':' || byte == ',';
}

/* Is the word at line[from, to) marked as a level by its case or by what stands around it? */
static int is_marked(const uint8_t *line, size_t length, size_t from, size_t to) {
    uint8_t before = from ? line[from - 1] : ' ', after = to < length ? line[to] : ' ';
    if (after == ']' && (before == '[' || before == ':')) return 1; /* [error], [core:error] */
    if (from == 0 && after == ':') return 1;                        /* error: ... */
    if (!opens(before) || !closes(after)) return 0;
    for (size_t i = from; i < to; i++) {
        if (!is_upper(line[i])) return 0;
    }
    return 1;
}

enum severity severity_of_line(const uint8_t *line, size_t length) {
    size_t window = length < LINE_WINDOW ? length : LINE_WINDOW;
    for (size_t at = 0; at < window;) {
        if (!is_letter(line[at])) {
            at++;
            continue;
        }
        size_t from = at;
        while (at < length && at - from <= WORD_MAX && is_letter(line[at])) at++;
        if (at - from >= 3 && at - from <= WORD_MAX && is_marked(line, length, from, at)) {
            const struct name *name = find_name(line + from, at - from);
            if (name && name->is_clear) return (enum severity)name->severity;
        }
        while (at < length && is_letter(line[at])) at++;
    }
    return SEVERITY_NONE;
}
