/* tests/unit/draw.h - random float32 numbers of several kinds, and their bits. */
#ifndef WB_TEST_DRAW_H
#define WB_TEST_DRAW_H

#include <stdint.h>
#include <string.h>

static uint64_t rng_state = 1;

static inline uint64_t rng(void) /* splitmix64 */
{
    uint64_t z = rng_state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint32_t bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float from_bits(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static const uint32_t special[] = {
    0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF812345,
    0x7FFFFFFF, 0xFFFFFFFF, 0x7FA5A5A5, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF,
    0xFF7FFFFF, 0x3F800000, 0xBF800000, 0x40000000, 0x3F000000, 0x477FF000, 0x33000000, 0x43E80000,
};

#define SPECIALS (sizeof special / sizeof special[0])

/* The kinds of data: all bits; what weights look like; coarse, with many ties and zeros; finite,
 * any exponent; mostly weights with a rare special. */
enum { ANY, WEIGHTS, COARSE, FINITE, RARE, KINDS };

static inline float draw(int kind)
{
    uint64_t r = rng();
    float weight = (float)((double)(int32_t)r * 0x1p-36);

    switch (kind) {
    case ANY:
        return r >> 40 & 1 ? from_bits((uint32_t)r) : from_bits(special[(r >> 41) % SPECIALS]);
    case COARSE:
        return (float)((int)(r % 9) - 4) * 0.25f * (r >> 60 == 0 ? -0.0f : 1.0f);
    case FINITE:
        return from_bits((uint32_t)r & ~(1u << (23 + (r >> 32) % 8)));
    case RARE:
        return (r >> 40) % 64 == 0 ? from_bits(special[(r >> 48) % SPECIALS]) : weight;
    default:
        return weight;
    }
}

#endif
