#include "trace_lines.h"

static int is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }
static int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static int starts(struct json_text line, const char *with) {
    size_t length = strlen(with);
    return (size_t)(line.end - line.at) >= length && memcmp(line.at, with, length) == 0;
}

static int ends(struct json_text line, const char *with) {
    size_t length = strlen(with);
    return (size_t)(line.end - line.at) >= length && memcmp(line.end - length, with, length) == 0;
}

static int holds(struct json_text line, const char *text) {
    size_t length = strlen(text);
    for (const uint8_t *at = line.at; (size_t)(line.end - at) >= length; at++) {
        at = memchr(at, text[0], (size_t)(line.end - at) - length + 1);
        if (!at) return 0;
        if (memcmp(at, text, length) == 0) return 1;
    }
    return 0;
}

static struct json_text after_blanks(struct json_text line) {
    while (line.at < line.end && is_blank(*line.at)) line.at++;
    return line;
}

static int is_indented(struct json_text line) { return line.at < line.end && is_blank(*line.at); }

/* The line without the "\r" of a CR LF. */
static struct json_text without_return(struct json_text line) {
    if (line.end > line.at && line.end[-1] == '\r') line.end--;
    return line;
}

/* at pkg.Class.method(File.java:12), at fn (/app/x.js:1:2), at Ns.Class.Method(Int32 n) in C:\x.cs:line 12 */
static int is_at_frame(struct json_text line) {
    struct json_text rest = after_blanks(line);
    if (rest.at == line.at || !starts(rest, "at ")) return 0;
    return memchr(rest.at, '(', (size_t)(rest.end - rest.at)) || memchr(rest.at, ':', (size_t)(rest.end - rest.at));
}

/* from /app/x.rb:7:in `<main>' */
static int is_ruby_frame(struct json_text line) {
    struct json_text rest = after_blanks(line);
    if (rest.at == line.at || !starts(rest, "from ")) return 0;
    for (const uint8_t *at = rest.at; at + 1 < rest.end; at++) {
        if (*at == ':' && is_digit(at[1])) return 1;
    }
    return 0;
}

static int is_elision(struct json_text line) {
    struct json_text rest = after_blanks(line);
    return starts(rest, "... ") && rest.end - rest.at > 4 && is_digit(rest.at[4]);
}

/* Lines that stand between frames, but begin no trace. */
static int is_between_frames(struct json_text line, int64_t languages) {
    struct json_text rest = after_blanks(line);
    if (languages & TRACE_JAVA && (starts(rest, "Caused by: ") || is_elision(line))) return 1;
    if (languages & TRACE_JAVA && rest.at > line.at && starts(rest, "Suppressed: ")) return 1;
    return languages & TRACE_DOTNET && starts(rest, "--- End of ");
}

static int is_frame(struct json_text line, int64_t languages) {
    if (!is_indented(line)) return 0;
    if (languages & (TRACE_JAVA | TRACE_DOTNET | TRACE_NODE) && is_at_frame(line)) return 1;
    if (languages & TRACE_RUBY && is_ruby_frame(line)) return 1;
    return languages & TRACE_DOTNET && starts(after_blanks(line), "---> ");
}

static int is_goroutine(struct json_text line) {
    return starts(line, "goroutine ") && line.end - line.at > 10 && is_digit(line.at[10]) && ends(line, "]:");
}

/* main.work(0xc000, 0x1) or created by main.main in goroutine 1: the file follows, behind a tab. */
static int is_go_function(struct json_text line) {
    if (line.at == line.end || is_blank(*line.at)) return 0;
    return starts(line, "created by ") || (ends(line, ")") && memchr(line.at, '(', (size_t)(line.end - line.at)));
}

static int is_klog_fatal(struct json_text line) {
    return line.end - line.at > 21 && *line.at == 'F' && is_digit(line.at[1]) && line.at[5] == ' ' && line.at[8] == ':';
}

enum trace_state trace_begin(struct json_text line, int64_t languages) {
    line = without_return(line);
    if (languages & TRACE_PYTHON && ends(line, "Traceback (most recent call last):")) return TRACE_PYTHON_HEAD;
    if (!(languages & TRACE_GO)) return TRACE_NONE;
    if (is_goroutine(line)) return TRACE_GO_FRAMES;
    if (starts(line, "panic: ") || starts(line, "fatal error: ") || is_klog_fatal(line)) return TRACE_GO_HEAD;
    return holds(line, ": panic serving ") ? TRACE_GO_HEAD : TRACE_NONE;
}

static enum trace_verdict go_on(enum trace_state *state, enum trace_state next) {
    *state = next;
    return TRACE_CONTINUES;
}

static enum trace_verdict step_frames(enum trace_state *state, struct json_text line, int64_t languages) {
    if (is_frame(line, languages)) {
        int has_brace = languages & TRACE_NODE && ends(line, " {");
        return go_on(state, has_brace ? TRACE_NODE_BRACES : TRACE_FRAMES);
    }
    return *state == TRACE_FRAMES && is_between_frames(line, languages) ? TRACE_CONTINUES : TRACE_BREAKS;
}

static enum trace_verdict step_braces(enum trace_state *state, struct json_text line) {
    if (is_indented(line)) return TRACE_CONTINUES;
    return starts(line, "}") && line.end - line.at == 1 ? go_on(state, TRACE_FRAMES) : TRACE_BREAKS;
}

static int is_python_chain(struct json_text line) {
    return starts(line, "During handling of the above exception, another exception occurred:") ||
           starts(line, "The above exception was the direct cause of the following exception:");
}

static enum trace_verdict step_python(enum trace_state *state, struct json_text line, int has_held) {
    int is_empty = line.at == line.end;
    switch (*state) {
    case TRACE_PYTHON_HEAD: return is_indented(line) ? go_on(state, TRACE_PYTHON_FRAMES) : TRACE_BREAKS;
    case TRACE_PYTHON_FRAMES:
        if (is_indented(line)) return TRACE_CONTINUES;
        return is_empty ? TRACE_BREAKS : go_on(state, TRACE_PYTHON_END);
    case TRACE_PYTHON_END:
        if (!has_held) return is_empty ? TRACE_HOLDS : TRACE_BREAKS;
        return is_python_chain(line) ? go_on(state, TRACE_PYTHON_CHAIN) : TRACE_BREAKS;
    default:
        if (is_empty) return TRACE_CONTINUES;
        return starts(line, "Traceback (") ? go_on(state, TRACE_PYTHON_HEAD) : TRACE_BREAKS;
    }
}

static enum trace_verdict step_go(enum trace_state *state, struct json_text line, struct json_text held) {
    int has_held = held.at != NULL, is_empty = line.at == line.end;
    if (is_goroutine(line)) return !has_held || held.at == held.end ? go_on(state, TRACE_GO_FRAMES) : TRACE_BREAKS;
    if (*state == TRACE_GO_HEAD) {
        if (starts(line, "[signal ") || starts(line, "\tpanic: ")) return TRACE_CONTINUES;
        return is_empty && !has_held ? TRACE_HOLDS : TRACE_BREAKS;
    }
    if (starts(line, "\t")) return !has_held || held.at != held.end ? TRACE_CONTINUES : TRACE_BREAKS;
    if (has_held) return TRACE_BREAKS;
    if (starts(line, "...") && ends(line, "elided...")) return TRACE_CONTINUES;
    return is_empty || is_go_function(line) ? TRACE_HOLDS : TRACE_BREAKS;
}

enum trace_verdict trace_step(enum trace_state *state, struct json_text line, struct json_text held,
                              int64_t languages) {
    line = without_return(line), held = without_return(held);
    switch (*state) {
    case TRACE_NONE:
    case TRACE_FRAMES: return step_frames(state, line, languages);
    case TRACE_NODE_BRACES: return step_braces(state, line);
    case TRACE_GO_HEAD:
    case TRACE_GO_FRAMES: return step_go(state, line, held);
    default: return step_python(state, line, held.at != NULL);
    }
}
