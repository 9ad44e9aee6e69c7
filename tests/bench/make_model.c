/* tests/bench/make_model.c - checkpoints of Llama shapes to measure with, made in seconds.
 *
 * Weights are a function of seed, tensor and index alone. A base is normal (deviation 0.02); with
 * --delta-from BASE each weight of that checkpoint moves by about 1e-4 and is rounded to BF16
 * again, as fine-tuning leaves it: about half of the weights stay where they are, and the
 * differences of the others are small multiples of a BF16 step, so that most of them tie.
 * --sparse writes true headers and holes instead of weights. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/core/str.h"

#define NAME_MAX_BYTES 96
#define BLOCK ((uint64_t)1 << 18) /* weights made and written at a time */
#define BASE_DEVIATION 0.02F
#define DELTA_DEVIATION 1e-4F
#define PATH_BYTES 4096

struct shape {
    const char *name;
    int hidden, layers, heads, kv_heads, head_dim, intermediate, vocab;
    bool tied;
    int shards;
};

static const struct shape shapes[] = {
    { "llama-tiny", 256, 4, 8, 2, 32, 704, 2048, true, 1 },
    { "llama-0.5b", 1280, 16, 20, 4, 64, 5120, 96000, true, 1 },
    { "llama-1b", 2048, 16, 32, 8, 64, 8192, 128256, true, 1 },
    { "llama-2b", 2560, 27, 20, 4, 128, 6912, 64000, true, 1 },
    { "llama-70b", 8192, 80, 64, 8, 128, 28672, 128256, false, 30 },
};

struct tensor {
    char name[NAME_MAX_BYTES];
    uint64_t dim[2], count;
    int ndim, shard;
    uint64_t begin; /* first byte within its shard's data */
};

struct plan {
    const struct shape *shape;
    struct tensor *tensor;
    size_t tensors;
    uint64_t count;
    uint64_t *data_start; /* of each shard: 8 + header */
    int *fd, *base_fd;
    uint64_t seed;
    _Atomic uint64_t next; /* block to be made, over all tensors */
    atomic_bool failed;
};

static void die(const char *what)
{
    fprintf(stderr, "make_model: %s%s%s\n", what, errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    exit(1);
}

/* ---- the plan: names, shapes, places ---- */

static void add(struct plan *p, uint64_t rows, uint64_t columns, const char *name)
{
    struct tensor *t = &p->tensor[p->tensors++];

    snprintf(t->name, sizeof t->name, "%s", name);
    t->ndim = columns == 0 ? 1 : 2;
    t->dim[0] = rows;
    t->dim[1] = columns;
    t->count = rows * (columns == 0 ? 1 : columns);
    p->count += t->count;
}

static void add_layer(struct plan *p, int layer)
{
    const struct shape *s = p->shape;
    uint64_t hidden = (uint64_t)s->hidden, q = (uint64_t)s->heads * (uint64_t)s->head_dim;
    uint64_t kv = (uint64_t)s->kv_heads * (uint64_t)s->head_dim;
    uint64_t inner = (uint64_t)s->intermediate;
    const struct {
        const char *name;
        uint64_t rows, columns;
    } part[] = {
        { "input_layernorm", hidden, 0 },          { "mlp.down_proj", hidden, inner },
        { "mlp.gate_proj", inner, hidden },        { "mlp.up_proj", inner, hidden },
        { "post_attention_layernorm", hidden, 0 }, { "self_attn.k_proj", kv, hidden },
        { "self_attn.o_proj", hidden, q },         { "self_attn.q_proj", q, hidden },
        { "self_attn.v_proj", kv, hidden },
    };
    char name[NAME_MAX_BYTES];

    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, part[i].name);
        add(p, part[i].rows, part[i].columns, name);
    }
}

/* Tensors in the order of their names' layers, spread evenly over the shards. */
static void lay_out(struct plan *p, const struct shape *shape)
{
    uint64_t before = 0, begin = 0;
    int shard = 0;

    p->shape = shape;
    p->tensor = calloc((size_t)shape->layers * 9 + 3, sizeof *p->tensor);
    if (p->tensor == NULL)
        die("no memory");
    add(p, (uint64_t)shape->vocab, (uint64_t)shape->hidden, "model.embed_tokens.weight");
    for (int i = 0; i < shape->layers; i++)
        add_layer(p, i);
    add(p, (uint64_t)shape->hidden, 0, "model.norm.weight");
    if (!shape->tied)
        add(p, (uint64_t)shape->vocab, (uint64_t)shape->hidden, "lm_head.weight");
    for (size_t i = 0; i < p->tensors; i++) {
        struct tensor *t = &p->tensor[i];
        int due = (int)((before + t->count / 2) * (uint64_t)shape->shards / p->count);

        if (due > shard) {
            shard++;
            begin = 0;
        }
        t->shard = shard;
        t->begin = begin;
        begin += t->count * 2;
        before += t->count;
    }
    if (shard != shape->shards - 1)
        die("the shards do not come out even");
}

static void shard_path(const struct plan *p, const char *dir, int shard, char *path)
{
    if (p->shape->shards == 1)
        snprintf(path, PATH_BYTES, "%s/model.safetensors", dir);
    else
        snprintf(path, PATH_BYTES, "%s/model-%05d-of-%05d.safetensors", dir, shard + 1,
                 p->shape->shards);
}

/* ---- headers, index, config ---- */

static void write_text(const char *dir, const char *name, const struct wb_str *text)
{
    char path[PATH_BYTES];
    struct wb_err err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (text->failed || !wb_write_file(path, text->text, text->len, &err))
        die(path);
}

/* Create shard `shard` at its full length with its header; weights are holes so far. */
static void create_shard(struct plan *p, const char *dir, int shard)
{
    struct wb_str s = { 0 };
    char path[PATH_BYTES];
    uint64_t bytes = 0, length;
    uint8_t raw[8];

    wb_str_add(&s, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < p->tensors; i++) {
        const struct tensor *t = &p->tensor[i];

        if (t->shard != shard)
            continue;
        wb_str_printf(&s, ",\"%s\":{\"dtype\":\"BF16\",\"shape\":[%" PRIu64, t->name, t->dim[0]);
        if (t->ndim == 2)
            wb_str_printf(&s, ",%" PRIu64, t->dim[1]);
        wb_str_printf(&s, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", t->begin,
                      t->begin + t->count * 2);
        bytes = t->begin + t->count * 2;
    }
    wb_str_add(&s, "}");
    while (s.len % 8 != 0)
        wb_str_add(&s, " ");
    length = s.len;
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(length >> 8 * i);
    shard_path(p, dir, shard, path);
    p->fd[shard] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (s.failed || p->fd[shard] < 0 || !wb_pwrite(p->fd[shard], raw, 8, 0, NULL) ||
        !wb_pwrite(p->fd[shard], s.text, s.len, 8, NULL) ||
        ftruncate(p->fd[shard], (off_t)(8 + length + bytes)) != 0)
        die(path);
    p->data_start[shard] = 8 + length;
    wb_str_free(&s);
}

static void write_index(const struct plan *p, const char *dir)
{
    struct wb_str s = { 0 };
    char path[PATH_BYTES];

    wb_str_printf(&s, "{\"metadata\":{\"total_size\":%" PRIu64 "},\"weight_map\":{", p->count * 2);
    for (size_t i = 0; i < p->tensors; i++) {
        shard_path(p, "", p->tensor[i].shard, path);
        wb_str_printf(&s, "%s\n\"%s\":\"%s\"", i > 0 ? "," : "", p->tensor[i].name, path + 1);
    }
    wb_str_add(&s, "}}\n");
    write_text(dir, "model.safetensors.index.json", &s);
    wb_str_free(&s);
}

static void write_config(const struct shape *s, const char *dir)
{
    struct wb_str text = { 0 };

    wb_str_printf(&text,
                  "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"model_type\": \"llama\",\n"
                  "  \"hidden_size\": %d,\n  \"intermediate_size\": %d,\n"
                  "  \"num_hidden_layers\": %d,\n  \"num_attention_heads\": %d,\n"
                  "  \"num_key_value_heads\": %d,\n  \"head_dim\": %d,\n  \"vocab_size\": %d,\n"
                  "  \"tie_word_embeddings\": %s,\n  \"hidden_act\": \"silu\",\n"
                  "  \"max_position_embeddings\": 8192,\n  \"rms_norm_eps\": 1e-05,\n"
                  "  \"rope_theta\": 500000.0,\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2,\n"
                  "  \"torch_dtype\": \"bfloat16\"\n}\n",
                  s->hidden, s->intermediate, s->layers, s->heads, s->kv_heads, s->head_dim,
                  s->vocab, s->tied ? "true" : "false");
    write_text(dir, "config.json", &text);
    wb_str_free(&text);
}

/* ---- weights ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

/* About normal, mean 0, deviation 1: the sum of four uniform numbers. */
static float about_normal(uint64_t key, uint64_t i)
{
    uint64_t r = mix(key + i * 0x9e3779b97f4a7c15U);
    int32_t sum = (int32_t)(r & 0xffff) + (int32_t)(r >> 16 & 0xffff) +
                  (int32_t)(r >> 32 & 0xffff) + (int32_t)(r >> 48);

    return (float)(sum - 131070) * (1.7320508F / 65536.0F);
}

static float from_bf16(uint16_t v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint16_t to_bf16(float f) /* nearest, ties to even; f is finite */
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static bool make_block(struct plan *p, size_t tensor, uint64_t first, uint16_t *w)
{
    const struct tensor *t = &p->tensor[tensor];
    uint64_t n = t->count - first < BLOCK ? t->count - first : BLOCK;
    uint64_t at = p->data_start[t->shard] + t->begin + first * 2;
    uint64_t key = mix(p->seed * 0x2545f4914f6cdd1dU + tensor);
    float mean = t->ndim == 1 ? 1 : 0;

    if (p->base_fd != NULL) {
        if (!wb_pread(p->base_fd[t->shard], w, n * 2, at, NULL))
            return false;
        for (uint64_t i = 0; i < n; i++)
            w[i] = to_bf16(from_bf16(w[i]) + DELTA_DEVIATION * about_normal(key, first + i));
    } else {
        for (uint64_t i = 0; i < n; i++)
            w[i] = to_bf16(mean + BASE_DEVIATION * about_normal(key, first + i));
    }
    return wb_pwrite(p->fd[t->shard], w, n * 2, at, NULL);
}

static void work(void *ctx, int worker)
{
    struct plan *p = ctx;
    uint16_t *w = malloc(BLOCK * sizeof *w);

    (void)worker;
    if (w == NULL)
        atomic_store(&p->failed, true);
    while (!atomic_load(&p->failed)) {
        uint64_t block = atomic_fetch_add(&p->next, 1);
        size_t i = 0;

        while (i < p->tensors && block >= (p->tensor[i].count + BLOCK - 1) / BLOCK)
            block -= (p->tensor[i++].count + BLOCK - 1) / BLOCK;
        if (i == p->tensors)
            break;
        if (!make_block(p, i, block * BLOCK, w))
            atomic_store(&p->failed, true);
    }
    free(w);
}

/* Headers of one shape and layout have one length, so a base of the same shape has the same places. */
static void open_base(struct plan *p, const char *dir)
{
    char path[PATH_BYTES];
    struct stat a, b;

    p->base_fd = calloc((size_t)p->shape->shards, sizeof *p->base_fd);
    if (p->base_fd == NULL)
        die("no memory");
    for (int i = 0; i < p->shape->shards; i++) {
        shard_path(p, dir, i, path);
        p->base_fd[i] = open(path, O_RDONLY);
        if (p->base_fd[i] < 0 || fstat(p->base_fd[i], &a) != 0 || fstat(p->fd[i], &b) != 0)
            die(path);
        errno = 0;
        if (a.st_size != b.st_size)
            die("the base is not of this shape");
    }
}

static void usage(FILE *out)
{
    fprintf(out,
            "usage: make_model --shape NAME --out DIR [--seed N] [--delta-from BASE | --sparse]\n"
            "shapes:");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        fprintf(out, " %s", shapes[i].name);
    fputc('\n', out);
}

static const struct shape *find_shape(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "shape", required_argument, NULL, 's' },
        { "seed", required_argument, NULL, 'n' },
        { "delta-from", required_argument, NULL, 'd' },
        { "out", required_argument, NULL, 'o' },
        { "sparse", no_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *out = NULL, *base = NULL;
    const struct shape *shape = NULL;
    struct plan p = { .seed = 1 };
    bool sparse = false;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 's':
            shape = find_shape(optarg);
            break;
        case 'n':
            p.seed = strtoull(optarg, NULL, 10);
            break;
        case 'd':
            base = optarg;
            break;
        case 'o':
            out = optarg;
            break;
        case 'p':
            sparse = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    if (shape == NULL || out == NULL || optind != argc || (base != NULL && sparse)) {
        usage(stderr);
        return 2;
    }
    if (!wb_make_dirs(out, NULL))
        die(out);
    lay_out(&p, shape);
    p.fd = calloc((size_t)shape->shards, sizeof *p.fd);
    p.data_start = calloc((size_t)shape->shards, sizeof *p.data_start);
    if (p.fd == NULL || p.data_start == NULL)
        die("no memory");
    for (int i = 0; i < shape->shards; i++)
        create_shard(&p, out, i);
    if (base != NULL)
        open_base(&p, base);
    if (!sparse)
        wb_parallel(wb_cpu_count(), work, &p);
    if (atomic_load(&p.failed))
        die("weights could not be written");
    for (int i = 0; i < shape->shards; i++) {
        if (base != NULL)
            close(p.base_fd[i]);
        if (close(p.fd[i]) != 0)
            die("close");
    }
    if (shape->shards > 1)
        write_index(&p, out);
    write_config(shape, out);
    printf("%s: %zu tensors, %" PRIu64 " parameters, %d file%s\n", out, p.tensors, p.count,
           shape->shards, shape->shards == 1 ? "" : "s");
    free(p.base_fd);
    free(p.data_start);
    free(p.fd);
    free(p.tensor);
    return 0;
}
