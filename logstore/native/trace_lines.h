/* The grammars of stack traces: whether a line goes on with the trace before it. */
#ifndef TRACE_LINES_H
#define TRACE_LINES_H

#include "json.h"

enum trace_language { TRACE_JAVA = 1, TRACE_PYTHON = 2, TRACE_GO = 4, TRACE_DOTNET = 8, TRACE_NODE = 16, TRACE_RUBY = 32 };

enum trace_state {
    TRACE_NONE,          /* any line: a frame may follow it */
    TRACE_FRAMES,        /* Java, .NET, Node, Ruby: the last line was of a trace */
    TRACE_NODE_BRACES,   /* a frame ended in `{`: what an error holds besides, until `}` */
    TRACE_PYTHON_HEAD,   /* Traceback (most recent call last): */
    TRACE_PYTHON_FRAMES,
    TRACE_PYTHON_END,    /* the line that names the exception */
    TRACE_PYTHON_CHAIN,  /* During handling of the above exception … */
    TRACE_GO_HEAD,       /* panic: … */
    TRACE_GO_FRAMES,
};

enum trace_verdict { TRACE_BREAKS, TRACE_CONTINUES, TRACE_HOLDS /* perhaps: the next line tells */ };

/* Which state a line leaves behind that begins a record of its own. */
enum trace_state trace_begin(struct json_text line, int64_t languages);

/* What the line is to a trace in this state, which is moved on where it continues. `held`: the line before this one,
 * which was held; without a place if there is none. */
enum trace_verdict trace_step(enum trace_state *state, struct json_text line, struct json_text held, int64_t languages);

#endif
