/* app/core/hash.c - thin wrappers around libxxhash and OpenSSL's libcrypto. */
#include "app/core/hash.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "app/core/hash_avx2.h"
#include "app/core/io.h"

#define SHA_BLOCK_BYTES ((size_t)1 << 20)

struct wb_hash wb_hash_bytes(const void *bytes, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(bytes, n);

    return (struct wb_hash){ h.low64, h.high64 };
}

void wb_hash_format(struct wb_hash h, char out[33])
{
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, h.high, h.low);
}

bool wb_hash_parse(const char *text, struct wb_hash *h)
{
    char half[17] = { 0 };

    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    memcpy(half, text, 16);
    h->high = strtoull(half, NULL, 16);
    h->low = strtoull(text + 16, NULL, 16);
    return true;
}

struct wb_hasher *wb_hasher_new(void)
{
    XXH3_state_t *state = XXH3_createState();

    if (state != NULL)
        XXH3_128bits_reset(state);
    return (struct wb_hasher *)state;
}

void wb_hasher_reset(struct wb_hasher *h)
{
    XXH3_128bits_reset((XXH3_state_t *)h);
}

void wb_hasher_add(struct wb_hasher *h, const void *bytes, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && wb_hash_update_avx2(h, bytes, n))
        return;
#endif
    XXH3_128bits_update((XXH3_state_t *)h, bytes, n);
}

struct wb_hash wb_hasher_get(const struct wb_hasher *h)
{
    XXH128_hash_t v = XXH3_128bits_digest((const XXH3_state_t *)h);

    return (struct wb_hash){ v.low64, v.high64 };
}

void wb_hasher_free(struct wb_hasher *h)
{
    XXH3_freeState((XXH3_state_t *)h);
}

static void to_hex(const uint8_t *bytes, char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void wb_sha256(const void *bytes, size_t n, char out[65])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL);
    to_hex(digest, out);
}

static bool sha_range(int fd, uint64_t offset, uint64_t n, EVP_MD_CTX *ctx, struct wb_err *err)
{
    uint8_t *block = malloc(SHA_BLOCK_BYTES);
    bool ok = block != NULL || wb_fail(err, WB_ENOMEM, "no memory for a block");

    while (ok && n > 0) {
        size_t part = n < SHA_BLOCK_BYTES ? (size_t)n : SHA_BLOCK_BYTES;

        ok = wb_pread(fd, block, part, offset, err);
        if (ok)
            EVP_DigestUpdate(ctx, block, part);
        offset += part;
        n -= part;
    }
    free(block);
    return ok;
}

bool wb_sha256_file(const char *path, uint64_t offset, uint64_t n, char out[65], struct wb_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];
    bool ok = false;

    if (fd < 0) {
        wb_fail_errno(err, "%s", path);
    } else if (ctx == NULL || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)) {
        wb_fail(err, WB_ENOMEM, "%s: SHA-256 is not to be had", path);
    } else if (!sha_range(fd, offset, n, ctx, err)) {
        wb_wrap(err, "%s", path);
    } else {
        EVP_DigestFinal_ex(ctx, digest, NULL);
        to_hex(digest, out);
        ok = true;
    }
    EVP_MD_CTX_free(ctx);
    if (fd >= 0)
        close(fd);
    return ok;
}

void wb_hmac_sha256(const void *key, size_t key_len, const void *msg, size_t n, uint8_t out[32])
{
    unsigned len = 32;

    HMAC(EVP_sha256(), key, (int)key_len, msg, n, out, &len);
}
