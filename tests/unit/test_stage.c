/* tests/unit/test_stage.c - whatever order blocks come in, the file ends up with their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/store/stage.h"

#define FILES 2
#define BYTES ((size_t)40 << 20) /* more than the stage holds; with a rest behind the last window */
#define REST 12345
#define BLOCK 100003 /* prime: no block ends with a window */

struct fixture {
    char dir[256];
    struct wb_stage_file file[FILES];
    uint8_t *want; /* both files have the same bytes */
    size_t *order; /* of the blocks */
    size_t blocks;
    struct wb_stage *stage;
    atomic_size_t next;
    atomic_bool failed;
};

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* direct: with O_DIRECT where the file system has it. */
static void setup(struct fixture *f, bool direct)
{
    static const char *const name[FILES] = { "a", "b" };
    const char *tmp = getenv("TMPDIR");
    uint32_t seed = 7;

    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "%s/stage.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    for (int i = 0; i < FILES; i++) {
        char *path = wb_path_join(f->dir, name[i]);
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        int past = open(path, O_WRONLY | (direct ? O_DIRECT : 0));

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, BYTES + REST), 0);
        f->file[i] = (struct wb_stage_file){
            .dir = f->dir, .name = name[i], .fd = fd, .direct = past < 0 ? dup(fd) : past
        };
        free(path);
    }
    f->want = malloc(BYTES + REST);
    f->blocks = (BYTES + REST + BLOCK - 1) / BLOCK;
    f->order = malloc(FILES * f->blocks * sizeof *f->order);
    assert_true(f->want != NULL && f->order != NULL);
    for (size_t i = 0; i < BYTES + REST; i++)
        f->want[i] = (uint8_t)(draw(&seed) >> 3);
    for (size_t i = 0; i < FILES * f->blocks; i++)
        f->order[i] = i;
    f->stage = wb_stage_new(f->file);
    assert_non_null(f->stage);
}

static void teardown(struct fixture *f)
{
    wb_stage_free(f->stage);
    for (int i = 0; i < FILES; i++) {
        close(f->file[i].fd);
        close(f->file[i].direct);
    }
    assert_true(wb_remove_tree(f->dir, NULL));
    free(f->want);
    free(f->order);
}

static void put_blocks(void *ctx, int worker)
{
    struct fixture *f = ctx;
    size_t i;

    (void)worker;
    while ((i = atomic_fetch_add(&f->next, 1)) < FILES * f->blocks) {
        size_t at = f->order[i] % f->blocks * BLOCK, left = BYTES + REST - at;

        if (!wb_stage_put(f->stage, f->order[i] / f->blocks, at, f->want + at,
                          left < BLOCK ? left : BLOCK, NULL))
            atomic_store(&f->failed, true);
    }
}

/* Put everything and compare. */
static void check(struct fixture *f)
{
    uint8_t *got = malloc(BYTES + REST);

    wb_parallel(3, put_blocks, f);
    assert_false(atomic_load(&f->failed));
    assert_true(wb_stage_flush(f->stage, NULL));
    for (int i = 0; i < FILES; i++) {
        assert_true(wb_pread(f->file[i].fd, got, BYTES + REST, 0, NULL));
        assert_memory_equal(got, f->want, BYTES + REST);
    }
    free(got);
}

static void test_in_order(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, true);
    check(&f);
    teardown(&f);
}

static void test_any_order(void **state)
{
    struct fixture f;
    uint32_t seed = 3;

    (void)state;
    setup(&f, true);
    for (size_t i = FILES * f.blocks; i-- > 1;) {
        size_t k = draw(&seed) % (i + 1), swap = f.order[i];

        f.order[i] = f.order[k];
        f.order[k] = swap;
    }
    check(&f);
    teardown(&f);
}

/* A file system may take O_DIRECT at open and refuse the write. */
static void test_refused(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, false);
    for (int i = 0; i < FILES; i++) {
        close(f.file[i].direct);
        f.file[i].direct = open("/dev/null", O_RDONLY);
    }
    check(&f);
    teardown(&f);
}

static void test_error(void **state)
{
    struct wb_err err = { .code = WB_OK };
    struct fixture f;

    (void)state;
    setup(&f, true);
    close(f.file[1].fd);
    close(f.file[1].direct);
    f.file[1].fd = open("/dev/null", O_RDONLY);
    f.file[1].direct = open("/dev/null", O_RDONLY);
    assert_true(wb_stage_put(f.stage, 1, 5, "bytes", 5, NULL));
    assert_false(wb_stage_flush(f.stage, &err));
    assert_non_null(strstr(err.msg, "/b: "));
    assert_false(wb_stage_put(f.stage, 0, 0, "more", 4, &err));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
