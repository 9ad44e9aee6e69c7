/* lua/bind/keys.c - keyed streams for the protect methods (protect.md P1.8): bytes, uniforms, normals,
 * permutations and Haar orthogonal matrices that are a function of a master key and a label alone.
 *
 * The stream of a label is HMAC-SHA256(master, label || be32(counter)) for counter 0, 1, …; eight bytes of it, little-endian,
 * are one draw; a uniform is (draw >> 11) * 2^-53. Everything is computed here in double, without BLAS, so that the bits
 * are the same on every machine with IEEE arithmetic and a correctly rounded sqrt. */
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/internal.h"

#define LABEL_MAX 400
#define DRAWS_MAX ((uint64_t)1 << 26)
#define ORTHOGONAL_MAX 2048
#define SALT "weightbench/lock/v1"
#define TAU 6.283185307179586476925286766559

struct stream {
    const char *master;
    size_t master_len;
    char message[LABEL_MAX + 4];
    size_t label_len;
    uint32_t counter;
    uint8_t block[32];
    size_t used;
};

static void check_stream(lua_State *L, struct stream *s)
{
    const char *label;

    memset(s, 0, sizeof *s);
    s->master = luaL_checklstring(L, 1, &s->master_len);
    label = luaL_checklstring(L, 2, &s->label_len);
    if (s->label_len > LABEL_MAX)
        wb_lua_fail(L, WB_EARG, "a key label of more than %d bytes", LABEL_MAX);
    if (s->master_len == 0)
        wb_lua_fail(L, WB_EARG, "an empty key");
    memcpy(s->message, label, s->label_len);
    s->used = sizeof s->block;
}

static uint8_t next_byte(struct stream *s)
{
    if (s->used == sizeof s->block) {
        for (int i = 0; i < 4; i++)
            s->message[s->label_len + (size_t)i] = (char)(s->counter >> (24 - 8 * i));
        wb_hmac_sha256(s->master, s->master_len, s->message, s->label_len + 4, s->block);
        s->counter++;
        s->used = 0;
    }
    return s->block[s->used++];
}

static uint64_t next_draw(struct stream *s)
{
    uint8_t raw[8];

    for (int i = 0; i < 8; i++)
        raw[i] = next_byte(s);
    return wb_le64(raw);
}

static double next_uniform(struct stream *s)
{
    return (double)(next_draw(s) >> 11) * 0x1p-53;
}

/* Box-Muller from two uniforms at a time; the first is turned to (0, 1]. */
static void next_normals(struct stream *s, double out[2])
{
    double radius = sqrt(-2 * log(1 - next_uniform(s))), angle = TAU * next_uniform(s);

    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* An unbiased number below n: draws of the last, incomplete stretch of multiples are thrown away. */
static uint64_t next_below(struct stream *s, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, draw;

    do
        draw = next_draw(s);
    while (draw >= limit);
    return draw % n;
}

static uint64_t check_count(lua_State *L, int arg)
{
    uint64_t n = wb_lua_check_whole(L, arg);

    if (n > DRAWS_MAX)
        wb_lua_fail(L, WB_EARG, "more than %llu draws", (unsigned long long)DRAWS_MAX);
    return n;
}

static int key_bytes(lua_State *L)
{
    struct stream s;
    uint64_t n = check_count(L, 3);
    luaL_Buffer b;
    char *to;

    check_stream(L, &s);
    to = luaL_buffinitsize(L, &b, (size_t)n);
    for (uint64_t i = 0; i < n; i++)
        to[i] = (char)next_byte(&s);
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

static int key_uniforms(lua_State *L)
{
    struct stream s;
    uint64_t n = check_count(L, 3);

    check_stream(L, &s);
    lua_createtable(L, (int)n, 0);
    for (uint64_t i = 1; i <= n; i++) {
        lua_pushnumber(L, next_uniform(&s));
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return 1;
}

static int key_normals(lua_State *L)
{
    struct stream s;
    uint64_t n = check_count(L, 3);
    double pair[2];

    check_stream(L, &s);
    lua_createtable(L, (int)n, 0);
    for (uint64_t i = 0; i < n; i++) {
        if (i % 2 == 0)
            next_normals(&s, pair);
        lua_pushnumber(L, pair[i % 2]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* Fisher-Yates from the last place down; 0-based. */
static int key_permutation(lua_State *L)
{
    struct stream s;
    uint64_t n = check_count(L, 3), *p;

    check_stream(L, &s);
    p = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *p, 0);
    for (uint64_t i = 0; i < n; i++)
        p[i] = i;
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = next_below(&s, i), keep = p[i - 1];

        p[i - 1] = p[j];
        p[j] = keep;
    }
    lua_createtable(L, (int)n, 0);
    for (uint64_t i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)p[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* Q of the QR decomposition of a (n, n), row-major, by Householder reflections, with the diagonal of R positive: q = Q.
 * v is scratch of n. */
static void householder_q(size_t n, double *a, double *q, double *v)
{
    double *sign = v + n;

    for (size_t i = 0; i < n * n; i++)
        q[i] = i % (n + 1) == 0;
    for (size_t k = 0; k < n; k++) {
        double norm = 0, dot, alpha, vv = 0;

        for (size_t i = k; i < n; i++)
            norm += a[i * n + k] * a[i * n + k];
        norm = sqrt(norm);
        alpha = a[k * n + k] > 0 ? -norm : norm;
        sign[k] = alpha < 0 ? -1 : 1;
        for (size_t i = k; i < n; i++)
            v[i] = a[i * n + k];
        v[k] -= alpha;
        for (size_t i = k; i < n; i++)
            vv += v[i] * v[i];
        if (vv == 0)
            continue;
        for (size_t j = k; j < n; j++) { /* a = H a */
            dot = 0;
            for (size_t i = k; i < n; i++)
                dot += v[i] * a[i * n + j];
            for (size_t i = k; i < n; i++)
                a[i * n + j] -= 2 * dot / vv * v[i];
        }
        for (size_t i = 0; i < n; i++) { /* q = q H */
            dot = 0;
            for (size_t j = k; j < n; j++)
                dot += q[i * n + j] * v[j];
            for (size_t j = k; j < n; j++)
                q[i * n + j] -= 2 * dot / vv * v[j];
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            q[i * n + j] *= sign[j];
}

static int key_orthogonal(lua_State *L) /* Haar: QR of a Gaussian matrix, filled row by row */
{
    struct stream s;
    size_t n = (size_t)check_count(L, 3);
    struct wb_node **out;
    struct wb_err err;
    double *a;

    check_stream(L, &s);
    if (n > ORTHOGONAL_MAX)
        return wb_lua_fail(L, WB_EARG, "an orthogonal matrix of more than %d rows", ORTHOGONAL_MAX);
    out = wb_lua_push_node(L);
    a = lua_newuserdatauv(L, (2 * n * n + 2 * n + 2) * sizeof *a, 0);
    for (size_t i = 0; i < n * n; i += 2)
        next_normals(&s, a + i); /* an odd last one spills into q, which is filled later */
    householder_q(n, a, a + n * n, a + 2 * n * n);
    *out = wb_node_array(a + n * n, &(struct wb_shape){ .ndim = 2, .dim = { n, n } }, &err);
    lua_pop(L, 1);
    return wb_lua_made(L, out, &err);
}

static int inverse_permutation(lua_State *L)
{
    lua_Integer n;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = (lua_Integer)lua_rawlen(L, 1);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        uint64_t at;

        lua_rawgeti(L, 1, i);
        at = wb_lua_check_whole(L, -1);
        lua_pop(L, 1);
        if (at >= (uint64_t)n || lua_rawgeti(L, 2, (lua_Integer)at + 1) != LUA_TNIL)
            return wb_lua_fail(L, WB_EARG, "this list is no permutation of 0 .. %lld",
                               (long long)n - 1);
        lua_pop(L, 1);
        lua_pushinteger(L, i - 1);
        lua_rawseti(L, 2, (lua_Integer)at + 1);
    }
    return 1;
}

static int hmac(lua_State *L) /* wb.hmac(key, message) -> 32 bytes */
{
    size_t key_len, n;
    const char *key = luaL_checklstring(L, 1, &key_len), *message = luaL_checklstring(L, 2, &n);
    uint8_t out[32];

    wb_hmac_sha256(key, key_len, message, n, out);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

static int sha256(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    char out[65];

    wb_sha256(text, n, out);
    lua_pushstring(L, out);
    return 1;
}

static bool from_hex(const char *text, uint8_t out[32])
{
    if (strlen(text) != 64 || text[strspn(text, "0123456789abcdefABCDEF")] != '\0')
        return false;
    for (int i = 0; i < 32; i++) {
        char two[3] = { text[2 * i], text[2 * i + 1], '\0' };

        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

/* wb.master_key(text) -> 32 bytes. scrypt takes 30 ms and more: the last result is kept, for previews that run the
 * script again at each edit. */
static int master_key(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    uint8_t key[32];

    if (n == 0)
        return wb_lua_fail(L, WB_EARG, "an empty key");
    if (!from_hex(text, key)) {
        if (vm->master.set && strcmp(vm->master.text, text) == 0 && strlen(text) == n)
            memcpy(key, vm->master.key, sizeof key);
        else if (EVP_PBE_scrypt(text, n, (const unsigned char *)SALT, sizeof SALT - 1, 1 << 15, 8,
                                1, (uint64_t)64 << 20, key, sizeof key) != 1)
            return wb_lua_fail(L, WB_ENOMEM, "the key could not be derived");
        if (n < sizeof vm->master.text && strlen(text) == n) {
            memcpy(vm->master.text, text, n + 1);
            memcpy(vm->master.key, key, sizeof key);
            vm->master.set = true;
        }
    }
    lua_pushlstring(L, (const char *)key, sizeof key);
    return 1;
}

static int key_id(lua_State *L) /* first 8 bytes of SHA-256("id" || master), in hex */
{
    char out[65];

    luaL_checkstring(L, 1);
    lua_pushliteral(L, "id");
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
    wb_sha256(lua_tostring(L, -1), lua_rawlen(L, -1), out);
    lua_pushlstring(L, out, 16);
    return 1;
}

void wb_lua_open_keys(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "key_bytes", key_bytes },
        { "key_uniforms", key_uniforms },
        { "key_normals", key_normals },
        { "key_permutation", key_permutation },
        { "key_orthogonal", key_orthogonal },
        { "inverse_permutation", inverse_permutation },
        { "hmac", hmac },
        { "sha256", sha256 },
        { "master_key", master_key },
        { "key_id", key_id },
        { NULL, NULL },
    };

    luaL_setfuncs(L, core, 0);
}
