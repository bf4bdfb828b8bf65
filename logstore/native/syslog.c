/* Messages of syslog in the two forms that nearly all have; others are left to ingest/protocols/syslog, which says what
 * becomes of what.
 *
 *     <PRI>1 TIME HOST APP PROCID MSGID SD MESSAGE       (RFC 5424)
 *     <PRI>TIME HOST TAG[PROCID]: MESSAGE                (RFC 3164; TIME is as in RFC 3339 or `Mmm dd hh:mm:ss`)
 *
 * What all but time and message say is lifted: the sender's address, the priority, the form of the message, the header,
 * and structured data. */
#define _GNU_SOURCE
#include "entries.h"
#include "messages.h"
#include "timestamp.h"
#include "utf8.h"

enum { PRI_DIGITS_MAX = 3, PRI_MAX = 191, STAMP_LENGTH = 15, TAG_MAX_BYTES = 100, PROCID_DIGITS_MAX = 10 };
enum { LOCAL_TIME_BYTES = 19, LOCAL_TIME_MAX_BYTES = 40, YEARS_BACK = 10, YEAR_S_MIN = 365 * 86400 };

/* From this moment of the local clock on, it is ahead of UTC by so much; in their order. `request->lifted` is these. */
struct step {
    int64_t local_s, offset_s;
};

struct syslog {
    struct entries *entries;
    const struct step *steps;
    size_t step_count;
    int64_t until_s; /* times without a year are not after this */
    int32_t year;    /* the first that they may be of */
};

enum form { RFC_5424 = '0', RFC_3164_DATED = '1', RFC_3164 = '2', RFC_3164_LOCAL = '3' };

/* A message taken apart. */
struct parts {
    struct span priority, header, structured, message;
    struct entry entry;
    enum form form;
};

static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
static int is_space(uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static int is_letter(uint8_t byte) {
    uint8_t letter = byte | 0x20;
    return letter >= 'a' && letter <= 'z';
}


static int is_of_host(uint8_t byte) {
    return is_letter(byte) || is_digit(byte) || byte == '_' || byte == '.' || byte == '-';
}

static int is_of_tag(uint8_t byte) { return is_of_host(byte) || byte == '/' || byte == '(' || byte == ')'; }

/* Each reads what its name says at `at`, and returns the place after it, or NULL. */

static const uint8_t *read_priority(struct parts *parts, const uint8_t *at, const uint8_t *end) {
    int priority = 0;
    const uint8_t *first = at;
    if (at == end || *at++ != '<') return NULL;
    while (at < end && is_digit(*at) && at - first <= PRI_DIGITS_MAX) priority = priority * 10 + (*at++ - '0');
    if (at == end || *at != '>' || at == first + 1 || priority > PRI_MAX) return NULL;
    at++;
    parts->priority = (struct span){first, (size_t)(at - first)};
    return at;
}

static int64_t utc_of(const struct syslog *s, int64_t local_s) {
    size_t i = s->step_count - 1;
    while (i > 0 && s->steps[i].local_s > local_s) i--;
    return local_s - s->steps[i].offset_s;
}

/* `yyyy-mm-ddThh:mm:ss`, perhaps with a fraction, on the local clock; false if it is none, or not of the years that the
 * steps are of. */
static int read_local_time(const struct syslog *s, struct parts *parts, const uint8_t *at, size_t length) {
    uint8_t text[LOCAL_TIME_MAX_BYTES + 1];
    int64_t local_ns;
    if (!s->step_count || length > LOCAL_TIME_MAX_BYTES) return 0;
    memcpy(text, at, length);
    text[length] = 'Z';
    if (time_parse(text, length + 1, &local_ns) != TIME_OK || local_ns < 0) return 0;
    int64_t local_s = local_ns / NS_PER_S;
    if (local_s < s->steps[0].local_s || local_s > s->until_s) return 0;
    parts->entry.time_ns = utc_of(s, local_s) * NS_PER_S + local_ns % NS_PER_S;
    return 1;
}

/* A time of RFC 3339 with the letters and the zone in their usual form or without a zone, and a space. */
static const uint8_t *read_time(const struct syslog *s, struct parts *parts, const uint8_t *at, const uint8_t *end) {
    const uint8_t *space = memchr(at, ' ', (size_t)(end - at));
    if (!space || space - at < LOCAL_TIME_BYTES || at[4] != '-' || at[10] != 'T') return NULL;
    size_t length = (size_t)(space - at);
    const uint8_t *zone = at + LOCAL_TIME_BYTES;
    if (zone < space && *zone == '.') zone++;
    while (zone < space && is_digit(*zone)) zone++;
    if (zone == space) {
        if (parts->form == RFC_3164_DATED) parts->form = RFC_3164_LOCAL;
        return read_local_time(s, parts, at, length) ? space + 1 : NULL;
    }
    int is_usual = *zone == 'Z' || space - zone == sizeof "+hh:mm" - 1;
    return is_usual && time_parse(at, length, &parts->entry.time_ns) == TIME_OK ? space + 1 : NULL;
}

static int month_of(const uint8_t *at) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; month < 12; month++) {
        if (memcmp(at, months + 3 * month, 3) == 0) return month + 1;
    }
    return 0;
}

/* `Mmm dd hh:mm:ss`, of the last year in which it is not too far ahead, and a space. */
static const uint8_t *read_stamp(const struct syslog *s, struct parts *parts, const uint8_t *at, const uint8_t *end) {
    if (!s->step_count || end - at <= STAMP_LENGTH) return NULL;
    if (at[3] != ' ' || at[6] != ' ' || at[STAMP_LENGTH] != ' ') return NULL;
    int is_day = (at[4] == ' ' || is_digit(at[4])) && is_digit(at[5]);
    int month = month_of(at), day = (at[4] == ' ' ? 0 : at[4] - '0') * 10 + (at[5] - '0');
    if (!month || !is_day) return NULL;
    for (int32_t year = s->year; year > s->year - YEARS_BACK; year--) {
        int64_t local_s = time_of_clock(year, month, day, at + 7);
        if (local_s == INT64_MIN || utc_of(s, local_s) > s->until_s) continue;
        parts->entry.time_ns = utc_of(s, local_s) * NS_PER_S;
        return at + STAMP_LENGTH + 1;
    }
    return NULL;
}

/* Four words, and a space after each. */
static const uint8_t *read_words(struct parts *parts, const uint8_t *at, const uint8_t *end) {
    const uint8_t *first = at;
    for (int word = 0; word < 4; word++) {
        const uint8_t *begin = at;
        while (at < end && !is_space(*at)) at++;
        if (at == begin || at == end || *at != ' ') return NULL;
        at++;
    }
    parts->header = (struct span){first, (size_t)(at - 1 - first)};
    return at;
}

/* A name of structured data; more than ASCII is left to the exact reader. */
static const uint8_t *skip_name(const uint8_t *at, const uint8_t *end) {
    const uint8_t *begin = at;
    while (at < end && *at > ' ' && *at < 0x7F && *at != '=' && *at != '"' && *at != ']' && *at != '[') at++;
    return at == begin ? NULL : at;
}

/* `name="value"` */
static const uint8_t *skip_parameter(const uint8_t *at, const uint8_t *end) {
    at = skip_name(at, end);
    if (!at || end - at < 2 || at[0] != '=' || at[1] != '"') return NULL;
    for (at += 2; at < end && *at != '"'; at++) {
        if (*at == '\\') at++;
    }
    return at < end ? at + 1 : NULL;
}

/* `[ID name="value" …][…]` (RFC 5424 §6.3) */
static const uint8_t *read_structured(struct parts *parts, const uint8_t *at, const uint8_t *end) {
    const uint8_t *first = at;
    while (at && at < end && *at == '[') {
        at = skip_name(at + 1, end);
        while (at && at < end && *at == ' ') {
            while (at < end && *at == ' ') at++;
            if (at < end && *at != ']') at = skip_parameter(at, end);
        }
        at = at && at < end && *at == ']' ? at + 1 : NULL;
    }
    if (!at || at == first) return NULL;
    parts->structured = (struct span){first, (size_t)(at - first)};
    return at;
}

static const uint8_t *skip_bom(const uint8_t *at, const uint8_t *end) {
    return end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0 ? at + 3 : at;
}

static int read_rfc5424(const struct syslog *s, struct parts *parts, const uint8_t *at, const uint8_t *end) {
    parts->form = RFC_5424;
    at = read_time(s, parts, at, end);
    at = at ? read_words(parts, at, end) : NULL;
    if (!at || at == end) return 0;
    at = *at == '-' ? at + 1 : read_structured(parts, at, end);
    if (!at || (at < end && *at != ' ')) return 0;
    at = at < end ? skip_bom(at + 1, end) : at;
    parts->message = (struct span){at, (size_t)(end - at)};
    return 1;
}

static int read_rfc3164(const struct syslog *s, struct parts *parts, const uint8_t *at, const uint8_t *end) {
    parts->form = at < end && is_letter(*at) ? RFC_3164 : RFC_3164_DATED;
    at = parts->form == RFC_3164 ? read_stamp(s, parts, at, end) : read_time(s, parts, at, end);
    if (!at) return 0;
    const uint8_t *host = at;
    while (at < end && is_of_host(*at)) at++;
    if (at == host || at == end || *at++ != ' ') return 0;
    const uint8_t *tag = at;
    while (at < end && is_of_tag(*at)) at++;
    if (at == tag || at - tag > TAG_MAX_BYTES) return 0;
    if (at < end && *at == '[') {
        const uint8_t *procid = ++at;
        while (at < end && is_digit(*at)) at++;
        if (at - procid > PROCID_DIGITS_MAX || at == end || *at++ != ']') return 0;
    }
    if (end - at < 2 || at[0] != ':' || at[1] != ' ') return 0;
    parts->header = (struct span){host, (size_t)(at - host)};
    at = skip_bom(at + 2, end);
    parts->message = (struct span){at, (size_t)(end - at)};
    return at == end || *at != '%';
}

static int holds(struct span text, const char *word) { return memmem(text.at, text.length, word, strlen(word)) != NULL; }

/* What may say more of its record than most do. */
static int says_more(const struct parts *parts) {
    struct span message = parts->message;
    if (parts->structured.length && holds(parts->structured, "kubernetes")) return 1;
    if (!message.length || (*message.at != '{' && *message.at != '@')) return 0;
    return (message.length >= 5 && memcmp(message.at, "@cee:", 5) == 0) || holds(message, "\"kubernetes\"");
}

static int read_parts(const struct syslog *s, struct parts *parts, struct span message) {
    const uint8_t *end = message.at + message.length, *at = read_priority(parts, message.at, end);
    if (!at || message.length > (uint64_t)s->entries->request->max_line_bytes) return 0;
    int is_rfc5424 = end - at >= 2 && at[0] == '1' && at[1] == ' ';
    if (!(is_rfc5424 ? read_rfc5424(s, parts, at + 2, end) : read_rfc3164(s, parts, at, end))) return 0;
    return utf8_is_valid(at, parts->message.at) && !says_more(parts);
}

static void lift(struct entries *e, const struct parts *parts, struct span peer) {
    struct buffer *lifted = &e->lifted;
    uint8_t form = (uint8_t)parts->form;
    struct span told[] = {peer, parts->priority, {&form, 1}, parts->header, parts->structured};
    buffer_append(lifted, "\"\":[", 4);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        json_append_string(lifted, told[i].at, told[i].length);
        buffer_byte(lifted, ',');
    }
    lifted->data[lifted->length - 1] = ']';
    buffer_byte(lifted, ',');
}

static void read_message(struct syslog *s, struct span message, struct span peer, int is_cut) {
    struct entries *e = s->entries;
    struct parts parts = {.entry = {.has_time = 1}};
    entries_begin(e);
    if (is_cut || !utf8_is_valid(peer.at, peer.at + peer.length) || !read_parts(s, &parts, message)) {
        entries_leave(e);
        return;
    }
    lift(e, &parts, peer);
    parts.entry.message = parts.message;
    entries_end(e, &parts.entry);
}

/* The year after the one of a moment, roughly: it may be one more. */
static int32_t year_after(int64_t seconds) {
    static const uint8_t midnight[] = "00:00:00";
    int32_t year = (int32_t)(seconds / YEAR_S_MIN) + 1970;
    while (time_of_clock(year, 1, 1, midnight) > seconds) year--;
    return year + 1;
}

static void read_messages(struct entries *e, struct span body) {
    struct messages messages = {.at = body.at, .end = body.at + body.length, .peer = {body.at, 0}};
    int64_t until_s = e->request->now_ns / NS_PER_S + DAY_NS / NS_PER_S;
    struct syslog s = {e, (const struct step *)(const void *)e->request->lifted,
                       (size_t)e->request->lifted_length / sizeof(struct step), until_s, year_after(until_s)};
    struct span message;
    entries_begin_base(e, (struct span){body.at, 0});
    while (e->status == KERNEL_OK && messages_next(&messages, &message)) {
        read_message(&s, message, messages.peer, messages.is_cut);
    }
    if (messages.is_broken) e->status = ENTRIES_UNSURE;
}

EXPORT int32_t kernel_syslog(const struct entries_request *request, struct entries_result *result) {
    return entries_decode(request, result, read_messages);
}
