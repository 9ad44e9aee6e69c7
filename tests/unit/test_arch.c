/* tests/unit/test_arch.c - families, roles and dims against independent lists of names
 * (tests/data/arch). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/arch/arch.h"
#include "app/core/arena.h"
#include "app/core/io.h"
#include "app/core/json.h"
#include "lua/bind/families.h"

#define DATA "tests/data/arch"
#define MAX_TENSORS 2000
#define LOAD_SECONDS_MAX 0.2 /* 2 ms measured; a sanitizer and a busy machine are slower */

static struct wb_arch_set *set;

/* One list of names. */
struct sample {
    cJSON *root;
    const cJSON *config, *tensor[MAX_TENSORS];
    const char *name[MAX_TENSORS];
    struct wb_shape shape[MAX_TENSORS];
    size_t count;
};

static struct sample sample;

static int setup(void **state)
{
    const char *dir = "lua/arch";
    struct wb_err err;

    (void)state;
    set = wb_arch_set_new();
    assert_non_null(set);
    if (!wb_families_load(set, &dir, 1, &err))
        fail_msg("%s", err.msg);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_arch_set_free(set);
    cJSON_Delete(sample.root);
    sample.root = NULL;
    return 0;
}

static void sample_load(const char *file)
{
    char path[300];
    const cJSON *t, *d;
    struct wb_err err;

    snprintf(path, sizeof path, DATA "/%s", file);
    cJSON_Delete(sample.root);
    sample.root = wb_json_parse_file(path, 1 << 20, &err);
    if (sample.root == NULL)
        fail_msg("%s", err.msg);
    sample.config = cJSON_GetObjectItem(sample.root, "config");
    sample.count = 0;
    cJSON_ArrayForEach(t, cJSON_GetObjectItem(sample.root, "tensors")) {
        struct wb_shape *s = &sample.shape[sample.count];

        assert_true(sample.count < MAX_TENSORS);
        s->ndim = 0;
        cJSON_ArrayForEach(d, cJSON_GetObjectItem(t, "shape"))
            s->dim[s->ndim++] = (uint64_t)d->valuedouble;
        sample.name[sample.count] = wb_json_text(t, "name", "");
        sample.tensor[sample.count++] = t;
    }
}

static struct wb_arch *match(const cJSON *config)
{
    struct wb_err err;
    struct wb_arch *arch =
        wb_arch_match(set, config, sample.name, sample.shape, sample.count, &err);

    assert_non_null(arch);
    return arch;
}

static cJSON *parse(const char *text)
{
    cJSON *json = cJSON_Parse(text);

    assert_non_null(json);
    return json;
}

static int expected_expert(const cJSON *t)
{
    const cJSON *e = cJSON_GetObjectItem(t, "expert");

    return cJSON_IsString(e) ? WB_EXPERT_SHARED : cJSON_IsNumber(e) ? e->valueint : WB_EXPERT_NONE;
}

/* Every tensor of the sample is what its list says, whatever stands in front of its name. */
static void check_roles(const struct wb_arch *arch, const char *prefix)
{
    for (size_t i = 0; i < sample.count; i++) {
        const cJSON *t = sample.tensor[i];
        char name[300];
        struct wb_role r;

        snprintf(name, sizeof name, "%s%s", prefix, sample.name[i]);
        wb_arch_role(arch, name, &sample.shape[i], &r);
        if (strcmp(r.role, wb_json_text(t, "role", "")) != 0 ||
            r.layer != (int)wb_json_number(t, "layer", -1) || r.expert != expected_expert(t) ||
            strcmp(r.stack, wb_json_text(t, "stack", "")) != 0 ||
            r.transposed != cJSON_IsTrue(cJSON_GetObjectItem(t, "transposed")))
            fail_msg("%s: role %s layer %d expert %d stack \"%s\" transposed %d", name, r.role,
                     r.layer, r.expert, r.stack, r.transposed);
        if (strcmp(r.kind, "other") == 0 && strcmp(r.role, "scalar") != 0 &&
            strcmp(r.role, "cls_token") != 0)
            fail_msg("%s: role %s has the kind other", name, r.role);
        /* the test that adds a prefix takes the head away */
        assert_true(r.tied_to == NULL || prefix[0] != '\0');
    }
}

/* file, the family with its config, the family without: mistral's tensors are llama's, and gemma 1
 * is told from llama by the size of its real vocabulary alone. */
static const struct {
    const char *file, *family, *bare;
} lists[] = {
    { "bert.json", "bert", "bert" },
    { "clip.json", "clip", "clip" },
    { "deberta-v2.json", "deberta_v2", "deberta_v2" },
    { "gemma.json", "gemma", "llama" },
    { "gemma2.json", "gemma2", "gemma2" },
    { "gemma3_text.json", "gemma3", "gemma3" },
    { "gpt2.json", "gpt2", "gpt2" },
    { "gpt_neox.json", "gpt_neox", "gpt_neox" },
    { "llama.json", "llama", "llama" },
    { "mistral.json", "mistral", "llama" },
    { "mixtral.json", "mixtral", "mixtral" },
    { "opt.json", "opt", "opt" },
    { "phi.json", "phi", "phi" },
    { "phi3.json", "phi3", "phi3" },
    { "qwen2.json", "qwen2", "qwen2" },
    { "qwen2_moe.json", "qwen2_moe", "qwen2_moe" },
    { "qwen3.json", "qwen3", "qwen3" },
    { "qwen3_moe.json", "qwen3_moe", "qwen3_moe" },
    { "roberta.json", "roberta", "roberta" },
    { "t5.json", "t5", "t5" },
    { "vit.json", "vit", "vit" },
    { "whisper.json", "whisper", "whisper" },
};
#define LISTS (sizeof lists / sizeof *lists)

static void test_every_list_has_a_test(void **state)
{
    DIR *dir = opendir(DATA);
    size_t files = 0;

    (void)state;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        files += strstr(e->d_name, ".json") != NULL;
    closedir(dir);
    assert_int_equal(files, LISTS);
}

static void test_roles_with_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < LISTS; i++) {
        struct wb_arch *arch;

        sample_load(lists[i].file);
        arch = match(sample.config);
        assert_string_equal(wb_arch_family(arch), lists[i].family);
        assert_true(wb_arch_known(arch));
        assert_false(wb_arch_guessed(arch));
        if (wb_arch_note(arch) != NULL)
            fail_msg("%s: %s", lists[i].file, wb_arch_note(arch));
        check_roles(arch, "");
        wb_arch_unref(arch);
    }
}

static void test_roles_without_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < LISTS; i++) {
        struct wb_arch *arch;

        sample_load(lists[i].file);
        arch = match(NULL);
        assert_string_equal(wb_arch_family(arch), lists[i].bare);
        assert_true(wb_arch_guessed(arch));
        check_roles(arch, "");
        wb_arch_unref(arch);
    }
}

/* Other order, a wrapper in front, an extra tensor, no head: the answers are the same. */
static void test_roles_of_disturbed_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < LISTS; i++) {
        struct wb_arena arena = { 0 };
        const char *name[MAX_TENSORS + 2];
        struct wb_shape shape[MAX_TENSORS + 2];
        struct wb_err err;
        struct wb_arch *arch;
        struct wb_role r;
        size_t n = 0;

        sample_load(lists[i].file);
        for (size_t k = 0; k < sample.count; k++) {
            size_t from = (k * 7919 + 13) % sample.count; /* 7919 is prime: every one once */

            if (strcmp(wb_json_text(sample.tensor[from], "role", ""), "lm_head") == 0)
                continue;
            name[n] = wb_arena_printf(&arena, "base_model.model.%s", sample.name[from]);
            shape[n++] = sample.shape[from];
        }
        name[n] = "base_model.model.some.thing.else";
        shape[n++] = (struct wb_shape){ .ndim = 2, .dim = { 3, 5 } };
        arch = wb_arch_match(set, NULL, name, shape, n, &err);
        assert_non_null(arch);
        assert_string_equal(wb_arch_family(arch), lists[i].bare);
        check_roles(arch, "base_model.model.");
        wb_arch_role(arch, "base_model.model.some.thing.else", &shape[n - 1], &r);
        assert_string_equal(r.role, "other");
        assert_string_equal(r.kind, "linear");
        wb_arch_unref(arch);
        wb_arena_free(&arena);
    }
}

/* --- single names --- */

struct name_case {
    const char *family, *name, *role, *kind, *fused;
    int layer;
    bool transposed;
};

static void test_single_names(void **state)
{
    static const struct name_case cases[] = {
        { "llama", "language_model.model.layers.3.mlp.up_proj.weight", "up", "linear", NULL, 3,
          false },
        { "llama", "model.language_model.layers.3.mlp.up_proj.weight", "up", "linear", NULL, 3,
          false },
        { "llama", "layers.3.mlp.up_proj.weight", "up", "linear", NULL, 3, false },
        { "llama", "model.layers.11.self_attn.o_proj.bias", "o.bias", "bias", NULL, 11, false },
        { "llama", "model.layers.0.self_attn.rotary_emb.inv_freq", "buffer", "buffer", NULL, 0,
          false },
        { "llama", "score.weight", "classifier", "linear", NULL, -1, false },
        { "gpt2", "transformer.h.5.attn.c_attn.weight", "qkv", "linear", "qkv", 5, true },
        { "gpt2", "transformer.h.5.attn.c_attn.bias", "qkv.bias", "bias", "qkv", 5, false },
        { "gpt2", "h.5.attn.bias", "buffer", "buffer", NULL, 5, false },
        { "gpt2", "h.5.attn.masked_bias", "buffer", "buffer", NULL, 5, false },
        { "gpt2", "h.5.ln_1.bias", "attn_norm.bias", "norm", NULL, 5, false },
        { "gpt_neox", "gpt_neox.layers.2.attention.query_key_value.bias", "qkv.bias", "bias",
          "qkv_heads", 2, false },
        { "gpt_neox", "gpt_neox.layers.2.attention.bias", "buffer", "buffer", NULL, 2, false },
        { "phi3", "model.layers.0.self_attn.qkv_proj.weight", "qkv", "linear", "qkv", 0, false },
        { "phi3", "model.layers.0.mlp.gate_up_proj.weight", "gate_up", "linear", "gate_up", 0,
          false },
        { "bert", "bert.encoder.layer.4.attention.output.LayerNorm.gamma", "attn_post_norm", "norm",
          NULL, 4, false },
        { "bert", "bert.encoder.layer.4.output.LayerNorm.beta", "ffn_post_norm.bias", "norm", NULL,
          4, false },
        { "bert", "bert.embeddings.position_ids", "buffer", "buffer", NULL, -1, false },
        { "bert", "cls.predictions.bias", "lm_head.bias", "bias", NULL, -1, false },
        { "bert", "cls.predictions.transform.dense.weight", "head_dense", "linear", NULL, -1,
          false },
        { "roberta", "lm_head.decoder.weight", "lm_head", "lm_head", NULL, -1, false },
        { "roberta", "lm_head.bias", "lm_head.bias", "bias", NULL, -1, false },
        { "roberta", "roberta.embeddings.word_embeddings.weight", "embed", "embed", NULL, -1,
          false },
        { "opt", "decoder.layers.1.fc1.weight", "up", "linear", NULL, 1, false },
        { "opt", "model.decoder.layers.1.final_layer_norm.weight", "ffn_norm", "norm", NULL, 1,
          false },
        { "mixtral", "model.layers.1.mlp.experts.gate_up_proj", "gate_up", "linear",
          "experts_gate_up", 1, false },
        { "mixtral", "model.layers.1.mlp.experts.down_proj", "down", "linear", "experts", 1,
          false },
        { "qwen2_moe", "model.layers.1.mlp.experts.down_proj", "down", "linear", "experts", 1,
          false },
        { "qwen2_moe", "model.layers.1.mlp.down_proj.weight", "down", "linear", NULL, 1, false },
        { "t5", "decoder.block.7.layer.2.DenseReluDense.wi.weight", "up", "linear", NULL, 7,
          false },
        { "clip", "vision_model.embeddings.class_embedding", "cls_token", "other", NULL, -1,
          false },
        { "vit", "encoder.layer.9.intermediate.dense.bias", "up.bias", "bias", NULL, 9, false },
        /* names no pattern knows */
        { "llama", "model.layers.3.self_attn.q_proj.weight_scale", "other", "other", NULL, 3,
          false },
        { "llama", "model.layers.3.mixer.norm.weight", "other", "norm", NULL, 3, false },
        { "llama", "model.layers.3.mixer.dt.bias", "other", "bias", NULL, 3, false },
        { "llama", "model.layers.99999999999.mlp.up_proj.weight", "other", "linear", NULL, -1,
          false },
        { "llama", "", "other", "linear", NULL, -1, false },
        { "llama", "...", "other", "linear", NULL, -1, false },
    };
    const struct wb_shape matrix = { .ndim = 2, .dim = { 4, 4 } },
                          vector = { .ndim = 1, .dim = { 4 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct name_case *c = &cases[i];
        bool flat = strstr(c->name, "orm") != NULL || strstr(c->name, "ias") != NULL ||
                    strstr(c->name, "scale") != NULL;
        char text[200], file[50];
        struct wb_shape zero = { 0 };
        struct wb_arch *arch;
        cJSON *config;
        struct wb_role r;

        snprintf(file, sizeof file, "%s.json", c->family);
        sample_load(file);
        snprintf(text, sizeof text, "{\"model_type\":\"%s\"}", c->family);
        config = parse(text);
        arch = match(config);
        wb_arch_role(arch, c->name,
                     strstr(c->name, "scale") ? &zero
                     : flat                   ? &vector
                                              : &matrix,
                     &r);
        if (strcmp(r.role, c->role) != 0 || strcmp(r.kind, c->kind) != 0 || r.layer != c->layer ||
            r.transposed != c->transposed || (r.fused == NULL) != (c->fused == NULL) ||
            (c->fused != NULL && strcmp(r.fused, c->fused) != 0))
            fail_msg("%s: role %s kind %s layer %d fused %s transposed %d", c->name, r.role, r.kind,
                     r.layer, r.fused != NULL ? r.fused : "none", r.transposed);
        wb_arch_unref(arch);
        cJSON_Delete(config);
    }
}

/* --- telling the family --- */

static void check_family(const char *file, const char *config_text, const char *family,
                         const char *note)
{
    cJSON *config = parse(config_text);
    struct wb_arch *arch;

    sample_load(file);
    arch = match(config);
    assert_string_equal(wb_arch_family(arch), family);
    if (note == NULL)
        assert_null(wb_arch_note(arch));
    else if (wb_arch_note(arch) == NULL || strstr(wb_arch_note(arch), note) == NULL)
        fail_msg("note: %s", wb_arch_note(arch) != NULL ? wb_arch_note(arch) : "none");
    wb_arch_unref(arch);
    cJSON_Delete(config);
}

static void test_family_from_config(void **state)
{
    (void)state;
    check_family("mistral.json", "{\"model_type\":\"mistral\"}", "mistral", NULL);
    check_family("gemma3_text.json",
                 "{\"model_type\":\"gemma3\",\"text_config\":{\"model_type\":\"gemma3_text\"}}",
                 "gemma3", NULL);
    check_family("mistral.json",
                 "{\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"mistral\"}}",
                 "mistral", NULL);
    check_family("mistral.json", "{\"architectures\":[\"MistralForCausalLM\"]}", "mistral", NULL);
    check_family("gpt2.json", "{\"architectures\":[\"GPT2LMHeadModel\"]}", "gpt2", NULL);
    check_family("gpt_neox.json", "{\"architectures\":[\"GPTNeoXForCausalLM\"]}", "gpt_neox", NULL);
    check_family("deberta-v2.json", "{\"architectures\":[\"DebertaV2ForMaskedLM\"]}", "deberta_v2",
                 NULL);
    check_family("qwen2_moe.json", "{\"architectures\":[\"Qwen2MoeForCausalLM\"]}", "qwen2_moe",
                 NULL);
    check_family("mistral.json", "{\"model_type\":\"yi\",\"architectures\":[\"LlamaForCausalLM\"]}",
                 "llama", NULL);
    /* a class that only begins like a known one */
    check_family("llama.json", "{\"architectures\":[\"MistralishForCausalLM\"]}", "llama",
                 "told by");
    /* what the config says and what the tensors say */
    check_family("llama.json", "{\"model_type\":\"gpt2\"}", "llama", "config.json says gpt2");
    check_family("llama.json", "{\"model_type\":\"newest\"}", "llama", "\"newest\" is not known");
    check_family("llama.json", "{\"model_type\":7,\"architectures\":{}}", "llama", "told by");
}

static void test_unknown_family(void **state)
{
    static const char *const names[] = {
        "net.token_embedding.weight",
        "net.stage.0.attn.q_proj.weight",
        "net.stage.0.attn.norm.weight",
        "net.stage.0.moe.experts.0.w1.weight",
        "net.stage.0.moe.experts.1.w1.weight",
        "net.stage.0.mix.weight",
        "net.stage.0.mix.bias",
        "net.stage.1.attn.q_proj.weight",
        "net.stage.1.attn.norm.weight",
        "net.stage.1.moe.experts.0.w1.weight",
        "net.stage.1.moe.experts.1.w1.weight",
        "net.stage.1.mix.weight",
        "net.stage.1.mix.bias",
        "net.norm.weight",
        "net.stem.weight",
    };
    static const struct wb_shape shape[] = {
        { 2, { 100, 16 } }, { 2, { 16, 16 } }, { 1, { 16 } },          { 2, { 32, 16 } },
        { 2, { 32, 16 } },  { 2, { 16, 16 } }, { 1, { 16 } },          { 2, { 16, 16 } },
        { 1, { 16 } },      { 2, { 32, 16 } }, { 2, { 32, 16 } },      { 2, { 16, 16 } },
        { 1, { 16 } },      { 1, { 16 } },     { 4, { 16, 3, 4, 4 } },
    };
    static const struct {
        size_t at;
        const char *role, *kind;
        int layer, expert;
    } want[] = {
        { 0, "embed", "embed", -1, -1 },      { 1, "q", "linear", 0, -1 },
        { 2, "other", "norm", 0, -1 },        { 10, "gate", "linear", 1, 1 },
        { 11, "other", "linear", 1, -1 },     { 12, "other", "bias", 1, -1 },
        { 13, "final_norm", "norm", -1, -1 }, { 14, "other", "conv", -1, -1 },
    };
    struct wb_arch *arch =
        wb_arch_match(set, NULL, names, shape, sizeof names / sizeof *names, NULL);
    char renamed[100];

    (void)state;
    assert_non_null(arch);
    assert_false(wb_arch_known(arch));
    assert_string_equal(wb_arch_family(arch), "unknown");
    assert_string_equal(wb_arch_flags_json(arch), "{}");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct wb_role r;

        wb_arch_role(arch, names[want[i].at], &shape[want[i].at], &r);
        assert_string_equal(r.role, want[i].role);
        assert_string_equal(r.kind, want[i].kind);
        assert_int_equal(r.layer, want[i].layer);
        assert_int_equal(r.expert, want[i].expert);
        assert_string_equal(r.stack, "");
    }
    assert_int_equal(wb_arch_dims(arch)->layers, 2);
    assert_int_equal(wb_arch_dims(arch)->vocab, 100);
    assert_int_equal(wb_arch_dims(arch)->hidden, 16);
    assert_int_equal(wb_arch_dims(arch)->experts, 2);
    assert_true(wb_arch_rename_layer(arch, names[10], 12, renamed, sizeof renamed));
    assert_string_equal(renamed, "net.stage.12.moe.experts.1.w1.weight");
    wb_arch_unref(wb_arch_ref(arch));
    wb_arch_unref(arch);
}

/* Two stacks of an unknown family, and a vision tower beside a known one, get names of their own.
 */
static void test_unknown_stacks(void **state)
{
    static const char *const two[] = { "encoder.layers.0.fc1.weight", "encoder.layers.1.fc1.weight",
                                       "decoder.layers.0.fc1.weight", "decoder.layers.1.fc1.weight",
                                       "decoder.layers.2.encoder_attn.q_proj.weight" };
    static const char *const tower[] = {
        "language_model.model.layers.0.mlp.gate_proj.weight",
        "language_model.model.layers.0.mlp.up_proj.weight",
        "language_model.model.layers.1.mlp.down_proj.weight",
        "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
        "vision_tower.vision_model.encoder.layers.4.mlp.fc1.weight"
    };
    cJSON *config = parse("{\"model_type\":\"llama\"}");
    struct wb_arch *arch = wb_arch_match(set, NULL, two, NULL, 5, NULL);
    struct wb_role r;

    (void)state;
    wb_arch_role(arch, two[4], NULL, &r);
    assert_string_equal(r.role, "cross_q");
    assert_string_equal(r.stack, "decoder");
    assert_int_equal(wb_arch_stack_layers(arch, "encoder"), 2);
    assert_int_equal(wb_arch_stack_layers(arch, "decoder"), 3);
    assert_int_equal(wb_arch_stack_layers(arch, "text"), 0);
    assert_int_equal(wb_arch_dims(arch)->layers, 3);
    wb_arch_unref(arch);
    arch = wb_arch_match(set, config, tower, NULL, 5, NULL);
    assert_string_equal(wb_arch_family(arch), "llama");
    wb_arch_role(arch, tower[4], NULL, &r);
    assert_string_equal(r.role, "up");
    assert_string_equal(r.stack, "vision");
    assert_int_equal(r.layer, 4);
    assert_int_equal(wb_arch_dims(arch)->layers, 2);
    assert_int_equal(wb_arch_stack_layers(arch, "vision"), 5);
    wb_arch_unref(arch);
    cJSON_Delete(config);
}

/* --- dims --- */

static void check_dims(const struct wb_dims *got, const struct wb_dims *want, const char *what)
{
    if (got->layers != want->layers || got->hidden != want->hidden || got->heads != want->heads ||
        got->kv_heads != want->kv_heads || got->head_dim != want->head_dim ||
        got->intermediate != want->intermediate || got->vocab != want->vocab ||
        got->experts != want->experts || got->context != want->context ||
        got->tied_embeddings != want->tied_embeddings)
        fail_msg("%s: layers %d hidden %d heads %d kv %d dim %d inner %d vocab %d experts %d "
                 "context %d tied %d",
                 what, got->layers, got->hidden, got->heads, got->kv_heads, got->head_dim,
                 got->intermediate, got->vocab, got->experts, got->context, got->tied_embeddings);
}

static void test_dims_from_config(void **state)
{
    static const struct {
        const char *config;
        struct wb_dims want;
    } cases[] = {
        { "{\"model_type\":\"llama\",\"num_hidden_layers\":32,\"hidden_size\":4096,\"num_attention_"
          "heads\":32,"
          "\"num_key_value_heads\":8,\"intermediate_size\":14336,\"vocab_size\":128256,"
          "\"max_position_embeddings\":8192}",
          { 32, 4096, 32, 8, 128, 14336, 128256, 0, 8192, false } },
        { "{\"model_type\":\"mistral\",\"num_hidden_layers\":40,\"hidden_size\":5120,\"num_"
          "attention_heads\":32,"
          "\"num_key_value_heads\":8,\"head_dim\":128,\"intermediate_size\":14336,\"vocab_size\":"
          "131072,"
          "\"tie_word_embeddings\":true}",
          { 40, 5120, 32, 8, 128, 14336, 131072, 0, 0, true } },
        { "{\"model_type\":\"mixtral\",\"num_hidden_layers\":2,\"hidden_size\":64,\"num_attention_"
          "heads\":4,"
          "\"num_local_experts\":8}",
          { 2, 64, 4, 4, 16, 0, 0, 8, 0, false } },
        { "{\"model_type\":\"qwen3_moe\",\"num_hidden_layers\":48,\"hidden_size\":2048,\"num_"
          "experts\":128,"
          "\"num_attention_heads\":32,\"num_key_value_heads\":4,\"head_dim\":128}",
          { 48, 2048, 32, 4, 128, 0, 0, 128, 0, false } },
        { "{\"model_type\":\"gemma2\",\"num_hidden_layers\":26,\"hidden_size\":2304,\"num_"
          "attention_heads\":8,"
          "\"num_key_value_heads\":4,\"head_dim\":256}",
          { 26, 2304, 8, 4, 256, 0, 0, 0, 0, true } },
        { "{\"model_type\":\"gemma3\",\"text_config\":{\"model_type\":\"gemma3_text\",\"num_hidden_"
          "layers\":34,"
          "\"hidden_size\":2560,\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":"
          "256},"
          "\"vision_config\":{\"num_hidden_layers\":27,\"hidden_size\":1152}}",
          { 34, 2560, 8, 4, 256, 0, 0, 0, 0, true } },
        { "{\"model_type\":\"gpt2\",\"n_layer\":12,\"n_embd\":768,\"n_head\":12,\"n_inner\":null,"
          "\"n_positions\":1024,\"vocab_size\":50257}",
          { 12, 768, 12, 12, 64, 0, 50257, 0, 1024, true } },
        { "{\"model_type\":\"gpt_neox\",\"num_hidden_layers\":6,\"hidden_size\":512,\"num_"
          "attention_heads\":8,"
          "\"intermediate_size\":2048}",
          { 6, 512, 8, 8, 64, 2048, 0, 0, 0, false } },
        { "{\"model_type\":\"opt\",\"num_hidden_layers\":12,\"hidden_size\":768,\"num_attention_"
          "heads\":12,"
          "\"ffn_dim\":3072,\"max_position_embeddings\":2048}",
          { 12, 768, 12, 12, 64, 3072, 0, 0, 2048, true } },
        { "{\"model_type\":\"bert\",\"num_hidden_layers\":6,\"hidden_size\":384,\"num_attention_"
          "heads\":12,"
          "\"intermediate_size\":1536,\"max_position_embeddings\":512,\"vocab_size\":30522}",
          { 6, 384, 12, 12, 32, 1536, 30522, 0, 512, true } },
        { "{\"model_type\":\"vit\",\"num_hidden_layers\":12,\"hidden_size\":768,\"num_attention_"
          "heads\":12,"
          "\"intermediate_size\":3072}",
          { 12, 768, 12, 12, 64, 3072, 0, 0, 0, false } },
        { "{\"model_type\":\"clip\",\"text_config\":{\"num_hidden_layers\":12,\"hidden_size\":768,"
          "\"vocab_size\":49408,\"max_position_embeddings\":77,\"num_attention_heads\":12},"
          "\"vision_config\":{\"num_hidden_layers\":24,\"hidden_size\":1024,\"num_attention_"
          "heads\":16,"
          "\"intermediate_size\":4096}}",
          { 24, 1024, 16, 16, 64, 4096, 49408, 0, 77, false } },
        { "{\"model_type\":\"t5\",\"num_layers\":6,\"d_model\":512,\"num_heads\":8,\"d_kv\":64,\"d_"
          "ff\":1024,"
          "\"vocab_size\":32128}",
          { 6, 512, 8, 8, 64, 1024, 32128, 0, 0, true } },
        { "{\"model_type\":\"whisper\",\"encoder_layers\":4,\"decoder_layers\":4,\"d_model\":384,"
          "\"encoder_attention_heads\":6,\"encoder_ffn_dim\":1536,\"vocab_size\":51865,"
          "\"max_target_positions\":448}",
          { 4, 384, 6, 6, 64, 1536, 51865, 0, 448, true } },
        /* what is no count */
        { "{\"model_type\":\"llama\",\"num_hidden_layers\":1e300,\"hidden_size\":-4,\"num_"
          "attention_heads\":\"8\","
          "\"num_key_value_heads\":[1,2],\"vocab_size\":1.5}",
          { 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *config = parse(cases[i].config);
        struct wb_arch *arch = wb_arch_match(set, config, NULL, NULL, 0, NULL);

        check_dims(wb_arch_dims(arch), &cases[i].want, cases[i].config);
        assert_null(wb_arch_note(arch));
        wb_arch_unref(arch);
        cJSON_Delete(config);
    }
}

static void test_dims_from_shapes(void **state)
{
    static const struct {
        const char *file;
        struct wb_dims want;
    } cases[] = {
        { "llama.json", { 2, 32, 0, 0, 0, 48, 64, 0, 0, false } },
        { "qwen2.json", { 2, 32, 0, 0, 0, 48, 64, 0, 0, true } },
        { "qwen3.json", { 2, 32, 4, 2, 16, 48, 64, 0, 0, true } },
        { "gpt2.json", { 2, 32, 0, 0, 0, 128, 64, 0, 32, true } },
        { "phi3.json", { 2, 32, 0, 0, 0, 48, 64, 0, 0, false } },
        { "mixtral.json", { 2, 32, 0, 0, 0, 0, 64, 4, 0, false } },
        { "opt.json", { 2, 32, 0, 0, 0, 48, 64, 0, 34, true } },
        { "clip.json", { 2, 40, 0, 0, 0, 56, 64, 0, 0, false } },
    };
    struct wb_arch *arch;
    cJSON *config;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample_load(cases[i].file);
        arch = match(NULL);
        check_dims(wb_arch_dims(arch), &cases[i].want, cases[i].file);
        wb_arch_unref(arch);
    }
    sample_load(
        "gemma.json"); /* heads of 16, not 32 / 4: from the rows of q; kv heads from those of k */
    config = parse("{\"model_type\":\"gemma\",\"num_attention_heads\":4,\"num_hidden_layers\":3}");
    arch = match(config);
    check_dims(wb_arch_dims(arch), &(struct wb_dims){ 3, 32, 4, 1, 16, 48, 64, 0, 0, true },
               "gemma");
    assert_string_equal(wb_arch_note(arch), "config.json says layers 3, the tensors 2");
    wb_arch_unref(arch);
    cJSON_Delete(config);
}

static void test_tied(void **state)
{
    static const char *const llama[] = { "model.embed_tokens.weight", "lm_head.weight" };
    static const char *const t5[] = { "shared.weight", "encoder.embed_tokens.weight",
                                      "decoder.embed_tokens.weight", "lm_head.weight" };
    const struct wb_shape big[] = {
        { 2, { 9, 4 } }, { 2, { 9, 4 } }, { 2, { 9, 4 } }, { 2, { 9, 4 } }
    };
    const struct wb_shape other = { 2, { 10, 4 } };
    cJSON *yes = parse("{\"model_type\":\"llama\",\"tie_word_embeddings\":true}");
    cJSON *no = parse("{\"model_type\":\"llama\",\"tie_word_embeddings\":false}");
    cJSON *flan = parse("{\"model_type\":\"t5\",\"tie_word_embeddings\":false}");
    struct wb_arch *arch = wb_arch_match(set, yes, llama, big, 2, NULL);
    struct wb_role r;

    (void)state;
    wb_arch_role(arch, llama[1], &big[1], &r);
    assert_string_equal(r.tied_to, llama[0]);
    wb_arch_role(arch, llama[0], &big[0], &r);
    assert_null(r.tied_to);
    wb_arch_role(arch, llama[1], &other, &r); /* of another shape: no alias */
    assert_null(r.tied_to);
    wb_arch_unref(arch);
    arch = wb_arch_match(set, no, llama, big, 2, NULL);
    wb_arch_role(arch, llama[1], &big[1], &r);
    assert_null(r.tied_to);
    wb_arch_unref(arch);
    arch = wb_arch_match(set, flan, t5, big, 4, NULL);
    for (int i = 0; i < 4;
         i++) { /* the two copies are aliases always, the head when the config says so */
        wb_arch_role(arch, t5[i], &big[i], &r);
        assert_true((r.tied_to != NULL) == (i == 1 || i == 2));
    }
    wb_arch_unref(arch);
    cJSON_Delete(yes);
    cJSON_Delete(no);
    cJSON_Delete(flan);
}

/* --- renaming and configs --- */

static void test_rename(void **state)
{
    static const struct {
        const char *file, *from, *to;
    } cases[] = {
        { "llama.json", "model.layers.1.mlp.up_proj.weight", "model.layers.30.mlp.up_proj.weight" },
        { "llama.json", "model.layers.1.extra.0.weight", "model.layers.30.extra.0.weight" },
        { "t5.json", "decoder.block.1.layer.0.layer_norm.weight",
          "decoder.block.30.layer.0.layer_norm.weight" },
        { "mixtral.json", "model.layers.1.block_sparse_moe.experts.3.w1.weight",
          "model.layers.30.block_sparse_moe.experts.3.w1.weight" },
        { "gpt2.json", "transformer.h.1.attn.bias", "transformer.h.30.attn.bias" },
        { "clip.json", "vision_model.encoder.layers.1.mlp.fc1.bias",
          "vision_model.encoder.layers.30.mlp.fc1.bias" },
        { "llama.json", "lm_head.weight", NULL },
        { "bert.json", "pooler.dense.weight", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wb_arch *arch;
        char out[100];

        sample_load(cases[i].file);
        arch = match(sample.config);
        assert_true(wb_arch_rename_layer(arch, cases[i].from, 30, out, sizeof out) ==
                    (cases[i].to != NULL));
        if (cases[i].to != NULL)
            assert_string_equal(out, cases[i].to);
        assert_false(wb_arch_rename_layer(arch, cases[i].from, 30, out, 10)); /* too small */
        wb_arch_unref(arch);
    }
}

/* before, with source[0..n) of its layers, becomes after; the error message when after is no JSON.
 */
static void check_config(const char *stack, const char *before, const int *source, int n,
                         const char *after)
{
    cJSON *config = parse(before), *want = cJSON_Parse(after);
    struct wb_arch *arch = wb_arch_match(set, config, NULL, NULL, 0, NULL);
    struct wb_err err = { 0 };
    bool ok = stack != NULL ? wb_arch_config_stack(arch, config, stack, source, n, &err)
                            : wb_arch_config_layers(arch, config, source, n, &err);
    char *text = cJSON_PrintUnformatted(config);

    if (ok ? !cJSON_Compare(config, want, true) : want != NULL || strstr(err.msg, after) == NULL)
        fail_msg("%s gives %s", before, ok ? text : err.msg);
    cJSON_free(text);
    cJSON_Delete(config);
    cJSON_Delete(want);
    wb_arch_unref(arch);
}

static void test_config_layers(void **state)
{
    static const int drop2[] = { 0, 1, 3 }, twice[] = { 0, 1, 1, 2 }, same[] = { 0, 1, 2, 3 },
                     bad[] = { 0, 4 };

    (void)state;
    check_config(NULL, "{\"model_type\":\"llama\",\"num_hidden_layers\":4,\"pad\":[1,2,3,4]}",
                 drop2, 3, "{\"model_type\":\"llama\",\"num_hidden_layers\":3,\"pad\":[1,2,3,4]}");
    check_config(NULL, "{\"model_type\":\"llama\",\"num_hidden_layers\":3}", twice, 4,
                 "{\"model_type\":\"llama\",\"num_hidden_layers\":4}");
    check_config(NULL, "{\"model_type\":\"llama\",\"num_hidden_layers\":4}", bad, 2,
                 "no layer 4 among 4");
    check_config(NULL, "{\"model_type\":\"gpt2\",\"n_layer\":4}", drop2, 3,
                 "{\"model_type\":\"gpt2\",\"n_layer\":3}");
    check_config(NULL,
                 "{\"model_type\":\"gpt2\",\"n_layer\":4,\"scale_attn_by_inverse_layer_idx\":true}",
                 drop2, 3, "layer 3 cannot become layer 2");
    /* lists with an entry a layer, and a list of numbers */
    check_config(
        NULL,
        "{\"model_type\":\"qwen3\",\"num_hidden_layers\":4,\"layer_types\":[\"a\",\"b\",\"c\","
        "\"d\"]}",
        drop2, 3,
        "{\"model_type\":\"qwen3\",\"num_hidden_layers\":3,\"layer_types\":[\"a\",\"b\",\"d\"]}");
    check_config(NULL, "{\"num_hidden_layers\":4,\"layers_block_type\":[\"a\",\"b\",\"c\",\"d\"]}",
                 drop2, 3, "{\"num_hidden_layers\":3,\"layers_block_type\":[\"a\",\"b\",\"d\"]}");
    check_config(
        NULL, "{\"model_type\":\"qwen2_moe\",\"num_hidden_layers\":4,\"mlp_only_layers\":[0,2,3]}",
        drop2, 3,
        "{\"model_type\":\"qwen2_moe\",\"num_hidden_layers\":3,\"mlp_only_layers\":[0,2]}");
    check_config(NULL,
                 "{\"model_type\":\"qwen2_moe\",\"num_hidden_layers\":4,\"decoder_sparse_step\":2}",
                 drop2, 3,
                 "{\"model_type\":\"qwen2_moe\",\"num_hidden_layers\":3,\"decoder_sparse_step\":1,"
                 "\"mlp_only_layers\":[0]}");
    /* rules that hold for the old numbers only */
    check_config(NULL, "{\"model_type\":\"qwen2\",\"num_hidden_layers\":4,\"max_window_layers\":3}",
                 drop2, 3,
                 "{\"model_type\":\"qwen2\",\"num_hidden_layers\":3,\"max_window_layers\":2}");
    check_config(NULL,
                 "{\"model_type\":\"qwen2\",\"num_hidden_layers\":4,\"use_sliding_window\":true,"
                 "\"max_window_layers\":3}",
                 drop2, 3,
                 "{\"model_type\":\"qwen2\",\"num_hidden_layers\":3,\"use_sliding_window\":true,"
                 "\"max_window_layers\":2,"
                 "\"layer_types\":[\"full_attention\",\"full_attention\",\"sliding_attention\"]}");
    check_config(NULL, "{\"model_type\":\"gemma2\",\"num_hidden_layers\":4}", drop2, 3,
                 "{\"model_type\":\"gemma2\",\"num_hidden_layers\":3,\"layer_types\":"
                 "[\"sliding_attention\",\"full_attention\",\"full_attention\"]}");
    check_config(
        NULL,
        "{\"model_type\":\"gemma3_text\",\"num_hidden_layers\":4,\"sliding_window_pattern\":3}",
        drop2, 3,
        "{\"model_type\":\"gemma3_text\",\"num_hidden_layers\":3,\"sliding_window_pattern\":3,"
        "\"layer_types\":"
        "[\"sliding_attention\",\"sliding_attention\",\"sliding_attention\"]}");
    check_config(NULL, "{\"model_type\":\"gemma2\",\"num_hidden_layers\":4}", same, 4,
                 "{\"model_type\":\"gemma2\",\"num_hidden_layers\":4}");
    check_config(NULL, "{\"num_hidden_layers\":4,\"num_kv_shared_layers\":2}", drop2, 3,
                 "share keys and values");
    /* settings of the language model under text_config; the vision tower stays */
    check_config(
        NULL,
        "{\"model_type\":\"gemma3\",\"text_config\":{\"num_hidden_layers\":4,\"layer_types\":"
        "[\"a\",\"b\",\"c\",\"d\"]},\"vision_config\":{\"num_hidden_layers\":4}}",
        drop2, 3,
        "{\"model_type\":\"gemma3\",\"text_config\":{\"num_hidden_layers\":3,\"layer_types\":"
        "[\"a\",\"b\",\"d\"]},\"vision_config\":{\"num_hidden_layers\":4}}");
}

static void test_config_stacks(void **state)
{
    static const int drop[] = { 0 };
    struct wb_arch *arch;
    struct wb_err err;
    cJSON *config;

    (void)state;
    sample_load("t5.json");
    arch = match(sample.config);
    config = parse(
        "{\"model_type\":\"t5\",\"num_layers\":2}"); /* the decoder's depth is the encoder's */
    assert_true(wb_arch_config_stack(arch, config, "encoder", drop, 1, &err));
    assert_int_equal(wb_json_number(config, "num_layers", 0), 1);
    assert_int_equal(wb_json_number(config, "num_decoder_layers", 0), 2);
    assert_true(wb_arch_config_stack(arch, config, "decoder", drop, 1, &err));
    assert_int_equal(wb_json_number(config, "num_decoder_layers", 0), 1);
    assert_false(wb_arch_config_stack(arch, config, "text", drop, 1, &err));
    cJSON_Delete(config);
    config = parse("{\"model_type\":\"t5\",\"num_layers\":2,\"num_decoder_layers\":2}");
    assert_true(wb_arch_config_layers(arch, config, drop, 1, &err)); /* all stacks */
    assert_int_equal(wb_json_number(config, "num_layers", 0), 1);
    assert_int_equal(wb_json_number(config, "num_decoder_layers", 0), 1);
    cJSON_Delete(config);
    wb_arch_unref(arch);
    sample_load("clip.json");
    arch = match(sample.config);
    config = cJSON_Duplicate(sample.config, true);
    assert_true(wb_arch_config_stack(arch, config, "vision", drop, 1, &err));
    assert_int_equal(
        wb_json_number(cJSON_GetObjectItem(config, "vision_config"), "num_hidden_layers", 0), 1);
    assert_int_equal(
        wb_json_number(cJSON_GetObjectItem(config, "text_config"), "num_hidden_layers", 0), 2);
    cJSON_Delete(config);
    wb_arch_unref(arch);
}

/* --- family files --- */

/* A directory with one file, loaded behind the shipped ones. */
static bool load_with(const char *text, struct wb_arch_set **out, struct wb_err *err)
{
    char dir[] = "/tmp/wb-arch-XXXXXX", path[100];
    const char *dirs[] = { "lua/arch", dir, "/nonexistent/families" };
    bool ok;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/mine.lua", dir);
    assert_true(wb_write_file(path, text, strlen(text), err));
    *out = wb_arch_set_new();
    ok = wb_families_load(*out, dirs, 3, err);
    wb_remove_tree(dir, NULL);
    return ok;
}

static void test_user_family(void **state)
{
    static const char *const names[] = { "trunk.words.weight", "trunk.floor.0.look.weight",
                                         "trunk.floor.1.look.weight", "trunk.floor.1.look.bias" };
    struct wb_arch_set *mine;
    struct wb_arch *arch;
    struct wb_role r;
    struct wb_err err;

    (void)state;
    if (!load_with("return {name = 'tower', model_types = {'tower'}, prefixes = {'trunk.'}, seen = "
                   "{'floor'},\n"
                   "  tensors = {words = 'embed', ['floor.{n}'] = {look = 'q', ['odd.weight'] = "
                   "'strange'}},\n"
                   "  kinds = {strange = 'linear'}, keys = {layers = 'floors'}, forward = {b = 1, "
                   "a = true}}",
                   &mine, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(wb_arch_set_count(mine), wb_arch_set_count(set) + 1);
    arch = wb_arch_match(mine, NULL, names, NULL, 4, &err);
    assert_string_equal(wb_arch_family(arch), "tower");
    assert_string_equal(wb_arch_flags_json(arch), "{\"a\":true,\"b\":1}");
    wb_arch_role(arch, names[3], NULL, &r);
    assert_string_equal(r.role, "q.bias");
    assert_int_equal(r.layer, 1);
    wb_arch_role(arch, "floor.1.odd.weight", NULL, &r);
    assert_string_equal(r.role, "strange");
    assert_string_equal(r.kind, "linear");
    wb_arch_unref(arch);
    wb_arch_set_free(mine);
}

/* A file may replace a shipped family and build on it. */
static void test_replaced_family(void **state)
{
    struct wb_arch_set *mine;
    struct wb_arch *arch;
    struct wb_role r;
    struct wb_err err;
    cJSON *config = parse("{\"model_type\":\"mine\"}");

    (void)state;
    if (!load_with("return {name = 'llama', like = 'llama', model_types = {'llama', 'mine'},\n"
                   "  tensors = {['layers.{n}.mlp.up_proj'] = 'gate', ['layers.{n}.mlp.down_proj'] "
                   "= false}}",
                   &mine, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(wb_arch_set_count(mine), wb_arch_set_count(set));
    sample_load("llama.json");
    arch = wb_arch_match(mine, config, sample.name, sample.shape, sample.count, &err);
    assert_string_equal(wb_arch_family(arch), "llama");
    wb_arch_role(arch, "model.layers.0.mlp.up_proj.weight", NULL, &r);
    assert_string_equal(r.role, "gate");
    wb_arch_role(arch, "model.layers.0.self_attn.q_proj.weight", NULL, &r);
    assert_string_equal(r.role, "q");
    wb_arch_unref(arch);
    wb_arch_set_free(mine);
    cJSON_Delete(config);
}

static void test_bad_family_files(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "return 7", "mine.lua: the file returns a number, not a table" },
        { "", "mine.lua: the file returns a nil" },
        { "return {name = 'x'", "mine.lua:1: '}' expected" },
        { "\033Lua", "attempt to load a binary chunk" },
        { "while true do end", "mine.lua:1: the file runs for more than 1000000 instructions" },
        { "local s = 'x' while true do s = s .. s end", "not enough memory" },
        { "print 'hello'", "mine.lua:1: attempt to call a nil value (global 'print')" },
        { "os.exit(1)", "mine.lua:1: attempt to index a nil value (global 'os')" },
        { "return {model_types = {'x'}}", "the family has no name" },
        { "return {name = ''}", "the family has no name" },
        { "return {name = 7}", "name is a number, not a string" },
        { "return {name = 'x'}", "the family has no tensors" },
        { "return {name = 'x', tensor = {}}", "\"tensor\" is not a field of a family (name, doc" },
        { "return {name = 'x', [1] = 2}", "the family has a key that is a number" },
        { "return {name = 'x', tensors = 7}", "tensors is a number, not a table" },
        { "return {name = 'x', tensors = {a = 7}}", "tensors: a is a number, not a role" },
        { "return {name = 'x', tensors = {a = {b = true}}}", "tensors: a.b is a boolean" },
        { "local t = {} t.t = t return {name = 'x', tensors = t}", "is a table, not a role" },
        { "return {name = 'x', tensors = {['a.b'] = 'q', a = {b = 'k'}}}", "a.b stands twice" },
        { "return {name = 'x', tensors = {['a.b'] = 'q', ['a.b.weight'] = 'q'}}", "stands twice" },
        { "return {name = 'x', tensors = {['a.{z}'] = 'q'}}", "only {n}, {e} and {i}" },
        { "return {name = 'x', tensors = {['a{n}'] = 'q'}}", "only {n}, {e} and {i}" },
        { "return {name = 'x', tensors = {a = ''}}", "a tensor without a name or a role" },
        { "return {name = 'x', tensors = {a = 'q'}, transposed = {'k'}}",
          "no tensor has the role \"k\"" },
        { "return {name = 'x', tensors = {a = 'q'}, fused = {k = 'x'}}",
          "no tensor has the name or the role \"k\"" },
        { "return {name = 'x', tensors = {a = 'q'}, kinds = {q = 'odd'}}",
          "the kind \"odd\" is not one of embed" },
        { "return {name = 'x', tensors = {a = 'q'}, keys = {size = 'n'}}",
          "keys: \"size\" is not one of layers" },
        { "return {name = 'x', tensors = {a = 'q'}, model_types = {{}}}",
          "model_types: entry 1 is a table" },
        { "return {name = 'x', tensors = {a = 'q'}, stacks = {{name = 's'}}}",
          "entry 1 needs name, at and layers" },
        { "return {name = 'x', tensors = {a = 'q'}, forward = {f = {}}}", "forward: f is a table" },
        { "return {name = 'x', like = 'nobody'}", "no family has this name" },
        { "return {name = 'x', like = 'x'}", "no family has this name" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wb_arch_set *mine;
        struct wb_err err = { 0 };

        if (load_with(cases[i].text, &mine, &err))
            fail_msg("accepted: %s", cases[i].text);
        if (strstr(err.msg, cases[i].message) == NULL || strstr(err.msg, "mine.lua") == NULL)
            fail_msg("%s: %s", cases[i].text, err.msg);
        wb_arch_set_free(mine);
    }
}

static void test_load_is_fast(void **state)
{
    const char *dir = "lua/arch";
    struct wb_arch_set *one = wb_arch_set_new();
    double start = wb_now_seconds(), loaded, matched;
    static char text[723][80];
    const char *name[723];
    struct wb_arch *arch;

    (void)state;
    assert_true(wb_families_load(one, &dir, 1, NULL));
    loaded = wb_now_seconds() - start;
    for (int i = 0; i < 723; i++) { /* Llama-70B has as many */
        snprintf(text[i], sizeof text[i], "model.layers.%d.%s.weight", i / 9,
                 i % 9 == 0  ? "self_attn.q_proj"
                 : i % 9 < 5 ? "mlp.gate_proj"
                             : "input_layernorm");
        name[i] = text[i];
    }
    start = wb_now_seconds();
    arch = wb_arch_match(one, NULL, name, NULL, 723, NULL);
    matched = wb_now_seconds() - start;
    assert_string_equal(wb_arch_family(arch), "llama");
    assert_int_equal(wb_arch_dims(arch)->layers, 81);
    print_message("families loaded in %.2f ms, 723 names matched in %.2f ms\n", loaded * 1e3,
                  matched * 1e3);
    assert_true(loaded < LOAD_SECONDS_MAX && matched < LOAD_SECONDS_MAX);
    wb_arch_unref(arch);
    wb_arch_set_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_list_has_a_test),
        cmocka_unit_test(test_roles_with_config),
        cmocka_unit_test(test_roles_without_config),
        cmocka_unit_test(test_roles_of_disturbed_names),
        cmocka_unit_test(test_single_names),
        cmocka_unit_test(test_family_from_config),
        cmocka_unit_test(test_unknown_family),
        cmocka_unit_test(test_unknown_stacks),
        cmocka_unit_test(test_dims_from_config),
        cmocka_unit_test(test_dims_from_shapes),
        cmocka_unit_test(test_tied),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_config_layers),
        cmocka_unit_test(test_config_stacks),
        cmocka_unit_test(test_user_family),
        cmocka_unit_test(test_replaced_family),
        cmocka_unit_test(test_bad_family_files),
        cmocka_unit_test(test_load_is_fast),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
