/* app/core/stream.c - copying past the caches. */
#include "app/core/stream.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <emmintrin.h>

#define LINE 64

static inline void stream_line(uint8_t *to, const uint8_t *from)
{
    __m128i part[LINE / 16];

    for (int k = 0; k < LINE / 16; k++)
        part[k] = _mm_loadu_si128((const void *)(from + 16 * k));
    for (int k = 0; k < LINE / 16; k++)
        _mm_stream_si128((void *)(to + 16 * k), part[k]);
}

void wb_stream_copy(void *to, const void *from, size_t n)
{
    size_t head = (LINE - (uintptr_t)to % LINE) % LINE, i;
    const uint8_t *source = from;
    uint8_t *target = to;

    if (head > n)
        head = n;
    memcpy(target, source, head);
    for (i = head; n - i >= LINE; i += LINE)
        stream_line(target + i, source + i);
    _mm_sfence(); /* before others are told that the bytes are there */
    memcpy(target + i, source + i, n - i);
}

#else

void wb_stream_copy(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}

#endif
