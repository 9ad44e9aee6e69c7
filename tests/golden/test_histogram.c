/* tests/golden/test_histogram.c - histograms, dead rows and slices against plain loops. */
#include "app/probe/histogram.h"
#include "tests/golden/made.h"

#define ROWS 300
#define COLUMNS 517
#define ENTRIES ((size_t)ROWS * COLUMNS)

static struct pipe pipe_;
static float value_[ENTRIES];

/* Values on a grid of 1/64 in (-2, 2), so that bins of 1/16 have exact edges; some rows and columns
 * are dead, some entries are not finite. */
static void make(void)
{
    const struct wb_shape shape = { 2, { ROWS, COLUMNS } };
    struct pipe_writer w = { 0 };
    uint64_t noise = 7;

    for (size_t i = 0; i < ENTRIES; i++) {
        size_t row = i / COLUMNS, column = i % COLUMNS;

        value_[i] = (float)(int)(golden_noise(&noise) * 127) / 64;
        if (row == 17 || row == 200 || column == 516)
            value_[i] = 0;
        if ((row == 200 && column == 3) || (row > 250 && column == 5))
            value_[i] = row % 2 == 0 ? NAN : -INFINITY;
    }
    value_[5] = 127.0f / 64; /* the largest there is */
    made_add(&w, "w", &shape, WB_DTYPE_F32, value_);
    made_write(&pipe_, &w, "histogram", NULL);
}

static struct wb_model *histogram_model(const char *text)
{
    make();
    return made_run(&pipe_, text);
}

static struct wb_node *tensor(const struct wb_model *m)
{
    return wb_model_find(m, "w")->node;
}

static void compute(struct wb_node *node, bool sample, struct wb_histogram_ask ask,
                    struct wb_histogram *out)
{
    struct wb_eval how = { .threads = 2, .sample = sample };
    struct wb_err err;

    if (!wb_histogram_compute(&how, node, &ask, out, &err))
        fail_msg("%s", err.msg);
}

/* Counts by the definition, edge by edge. */
static void check_bins(const struct wb_histogram *h, bool log, double factor)
{
    double zero = 0, nan = 0, inf = 0, below = 0, above = 0, bin[WB_HISTOGRAM_BINS_MAX] = { 0 };

    for (size_t i = 0; i < ENTRIES; i++) {
        double x = (double)(float)(factor * (double)value_[i]), v = log ? fabs(x) : x;
        size_t b = 0;

        nan += isnan(x);
        inf += isinf(x) != 0;
        zero += x == 0;
        if (isnan(x) || isinf(x) || x == 0)
            continue;
        below += v < h->low;
        above += v > h->high;
        if (v < h->low || v > h->high)
            continue;
        while (b + 1 < h->bins && v >= wb_histogram_edge(h, log, b + 1))
            b++;
        bin[b]++;
    }
    if (h->zero != zero || h->nan != nan || h->inf != inf || h->count != ENTRIES)
        fail_msg("zeros %g, want %g; NaN %g, want %g; infinite %g, want %g; of %g", h->zero, zero,
                 h->nan, nan, h->inf, inf, h->count);
    if (h->below != below || h->above != above)
        fail_msg("below %g, want %g; above %g, want %g", h->below, below, h->above, above);
    for (size_t b = 0; b < h->bins; b++)
        if (h->bin[b] != bin[b])
            fail_msg("bin %zu: got %g, want %g", b, h->bin[b], bin[b]);
}

static void test_linear(void **state)
{
    struct wb_model *m = histogram_model("return M'histogram'");
    struct wb_histogram h;

    (void)state;
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 64, .low = -2, .high = 2 }, &h);
    assert_false(h.has_dead);
    check_bins(&h, false, 1);
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 10, .low = 0, .high = 0.625 }, &h);
    assert_true(h.below > 0 && h.above > 0);
    check_bins(&h, false, 1);
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 127 }, &h); /* [-absmax, absmax] */
    assert_true(h.low == -127.0 / 64 && h.high == 127.0 / 64);
    assert_true(h.below + h.above == 0);
    assert_true(h.stats.absmax == (double)INFINITY && h.stats.nan == h.nan);
    wb_model_unref(m);
}

static void test_log(void **state)
{
    struct wb_model *m = histogram_model("return M'histogram'");
    struct wb_histogram h;

    (void)state;
    /* three bins an octave: values that are no powers of two lie off the edges */
    compute(tensor(m), false,
            (struct wb_histogram_ask){ .bins = 18, .log = true, .low = 0x1p-5, .high = 2 }, &h);
    assert_true(h.below > 0);
    assert_true(fabs(wb_histogram_edge(&h, true, 3) - 0x1p-4) < 1e-15);
    for (size_t b = 0, at = 0; b < h.bins; b++, at = 0) { /* edges are irrational but each third */
        for (size_t i = 0; i < ENTRIES; i++) {
            double x = fabs((double)value_[i]);
            double low = log2(x) * 3 + 15;

            at += isfinite(x) && x > 0 && floor(low + 1e-12) == (double)b;
        }
        assert_int_equal((size_t)h.bin[b], at);
    }
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 24, .log = true }, &h);
    assert_true(h.high == 127.0 / 64 && h.low == h.high * 0x1p-24 && h.above == 0 && h.below == 0);
    wb_model_unref(m);
}

/* Of a tensor that a pipeline computes, the same numbers halved; and of a sample. */
static void test_unwritten(void **state)
{
    struct wb_model *m = histogram_model(
        "return wb.merge('linear', {models = {M'histogram'}, weight = 0.5, normalize = false, "
        "on_nonfinite = 'propagate'})");
    struct wb_histogram h, s;
    double total = 0;

    (void)state;
    assert_null(wb_node_source_name(tensor(m)));
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 64, .low = -1, .high = 1 }, &h);
    check_bins(&h, false, 0.5);
    compute(tensor(m), true, (struct wb_histogram_ask){ .bins = 4, .low = -1, .high = 1 }, &s);
    assert_true(s.sampled);
    for (size_t b = 0; b < 4; b++)
        total += s.bin[b];
    total += s.below + s.above + s.zero + s.nan + s.inf;
    assert_true(fabs(total - (double)ENTRIES) < 1e-6);
    for (size_t b = 0; b < 4; b++) {
        double want = 0;

        for (size_t i = 0; i < 16; i++)
            want += h.bin[16 * b + i];
        assert_true(fabs(s.bin[b] - want) < 0.05 * want);
    }
    wb_model_unref(m);
}

static void test_dead(void **state)
{
    struct wb_model *m = histogram_model("return M'histogram'");
    struct wb_histogram h;

    (void)state;
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 1, .dead = true }, &h);
    assert_true(h.has_dead);
    assert_int_equal(h.row.count, 2);
    assert_int_equal(h.row.listed, 2);
    assert_int_equal(h.row.first[0], 17);
    assert_int_equal(h.row.first[1], 200);
    assert_int_equal(h.row.strange, 1); /* row 200 has a NaN */
    assert_int_equal(h.column.count, 1);
    assert_int_equal(h.column.first[0], 516);
    assert_int_equal(h.column.strange, 0);
    wb_model_unref(m);
}

static void test_slice(void **state)
{
    static const char *const text[] = {
        "return M'histogram'",
        "return wb.merge('linear', {models = {M'histogram'}, weight = 1, normalize = false, "
        "on_nonfinite = 'propagate'})",
    };
    const struct wb_slice slice[] = { { 0, 3, 0, 7 },
                                      { 297, 300, 510, 517 },
                                      { 16, 20, 0, 517 },
                                      { 10, 10, 0, 5 },
                                      { 199, 202, 2, 6 } };
    struct wb_eval how = { .threads = 2 };
    double got[WB_SLICE_MAX];
    struct wb_err err;

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        struct wb_model *m = histogram_model(text[t]);

        for (size_t k = 0; k < sizeof slice / sizeof slice[0]; k++) {
            const struct wb_slice *s = &slice[k];
            size_t at = 0;

            if (!wb_slice_values(&how, tensor(m), s, got, &err))
                fail_msg("%s", err.msg);
            for (uint64_t r = s->row_first; r < s->row_last; r++)
                for (uint64_t c = s->column_first; c < s->column_last; c++, at++) {
                    double want = (double)value_[r * COLUMNS + c];

                    assert_true(got[at] == want || (isnan(got[at]) && isnan(want)));
                }
        }
        assert_false(
            wb_slice_values(&how, tensor(m), &(struct wb_slice){ 0, 301, 0, 1 }, got, &err));
        assert_int_equal(err.code, WB_ESHAPE);
        assert_false(
            wb_slice_values(&how, tensor(m), &(struct wb_slice){ 0, 300, 0, 500 }, got, &err));
        assert_int_equal(err.code, WB_EARG);
        wb_model_unref(m);
    }
}

static void test_refusals(void **state)
{
    static const uint8_t raw[4] = { 0 };
    const struct wb_histogram_ask bad[] = {
        { .bins = 0 },
        { .bins = WB_HISTOGRAM_BINS_MAX + 1 },
        { .bins = 4, .low = 1, .high = 0 },
        { .bins = 4, .low = 0, .high = NAN },
        { .bins = 4, .log = true, .low = 0, .high = 1 },
    };
    struct wb_model *m = histogram_model("return M'histogram'"), *other;
    struct pipe_writer w = { 0 };
    struct wb_eval how = { .threads = 1 };
    atomic_bool cancel = true;
    struct wb_histogram h;
    struct wb_err err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(wb_histogram_compute(&how, tensor(m), &bad[i], &h, &err));
        assert_int_equal(err.code, WB_EARG);
    }
    how.cancel = &cancel;
    assert_false(
        wb_histogram_compute(&how, tensor(m), &(struct wb_histogram_ask){ .bins = 4 }, &h, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    how.cancel = NULL;
    pipe_write_add(&w, "w", &(struct wb_shape){ 1, { 4 } }, "U8", raw, sizeof raw);
    made_write(&pipe_, &w, "bytes", NULL);
    other = made_run(&pipe_, "return M'bytes'");
    assert_false(wb_histogram_compute(&how, tensor(other), &(struct wb_histogram_ask){ .bins = 4 },
                                      &h, &err));
    assert_int_equal(err.code, WB_ESHAPE);
    wb_model_unref(other);
    wb_model_unref(m);
}

/* Nothing but zeros, a scalar, nothing at all. */
static void test_flat(void **state)
{
    static const float zero[6] = { 0 };
    struct pipe_writer w = { 0 };
    struct wb_histogram h;
    struct wb_model *m;

    (void)state;
    made_add(&w, "w", &(struct wb_shape){ 2, { 2, 3 } }, WB_DTYPE_F32, zero);
    made_add(&w, "one", &(struct wb_shape){ 0 }, WB_DTYPE_F32, (const float[]){ -3 });
    made_add(&w, "none", &(struct wb_shape){ 2, { 0, 3 } }, WB_DTYPE_F32, zero);
    made_write(&pipe_, &w, "flat", NULL);
    m = made_run(&pipe_, "return M'flat'");
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 3, .dead = true }, &h);
    assert_true(h.zero == 6 && h.bin[0] + h.bin[1] + h.bin[2] == 0 && h.row.count == 2);
    compute(tensor(m), false, (struct wb_histogram_ask){ .bins = 3, .log = true }, &h);
    assert_true(h.zero == 6 && h.bin[0] + h.bin[1] + h.bin[2] + h.below + h.above == 0);
    compute(wb_model_find(m, "one")->node, false, (struct wb_histogram_ask){ .bins = 3 }, &h);
    assert_true(h.low == -3 && h.bin[0] == 1 && h.count == 1);
    compute(wb_model_find(m, "none")->node, false,
            (struct wb_histogram_ask){ .bins = 3, .dead = true }, &h);
    assert_true(h.count == 0 && !h.has_dead);
    wb_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),    cmocka_unit_test(test_log),
        cmocka_unit_test(test_unwritten), cmocka_unit_test(test_dead),
        cmocka_unit_test(test_slice),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_flat),
    };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
