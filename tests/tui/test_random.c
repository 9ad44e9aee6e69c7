/* tests/tui/test_random.c - ten thousand random keys and mouse events against the real program:
 * nothing crashes, it can always be left, the terminal is whole again, and no byte on disk changed.
 *
 * It runs read-only and without a session in a copy of tests/data. The seeds are fixed, so that a
 * failure comes back; WB_SEED=N is another one, WB_EVENTS=N more or fewer. Under a sanitizer as many
 * as fit into MOST_SECONDS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/hash.h"
#include "app/core/io.h"
#include "tests/tui/driven_workbench.h"

#define EVENTS 2500       /* of each of the starts below */
#define CHUNK 12          /* events sent at once, at most */
#define MOST_SECONDS 60.0 /* for each of the starts */

static const char *const starts[] = {
    "",
    "tests/data/zoo/base tests/data/zoo/math tests/data/zoo/lora-math",
    "tests/data/zoo/base tests/data/zoo/math tests/data/demo/pipeline.lua",
    "tests/data/zoo/nowhere tests/data/zoo/base-sharded tests/data/demo/depth.lua",
};

static struct bench b;
static uint64_t seed;
static char events_sent[4000]; /* the last ones, for the report */
static size_t events_sent_n;

static int setup(void **state)
{
    (void)state;
    bench_open(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_close(&b);
    return 0;
}

/* xorshift64*: the same everywhere. */
static unsigned dice(unsigned n)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (unsigned)((seed * UINT64_C(2685821657736338717)) >> 33) % n;
}

/* ---- the tree on disk ---- */

static uint64_t tree;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    struct wb_err err;
    uint64_t sum = wb_hash_bytes(path, strlen(path)).low + (uint64_t)type;
    char *bytes;
    size_t n;

    (void)where;
    if (type == FTW_F) {
        bytes = wb_read_file(path, 1 << 28, &n, &err);
        if (bytes == NULL)
            fail_msg("%s", err.msg);
        sum = sum * 31 + wb_hash_bytes(bytes, n).low;
        free(bytes);
    }
    tree += sum ^ (uint64_t)st->st_mode; /* in any order */
    return 0;
}

static uint64_t hash_tree(void)
{
    tree = 0;
    assert_int_equal(nftw(b.dir, add_file, 20, FTW_PHYS), 0);
    return tree;
}

/* Keys that leave the terminal to the next ones are tested elsewhere: what is typed after them would
 * be echoed by the terminal itself. */
static void copy_data(void)
{
    char line[200];
    struct wb_err err;

    assert_true(wb_make_dirs(bench_path(&b, "$D/config/weightbench"), &err));
    bench_write(&b, "$D/config/weightbench/config.lua",
                "return {keys = {all = {q = false, Q = false, [\"C-z\"] = false, E = false}}}\n");
    snprintf(line, sizeof line, "mkdir -p %s/tests && cp -r tests/data %s/tests/", b.dir, b.dir);
    assert_int_equal(system(line), 0);
}

/* ---- events ---- */

static size_t add_text(char *out)
{
    static const char *const words[] = { ":go ",
                                         ":open tests/data/zoo/",
                                         ":knob density 0.",
                                         "wb.merge(",
                                         "\n",
                                         "local x = ",
                                         ":lua ",
                                         ":set ",
                                         ":map x ",
                                         "model",
                                         "--",
                                         ":filter ",
                                         "end",
                                         "\"",
                                         "function() ",
                                         "0.5",
                                         "ties",
                                         "wb.",
                                         ":rename ",
                                         ":keep a",
                                         ":use a",
                                         ":close",
                                         ":help",
                                         ":write x.lua",
                                         ":run out",
                                         ":record r.lua",
                                         ":screenshot s",
                                         ":edit ",
                                         ":model " };
    const char *word = words[dice(sizeof words / sizeof words[0])];

    return (size_t)sprintf(out, "%s", word);
}

static size_t add_mouse(char *out)
{
    static const int buttons[] = { 0, 0, 0, 1, 2, 64, 65, 64, 65, 4, 16, 32, 66, 99 };
    int button = buttons[dice(sizeof buttons / sizeof buttons[0])];

    return (size_t)sprintf(out, "\033[<%d;%u;%u%c", button, 1 + dice((unsigned)b.p.vt.cols + 3),
                           1 + dice((unsigned)b.p.vt.rows + 3), dice(4) == 0 ? 'm' : 'M');
}

static size_t add_sequence(char *out)
{
    static const char *const keys[] = {
        "\033[A",    "\033[B",    "\033[C",    "\033[D",    "\033[H",   "\033[F",     "\033[5~",
        "\033[6~",   "\033[3~",   "\033[2~",   "\033OP",    "\033[15~", "\033[Z",     "\033[1;5C",
        "\033[1;2A", "\033[1;5H", "\033[1;5F", "\033[1;3B", "\033x",    "\033/",      "\033;",
        "\033\177",  "\033<",     "\033[",     "\033[999~", "\033[<",   "\033[1;99Z", "\033]0;t\a"
    };

    return (size_t)sprintf(out, "%s", keys[dice(sizeof keys / sizeof keys[0])]);
}

static size_t add_paste(char *out)
{
    size_t n = (size_t)sprintf(out, "\033[200~");

    for (unsigned i = dice(6); i > 0; i--)
        n += add_text(out + n);
    return n + (size_t)sprintf(out + n, dice(9) == 0 ? "" : "\033[201~");
}

/* One event as bytes; at most 200. */
static size_t add_event(char *out)
{
    static const char often[] = "jkhlGg\r\t \033\0332345678[]unNsSzZmtfeidcay?L/:";
    unsigned kind = dice(100);

    if (kind < 38) {
        out[0] = often[dice(sizeof often - 1)];
        return 1;
    }
    if (kind < 55) {
        out[0] = (char)(32 + dice(95));
        return 1;
    }
    if (kind < 64) {
        out[0] = (char)(1 + dice(31));
        return 1;
    }
    if (kind < 80)
        return add_sequence(out);
    if (kind < 92)
        return add_mouse(out);
    if (kind < 97)
        return add_text(out);
    if (kind < 98) {
        out[0] = (char)(128 + dice(128)); /* no character at all */
        return 1;
    }
    return add_paste(out);
}

static void keep_for_report(const char *bytes, size_t n)
{
    if (events_sent_n + n > sizeof events_sent) {
        memmove(events_sent, events_sent + sizeof events_sent / 2, sizeof events_sent / 2);
        events_sent_n = events_sent_n < sizeof events_sent / 2 ? 0 : sizeof events_sent / 2;
    }
    memcpy(events_sent + events_sent_n, bytes, n);
    events_sent_n += n;
}

static void report(void)
{
    print_message("the last bytes sent: ");
    for (size_t i = events_sent_n > 600 ? events_sent_n - 600 : 0; i < events_sent_n; i++)
        if (events_sent[i] >= 32 && events_sent[i] < 127)
            print_message("%c", events_sent[i]);
        else
            print_message("\\%03o", (unsigned char)events_sent[i]);
    print_message("\n");
}

/* ---- the program ---- */

static void start(const char *words)
{
    static const int size[][2] = { { 24, 80 }, { 40, 120 }, { 60, 200 }, { 24, 80 } };
    unsigned which = dice(4);
    const char *program = getenv("WEIGHTBENCH");
    char line[1200], root[400], full[500], share[500];
    const char *argv[] = { "/bin/sh", "-c", line, NULL };
    const char *env[] = { bench_path(&b, "HOME=$D"),
                          bench_path(&b, "XDG_CONFIG_HOME=$D/config"),
                          bench_path(&b, "XDG_STATE_HOME=$D/state"),
                          share,
                          "EDITOR=true",
                          "VISUAL",
                          NULL };

    assert_non_null(getcwd(root, sizeof root));
    snprintf(share, sizeof share, "WEIGHTBENCH_SHARE=%s", root);
    if (program == NULL)
        program = "./weightbench";
    snprintf(full, sizeof full, "%s%s%s", program[0] == '/' ? "" : root,
             program[0] == '/' ? "" : "/", program);
    snprintf(line, sizeof line, "cd %s && exec %s --read-only --no-session %s", b.dir, full, words);
    pty_free(&b.p);
    pty_start(&b.p, &(struct pty_options){
                        .argv = argv, .env = env, .rows = size[which][0], .cols = size[which][1] });
    pty_wait_mode(&b.p, &b.p.vt.alternate, true);
}

static void expect_good_end(void)
{
    if (b.p.status != 0) {
        report();
        pty_fail(&b.p, "it ended badly");
    }
    while (pty_pump(&b.p, 0))
        ;
    bench_expect_plain(&b);
}

/* Send a few; take what comes. */
static size_t send_chunk(const char *words)
{
    char bytes[CHUNK * 200];
    size_t n = 0, events = 1 + dice(CHUNK);

    for (size_t i = 0; i < events; i++)
        n += add_event(bytes + n);
    keep_for_report(bytes, n);
    if (dice(60) == 0)
        pty_resize(&b.p, 10 + (int)dice(60), 40 + (int)dice(180));
    pty_send(&b.p, bytes, n);
    while (pty_pump(&b.p, 3) && !b.p.ended)
        wb_str_free(&b.p.bytes); /* nobody looks at them, and they are many */
    if (b.p.ended) {
        expect_good_end();
        start(words);
    }
    return events;
}

/* However deep it is in menus, questions and editors, this leads out. */
static void leave(void)
{
    if (b.p.vt.rows < 24 || b.p.vt.cols < 80)
        pty_resize(&b.p, 24, 80);
    pty_type(&b.p, "\033[201~");
    for (int i = 0; i < 6 && !b.p.ended; i++)
        bench_escape(&b);
    if (!b.p.ended)
        bench_command(&b, "quit!");
    pty_wait_end(&b.p);
    expect_good_end();
}

static void test_random(void **state)
{
    const char *wanted = getenv("WB_SEED"), *many = getenv("WB_EVENTS"), *words = *state;
    size_t events = many != NULL ? strtoul(many, NULL, 10) : EVENTS, done = 0;
    double until = wb_now_seconds() + MOST_SECONDS;
    uint64_t before;

    seed = wanted != NULL ? strtoull(wanted, NULL, 10) : 1;
    print_message("WB_SEED=%llu: %s\n", (unsigned long long)seed, words);
    seed = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    copy_data();
    before = hash_tree();
    start(words);
    while (done < events && wb_now_seconds() < until)
        done += send_chunk(words);
    leave();
    print_message("%zu events\n", done);
    assert_true(hash_tree() == before);
}

#define RANDOM(i)                                                                 \
    {                                                                             \
        .name = "test_random " #i, .test_func = test_random, .setup_func = setup, \
        .teardown_func = teardown, .initial_state = (void *)(uintptr_t)starts[i]  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = { RANDOM(0), RANDOM(1), RANDOM(2), RANDOM(3) };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
