/* views/doc_impl.h - between the parts of the pipeline document; not for others. */
#ifndef WB_VIEWS_DOC_IMPL_H
#define WB_VIEWS_DOC_IMPL_H

#include "views/doc.h"

/* Of doc_preview.c. */
void wb_doc_new_preview(struct wb_doc *d);    /* of the model that the script gives now */
void wb_doc_drop_preview(struct wb_doc *d);   /* the figures stay */
void wb_doc_drop_figures(struct wb_doc *d);   /* preview, plan and all figures */
void wb_doc_keep_as_before(struct wb_doc *d); /* after a turn that changes no number */
bool wb_doc_poll_preview(struct wb_doc *d);
bool wb_doc_poll_plan(struct wb_doc *d);

/* Of doc_knobs.c. The default as it would be typed; into out. */
const char *wb_knob_default_text(const struct wb_knob *k, char *out, size_t size);

#endif
