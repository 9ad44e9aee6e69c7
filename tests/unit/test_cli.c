/* tests/unit/test_cli.c - the program from outside: arguments, output, exit codes, signals.
 *
 * WEIGHTBENCH names the program (./weightbench without). Models are the tiny ones of
 * tests/data/zoo; expected figures were worked out from their bytes by a script of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"

#define ZOO "tests/data/zoo/"
#define EVAL ZOO "eval/"
#define ARGS_MAX 32
#define NEAR 1e-9         /* figures are sums of doubles in another order */
#define WAIT_STEPS 120000 /* of 0.5 ms */

static char root[150];

struct outcome {
    int code;
    char *out, *err; /* owned: outcome_free */
};

static void outcome_free(struct outcome *o)
{
    free(o->out);
    free(o->err);
}

static char *get_text(const char *path)
{
    struct wb_err err;
    char *text = wb_read_file(path, (size_t)1 << 28, NULL, &err);

    if (text == NULL)
        fail_msg("%s", err.msg);
    return text;
}

/* Paths below the directory of this program's run; a few at a time. */
static const char *at(const char *name)
{
    static char path[8][300];
    static int next;

    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", root, name);
    return path[next];
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Start the program with arguments that are separated by spaces, its output into files. */
static pid_t start(const char *args, const char *out)
{
    static char copy[4000];
    char *argv[ARGS_MAX + 2] = { NULL };
    const char *program = getenv("WEIGHTBENCH");
    int n = 1;
    pid_t pid;

    argv[0] = (char *)(program != NULL ? program : "./weightbench");
    snprintf(copy, sizeof copy, "%s", args);
    for (char *word = strtok(copy, " "); word != NULL && n <= ARGS_MAX; word = strtok(NULL, " "))
        argv[n++] = word;
    fflush(stdout);
    pid = fork();
    if (pid != 0)
        return pid;
    if (freopen("/dev/null", "r", stdin) == NULL || freopen(out, "w", stdout) == NULL ||
        freopen(at("stderr"), "w", stderr) == NULL)
        _exit(126);
    execv(argv[0], argv);
    _exit(127);
}

static struct outcome finish(pid_t pid)
{
    struct outcome o;
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    o.out = get_text(at("stdout"));
    o.err = get_text(at("stderr"));
    return o;
}

__attribute__((format(printf, 1, 2))) static struct outcome run(const char *fmt, ...)
{
    char args[4000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    return finish(start(args, at("stdout")));
}

/* The one JSON object of a command that has to work. */
__attribute__((format(printf, 1, 2))) static cJSON *run_json(const char *fmt, ...)
{
    char args[4000];
    struct outcome o;
    struct wb_err err;
    cJSON *json;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    o = finish(start(args, at("stdout")));
    if (o.code != 0)
        fail_msg("%s: exit %d: %s", args, o.code, o.err);
    json = wb_json_parse(o.out, strlen(o.out), &err);
    if (json == NULL)
        fail_msg("%s: %s: %s", args, err.msg, o.out);
    assert_true(cJSON_IsObject(json));
    outcome_free(&o);
    return json;
}

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

    if (value == NULL)
        fail_msg("no key '%s'", key);
    return value;
}

static void near(const cJSON *object, const char *key, double want)
{
    double got = wb_json_number(object, key, NAN);

    if (!(fabs(got - want) <= NEAR * fmax(1, fabs(want))))
        fail_msg("%s is %.12g, not %.12g", key, got, want);
}

/* The item of an array whose "name" it is. */
static const cJSON *named(const cJSON *array, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array)
        if (strcmp(wb_json_text(item, "name", ""), name) == 0)
            return item;
    fail_msg("no %s", name);
    return NULL;
}

static void put_text(const char *path, const char *text)
{
    struct wb_err err;

    if (!wb_write_file(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "%s/wb-test-cli-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(root) == NULL)
        return -1;
    put_text(at("scale.lua"), "local s = wb.knob('scale', 1, {min = 0, max = 2, doc = 'factor'})\n"
                              "return wb.open('" ZOO "math'):map(function(t) return t * s end)\n");
    put_text(at("slow.lua"), "local n = wb.knob('rounds', 30, {min = 0, max = 1000})\n"
                             "return wb.open('" ZOO "math'):map(function(t)\n"
                             "  for i = 1, n do t = t:exp():log() end\n"
                             "  return t\nend)\n");
    put_text(at("broken.lua"), "local x = nil\nreturn x.y\n");
    put_text(at("nothing.lua"), "return 3\n");
    put_text(at("missing.lua"), "return wb.open('no/such/model')\n");
    return 0;
}

/* A model of the zoo as this name, without its tokenizer. */
static void link_weights(const char *from, const char *name)
{
    static const char *const files[] = { "config.json", "model.safetensors" };
    char here[4000], target[4500], link[400];

    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(mkdir(at(name), 0777), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(target, sizeof target, "%s/" ZOO "%s/%s", here, from, files[i]);
        snprintf(link, sizeof link, "%s/%s/%s", root, name, files[i]);
        assert_int_equal(symlink(target, link), 0);
    }
}

static int teardown(void **state)
{
    struct wb_err err;

    (void)state;
    return wb_remove_tree(root, &err) ? 0 : -1;
}

/* Usage */

static void test_usage(void **state)
{
    static const struct {
        const char *args;
        int code;
        const char *out, *err; /* parts of them; NULL: empty */
    } cases[] = {
        { "", 2, NULL, "terminal" },
        { "--help", 0, "usage: weightbench", NULL },
        { "-h", 0, "similarity", NULL },
        { "help", 0, "weightbench help COMMAND", NULL },
        { "--version", 0, "kernels", NULL },
        { "-V", 0, "blas", NULL },
        { "help run", 0, "--shard-size SIZE", NULL },
        { "run --help", 0, "--shard-size SIZE", NULL },
        { "run x -o y --help", 0, "--shard-size SIZE", NULL },
        { "help nosuch", 2, NULL, "no command 'nosuch'" },
        { "help similarty", 2, NULL, "did you mean 'similarity'" },
        { "help eval", 0, "--window N", NULL },
        { "help generate", 0, "--temperature T", NULL },
        { "--json", 2, NULL, "unknown option" },
        { "shwo " ZOO "math", 2, NULL, "did you mean 'show'" },
        { "nonsense", 2, NULL, "no command 'nonsense'" },
        { ZOO "math", 2, NULL, "terminal" },
        { "workbench " ZOO "math", 2, NULL, "terminal" },
        { "no/such/pipeline.lua", 2, NULL, "terminal" },
        { "--size 100", 2, NULL, "COLSxROWS" },
        { "--size 100x", 2, NULL, "COLSxROWS" },
        { "--size 100x30x", 2, NULL, "COLSxROWS" },
        { "--size 100x+30", 2, NULL, "COLSxROWS" },
        { "--size 0x30", 2, NULL, "COLSxROWS" },
        { "--size 1001x30", 2, NULL, "COLSxROWS" },
        { "--size 99999999999999999999x30", 2, NULL, "COLSxROWS" },
        { "--color purple " ZOO "math", 2, NULL, "not one of auto" },
        { "eval " ZOO "math", 2, NULL, "one of --text, --tasks and --images" },
        { "eval " ZOO "math --text x --tasks y", 2, NULL, "one of --text" },
        { "eval --text x", 2, NULL, "needs MODEL" },
        { "eval " ZOO "math --tasks x --window 3", 2, NULL, "--window is for --text" },
        { "eval " ZOO "math --text x --window 0", 2, NULL, "whole number from 1" },
        { "eval " ZOO "math --text x --limit 2.5", 2, NULL, "whole number from 1" },
        { "eval x.lua --text y --set scale", 2, NULL, "KNOB=VALUE" },
        { "eval " ZOO "math --text x --set a=1", 1, NULL, "the knobs of a pipeline" },
        { "eval " ZOO "math --text no/such/text", 1, NULL, "no/such/text" },
        { "eval no/such/model --text x", 1, NULL, "no/such/model" },
        { "eval no/such.lua --text x", 1, NULL, "no/such.lua" },
        { "eval " ZOO "vit-digits --text README.md", 1, NULL, "it looks at images" },
        { "eval " ZOO "math --images " EVAL "vit-digits.safetensors", 1, NULL, "sees no images" },
        { "eval " ZOO "vit-digits --images " ZOO "math", 1, NULL, "'images' and 'labels'" },
        { "eval " ZOO "vit-base --images " EVAL "vit-digits.safetensors", 1, NULL, "classifier" },
        { "eval " ZOO "vit-parity --images " EVAL "vit-digits.safetensors", 1, NULL, "2 classes" },
        { "eval tests/data/infer/bert --text README.md", 1, NULL, "it is an encoder" },
        { "generate " ZOO "math", 2, NULL, "needs --prompt" },
        { "generate " ZOO "math --prompt x -n 0", 2, NULL, "whole number from 1" },
        { "generate " ZOO "math --prompt x --temperature -1", 2, NULL, "number from 0 to 100" },
        { "generate " ZOO "math --prompt x --temperature 0x1", 2, NULL, "number from 0 to 100" },
        { "generate " ZOO "math --prompt x --top-p nan", 2, NULL, "number from 0 to 1" },
        { "generate " ZOO "math --prompt x --seed -1", 2, NULL, "whole number from 0" },
        { "generate " ZOO "vit-base --prompt x", 1, NULL, "tokenizer" },
        { "generate " ZOO "math --prompt 20+32= -n 2", 0, "52\n", NULL },
        { "generate " ZOO "math --prompt= -n 1", 0, "\n", NULL },
        { "help heads", 0, "--ablate", NULL },
        { "heads", 2, NULL, "needs MODEL" },
        { "heads " ZOO "math --stat nosuch", 2, NULL, "not one of entropy" },
        { "heads " ZOO "math --ablate", 2, NULL, "--ablate needs --text" },
        { "heads " ZOO "math --stat sink", 1, NULL, "sink is of a text" },
        { "heads " ZOO "math --text no/such/text", 1, NULL, "no/such/text" },
        { "heads " ZOO "math --images x", 1, NULL, "sees no images" },
        { "heads " ZOO "vit-digits --text README.md", 1, NULL, "looks at images" },
        { "heads x.lua --set scale", 2, NULL, "KNOB=VALUE" },
        { "similarity " ZOO "math --text no/such/text", 1, NULL, "no/such/text" },
        { "similarity " ZOO "math --text x --metric sign", 2, NULL, "is of weights" },
        { "similarity " ZOO "math --text x --base y", 2, NULL, "--base is of the weights" },
        { "similarity " ZOO "math " ZOO "german --text x", 2, NULL, "one model at a time" },
        { "similarity " ZOO "math " ZOO "german --window 5", 2, NULL, "needs --text" },
        { "similarity " ZOO "math " ZOO "german --metric cka", 2, NULL, "needs --text" },
        { "similarity " ZOO "math", 2, NULL, "two models" },
        { "similarity a b --metric nosuch", 2, NULL, "not one of cosine" },
        { "show", 2, NULL, "needs MODEL" },
        { "show a b", 2, NULL, "one argument too many" },
        { "diff a", 2, NULL, "needs A B" },
        { "verify", 2, NULL, "usage: weightbench verify" },
        { "show " ZOO "math --jsn", 2, NULL, "did you mean --json" },
        { "show --nosuch " ZOO "math", 2, NULL, "unknown option --nosuch" },
        { "show -x " ZOO "math", 2, NULL, "unknown option -x" },
        { "show --json=1 " ZOO "math", 2, NULL, "takes no value" },
        { "tensors " ZOO "math --match", 2, NULL, "needs a value" },
        { "tensors " ZOO "math --threads 0 --stats", 2, NULL, "whole number from 1" },
        { "tensors " ZOO "math --threads two --stats", 2, NULL, "whole number from 1" },
        { "tensors " ZOO "math --memory lots", 2, NULL, "is not a size" },
        { "run", 2, NULL, "needs PIPELINE" },
        { "run x.lua", 2, NULL, "needs -o OUT" },
        { "run x.yml -o y", 2, NULL, "not in this version" },
        { "run x.lua -o y --dtype I8", 2, NULL, "not a type that can be written" },
        { "run x.lua -o y --dtype nosuch", 2, NULL, "not a type that can be written" },
        { "run x.lua -o y --report perhaps", 2, NULL, "not one of sample, exact, none" },
        { "run x.lua -o y --set scale", 2, NULL, "KNOB=VALUE" },
        { "run x.lua -o y --shard-size 0", 2, NULL, "more than 0" },
        { "show no/such/model", 1, NULL, "no/such/model" },
        { "show -- --json", 1, NULL, "--json" },
        { "show " ZOO, 1, NULL, "error" },
        { "diff " ZOO "math no/such", 1, NULL, "no/such" },
        { "verify " ZOO "math", 1, NULL, "weightbench.json" },
        { "plugins nosuch", 1, NULL, "no plugin 'nosuch'" },
        { "tensors " ZOO "math --match nothing*", 1, NULL, "none of 74 tensors" },
        { "show " ZOO "math", 0, "llama", NULL },
        { "show " ZOO "vit-base", 0, "vit", NULL },
        { "tensors --match=*norm* " ZOO "math", 0, "attn_norm", NULL },
        { "tensors " ZOO "math --stats --threads=2 --memory 64MiB", 0, "absmax", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = run("%s", cases[i].args);

        if (o.code != cases[i].code)
            fail_msg("'%s': exit %d, not %d: %s", cases[i].args, o.code, cases[i].code, o.err);
        if (cases[i].out == NULL ? o.out[0] != '\0' : strstr(o.out, cases[i].out) == NULL)
            fail_msg("'%s': stdout is '%s'", cases[i].args, o.out);
        if (cases[i].err == NULL ? o.err[0] != '\0' : strstr(o.err, cases[i].err) == NULL)
            fail_msg("'%s': stderr is '%s'", cases[i].args, o.err);
        outcome_free(&o);
    }
}

/* The manual page names every command and option. */
static void test_manual(void **state)
{
    char *manual = get_text("app/cli/weightbench.1"), *line, *save, plain[200];
    struct outcome commands = run("help --list");

    (void)state;
    for (line = strtok_r(commands.out, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct outcome o;
        char *option, *rest;

        line[strcspn(line, "\t")] = '\0';
        snprintf(plain, sizeof plain, "\\fBweightbench %s", line);
        if (strstr(manual, plain) == NULL)
            fail_msg("the manual does not have the command %s", line);
        o = run("help --list %s", line);
        for (option = strtok_r(o.out, "\n", &rest); option != NULL;
             option = strtok_r(NULL, "\n", &rest)) {
            size_t n = 0;

            option[strcspn(option, "\t")] = '\0';
            for (const char *p = option; *p != '\0' && n + 3 < sizeof plain; p++) {
                if (*p == '-')
                    plain[n++] = '\\';
                plain[n++] = *p;
            }
            plain[n] = '\0';
            if (strstr(manual, plain) == NULL)
                fail_msg("the manual does not have %s of %s", option, line);
        }
        outcome_free(&o);
    }
    outcome_free(&commands);
    free(manual);
}

/* Looking */

static void test_show_json(void **state)
{
    cJSON *json = run_json("show --json %s", ZOO "math");

    (void)state;
    assert_string_equal(wb_json_text(json, "family", ""), "llama");
    near(json, "parameters", 1673344);
    near(json, "bytes", 3346688);
    near(get(json, "dtypes"), "BF16", 74);
    near(json, "layers", 8);
    near(json, "heads", 4);
    near(json, "kv_heads", 2);
    near(json, "hidden", 128);
    near(json, "vocab", 1536);
    near(json, "tensors", 74);
    cJSON_Delete(json);
    json = run_json("show %s --json", ZOO "vit-base");
    assert_true(cJSON_IsNull(get(json, "vocab")));
    cJSON_Delete(json);
}

static void test_tensors_json(void **state)
{
    cJSON *json = run_json("tensors --json %s --match=*.layers.3.*", ZOO "math");
    const cJSON *t = named(get(json, "tensors"), "model.layers.3.mlp.up_proj.weight");

    (void)state;
    assert_int_equal(cJSON_GetArraySize(get(json, "tensors")), 9);
    assert_string_equal(wb_json_text(t, "role", ""), "up");
    assert_string_equal(wb_json_text(t, "dtype", ""), "BF16");
    near(t, "layer", 3);
    near(t, "bytes", 90112);
    assert_int_equal(cJSON_GetArraySize(get(t, "shape")), 2);
    assert_null(cJSON_GetObjectItem(t, "mean"));
    cJSON_Delete(json);
    json = run_json("tensors --json --stats %s", ZOO "math");
    t = named(get(json, "tensors"), "model.layers.3.mlp.up_proj.weight");
    near(t, "mean", -0.000341678404);
    near(t, "std", 0.1245034902);
    near(t, "absmax", 0.5546875);
    near(t, "l2", 26.42770669);
    near(t, "sparsity", 0);
    near(t, "nan", 0);
    near(t, "inf", 0);
    t = named(get(json, "tensors"), "model.norm.weight");
    assert_true(cJSON_IsNull(get(t, "layer")));
    cJSON_Delete(json);
}

static void test_diff_json(void **state)
{
    cJSON *json = run_json("diff --json %s %s --threads 3", ZOO "math", ZOO "german");
    const cJSON *t = named(get(json, "tensors"), "model.layers.3.mlp.up_proj.weight"), *l;

    (void)state;
    near(t, "l2", 6.021747412);
    near(t, "relative_l2", 0.2278573576);
    near(t, "cosine", 0.9745230766);
    near(t, "sign_agreement", 0.9300648082);
    near(t, "max_abs", 0.1472167969);
    assert_int_equal(cJSON_GetArraySize(get(json, "layers")), 8);
    l = cJSON_GetArrayItem(get(json, "layers"), 3);
    near(l, "layer", 3);
    near(l, "relative_l2", 0.2386641014);
    near(l, "cosine", 0.9718071246);
    assert_int_equal(cJSON_GetArraySize(get(json, "only_a")), 0);
    cJSON_Delete(json);
    json = run_json("diff --json %s %s", ZOO "math", ZOO "math"); /* nothing changed */
    near(get(json, "total"), "relative_l2", 0);
    near(get(json, "total"), "cosine", 1);
    cJSON_Delete(json);
    json = run_json("diff --json %s %s", ZOO "vit-digits", ZOO "vit-parity"); /* 10 and 2 classes */
    assert_int_equal(cJSON_GetArraySize(get(json, "mismatched")), 2);
    cJSON_Delete(json);
    json = run_json("diff --json %s %s", ZOO "math", ZOO "vit-digits");
    assert_int_equal(cJSON_GetArraySize(get(json, "only_a")), 74);
    assert_int_equal(cJSON_GetArraySize(get(json, "only_b")), 104);
    assert_true(cJSON_IsNull(get(get(json, "total"), "cosine")));
    cJSON_Delete(json);
}

static void test_similarity_json(void **state)
{
    cJSON *json = run_json("similarity --json %s %s", ZOO "math", ZOO "german");
    const cJSON *columns = get(json, "columns"), *matrix = get(json, "matrix"), *row;
    int up = 0;

    (void)state;
    assert_int_equal(cJSON_GetArraySize(get(json, "rows")), 9);
    assert_int_equal(cJSON_GetArraySize(matrix), 9);
    assert_string_equal(cJSON_GetArrayItem(get(json, "rows"), 8)->valuestring, "non-layer");
    while (up < cJSON_GetArraySize(columns) &&
           strcmp(cJSON_GetArrayItem(columns, up)->valuestring, "up") != 0)
        up++;
    row = cJSON_GetArrayItem(matrix, 3);
    assert_int_equal(cJSON_GetArraySize(row), cJSON_GetArraySize(columns));
    assert_true(fabs(cJSON_GetArrayItem(row, up)->valuedouble - 0.9745230766) < NEAR);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetArrayItem(matrix, 8), up)));
    cJSON_Delete(json);
    /* Both minus one of them: 0 against something has no cosine. */
    json = run_json("similarity --json %s %s --base %s", ZOO "math", ZOO "german", ZOO "math");
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetArrayItem(get(json, "matrix"), 3), 0)));
    cJSON_Delete(json);
}

/* Names may hold anything; a terminal must not see escapes. */
static void test_hostile_name(void **state)
{
    static const char header[] = "{\"\\u001b[31mred\\nline\\u009b\":{\"dtype\":\"F32\",\"shape\":["
                                 "1],\"data_offsets\":[0,4]}}";
    uint8_t file[8 + sizeof header - 1 + 4] = { sizeof header - 1 };
    struct wb_err err;
    struct outcome o;
    cJSON *json;

    (void)state;
    memcpy(file + 8, header, sizeof header - 1);
    assert_true(wb_write_file(at("hostile.safetensors"), file, sizeof file, &err));
    o = run("tensors %s", at("hostile.safetensors"));
    assert_int_equal(o.code, 0);
    assert_null(strchr(o.out, '\033'));
    assert_null(strstr(o.out, "\xC2\x9B"));
    assert_non_null(strstr(o.out, "?[31mred?line??"));
    outcome_free(&o);
    json = run_json("tensors --json %s", at("hostile.safetensors"));
    assert_string_equal(wb_json_text(cJSON_GetArrayItem(get(json, "tensors"), 0), "name", ""),
                        "\033[31mred\nline\xC2\x9B");
    cJSON_Delete(json);
}

/* Running */

static void test_run(void **state)
{
    cJSON *json = run_json("run %s -o %s --json --set scale=0.5", at("scale.lua"), at("out"));
    struct outcome o;

    (void)state;
    near(json, "tensors", 74);
    near(json, "parameters", 1673344);
    assert_true(wb_json_number(json, "bytes_in", 0) >= 3346688);
    assert_true(wb_json_number(json, "bytes_out", 0) >= 3346688);
    assert_true(wb_json_number(json, "seconds", 0) > 0);
    assert_true(wb_json_number(json, "peak_rss_bytes", 0) > 0);
    assert_non_null(cJSON_GetObjectItem(get(json, "files"), "config.json"));
    assert_non_null(cJSON_GetObjectItem(get(json, "files"), "scale.lua"));
    cJSON_Delete(json);
    json = run_json("diff --json %s %s", ZOO "math", at("out"));
    near(get(json, "total"), "relative_l2", 0.5);
    cJSON_Delete(json);
    json = run_json("verify --json %s", at("out"));
    assert_true(cJSON_IsTrue(get(json, "ok")));
    cJSON_Delete(json);
    o = run("run %s -o %s", at("scale.lua"), at("out"));
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.err, "--force"));
    outcome_free(&o);
    o = run("run %s -o %s --force --dtype f16 --shard-size 1MB --sha256", at("scale.lua"),
            at("out"));
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "model.safetensors.index.json"));
    outcome_free(&o);
    o = run("verify %s", at("out"));
    assert_int_equal(o.code, 0);
    outcome_free(&o);
}

/* One changed byte is found. */
static void test_verify(void **state)
{
    int fd = open(at("out/model-00002-of-00004.safetensors"), O_RDWR);
    struct outcome o;
    uint8_t byte = 0;

    (void)state;
    assert_true(fd >= 0 && pread(fd, &byte, 1, 500000) == 1);
    byte ^= 1;
    assert_true(pwrite(fd, &byte, 1, 500000) == 1 && close(fd) == 0);
    o = run("verify --json %s", at("out"));
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.out, "\"ok\":false"));
    outcome_free(&o);
    o = run("verify %s", at("out"));
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.out, "not the bytes that were written"));
    outcome_free(&o);
}

static void test_run_failures(void **state)
{
    static const struct {
        const char *script, *options, *err;
    } cases[] = {
        { "nosuch.lua", "", "nosuch.lua" },
        { "broken.lua", "", "broken.lua:2" },
        { "nothing.lua", "", "returns a model" },
        { "missing.lua", "", "no/such/model" },
        { "scale.lua", "--set nosuch=1", "no knob 'nosuch'" },
        { "scale.lua", "--set scale=high", "is a number" },
        { "scale.lua", "--set scale=3", "[0, 2]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o =
            run("run %s -o %s %s", at(cases[i].script), at("failed"), cases[i].options);

        assert_int_equal(o.code, 1);
        if (strstr(o.err, cases[i].err) == NULL)
            fail_msg("%s %s: %s", cases[i].script, cases[i].options, o.err);
        assert_string_equal(o.out, "");
        assert_false(exists(at("failed")));
        outcome_free(&o);
    }
}

static void test_dry_run(void **state)
{
    cJSON *json = run_json("run %s --dry-run --json", at("scale.lua"));
    struct outcome o;

    (void)state;
    assert_true(cJSON_IsTrue(get(json, "ok")));
    near(json, "tensors", 74);
    near(json, "bytes_out", 3346688);
    near(json, "shards", 1);
    assert_int_equal(cJSON_GetArraySize(get(json, "problems")), 0);
    cJSON_Delete(json);
    o = run("run %s --dry-run -o %s", at("scale.lua"), at("never"));
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "no problems"));
    assert_false(exists(at("never")) || exists(at(".never.part")));
    outcome_free(&o);
    o = run("run %s --dry-run --json -o %s", at("scale.lua"), at("out"));
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.out, "\"ok\":false"));
    assert_non_null(strstr(o.out, "exists"));
    outcome_free(&o);
    o = run("run %s --dry-run --json", at("broken.lua"));
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.out, "broken.lua:2"));
    outcome_free(&o);
    o = run("run %s --dry-run --force -o %s", at("scale.lua"), ZOO "math"); /* the source */
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.out, "source"));
    outcome_free(&o);
}

/* Where output cannot go */

static void test_full_output(void **state)
{
    struct outcome o;
    int status, pipes[2];
    pid_t pid;

    (void)state;
    pid = start("tensors " ZOO "math", "/dev/full");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    o.err = get_text(at("stderr"));
    assert_non_null(strstr(o.err, "writing the results"));
    free(o.err);
    /* A reader that left is no error, and no signal either. */
    assert_int_equal(pipe(pipes), 0);
    close(pipes[0]);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        const char *program = getenv("WEIGHTBENCH");

        dup2(pipes[1], STDOUT_FILENO);
        execl(program != NULL ? program : "./weightbench", "weightbench", "tensors", ZOO "math",
              NULL);
        _exit(127);
    }
    close(pipes[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What models do */

static void test_eval_json(void **state)
{
    cJSON *text =
              run_json("eval " ZOO "math --text " EVAL "german.txt --window 127 --limit 4 --json"),
          *all = run_json("eval " ZOO "math --text " EVAL "german.txt --limit 1 --json"),
          *tasks = run_json("eval " ZOO "math --tasks " EVAL "math.jsonl --limit 20 --json"),
          *images = run_json("eval " ZOO "vit-digits --images " EVAL
                             "vit-digits.safetensors --limit 64 --threads 1 --json");

    (void)state;
    near(text, "tokens", 4 * 127);
    near(text, "windows", 4);
    near(text, "window", 127);
    near(text, "bos", 0);
    near(text, "text_tokens", 3759);
    near(text, "perplexity", exp(wb_json_number(text, "nll", NAN)));
    assert_true(wb_json_number(text, "nll_error", -1) > 0);
    assert_true(cJSON_IsFalse(get(text, "nonfinite")));
    near(all, "window", 255);                         /* the context less one */
    assert_true(cJSON_IsNull(get(all, "nll_error"))); /* one window tells nothing of it */
    near(tasks, "items", 20);
    near(tasks, "exact_match", 1);
    near(tasks, "exact_match_error", 0);
    assert_true(wb_json_number(tasks, "answer_nll", 9) < 0.1);
    near(images, "items", 64);
    assert_true(wb_json_number(images, "accuracy", 0) > 0.9);
    cJSON_Delete(text);
    cJSON_Delete(all);
    cJSON_Delete(tasks);
    cJSON_Delete(images);
}

/* A model that is not written is scored as the one that is. */
static void test_eval_unwritten(void **state)
{
    static const char *const ask = "--text " EVAL "english.txt --limit 4 --json";
    struct outcome made = run("run %s -o %s --set scale=0.9", at("scale.lua"), at("scored")),
                   one = run("eval %s --set scale=0.9 %s", at("scale.lua"), ask),
                   two = run("eval %s %s --threads 1 --memory 1MB", at("scored"), ask),
                   other = run("eval %s %s", at("scale.lua"), ask);

    (void)state;
    assert_int_equal(made.code, 0);
    assert_int_equal(one.code, 0);
    assert_string_equal(one.out, two.out);
    assert_string_not_equal(one.out, other.out);
    outcome_free(&made);
    outcome_free(&one);
    outcome_free(&two);
    outcome_free(&other);
}

/* Number [i][j] of a key's grid. */
static double cell(const cJSON *json, const char *key, int i, int j)
{
    const cJSON *x = cJSON_GetArrayItem(cJSON_GetArrayItem(get(json, key), i), j);

    assert_non_null(x);
    return cJSON_IsNull(x) ? (double)NAN : x->valuedouble;
}

#define WINDOWS " --text " EVAL "english.txt --window 127 --limit 8 "

/* The figures that the zoo has of these very windows. */
static void test_states_json(void **state)
{
    cJSON *cka = run_json("similarity " ZOO "base" WINDOWS "--json"),
          *cosine = run_json("similarity " ZOO "base" WINDOWS "--json --metric cosine --rows 64"),
          *images = run_json("similarity " ZOO "vit-base --images " EVAL
                             "vit-digits.safetensors --limit 30 --json");
    struct outcome csv = run("similarity " ZOO "base" WINDOWS "--csv");

    (void)state;
    assert_string_equal(wb_json_text(cka, "metric", ""), "cka");
    assert_int_equal(cJSON_GetArraySize(get(cka, "labels")), 9);
    assert_string_equal(cJSON_GetArrayItem(get(cka, "labels"), 0)->valuestring, "embedding");
    near(cka, "tokens", 1024);
    near(cka, "window", 127);
    near(cka, "windows", 8);
    near(cka, "bos", 0);
    near(cka, "cka_rows", 1024);
    near(cka, "nonfinite_rows", 0);
    assert_true(fabs(cell(cka, "matrix", 0, 1) - 0.5348829) < 1e-4);
    assert_int_equal(cJSON_GetArraySize(get(cka, "influence")), 8);
    assert_true(fabs(cJSON_GetArrayItem(get(cka, "influence"), 0)->valuedouble - 0.9435599) < 1e-4);
    near(cosine, "cka_rows", 64);
    assert_true(fabs(cell(cosine, "matrix", 1, 2) - 0.9477488) < 1e-4);
    near(images, "tokens", 30 * 17);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(images, "window")) ||
                cJSON_GetObjectItem(images, "window") == NULL);
    assert_int_equal(csv.code, 0);
    assert_int_equal(strncmp(csv.out, "cka,embedding,0,1,2,3,4,5,6,7,influence,", 40), 0);
    outcome_free(&csv);
    cJSON_Delete(cka);
    cJSON_Delete(cosine);
    cJSON_Delete(images);
}

static void test_heads_json(void **state)
{
    cJSON *all = run_json("heads " ZOO "base" WINDOWS "--json"),
          *one = run_json("heads " ZOO "base --stat copying --stat induction --json --threads 1"),
          *images = run_json("heads " ZOO "vit-digits --images " EVAL
                             "vit-digits.safetensors --limit 20 --json"),
          *ablated = run_json("heads " ZOO "base --text " EVAL
                              "english.txt --limit 1 --window 60 --stat sink --ablate --json");
    struct outcome csv = run("heads " ZOO "base --csv");

    (void)state;
    near(all, "layers", 8);
    near(all, "heads", 4);
    near(all, "kv_heads", 2);
    near(all, "tokens", 1024);
    assert_true(fabs(cell(all, "entropy", 0, 0) - 1.8220661) < 1e-4);
    assert_true(fabs(cell(all, "distance", 0, 0) - 25.5575424) < 1e-3);
    assert_true(cell(all, "sink", 7, 3) > 0);
    assert_true(isnan(cell(all, "reuse", 0, 0)));
    assert_int_equal(cJSON_GetArraySize(get(all, "roles")), 8);
    assert_int_equal(cJSON_GetArraySize(get(all, "priority")), 32);
    assert_int_equal(cJSON_GetArraySize(get(all, "group_similarity_k")), 8);
    assert_true(cJSON_IsFalse(get(all, "nonfinite")));
    assert_true(cJSON_IsFalse(get(all, "sampled_vocabulary")));
    assert_true(cell(one, "copying", 0, 0) == cell(all, "copying", 0, 0));
    assert_null(cJSON_GetObjectItem(one, "entropy"));
    near(images, "tokens", 20 * 17);
    assert_true(cell(images, "entropy", 0, 0) > 0);
    assert_true(isnan(cell(images, "induction", 0, 0)));
    assert_true(isfinite(cell(ablated, "ablation", 7, 3)));
    assert_int_equal(csv.code, 0);
    assert_int_equal(strncmp(csv.out, "layer,head,duplicate,induction,q_norm", 37), 0);
    outcome_free(&csv);
    cJSON_Delete(all);
    cJSON_Delete(one);
    cJSON_Delete(images);
    cJSON_Delete(ablated);
}

static void refused(const char *args, const char *part)
{
    struct outcome o = run("%s", args);

    if (o.code != 1 || o.out[0] != '\0' || strstr(o.err, part) == NULL)
        fail_msg("%s: exit %d: %s%s", args, o.code, o.out, o.err);
    outcome_free(&o);
}

static void test_eval_failures(void **state)
{
    char args[1000];

    (void)state;
    put_text(at("latin.txt"), "gr\xfc\xdf Gott\n");
    put_text(at("empty.txt"), "");
    put_text(at("bad.jsonl"),
             "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"1+1=\"}\n");
    link_weights("math", "mute");
    snprintf(args, sizeof args, "eval " ZOO "math --text %s", at("latin.txt"));
    refused(args, "UTF-8");
    snprintf(args, sizeof args, "eval " ZOO "math --text %s", at("empty.txt"));
    refused(args, "empty");
    snprintf(args, sizeof args, "eval " ZOO "math --tasks %s", at("bad.jsonl"));
    refused(args, "bad.jsonl: line 2: needs");
    snprintf(args, sizeof args, "eval %s --text README.md", at("mute"));
    refused(args, "tokenizer.json");
    snprintf(args, sizeof args, "generate %s --prompt x", at("mute"));
    refused(args, "tokenizer.json");
}

/* Weights that are not numbers: flagged by eval, an error of generate. */
static void test_not_finite(void **state)
{
    struct outcome o;
    cJSON *json;
    char args[1000];

    (void)state;
    put_text(at("nan.lua"), "return wb.open('" ZOO "math'):map(function(t) return t:log() end)\n");
    json = run_json("eval %s --text " EVAL "english.txt --limit 2 --json", at("nan.lua"));
    assert_true(cJSON_IsNull(get(json, "nll")));
    assert_true(cJSON_IsTrue(get(json, "nonfinite")));
    cJSON_Delete(json);
    o = run("eval %s --tasks " EVAL "math.jsonl --limit 2", at("nan.lua"));
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.err, "not finite"));
    outcome_free(&o);
    snprintf(args, sizeof args, "generate %s --prompt x", at("nan.lua"));
    refused(args, "not finite");
    json = run_json("similarity %s" WINDOWS "--json", at("nan.lua"));
    near(json, "nonfinite_rows", 1024);
    assert_true(isnan(cell(json, "matrix", 7, 8)));
    cJSON_Delete(json);
    json = run_json("heads %s" WINDOWS "--json", at("nan.lua"));
    assert_true(cJSON_IsTrue(get(json, "nonfinite")));
    assert_true(isnan(cell(json, "entropy", 3, 1)));
    cJSON_Delete(json);
    o = run("heads %s" WINDOWS, at("nan.lua"));
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.err, "not finite"));
    outcome_free(&o);
}

static void test_generate(void **state)
{
    static const char *const drawn = "generate " ZOO "base --prompt The -n 20 --temperature 1.5 "
                                     "--seed %d --json";
    cJSON *sum = run_json("generate " ZOO "math --prompt 76+19= -n 2 --json"),
          *a = run_json(drawn, 3), *again = run_json(drawn, 3), *b = run_json(drawn, 4),
          *sure = run_json("generate " ZOO
                           "base --prompt The -n 20 --temperature 1.5 --top-k 1 --json"),
          *greedy = run_json("generate " ZOO "base --prompt The -n 20 --json"), *item;
    int n = 0;

    (void)state;
    assert_string_equal(wb_json_text(sum, "text", ""), "95");
    near(sum, "prompt_tokens", 7); /* with the beginning of text */
    assert_int_equal(cJSON_GetArraySize(get(sum, "tokens")), 2);
    cJSON_ArrayForEach(item, get(sum, "logprobs"))
        n += item->valuedouble <= 0 && item->valuedouble > -1;
    assert_int_equal(n, 2);
    assert_true(cJSON_Compare(get(a, "tokens"), get(again, "tokens"), true));
    assert_false(cJSON_Compare(get(a, "tokens"), get(b, "tokens"), true));
    assert_true(cJSON_Compare(get(sure, "tokens"), get(greedy, "tokens"), true));
    cJSON_Delete(sum);
    cJSON_Delete(a);
    cJSON_Delete(again);
    cJSON_Delete(b);
    cJSON_Delete(sure);
    cJSON_Delete(greedy);
}

/* Signals */

/* While weights are made, and while tokens are. */
static void test_interrupt_models(void **state)
{
    char slow[1000];
    const char *const asked[] = { slow, "generate " ZOO "base --prompt The -n 20000" };

    (void)state;
    snprintf(slow, sizeof slow, "eval %s --set rounds=1000 --text README.md", at("slow.lua"));
    for (int i = 0; i < 2; i++) {
        pid_t pid = start(asked[i], at("stdout"));
        struct outcome o;

        usleep(400000);
        kill(pid, SIGINT);
        o = finish(pid);
        assert_int_equal(o.code, 130);
        outcome_free(&o);
    }
}

/* Wait until the journal of a run to `name` has more than `bytes`. */
static void wait_journal(const char *name, pid_t pid, off_t bytes)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof path, "%s/.%s.part/.weightbench-journal", root, name);
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (stat(path, &st) == 0 && st.st_size > bytes)
            return;
        if (waitpid(pid, NULL, WNOHANG) != 0)
            fail_msg("the run to %s ended before it could be stopped", name);
        usleep(500);
    }
    fail_msg("the run to %s does not get on", name);
}

static pid_t start_slow(const char *name, int rounds)
{
    char args[1000];

    snprintf(args, sizeof args, "run %s -o %s --set rounds=%d --shard-size 1MB", at("slow.lua"),
             at(name), rounds);
    return start(args, at("stdout"));
}

static void test_interrupt(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM };

    (void)state;
    for (int i = 0; i < 2; i++) {
        pid_t pid = start_slow("interrupted", 1000);
        struct outcome o;

        wait_journal("interrupted", pid, 0);
        kill(pid, signals[i]);
        o = finish(pid);
        assert_int_equal(o.code, 130);
        assert_string_equal(o.out, "");
        assert_non_null(strstr(o.err, "cancelled"));
        assert_false(exists(at("interrupted")) || exists(at(".interrupted.part")));
        outcome_free(&o);
    }
}

static void same_weights(const char *x, const char *y)
{
    struct dirent **list = NULL;
    int n = scandir(x, &list, NULL, alphasort), compared = 0;

    for (int i = 0; i < n; i++) {
        const char *end = strstr(list[i]->d_name, ".safetensors");
        char a[600], b[600];

        snprintf(a, sizeof a, "%s/%s", x, list[i]->d_name);
        snprintf(b, sizeof b, "%s/%s", y, list[i]->d_name);
        if (end != NULL && end[12] == '\0') {
            size_t na, nb;
            struct wb_err err;
            char *p = wb_read_file(a, (size_t)1 << 28, &na, &err),
                 *q = wb_read_file(b, (size_t)1 << 28, &nb, &err);

            assert_true(p != NULL && q != NULL && na == nb && memcmp(p, q, na) == 0);
            free(p);
            free(q);
            compared++;
        }
        free(list[i]);
    }
    free(list);
    assert_true(compared > 1);
}

/* kill -9, then a second signal: both leave what --resume takes up, and the bytes are those of a
 * whole run. */
static void test_resume(void **state)
{
    struct outcome o =
        run("run %s -o %s --set rounds=300 --shard-size 1MB", at("slow.lua"), at("whole"));
    pid_t pid;
    cJSON *json;
    int status;

    (void)state;
    assert_int_equal(o.code, 0);
    outcome_free(&o);
    pid = start_slow("resumed", 300);
    wait_journal("resumed", pid, 400);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(!exists(at("resumed")) && exists(at(".resumed.part")));
    pid = start("show " ZOO "math", at("stdout")); /* something else in between */
    o = finish(pid);
    outcome_free(&o);
    json = run_json("run %s -o %s --set rounds=300 --shard-size 1MB --resume --threads 1 --json",
                    at("slow.lua"), at("resumed"));
    assert_true(wb_json_number(json, "resumed", 0) > 0);
    cJSON_Delete(json);
    same_weights(at("whole"), at("resumed"));
    o = run("verify %s", at("resumed"));
    assert_int_equal(o.code, 0);
    outcome_free(&o);

    pid = start_slow("twice", 1000);
    wait_journal("twice", pid, 0);
    kill(pid, SIGINT);
    kill(pid, SIGTERM);
    o = finish(pid);
    assert_int_equal(o.code, 130);
    assert_true(!exists(at("twice")) && exists(at(".twice.part")));
    outcome_free(&o);
    o = run("run %s -o %s --resume", at("scale.lua"), at("twice")); /* another pipeline */
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.err, "--resume"));
    outcome_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),         cmocka_unit_test(test_manual),
        cmocka_unit_test(test_show_json),     cmocka_unit_test(test_tensors_json),
        cmocka_unit_test(test_diff_json),     cmocka_unit_test(test_similarity_json),
        cmocka_unit_test(test_hostile_name),  cmocka_unit_test(test_run),
        cmocka_unit_test(test_verify),        cmocka_unit_test(test_run_failures),
        cmocka_unit_test(test_dry_run),       cmocka_unit_test(test_full_output),
        cmocka_unit_test(test_eval_json),     cmocka_unit_test(test_eval_unwritten),
        cmocka_unit_test(test_states_json),   cmocka_unit_test(test_heads_json),
        cmocka_unit_test(test_eval_failures), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_generate),      cmocka_unit_test(test_interrupt_models),
        cmocka_unit_test(test_interrupt),     cmocka_unit_test(test_resume),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
