/* tests/tui/vt_internal.h - what the two halves of the tests' terminal share. */
#ifndef WB_TESTS_VT_INTERNAL_H
#define WB_TESTS_VT_INTERNAL_H

#include "tests/tui/vt.h"

extern const struct vt_cell vt_blank;

/* Stop here: what, and the bytes of it. Only the first counts. */
void vt_unknown(struct vt *vt, const char *what, const char *bytes, size_t n);
/* Blank cells [from, to) of a row; they keep the background of the pen. */
void vt_erase(struct vt *vt, int row, int from, int to);
/* Half of a wide character cannot stay: make two blanks of one that begins before col. */
void vt_split(struct vt *vt, int row, int col);
/* Lines from top to the end of the region: up for n > 0, else down. */
void vt_scroll(struct vt *vt, int top, int n);
void vt_go(struct vt *vt, int row, int col); /* as far as the screen goes */
void vt_line_down(struct vt *vt);
/* n > 0: blanks go in before the cursor; < 0: cells go out behind it. */
void vt_shift(struct vt *vt, int n);
void vt_put(struct vt *vt, uint32_t ch);

/* Obey one character or sequence; gives the bytes it took, 0: not all there. */
size_t vt_take(struct vt *vt, const char *s, size_t n);

#endif
