/* views/subject.h - a model of the desk that is about to run, and what it is to look at.
 *
 * What is looked at is the text (of a vision model the images) that was chosen with `:text FILE`;
 * else the first evaluation set of the model that fits; else a paragraph that is built in. */
#ifndef WB_VIEWS_SUBJECT_H
#define WB_VIEWS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "app/infer/forward.h"
#include "app/infer/score.h"
#include "app/infer/tokenizer.h"
#include "app/infer/windows.h"
#include "views/desk.h"

#define WB_SUBJECT_WINDOWS 16 /* or images: enough to tell, quick to answer */

/* Paths; "": none. */
struct wb_subject_choice {
    char text[1024], images[1024];
};

void wb_subject_choose(struct wb_desk *desk, const struct wb_model *model,
                       struct wb_subject_choice *out);
bool wb_subject_same(const struct wb_subject_choice *a, const struct wb_subject_choice *b);
/* "english.txt", "a text of our own" */
const char *wb_subject_name(const struct wb_subject_choice *c, bool images);
/* `:text FILE` of a screen: for all that look at texts. "" takes it back. Says why not. */
bool wb_subject_set_text(struct wb_desk *desk, const char *path);

struct wb_subject {
    struct wb_net *net;
    struct wb_tokenizer *tokenizer; /* NULL of vision models */
    bool images;
    struct wb_windows windows;
    struct wb_image_set set;
    struct wb_rows rows; /* of either; borrowed from them */
    size_t positions;
};

/* On a worker. Free with wb_subject_close, on failure too. */
bool wb_subject_open(struct wb_subject *s, struct wb_model *model,
                     const struct wb_subject_choice *choice, const struct wb_eval *how,
                     struct wb_err *err);
/* The same with the net and the tokenizer alone. */
bool wb_subject_open_net(struct wb_subject *s, struct wb_model *model, const struct wb_eval *how,
                         struct wb_err *err);
void wb_subject_close(struct wb_subject *s);

#endif
