/* views/session.h - what was open, kept from one start to the next, and over a crash.
 *
 * $XDG_STATE_HOME/weightbench/session.json, else ~/.local/state/…: models with their names, the
 * pipeline with its unsaved text and knobs, settings, the screen. Written whole or not at all,
 * whenever something of it changed. */
#ifndef WB_VIEWS_SESSION_H
#define WB_VIEWS_SESSION_H

#include <stdbool.h>

#include "app/core/err.h"
#include "views/frame.h"

struct wb_session {
    char *path;       /* owned; NULL: nothing is kept */
    char *kept;       /* the text written last; owned */
    double looked_at; /* wb_now_seconds */
    bool due;         /* something may have changed since */
};

/* keep false: a session that does nothing. */
void wb_session_init(struct wb_session *s, bool keep);
void wb_session_free(struct wb_session *s);
/* Open what was open; models that are gone are told in the log. True when there was a session.
 * A broken file is told and left alone: then this session is not kept. */
bool wb_session_restore(struct wb_session *s, struct wb_frame *f);
/* Write the file when something changed; `now`: even if the last look was just before. */
void wb_session_keep(struct wb_session *s, struct wb_frame *f, bool now);
/* Milliseconds until wb_session_keep should look again; -1: nothing happened since it did. */
int wb_session_timeout_ms(const struct wb_session *s);

#endif
