/* views/subject.c - what a model looks at, chosen and opened. */
#include "views/subject.h"

#include <stdio.h>
#include <string.h>

#include "app/core/io.h"

static const char own_text[] =
    "The old lighthouse keeper counted the ships that passed before dawn, and wrote the number of "
    "them into a book. When the fog came in from the sea he lit the lamp, and when the fog went "
    "out "
    "again he put out the lamp and wrote the hour into the same book. Nobody ever asked him for "
    "the "
    "numbers, but the old lighthouse keeper counted the ships all the same, because the book was "
    "nearly full and a new book had been promised to him in spring.\n";

static const char *first_of(const struct wb_eval_list *list, enum wb_behaviour_kind kind)
{
    for (size_t i = 0; list != NULL && i < list->sets; i++)
        if (list->set[i].kind == kind && !list->set[i].off)
            return list->set[i].path;
    return "";
}

void wb_subject_choose(struct wb_desk *desk, const struct wb_model *model,
                       struct wb_subject_choice *out)
{
    const struct wb_eval_list *list = wb_eval_sets_of(&desk->eval_sets, model);
    const char *text =
        desk->probe_text[0] != '\0' ? desk->probe_text : first_of(list, WB_BEHAVIOUR_TEXT);

    memset(out, 0, sizeof *out);
    snprintf(out->text, sizeof out->text, "%s", text);
    snprintf(out->images, sizeof out->images, "%s", first_of(list, WB_BEHAVIOUR_IMAGES));
}

bool wb_subject_same(const struct wb_subject_choice *a, const struct wb_subject_choice *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->images, b->images) == 0;
}

const char *wb_subject_name(const struct wb_subject_choice *c, bool images)
{
    const char *path = images ? c->images : c->text, *slash = strrchr(path, '/');

    return path[0] == '\0' ? "a text of our own" : slash == NULL ? path : slash + 1;
}

bool wb_subject_set_text(struct wb_desk *desk, const char *path)
{
    if (path[0] != '\0' && !wb_is_file(path)) {
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s: there is no such file", path);
        return false;
    }
    if (strlen(path) >= sizeof desk->probe_text) {
        wb_desk_say(desk, WB_MESSAGE_ERROR, "that path is too long");
        return false;
    }
    snprintf(desk->probe_text, sizeof desk->probe_text, "%s", path);
    desk->version++;
    return true;
}

static bool read_images(struct wb_subject *s, const char *path, struct wb_err *err)
{
    if (path[0] == '\0')
        return wb_fail(err, WB_ENOTFOUND,
                       "the model looks at images, and none are known: :eval FILE.safetensors");
    if (!wb_image_set_read(path, WB_SUBJECT_WINDOWS, &s->set, err))
        return false;
    s->images = true;
    s->rows = wb_image_set_rows(&s->set);
    return wb_image_set_fits(s->net, &s->set, err);
}

static bool read_text(struct wb_subject *s, const char *path, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(s->net);
    bool ok = path[0] != '\0' ? wb_windows_read(s->tokenizer, spec, path, 0, WB_SUBJECT_WINDOWS,
                                                &s->windows, err)
                              : wb_windows_cut(s->tokenizer, spec, own_text, strlen(own_text), 0,
                                               WB_SUBJECT_WINDOWS, &s->windows, err);

    if (ok)
        s->rows = wb_windows_rows(&s->windows);
    return ok;
}

bool wb_subject_open_net(struct wb_subject *s, struct wb_model *model, const struct wb_eval *how,
                         struct wb_err *err)
{
    *s = (struct wb_subject){ 0 };
    s->net = wb_net_open(model, NULL, how, err);
    if (s->net == NULL || wb_net_spec(s->net)->kind == WB_NET_VISION)
        return s->net != NULL;
    s->tokenizer = wb_tokenizer_open(wb_model_side_dir(model), err);
    return s->tokenizer != NULL;
}

bool wb_subject_open(struct wb_subject *s, struct wb_model *model,
                     const struct wb_subject_choice *choice, const struct wb_eval *how,
                     struct wb_err *err)
{
    bool ok = wb_subject_open_net(s, model, how, err) &&
              (s->tokenizer == NULL ? read_images(s, choice->images, err)
                                    : read_text(s, choice->text, err));

    if (ok)
        s->positions = wb_rows_start(s->net, &s->rows, s->rows.sequences);
    return ok;
}

void wb_subject_close(struct wb_subject *s)
{
    wb_windows_free(&s->windows);
    wb_image_set_free(&s->set);
    wb_tokenizer_free(s->tokenizer);
    wb_net_close(s->net);
    *s = (struct wb_subject){ 0 };
}
