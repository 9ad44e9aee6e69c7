/* app/core/hash.h - XXH3-128 (libxxhash): identity of nodes, tensors and plans; SHA-256
 * (OpenSSL). */
#ifndef WB_CORE_HASH_H
#define WB_CORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

struct wb_hash {
    uint64_t low, high;
};

struct wb_hasher; /* a running XXH3-128 */

struct wb_hash wb_hash_bytes(const void *bytes, size_t n);
static inline bool wb_hash_equal(struct wb_hash a, struct wb_hash b)
{
    return a.low == b.low && a.high == b.high;
}
/* 32 hexadecimal digits, high part first, as xxhsum -H2 prints them. */
void wb_hash_format(struct wb_hash h, char out[33]);
bool wb_hash_parse(const char *text, struct wb_hash *h);

struct wb_hasher *wb_hasher_new(void); /* NULL when memory is out */
void wb_hasher_reset(struct wb_hasher *h);
void wb_hasher_add(struct wb_hasher *h, const void *bytes, size_t n);
struct wb_hash wb_hasher_get(const struct wb_hasher *h);
void wb_hasher_free(struct wb_hasher *h);

/* SHA-256 as 64 hexadecimal digits: of bytes, and of a file from offset on (n bytes). */
void wb_sha256(const void *bytes, size_t n, char out[65]);
bool wb_sha256_file(const char *path, uint64_t offset, uint64_t n, char out[65],
                    struct wb_err *err);
/* HMAC-SHA256, 32 bytes out. */
void wb_hmac_sha256(const void *key, size_t key_len, const void *msg, size_t n, uint8_t out[32]);

#endif
