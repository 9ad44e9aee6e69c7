/* tests/tui/desk_state.h - desks in the states a screen may meet, for tests without a terminal. */
#ifndef WB_TESTS_DESK_STATE_H
#define WB_TESTS_DESK_STATE_H

#include "tests/unit/view_fixture.h"

#define DESK_PIPELINE "tests/data/demo/pipeline.lua"

struct desk_state {
    const char *name;
    void (*make)(struct view_fixture *f); /* on a desk just opened */
};

/* No model, models still opening, models that cannot be opened, models alone, with a pipeline,
 * with one that has an error, after a run, during one; ends with a NULL name. */
extern const struct desk_state desk_states[];

/* One of them by its name; fails when there is none. */
void desk_state_make(struct view_fixture *f, const char *name);
/* The pipeline becomes this text, in a file of the fixture's directory. */
void desk_state_load(struct view_fixture *f, const char *text);

#endif
