/* tests/golden/made.h - made-up models: tensors of any shape with values of many bits, or given ones. */
#ifndef WB_TEST_MADE_H
#define WB_TEST_MADE_H

#include "app/tensor/kernels.h"
#include "tests/golden/golden.h"

struct made {
    const char *name;
    struct wb_shape shape;
};

/* How a model is drawn: (base + size * change) * scale + shift, base and change being noise of their own seeds. */
struct recipe {
    uint64_t base, change;
    double size, scale, shift;
    enum wb_dtype dtype;
};

static inline float *made_values(const struct recipe *r, size_t n, size_t salt)
{
    uint64_t base = r->base * 1000 + salt, change = r->change * 1000 + salt;
    float *x = calloc(n + 1, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        double value = (double)(float)golden_noise(&base) + r->size * golden_noise(&change);

        x[i] = (float)(value * r->scale + r->shift);
    }
    return x;
}

static inline void made_add(struct pipe_writer *w, const char *name, const struct wb_shape *shape,
                            enum wb_dtype dtype, const float *x)
{
    uint64_t n = 0, bytes = 0;
    void *raw;

    assert_true(wb_shape_count(shape, &n) && wb_shape_bytes(shape, dtype, &bytes));
    raw = calloc(1, bytes + 1);
    assert_non_null(raw);
    wb_kernels()->narrow[dtype](n, x, raw);
    pipe_write_add(w, name, shape, wb_dtype_name(dtype), raw, bytes);
    free(raw);
}

/* Write what was added as the model `name`. config: text of config.json or NULL. */
static inline void made_write(const struct pipe *p, struct pipe_writer *w, const char *name,
                              const char *config)
{
    char dir[160];

    snprintf(dir, sizeof dir, "%s/%s", p->dir, name);
    assert_true(pipe_write(w, dir, config));
}

static inline void made_model(const struct pipe *p, const char *name, struct recipe r,
                              const struct made *tensor, size_t count)
{
    struct pipe_writer w = { 0 };

    for (size_t i = 0; i < count; i++) {
        uint64_t n = 0;
        float *x;

        assert_true(wb_shape_count(&tensor[i].shape, &n));
        x = made_values(&r, n, i);
        made_add(&w, tensor[i].name, &tensor[i].shape, r.dtype, x);
        free(x);
    }
    made_write(p, &w, name, NULL);
}

/* The model `name` with the tensors and the config of tests/data/arch/FAMILY.json. */
static inline void made_family(const struct pipe *p, const char *name, const char *family,
                               struct recipe r)
{
    struct pipe_writer w = { 0 };
    struct wb_err err = { 0 };
    const cJSON *tensor;
    size_t salt = 0;
    cJSON *file;
    char path[128], *config;

    snprintf(path, sizeof path, "tests/data/arch/%s.json", family);
    file = wb_json_parse_file(path, (size_t)1 << 20, &err);
    assert_non_null(file);
    cJSON_ArrayForEach(tensor, cJSON_GetObjectItem(file, "tensors")) {
        struct wb_shape shape = { 0 };
        const cJSON *dim;
        uint64_t n = 0;
        float *x;

        cJSON_ArrayForEach(dim, cJSON_GetObjectItem(tensor, "shape"))
            shape.dim[shape.ndim++] = (uint64_t)dim->valuedouble;
        assert_true(wb_shape_count(&shape, &n));
        x = made_values(&r, n, salt++);
        made_add(&w, wb_json_text(tensor, "name", "?"), &shape, r.dtype, x);
        free(x);
    }
    config = cJSON_Print(cJSON_GetObjectItem(file, "config"));
    made_write(p, &w, name, config);
    free(config);
    cJSON_Delete(file);
}

/* One tensor "w" of n given values. */
static inline void made_vector(const struct pipe *p, const char *name, size_t n, const float *x)
{
    struct wb_shape shape = { 1, { n } };
    struct pipe_writer w = { 0 };

    made_add(&w, "w", &shape, WB_DTYPE_F32, x);
    made_write(p, &w, name, NULL);
}

/* The script with M"x" opening the made-up model x; NULL with err. */
static inline struct wb_model *made_try(struct pipe *p, const char *text, struct wb_err *err)
{
    struct wb_str whole = { 0 };
    struct wb_model *m;

    wb_str_printf(&whole, "local function M(name) return wb.open(\"%s/\" .. name) end\n%s", p->dir,
                  text);
    m = pipe_run(p, whole.text, err);
    wb_str_free(&whole);
    return m;
}

static inline struct wb_model *made_run(struct pipe *p, const char *text)
{
    struct wb_err err;
    struct wb_model *m = made_try(p, text, &err);

    if (m == NULL)
        fail_msg("%s\n%s", text, err.msg);
    return m;
}

static inline struct wb_model *made_run_format(struct pipe *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct wb_model *made_run_format(struct pipe *p, const char *format, ...)
{
    char text[1200];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return made_run(p, text);
}

#endif
