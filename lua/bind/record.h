/* lua/bind/record.h - what was done on the screens, kept as a Lua script that does it again. */
#ifndef WB_LUA_RECORD_H
#define WB_LUA_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/str.h"
#include "lua/bind/vm.h"

struct wb_record; /* acts in the order they were added; belongs to one thread */

struct wb_record *wb_record_new(void);    /* NULL without memory */
void wb_record_free(struct wb_record *r); /* NULL is fine */
void wb_record_clear(struct wb_record *r);
size_t wb_record_count(const struct wb_record *r);

/* Each act copies what it is given; false without memory. Models are named as on the screens; a
 * name that was not opened is an error when the script runs. */
bool wb_record_open(struct wb_record *r, const char *name, const char *path);
bool wb_record_close(struct wb_record *r, const char *name);
/* base, match: NULL without. */
bool wb_record_compare(struct wb_record *r, const char *a, const char *b, const char *base,
                       const char *match, bool sample);
bool wb_record_stats(struct wb_record *r, const char *name, const char *match, bool sample);
/* The pipeline's text and the knobs it ran with: the last one of them is what the script
 * returns. */
bool wb_record_pipeline(struct wb_record *r, const char *text, size_t n, const struct wb_knob *knob,
                        size_t knobs);
/* A note of what was looked at, as a comment. */
bool wb_record_comment(struct wb_record *r, const char *text);

/* The script: what ran last is returned, so that `weightbench run FILE -o OUT` writes it; without a
 * pipeline the model opened first. The same acts give the same text. */
bool wb_record_script(const struct wb_record *r, struct wb_str *out, struct wb_err *err);

#endif
