/* tests/unit/test_adapter.c - PEFT adapters: trained ones, every variant of names and scales,
 * refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/store/adapter.h"
#include "tests/unit/store_files.h"

#define ZOO "tests/data/zoo/"
#define P "base_model.model."
#define PLAIN "\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":6"
#define SCALE_TOLERANCE 1e-12 /* one division and one square root in double */

/* A tensor of F32, written one behind the other. */
struct made {
    const char *name;
    unsigned rows, columns; /* columns 0: one dimension */
};

static void make_adapter(const char *dir, const char *config, const struct made *tensor,
                         size_t count)
{
    char json[8192] = "{";
    unsigned end = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned columns = tensor[i].columns > 0 ? tensor[i].columns : 1;
        unsigned bytes = 4 * tensor[i].rows * columns;
        char shape[50];

        sprintf(shape, tensor[i].columns > 0 ? "[%u,%u]" : "[%u]", tensor[i].rows,
                tensor[i].columns);
        sprintf(json + strlen(json),
                "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%u,%u]}",
                i > 0 ? "," : "", tensor[i].name, shape, end, end + bytes);
        end += bytes;
    }
    strcat(json, "}");
    put_safetensors(at("%s/adapter_model.safetensors", dir), json, end);
    put_text(at("%s/adapter_config.json", dir), config);
}

static struct wb_adapter *open_good(const char *dir)
{
    struct wb_err err = { 0 };
    struct wb_adapter *ad = wb_adapter_open(at("%s", dir), &err);

    if (ad == NULL)
        fail_msg("%s", err.msg);
    return ad;
}

static void check_refused(const char *dir, enum wb_code code, const char *file, const char *text)
{
    struct wb_err err = { 0 };

    if (wb_adapter_open(at("%s", dir), &err) != NULL)
        fail_msg("opened: %s", text);
    assert_true(says(&err, file, text, NULL));
    assert_int_equal(err.code, code);
}

static void test_trained_adapters(void **state)
{
    static const char *const dirs[] = { ZOO "lora-math", ZOO "lora-code" };
    struct wb_ckpt *base = wb_ckpt_open(ZOO "base", NULL);

    (void)state;
    assert_non_null(base);
    for (int d = 0; d < 2; d++) {
        struct wb_adapter *ad = wb_adapter_open(dirs[d], NULL);

        assert_non_null(ad);
        assert_int_equal(wb_adapter_count(ad), 56); /* 8 layers of 7 projections */
        for (size_t i = 0; i < 56; i++) {
            const struct wb_adapter_part *p = wb_adapter_part(ad, i);
            const struct wb_tensor_info *a = wb_ckpt_info(wb_adapter_ckpt(ad), p->a);
            const struct wb_tensor_info *b = wb_ckpt_info(wb_adapter_ckpt(ad), p->b);
            size_t k = wb_ckpt_find(base, p->target);

            assert_true(k != SIZE_MAX);
            assert_int_equal(b->shape.dim[0], wb_ckpt_info(base, k)->shape.dim[0]);
            assert_int_equal(a->shape.dim[1], wb_ckpt_info(base, k)->shape.dim[1]);
            assert_false(p->transposed || p->replace);
            assert_true(p->scale == 2); /* 16 / 8 */
        }
        wb_adapter_close(ad);
    }
    wb_ckpt_unref(base);
}

static void test_names(void **state)
{
    static const struct made t[] = {
        { P "m.q.lora_A.weight", 2, 5 },
        { P "m.q.lora_B.weight", 3, 2 },
        { P "m.k.lora_A.default.weight", 2, 5 },
        { P "m.k.lora_B.default.weight", 3, 2 },
        { P "m.v.lora_B.weight", 3, 2 },
        { P "m.v.lora_A.weight", 2, 5 },
        { "m.o.lora_A.weight", 2, 5 },
        { "m.o.lora_B.weight", 3, 2 },
        { P "emb.lora_embedding_A", 2, 9 },
        { P "emb.lora_embedding_B", 4, 2 },
        { P "emb2.lora_embedding_A.default", 2, 9 },
        { P "emb2.lora_embedding_B.default", 4, 2 },
        { P "head.weight", 9, 4 },
        { P "score.modules_to_save.weight", 2, 4 },
        { P "score.modules_to_save.default.bias", 2, 0 },
        { P "m.q.bias", 3, 0 },
        { P "m.k.base_layer.bias", 3, 0 },
    };
    static const struct {
        const char *target;
        bool replace, transposed;
        size_t a, b;
    } want[] = {
        { "head.weight", true, false, 12, 12 }, { "score.weight", true, false, 13, 13 },
        { "score.bias", true, false, 14, 14 },  { "m.q.bias", true, false, 15, 15 },
        { "m.k.bias", true, false, 16, 16 },    { "m.q.weight", false, false, 0, 1 },
        { "m.k.weight", false, false, 2, 3 },   { "m.v.weight", false, false, 5, 4 },
        { "m.o.weight", false, false, 6, 7 },   { "emb.weight", false, true, 8, 9 },
        { "emb2.weight", false, true, 10, 11 },
    };
    struct wb_adapter *ad;

    (void)state;
    make_adapter("names", "{" PLAIN ",\"bias\":\"lora_only\",\"modules_to_save\":[\"score\"]}", t,
                 sizeof t / sizeof t[0]);
    ad = open_good("names");
    assert_int_equal(wb_adapter_count(ad), sizeof want / sizeof want[0]);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const struct wb_adapter_part *p = wb_adapter_part(ad, i);

        assert_string_equal(p->target, want[i].target);
        assert_int_equal(p->replace, want[i].replace);
        assert_int_equal(p->transposed, want[i].transposed);
        assert_int_equal(p->a, want[i].a);
        assert_int_equal(p->b, want[i].b);
        assert_true(p->scale == (p->replace ? 1 : 3));
    }
    wb_adapter_close(ad);
}

static const struct made pair[] = { { P "model.layers.1.q_proj.lora_A.weight", 2, 5 },
                                    { P "model.layers.1.q_proj.lora_B.weight", 3, 2 } };

static void test_scales(void **state)
{
    static const struct {
        const char *config;
        double scale;
        bool transposed;
    } rows[] = {
        { "{" PLAIN "}", 3, false },
        { "{" PLAIN ",\"use_rslora\":true}", 4.242640687119285, false },
        { "{" PLAIN ",\"use_rslora\":false,\"fan_in_fan_out\":true}", 3, true },
        { "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":0.5}", 0.25, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"q_proj\":8}}", 4, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"k_proj\":1,\"layers.1.q_proj\":8,\"q_proj\":2}}", 4,
          false },
        { "{" PLAIN ",\"alpha_pattern\":{\"proj\":8}}", 3, false }, /* whole parts of the path */
        { "{" PLAIN ",\"alpha_pattern\":{\"model.layers.1.q_proj\":8}}", 4, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"x.model.layers.1.q_proj\":8}}", 3, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"layers\\\\.[0-3]\\\\.(q|k)_proj\":8}}", 4, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"layers\\\\.\\\\d+\\\\.q_proj\":8}}", 4, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"^model.*q_proj\":8}}", 4, false },
        { "{" PLAIN ",\"alpha_pattern\":{\"^layers.*q_proj\":8}}", 3, false },
        { "{" PLAIN ",\"alpha_pattern\":{},\"rank_pattern\":null}", 3, false },
        { "{\"peft_type\":\"LORA\",\"r\":64,\"lora_alpha\":6,\"rank_pattern\":{\"q_proj\":2}}", 3,
          false },
        { "{\"peft_type\":\"LORA\",\"r\":64,\"lora_alpha\":6,\"rank_pattern\":{\".*q_proj\":2},"
          "\"alpha_pattern\":{\"q_proj\":7},\"use_rslora\":true}",
          4.949747468305833, false },
        { "{" PLAIN ",\"use_dora\":false,\"lora_bias\":false,\"layer_replication\":null,\"modules_"
          "to_save\":null,"
          "\"target_parameters\":[],\"trainable_token_indices\":null,\"init_lora_weights\":"
          "\"gaussian\"}",
          3, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wb_adapter *ad;

        make_adapter("scale", rows[i].config, pair, 2);
        ad = open_good("scale");
        assert_int_equal(wb_adapter_count(ad), 1);
        if (fabs(wb_adapter_part(ad, 0)->scale - rows[i].scale) > SCALE_TOLERANCE)
            fail_msg("%s: scale %g", rows[i].config, wb_adapter_part(ad, 0)->scale);
        assert_int_equal(wb_adapter_part(ad, 0)->transposed, rows[i].transposed);
        wb_adapter_close(ad);
    }
}

static void test_refused_configs(void **state)
{
    static const struct {
        const char *config, *rule;
    } rows[] = {
        { "{", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{}", "no peft_type" },
        { "{\"peft_type\":\"IA3\",\"r\":2,\"lora_alpha\":6}", "peft_type IA3" },
        { "{\"peft_type\":\"PREFIX_TUNING\"}", "peft_type PREFIX_TUNING" },
        { "{\"peft_type\":7}", "no peft_type" },
        { "{" PLAIN ",\"use_dora\":true}", "use_dora: DoRA" },
        { "{" PLAIN ",\"lora_bias\":true}", "lora_bias" },
        { "{" PLAIN ",\"layer_replication\":[[0,4],[2,5]]}", "layer_replication" },
        { "{" PLAIN ",\"target_parameters\":[\"experts.w\"]}", "target_parameters" },
        { "{" PLAIN ",\"trainable_token_indices\":[1]}", "trainable_token_indices" },
        { "{" PLAIN ",\"alora_invocation_tokens\":[1]}", "alora_invocation_tokens" },
        { "{" PLAIN ",\"init_lora_weights\":\"pissa_niter_16\"}",
          "init_lora_weights: pissa_niter_16" },
        { "{\"peft_type\":\"LORA\",\"lora_alpha\":6}", "r is not a whole number" },
        { "{\"peft_type\":\"LORA\",\"r\":0,\"lora_alpha\":6}", "r is not a whole number" },
        { "{\"peft_type\":\"LORA\",\"r\":-2,\"lora_alpha\":6}", "r is not a whole number" },
        { "{\"peft_type\":\"LORA\",\"r\":2.5,\"lora_alpha\":6}", "r is not a whole number" },
        { "{\"peft_type\":\"LORA\",\"r\":1e300,\"lora_alpha\":6}", "r is not a whole number" },
        { "{\"peft_type\":\"LORA\",\"r\":2}", "lora_alpha is not a number" },
        { "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":\"6\"}", "lora_alpha is not a number" },
        { "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":1e999}", "lora_alpha is not a number" },
        { "{" PLAIN ",\"rank_pattern\":[]}", "rank_pattern is not an object" },
        { "{" PLAIN ",\"rank_pattern\":{\"q_proj\":\"x\"}}",
          "rank_pattern: the value of \"q_proj\"" },
        { "{" PLAIN ",\"alpha_pattern\":{\"(q\":1}}", "alpha_pattern: the pattern \"(q\"" },
        { "{" PLAIN ",\"alpha_pattern\":{\"(a*){50}\":1}}", "beyond what is understood" },
        { "{" PLAIN ",\"alpha_pattern\":{\"(a)\\\\1\":1}}", "beyond what is understood" },
        { "{" PLAIN ",\"alpha_pattern\":{\"(?!a)q\":1}}", "beyond what is understood" },
        { "{" PLAIN ",\"alpha_pattern\":{\"q\\\\\":1}}", "beyond what is understood" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_adapter("config", rows[i].config, pair, 2);
        check_refused("config", WB_EFORMAT, "config/adapter_config.json", rows[i].rule);
    }
}

static void test_refused_tensors(void **state)
{
    static const struct {
        struct made t[3];
        enum wb_code code;
        const char *rule;
    } rows[] = {
        { { { P "q.lora_A.weight", 2, 5 } },
          WB_EFORMAT,
          "tensor '" P "q.lora_A.weight': an A without its B" },
        { { { P "q.lora_B.weight", 3, 2 } },
          WB_EFORMAT,
          "tensor '" P "q.lora_B.weight': a B without its A" },
        { { { P "q.lora_A.weight", 2, 5 }, { P "k.lora_B.weight", 3, 2 } },
          WB_EFORMAT,
          "without its" },
        { { { P "q.lora_embedding_A", 2, 5 }, { P "q.lora_B.weight", 3, 2 } },
          WB_EFORMAT,
          "without its" },
        { { { P "q.lora_A.weight", 2, 5 },
            { P "q.lora_A.default.weight", 2, 5 },
            { P "q.lora_B.weight", 3, 2 } },
          WB_EFORMAT,
          "a second one for the same module" },
        { { { P "q.weight", 2, 5 }, { "q.weight", 2, 5 } },
          WB_EFORMAT,
          "a second one for the same module" },
        { { { P "q.lora_A.weight", 2, 5 }, { P "q.lora_B.weight", 3, 4 } },
          WB_ESHAPE,
          "do not fit" },
        { { { P "q.lora_A.weight", 4, 5 }, { P "q.lora_B.weight", 3, 4 } },
          WB_ESHAPE,
          "A has 4 rows, the configuration says r = 2" },
        { { { P "q.lora_A.weight", 2, 0 }, { P "q.lora_B.weight", 3, 2 } },
          WB_ESHAPE,
          "only matrices" },
        { { { P "q.lora_magnitude_vector", 3, 0 } }, WB_EFORMAT, "DoRA" },
        { { { P "q.lora_magnitude_vector.default.weight", 3, 0 } }, WB_EFORMAT, "DoRA" },
        { { { P "q.lora_B.bias", 3, 0 } }, WB_EFORMAT, "lora_bias" },
        { { { P "q.lora_E", 3, 1 } }, WB_EFORMAT, "'" P "q.lora_E'" },
        { { { P "q.lora_A.a.b.weight", 2, 5 } }, WB_EFORMAT, "not a part of an adapter" },
        { { { ".lora_A.weight", 2, 5 } }, WB_EFORMAT, "not a part of an adapter" },
        { { { P "e.token_adapter.trainable_tokens_delta", 2, 5 } },
          WB_EFORMAT,
          "not a part of an adapter" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = 0;

        while (n < 3 && rows[i].t[n].name != NULL)
            n++;
        make_adapter("tensors", "{" PLAIN "}", rows[i].t, n);
        check_refused("tensors", rows[i].code, "tensors/adapter_model.safetensors", rows[i].rule);
    }
    make_adapter("tensors", "{" PLAIN "}", NULL, 0);
    check_refused("tensors", WB_EFORMAT, "tensors/adapter_model.safetensors", "an empty adapter");
    make_adapter("tensors", "{" PLAIN "}", pair, 2);
    put_safetensors(
        at("tensors/adapter_model.safetensors"),
        "{\"q.lora_A.weight\":{\"dtype\":\"I8\",\"shape\":[2,5],\"data_offsets\":[0,10]},"
        "\"q.lora_B.weight\":{\"dtype\":\"I8\",\"shape\":[3,2],\"data_offsets\":[10,16]}}",
        16);
    check_refused("tensors", WB_ESHAPE, "tensors/adapter_model.safetensors",
                  "not types to compute with");
}

static void test_missing_files(void **state)
{
    (void)state;
    check_refused("none", WB_ENOTFOUND, "none", "no directory of a PEFT adapter");
    at("none/x");
    check_refused("none", WB_ENOTFOUND, "none/adapter_config.json", "no PEFT adapter");
    put_text(at("none/adapter_config.json"), "{" PLAIN "}");
    check_refused("none", WB_ENOTFOUND, "none", "no adapter_model.safetensors");
    put_text(at("none/adapter_model.bin"), "PK");
    check_refused("none", WB_EFORMAT, "none/adapter_model.bin",
                  "a PyTorch file; this version reads safetensors");
    put_safetensors(at("none/adapter_model.safetensors"), "{\"x\":{}}", 0);
    check_refused("none", WB_EFORMAT, "none/adapter_model.safetensors", "tensor 'x'");
}

/* A module's trained weights and a product on top of them: the replacement has to come first. */
static void test_replacements_come_first(void **state)
{
    static const struct made t[] = { { P "e.lora_embedding_A", 2, 9 },
                                     { P "e.lora_embedding_B", 4, 2 },
                                     { P "e.base_layer.weight", 9, 4 } };
    struct wb_adapter *ad;

    (void)state;
    make_adapter("order", "{" PLAIN "}", t, 3);
    ad = open_good("order");
    assert_int_equal(wb_adapter_count(ad), 2);
    assert_true(wb_adapter_part(ad, 0)->replace);
    assert_false(wb_adapter_part(ad, 1)->replace);
    assert_string_equal(wb_adapter_part(ad, 0)->target, "e.weight");
    assert_string_equal(wb_adapter_part(ad, 1)->target, "e.weight");
    wb_adapter_close(ad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trained_adapters),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_refused_configs),
        cmocka_unit_test(test_refused_tensors),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_replacements_come_first),
    };

    return cmocka_run_group_tests(tests, files_begin, files_end);
}
