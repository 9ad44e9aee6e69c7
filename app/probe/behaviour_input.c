/* app/probe/behaviour_input.c - models, tokenizers and sets made ready, from headers and files of
 * text alone. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/core/io.h"
#include "app/probe/behaviour_impl.h"

/* Tokenizers: a file is known by its path, size and time. */

static struct wb_hash file_hash(const char *path)
{
    struct stat st;
    struct {
        struct wb_hash path;
        uint64_t size, seconds, nanoseconds, inode;
    } id = { .path = wb_hash_bytes(path, strlen(path)) };

    if (stat(path, &st) == 0) {
        id.size = (uint64_t)st.st_size;
        id.seconds = (uint64_t)st.st_mtim.tv_sec;
        id.nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
        id.inode = (uint64_t)st.st_ino;
    }
    return wb_hash_bytes(&id, sizeof id);
}

static struct wb_hash tokenizer_hash(const char *dir)
{
    static const char *const files[] = { "tokenizer.json", "tokenizer_config.json",
                                         "special_tokens_map.json", "generation_config.json",
                                         "config.json" };
    struct wb_hash h = { 0 };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = wb_path_join(dir, files[i]);

        if (path != NULL)
            h = wb_memory_key("file", h, file_hash(path));
        free(path);
    }
    return h;
}

static void free_tokenizer(void *value)
{
    wb_tokenizer_free(value);
}

struct wb_tokenizer *wb_behaviour_tokenizer(const struct wb_behaviour_run *r, size_t m)
{
    return r->model[m].tokenizer == NULL ? NULL : r->model[m].tokenizer->value;
}

static bool open_tokenizer(struct wb_behaviour_run *r, size_t m)
{
    const char *dir = wb_model_side_dir(r->b->model[m]);
    struct wb_hash key =
        wb_memory_key("tokenizer", tokenizer_hash(dir != NULL ? dir : ""), (struct wb_hash){ 0 });
    struct wb_behaviour_model *model = &r->model[m];
    struct wb_tokenizer *t;

    model->tokenizer = wb_memory_take(r->memory, key);
    if (model->tokenizer != NULL)
        return true;
    t = wb_tokenizer_open(dir, r->err);
    if (t == NULL)
        return false;
    model->tokenizer =
        wb_memory_put(r->memory, key, t, free_tokenizer, wb_tokenizer_size(t) * 100, false);
    return model->tokenizer != NULL || wb_fail(r->err, WB_ENOMEM, "no memory for a tokenizer");
}

/* Sets */

static void free_input(void *value)
{
    struct wb_behaviour_input *in = value;

    wb_windows_free(&in->windows);
    wb_task_set_free(&in->tasks);
    wb_task_rows_free(&in->task_rows);
    wb_image_set_free(&in->images);
    free(in);
}

static struct wb_hash sequences_hash(const int32_t *token, const size_t *start, size_t sequences)
{
    return wb_memory_key("sequences", wb_hash_bytes(token, start[sequences] * sizeof *token),
                         wb_hash_bytes(start, (sequences + 1) * sizeof *start));
}

static bool read_text(struct wb_behaviour_input *in, const struct wb_tokenizer *t,
                      const struct wb_spec *spec, const struct wb_behaviour_set *set,
                      struct wb_err *err)
{
    struct wb_windows *w = &in->windows;

    if (!wb_windows_read(t, spec, set->path, set->window, set->limit, w, err))
        return false;
    in->sequences = w->windows;
    in->rows = w->start[w->windows];
    in->choices = wb_score_text_count(w, 0, w->windows);
    in->hash = sequences_hash(w->token, w->start, w->windows);
    return in->choices > 0 || wb_fail(err, WB_EARG, "a text of one token predicts none");
}

static bool read_tasks(struct wb_behaviour_input *in, const struct wb_tokenizer *t,
                       const struct wb_spec *spec, const struct wb_behaviour_set *set,
                       struct wb_err *err)
{
    struct wb_task_rows *rows = &in->task_rows;

    if (!wb_task_set_read(set->path, set->limit, &in->tasks, err) ||
        !wb_task_rows_of(t, spec, &in->tasks, rows, err))
        return false;
    in->sequences = rows->items;
    in->rows = rows->start[rows->items];
    in->choices = rows->answer[rows->items];
    in->hash = sequences_hash(rows->token, rows->start, rows->items);
    in->hash = wb_memory_key("answers", in->hash,
                             wb_hash_bytes(rows->answer, (rows->items + 1) * sizeof(size_t)));
    for (size_t i = 0; i < in->tasks.items; i++)
        in->hash = wb_memory_key(
            "answer", in->hash,
            wb_hash_bytes(in->tasks.item[i].answer, strlen(in->tasks.item[i].answer)));
    return true;
}

static bool read_images(struct wb_behaviour_input *in, const struct wb_spec *spec,
                        const struct wb_behaviour_set *set, struct wb_err *err)
{
    struct wb_image_set *images = &in->images;
    size_t patches;

    if (!wb_image_set_read(set->path, set->limit, images, err))
        return false;
    patches =
        (size_t)(spec->image_rows / spec->patch) * (size_t)(spec->image_columns / spec->patch);
    in->sequences = in->choices = images->items;
    in->rows = images->items * (patches + 1);
    in->hash =
        wb_memory_key("images",
                      wb_hash_bytes(images->pixel, images->items * images->channels * images->rows *
                                                       images->columns * sizeof *images->pixel),
                      wb_hash_bytes(images->label, images->items * sizeof *images->label));
    return true;
}

static bool fits(const struct wb_spec *spec, enum wb_behaviour_kind kind, struct wb_err *err)
{
    if (spec->kind == (kind == WB_BEHAVIOUR_IMAGES ? WB_NET_VISION : WB_NET_DECODER))
        return true;
    return wb_fail(err, WB_EARG, "%s",
                   spec->kind == WB_NET_DECODER   ? "the model sees no images"
                   : spec->kind == WB_NET_ENCODER ? "the model is an encoder: it predicts no token"
                                                  : "the model looks at images, it has no text");
}

/* What tokens depend on, besides the text. */
static struct wb_hash input_key(const struct wb_behaviour_run *r, size_t m, size_t s)
{
    const struct wb_behaviour_set *set = &r->b->set[s];
    const struct wb_spec *spec = &r->model[m].spec;
    struct {
        uint64_t kind, window, limit, vocab, context, learned, image[3];
        struct wb_hash tokenizer;
    } how = { (uint64_t)set->kind,
              set->window,
              set->limit,
              (uint64_t)spec->vocab,
              (uint64_t)spec->context,
              spec->learned_positions,
              { (uint64_t)spec->image_rows, (uint64_t)spec->image_columns, (uint64_t)spec->patch },
              { 0 } };

    if (set->kind != WB_BEHAVIOUR_IMAGES)
        how.tokenizer = r->model[m].tokenizer->key;
    return wb_memory_key("input", file_hash(set->path), wb_hash_bytes(&how, sizeof how));
}

static size_t input_bytes(const struct wb_behaviour_input *in)
{
    const struct wb_image_set *images = &in->images;

    return sizeof *in + in->rows * sizeof(int32_t) + in->sequences * 100 +
           images->items * images->channels * images->rows * images->columns *
               sizeof *images->pixel;
}

static bool read_set(struct wb_behaviour_run *r, size_t m, size_t s)
{
    const struct wb_behaviour_set *set = &r->b->set[s];
    struct wb_behaviour_model *model = &r->model[m];
    struct wb_behaviour_work *work = &model->set[s];
    struct wb_behaviour_input *in;
    struct wb_hash key;
    bool ok;

    if (!fits(&model->spec, set->kind, r->err))
        return false;
    if (set->kind != WB_BEHAVIOUR_IMAGES && model->tokenizer == NULL && !open_tokenizer(r, m))
        return false;
    key = input_key(r, m, s);
    work->input = wb_memory_take(r->memory, key);
    if (work->input != NULL)
        return true;
    in = calloc(1, sizeof *in);
    if (in == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a set");
    in->kind = set->kind;
    ok = set->kind == WB_BEHAVIOUR_TEXT
             ? read_text(in, wb_behaviour_tokenizer(r, m), &model->spec, set, r->err)
         : set->kind == WB_BEHAVIOUR_TASKS
             ? read_tasks(in, wb_behaviour_tokenizer(r, m), &model->spec, set, r->err)
             : read_images(in, &model->spec, set, r->err);
    if (!ok) {
        free_input(in);
        return false;
    }
    work->input = wb_memory_put(r->memory, key, in, free_input, input_bytes(in), false);
    return work->input != NULL || wb_fail(r->err, WB_ENOMEM, "no memory for a set");
}

/* Models */

static bool prepare_model(struct wb_behaviour_run *r, size_t m)
{
    struct wb_behaviour_model *model = &r->model[m];

    model->hash = wb_model_hash(r->b->model[m]);
    model->set = wb_arena_calloc(&model->arena, r->b->sets + 1, sizeof *model->set);
    if (model->set == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a behaviour");
    if (!wb_spec_of(r->b->model[m], NULL, &model->arena, &model->spec, r->err))
        return wb_behaviour_problem(r, m, SIZE_MAX);
    for (size_t s = 0; s < r->b->sets; s++)
        if (!read_set(r, m, s) && !wb_behaviour_problem(r, m, s))
            return false;
    return true;
}

bool wb_behaviour_prepare(struct wb_behaviour_run *r)
{
    for (size_t m = r->b->models; m-- > 0;) { /* the result's problems first */
        if (wb_behaviour_cancelled(r))
            return wb_fail(r->err, WB_ECANCELLED, "cancelled");
        if (!prepare_model(r, m))
            return false;
    }
    return true;
}

/* Nets */

static void close_net(void *value)
{
    wb_net_close(value);
}

/* The result's net is worth nothing to the next behaviour: it goes with the run. */
struct wb_net *wb_behaviour_net(struct wb_behaviour_run *r, size_t m)
{
    struct wb_behaviour_model *model = &r->model[m];
    struct wb_hash key = wb_memory_key("net", model->hash, (struct wb_hash){ 0 });
    bool result = m + 1 == r->b->models;
    uint64_t half = r->budget_bytes / 2, share = result ? half : half / r->b->models;
    struct wb_eval how = { .threads = r->how->threads,
                           .budget_bytes = share > 0 ? share : 1,
                           .cache = r->how->cache,
                           .cancel = r->how->cancel };
    struct wb_net *net;
    uint64_t bytes = wb_model_bytes(r->b->model[m]);

    if (model->net == NULL)
        model->net = wb_memory_take(r->memory, key);
    if (model->net != NULL) {
        wb_net_set_cancel(model->net->value, r->how->cancel);
        return model->net->value;
    }
    net = wb_net_open(r->b->model[m], NULL, &how, r->err);
    if (net == NULL)
        return NULL;
    model->net = wb_memory_put(r->memory, key, net, close_net, bytes < share ? bytes : share, true);
    if (model->net != NULL)
        return net;
    wb_fail(r->err, WB_ENOMEM, "no memory for a net");
    return NULL;
}

void wb_behaviour_release(struct wb_behaviour_run *r)
{
    for (size_t m = 0; m < r->b->models; m++) {
        struct wb_behaviour_model *model = &r->model[m];
        bool result = m + 1 == r->b->models;

        for (size_t s = 0; model->set != NULL && s < r->b->sets; s++) {
            wb_memory_give(r->memory, model->set[s].known, false);
            wb_memory_give(r->memory, model->set[s].states, result);
            wb_memory_give(r->memory, model->set[s].pair, false);
            wb_memory_give(r->memory, model->set[s].input, false);
        }
        if (model->net != NULL)
            wb_net_set_cancel(model->net->value, NULL);
        wb_memory_give(r->memory, model->net, result);
        wb_memory_give(r->memory, model->tokenizer, false);
        wb_arena_free(&model->arena);
    }
}
