/* tests/unit/test_spec.c - what a family's flags and a config make of a model: rotary frequencies
 * against independent ones, the numbers of every family, and configs that break a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "app/graph/model.h"
#include "app/infer/spec.h"
#include "lua/bind/families.h"
#include "tests/unit/store_files.h"

#define ROPE_TOLERANCE 1e-6 /* frequencies are float32, formed in a few steps */
#define LONG_SEQUENCE 16384

static struct wb_arch_set *set;

static int setup(void **state)
{
    const char *dir = "lua/arch";
    struct wb_err err;

    set = wb_arch_set_new();
    assert_non_null(set);
    if (!wb_families_load(set, &dir, 1, &err))
        fail_msg("%s", err.msg);
    return files_begin(state);
}

static int teardown(void **state)
{
    wb_arch_set_free(set);
    return files_end(state);
}

/* --- a spec of a list of names --- */

/* What is looked at; one at a time. */
static struct wb_spec spec;
static struct wb_arena arena;
static struct wb_err err;

static cJSON *sample_load(const char *family)
{
    char path[300];
    cJSON *sample;

    snprintf(path, sizeof path, "tests/data/arch/%s.json", family);
    sample = wb_json_parse_file(path, 1 << 20, &err);
    if (sample == NULL)
        fail_msg("%s", err.msg);
    return sample;
}

/* A checkpoint of zeros with the sample's tensors; config NULL: none. */
static void checkpoint_write(const cJSON *sample, const cJSON *config)
{
    struct wb_str header = { 0 };
    const cJSON *t, *d;
    uint64_t at_byte = 0, length;
    char *file;

    wb_remove_tree(at("model"), NULL);
    wb_str_add(&header, "{");
    cJSON_ArrayForEach(t, cJSON_GetObjectItem(sample, "tensors")) {
        uint64_t bytes = 4;
        char *shape = cJSON_PrintUnformatted(cJSON_GetObjectItem(t, "shape"));

        cJSON_ArrayForEach(d, cJSON_GetObjectItem(t, "shape"))
            bytes *= (uint64_t)d->valuedouble;
        wb_str_printf(&header,
                      "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
                      header.len > 1 ? "," : "", wb_json_text(t, "name", ""), shape,
                      (unsigned long long)at_byte, (unsigned long long)(at_byte + bytes));
        at_byte += bytes;
        cJSON_free(shape);
    }
    wb_str_add(&header, "}");
    length = header.len;
    file = calloc(1, 8 + header.len + at_byte);
    assert_non_null(file);
    memcpy(file, &length, 8);
    memcpy(file + 8, header.text, header.len);
    put_bytes(at("model/model.safetensors"), file, 8 + header.len + at_byte);
    free(file);
    wb_str_free(&header);
    if (config != NULL) {
        char *text = cJSON_PrintUnformatted(config);

        put_bytes(at("model/config.json"), text, strlen(text));
        cJSON_free(text);
    }
}

/* Spec of the checkpoint written last into `spec`; what stays behind is freed by the next call. */
static bool spec_of_written(const char *stack)
{
    struct wb_model *model = wb_model_open(at("model"), set, &err);
    bool ok;

    if (model == NULL)
        fail_msg("%s", err.msg);
    wb_arena_free(&arena);
    ok = wb_spec_of(model, stack, &arena, &spec, &err);
    wb_model_unref(model);
    return ok;
}

/* The config of a family's sample with changes: an object as text, null taking a key out. */
static bool spec_changed(const char *family, const char *stack, const char *changes)
{
    cJSON *sample = sample_load(family), *config = cJSON_GetObjectItem(sample, "config");
    cJSON *change = wb_json_parse(changes, strlen(changes), &err), *c;
    bool ok;

    if (change == NULL)
        fail_msg("%s", err.msg);
    cJSON_ArrayForEach(c, change) {
        cJSON_DeleteItemFromObjectCaseSensitive(config, c->string);
        if (!cJSON_IsString(c) || strcmp(c->valuestring, "absent") != 0)
            cJSON_AddItemToObject(config, c->string, cJSON_Duplicate(c, true));
    }
    checkpoint_write(sample, config);
    ok = spec_of_written(stack);
    cJSON_Delete(change);
    cJSON_Delete(sample);
    return ok;
}

static void must(const char *family, const char *stack, const char *changes)
{
    if (!spec_changed(family, stack, changes))
        fail_msg("%s %s: %s", family, changes, err.msg);
}

/* --- rope --- */

static double number(const cJSON *object, const char *key, double fallback)
{
    return wb_json_number(object, key, fallback);
}

static void check_frequencies(const char *name, const struct wb_rope_rule *rule, size_t positions,
                              const cJSON *want, double factor)
{
    float inv[256], got;
    int i = 0;
    const cJSON *item;

    assert_int_equal(cJSON_GetArraySize(want), rule->dims / 2);
    wb_rope_frequencies(rule, positions, inv, &got);
    cJSON_ArrayForEach(item, want) {
        if (fabs((double)inv[i] - item->valuedouble) > ROPE_TOLERANCE * item->valuedouble)
            fail_msg("%s: [%d] is %.9g, not %.9g", name, i, (double)inv[i], item->valuedouble);
        i++;
    }
    if (fabs((double)got - factor) > ROPE_TOLERANCE * factor)
        fail_msg("%s: factor %.9g, not %.9g", name, (double)got, factor);
}

static void test_rope_goldens(void **state)
{
    cJSON *cases = wb_json_parse_file("tests/data/goldens/rope.json", 1 << 20, &err), *c;
    size_t count = 0;

    (void)state;
    assert_non_null(cases);
    cJSON_ArrayForEach(c, cases) {
        cJSON *config = cJSON_GetObjectItem(c, "config");
        cJSON *scaling = cJSON_GetObjectItem(config, "rope_scaling");
        const cJSON *beside = cJSON_GetObjectItem(config, "original_max_position_embeddings");
        const cJSON *brief = cJSON_GetObjectItem(c, "inv_freq_short");
        double share = number(config, "partial_rotary_factor", 1);
        const char *name = wb_json_text(c, "case", "");
        struct wb_rope_rule rule;

        if (beside != NULL)
            cJSON_AddItemToObject(scaling, beside->string, cJSON_Duplicate(beside, true));
        if (!wb_rope_parse(scaling, number(config, "rope_theta", 0),
                           (int)(number(config, "head_dim", 0) * share),
                           (int)number(config, "max_position_embeddings", 0), &arena, &rule, &err))
            fail_msg("%s: %s", name, err.msg);
        check_frequencies(name, &rule, LONG_SEQUENCE, cJSON_GetObjectItem(c, "inv_freq"),
                          number(c, "attention_factor", 0));
        if (brief != NULL)
            check_frequencies(name, &rule, 100, brief, number(c, "attention_factor", 0));
        count++;
    }
    assert_true(count >= 7);
    cJSON_Delete(cases);
    wb_arena_free(&arena);
}

static void test_rope_table(void **state)
{
    struct wb_rope_rule rule;
    float inv[4], factor, cosine[12], sine[12];

    (void)state;
    assert_true(wb_rope_parse(NULL, 10000, 8, 0, &arena, &rule, &err));
    wb_rope_frequencies(&rule, 8, inv, &factor);
    wb_rope_table(&rule, 8, 5, 3, cosine, sine);
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 4; i++) {
            double angle = (float)(5 + p) * inv[i];

            assert_true(cosine[4 * p + i] == (float)cos(angle));
            assert_true(sine[4 * p + i] == (float)sin(angle));
        }
}

static void test_rope_refused(void **state)
{
    static const struct {
        const char *scaling;
        int dims;
        const char *says;
    } bad[] = {
        { "{}", 7, "rope over 7 dims of a head" },
        { "{}", 0, "rope over 0 dims of a head" },
        { "[]", 8, "is not an object" },
        { "{\"type\": \"spiral\"}", 8, "type \"spiral\" is not one of default, linear" },
        { "{\"rope_type\": 3}", 8, "rope_type \"\" is not one of" },
        { "{\"type\": \"linear\"}", 8, "rope of type linear without factor" },
        { "{\"type\": \"linear\", \"factor\": -2}", 8, "factor of rope is not a positive number" },
        { "{\"type\": \"linear\", \"factor\": \"2\"}", 8, "factor of rope is not" },
        { "{\"type\": \"linear\", \"factor\": 2, \"rope_theta\": 0}", 8, "rope_theta of rope" },
        { "{\"type\": \"dynamic\", \"factor\": 2}", 2, "rope of type dynamic over 64 positions" },
        { "{\"type\": \"llama3\", \"factor\": 2}", 8, "llama3 without low_freq_factor" },
        { "{\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 1, \"high_freq_factor\": 4}",
          8, "llama3 without original_max_position_embeddings" },
        { "{\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4, \"high_freq_factor\": 4, "
          "\"original_max_position_embeddings\": 32}",
          8, "high_freq_factor 4 of rope is not above low_freq_factor 4" },
        { "{\"type\": \"yarn\", \"factor\": 2, \"original_max_position_embeddings\": -1}", 8,
          "original_max_position_embeddings of rope is not a number of positions" },
        { "{\"type\": \"longrope\", \"long_factor\": [1, 2, 3, 4]}", 8,
          "short_factor of rope is not a list of 4 numbers" },
        { "{\"type\": \"su\", \"short_factor\": [1, 1, 1, 1], \"long_factor\": [1, 2, 3]}", 8,
          "long_factor of rope is not a list of 4 numbers" },
        { "{\"type\": \"su\", \"short_factor\": [1, 1, 1, 0], \"long_factor\": [1, 2, 3, 4]}", 8,
          "entry 3 of short_factor is not a positive number" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cJSON *scaling = wb_json_parse(bad[i].scaling, strlen(bad[i].scaling), &err);
        struct wb_rope_rule rule;

        assert_non_null(scaling);
        assert_false(wb_rope_parse(scaling, 10000, bad[i].dims, 64, &arena, &rule, &err));
        if (err.code != WB_EFORMAT || strstr(err.msg, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].scaling, err.msg);
        cJSON_Delete(scaling);
    }
    wb_arena_free(&arena);
}

/* --- families --- */

static void test_families(void **state)
{
    static const struct {
        const char *family, *stack;
        enum wb_net_kind kind;
        enum wb_block block;
        enum wb_norm norm;
        enum wb_act act;
        bool gated, causal, qk_norm, learned;
        int offset, heads, kv_heads, head_dim, context, rope_dims;
        enum wb_pooling pooling;
    } want[] = {
        { "llama", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS, WB_ACT_SILU, true, true, false,
          false, 0, 4, 2, 8, 0, 8, WB_POOLING_NONE },
        { "mistral", "", WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS, WB_ACT_SILU, true, true, false,
          false, 0, 4, 2, 8, 0, 8, WB_POOLING_NONE },
        { "qwen2", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS, WB_ACT_SILU, true, true, false,
          false, 0, 4, 2, 8, 0, 8, WB_POOLING_NONE },
        { "qwen3", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS, WB_ACT_SILU, true, true, true,
          false, 0, 4, 2, 16, 0, 16, WB_POOLING_NONE },
        { "gemma", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS_PLUS_ONE, WB_ACT_GELU_TANH, true,
          true, false, false, 0, 4, 1, 16, 0, 16, WB_POOLING_NONE },
        { "gemma2", NULL, WB_NET_DECODER, WB_BLOCK_SANDWICH, WB_NORM_RMS_PLUS_ONE, WB_ACT_GELU_TANH,
          true, true, false, false, 0, 4, 2, 16, 0, 16, WB_POOLING_NONE },
        { "gemma3_text", NULL, WB_NET_DECODER, WB_BLOCK_SANDWICH, WB_NORM_RMS_PLUS_ONE,
          WB_ACT_GELU_TANH, true, true, true, false, 0, 4, 1, 16, 0, 16, WB_POOLING_NONE },
        { "phi3", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_RMS, WB_ACT_SILU, true, true, false,
          false, 0, 4, 2, 8, 0, 8, WB_POOLING_NONE },
        { "phi", NULL, WB_NET_DECODER, WB_BLOCK_PARALLEL_ONE_NORM, WB_NORM_LAYER, WB_ACT_GELU_TANH,
          false, true, false, false, 0, 4, 4, 8, 0, 4, WB_POOLING_NONE },
        { "gpt2", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_LAYER, WB_ACT_GELU_TANH, false, true,
          false, true, 0, 4, 4, 8, 32, 0, WB_POOLING_NONE },
        { "gpt_neox", NULL, WB_NET_DECODER, WB_BLOCK_PARALLEL, WB_NORM_LAYER, WB_ACT_GELU, false,
          true, false, false, 0, 4, 4, 8, 0, 2, WB_POOLING_NONE },
        { "opt", NULL, WB_NET_DECODER, WB_BLOCK_PRE, WB_NORM_LAYER, WB_ACT_RELU, false, true, false,
          true, 2, 4, 4, 8, 32, 0, WB_POOLING_NONE },
        { "bert", NULL, WB_NET_ENCODER, WB_BLOCK_POST, WB_NORM_LAYER, WB_ACT_GELU, false, false,
          false, true, 0, 4, 4, 8, 32, 0, WB_POOLING_MEAN },
        { "roberta", NULL, WB_NET_ENCODER, WB_BLOCK_POST, WB_NORM_LAYER, WB_ACT_GELU, false, false,
          false, true, 2, 4, 4, 8, 32, 0, WB_POOLING_MEAN },
        { "vit", NULL, WB_NET_VISION, WB_BLOCK_PRE, WB_NORM_LAYER, WB_ACT_GELU, false, false, false,
          true, 0, 4, 4, 8, 17, 0, WB_POOLING_FIRST },
        { "clip", "vision", WB_NET_VISION, WB_BLOCK_PRE, WB_NORM_LAYER, WB_ACT_QUICK_GELU, false,
          false, false, true, 0, 2, 2, 20, 17, 0, WB_POOLING_FIRST },
        { "clip", "text", WB_NET_ENCODER, WB_BLOCK_PRE, WB_NORM_LAYER, WB_ACT_QUICK_GELU, false,
          true, false, true, 0, 2, 2, 16, 16, 0, WB_POOLING_END },
    };

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct wb_spec *s = &spec;
        bool vision = want[i].kind == WB_NET_VISION;

        must(want[i].family, want[i].stack, "{}");
        print_message("%s %s\n", want[i].family, s->stack);
        assert_string_equal(s->stack, want[i].stack != NULL ? want[i].stack : "");
        assert_int_equal(s->kind, want[i].kind);
        assert_int_equal(s->block, want[i].block);
        assert_int_equal(s->norm, want[i].norm);
        assert_int_equal(s->act, want[i].act);
        assert_int_equal(s->gated, want[i].gated);
        assert_int_equal(s->causal, want[i].causal);
        assert_int_equal(s->qk_norm, want[i].qk_norm);
        assert_int_equal(s->learned_positions, want[i].learned);
        assert_int_equal(s->position_offset, want[i].offset);
        assert_int_equal(s->layers, 2);
        assert_int_equal(s->hidden, strcmp(s->stack, "vision") == 0 ? 40 : 32);
        assert_int_equal(s->heads, want[i].heads);
        assert_int_equal(s->kv_heads, want[i].kv_heads);
        assert_int_equal(s->head_dim, want[i].head_dim);
        assert_int_equal(s->context, want[i].context);
        assert_int_equal(s->vocab, vision ? 0 : 64);
        assert_int_equal(s->pooling, want[i].pooling);
        assert_int_equal(s->ropes > 0 ? s->rope[0].dims : 0, want[i].rope_dims);
        assert_int_equal(s->layer[1].rope < 0, want[i].rope_dims == 0);
        assert_int_equal(s->image_rows, vision ? 16 : 0);
        assert_int_equal(s->patch, vision ? 4 : 0);
        assert_true(s->head_scale == 1);
        assert_true(s->scale == (float)(1 / sqrt(s->head_dim)));
    }
}

static void test_factors(void **state)
{
    (void)state;
    must("gemma2", NULL, "{\"query_pre_attn_scalar\": 9}");
    assert_true(spec.scale == (float)(1 / sqrt(9)));
    assert_true(spec.attn_cap == 50 && spec.logit_cap == 30);
    assert_true(spec.embed_scale == (float)sqrt(32));
    must("gemma2", NULL,
         "{\"attn_logit_softcapping\": null, \"final_logit_softcapping\": \"absent\","
         " \"query_pre_attn_scalar\": \"absent\"}");
    assert_true(spec.scale == 1.0F / 16 && spec.attn_cap == 0 && spec.logit_cap == 30);
    must("gemma3_text", NULL, "{}");
    assert_true(spec.attn_cap == 0 && spec.logit_cap == 0);
    must("gpt2", NULL, "{\"scale_attn_weights\": false}");
    assert_true(spec.scale == 1);
    must("bert", NULL, "{}");
    assert_true(spec.eps == 1e-12);
    must("roberta", NULL, "{\"layer_norm_eps\": 0.25}");
    assert_true(spec.eps == 0.25);
    must("roberta", NULL, "{\"pad_token_id\": 4}");
    assert_true(spec.position_offset == 5 && spec.context == 29);
    must("clip", "text", "{}");
    assert_int_equal(spec.end_token, -1);
}

static void test_blocks(void **state)
{
    (void)state;
    must("opt", NULL, "{\"do_layer_norm_before\": false}");
    assert_int_equal(spec.block, WB_BLOCK_POST);
    must("gpt_neox", NULL, "{\"use_parallel_residual\": false, \"rotary_pct\": 1.0}");
    assert_int_equal(spec.block, WB_BLOCK_PRE);
    assert_int_equal(spec.rope[0].dims, 8);
    must("phi", NULL, "{\"qk_layernorm\": true}");
    assert_true(spec.qk_norm);
    must("vit", NULL, "{\"image_size\": [32, 8]}");
    assert_true(spec.image_rows == 32 && spec.image_columns == 8 && spec.channels == 3);
}

/* Windows and ropes of the two layers. */
static void check_layers(const char *family, const char *changes, int window0, int window1,
                         int rope0, int rope1)
{
    must(family, NULL, changes);
    print_message("%s %s\n", family, changes);
    assert_int_equal(spec.layer[0].window, window0);
    assert_int_equal(spec.layer[1].window, window1);
    assert_int_equal(spec.layer[0].rope, rope0);
    assert_int_equal(spec.layer[1].rope, rope1);
}

static void test_windows(void **state)
{
    (void)state;
    check_layers("llama", "{\"sliding_window\": 8}", 0, 0, 0, 0);
    check_layers("mistral", "{}", 16, 16, 0, 0);
    check_layers("mistral", "{\"sliding_window\": null}", 0, 0, 0, 0);
    check_layers("mistral", "{\"sliding_window\": \"absent\"}", 4096, 4096, 0, 0);
    check_layers("phi3", "{}", 0, 0, 0, 0);
    check_layers("phi3", "{\"sliding_window\": 5}", 5, 5, 0, 0);
    check_layers("qwen2", "{\"sliding_window\": 5, \"max_window_layers\": 0}", 0, 0, 0, 0);
    check_layers("qwen2",
                 "{\"use_sliding_window\": true, \"sliding_window\": 5, \"max_window_layers\": 1}",
                 0, 5, 0, 0);
    check_layers("qwen3",
                 "{\"use_sliding_window\": true, \"sliding_window\": 5, \"max_window_layers\": 0,"
                 " \"layer_types\": [\"sliding_attention\", \"full_attention\"]}",
                 5, 0, 0, 0);
    check_layers("gemma2", "{}", 8, 0, 0, 0);
    check_layers("gemma2", "{\"layer_types\": [\"full_attention\", \"sliding_attention\"]}", 0, 8,
                 0, 0);
    check_layers("gemma3_text", "{}", 8, 8, 1, 1);
    check_layers("gemma3_text", "{\"sliding_window_pattern\": 2}", 8, 0, 1, 0);
    assert_true(spec.rope[0].base == 1e6 && spec.rope[1].base == 1e4);
}

static void test_rope_settings(void **state)
{
    (void)state;
    must("llama", NULL, "{}");
    assert_true(spec.rope[0].base == 10000 && spec.rope[0].type == WB_ROPE_DEFAULT);
    must("llama", NULL,
         "{\"rope_theta\": 500, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}");
    assert_true(spec.rope[0].base == 500 && spec.rope[0].type == WB_ROPE_LINEAR);
    must("llama", NULL, "{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 700}}");
    assert_true(spec.rope[0].base == 700 && spec.rope[0].type == WB_ROPE_DEFAULT);
    must("phi", NULL,
         "{\"partial_rotary_factor\": \"absent\", \"rope_parameters\": "
         "{\"rope_theta\": 700, \"partial_rotary_factor\": 0.25}}");
    assert_true(spec.rope[0].base == 700 && spec.rope[0].dims == 2);
    must("phi3", NULL,
         "{\"max_position_embeddings\": 64, \"original_max_position_embeddings\": 16,"
         " \"rope_scaling\": {\"type\": \"su\", \"short_factor\": [1, 1, 1, 1], "
         "\"long_factor\": [2, 2, 2, 2]}}");
    assert_true(spec.rope[0].original == 16 && spec.rope[0].factor == 4 && spec.context == 64);
    assert_true(spec.rope[0].long_factor[3] == 2);
    must("gemma3_text", NULL,
         "{\"rope_theta\": \"absent\", \"rope_local_base_freq\": \"absent\", \"rope_parameters\": "
         "{\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 8, \"rope_theta\": 5000}, "
         "\"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 600}}}");
    assert_true(spec.ropes == 2 && spec.rope[0].base == 5000 && spec.rope[1].base == 600);
    assert_true(spec.rope[0].type == WB_ROPE_LINEAR && spec.rope[1].type == WB_ROPE_DEFAULT);
}

/* A multimodal config: the text's settings under text_config. */
static void test_wrapped(void **state)
{
    cJSON *sample = sample_load("gemma3_text"), *outer = cJSON_CreateObject();

    (void)state;
    cJSON_AddStringToObject(outer, "model_type", "gemma3");
    cJSON_AddItemToObject(outer, "text_config",
                          cJSON_Duplicate(cJSON_GetObjectItem(sample, "config"), true));
    checkpoint_write(sample, outer);
    if (!spec_of_written(NULL))
        fail_msg("%s", err.msg);
    assert_true(spec.heads == 4 && spec.layer[0].window == 8 && spec.ropes == 2);
    cJSON_Delete(outer);
    cJSON_Delete(sample);
}

static void test_pooling_beside(void **state)
{
    static const struct {
        const char *text;
        enum wb_pooling pooling;
    } way[] = {
        { "{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true}",
          WB_POOLING_MEAN },
        { "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}",
          WB_POOLING_FIRST },
        { "{\"pooling_mode_max_tokens\": true}", WB_POOLING_NONE },
        { "{\"pooling_mode\": \"cls\"}", WB_POOLING_FIRST },
        { "not json", WB_POOLING_MEAN },
    };

    (void)state;
    must("bert", NULL, "{}");
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        put_text(at("model/1_Pooling/config.json"), way[i].text);
        assert_true(spec_of_written(NULL));
        assert_int_equal(spec.pooling, way[i].pooling);
    }
}

/* --- refused --- */

static void test_not_implemented(void **state)
{
    static const struct {
        const char *family, *stack, *says;
    } family[] = {
        { "t5", "decoder", "the family t5 (an encoder-decoder) is not implemented" },
        { "t5", NULL, "the family t5 (an encoder-decoder) is not implemented" },
        { "whisper", NULL, "the family whisper (an encoder-decoder) is not implemented" },
        { "mixtral", NULL, "the family mixtral (experts) is not implemented" },
        { "qwen2_moe", NULL, "the family qwen2_moe (experts) is not implemented" },
        { "qwen3_moe", NULL, "the family qwen3_moe (experts) is not implemented" },
        { "deberta-v2", NULL, "deberta_v2 (position \"disentangled\") is not implemented" },
        { "clip", NULL, "has several stacks: say which, \"vision\" or \"text\"" },
        { "clip", "audio", "has no stack \"audio\"" },
        { "llama", "text", "a model of the family llama has no stack \"text\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        assert_false(spec_changed(family[i].family, family[i].stack, "{}"));
        assert_int_equal(err.code, WB_EARG);
        assert_true(says(&err, family[i].says, "/model: ", NULL));
    }
}

static void test_bad_configs(void **state)
{
    static const struct {
        const char *family, *changes, *says;
    } bad[] = {
        { "llama", "{\"num_attention_heads\": 5}", "5 heads do not divide 32 rows of q" },
        { "phi3", "{\"num_attention_heads\": 5}", "5 heads do not divide 32 values" },
        { "llama", "{\"num_key_value_heads\": 3}", "4 heads cannot share 3 key and value heads" },
        { "llama", "{\"num_attention_heads\": 0}", "num_attention_heads is 0: a count from 1" },
        { "llama", "{\"num_attention_heads\": -4}", "num_attention_heads is -4: a count" },
        { "llama", "{\"num_attention_heads\": \"4\"}", "num_attention_heads is \"4\": a count" },
        { "llama", "{\"num_hidden_layers\": 0}", "num_hidden_layers is 0: a count from 1" },
        { "llama", "{\"num_hidden_layers\": 2.5}", "num_hidden_layers is 2.5: a count" },
        { "llama", "{\"num_hidden_layers\": 20000}", "20000 layers are more than 10000" },
        { "llama", "{\"hidden_size\": 1e12}", "hidden_size is 1e+12: a count from 1 to" },
        { "llama", "{\"head_dim\": 7}", "rope over 7 dims of a head" },
        { "llama", "{\"head_dim\": 9000000}", "4 heads of 9000000 are more than" },
        { "llama", "{\"rms_norm_eps\": -1}", "rms_norm_eps is -1: a number from 0 to 1" },
        { "llama", "{\"rms_norm_eps\": [1]}", "rms_norm_eps is a list: a number" },
        { "llama", "{\"hidden_act\": \"mish\"}", "hidden_act is \"mish\": no activation of that" },
        { "llama", "{\"hidden_act\": 4}", "hidden_act is 4: no activation of that name" },
        { "llama", "{\"rope_theta\": 0}", "rope_theta is 0: a number from" },
        { "llama", "{\"rope_scaling\": {\"type\": \"linear\"}}",
          "config.json: rope of type linear without factor" },
        { "llama", "{\"rope_scaling\": [1]}", "rope_scaling is not an object" },
        { "gpt_neox", "{\"rotary_pct\": 0.1}", "rope over 0 dims of a head" },
        { "gpt_neox", "{\"rotary_pct\": 1.5}", "rotary_pct is 1.5: a number from 0 to 1" },
        { "gpt_neox", "{\"use_parallel_residual\": \"no\"}", "is \"no\": true or false" },
        { "gemma2", "{\"layer_types\": [\"full_attention\"]}",
          "layer_types has 1 entries for 2 layers" },
        { "gemma2", "{\"layer_types\": \"full\"}", "layer_types has 0 entries for 2 layers" },
        { "gemma2", "{\"sliding_window\": null}", "there is no sliding_window" },
        { "gemma2", "{\"sliding_window\": -3}", "sliding_window is -3: a number from 0" },
        { "mistral",
          "{\"sliding_window\": null, \"layer_types\": [\"full_attention\", "
          "\"sliding_attention\"]}",
          "layer_types gives layer 1 a window, but there is no sliding_window" },
        { "vit", "{\"image_size\": 18}", "an image of 18 x 18 does not fall into patches of 4" },
        { "vit", "{\"image_size\": \"absent\"}", "config.json does not say image_size" },
        { "vit", "{\"image_size\": [16]}", "image_size is a list: two counts are needed" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (spec_changed(bad[i].family, NULL, bad[i].changes))
            fail_msg("%s %s: taken", bad[i].family, bad[i].changes);
        assert_int_equal(err.code, WB_EFORMAT);
        assert_true(says(&err, bad[i].says, "/model: ", NULL));
    }
}

/* Settings that ask for what the pass does not do. */
static void test_refused_settings(void **state)
{
    static const struct {
        const char *family, *changes, *says;
    } bad[] = {
        { "gpt2", "{\"scale_attn_by_inverse_layer_idx\": true}",
          "scale_attn_by_inverse_layer_idx is true" },
        { "bert", "{\"is_decoder\": true}", "is_decoder is true" },
        { "bert", "{\"position_embedding_type\": \"relative_key\"}",
          "position_embedding_type is \"relative_key\"" },
        { "gemma3_text", "{\"use_bidirectional_attention\": true}",
          "use_bidirectional_attention is true" },
        { "gemma2", "{\"layer_types\": [\"full_attention\", \"chunked_attention\"]}",
          "attention of type \"chunked_attention\" in layer 1 is not implemented" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (spec_changed(bad[i].family, NULL, bad[i].changes))
            fail_msg("%s %s: taken", bad[i].family, bad[i].changes);
        assert_int_equal(err.code, WB_EARG);
        assert_true(says(&err, bad[i].says, NULL));
    }
    must("bert", NULL, "{\"position_embedding_type\": \"absolute\", \"is_decoder\": false}");
    assert_false(spec_changed("vit", NULL, "{\"image_size\": 32}"));
    assert_int_equal(err.code, WB_ESHAPE);
    assert_true(says(&err, "images of 32 x 32 have 65 places, the tensors positions for 17", NULL));
}

static void test_guessed(void **state)
{
    cJSON *sample = sample_load("llama"), *config = cJSON_GetObjectItem(sample, "config");

    (void)state;
    checkpoint_write(sample, NULL);
    assert_false(spec_of_written(NULL));
    assert_int_equal(err.code, WB_EARG);
    assert_true(says(&err, "was told from tensor names alone", "number of heads", NULL));
    /* heads are said: good enough */
    cJSON_DeleteItemFromObject(config, "model_type");
    cJSON_DeleteItemFromObject(config, "architectures");
    checkpoint_write(sample, config);
    assert_true(spec_of_written(NULL));
    cJSON_Delete(sample);
}

static void test_acts(void **state)
{
    enum wb_act act;

    (void)state;
    assert_true(wb_act_parse("gelu_new", &act) && act == WB_ACT_GELU_TANH);
    assert_true(wb_act_parse("gelu", &act) && act == WB_ACT_GELU);
    assert_true(wb_act_parse("swish", &act) && act == WB_ACT_SILU);
    assert_false(wb_act_parse("", &act));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope_goldens),
        cmocka_unit_test(test_rope_table),
        cmocka_unit_test(test_rope_refused),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_rope_settings),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_pooling_beside),
        cmocka_unit_test(test_not_implemented),
        cmocka_unit_test(test_bad_configs),
        cmocka_unit_test(test_refused_settings),
        cmocka_unit_test(test_guessed),
        cmocka_unit_test(test_acts),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);

    wb_arena_free(&arena);
    return failed;
}
