/* tests/unit/test_manifest.c - sources in a manifest, and checkpoints that no longer match it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/store/manifest.h"
#include "app/store/writer.h"

#define TENSORS 6
#define TENSOR_BYTES 3000
#define SHARDS 2
#define FILE_MAX ((size_t)1 << 26)
#define PATH_BYTES 512

static char root[PATH_BYTES], out[PATH_BYTES + 8];
static struct wb_err err;
static const char *const shard_name[SHARDS] = { "model-00001-of-00002.safetensors",
                                                "model-00002-of-00002.safetensors" };
static const char *const tensor_name[TENSORS] = { "a", "b", "c", "d", "e", "f" };

static const char *in_out(const char *name)
{
    static char path[2 * PATH_BYTES];

    snprintf(path, sizeof path, "%s/%s", out, name);
    return path;
}

/* The "files" entry of one file of the output, with as many hashes as there may be. */
static cJSON *file_entry(const char *name, bool with_sha256)
{
    cJSON *entry = cJSON_CreateObject();
    struct stat st;
    char sha[65];

    assert_int_equal(stat(in_out(name), &st), 0);
    cJSON_AddStringToObject(entry, "name", name);
    cJSON_AddNumberToObject(entry, "bytes", (double)st.st_size);
    assert_true(wb_sha256_file(in_out(name), 0, (uint64_t)st.st_size, sha, &err));
    if (with_sha256)
        cJSON_AddStringToObject(entry, "sha256", sha);
    return entry;
}

static void write_json(const cJSON *json)
{
    char *text = cJSON_Print(json);

    assert_true(wb_write_file(in_out(WB_MANIFEST_NAME), text, strlen(text), &err));
    cJSON_free(text);
}

/* Change the manifest through a function. */
static void edit(void (*change)(cJSON *json))
{
    cJSON *json = wb_json_parse_file(in_out(WB_MANIFEST_NAME), FILE_MAX, &err);

    assert_non_null(json);
    change(json);
    write_json(json);
    cJSON_Delete(json);
}

static void write_manifest(const struct wb_hash *hash, bool with_sha256,
                           const char header[SHARDS][65])
{
    cJSON *json = cJSON_CreateObject(), *tensors, *files;
    char digits[33];

    tensors = cJSON_AddObjectToObject(json, "tensors");
    for (size_t i = 0; i < TENSORS; i++) {
        wb_hash_format(hash[i], digits);
        cJSON_AddStringToObject(tensors, tensor_name[i], digits);
    }
    files = cJSON_AddArrayToObject(json, "files");
    for (size_t s = 0; s < SHARDS; s++) {
        cJSON *entry = file_entry(shard_name[s], with_sha256);

        cJSON_AddStringToObject(entry, "header_sha256", header[s]);
        cJSON_AddItemToArray(files, entry);
    }
    cJSON_AddItemToArray(files, file_entry("config.json", true));
    cJSON_AddItemToArray(files, file_entry("model.safetensors.index.json", true));
    write_json(json);
    cJSON_Delete(json);
}

/* A checkpoint of two shards with its manifest. */
static void make(bool with_sha256)
{
    struct wb_writer_options options = { .dir = out, .stem = "model", .shard_bytes = 10000 };
    struct wb_out_tensor tensor[TENSORS];
    struct wb_hash hash[TENSORS];
    char header[SHARDS][65];
    uint8_t bytes[TENSOR_BYTES];
    struct wb_writer *w;

    for (size_t i = 0; i < TENSORS; i++)
        tensor[i] =
            (struct wb_out_tensor){ tensor_name[i], WB_DTYPE_F32, { 1, { TENSOR_BYTES / 4 } } };
    options.force = true;
    w = wb_writer_open(&options, tensor, TENSORS, &err);
    assert_non_null(w);
    assert_int_equal(wb_writer_shard_count(w), SHARDS);
    for (size_t i = 0; i < TENSORS; i++) {
        for (size_t k = 0; k < TENSOR_BYTES; k++)
            bytes[k] = (uint8_t)(k * 7 + i);
        hash[i] = wb_hash_bytes(bytes, TENSOR_BYTES);
        assert_true(wb_writer_put(w, i, 0, bytes, TENSOR_BYTES, &err));
        assert_true(wb_writer_done(w, i, hash[i], &err));
    }
    assert_true(wb_writer_add_file(w, "config.json", "{}", 2, &err));
    for (size_t s = 0; s < SHARDS; s++)
        wb_writer_shard_header(w, s, header[s]);
    assert_true(wb_writer_finish(w, &err));
    write_manifest(hash, with_sha256, (const char(*)[65])header);
    wb_writer_close(w);
}

/* Expect that exactly one file is broken, with this in its problem; NULL: none is. */
static void expect(const char *name, const char *problem)
{
    for (int threads = 1; threads < 8; threads += 6) {
        struct wb_verify v;
        int broken = 0;

        if (!wb_verify(out, threads, &v, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(v.ok, name == NULL);
        for (size_t i = 0; i < v.count; i++) {
            if (v.file[i].ok) {
                assert_string_equal(v.file[i].problem, "");
                continue;
            }
            broken++;
            if (name == NULL || strcmp(v.file[i].name, name) != 0 ||
                strstr(v.file[i].problem, problem) == NULL)
                fail_msg("%s: %s", v.file[i].name, v.file[i].problem);
        }
        assert_int_equal(broken, name != NULL);
        wb_verify_free(&v);
    }
}

/* Turn one bit of the byte `at` of a file, counted from its end when negative. */
static void flip(const char *name, long at)
{
    FILE *f = fopen(in_out(name), "r+b");
    int c;

    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 4, f), c ^ 4);
    assert_int_equal(fclose(f), 0);
}

static void test_sound(void **state)
{
    (void)state;
    make(false);
    expect(NULL, NULL);
    make(true);
    expect(NULL, NULL);
    assert_true(wb_write_file(in_out("README.md"), "x", 1, &err)); /* does no harm */
    assert_true(wb_make_dirs(in_out(".git"), &err));
    expect(NULL, NULL);
}

static void test_flipped_byte(void **state)
{
    (void)state;
    make(false);
    flip(shard_name[1], -1);
    expect(shard_name[1], "f: not the bytes");
    flip(shard_name[1], -1);
    flip(shard_name[0], -2 * TENSOR_BYTES - 1);
    expect(shard_name[0], "a: not the bytes");
    flip(shard_name[0], -2 * TENSOR_BYTES - 1);
    expect(NULL, NULL);
    flip("config.json", 0);
    expect("config.json", "SHA-256");
}

static void test_flipped_header(void **state)
{
    struct stat st;
    long header;

    (void)state;
    make(false);
    assert_int_equal(stat(in_out(shard_name[0]), &st), 0);
    header = (long)st.st_size - 3 * TENSOR_BYTES;
    for (long at = 0; at < header; at++) { /* whatever bit it is */
        struct wb_verify v;

        flip(shard_name[0], at);
        assert_true(wb_verify(out, 1, &v, &err));
        assert_false(v.ok || v.file[0].ok);
        wb_verify_free(&v);
        flip(shard_name[0], at);
    }
    expect(NULL, NULL);
}

static void test_cut_and_missing(void **state)
{
    (void)state;
    make(false);
    assert_int_equal(truncate(in_out(shard_name[1]), 5000), 0);
    expect(shard_name[1], "5000 bytes instead of");
    assert_int_equal(unlink(in_out(shard_name[1])), 0);
    expect(shard_name[1], "missing");
    assert_int_equal(mkdir(in_out(shard_name[1]), 0777), 0);
    expect(shard_name[1], "regular");
    make(true);
    assert_int_equal(unlink(in_out("config.json")), 0);
    expect("config.json", "missing");
}

static void test_extra_weights(void **state)
{
    (void)state;
    make(false);
    assert_true(wb_write_file(in_out("model.safetensors"), "x", 1, &err)); /* loaders prefer it */
    expect("model.safetensors", "does not name");
}

static void drop_tensor(cJSON *json)
{
    cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItem(json, "tensors"), "b");
}

static void add_tensor(cJSON *json)
{
    cJSON_AddStringToObject(cJSON_GetObjectItem(json, "tensors"), "g",
                            "00000000000000000000000000000000");
}

static void spoil_hash(cJSON *json)
{
    cJSON_ReplaceItemInObjectCaseSensitive(cJSON_GetObjectItem(json, "tensors"), "d",
                                           cJSON_CreateNumber(1));
}

static void climb(cJSON *json)
{
    cJSON_ReplaceItemInObjectCaseSensitive(
        cJSON_GetArrayItem(cJSON_GetObjectItem(json, "files"), 2), "name",
        cJSON_CreateString("../x"));
}

static void drop_bytes(cJSON *json)
{
    cJSON_DeleteItemFromObjectCaseSensitive(
        cJSON_GetArrayItem(cJSON_GetObjectItem(json, "files"), 2), "bytes");
}

static void test_tensor_lists(void **state)
{
    (void)state;
    make(false);
    edit(drop_tensor);
    expect(shard_name[0], "b: not a tensor of the manifest");
    make(false);
    edit(add_tensor);
    expect(WB_MANIFEST_NAME, "g: in none");
    make(false);
    edit(spoil_hash);
    expect(shard_name[1], "d: no hash");
    make(false);
    edit(climb);
    expect("../x", "not a file name");
    make(false);
    edit(drop_bytes);
    expect("config.json", "size");
}

static void test_bad_manifest(void **state)
{
    static const char *const bad[] = { "", "[]", "{}", "{\"files\":[],\"tensors\":[]}",
                                       "{\"files\":{}" };
    struct wb_verify v;

    (void)state;
    make(false);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(wb_write_file(in_out(WB_MANIFEST_NAME), bad[i], strlen(bad[i]), &err));
        assert_false(wb_verify(out, 2, &v, &err));
        assert_int_equal(err.code, WB_EFORMAT);
        assert_non_null(strstr(err.msg, WB_MANIFEST_NAME));
    }
    assert_int_equal(unlink(in_out(WB_MANIFEST_NAME)), 0);
    assert_false(wb_verify(out, 2, &v, &err));
    assert_int_equal(err.code, WB_ENOTFOUND);
    assert_true(
        wb_write_file(in_out(WB_MANIFEST_NAME), "{\"files\":[1],\"tensors\":{}}", 26, &err));
    assert_true(wb_verify(out, 2, &v, &err));
    assert_false(v.ok);
    wb_verify_free(&v);
}

static void test_source(void **state)
{
    char want[65];
    struct wb_ckpt *ck;

    (void)state;
    make(false);
    ck = wb_ckpt_open(out, &err);
    assert_non_null(ck);
    for (int whole = 0; whole < 2; whole++) {
        cJSON *source = wb_manifest_source(ck, whole, &err);
        const cJSON *files = cJSON_GetObjectItem(source, "files");

        assert_non_null(source);
        assert_string_equal(wb_json_text(source, "path", ""), out);
        assert_int_equal(cJSON_GetArraySize(files), SHARDS);
        for (int s = 0; s < SHARDS; s++) {
            const cJSON *entry = cJSON_GetArrayItem(files, s);
            const struct wb_ckpt_file *file = wb_ckpt_file(ck, (size_t)s);

            assert_string_equal(wb_json_text(entry, "name", ""), shard_name[s]);
            assert_int_equal(wb_json_number(entry, "bytes", 0), file->bytes);
            assert_int_equal(strlen(wb_json_text(entry, "mtime", "")), 30);
            assert_true(wb_sha256_file(file->path, 0, file->header_bytes, want, &err));
            assert_string_equal(wb_json_text(entry, "header_sha256", ""), want);
            assert_true(wb_sha256_file(file->path, 0, file->bytes, want, &err));
            assert_string_equal(wb_json_text(entry, "sha256", ""), whole ? want : "");
        }
        cJSON_Delete(source);
    }
    flip(shard_name[0], -1); /* it is no longer what was opened */
    assert_null(wb_manifest_source(ck, false, &err));
    assert_non_null(strstr(err.msg, "changed"));
    wb_ckpt_unref(ck);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "%.400s/wb-manifest-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(root) == NULL)
        return 1;
    snprintf(out, sizeof out, "%s/out", root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return !wb_remove_tree(root, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),          cmocka_unit_test(test_flipped_byte),
        cmocka_unit_test(test_flipped_header), cmocka_unit_test(test_cut_and_missing),
        cmocka_unit_test(test_extra_weights),  cmocka_unit_test(test_tensor_lists),
        cmocka_unit_test(test_bad_manifest),   cmocka_unit_test(test_source),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
