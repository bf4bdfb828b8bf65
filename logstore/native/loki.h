/* Structured metadata of Loki's entries, whichever form they had. */
#ifndef LOKI_H
#define LOKI_H

#include "entries.h"

/* An id of the entry's, something that is lifted, or an attribute. */
void loki_metadata(struct entries *entries, struct span name, struct span value, struct entry *entry);

#endif
