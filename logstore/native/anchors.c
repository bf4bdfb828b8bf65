#include "anchors.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { BLOCK = 64 };

/* The more often a byte stands in logs the earlier; all others are rarer. */
static const char COMMON[] = "\" etaoinrs:l0d1,u2c_mp-3h5.4g6y978f/bvw[]kxjqz{}=()";

/* How rare the byte is, from 0. */
static int64_t rarity_of(uint8_t byte) {
    const char *found = byte ? strchr(COMMON, byte) : NULL;
    return found ? found - COMMON : (int64_t)sizeof COMMON;
}

static int64_t rarest(const uint8_t *text, int64_t length, int64_t but) {
    int64_t found = 0, best = -1;
    for (int64_t i = 0; i < length; i++) {
        int64_t rarity = i == but ? -1 : rarity_of(text[i]);
        if (rarity > best) found = i, best = rarity;
    }
    return found;
}

struct anchors anchors_of(const uint8_t *wanted, int64_t length, uint8_t fold) {
    int64_t first = rarest(wanted, length, -1), second = rarest(wanted, length, first);
    return (struct anchors){wanted, length, first, second, wanted[first] | fold, wanted[second] | fold, fold};
}

static int is_at(const struct anchors *anchors, const uint8_t *at) {
    if (!anchors->fold) return memcmp(at, anchors->wanted, (size_t)anchors->length) == 0;
    for (int64_t i = 0; i < anchors->length; i++) {
        if (lower_ascii(at[i]) != anchors->wanted[i]) return 0;
    }
    return 1;
}

/* A bit for each of the BLOCK places where both bytes stand. */
#if defined __AVX2__

static uint32_t both_at_32(const struct anchors *anchors, const uint8_t *at) {
    const __m256i fold = _mm256_set1_epi8((char)anchors->fold);
    __m256i first = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)(at + anchors->first_at)), fold);
    __m256i second = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)(at + anchors->second_at)), fold);
    first = _mm256_cmpeq_epi8(first, _mm256_set1_epi8((char)anchors->first));
    second = _mm256_cmpeq_epi8(second, _mm256_set1_epi8((char)anchors->second));
    return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(first, second));
}

static uint64_t both_at(const struct anchors *anchors, const uint8_t *at) {
    return both_at_32(anchors, at) | (uint64_t)both_at_32(anchors, at + 32) << 32;
}

#elif defined __SSE2__

static uint64_t both_at(const struct anchors *anchors, const uint8_t *at) {
    const __m128i fold = _mm_set1_epi8((char)anchors->fold);
    uint64_t both = 0;
    for (int i = 0; i < BLOCK; i += 16) {
        __m128i first = _mm_or_si128(_mm_loadu_si128((const __m128i *)(at + i + anchors->first_at)), fold);
        __m128i second = _mm_or_si128(_mm_loadu_si128((const __m128i *)(at + i + anchors->second_at)), fold);
        first = _mm_cmpeq_epi8(first, _mm_set1_epi8((char)anchors->first));
        second = _mm_cmpeq_epi8(second, _mm_set1_epi8((char)anchors->second));
        both |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_and_si128(first, second)) << i;
    }
    return both;
}

#else

static uint64_t both_at(const struct anchors *anchors, const uint8_t *at) {
    uint64_t both = 0;
    for (int i = 0; i < BLOCK; i++) {
        int is_first = (at[i + anchors->first_at] | anchors->fold) == anchors->first;
        both |= (uint64_t)(is_first && (at[i + anchors->second_at] | anchors->fold) == anchors->second) << i;
    }
    return both;
}

#endif

const uint8_t *anchors_find(const struct anchors *anchors, const uint8_t *at, const uint8_t *end) {
    if (end - at < anchors->length) return NULL;
    const uint8_t *last = end - anchors->length; /* the last place where it may begin */
    for (; last - at >= BLOCK; at += BLOCK) {
        for (uint64_t places = both_at(anchors, at); places; places &= places - 1) {
            const uint8_t *place = at + __builtin_ctzll(places);
            if (is_at(anchors, place)) return place;
        }
    }
    for (; at <= last; at++) {
        int is_one = (at[anchors->first_at] | anchors->fold) == anchors->first;
        if (is_one && is_at(anchors, at)) return at;
    }
    return NULL;
}
