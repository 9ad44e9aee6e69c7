/* views/doc_scores.h - what the pipeline's model does on the evaluation sets, and what it did before.
 *
 * Goes with the figures of the preview: it begins once these are there, ends with the next edit or
 * turn, and every number is compared with the one of the setting before. What is not worked out
 * yet is shown as it was (carried). Belongs to the UI thread. */
#ifndef WB_VIEWS_DOC_SCORES_H
#define WB_VIEWS_DOC_SCORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/probe/behaviour.h"

struct wb_doc;

/* One model on one set, as far as it is known; NaN: it is not. */
struct wb_doc_score {
    double sampled, sampled_error; /* of the beginning of the set */
    double exact, exact_error;
    double kl, agreement; /* to the result, of all of the set */
    double carried;       /* the last value of the setting before */
    uint64_t done, total; /* tokens or items */
};

/* Models are the base (if any), the parents and the result, which is the last. */
struct wb_doc_scores {
    unsigned long figures; /* number of the figures it goes with; 0: there is nothing here */
    size_t models, sets;
    bool has_base;
    char **name, **set_name; /* owned */
    enum wb_behaviour_kind *kind;
    struct wb_doc_score *score; /* [models, sets] */
    char *sample;               /* text the result generated; NULL or "": none */
    char *problem;              /* why figures are missing; NULL: they are not */
    uint64_t version;
    double done; /* share of the work */
    bool finished;
};

void wb_doc_scores_free(struct wb_doc_scores *s);

/* A figure to show. */
struct wb_doc_score_figure {
    double value, error; /* nll, exact match or accuracy; its standard error while sampled */
    enum wb_grade grade; /* NONE: of the setting before, or not there at all */
    double from, to;     /* what to compare; NaN: nothing */
    double kl, agreement;
    double kl_from, agreement_from;
};
struct wb_doc_score_figure wb_doc_score_figure(const struct wb_doc *d, size_t model, size_t set);

/* For the files of the document. */

/* Work it out for the model of the figures that are there now. */
void wb_doc_start_scores(struct wb_doc *d);
/* End the work, keep what is known. */
void wb_doc_stop_scores(struct wb_doc *d);
/* The same model again, after a stop. */
void wb_doc_resume_scores(struct wb_doc *d);
void wb_doc_drop_scores(struct wb_doc *d); /* all of it */
/* The same figures under another setting: they moved nowhere. */
void wb_doc_keep_scores_as_before(struct wb_doc *d);
bool wb_doc_poll_scores(struct wb_doc *d);
/* The sets that the pipeline's model is asked; NULL: there is no model. Borrowed. */
struct wb_eval_list *wb_doc_eval_list(const struct wb_doc *d);
/* The model that they are about; NULL: there is none. */
struct wb_model *wb_doc_eval_model(const struct wb_doc *d);

#endif
