/* views/keymap.h - which key does what, where: the default keys of action.h and the user's own. */
#ifndef WB_VIEWS_KEYMAP_H
#define WB_VIEWS_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "views/action.h"
#include "views/key.h"
#include "views/view.h"

/* A binding of the user's: in one view, or in all. */
struct wb_binding {
    char view[24]; /* "" in every view */
    struct wb_key key;
    enum wb_action action; /* WB_ACTION_NONE: the key does nothing */
};

/* Zero-initialised has the default keys. */
struct wb_keymap {
    struct wb_binding *own; /* owned; later ones win */
    size_t count, room;
};

void wb_keymap_free(struct wb_keymap *map);
/* Bind a key by its name to an action by its name; action NULL or "none" unbinds. view NULL or
 * "all": everywhere. WB_EARG names what is not known. */
bool wb_keymap_bind(struct wb_keymap *map, const char *view, const char *key, const char *action,
                    struct wb_err *err);
/* What a key does in a view: the user's binding for the view, then for all, then the default of
 * an action that the view handles, then the frame's. */
enum wb_action wb_keymap_find(const struct wb_keymap *map, const struct wb_view_ops *view,
                              struct wb_key key);
/* The keys of an action in a view, as names separated by blanks; "" when it has none. */
const char *wb_keymap_keys(const struct wb_keymap *map, const struct wb_view_ops *view,
                           enum wb_action action, char *out, size_t size);
/* Does the view handle the action? */
bool wb_view_handles(const struct wb_view_ops *view, enum wb_action action);
/* Is it the frame's, everywhere? */
bool wb_action_of_frame(enum wb_action action);

#endif
