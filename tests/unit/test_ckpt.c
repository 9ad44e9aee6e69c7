/* tests/unit/test_ckpt.c - every rule of the format with a file that breaks it, and what must open.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "app/store/ckpt.h"
#include "app/store/safetensors.h"
#include "tests/unit/store_files.h"

#define ZOO "tests/data/zoo/"
#define BLOCK_SECONDS 20 /* an open that waits for a FIFO is killed after this */
/* Headers only: measured 3 ms. The bound is for a loaded machine under a sanitizer. */
#define OPEN_SECONDS_MAX 1.0

#define T(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* A header that has to be refused; the file is the header and `data` bytes. */
struct bad_header {
    const char *json;
    size_t data;
    const char *tensor, *rule; /* what the message holds; tensor NULL when none is involved */
};

static const struct bad_header bad_headers[] = {
    /* not UTF-8 */
    { "\xFF", 0, NULL, "not UTF-8" },
    { "{\"\xC0\xAF\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" }, /* overlong */
    { "{\"\xE0\x80\xAF\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" },
    { "{\"\xF0\x80\x80\xAF\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" },
    { "{\"\xED\xA0\x80\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" }, /* surrogate */
    { "{\"\xF4\x90\x80\x80\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" },
    { "{\"\x80\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "not UTF-8" },
    { "{}\xE2\x82", 0, NULL, "not UTF-8" },
    /* not JSON, or not an object */
    { "", 0, NULL, "'{' expected" },
    { "{", 0, NULL, "a string expected" },
    { "[]", 0, NULL, "'{' expected" },
    { "null", 0, NULL, "'{' expected" },
    { "\"x\"", 0, NULL, "'{' expected" },
    { "{}x", 0, NULL, "follows the header" },
    { "{}{}", 0, NULL, "follows the header" },
    { "\xEF\xBB\xBF{}", 0, NULL, "'{' expected" },
    { "{/* */}", 0, NULL, "a string expected" },
    { "{'x':1}", 0, NULL, "a string expected" },
    { "{\"x\":NaN}", 0, "x", "'{' expected" },
    { "{\"x\" 1}", 0, NULL, "':' expected" },
    { "{\"x", 0, NULL, "does not end" },
    { "{\"x\\", 0, NULL, "does not end" },
    { "{\"x\\\"", 0, NULL, "does not end" },
    { "{\"a\nb\":1}", 0, NULL, "control character" },
    { "{\"\\q\":1}", 0, NULL, "unknown escape" },
    { "{\"\\u12\":1}", 0, NULL, "no character" },
    { "{\"\\u12g4\":1}", 0, NULL, "no character" },
    { "{\"\\ud800\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "no character" },
    { "{\"\\ud800\\u0041\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "no character" },
    { "{\"\\udc00\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "no character" },
    { "{\"x\\u0000y\":" T("F32", "[1]", "[0,4]") "}", 4, NULL, "NUL" },
    { "{\"x\":" T("F32", "[1]", "[0,4]") ",}", 4, NULL, "a string expected" },
    { "{\"x\":" T("F32", "[1]", "[0,4]") " \"y\":" T("F32", "[1]", "[4,8]") "}", 8, NULL,
      "',' expected" },
    /* a field that is missing or of a wrong type */
    { "{\"x\":null}", 0, "x", "'{' expected" },
    { "{\"x\":[]}", 0, "x", "'{' expected" },
    { "{\"x\":{}}", 0, "x", "no \"dtype\"" },
    { "{\"x\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x", "no \"dtype\"" },
    { "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "x", "no \"shape\"" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "x", "no \"data_offsets\"" },
    { "{\"x\":" T("F32", "[1]", "[0]") "}", 4, "x", "',' expected" },
    { "{\"x\":" T("F32", "[1]", "[0,4,8]") "}", 4, "x", "']' expected" },
    { "{\"x\":" T("F32", "[1]", "[]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[1]", "4") "}", 4, "x", "'[' expected" },
    { "{\"x\":" T("F32", "[1]", "[-0,4]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[1]", "[-4,0]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[1]", "[0,4.0]") "}", 4, "x", "fraction" },
    { "{\"x\":" T("F32", "[1]", "[0,4e0]") "}", 4, "x", "fraction" },
    { "{\"x\":" T("F32", "[1]", "[0,\"4\"]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[1]", "[0,04]") "}", 4, "x", "leading zero" },
    { "{\"x\":" T("F32", "[1]", "[0,18446744073709551616]") "}", 4, "x", "beyond 2^64" },
    { "{\"x\":" T("F32", "[1.0]", "[0,4]") "}", 4, "x", "fraction" },
    { "{\"x\":" T("F32", "[1e2]", "[0,400]") "}", 400, "x", "fraction" },
    { "{\"x\":" T("F32", "[-1]", "[0,4]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[18446744073709551616]", "[0,4]") "}", 4, "x", "beyond 2^64" },
    { "{\"x\":" T("F32", "[99999999999999999999999999]", "[0,4]") "}", 4, "x", "beyond 2^64" },
    { "{\"x\":" T("F32", "1", "[0,4]") "}", 4, "x", "'[' expected" },
    { "{\"x\":" T("F32", "[null]", "[0,4]") "}", 4, "x", "whole number" },
    { "{\"x\":" T("F32", "[1,]", "[0,4]") "}", 4, "x", "value expected" },
    { "{\"x\":" T("F32", "[1 1]", "[0,4]") "}", 4, "x", "',' expected" },
    { "{\"x\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "x", "more than 8 dimensions" },
    { "{\"x\":" T("F128", "[1]", "[0,16]") "}", 16, "x", "unknown dtype \"F128\"" },
    { "{\"x\":" T("f32", "[1]", "[0,4]") "}", 4, "x", "unknown dtype \"f32\"" },
    { "{\"x\":" T("float32", "[1]", "[0,4]") "}", 4, "x", "unknown dtype" },
    { "{\"x\":" T("", "[1]", "[0,4]") "}", 4, "x", "unknown dtype" },
    { "{\"x\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x", "a string expected" },
    { "{\"x\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x",
      "a string expected" },
    /* twice */
    { "{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x",
      "\"dtype\" stands twice" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x",
      "\"shape\" stands twice" },
    { "{\"x\":{\"dtype\":\"F32\",\"\\u0064type\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "x", "\"dtype\" stands twice" },
    { "{\"x\":" T("F32", "[1]", "[0,4]") ",\"x\":" T("F32", "[1]", "[4,8]") "}", 8, "x",
      "stands twice" },
    { "{\"x\":" T("F32", "[1]", "[0,4]") ",\"\\u0078\":" T("F32", "[1]", "[4,8]") "}", 8, "x",
      "stands twice" },
    { "{\"x\":" T("F32", "[0]", "[0,0]") ",\"x\":" T("F32", "[0]", "[0,0]") "}", 0, "x",
      "stands twice" },
    /* metadata */
    { "{\"__metadata__\":{\"a\":1}}", 0, NULL, "__metadata__: header byte 21: a string expected" },
    { "{\"__metadata__\":{\"a\":{}}}", 0, NULL, "__metadata__" },
    { "{\"__metadata__\":{\"a\":null}}", 0, NULL, "__metadata__" },
    { "{\"__metadata__\":[]}", 0, NULL, "__metadata__" },
    { "{\"__metadata__\":\"x\"}", 0, NULL, "__metadata__" },
    { "{\"__metadata__\":nul}", 0, NULL, "__metadata__" },
    { "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, NULL, "'a': the name stands twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, NULL, "\"__metadata__\" stands twice" },
    /* where the data lies */
    { "{\"x\":" T("F32", "[1]", "[0,4]") ",\"y\":" T("F32", "[1]", "[8,12]") "}", 12, "y",
      "a hole of 4 bytes" },
    { "{\"x\":" T("F32", "[1]", "[8,12]") "}", 12, "x", "a hole of 8 bytes" },
    { "{\"x\":" T("F32", "[2]", "[0,8]") ",\"y\":" T("F32", "[2]", "[4,12]") "}", 12, "y",
      "overlaps that before it by 4 bytes" },
    { "{\"x\":" T("F32", "[4]", "[0,16]") ",\"y\":" T("F32", "[4]", "[0,16]") "}", 16, "y",
      "overlaps" },
    { "{\"x\":" T("F32", "[4]", "[0,16]") ",\"y\":" T("F32", "[0]", "[8,8]") "}", 16, "y",
      "overlaps" },
    { "{\"x\":" T("F32", "[0]", "[4,4]") "}", 4, "x", "a hole" },
    { "{\"x\":" T("F32", "[4]", "[16,0]") "}", 16, "x", "the end is before the begin" },
    { "{\"x\":" T("F32", "[0]", "[18446744073709551615,18446744073709551615]") "}", 0, "x",
      "a hole" },
    /* sizes that overflow */
    { "{\"x\":" T("I32", "[2,18446744073709551614]", "[0,16]") "}", 16, "x", "overflows 64 bits" },
    { "{\"x\":" T("I32", "[2,9223372036854775807]", "[0,16]") "}", 16, "x", "overflow 64 bits" },
    { "{\"x\":" T("U8", "[9223372036854775808]", "[0,16]") "}", 16, "x", "overflow 64 bits" },
    { "{\"x\":" T("U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "x", "overflows 64 bits" },
    { "{\"x\":" T("U8", "[9223372036854775808,4,0]", "[0,0]") "}", 0, "x", "overflows 64 bits" },
    { "{\"x\":" T("U8", "[2305843009213693951]", "[0,2305843009213693951]") "}", 16, "x",
      "cut short" },
    /* part of a byte */
    { "{\"x\":" T("F4", "[1,3]", "[0,2]") "}", 2, "x", "do not fill whole bytes" },
    { "{\"x\":" T("F6_E2M3", "[3]", "[0,3]") "}", 3, "x", "do not fill whole bytes" },
    /* span and shape */
    { "{\"x\":" T("I32", "[2,2]", "[0,4]") "}", 4, "x",
      "span 4 bytes, I32 of that shape takes 16" },
    { "{\"x\":" T("F32", "[]", "[0,0]") "}", 0, "x", "span 0 bytes" },
    { "{\"x\":" T("F32", "[0]", "[0,4]") "}", 4, "x", "span 4 bytes" },
    /* the end of the file */
    { "{\"x\":" T("F32", "[2]", "[0,8]") "}", 9, NULL,
      "1 bytes follow the 8 bytes of the tensors" },
    { "{\"x\":" T("F32", "[2]", "[0,8]") "}", 6, "x", "the file has 6: it is cut short" },
    { "{}", 1, NULL, "1 bytes follow" },
    /* what is skipped is checked too */
    { "{\"x\":{\"more\":tru}}", 0, "x", "a value expected" },
    { "{\"x\":{\"more\":-}}", 0, "x", "a digit expected" },
    { "{\"x\":{\"more\":1.}}", 0, "x", "a digit expected" },
    { "{\"x\":{\"more\":[1,]}}", 0, "x", "a value expected" },
    { "{\"x\":{\"more\":{\"a\":1,}}}", 0, "x", "a string expected" },
    { "{\"x\":{\"more\":01}}", 0, "x", "',' expected" },
};

static void check_bad(const char *path, enum wb_code code, const char *file, const char *tensor,
                      const char *rule)
{
    struct wb_err err = { 0 };
    struct wb_ckpt *ck = wb_ckpt_open(path, &err);
    char quoted[300];

    if (ck != NULL)
        fail_msg("opened: %s", rule);
    snprintf(quoted, sizeof quoted, "'%s'", tensor != NULL ? tensor : "");
    assert_true(says(&err, file, rule, tensor != NULL ? quoted : NULL, NULL));
    if (tensor == NULL && strncmp(rule, "'a'", 3) != 0)
        assert_null(strstr(err.msg, "tensor '"));
    assert_int_equal(err.code, code);
}

static void test_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
        const struct bad_header *b = &bad_headers[i];
        const char *path = at("bad/model.safetensors");

        put_safetensors(path, b->json, b->data);
        if (b->tensor != NULL || strstr(b->json, "\"x\":") == NULL)
            check_bad(path, WB_EFORMAT, path, b->tensor, b->rule);
        check_bad(at("bad/"), WB_EFORMAT, "bad/model.safetensors", b->tensor, b->rule);
    }
}

static void test_ten_tensors_share(void **state)
{
    char json[4096] = "{";

    (void)state;
    for (int i = 0; i < 10; i++)
        sprintf(json + strlen(json), "%s\"t%d\":" T("F32", "[4]", "[0,16]"), i > 0 ? "," : "", i);
    strcat(json, "}");
    put_safetensors(at("share.safetensors"), json, 16);
    check_bad(at("share.safetensors"), WB_EFORMAT, "share.safetensors", "t1", "overlaps");
}

static void test_lengths(void **state)
{
    static const uint64_t huge[] = { 100000001, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7 };
    const char *path = at("length.safetensors");

    (void)state;
    put_bytes(path, "", 0);
    check_bad(path, WB_EFORMAT, path, NULL, "empty");
    put_bytes(path, "\2\0\0\0\0\0\0", 7);
    check_bad(path, WB_EFORMAT, path, NULL, "7 bytes is too short");
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        put_header(path, huge[i], "{}", 2, 0);
        check_bad(path, WB_EFORMAT, path, NULL, "more than the 100000000 allowed");
    }
    put_header(path, 60, "", 0, 0);
    check_bad(path, WB_EFORMAT, path, NULL, "a header of 60 bytes in a file of 8");
    put_header(path, 3, "{}", 2, 0);
    check_bad(path, WB_EFORMAT, path, NULL, "a header of 3 bytes in a file of 10");
    put_header(path, 0, "", 0, 0);
    check_bad(path, WB_EFORMAT, path, NULL, "'{' expected");
}

static void test_nul_and_long_names(void **state)
{
    static char json[WB_NAME_MAX_BYTES + 200];
    const char *path = at("names.safetensors");
    struct wb_ckpt *ck;

    (void)state;
    put_header(path, 3, "{}\0", 3, 0);
    check_bad(path, WB_EFORMAT, path, NULL, "follows the header");
    for (size_t n = WB_NAME_MAX_BYTES; n <= WB_NAME_MAX_BYTES + 1; n++) {
        strcpy(json, "{\"");
        memset(json + 2, 'n', n);
        strcpy(json + 2 + n, "\":" T("F32", "[1]", "[0,4]") "}");
        put_safetensors(path, json, 4);
        ck = wb_ckpt_open(path, NULL);
        if (n == WB_NAME_MAX_BYTES) {
            assert_non_null(ck);
            assert_int_equal(strlen(wb_ckpt_info(ck, 0)->name), n);
        } else {
            assert_null(ck);
            check_bad(path, WB_EFORMAT, path, NULL, "a tensor name of 4097 bytes");
        }
        wb_ckpt_unref(ck);
    }
}

static void test_depth(void **state)
{
    char json[1000];
    const char *path = at("deep.safetensors");
    struct wb_ckpt *ck;

    (void)state;
    for (int depth = 60; depth <= 70; depth += 10) {
        strcpy(json, "{\"x\":{\"more\":");
        memset(json + strlen(json) + 1, 0, 1);
        for (int i = 0; i < depth; i++)
            strcat(json, "[");
        for (int i = 0; i < depth; i++)
            strcat(json, "]");
        strcat(json, ",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}");
        put_safetensors(path, json, 4);
        ck = wb_ckpt_open(path, NULL);
        if (depth == 70)
            check_bad(path, WB_EFORMAT, path, "x", "nested more than 64 deep");
        else
            assert_non_null(ck);
        wb_ckpt_unref(ck);
    }
}

/* Headers that look odd and are right. */
static const struct good_header {
    const char *json;
    size_t data, count;
    const char *name; /* of the first tensor by data */
    uint64_t elements, bytes;
    const char *metadata;
} good_headers[] = {
    { "{}", 0, 0, NULL, 0, 0, NULL },
    { " \t\r\n{} \t\r\n", 0, 0, NULL, 0, 0, NULL },
    { "{\"__metadata__\":{}}", 0, 0, NULL, 0, 0, "{}" },
    { "{\"__metadata__\":null}", 0, 0, NULL, 0, 0, NULL },
    { "{\"__metadata__\": {\"format\": \"pt\"} }", 0, 0, NULL, 0, 0, "{\"format\": \"pt\"}" },
    { "{\"x\":" T("F32", "[]", "[0,4]") "}", 4, 1, "x", 1, 4, NULL },
    { "{\"x\":" T("F32", "[2,0]", "[0,0]") "}", 0, 1, "x", 0, 0, NULL },
    { "{\"x\":" T("F32", "[0,9223372036854775808,4]", "[0,0]") "}", 0, 1, "x", 0, 0, NULL },
    { "{\"y\":" T("F32", "[0]", "[0,0]") ",\"x\":" T("F64", "[0]", "[0,0]") "}", 0, 2, "x", 0, 0,
      NULL },
    { "{\"b\":" T("U8", "[3]", "[0,3]") ",\"a\":" T("F32", "[0]", "[3,3]") "}", 3, 2, "b", 3, 3,
      NULL },
    { "{\"b\":" T("F32", "[1]", "[4,8]") ",\"a\":" T("F32", "[1]", "[0,4]") "}", 8, 2, "a", 1, 4,
      NULL },
    { "{ \"x\" : { \"data_offsets\" : [ 0 , 8 ] , \"shape\" : [ 2 ] , \"dtype\" : \"F32\" } }", 8,
      1, "x", 2, 8, NULL },
    { "{\"\\u0061\\n\\\"\\\\\\/\\u00e9\\ud83d\\ude00\":" T("BF16", "[2]", "[0,4]") "}", 4, 1,
      "a\n\"\\/\xC3\xA9\xF0\x9F\x98\x80", 2, 4, NULL },
    { "{\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\":" T("F16", "[2]", "[0,4]") "}", 4, 1,
      "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 2, 4, NULL },
    { "{\"\":" T("BOOL", "[2]", "[0,2]") "}", 2, 1, "", 2, 2, NULL },
    { "{\"x\":{\"\\u0064type\":\"F\\u00332\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 1, "x", 1,
      4, NULL },
    { "{\"x\":" T("F4", "[2,3]", "[0,3]") "}", 3, 1, "x", 6, 3, NULL },
    { "{\"x\":" T("F6_E3M2", "[4]", "[0,3]") "}", 3, 1, "x", 4, 3, NULL },
    { "{\"x\":" T("C64", "[1,1,1,1,1,1,1,2]", "[0,16]") "}", 16, 1, "x", 2, 16, NULL },
};

static void test_good_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_headers / sizeof good_headers[0]; i++) {
        const struct good_header *g = &good_headers[i];
        const char *path = at("good.safetensors");
        struct wb_err err = { 0 };
        struct wb_ckpt *ck;

        put_safetensors(path, g->json, g->data);
        ck = wb_ckpt_open(path, &err);
        if (ck == NULL)
            fail_msg("%s: %s", g->json, err.msg);
        assert_int_equal(wb_ckpt_count(ck), g->count);
        if (g->name != NULL) {
            const struct wb_tensor_info *t = wb_ckpt_info(ck, 0);

            assert_string_equal(t->name, g->name);
            assert_int_equal(t->count, g->elements);
            assert_int_equal(t->bytes, g->bytes);
            assert_int_equal(t->offset, 8 + strlen(g->json));
            assert_int_equal(wb_ckpt_find(ck, g->name), 0);
        }
        assert_int_equal(wb_ckpt_find(ck, "no such tensor"), SIZE_MAX);
        if (g->metadata != NULL)
            assert_string_equal(wb_ckpt_file(ck, 0)->metadata, g->metadata);
        else
            assert_null(wb_ckpt_file(ck, 0)->metadata);
        assert_int_equal(wb_ckpt_warning_count(ck), 0);
        wb_ckpt_unref(ck);
    }
}

static void test_every_dtype(void **state)
{
    (void)state;
    for (int d = 0; d < WB_DTYPE_COUNT; d++) {
        char json[200];
        unsigned bytes = wb_dtype_bits((enum wb_dtype)d);
        struct wb_ckpt *ck;

        sprintf(json, "{\"x\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%u]}}",
                wb_dtype_name((enum wb_dtype)d), bytes);
        put_safetensors(at("dtype.safetensors"), json, bytes);
        ck = wb_ckpt_open(at("dtype.safetensors"), NULL);
        assert_non_null(ck);
        assert_int_equal(wb_ckpt_info(ck, 0)->dtype, d);
        wb_ckpt_unref(ck);
    }
}

static void test_unknown_fields_warn(void **state)
{
    struct wb_ckpt *ck;

    (void)state;
    put_safetensors(at("more.safetensors"),
                    "{\"x\":{\"dtype\":\"F32\",\"more\":{\"a\":[1,-2.5e-3,true,false,null,\"s\"]},"
                    "\"shape\":[1],"
                    "\"more\":0,\"data_offsets\":[0,4]}}",
                    4);
    ck = wb_ckpt_open(at("more.safetensors"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_warning_count(ck), 1);
    assert_non_null(strstr(wb_ckpt_warning(ck, 0), "2 fields"));
    wb_ckpt_unref(ck);
}

static void test_control_characters_are_not_printed(void **state)
{
    struct wb_err err;

    (void)state;
    put_safetensors(at("esc.safetensors"), "{\"a\\u001b[2Jb\\u0085\":" T("F32", "[1]", "[0,5]") "}",
                    5);
    assert_null(wb_ckpt_open(at("esc.safetensors"), &err));
    assert_true(says(&err, "esc.safetensors", "'a?[2Jb?'", NULL));
    assert_null(strpbrk(err.msg, "\033\n"));
}

static void test_show_name(void **state)
{
    char name[1000], out[WB_SHOWN_BYTES];

    (void)state;
    for (size_t n = 0; n < sizeof name; n++) { /* every cut, through characters of two bytes */
        for (size_t i = 0; i < n; i++)
            name[i] = i % 2 == n % 2 ? '\xC2' : '\x80' + (char)(i % 7 == 0 ? 0x29 : 0);
        name[n] = '\0';
        wb_show_name(name, out);
        assert_true(strlen(out) < sizeof out);
    }
    memset(name, 'a', sizeof name);
    memcpy(name + 990, "the end", 8);
    assert_non_null(strstr(wb_show_name(name, out), "..."));
    assert_non_null(strstr(out, "the end"));
}

/* Directories and indexes. */

#define X_AT(begin, end) T("F32", "[1]", "[" #begin "," #end "]")

static void make_sharded(const char *dir, const char *index)
{
    put_safetensors(at("%s/model-00001-of-00002.safetensors", dir),
                    "{\"a\":" X_AT(0, 4) ",\"b\":" X_AT(4, 8) "}", 8);
    put_safetensors(at("%s/model-00002-of-00002.safetensors", dir), "{\"c\":" X_AT(0, 4) "}", 4);
    if (index != NULL)
        put_text(at("%s/model.safetensors.index.json", dir), index);
}

#define S1 "\"model-00001-of-00002.safetensors\""
#define S2 "\"model-00002-of-00002.safetensors\""
#define INDEX "model.safetensors.index.json"

static const struct bad_index {
    const char *text;
    enum wb_code code;
    const char *file, *tensor, *rule;
} bad_indexes[] = {
    { "{", WB_EFORMAT, INDEX, NULL, "not valid JSON" },
    { "", WB_EFORMAT, INDEX, NULL, "not valid JSON" },
    { "{} x", WB_EFORMAT, INDEX, NULL, "follows the JSON value" },
    { "[]", WB_EFORMAT, INDEX, NULL, "no weight_map" },
    { "{\"metadata\":{}}", WB_EFORMAT, INDEX, NULL, "no weight_map" },
    { "{\"weight_map\":[]}", WB_EFORMAT, INDEX, NULL, "no weight_map" },
    { "{\"weight_map\":{}}", WB_EFORMAT, INDEX, NULL, "weight_map is empty" },
    { "{\"weight_map\":{\"a\":1}}", WB_EFORMAT, INDEX, "a", "not a string" },
    { "{\"weight_map\":{\"a\":" S1 ",\"a\":" S2 "}}", WB_EFORMAT, INDEX, NULL, "stands twice" },
    { "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", WB_EFORMAT, INDEX, "a", "not a plain name" },
    { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", WB_EFORMAT, INDEX, "a", "not a plain name" },
    { "{\"weight_map\":{\"a\":\"sub/x.safetensors\"}}", WB_EFORMAT, INDEX, "a",
      "not a plain name" },
    { "{\"weight_map\":{\"a\":\"..\\\\x.safetensors\"}}", WB_EFORMAT, INDEX, "a",
      "not a plain name" },
    { "{\"weight_map\":{\"a\":\"..\"}}", WB_EFORMAT, INDEX, "a", "not a plain name" },
    { "{\"weight_map\":{\"a\":\"\"}}", WB_EFORMAT, INDEX, "a", "not a plain name" },
    { "{\"weight_map\":{\"a\":\"x\\u001b.safetensors\"}}", WB_EFORMAT, INDEX, "a",
      "control characters" },
    { "{\"weight_map\":{\"a\":\"pytorch_model-1.bin\"}}", WB_EFORMAT, INDEX, "a",
      "a PyTorch file" },
    { "{\"weight_map\":{\"a\":" S1 ",\"c\":\"model-00003-of-00003.safetensors\"}}", WB_ENOTFOUND,
      INDEX, NULL, "1 of its 2 shards missing: model-00003-of-00003.safetensors" },
    { "{\"weight_map\":{\"a\":" S1 ",\"b\":" S1 ",\"c\":" S2 ",\"d\":" S2 "}}", WB_EFORMAT,
      "model-00002-of-00002.safetensors", "d", "is missing" },
    { "{\"weight_map\":{\"a\":" S1 ",\"b\":" S2 ",\"c\":" S2 "}}", WB_EFORMAT,
      "model-00002-of-00002.safetensors", "b", "it is in model-00001-of-00002.safetensors" },
};

static void test_bad_indexes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_indexes / sizeof bad_indexes[0]; i++) {
        const struct bad_index *b = &bad_indexes[i];

        make_sharded("index", b->text);
        check_bad(at("index"), b->code, b->file, b->tensor, b->rule);
    }
}

#define GOOD_MAP "\"weight_map\":{\"a\":" S1 ",\"b\":" S1 ",\"c\":" S2 "}"

static void test_index(void **state)
{
    static const struct {
        const char *text, *warning;
    } rows[] = {
        { "{" GOOD_MAP "}", NULL },
        { "{\"metadata\":{\"total_size\":12}," GOOD_MAP "}", NULL },
        { "{\"metadata\":{\"total_size\":12.0}," GOOD_MAP "}", NULL },
        { "{\"metadata\":{\"total_size\":\"12\"}," GOOD_MAP "}", NULL },
        { "{\"metadata\":null," GOOD_MAP "}", NULL },
        { "{\"metadata\":{\"total_size\":13}," GOOD_MAP "}",
          "says 13 bytes of tensors, there are 12" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wb_err err = { 0 };
        struct wb_ckpt *ck;

        make_sharded("sharded", rows[i].text);
        ck = wb_ckpt_open(i % 2 == 0 ? at("sharded") : at("sharded/" INDEX), &err);
        if (ck == NULL)
            fail_msg("%s", err.msg);
        assert_int_equal(wb_ckpt_count(ck), 3);
        assert_int_equal(wb_ckpt_file_count(ck), 2);
        assert_int_equal(wb_ckpt_info(ck, wb_ckpt_find(ck, "c"))->file, 1);
        assert_string_equal(wb_ckpt_file(ck, 1)->name, "model-00002-of-00002.safetensors");
        assert_int_equal(wb_ckpt_warning_count(ck), rows[i].warning != NULL);
        if (rows[i].warning != NULL)
            assert_non_null(strstr(wb_ckpt_warning(ck, 0), rows[i].warning));
        wb_ckpt_unref(ck);
    }
}

static void test_tensor_not_in_index(void **state)
{
    struct wb_ckpt *ck;

    (void)state;
    make_sharded("unnamed", "{\"weight_map\":{\"b\":" S1 ",\"c\":" S2 "}}");
    ck = wb_ckpt_open(at("unnamed"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_count(ck), 2);
    assert_int_equal(wb_ckpt_find(ck, "a"), SIZE_MAX);
    assert_int_equal(wb_ckpt_find(ck, "b"), 0);
    assert_int_equal(wb_ckpt_find(ck, "c"), 1);
    assert_int_equal(wb_ckpt_warning_count(ck), 1);
    assert_non_null(strstr(wb_ckpt_warning(ck, 0), "'a'"));
    wb_ckpt_unref(ck);
}

static void test_tensor_in_two_shards(void **state)
{
    (void)state;
    make_sharded("twice", "{" GOOD_MAP "}");
    put_safetensors(at("twice/model-00002-of-00002.safetensors"),
                    "{\"c\":" X_AT(0, 4) ",\"a\":" X_AT(4, 8) "}", 8);
    check_bad(at("twice"), WB_EFORMAT, "model-00001-of-00002.safetensors", "a",
              "in two shards, model-00002-of-00002.safetensors too");
}

static void test_broken_shard(void **state)
{
    (void)state;
    make_sharded("broken", "{" GOOD_MAP "}");
    put_safetensors(at("broken/model-00002-of-00002.safetensors"), "{\"c\":" X_AT(0, 4) "}", 3);
    check_bad(at("broken"), WB_EFORMAT, "model-00002-of-00002.safetensors", "c", "cut short");
}

static void test_numbered_without_index(void **state)
{
    struct wb_ckpt *ck;

    (void)state;
    make_sharded("numbered", NULL);
    ck = wb_ckpt_open(at("numbered"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_count(ck), 3);
    wb_ckpt_unref(ck);
    unlink(at("numbered/model-00001-of-00002.safetensors"));
    check_bad(at("numbered"), WB_ENOTFOUND, "numbered", NULL,
              "shard 1 of 2 (model-00001-of-00002.safetensors) is missing");
    make_sharded("numbered", NULL);
    put_safetensors(at("numbered/model-00001-of-00007.safetensors"), "{}", 0);
    check_bad(at("numbered"), WB_EFORMAT, "numbered", NULL, "several series");
    put_safetensors(at("zero/model-00001-of-00000.safetensors"), "{}", 0);
    check_bad(at("zero"), WB_EFORMAT, "zero", NULL, "one of 0 shards");
    put_safetensors(at("many/model-00001-of-99999999999999999999.safetensors"), "{}", 0);
    ck = wb_ckpt_open(at("many"), NULL); /* no number at all: then it is the only file */
    assert_non_null(ck);
    wb_ckpt_unref(ck);
}

static void test_choice_in_directory(void **state)
{
    struct wb_ckpt *ck;

    (void)state;
    put_safetensors(at("choice/other.safetensors"), "{\"other\":" X_AT(0, 4) "}", 4);
    put_safetensors(at("choice/consolidated.safetensors"), "{\"own\":" X_AT(0, 4) "}", 4);
    put_text(at("choice/pytorch_model.bin"), "PK");
    ck = wb_ckpt_open(at("choice"), NULL); /* the only one that counts */
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_find(ck, "other"), 0);
    wb_ckpt_unref(ck);
    put_safetensors(at("choice/second.safetensors"), "{}", 0);
    check_bad(at("choice"), WB_EFORMAT, "choice", NULL, "2 .safetensors files");
    put_safetensors(at("choice/model.safetensors"), "{\"model\":" X_AT(0, 4) "}", 4);
    ck = wb_ckpt_open(at("choice"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_find(ck, "model"), 0);
    assert_int_equal(wb_ckpt_warning_count(ck), 1);
    assert_non_null(
        strstr(wb_ckpt_warning(ck, 0), "not used: other.safetensors, second.safetensors"));
    wb_ckpt_unref(ck);
    make_sharded("choice", "{" GOOD_MAP "}");
    ck = wb_ckpt_open(at("choice"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_file_count(ck), 2);
    wb_ckpt_unref(ck);
    ck = wb_ckpt_open(at("choice/consolidated.safetensors"), NULL); /* by name it is opened */
    assert_non_null(ck);
    wb_ckpt_unref(ck);
}

static void test_no_weights(void **state)
{
    (void)state;
    at("empty/x");
    check_bad(at("empty"), WB_ENOTFOUND, "empty", NULL, "no safetensors files in this directory");
    check_bad(at("nowhere/at/all.safetensors"), WB_ENOTFOUND, "nowhere/at/all.safetensors", NULL,
              "");
    put_safetensors(at("mistral/consolidated.safetensors"), "{}", 0);
    check_bad(at("mistral"), WB_ENOTFOUND, "mistral", NULL, "only consolidated.safetensors");
}

static void test_other_formats(void **state)
{
    static const struct {
        const char *name, *bytes, *kind;
    } rows[] = {
        { "gguf/model.gguf", "GGUF\3\0\0", "GGUF file; this version reads safetensors only" },
        { "bin/pytorch_model.bin", "PK\3\4........",
          "PyTorch file; this version reads safetensors only" },
        { "bins/pytorch_model-00001-of-00002.bin", "PK\3\4........", "PyTorch file" },
        { "pth/consolidated.00.pth", "\x80\2", "PyTorch file" },
    };
    static const struct {
        const char *name, *bytes, *kind;
    } disguised[] = {
        { "disguise/gguf.safetensors", "GGUF\3.............................", "GGUF file" },
        { "disguise/zip.safetensors", "PK\3\4..............................", "PyTorch file" },
        { "disguise/lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid",
          "git lfs pull" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *slash;
        char dir[100];

        strcpy(dir, rows[i].name);
        slash = strchr(dir, '/');
        *slash = '\0';
        put_text(at("%s", rows[i].name), rows[i].bytes);
        check_bad(at("%s", rows[i].name), WB_EFORMAT, rows[i].name, NULL, rows[i].kind);
        check_bad(at("%s", dir), WB_EFORMAT, rows[i].name, NULL, rows[i].kind);
    }
    for (size_t i = 0; i < sizeof disguised / sizeof disguised[0]; i++) {
        put_text(at("%s", disguised[i].name), disguised[i].bytes);
        check_bad(at("%s", disguised[i].name), WB_EFORMAT, disguised[i].name, NULL,
                  disguised[i].kind);
    }
}

static void test_not_a_regular_file(void **state)
{
    (void)state;
    alarm(BLOCK_SECONDS);
    mkfifo(at("fifo/model.safetensors"), 0600);
    check_bad(at("fifo"), WB_EFORMAT, "fifo/model.safetensors", NULL, "not a regular file");
    check_bad(at("fifo/model.safetensors"), WB_EFORMAT, "fifo/model.safetensors", NULL,
              "not a regular file");
    at("dir/model.safetensors/x");
    check_bad(at("dir"), WB_EFORMAT, "dir/model.safetensors", NULL, "not a regular file");
    check_bad("/dev/zero", WB_EFORMAT, "/dev/zero", NULL, "not a regular file");
    mkfifo(at("fifo2/" INDEX), 0600);
    assert_null(wb_ckpt_open(at("fifo2"), NULL));
    put_safetensors(at("fifo3/model.safetensors"), "{}", 0);
    mkfifo(at("fifo3/config.json"), 0600);
    check_bad(at("fifo3"), WB_EIO, "fifo3/config.json", NULL, "not a regular file");
    alarm(0);
}

static void test_config(void **state)
{
    static const struct {
        const char *text, *rule;
    } rows[] = {
        { "{", "not valid JSON" },     { "", "not valid JSON" },
        { "[]", "not a JSON object" }, { "{\"a\":1,\"a\":2}", "stands twice" },
        { "{}x", "follows" },          { "{\"a\":\"\xFF\"}", "not UTF-8" },
    };
    struct wb_ckpt *ck;

    (void)state;
    put_safetensors(at("config/model.safetensors"), "{}", 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_text(at("config/config.json"), rows[i].text);
        check_bad(at("config"), WB_EFORMAT, "config/config.json", NULL, rows[i].rule);
    }
    put_text(at("config/config.json"), "{\"model_type\": \"x\"}\n");
    ck = wb_ckpt_open(at("config/model.safetensors"), NULL);
    assert_non_null(ck);
    assert_string_equal(wb_ckpt_config(ck), "{\"model_type\": \"x\"}\n");
    assert_string_equal(wb_ckpt_dir(ck), at("config"));
    assert_string_equal(wb_ckpt_path(ck), at("config/model.safetensors"));
    wb_ckpt_unref(ck);
    unlink(at("config/config.json"));
    ck = wb_ckpt_open(at("config"), NULL);
    assert_non_null(ck);
    assert_null(wb_ckpt_config(ck));
    wb_ckpt_unref(ck);
}

static void test_links(void **state)
{
    static const char *const cases[] = { "../../blobs/", "../elsewhere/" };
    struct wb_ckpt *ck;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *dir = i == 0 ? "repo/snapshots/abc" : "linked/abc";
        char target[100];

        make_sharded(dir, "{" GOOD_MAP "}");
        put_safetensors(i == 0 ? at("repo/blobs/hash") : at("linked/elsewhere/hash"),
                        "{\"c\":" X_AT(0, 4) "}", 4);
        unlink(at("%s/model-00002-of-00002.safetensors", dir));
        snprintf(target, sizeof target, "%shash", cases[i]);
        assert_int_equal(symlink(target, at("%s/model-00002-of-00002.safetensors", dir)), 0);
        ck = wb_ckpt_open(at("%s", dir), NULL);
        assert_non_null(ck);
        assert_int_equal(wb_ckpt_warning_count(ck), i);
        if (i == 1)
            assert_non_null(
                strstr(wb_ckpt_warning(ck, 0), "links to another directory: model-00002"));
        wb_ckpt_unref(ck);
    }
    unlink(at("repo/blobs/hash")); /* a snapshot whose blob is still on its way */
    put_text(at("repo/blobs/hash.incomplete"), "");
    check_bad(at("repo/snapshots/abc"), WB_ENOTFOUND, INDEX, NULL, "an interrupted download");
}

/* Reading. */

static void test_read(void **state)
{
    struct wb_ckpt *ck;
    struct wb_err err;
    uint8_t got[8];

    (void)state;
    put_safetensors(at("read.safetensors"),
                    "{\"x\":" T("U8", "[5]", "[0,5]") ",\"y\":" T("U8", "[3]", "[5,8]") "}", 8);
    ck = wb_ckpt_open(at("read.safetensors"), NULL);
    assert_non_null(ck);
    assert_true(wb_ckpt_read(ck, 0, 0, 5, got, &err));
    assert_memory_equal(got, "\0\1\2\3\4", 5);
    assert_true(wb_ckpt_read(ck, 1, 1, 2, got, &err));
    assert_memory_equal(got, "\6\7", 2);
    assert_true(wb_ckpt_read(ck, 1, 3, 0, got, &err));
    assert_false(wb_ckpt_read(ck, 0, 4, 2, got, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_true(says(&err, "read.safetensors", "tensor 'x'", NULL));
    assert_false(wb_ckpt_read(ck, 0, UINT64_MAX, 2, got, &err));
    assert_false(wb_ckpt_read(ck, 0, 2, SIZE_MAX, got, &err));
    wb_ckpt_will_need(ck, 0);
    wb_ckpt_unref(ck);
}

static void test_file_changes_after_open(void **state)
{
    static const off_t sizes[] = { 3, 10, 100000, 0 };
    struct wb_err err;
    uint8_t got[8];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *path = at("change.safetensors");
        struct wb_ckpt *ck;

        put_safetensors(path, "{\"x\":" T("U8", "[8]", "[0,8]") "}", 8);
        ck = wb_ckpt_open(path, NULL);
        assert_non_null(ck);
        assert_true(wb_ckpt_unchanged(ck));
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_false(wb_ckpt_read(ck, 0, 0, 8, got, &err));
        assert_int_equal(err.code, WB_EFORMAT);
        assert_true(says(&err, path, "tensor 'x'", "changed since it was opened", NULL));
        assert_false(wb_ckpt_unchanged(ck));
        wb_ckpt_unref(ck);
    }
}

static void test_unchanged(void **state)
{
    const char *path = at("same/model.safetensors");
    struct timespec times[2] = { { 0, UTIME_OMIT }, { 1, 0 } };
    struct wb_ckpt *ck;

    (void)state;
    put_safetensors(path, "{}", 0);
    ck = wb_ckpt_open(path, NULL);
    assert_non_null(ck);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_false(wb_ckpt_unchanged(ck));
    wb_ckpt_unref(ck);
    ck = wb_ckpt_open(path, NULL);
    put_safetensors(path, "{}", 0); /* another file under the name */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_false(wb_ckpt_unchanged(ck));
    wb_ckpt_unref(ck);
    ck = wb_ckpt_open(path, NULL);
    unlink(path);
    assert_false(wb_ckpt_unchanged(ck));
    wb_ckpt_unref(ck);
}

static void *read_all(void *arg)
{
    struct wb_ckpt *ck = arg;
    uint8_t got[4096];
    uintptr_t sum = 0;

    for (size_t i = 0; i < wb_ckpt_count(ck); i++)
        for (uint64_t first = 0; first < wb_ckpt_info(ck, i)->bytes; first += sizeof got) {
            uint64_t left = wb_ckpt_info(ck, i)->bytes - first;
            size_t n = left < sizeof got ? (size_t)left : sizeof got;

            if (!wb_ckpt_read(ck, i, first, n, got, NULL))
                return NULL;
            for (size_t k = 0; k < n; k++)
                sum = sum * 31 + got[k];
        }
    wb_ckpt_unref(ck);
    return (void *)(sum | 1);
}

static void test_read_from_threads(void **state)
{
    struct wb_ckpt *ck = wb_ckpt_open(ZOO "lora-math/adapter_model.safetensors", NULL);
    pthread_t thread[7];
    void *expected, *got;

    (void)state;
    assert_non_null(ck);
    for (int i = 0; i < 7; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, wb_ckpt_ref(ck)), 0);
    expected = read_all(ck); /* each gives up its own reference */
    assert_non_null(expected);
    for (int i = 0; i < 7; i++) {
        pthread_join(thread[i], &got);
        assert_ptr_equal(got, expected);
    }
}

/* The same model in one file and in three. */
static void test_real_checkpoints(void **state)
{
    struct wb_ckpt *one = wb_ckpt_open(ZOO "base", NULL),
                   *three = wb_ckpt_open(ZOO "base-sharded/", NULL);

    (void)state;
    assert_non_null(one);
    assert_non_null(three);
    assert_int_equal(wb_ckpt_count(one), 74);
    assert_int_equal(wb_ckpt_count(three), 74);
    assert_int_equal(wb_ckpt_file_count(three), 3);
    assert_int_equal(wb_ckpt_warning_count(one) + wb_ckpt_warning_count(three), 0);
    assert_non_null(strstr(wb_ckpt_config(three), "LlamaForCausalLM"));
    assert_string_equal(wb_ckpt_file(one, 0)->metadata, "{\"format\":\"pt\"}");
    for (size_t i = 0; i < 74; i++) {
        const struct wb_tensor_info *t = wb_ckpt_info(one, i), *u;
        size_t k = wb_ckpt_find(three, t->name);
        uint8_t *x = malloc(t->bytes), *y = malloc(t->bytes);

        assert_true(k < 74);
        u = wb_ckpt_info(three, k);
        assert_int_equal(t->dtype, WB_DTYPE_BF16);
        assert_true(wb_shape_equal(&t->shape, &u->shape));
        assert_true(wb_ckpt_read(one, i, 0, (size_t)t->bytes, x, NULL));
        assert_true(wb_ckpt_read(three, k, 0, (size_t)t->bytes, y, NULL));
        assert_memory_equal(x, y, (size_t)t->bytes);
        free(x);
        free(y);
    }
    wb_ckpt_unref(one);
    wb_ckpt_unref(three);
}

/* `count` tensors of a 70B model over `shards` files; the data is a hole on the disk. */
static void make_large(const char *dir, int shards, int count)
{
    static char index[1 << 20], json[1 << 18];
    size_t used = (size_t)sprintf(index, "{\"weight_map\":{");

    for (int s = 0; s < shards; s++) {
        size_t n = (size_t)sprintf(json, "{\"__metadata__\":{\"format\":\"pt\"}");
        uint64_t end = 0;
        const char *path;

        for (int i = s; i < count; i += shards) {
            n +=
                (size_t)sprintf(json + n,
                                ",\"model.layers.%d.self_attn.q_proj.weight\":{\"dtype\":\"BF16\","
                                "\"shape\":[8192,8192],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
                                i, end, end + 134217728);
            end += 134217728;
            used += (size_t)sprintf(index + used,
                                    "%s\"model.layers.%d.self_attn.q_proj.weight\":"
                                    "\"model-%05d-of-%05d.safetensors\"",
                                    used > 15 ? "," : "", i, s + 1, shards);
        }
        strcpy(json + n, "}");
        path = at("%s/model-%05d-of-%05d.safetensors", dir, s + 1, shards);
        put_safetensors(path, json, 0);
        assert_int_equal(truncate(path, (off_t)(8 + n + 1 + end)), 0);
    }
    strcpy(index + used, "}}");
    put_text(at("%s/" INDEX, dir), index);
}

static void test_large_opens_fast(void **state)
{
    struct wb_err err = { 0 };
    struct wb_ckpt *ck;
    double begin, seconds;

    (void)state;
    make_large("large", 30, 723);
    begin = wb_now_seconds();
    ck = wb_ckpt_open(at("large"), &err);
    seconds = wb_now_seconds() - begin;
    if (ck == NULL)
        fail_msg("%s", err.msg);
    assert_int_equal(wb_ckpt_count(ck), 723);
    print_message("30 shards, 723 tensors: opened in %.2f ms\n", seconds * 1e3);
    assert_true(seconds < OPEN_SECONDS_MAX);
    wb_ckpt_unref(ck);
}

static void test_more_shards_than_the_soft_limit(void **state)
{
    struct rlimit old, low;
    struct wb_ckpt *ck;

    (void)state;
    make_large("files", 100, 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck = wb_ckpt_open(at("files"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_file_count(ck), 100);
    wb_ckpt_unref(ck);
    setrlimit(RLIMIT_NOFILE, &old);
}

/* Names made to collide in any table, and far more of them than a model has. */
static void test_many_tensors(void **state)
{
    enum { COUNT = 100000 };
    char *json = malloc(100 * COUNT);
    struct wb_ckpt *ck;
    size_t n = 0;

    (void)state;
    json[n++] = '{';
    for (int i = 0; i < COUNT; i++)
        n += (size_t)sprintf(json + n, "%s\"%d\":" T("U8", "[1]", "[%d,%d]"), i > 0 ? "," : "", i,
                             COUNT - 1 - i, COUNT - i);
    strcpy(json + n, "}");
    put_safetensors(at("many.safetensors"), json, COUNT);
    free(json);
    ck = wb_ckpt_open(at("many.safetensors"), NULL);
    assert_non_null(ck);
    assert_int_equal(wb_ckpt_find(ck, "99999"), 0);
    assert_int_equal(wb_ckpt_find(ck, "0"), COUNT - 1);
    wb_ckpt_unref(ck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_ten_tensors_share),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_nul_and_long_names),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_good_headers),
        cmocka_unit_test(test_every_dtype),
        cmocka_unit_test(test_unknown_fields_warn),
        cmocka_unit_test(test_control_characters_are_not_printed),
        cmocka_unit_test(test_show_name),
        cmocka_unit_test(test_bad_indexes),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_tensor_not_in_index),
        cmocka_unit_test(test_tensor_in_two_shards),
        cmocka_unit_test(test_broken_shard),
        cmocka_unit_test(test_numbered_without_index),
        cmocka_unit_test(test_choice_in_directory),
        cmocka_unit_test(test_no_weights),
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_not_a_regular_file),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_file_changes_after_open),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_read_from_threads),
        cmocka_unit_test(test_real_checkpoints),
        cmocka_unit_test(test_large_opens_fast),
        cmocka_unit_test(test_more_shards_than_the_soft_limit),
        cmocka_unit_test(test_many_tensors),
    };

    return cmocka_run_group_tests(tests, files_begin, files_end);
}
