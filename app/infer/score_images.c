/* app/infer/score_images.c - the share of images whose class a model finds. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/score.h"
#include "app/store/ckpt.h"

static const struct wb_tensor_info *find(const struct wb_ckpt *ck, const char *name,
                                         enum wb_dtype dtype, int dims, size_t *index,
                                         struct wb_err *err)
{
    const struct wb_tensor_info *info;

    *index = wb_ckpt_find(ck, name);
    if (*index == SIZE_MAX) {
        wb_fail(err, WB_EFORMAT, "no tensor '%s'; a set of images has 'images' and 'labels'", name);
        return NULL;
    }
    info = wb_ckpt_info(ck, *index);
    if (info->dtype == dtype && info->shape.ndim == dims)
        return info;
    wb_fail(err, WB_EFORMAT, "'%s' is %s with %d dimensions, not %s with %d", name,
            wb_dtype_name(info->dtype), info->shape.ndim, wb_dtype_name(dtype), dims);
    return NULL;
}

static bool read_set(const struct wb_ckpt *ck, size_t limit, struct wb_image_set *out,
                     struct wb_err *err)
{
    size_t images, labels;
    const struct wb_tensor_info *image = find(ck, "images", WB_DTYPE_F32, 4, &images, err),
                                *label = image == NULL
                                             ? NULL
                                             : find(ck, "labels", WB_DTYPE_I64, 1, &labels, err);
    uint64_t n, one;

    if (label == NULL)
        return false;
    n = image->shape.dim[0];
    if (n != label->shape.dim[0] || n == 0 || image->count == 0)
        return wb_fail(err, WB_EFORMAT, "%" PRIu64 " images and %" PRIu64 " labels", n,
                       (uint64_t)label->shape.dim[0]);
    one = image->bytes / n;
    n = limit > 0 && limit < n ? limit : n;
    if (n > WB_IMAGES_MAX_BYTES / one)
        return wb_fail(err, WB_EFORMAT,
                       "%" PRIu64 " images of %" PRIu64 " bytes are too many; take a --limit", n,
                       one);
    *out = (struct wb_image_set){ .pixel = malloc(n * one),
                                  .label = malloc(n * sizeof *out->label),
                                  .items = n,
                                  .channels = image->shape.dim[1],
                                  .rows = image->shape.dim[2],
                                  .columns = image->shape.dim[3] };
    if (out->pixel == NULL || out->label == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %" PRIu64 " images", n);
    return wb_ckpt_read(ck, images, 0, n * one, out->pixel, err) &&
           wb_ckpt_read(ck, labels, 0, n * sizeof *out->label, out->label, err);
}

bool wb_image_set_read(const char *path, size_t limit, struct wb_image_set *out, struct wb_err *err)
{
    struct wb_ckpt *ck = wb_ckpt_open(path, err);
    bool ok;

    *out = (struct wb_image_set){ 0 };
    if (ck == NULL)
        return false;
    ok = read_set(ck, limit, out, err);
    wb_ckpt_unref(ck);
    if (ok)
        return true;
    wb_image_set_free(out);
    return wb_wrap(err, "%s", path);
}

void wb_image_set_free(struct wb_image_set *set)
{
    free(set->pixel);
    free(set->label);
    *set = (struct wb_image_set){ 0 };
}

struct wb_rows wb_image_set_rows(const struct wb_image_set *set)
{
    return (struct wb_rows){ .image = set->pixel, .sequences = set->items };
}

bool wb_image_set_fits(const struct wb_net *net, const struct wb_image_set *set, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(net);
    int64_t classes = (int64_t)wb_net_logits_width(net);

    if (classes == 0)
        return wb_fail(err, WB_ENOTFOUND, "the model has no classifier");
    if (set->channels != (size_t)spec->channels || set->rows != (size_t)spec->image_rows ||
        set->columns != (size_t)spec->image_columns)
        return wb_fail(err, WB_ESHAPE, "images of %zu x %zu x %zu, the model takes %d x %d x %d",
                       set->channels, set->rows, set->columns, spec->channels, spec->image_rows,
                       spec->image_columns);
    for (size_t i = 0; i < set->items; i++)
        if (set->label[i] < 0 || set->label[i] >= classes)
            return wb_fail(err, WB_ESHAPE,
                           "image %zu has the label %" PRId64 ", the model has %" PRId64 " classes",
                           i, set->label[i], classes);
    return true;
}

static bool finite_row(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* The class token stands in front of every image's patches. */
static bool choose(struct wb_net *net, const struct wb_rows *rows, float *state, float *logits,
                   int32_t *choice, struct wb_err *err)
{
    size_t hidden = (size_t)wb_net_spec(net)->hidden, width = wb_net_logits_width(net);

    for (size_t i = 0; i < rows->sequences; i++)
        memmove(state + i * hidden, state + wb_rows_start(net, rows, i) * hidden,
                hidden * sizeof *state);
    for (size_t i = 0, end; i < rows->sequences; i = end) { /* batch by batch, as texts are */
        end = wb_rows_batch_end(net, rows, i);
        if (!wb_net_logits(net, state + i * hidden, end - i, logits + i * width, err))
            return false;
    }
    for (size_t i = 0; i < rows->sequences; i++)
        choice[i] =
            finite_row(logits + i * width, width) ? wb_first_choice(width, logits + i * width) : -1;
    return true;
}

bool wb_score_image_items(struct wb_net *net, const struct wb_image_set *set, size_t first,
                          size_t last, int32_t *choice, struct wb_err *err)
{
    size_t pixels = set->channels * set->rows * set->columns,
           hidden = (size_t)wb_net_spec(net)->hidden, width = wb_net_logits_width(net);
    struct wb_rows rows = { .image = set->pixel + first * pixels, .sequences = last - first };
    size_t n = wb_rows_start(net, &rows, rows.sequences);
    float *state = malloc((n * hidden + 1) * sizeof *state),
          *logits = malloc((rows.sequences * width + 1) * sizeof *logits);
    bool ok = (state != NULL && logits != NULL) ||
              wb_fail(err, WB_ENOMEM, "no memory for %zu images", last - first);

    ok = ok && wb_net_run(net, &rows, NULL, state, err) &&
         choose(net, &rows, state, logits, choice + first, err);
    free(state);
    free(logits);
    return ok;
}

struct wb_image_score wb_score_images_of(const struct wb_image_set *set, const int32_t *choice,
                                         size_t items)
{
    struct wb_image_score s = { .items = items, .accuracy = NAN, .accuracy_error = NAN };

    for (size_t i = 0; i < items; i++) {
        s.right += choice[i] == set->label[i];
        s.nonfinite |= choice[i] < 0;
    }
    if (items == 0 || s.nonfinite)
        return s;
    s.accuracy = (double)s.right / (double)items;
    s.accuracy_error = sqrt(s.accuracy * (1 - s.accuracy) / (double)items);
    return s;
}

bool wb_score_images(struct wb_net *net, const struct wb_image_set *set,
                     bool (*report)(void *ctx, const struct wb_image_score *so_far), void *ctx,
                     struct wb_image_score *out, struct wb_err *err)
{
    struct wb_rows rows = wb_image_set_rows(set);
    int32_t *choice = malloc((set->items + 1) * sizeof *choice);
    bool ok = choice != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu images", set->items);

    ok = ok && wb_image_set_fits(net, set, err);
    for (size_t first = 0, last; ok && first < set->items; first = last) {
        last = wb_score_slice_end(net, &rows, first);
        ok = wb_score_image_items(net, set, first, last, choice, err);
        if (!ok)
            break;
        *out = wb_score_images_of(set, choice, last);
        if (report != NULL && !report(ctx, out))
            ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    }
    free(choice);
    return ok;
}
