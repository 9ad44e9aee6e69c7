/* tests/unit/test_writer.c - layout, contents, interruption and replacement of written checkpoints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/parallel.h"
#include "app/store/ckpt.h"
#include "app/store/writer.h"

#define FILE_MAX ((size_t)1 << 26)
#define PATH_BYTES 512

static char root[PATH_BYTES]; /* of all that the tests write; emptied between them */
static struct wb_err err;

static const struct wb_hash plan = { 1, 2 }, other_plan = { 1, 3 };

static const struct wb_out_tensor mixed[] = {
    { "embed", WB_DTYPE_BF16, { 2, { 33, 20 } } },    { "norm", WB_DTYPE_F32, { 1, { 20 } } },
    { "empty", WB_DTYPE_F32, { 2, { 0, 7 } } },       { "scalar", WB_DTYPE_F64, { 0, { 0 } } },
    { "q\"\\\n\xc3\xa9", WB_DTYPE_U8, { 1, { 3 } } }, { "head", WB_DTYPE_BF16, { 2, { 20, 33 } } },
};
#define MIXED (sizeof mixed / sizeof mixed[0])

/* Equal tensors of 4,096 bytes. */
#define EVEN 16
#define EVEN_BYTES 4096
static struct wb_out_tensor even[EVEN];
static char even_name[EVEN][16];

/* The path of a name under root; stays as it is. */
static const char *in_root(const char *name)
{
    static char path[64][PATH_BYTES];
    static size_t count;
    char want[PATH_BYTES];

    snprintf(want, sizeof want, "%.200s/%.200s", root, name);
    for (size_t i = 0; i < count; i++)
        if (strcmp(path[i], want) == 0)
            return path[i];
    assert_true(count < sizeof path / sizeof path[0]);
    return memcpy(path[count++], want, sizeof want);
}

static struct wb_writer_options options_for(const char *dir)
{
    return (struct wb_writer_options){ .dir = dir, .stem = "model", .plan = plan };
}

static uint64_t bytes_of(const struct wb_out_tensor *t)
{
    uint64_t bytes;

    assert_true(wb_shape_bytes(&t->shape, t->dtype, &bytes));
    return bytes;
}

/* Bytes that are different for every tensor and place. */
static uint8_t *make_bytes(size_t i, uint64_t n)
{
    uint8_t *bytes = malloc(n + 1);

    assert_non_null(bytes);
    for (uint64_t k = 0; k < n; k++)
        bytes[k] = (uint8_t)((k + 1) * 2654435761u >> 11 ^ (i * 37 + 5));
    return bytes;
}

static void put_tensor(struct wb_writer *w, const struct wb_out_tensor *tensor, size_t i)
{
    uint64_t n = bytes_of(&tensor[i]), half = n / 2;
    uint8_t *bytes = make_bytes(i, n);

    /* The second half first: the order of the blocks does not matter. */
    assert_true(wb_writer_put(w, i, half, bytes + half, n - half, &err));
    assert_true(wb_writer_put(w, i, 0, bytes, half, &err));
    assert_true(wb_writer_done(w, i, wb_hash_bytes(bytes, n), &err));
    free(bytes);
}

static struct wb_writer *open_writer(const struct wb_writer_options *options,
                                     const struct wb_out_tensor *tensor, size_t count)
{
    struct wb_writer *w = wb_writer_open(options, tensor, count, &err);

    if (w == NULL)
        fail_msg("%s", err.msg);
    return w;
}

static void finish(struct wb_writer *w)
{
    if (!wb_writer_finish(w, &err))
        fail_msg("%s", err.msg);
    wb_writer_close(w);
}

static void write_all(const struct wb_writer_options *options, const struct wb_out_tensor *tensor,
                      size_t count)
{
    struct wb_writer *w = open_writer(options, tensor, count);

    for (size_t i = 0; i < count; i++)
        if (!wb_writer_is_done(w, i, NULL))
            put_tensor(w, tensor, i);
    finish(w);
}

/* How many entries a directory has, hidden ones too. */
static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

/* One file read back by the text of the format, not by our reader. Tensors in it are marked. */
static void check_file(const char *path, const struct wb_out_tensor *tensor, size_t count,
                       bool *seen)
{
    size_t n;
    char *text = wb_read_file(path, FILE_MAX, &n, &err);
    uint64_t header, expect = 0, begin, end;
    char *copy;
    cJSON *json, *item;

    assert_non_null(text);
    assert_true(n >= 8);
    header = wb_le64((const uint8_t *)text);
    assert_true(header <= n - 8);
    assert_int_equal((8 + header) % 64, 0);
    assert_int_equal(text[8], '{');
    copy = strndup(text + 8, header);
    json = wb_json_parse(copy, header, &err);
    assert_non_null(json);
    free(copy);
    assert_string_equal(wb_json_text(json->child, "format", ""), "pt");
    assert_string_equal(json->child->string, "__metadata__");
    for (item = json->child->next; item != NULL; item = item->next) {
        const cJSON *offsets = cJSON_GetObjectItem(item, "data_offsets");
        const cJSON *shape = cJSON_GetObjectItem(item, "shape");
        size_t i = 0;
        uint8_t *bytes;

        while (i < count && strcmp(tensor[i].name, item->string) != 0)
            i++;
        assert_true(i < count && !seen[i]);
        seen[i] = true;
        assert_string_equal(wb_json_text(item, "dtype", ""), wb_dtype_name(tensor[i].dtype));
        assert_int_equal(cJSON_GetArraySize(shape), tensor[i].shape.ndim);
        for (int d = 0; d < tensor[i].shape.ndim; d++)
            assert_int_equal(cJSON_GetArrayItem(shape, d)->valuedouble, tensor[i].shape.dim[d]);
        assert_true(wb_json_whole(cJSON_GetArrayItem(offsets, 0), &begin));
        assert_true(wb_json_whole(cJSON_GetArrayItem(offsets, 1), &end));
        assert_int_equal(begin, expect);
        assert_int_equal(end - begin, bytes_of(&tensor[i]));
        assert_int_equal(begin * 8 % wb_dtype_bits(tensor[i].dtype), 0); /* aligned in the file */
        bytes = make_bytes(i, end - begin);
        assert_memory_equal(text + 8 + header + begin, bytes, end - begin);
        free(bytes);
        expect = end;
    }
    assert_int_equal(8 + header + expect, n);
    cJSON_Delete(json);
    free(text);
}

/* The same through our own reader. */
static void check_reader(const char *path, const struct wb_out_tensor *tensor, size_t count)
{
    struct wb_ckpt *ck = wb_ckpt_open(path, &err);

    if (ck == NULL)
        fail_msg("%s", err.msg);
    assert_int_equal(wb_ckpt_count(ck), count);
    assert_int_equal(wb_ckpt_warning_count(ck), 0);
    for (size_t i = 0; i < count; i++) {
        size_t k = wb_ckpt_find(ck, tensor[i].name);
        uint64_t n = bytes_of(&tensor[i]);
        uint8_t *want = make_bytes(i, n), *have = malloc(n + 1);

        assert_true(k < count);
        assert_int_equal(wb_ckpt_info(ck, k)->dtype, tensor[i].dtype);
        assert_true(wb_shape_equal(&wb_ckpt_info(ck, k)->shape, &tensor[i].shape));
        assert_true(wb_ckpt_read(ck, k, 0, n, have, &err));
        assert_memory_equal(want, have, n);
        free(want);
        free(have);
    }
    wb_ckpt_unref(ck);
}

/* An output directory with `shards` shards and `extra` other files, and no trace beside it. */
static void check_dir(const char *dir, const struct wb_out_tensor *tensor, size_t count,
                      size_t shards, int extra)
{
    bool seen[64] = { false };
    char path[2 * PATH_BYTES];

    for (size_t s = 0; s < shards; s++) {
        if (shards == 1)
            snprintf(path, sizeof path, "%s/model.safetensors", dir);
        else
            snprintf(path, sizeof path, "%s/model-%05zu-of-%05zu.safetensors", dir, s + 1, shards);
        check_file(path, tensor, count, seen);
    }
    for (size_t i = 0; i < count; i++)
        assert_true(seen[i]);
    assert_int_equal(count_entries(dir), (int)shards + (shards > 1) + extra);
    check_reader(dir, tensor, count);
}

static void refuse(const struct wb_writer_options *options, enum wb_code code, const char *part)
{
    struct wb_writer *w = wb_writer_open(options, even, EVEN, &err);

    assert_null(w);
    assert_int_equal(err.code, code);
    if (strstr(err.msg, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, err.msg);
}

/* A run that ends in the middle without a word: the first n tensors are done, one is half there. */
static void interrupt(const struct wb_writer_options *options, size_t n)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct wb_writer *w = wb_writer_open(options, even, EVEN, &err);
        uint8_t junk[EVEN_BYTES / 2];

        memset(junk, 0xee, sizeof junk);
        if (w == NULL)
            _exit(1);
        for (size_t i = 0; i < n; i++)
            put_tensor(w, even, i);
        if (n < EVEN && !wb_writer_put(w, n, 0, junk, sizeof junk, &err))
            _exit(2);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static size_t count_done(const struct wb_writer *w)
{
    size_t n = 0;

    for (size_t i = 0; i < EVEN; i++)
        n += wb_writer_is_done(w, i, NULL);
    return n;
}

static void write_text(const char *path, const char *text)
{
    assert_true(wb_write_file(path, text, strlen(text), &err));
}

/* What is written */

static void test_mixed(void **state)
{
    struct wb_writer_options options = options_for(in_root("a/b/out/"));

    (void)state;
    write_all(&options, mixed, MIXED);
    check_dir(in_root("a/b/out"), mixed, MIXED, 1, 0);
    assert_int_equal(count_entries(in_root("a/b")), 1);
}

static void test_order(void **state)
{
    static const struct wb_out_tensor fit[] = {
        { "b", WB_DTYPE_BF16, { 1, { 4 } } },
        { "a", WB_DTYPE_F32, { 1, { 2 } } },
        { "c", WB_DTYPE_U8, { 1, { 1 } } },
    };
    struct wb_writer_options options = options_for(in_root("out"));
    char *text;
    size_t n;

    (void)state;
    write_all(&options, fit, 3); /* aligned as it is: the given order stays */
    text = wb_read_file(in_root("out/model.safetensors"), FILE_MAX, &n, &err);
    assert_non_null(text);
    assert_true(strstr(text + 8, "\"b\"") < strstr(text + 8, "\"a\""));
    free(text);
}

static void test_shards(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    static const uint64_t sizes[] = { 1, 4096, 5000, 10000, 17000, 40000, 64000, 70000, 1 << 20 };

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t shard_of[EVEN], shards;
        uint64_t bytes, sum = 0;
        struct wb_writer *w;

        options.shard_bytes = sizes[k];
        shards = wb_writer_layout(even, EVEN, sizes[k], shard_of, &bytes, &err);
        w = open_writer(&options, even, EVEN);
        assert_int_equal(wb_writer_shard_count(w), shards);
        assert_int_equal(wb_writer_bytes(w), bytes);
        for (size_t s = 0; s < shards; s++) {
            sum += wb_writer_shard_bytes(w, s);
            assert_true(wb_writer_shard_bytes(w, s) <= sizes[k] || shards == EVEN);
        }
        assert_int_equal(sum, bytes);
        for (size_t i = 0; i < EVEN; i++) {
            assert_int_equal(wb_writer_tensor_shard(w, i), shard_of[i]);
            put_tensor(w, even, i);
        }
        finish(w);
        check_dir(in_root("out"), even, EVEN, shards, 0);
        assert_true(wb_remove_tree(in_root("out"), &err));
    }
}

static void test_exact_fit(void **state)
{
    size_t shard_of[EVEN];
    uint64_t all, two;
    size_t shards;

    (void)state;
    assert_int_equal(wb_writer_layout(even, EVEN, UINT64_MAX, shard_of, &all, &err), 1);
    shards = wb_writer_layout(even, EVEN, all, shard_of, &two, &err);
    assert_true(shards == 1 || shards == 2); /* entries are reckoned with the longest offsets */
    assert_int_equal(wb_writer_layout(even, EVEN, all + 64 * EVEN, shard_of, &two, &err), 1);
    assert_int_equal(wb_writer_layout(even, EVEN, all - 64, shard_of, &two, &err), 2);
    assert_int_equal(shard_of[EVEN - 2], 0);
    assert_int_equal(shard_of[EVEN - 1], 1);
}

static void test_large_between(void **state)
{
    static const struct wb_out_tensor three[] = {
        { "a", WB_DTYPE_U8, { 1, { 100 } } },
        { "b", WB_DTYPE_U8, { 1, { 9000 } } },
        { "c", WB_DTYPE_U8, { 1, { 100 } } },
    };
    struct wb_writer_options options = options_for(in_root("out"));

    (void)state;
    options.shard_bytes = 1000;
    write_all(&options, three, 3);
    check_dir(in_root("out"), three, 3, 3, 0);
}

static void test_index(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    const cJSON *map;
    cJSON *json;

    (void)state;
    options.shard_bytes = 20000;
    options.stem = "adapter_model";
    write_all(&options, even, EVEN);
    json = wb_json_parse_file(in_root("out/adapter_model.safetensors.index.json"), FILE_MAX, &err);
    assert_non_null(json);
    assert_int_equal(wb_json_number(cJSON_GetObjectItem(json, "metadata"), "total_size", 0),
                     EVEN * EVEN_BYTES);
    map = cJSON_GetObjectItem(json, "weight_map");
    assert_int_equal(cJSON_GetArraySize(map), EVEN);
    assert_string_equal(wb_json_text(map, "t0", ""), "adapter_model-00001-of-00004.safetensors");
    assert_string_equal(wb_json_text(map, "t15", ""), "adapter_model-00004-of-00004.safetensors");
    cJSON_Delete(json);
}

static void test_no_tensors(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));

    (void)state;
    write_all(&options, mixed, 0);
    check_dir(in_root("out"), mixed, 0, 1, 0);
}

static void test_metadata(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_ckpt *ck;

    (void)state;
    options.metadata = "[]";
    refuse(&options, WB_EARG, "metadata");
    options.metadata = "{\"a\":1}";
    refuse(&options, WB_EARG, "metadata");
    options.metadata = "{ \"made\": \"by \\\"x\\\"\" }";
    write_all(&options, mixed, MIXED);
    ck = wb_ckpt_open(in_root("out"), &err);
    assert_non_null(ck);
    assert_non_null(strstr(wb_ckpt_file(ck, 0)->metadata, "made"));
    assert_non_null(strstr(wb_ckpt_file(ck, 0)->metadata, "format"));
    wb_ckpt_unref(ck);
}

static void test_bad_tensors(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_out_tensor bad[2] = { even[0], even[1] };

    (void)state;
    bad[1].name = bad[0].name;
    assert_null(wb_writer_open(&options, bad, 2, &err));
    assert_int_equal(err.code, WB_EARG);
    bad[1].name = "__metadata__";
    assert_null(wb_writer_open(&options, bad, 2, &err));
    bad[1].name = "\xff";
    assert_null(wb_writer_open(&options, bad, 2, &err));
    bad[1].name = "";
    assert_null(wb_writer_open(&options, bad, 2, &err));
    bad[1] = (struct wb_out_tensor){ "f4", WB_DTYPE_F4, { 1, { 3 } } };
    assert_null(wb_writer_open(&options, bad, 2, &err));
    bad[1] = (struct wb_out_tensor){ "big", WB_DTYPE_F64, { 2, { UINT32_MAX, UINT32_MAX } } };
    assert_null(wb_writer_open(&options, bad, 2, &err));
    assert_int_equal(count_entries(root), 0);
}

static void test_one_file(void **state)
{
    struct wb_writer_options options = options_for(in_root("x.safetensors"));
    bool seen[EVEN] = { false };
    struct wb_writer *w;

    (void)state;
    options.shard_bytes = 5000; /* one file all the same */
    w = open_writer(&options, even, EVEN);
    assert_true(wb_writer_add_file(w, "config.json", "{}", 2, &err));
    for (size_t i = 0; i < EVEN; i++)
        put_tensor(w, even, i);
    finish(w);
    check_file(in_root("x.safetensors"), even, EVEN, seen);
    assert_int_equal(count_entries(root), 1);
    refuse(&options, WB_EARG, "exists; pass --force");
    options.force = true;
    write_all(&options, even, EVEN);
    memset(seen, 0, sizeof seen);
    check_file(in_root("x.safetensors"), even, EVEN, seen);
    assert_int_equal(count_entries(root), 1);
}

struct thread_job {
    struct wb_writer *w;
    atomic_size_t next;
};

static void put_shares(void *ctx, int worker)
{
    struct thread_job *job = ctx;
    size_t i;

    (void)worker;
    while ((i = atomic_fetch_add(&job->next, 1)) < EVEN)
        put_tensor(job->w, even, i);
}

static void test_threads(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct thread_job job = { .w = NULL };

    (void)state;
    options.shard_bytes = 20000;
    job.w = open_writer(&options, even, EVEN);
    wb_parallel(7, put_shares, &job);
    finish(job.w);
    check_dir(in_root("out"), even, EVEN, 4, 0);
}

static void test_small_files(void **state)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "..",
                                       "a/b",
                                       "a\\b",
                                       "/etc/x",
                                       "a\nb",
                                       ".weightbench-journal",
                                       "model-00001-of-00004.safetensors",
                                       "model.safetensors.index.json" };
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w;
    char *text;

    (void)state;
    options.shard_bytes = 20000;
    write_text(in_root("vocab.txt"), "a\nb\n");
    w = open_writer(&options, even, EVEN);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(wb_writer_add_file(w, bad[i], "", 0, &err));
    assert_true(wb_writer_add_file(w, "config.json", "{\"a\": 1, \"b\": 2}", 16, &err));
    assert_true(wb_writer_add_file(w, "config.json", "{}", 2, &err)); /* the last one counts */
    assert_true(wb_writer_copy_file(w, in_root("vocab.txt"), &err));
    assert_false(wb_writer_copy_file(w, in_root("nowhere"), &err));
    assert_int_equal(err.code, WB_ENOTFOUND);
    for (size_t i = 0; i < EVEN; i++)
        put_tensor(w, even, i);
    finish(w);
    check_dir(in_root("out"), even, EVEN, 4, 2);
    text = wb_read_file(in_root("out/vocab.txt"), FILE_MAX, NULL, &err);
    assert_string_equal(text, "a\nb\n");
    free(text);
    text = wb_read_file(in_root("out/config.json"), FILE_MAX, NULL, &err);
    assert_string_equal(text, "{}");
    free(text);
}

static void test_header_hash(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w = open_writer(&options, mixed, MIXED);
    char have[65], want[65];
    struct wb_ckpt *ck;

    (void)state;
    wb_writer_shard_header(w, 0, have);
    for (size_t i = 0; i < MIXED; i++)
        put_tensor(w, mixed, i);
    finish(w);
    ck = wb_ckpt_open(in_root("out"), &err);
    assert_non_null(ck);
    assert_true(wb_sha256_file(in_root("out/model.safetensors"), 0,
                               wb_ckpt_file(ck, 0)->header_bytes, want, &err));
    assert_string_equal(have, want);
    wb_ckpt_unref(ck);
}

/* Outputs that exist */

static void test_exists(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));

    (void)state;
    assert_int_equal(mkdir(in_root("out"), 0777), 0);
    write_all(&options, even, EVEN); /* an empty directory is nothing */
    check_dir(in_root("out"), even, EVEN, 1, 0);
    refuse(&options, WB_EARG, "exists; pass --force to replace it");
    write_text(in_root("file"), "x");
    options.dir = in_root("file");
    refuse(&options, WB_EARG, "exists; pass --force to replace it");
    options.dir = in_root("file/out");
    refuse(&options, WB_EIO, "file");
    options.dir = in_root("dangling");
    assert_int_equal(symlink("nowhere", options.dir), 0);
    refuse(&options, WB_EARG, "exists; pass --force to replace it");
    assert_int_equal(count_entries(root), 3);
}

static void test_never(void **state)
{
    struct wb_writer_options options = options_for(".");
    char here[PATH_BYTES], up[PATH_BYTES];

    (void)state;
    options.force = true;
    assert_non_null(getcwd(here, sizeof here));
    options.dir = here;
    refuse(&options, WB_EARG, "current");
    options.dir = "..";
    refuse(&options, WB_EARG, "");
    snprintf(up, sizeof up, "%.500s/..", here);
    options.dir = up;
    refuse(&options, WB_EARG, "");
    options.dir = ".";
    refuse(&options, WB_EARG, "current");
    options.dir = "/";
    refuse(&options, WB_EARG, "");
    options.dir = "";
    refuse(&options, WB_EARG, "");
    options.dir = "/dev/null";
    refuse(&options, WB_EARG, "neither");
}

static void test_force(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w;

    (void)state;
    assert_true(wb_make_dirs(in_root("out/sub"), &err));
    write_text(in_root("out/sub/old"), "old");
    write_text(in_root("out/old"), "old");
    options.force = true;
    w = open_writer(&options, even, EVEN);
    for (size_t i = 0; i < EVEN; i++)
        put_tensor(w, even, i);
    assert_true(wb_is_file(in_root("out/sub/old"))); /* until the last moment */
    finish(w);
    check_dir(in_root("out"), even, EVEN, 1, 0);
    assert_int_equal(count_entries(root), 1);

    write_text(in_root("file"), "x"); /* a file gives way to a directory */
    options.dir = in_root("file");
    write_all(&options, even, EVEN);
    check_dir(in_root("file"), even, EVEN, 1, 0);
    assert_int_equal(count_entries(root), 2);
}

static void test_symlink(void **state)
{
    struct wb_writer_options options = options_for(in_root("link"));
    struct stat st;

    (void)state;
    assert_true(wb_make_dirs(in_root("disk/real"), &err));
    assert_int_equal(symlink("disk/real", options.dir), 0);
    write_all(&options, even, EVEN);
    check_dir(in_root("disk/real"), even, EVEN, 1, 0);
    assert_int_equal(lstat(options.dir, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(count_entries(in_root("disk")), 1);
}

static void test_appears_meanwhile(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w = open_writer(&options, even, EVEN);

    (void)state;
    for (size_t i = 0; i < EVEN; i++)
        put_tensor(w, even, i);
    assert_true(wb_make_dirs(in_root("out/theirs"), &err));
    assert_false(wb_writer_finish(w, &err));
    assert_int_equal(err.code, WB_EARG);
    wb_writer_close(w);
    assert_int_equal(count_entries(in_root("out")), 1);
    assert_true(wb_remove_tree(in_root("out"), &err));
    options.resume = true; /* nothing was lost */
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), EVEN);
    finish(w);
    check_dir(in_root("out"), even, EVEN, 1, 0);
}

static void test_discard(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w = open_writer(&options, even, EVEN);

    (void)state;
    put_tensor(w, even, 3);
    assert_true(wb_writer_add_file(w, "config.json", "{}", 2, &err));
    assert_int_equal(count_entries(root), 1);
    wb_writer_discard(w);
    assert_int_equal(count_entries(root), 0);
    wb_writer_close(w);
    wb_writer_close(NULL);
}

static void test_incomplete(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w = open_writer(&options, even, EVEN);

    (void)state;
    for (size_t i = 0; i < EVEN; i++)
        if (i != 5)
            put_tensor(w, even, i);
    assert_false(wb_writer_finish(w, &err));
    assert_non_null(strstr(err.msg, "t5"));
    assert_false(wb_is_dir(in_root("out")));
    put_tensor(w, even, 5);
    finish(w);
}

static void test_second_run(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w = open_writer(&options, even, EVEN);

    (void)state;
    put_tensor(w, even, 0);
    refuse(&options, WB_EARG, "another run");
    options.resume = options.force = true;
    refuse(&options, WB_EARG, "another run");
    for (size_t i = 1; i < EVEN; i++)
        put_tensor(w, even, i);
    finish(w);
    check_dir(in_root("out"), even, EVEN, 1, 0);
}

/* Interruption */

static void test_resume(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));

    (void)state;
    options.shard_bytes = 20000;
    for (size_t n = 0; n <= EVEN; n += 4) {
        struct wb_writer *w;

        options.resume = false;
        interrupt(&options, n);
        assert_false(wb_is_dir(in_root("out")));
        options.resume = true;
        w = open_writer(&options, even, EVEN);
        assert_int_equal(count_done(w), n);
        for (size_t i = 0; i < EVEN; i++) {
            struct wb_hash hash;
            uint8_t *bytes = make_bytes(i, EVEN_BYTES);

            if (wb_writer_is_done(w, i, &hash))
                assert_true(wb_hash_equal(hash, wb_hash_bytes(bytes, EVEN_BYTES)));
            else
                put_tensor(w, even, i);
            free(bytes);
        }
        finish(w);
        check_dir(in_root("out"), even, EVEN, 4, 0);
        assert_int_equal(count_entries(root), 1);
        assert_true(wb_remove_tree(in_root("out"), &err));
    }
}

static void test_resume_twice(void **state)
{
    struct wb_writer_options options = options_for(in_root("x.safetensors"));
    bool seen[EVEN] = { false };
    struct wb_writer *w;

    (void)state;
    options.resume = true; /* with nothing to take up: from the start */
    interrupt(&options, 3);
    interrupt(&options, 7);
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), 7);
    wb_writer_close(w); /* left again, this time in order */
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), 7);
    for (size_t i = 7; i < EVEN; i++)
        put_tensor(w, even, i);
    finish(w);
    check_file(in_root("x.safetensors"), even, EVEN, seen);
    assert_int_equal(count_entries(root), 1);
}

static void test_start_anew(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w;

    (void)state;
    options.shard_bytes = 20000;
    interrupt(&options, 5);
    write_text(in_root(".out.part/leftover"), "x");
    options.shard_bytes = 0;
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), 0);
    for (size_t i = 0; i < EVEN; i++)
        put_tensor(w, even, i);
    finish(w);
    check_dir(in_root("out"), even, EVEN, 1, 0);
}

static void test_other_plan(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w;

    (void)state;
    interrupt(&options, 5);
    options.resume = true;
    options.plan = other_plan;
    refuse(&options, WB_EARG, "--resume");
    options.plan = plan;
    options.shard_bytes = 20000; /* the same plan in other shards */
    refuse(&options, WB_EARG, "--resume");
    options.shard_bytes = 0;
    w = open_writer(&options, even, EVEN); /* being refused did no harm */
    assert_int_equal(count_done(w), 5);
    wb_writer_close(w);
}

static const char *const journal_path = ".out.part/.weightbench-journal";

static void test_torn_journal(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    size_t n, most = 0;
    char *text;

    (void)state;
    interrupt(&options, 3);
    text = wb_read_file(in_root(journal_path), FILE_MAX, &n, &err);
    assert_non_null(text);
    options.resume = true;
    for (size_t cut = n + 1; cut-- > 0;) { /* at every byte */
        struct wb_writer *w;
        size_t done;

        assert_true(wb_write_file(in_root(journal_path), text, cut, &err));
        w = open_writer(&options, even, EVEN);
        done = count_done(w);
        assert_true(done <= 3 && (cut < n || done == 3));
        if (done == 2) {
            put_tensor(w, even, 7); /* a line behind the torn one is not lost */
            wb_writer_close(w);
            w = open_writer(&options, even, EVEN);
            assert_int_equal(count_done(w), 3);
        }
        most = done > most ? done : most;
        wb_writer_close(w);
        if (cut < 80)
            cut /= 2; /* the first line is gone: start anew each time */
    }
    assert_int_equal(most, 3);
    free(text);
}

static void test_journal_lies(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    static const char junk[] =
        "done 3 zz\ndone\n\n\0\0\0done 999999 00000000000000000000000000000000\n"
        "done -1 00000000000000000000000000000000\n"
        "done 4 00000000000000000000000000000000\n";
    char byte = 'x';
    FILE *f;
    struct wb_writer *w;

    (void)state;
    interrupt(&options, 8);
    f = fopen(in_root(journal_path), "ab");
    assert_non_null(f);
    assert_int_equal(fwrite(junk, 1, sizeof junk - 1, f), sizeof junk - 1);
    assert_int_equal(fclose(f), 0);
    f = fopen(in_root(".out.part/model.safetensors"), "r+b"); /* a byte of the last tensor done */
    assert_non_null(f);
    assert_int_equal(fseek(f, -(EVEN - 7) * EVEN_BYTES + 9, SEEK_END), 0);
    assert_int_equal(fwrite(&byte, 1, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    options.resume = true;
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), 6);
    assert_false(wb_writer_is_done(w, 4, NULL));
    assert_false(wb_writer_is_done(w, 7, NULL));
    for (size_t i = 0; i < EVEN; i++)
        if (!wb_writer_is_done(w, i, NULL))
            put_tensor(w, even, i);
    finish(w);
    check_dir(in_root("out"), even, EVEN, 1, 0);
}

static void test_lost_shard(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct wb_writer *w;

    (void)state;
    options.shard_bytes = 20000;
    interrupt(&options, 12);
    assert_int_equal(unlink(in_root(".out.part/model-00001-of-00004.safetensors")), 0);
    assert_int_equal(truncate(in_root(".out.part/model-00002-of-00004.safetensors"), 100), 0);
    options.resume = true;
    w = open_writer(&options, even, EVEN);
    assert_int_equal(count_done(w), 4);
    wb_writer_discard(w);
    wb_writer_close(w);
    assert_int_equal(count_entries(root), 0);
}

/* Killed at any moment, finishing included: what is there is whole, and the next run gets it done.
 */
static void test_killed(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    int whole = 0;

    (void)state;
    options.shard_bytes = 20000;
    options.resume = true;
    for (int round = 0; round < 60; round++) {
        pid_t pid = fork();
        int status;

        options.force = round % 2 == 1; /* every second time there is something to replace */
        assert_true(pid >= 0);
        if (pid == 0) {
            write_all(&options, even, EVEN);
            _exit(0);
        }
        usleep((useconds_t)round * 97);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        unlink(in_root("out/.weightbench-journal")); /* killed just before it went */
        if (wb_is_dir(in_root("out"))) {
            whole++;
            check_dir(in_root("out"), even, EVEN, 4, 0);
        }
        if (!wb_is_dir(in_root("out")) || options.force) {
            write_all(&options, even, EVEN);
            check_dir(in_root("out"), even, EVEN, 4, 0);
        }
        if (!options.force)
            continue;
        assert_int_equal(count_entries(root), 1);
        assert_true(wb_remove_tree(in_root("out"), &err));
    }
    assert_true(whole > 0);
}

/* Disks that are full or closed */

static void test_file_limit(void **state)
{
    struct wb_writer_options options = options_for(in_root("out"));
    struct rlimit old, low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 30000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    refuse(&options, WB_EIO, "a file of ");
    assert_int_equal(count_entries(root), 0);
    options.shard_bytes = 20000;
    write_all(&options, even, EVEN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    check_dir(in_root("out"), even, EVEN, 4, 0);
}

static void test_too_large(void **state)
{
    static const struct wb_out_tensor huge = { "huge", WB_DTYPE_U8, { 1, { (uint64_t)1 << 43 } } };
    struct wb_writer_options options = options_for(in_root("out"));

    (void)state;
    assert_null(
        wb_writer_open(&options, &huge, 1, &err)); /* 8 TiB: full, or more than a file holds */
    assert_true(err.code == WB_ENOSPC || err.code == WB_EIO);
    assert_int_equal(count_entries(root), 0);
}

static void test_full_disk(void **state)
{
    struct wb_writer_options options = options_for(in_root("disk/out"));
    uint64_t bytes;

    (void)state;
    assert_true(wb_make_dirs(in_root("disk"), &err));
    if (mount("tmpfs", in_root("disk"), "tmpfs", 0, "size=49152") != 0) {
        print_message("mount: %s; skipped\n", strerror(errno));
        skip();
    }
    assert_true(wb_free_bytes(in_root("disk/not/yet"), &bytes, &err));
    assert_true(bytes <= 49152 && bytes > 0);
    refuse(&options, WB_ENOSPC, "bytes are to be written");
    assert_int_equal(count_entries(in_root("disk")), 0);
    write_all(&options, even, 4);
    check_dir(in_root("disk/out"), even, 4, 1, 0);
    assert_int_equal(umount(in_root("disk")), 0);
}

static void test_closed_place(void **state)
{
    struct wb_writer_options options = options_for(in_root("closed/out"));

    (void)state;
    assert_int_equal(mkdir(in_root("closed"), 0555), 0);
    if (access(in_root("closed"), W_OK) == 0) /* root may write everywhere but here */
        options.dir = "/proc/wb-out";
    assert_null(wb_writer_open(&options, even, EVEN, &err));
    assert_non_null(strstr(err.msg, options.dir[1] == 'p' ? "/proc" : "closed"));
    assert_int_equal(count_entries(in_root("closed")), 0);
}

static void test_free_bytes(void **state)
{
    uint64_t here, there;

    (void)state;
    assert_true(wb_free_bytes(".", &here, &err));
    assert_true(wb_free_bytes("no/such/directory/yet", &there, &err));
    assert_true(here > 0 && there > 0);
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVEN; i++) {
        snprintf(even_name[i], sizeof even_name[i], "t%zu", i);
        even[i] =
            (struct wb_out_tensor){ even_name[i], WB_DTYPE_BF16, { 2, { 2, EVEN_BYTES / 4 } } };
    }
    snprintf(root, sizeof root, "%.400s/wb-writer-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(root) == NULL;
}

static int empty_root(void **state)
{
    (void)state;
    umount(in_root("disk")); /* left by a test that failed */
    return !wb_remove_tree(root, &err) || mkdir(root, 0777) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return !wb_remove_tree(root, &err);
}

#define TEST(name) cmocka_unit_test_teardown(name, empty_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mixed),       TEST(test_order),         TEST(test_shards),
        TEST(test_exact_fit),   TEST(test_large_between), TEST(test_index),
        TEST(test_no_tensors),  TEST(test_metadata),      TEST(test_bad_tensors),
        TEST(test_one_file),    TEST(test_threads),       TEST(test_small_files),
        TEST(test_header_hash), TEST(test_exists),        TEST(test_never),
        TEST(test_force),       TEST(test_symlink),       TEST(test_appears_meanwhile),
        TEST(test_discard),     TEST(test_incomplete),    TEST(test_second_run),
        TEST(test_resume),      TEST(test_resume_twice),  TEST(test_start_anew),
        TEST(test_other_plan),  TEST(test_torn_journal),  TEST(test_journal_lies),
        TEST(test_lost_shard),  TEST(test_killed),        TEST(test_file_limit),
        TEST(test_too_large),   TEST(test_full_disk),     TEST(test_closed_place),
        TEST(test_free_bytes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
