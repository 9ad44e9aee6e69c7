/* app/core/hash_avx2.h - the AVX2 twin of XXH3_128bits_update, for hash.c alone. */
#ifndef WB_CORE_HASH_AVX2_H
#define WB_CORE_HASH_AVX2_H

#include <stdbool.h>
#include <stddef.h>

/* state is an XXH3_state_t of the same libxxhash. Only on processors with AVX2. */
bool wb_hash_update_avx2(void *state, const void *bytes, size_t n);

#endif
