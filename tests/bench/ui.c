/* tests/bench/ui.c - how quick the workbench is to a person, through a pseudo-terminal.
 *
 * usage: ui DEMO_PIPELINE BIG_MODEL BIG_PIPELINE OUT
 * Starts $WEIGHTBENCH; OUT is a directory that a run of BIG_PIPELINE may begin to fill. Prints lines
 * of five fields parted by tabs: what, measured, bound, unit, a note. Exit status 1 when a bound
 * does not hold. A time counts until what the key did stands on the screen, not until some byte
 * came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "tests/tui/driven_workbench.h"
#include "views/screens.h"

#define STARTS 9
#define TURNS_DEMO 12
#define TURNS_BIG 8
#define KEYS 60
#define MOVES 20
#define SAMPLES_MAX 64
#define PATIENCE_SECONDS 60.0
#define MS 1e3

static struct bench b;
static int failed;

/* ---- figures ---- */

struct samples {
    double v[SAMPLES_MAX];
    size_t n;
};

static void add(struct samples *s, double v)
{
    if (s->n < SAMPLES_MAX)
        s->v[s->n++] = v;
}

static int ascending(const void *a, const void *c)
{
    double x = *(const double *)a, y = *(const double *)c;

    return (x > y) - (x < y);
}

static double share(struct samples *s, double q)
{
    qsort(s->v, s->n, sizeof s->v[0], ascending);
    return s->n == 0 ? 0 : s->v[(size_t)(q * (double)(s->n - 1) + 0.5)];
}

static void row(const char *what, double measured, double bound, const char *unit, const char *note)
{
    failed |= measured > bound;
    printf("%s\t%.*f\t%.0f\t%s\t%s\n", what, measured < 100 && measured != (double)(long)measured,
           measured, bound, unit, note);
    fflush(stdout);
}

/* The bound holds for the share `held` of the samples. */
static void row_of(const char *what, struct samples *s, double held, double bound)
{
    char note[200];

    snprintf(note, sizeof note, "%zu times: least %.1f, median %.1f, 95 %% %.1f, most %.1f", s->n,
             share(s, 0), share(s, 0.5), share(s, 0.95), share(s, 1));
    row(what, share(s, held), bound, "ms", note);
}

/* ---- watching the screen ---- */

static void quiet(int ms)
{
    while (pty_pump(&b.p, ms))
        ;
}

/* Milliseconds from now until done; ends the program when it never comes. */
static double until(bool (*done)(const void *), const void *ctx)
{
    double start = wb_now_seconds();

    while (!done(ctx)) {
        if (wb_now_seconds() > start + PATIENCE_SECONDS)
            pty_fail(&b.p, "it does not come");
        pty_pump(&b.p, 5);
    }
    return (wb_now_seconds() - start) * MS;
}

static bool all_shown(const void *ctx)
{
    const char *const *texts = ctx;

    for (; *texts != NULL; texts++)
        if (!pty_shows(&b.p, *texts))
            return false;
    return true;
}

/* Of the weights, and of what the model does on the bundled evaluation sets. */
static const char *const labels[][5] = { { "relative", "conflicts", "sparsity", "cos ", NULL },
                                         { "english ", "kjv ", NULL, NULL, NULL } };
#define LABELS 5

struct figures {
    int of;                  /* which labels */
    char number[LABELS][24]; /* "": there is none */
};

/* The numbers behind the labels of the preview. */
static void read_figures(struct figures *f)
{
    struct wb_str dump = { 0 };

    vt_dump(&b.p.vt, &dump);
    for (size_t i = 0; i < LABELS; i++) {
        const char *label = labels[f->of][i];
        const char *at = label == NULL ? NULL : strstr(dump.text, label);
        size_t n;

        at = at == NULL ? "" : at + strcspn(at, "0123456789\n");
        n = strspn(at, "0123456789.");
        snprintf(f->number[i], sizeof f->number[i], "%.*s", (int)n, at);
    }
    wb_str_free(&dump);
}

/* ctx: those of before. */
static bool some_figure_changed(const void *ctx)
{
    const struct figures *before = ctx;
    struct figures now = { .of = before->of };

    read_figures(&now);
    for (size_t i = 0; i < LABELS; i++)
        if (now.number[i][0] != '\0' && strcmp(now.number[i], before->number[i]) != 0)
            return true;
    return false;
}

static bool row_is(const void *ctx)
{
    const char *const *want = ctx;
    struct wb_str text = { 0 };
    bool same;

    vt_row(&b.p.vt, b.p.vt.rows - 1, &text);
    same = text.text != NULL && strcmp(text.text, *want) == 0;
    wb_str_free(&text);
    return same;
}

/* ---- what is measured ---- */

static void measure_start(const char *model)
{
    static const char *const whole[] = { "[1 Models]", "llama", "1/1", "open-model", NULL };
    struct samples s = { .n = 0 };

    for (int i = 0; i < STARTS; i++) {
        double start = wb_now_seconds();

        bench_start(&b, 24, 80, model);
        until(all_shown, whole);
        add(&s, (wb_now_seconds() - start) * MS);
        bench_quit(&b);
    }
    row_of("from exec to the whole first screen, 70 B model", &s, 0.5, 150);
}

static void turn_knob(struct samples *s, const char *key, int turns, const char *settled)
{
    struct figures before = { .of = 0 };

    for (int i = 0; i < turns; i++) {
        double start;

        if (settled != NULL)
            pty_wait_text(&b.p, settled);
        quiet(settled != NULL ? 50 : 0);
        read_figures(&before);
        start = wb_now_seconds();
        pty_type(&b.p, key);
        until(some_figure_changed, &before);
        add(s, (wb_now_seconds() - start) * MS);
        for (double end = wb_now_seconds() + 0.3; wb_now_seconds() < end;)
            pty_pump(&b.p, 20);
    }
}

static void measure_turns(const char *demo, const char *big)
{
    struct samples s = { .n = 0 }, t = { .n = 0 };

    bench_start(&b, 24, 80, demo);
    pty_wait_text(&b.p, "exact in");
    turn_knob(&s, "\033[D", TURNS_DEMO, "exact in"); /* Left */
    bench_quit(&b);
    row_of("from a knob turn to the first changed number, bundled models", &s, 0.95, 100);
    bench_start(&b, 24, 80, big);
    until(some_figure_changed, &(struct figures){ .number = { "" } });
    quiet(300);
    turn_knob(&t, "\033[D", TURNS_BIG, NULL);
    bench_quit(&b);
    row_of("the same, three 1.2 B models", &t, 0.95, 400);
}

static bool settled(const void *ctx)
{
    (void)ctx;
    return pty_shows(&b.p, "exact in");
}

/* What the model does, on the five bundled sets: the first figure that is another, and the end of it. */
static void measure_behaviour(const char *demo)
{
    struct samples first = { .n = 0 }, all = { .n = 0 };

    bench_start(&b, 24, 80, demo);
    pty_wait_text(&b.p, "exact in");
    for (int i = 0; i < TURNS_DEMO; i++) {
        struct figures before = { .of = 1 };
        double start;

        quiet(50);
        read_figures(&before);
        start = wb_now_seconds();
        pty_type(&b.p, "\033[D");
        until(some_figure_changed, &before);
        add(&first, (wb_now_seconds() - start) * MS);
        until(settled, NULL);
        add(&all, (wb_now_seconds() - start) * MS);
    }
    bench_quit(&b);
    row_of("from a knob turn to the first figure of behaviour, bundled models", &first, 0.95, 300);
    row_of("the same, to the last one of five evaluation sets", &all, 0.95, 3000);
}

/* Letters at `:`, each until it stands there; at uneven times, for work comes in beats. */
static void type_letters(struct samples *s)
{
    char line[KEYS + 8] = ":";
    const char *want = line;

    pty_type(&b.p, ":");
    until(row_is, &want);
    for (int i = 0; i < KEYS; i++) {
        char key[2] = { (char)('a' + i * 7 % 26), '\0' };
        double start;

        strcat(line, key);
        for (double end = wb_now_seconds() + 0.02 + 0.011 * (i % 5); wb_now_seconds() < end;)
            pty_pump(&b.p, 2);
        start = wb_now_seconds();
        pty_type(&b.p, key);
        until(row_is, &want);
        add(s, (wb_now_seconds() - start) * MS);
    }
    bench_escape(&b);
}

static void measure_keys(const char *big, const char *out)
{
    struct samples preview = { .n = 0 }, run = { .n = 0 };
    char line[600];

    bench_start(&b, 40, 120, big);
    until(some_figure_changed, &(struct figures){ .number = { "" } });
    pty_type(&b.p, "\033[C"); /* the exact pass over new values begins */
    type_letters(&preview);
    if (pty_shows(&b.p, "exact in"))
        fprintf(stderr, "ui: the preview ended before the keys did\n");
    row_of("from a key to its drawing while a preview is at work", &preview, 0.95, 50);
    snprintf(line, sizeof line, "run %s/ui", out);
    bench_command(&b, line);
    pty_wait_text(&b.p, "elapsed");
    type_letters(&run);
    if (!pty_shows(&b.p, "at work"))
        fprintf(stderr, "ui: the run ended before the keys did\n");
    row_of("from a key to its drawing while a run is at work", &run, 0.95, 50);
    bench_go(&b, "run");
    pty_type(&b.p, "\003");
    bench_quit(&b);
}

/* Bytes sent for a key, until nothing comes any more. */
static double bytes_for(const char *key)
{
    size_t mark = pty_mark(&b.p);

    pty_type(&b.p, key);
    quiet(150);
    return (double)(pty_mark(&b.p) - mark);
}

static double most_bytes(const char *key, int times)
{
    double most = 0;

    for (int i = 0; i < times; i++) {
        double n = bytes_for(key);

        most = n > most ? n : most;
    }
    return most;
}

static void measure_bytes_at(int rows, int cols, const char *demo)
{
    double move, paint = 0;
    char what[100];

    bench_start(&b, rows, cols, demo);
    pty_wait_text(&b.p, "exact in");
    bench_command(&b, "open tests/data/zoo/base");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        double n;

        bench_go(&b, wb_screens[i]->name);
        quiet(500);
        n = bytes_for("\014");
        paint = n > paint ? n : paint;
    }
    bench_escape(&b);
    bench_go(&b, "tensors");
    quiet(500);
    move = most_bytes("j", MOVES);
    bench_quit(&b);
    snprintf(what, sizeof what, "bytes for moving the cursor a line, %dx%d", cols, rows);
    row(what, move, cols < 100 ? 1023 : 16383, "B",
        cols < 100 ? "most of 20, tensors" : "most of 20, tensors; a histogram beside it is new");
    snprintf(what, sizeof what, "bytes for painting everything, %dx%d", cols, rows);
    row(what, paint, 16383, "B", "most of all screens");
}

/* Clock ticks that the program used so far. */
static long ticks_used(void)
{
    char path[60], stat[2000] = "", *at;
    long user = 0, system = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)b.p.job);
    f = fopen(path, "r");
    if (f != NULL) {
        stat[fread(stat, 1, sizeof stat - 1, f)] = '\0';
        fclose(f);
    }
    at = strrchr(stat, ')');
    if (at == NULL ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system) != 2)
        pty_fail(&b.p, "its CPU time cannot be read");
    return user + system;
}

static void measure_idle(const char *demo)
{
    size_t mark;
    long ticks;
    double until_then;

    bench_start(&b, 24, 80, demo);
    pty_wait_text(&b.p, "exact in");
    quiet(3000); /* the session is written, toasts are gone */
    mark = pty_mark(&b.p);
    ticks = ticks_used();
    until_then = wb_now_seconds() + 3;
    while (wb_now_seconds() < until_then)
        pty_pump(&b.p, 100);
    row("bytes sent in 3 idle seconds", (double)(pty_mark(&b.p) - mark), 0, "B", "");
    row("CPU time used in 3 idle seconds",
        (double)(ticks_used() - ticks) * MS / (double)sysconf(_SC_CLK_TCK), 0, "ms",
        "/proc/PID/stat");
    bench_quit(&b);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: ui DEMO_PIPELINE BIG_MODEL BIG_PIPELINE OUT\n");
        return 2;
    }
    setlocale(LC_CTYPE, "C.UTF-8");
    bench_open(&b);
    b.behaviour = true;
    measure_start(argv[2]);
    measure_turns(argv[1], argv[3]);
    measure_behaviour(argv[1]);
    measure_keys(argv[3], argv[4]);
    measure_bytes_at(24, 80, argv[1]);
    measure_bytes_at(60, 200, argv[1]);
    measure_idle(argv[1]);
    bench_close(&b);
    return failed;
}
