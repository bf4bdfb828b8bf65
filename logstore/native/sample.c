#include "attributes.h"

/* A number that depends on the text and on the start alone, in every process on every machine: FNV-1a, its
 * bits mixed as MurmurHash3 ends, since the high ones are compared. */
static uint64_t lasting_hash(uint64_t hash, struct json_text text) {
    hash ^= UINT64_C(0xCBF29CE484222325);
    for (; text.at < text.end; text.at++) hash = (hash ^ *text.at) * UINT64_C(0x100000001B3);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xFF51AFD7ED558CCD);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xC4CEB9FE1A85EC53);
    return hash ^ hash >> 33;
}

/* Replaces each row's number by the hash of it and of the text. Mirrored in ingest/rules_texts.py. */
EXPORT int32_t kernel_lasting_hashes(int64_t rows, const struct array_input *texts, uint64_t *hashes) {
    for (int64_t row = 0; row < rows; row++) hashes[row] = lasting_hash(hashes[row], array_text(texts, row));
    return KERNEL_OK;
}
