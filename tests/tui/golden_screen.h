/* tests/tui/golden_screen.h - screens against tests/data/screens, with what may differ masked. */
#ifndef WB_TESTS_GOLDEN_SCREEN_H
#define WB_TESTS_GOLDEN_SCREEN_H

#include <stdbool.h>

/* A dump without what depends on the clock, on the machine or on how many threads there are; owned
 * by the caller. */
char *golden_screen_mask(const char *dump);
/* The dump is tests/data/screens/ui-NAME-COLSxROWS.txt; when WB_GOLDEN=1 is set, that becomes it.
 * Fails the test when there is no such file. */
bool golden_screen_is(const char *dump, const char *name, int rows, int cols);

#endif
