/* views/key_among.h - is a key among the names of a table of keys? */
#ifndef WB_VIEWS_KEY_AMONG_H
#define WB_VIEWS_KEY_AMONG_H

#include <stdbool.h>

#include "views/key.h"

/* names: as in the help, separated by blanks. Names that are none count as no key. */
bool wb_key_among(const char *names, struct wb_key key);

#endif
