/* app/core/hash_avx2.c - libxxhash's own XXH3 update, compiled for AVX2: the packaged library is
 * built for SSE2.
 *
 * The state is that of the library; only the loop over stripes differs, at twice the speed. */
#include "app/core/hash_avx2.h"

#if defined(__x86_64__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

bool wb_hash_update_avx2(void *state, const void *bytes, size_t n)
{
    return XXH3_128bits_update(state, bytes, n) == XXH_OK;
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

bool wb_hash_update_avx2(void *state, const void *bytes, size_t n)
{
    (void)state;
    (void)bytes;
    (void)n;
    return false;
}

#endif
