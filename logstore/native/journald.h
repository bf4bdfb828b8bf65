/* Entries of the journal between the two kernels that read them: fields, each two int32 (the bytes of its name and of its
 * value), the name, which is UTF-8, `=`, and the value; after the last an int32 ENTRY_END. */
#ifndef JOURNALD_H
#define JOURNALD_H

enum { ENTRY_END = -1, FIELD_HEAD_BYTES = 8, FIELDS_MAX = 1024 /* of one entry, as journald itself has it */ };

#define LEFT_OUT "_ingest_error"

#endif
