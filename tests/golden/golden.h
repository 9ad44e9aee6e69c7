/* tests/golden/golden.h - golden files: reading, comparing, one test a case; and pipelines in tests. */
#ifndef WB_TEST_GOLDEN_H
#define WB_TEST_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/core/json.h"
#include "tests/golden/pipe.h"

#define GOLDEN_CASES_MAX 200
#define GOLDEN_FILES_MAX 40

static inline struct wb_model *golden_run(struct pipe *p, const char *text)
{
    struct wb_err err;
    struct wb_model *m = pipe_run(p, text, &err);

    if (m == NULL)
        fail_msg("%s\n%s", text, err.msg);
    return m;
}

static inline struct pipe_data golden_fetch(const struct pipe *p, const struct wb_model *m,
                                            const char *name)
{
    struct wb_err err = { 0 };
    struct pipe_data data = pipe_fetch(&p->how, m, name, &err);

    if (data.x == NULL)
        fail_msg("%s: %s", name, err.msg);
    return data;
}

static inline uint8_t **golden_bytes(const struct pipe *p, const struct wb_model *m, bool as_f32)
{
    struct wb_err err = { 0 };
    uint8_t **bytes = pipe_bytes(&p->how, m, as_f32, &err);

    if (bytes == NULL)
        fail_msg("%s", err.msg);
    return bytes;
}

/* splitmix64 as a number in [-1, 1). */
static inline double golden_noise(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1;
}

struct method; /* whatever a program knows about a file */

/* One case of a golden file. */
struct golden {
    const struct method *method;
    const cJSON *file, *item;
    int number;
};

/* One number against another within the file's tolerance: |got - want| <= atol + rtol |want|. Files of one
 * tolerance have "abs" or "rel", of max(|want|, 1e-12). */
static inline bool golden_near(const cJSON *file, const char *what, size_t i, double got,
                               double want)
{
    const cJSON *tolerance = cJSON_GetObjectItem(file, "tolerance");
    double atol = wb_json_number(tolerance, "atol", wb_json_number(tolerance, "abs", 0));
    double rtol = wb_json_number(tolerance, "rtol", wb_json_number(tolerance, "rel", 0));
    bool ok = fabs(got - want) <= atol + rtol * fmax(fabs(want), 1e-12);

    if (!ok)
        printf("%s [%zu]: got %.9g, want %.9g\n", what, i, got, want);
    return ok;
}

static inline void golden_check_array(const cJSON *file, const char *what, const float *got,
                                      size_t n, const cJSON *want)
{
    double *x = calloc(n + 1, sizeof *x);

    assert_non_null(x);
    assert_int_equal(pipe_flatten(want, NULL, NULL, 0), n);
    pipe_flatten(want, x, NULL, 0);
    for (size_t i = 0; i < n; i++)
        assert_true(golden_near(file, what, i, (double)got[i], x[i]));
    free(x);
}

static inline void golden_check_tensor(const struct pipe *p, const cJSON *file,
                                       const struct wb_model *m, const char *name,
                                       const cJSON *want)
{
    struct pipe_data got = golden_fetch(p, m, name);

    golden_check_array(file, name, got.x, got.n, want);
    free(got.x);
}

/* The tests of several files. */
struct golden_list {
    struct CMUnitTest test[GOLDEN_CASES_MAX];
    struct golden item[GOLDEN_CASES_MAX];
    char name[GOLDEN_CASES_MAX][96];
    cJSON *file[GOLDEN_FILES_MAX];
    int count, files;
};

/* Every case of tests/data/goldens/FILE.json becomes a test; ends the program when there is no such file. */
static inline void golden_add(struct golden_list *list, const char *file,
                              const struct method *method, CMUnitTestFunction test)
{
    struct wb_str path = { 0 };
    struct wb_err err = { 0 };
    const cJSON *item;

    wb_str_printf(&path, "tests/data/goldens/%s.json", file);
    list->file[list->files] = wb_json_parse_file(path.text, (size_t)1 << 24, &err);
    if (list->file[list->files] == NULL || list->files == GOLDEN_FILES_MAX - 1) {
        printf("%s: %s\n", path.text, err.msg);
        exit(1);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(list->file[list->files], "cases")) {
        int i = list->count++;

        list->item[i] = (struct golden){ method, list->file[list->files], item, i };
        snprintf(list->name[i], sizeof list->name[i], "%s: %s", file,
                 wb_json_text(item, "name", wb_json_text(item, "id", "?")));
        list->test[i] = (struct CMUnitTest){ list->name[i], test, NULL, NULL, &list->item[i] };
    }
    list->files++;
    wb_str_free(&path);
}

/* Run them all and free the files; how many failed. */
static inline int golden_run_all(struct golden_list *list, const char *name)
{
    int failed = _cmocka_run_group_tests(name, list->test, (size_t)list->count, NULL, NULL);

    for (int i = 0; i < list->files; i++)
        cJSON_Delete(list->file[i]);
    return failed;
}

#endif
