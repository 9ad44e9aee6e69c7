/* tests/tui/driven_workbench.h - the real program on a pseudo-terminal, with a home of its own. */
#ifndef WB_TESTS_DRIVEN_WORKBENCH_H
#define WB_TESTS_DRIVEN_WORKBENCH_H

#include "tests/tui/pty.h"

#define BENCH_ESC "\033"
#define BENCH_END_OF_TEXT "\033[1;5F" /* C-End */

struct bench {
    struct pty p;
    char dir[64];       /* temporary: home, config, state, and what a test writes */
    char root[300];     /* of the source tree */
    bool behaviour;     /* the preview asks models: not unless this is set */
    const char *env[8]; /* more of the environment: "NAME=value"; NULL-terminated */
};

/* A directory, nothing in it, no program yet. */
void bench_open(struct bench *b);
/* End the program, remove the directory. */
void bench_close(struct bench *b);
/* Start $WEIGHTBENCH, else ./weightbench, with these words ("$D" in them is the directory), parted
 * by blanks; the program before it ends first. */
void bench_start(struct bench *b, int rows, int cols, const char *words);
/* "$D/x" with the directory in it; one of a few static buffers. */
const char *bench_path(const struct bench *b, const char *text);
void bench_write(const struct bench *b, const char *path, const char *text);
/* The file's text; owned by the caller; NULL: there is none. */
char *bench_read(const struct bench *b, const char *path);
bool bench_exists(const struct bench *b, const char *path);
/* Copy tests/data/zoo/NAME to $D/NAME. */
void bench_copy_model(const struct bench *b, const char *name);

/* Esc, and the time it takes to be no Alt. */
void bench_escape(struct bench *b);
/* A command behind `:`, typed; "$D" is the directory. Not while something is typed into. */
void bench_command(struct bench *b, const char *line);
/* Go to a screen by `:go` and wait for its tab: "[3 Pip". */
void bench_go(struct bench *b, const char *screen);
/* SGR mouse: button 0 press and release, 64 and 65 the wheel; from 0. */
void bench_mouse(struct bench *b, int button, int row, int col);
/* Row of the first line that shows the text, its column into col (NULL is fine); fails without. */
int bench_find(struct bench *b, const char *text, int *col);
/* Wait until the whole screen is tests/data/screens/ui-NAME-SIZE.txt. */
void bench_wait_golden(struct bench *b, const char *name);
/* Wait for a file to be there, or to have a text in it. */
void bench_wait_file(struct bench *b, const char *path, const char *text);
/* Leave with `:quit!`, from wherever; status 0, and the terminal as it was. */
void bench_quit(struct bench *b);
void bench_expect_plain(struct bench *b);

#endif
