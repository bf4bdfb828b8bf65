#include "anchors.h"
#include "attributes.h"

/* Notes in `holds` (a byte a row, which is left where it is set) the rows whose text holds the literal, which is not
 * empty: one search through the whole column. Mirrored in ingest/rules_texts.py. */
EXPORT int32_t kernel_rows_holding(int64_t rows, const struct array_input *texts, const uint8_t *literal,
                                   int64_t length, uint8_t *holds) {
    const int32_t *offsets = texts->values;
    const uint8_t *at = texts->text + (rows ? offsets[0] : 0), *end = texts->text + (rows ? offsets[rows] : 0);
    struct anchors anchors = anchors_of(literal, length, FOLD_NONE);
    int64_t row = 0;
    while ((at = anchors_find(&anchors, at, end))) {
        int64_t place = at - texts->text;
        while (offsets[row + 1] <= place) row++;
        if (place + length <= offsets[row + 1] && array_is_valid(texts, row)) {
            holds[row] = 1;
            at = texts->text + offsets[row + 1];
        } else {
            at++;
        }
    }
    return KERNEL_OK;
}

/* 1 if the bytes hold the literal, which is not empty, else 0. */
EXPORT int32_t kernel_holds(const uint8_t *bytes, int64_t length, const uint8_t *literal, int64_t literal_length) {
    struct anchors anchors = anchors_of(literal, literal_length, FOLD_NONE);
    return anchors_find(&anchors, bytes, bytes + length) != NULL;
}
