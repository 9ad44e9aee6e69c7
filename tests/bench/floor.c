/* tests/bench/floor.c - what this machine can do at best: the floor under every other figure.
 *
 * usage: floor FILE OUT [THREADS]. Memory: reads and copies of arrays beyond the caches. Files: positional reads of
 * FILE (from the page cache) in blocks that stay in the second-level cache, and writes of as many
 * bytes to the new file OUT. Gigabytes a second, the best of a few. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/parallel.h"

#define ARRAY_BYTES ((size_t)512 << 20)
#define BLOCK_BYTES ((uint64_t)128 << 10)
#define ROUNDS 5

enum kind { READ_MEMORY, COPY_MEMORY, READ_FILE, WRITE_FILE };

struct task {
    enum kind kind;
    int threads, fd;
    uint8_t *from, *to;
    uint64_t bytes;
    _Atomic uint64_t next, sum;
    atomic_bool failed;
};

static uint64_t add_up(const uint8_t *bytes, uint64_t n)
{
    uint64_t lane[8] = { 0 }, word[8];

    for (uint64_t i = 0; i + sizeof word <= n; i += sizeof word) {
        memcpy(word, bytes + i, sizeof word);
        for (int k = 0; k < 8; k++)
            lane[k] += word[k];
    }
    return lane[0] + lane[1] + lane[2] + lane[3] + lane[4] + lane[5] + lane[6] + lane[7];
}

static void work(void *ctx, int worker)
{
    struct task *t = ctx;
    uint8_t *block = malloc(BLOCK_BYTES);
    struct wb_err err = { .msg = "no memory" };
    uint64_t at, n, sum = 0;
    bool ok = block != NULL;

    (void)worker;
    if (ok)
        memset(block, 1, BLOCK_BYTES);
    while (ok && (at = atomic_fetch_add(&t->next, BLOCK_BYTES)) < t->bytes) {
        n = t->bytes - at < BLOCK_BYTES ? t->bytes - at : BLOCK_BYTES;
        switch (t->kind) {
        case READ_MEMORY:
            sum += add_up(t->from + at, n);
            break;
        case COPY_MEMORY:
            memcpy(t->to + at, t->from + at, n);
            break;
        case READ_FILE:
            ok = wb_pread(t->fd, block, n, at, &err);
            break;
        case WRITE_FILE:
            ok = wb_pwrite(t->fd, block, n, at, &err);
            break;
        }
    }
    if (!ok) {
        fprintf(stderr, "floor: %s\n", err.msg);
        atomic_store(&t->failed, true);
    }
    atomic_fetch_add(&t->sum, sum); /* so that the reads are not optimised away */
    free(block);
}

/* Gigabytes a second, best of ROUNDS; 0 when it failed. */
static double best(struct task *t, const char *out)
{
    double fastest = 0, start, rate;

    for (int i = 0; i < ROUNDS; i++) {
        if (t->kind == WRITE_FILE) {
            unlink(out);
            sync(); /* or the blocks just given back may still be missing */
            t->fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
            if (t->fd < 0)
                perror(out);
        }
        atomic_store(&t->next, 0);
        start = wb_now_seconds();
        wb_parallel(t->threads, work, t);
        rate = (double)t->bytes / (wb_now_seconds() - start) / 1e9;
        fastest = rate > fastest ? rate : fastest;
        if (t->kind == WRITE_FILE)
            close(t->fd);
    }
    if (t->kind == WRITE_FILE)
        unlink(out);
    return atomic_load(&t->failed) ? 0 : fastest;
}

int main(int argc, char **argv)
{
    static const char *const what[] = { "memory, read", "memory, copied", "page cache, read",
                                        "page cache, written" };
    struct task t = { .threads = argc > 3 ? atoi(argv[3]) : 2 };
    struct stat st;
    int fd;

    if (argc < 3) {
        fprintf(stderr, "usage: floor FILE OUT [THREADS]\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY);
    t.from = malloc(ARRAY_BYTES);
    t.to = malloc(ARRAY_BYTES);
    if (fd < 0 || fstat(fd, &st) != 0 || t.from == NULL || t.to == NULL) {
        perror(argv[1]);
        return 1;
    }
    memset(t.from, 1, ARRAY_BYTES);
    memset(t.to, 2, ARRAY_BYTES);
    for (t.kind = READ_MEMORY; t.kind <= WRITE_FILE; t.kind++) {
        t.fd = fd;
        t.bytes = t.kind <= COPY_MEMORY ? ARRAY_BYTES : (uint64_t)st.st_size;
        printf("  %-20s %6.1f GB/s\n", what[t.kind], best(&t, argv[2]));
    }
    close(fd);
    free(t.from);
    free(t.to);
    return 0;
}
