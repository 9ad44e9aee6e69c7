/* views/workbench.h - the workbench as a whole: on a terminal, or driven by a script of keys. */
#ifndef WB_VIEWS_WORKBENCH_H
#define WB_VIEWS_WORKBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/arch/arch.h"
#include "app/core/err.h"

struct wb_workbench_options {
    const struct wb_arch_set *families;
    const char *share_dir;
    const char *const *open; /* models and pipelines; none: the session that was left */
    size_t opens;
    const char *color;    /* as wb_term_options */
    const char *colormap; /* "viridis", "grey"; NULL: as configured */
    bool ascii, no_mouse;
    bool no_behaviour; /* the preview asks models nothing */
    bool no_session;   /* neither restore nor keep the session, nor histories */
    bool no_config;    /* the built-in keys and looks */
    bool read_only, trust;
    int threads;           /* 0: as configured, else one for each processor */
    uint64_t memory_bytes; /* 0: as configured */
    /* Without a terminal: the steps in this file (script_keys.h) on a screen of this size. */
    const char *script;
    int rows, cols;
};

/* Run it until the user quits. false with err: it could not start, or a script's expectation
 * failed (WB_ESCRIPT). */
bool wb_workbench_run(const struct wb_workbench_options *options, struct wb_err *err);

#endif
