/* tests/bench/writer.c - what writing costs: cp against positional writes and ways to make them
 * last.
 *
 * usage: writer [DIR [GIGABYTES [ROUNDS [GLOB]]]]. Two threads write blocks of 128 KiB, in order
 * over one new file; with the writer itself in order over all tensors, or each its own tensor.
 * Every line is the best and the median of the rounds, which take turns. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/core/str.h"
#include "app/store/writer.h"

#define BLOCK ((size_t)128 << 10)
#define THREADS 2
#define ROUNDS_MAX 32
#define TENSOR_BYTES ((uint64_t)16 << 20)

enum kind { CP, PWRITE, WRITER_BLOCKS, WRITER_TENSORS };
enum alloc { GROW, TRUNCATE, FALLOCATE };

struct variant {
    const char *name;
    enum kind kind;
    enum alloc alloc;
    uint64_t
        window;  /* start the write-back of every so many bytes as they are complete; 0 = never */
    bool helper; /* by a thread of its own, not by the writers */
    bool sync;   /* fsync at the end */
    bool direct; /* O_DIRECT: past the page cache */
};

static const struct variant variants[] = {
    { "cp", CP, GROW, 0, false, false, false },
    { "cp + fsync", CP, GROW, 0, false, true, false },
    { "pwrite", PWRITE, GROW, 0, false, false, false },
    { "ftruncate + pwrite", PWRITE, TRUNCATE, 0, false, false, false },
    { "fallocate + pwrite", PWRITE, FALLOCATE, 0, false, false, false },
    { "pwrite + fsync", PWRITE, GROW, 0, false, true, false },
    { "ftruncate + pwrite + fsync", PWRITE, TRUNCATE, 0, false, true, false },
    { "fallocate + pwrite + fsync", PWRITE, FALLOCATE, 0, false, true, false },
    { "pwrite + range 8M + fsync", PWRITE, GROW, 8 << 20, false, true, false },
    { "fallocate + pwrite + range 2M + fsync", PWRITE, FALLOCATE, 2 << 20, false, true, false },
    { "fallocate + pwrite + range 8M + fsync", PWRITE, FALLOCATE, 8 << 20, false, true, false },
    { "fallocate + pwrite + range 64M + fsync", PWRITE, FALLOCATE, 64 << 20, false, true, false },
    { "fallocate + pwrite + helper 8M + fsync", PWRITE, FALLOCATE, 8 << 20, true, true, false },
    { "fallocate + pwrite + helper 64M + fsync", PWRITE, FALLOCATE, 64 << 20, true, true, false },
    { "fallocate + O_DIRECT + fsync", PWRITE, FALLOCATE, 0, false, true, true },
    { "wb_writer: blocks in order", WRITER_BLOCKS, FALLOCATE, 0, false, true, false },
    { "wb_writer: a tensor a thread", WRITER_TENSORS, FALLOCATE, 0, false, true, false },
};
#define VARIANTS (sizeof variants / sizeof variants[0])

struct write_job {
    const struct variant *v;
    int fd;
    uint64_t bytes;
    uint8_t *block; /* aligned for O_DIRECT */
    atomic_uint_fast64_t next, done;
};

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_blocks(void *ctx, int worker)
{
    struct write_job *job = ctx;
    uint64_t at, done;

    (void)worker;
    while ((at = atomic_fetch_add(&job->next, BLOCK)) < job->bytes) {
        if (!wb_pwrite(job->fd, job->block, BLOCK, at, NULL))
            die("pwrite");
        done = atomic_fetch_add(&job->done, BLOCK) + BLOCK;
        if (job->v->window > 0 && !job->v->helper && done % job->v->window == 0)
            sync_file_range(job->fd, (off_t)(done - job->v->window), (off_t)job->v->window,
                            SYNC_FILE_RANGE_WRITE);
    }
}

static void *help(void *arg)
{
    struct write_job *job = arg;
    uint64_t at = 0;

    while (at < job->bytes) {
        if (atomic_load(&job->done) < at + job->v->window) {
            usleep(500);
            continue;
        }
        sync_file_range(job->fd, (off_t)at, (off_t)job->v->window, SYNC_FILE_RANGE_WRITE);
        at += job->v->window;
    }
    return NULL;
}

static void run_cp(const char *from, const char *to, bool sync)
{
    pid_t pid = fork();
    int status, fd;

    if (pid == 0) {
        execlp("cp", "cp", from, to, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("cp");
    if (!sync)
        return;
    fd = open(to, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        die(to);
    close(fd);
}

static void run_pwrite(const struct variant *v, const char *path, uint64_t bytes, uint8_t *block)
{
    struct write_job job = { .v = v, .bytes = bytes, .block = block };
    pthread_t helper;

    job.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (v->direct ? O_DIRECT : 0), 0666);
    if (job.fd < 0)
        die(path);
    if (v->alloc == FALLOCATE && posix_fallocate(job.fd, 0, (off_t)bytes) != 0)
        die("posix_fallocate");
    if (v->alloc == TRUNCATE && ftruncate(job.fd, (off_t)bytes) != 0)
        die("ftruncate");
    if (v->helper && pthread_create(&helper, NULL, help, &job) != 0)
        die("pthread_create");
    wb_parallel(THREADS, write_blocks, &job);
    if (v->helper)
        pthread_join(helper, NULL);
    if (v->sync && fsync(job.fd) != 0)
        die("fsync");
    close(job.fd);
}

struct writer_job {
    struct wb_writer *w;
    size_t count;
    uint8_t *block;
    uint64_t step; /* what a thread takes at a time */
    atomic_uint_fast64_t next;
};

static void put_blocks(void *ctx, int worker)
{
    struct writer_job *job = ctx;
    struct wb_err err;
    uint64_t at;

    (void)worker;
    while ((at = atomic_fetch_add(&job->next, job->step)) < job->count * TENSOR_BYTES)
        for (uint64_t end = at + job->step; at < end; at += BLOCK) {
            size_t i = (size_t)(at / TENSOR_BYTES);

            if (!wb_writer_put(job->w, i, at % TENSOR_BYTES, job->block, BLOCK, &err) ||
                (at % TENSOR_BYTES == TENSOR_BYTES - BLOCK &&
                 !wb_writer_done(job->w, i, (struct wb_hash){ 0 }, &err))) {
                fprintf(stderr, "%s\n", err.msg);
                exit(1);
            }
        }
}

static void run_writer(const char *path, uint64_t bytes, uint8_t *block, uint64_t step)
{
    struct writer_job job = { .count = (size_t)(bytes / TENSOR_BYTES),
                              .block = block,
                              .step = step };
    struct wb_out_tensor *tensor = calloc(job.count, sizeof *tensor);
    char(*name)[24] = calloc(job.count, sizeof *name);
    struct wb_writer_options options = { .dir = path, .stem = "model" };
    struct wb_err err;

    if (tensor == NULL || name == NULL)
        die("calloc");
    for (size_t i = 0; i < job.count; i++) {
        snprintf(name[i], sizeof name[i], "t%zu", i);
        tensor[i] = (struct wb_out_tensor){ name[i], WB_DTYPE_BF16, { 1, { TENSOR_BYTES / 2 } } };
    }
    job.w = wb_writer_open(&options, tensor, job.count, &err);
    if (job.w != NULL)
        wb_parallel(THREADS, put_blocks, &job);
    if (job.w == NULL || !wb_writer_finish(job.w, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    wb_writer_close(job.w);
    free(tensor);
    free(name);
}

static void run(const struct variant *v, const char *from, const char *to, uint64_t bytes,
                uint8_t *block)
{
    if (v->kind == CP)
        run_cp(from, to, v->sync);
    else if (v->kind == PWRITE)
        run_pwrite(v, to, bytes, block);
    else
        run_writer(to, bytes, block, v->kind == WRITER_BLOCKS ? BLOCK : TENSOR_BYTES);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    uint64_t bytes = (uint64_t)((argc > 2 ? atof(argv[2]) : 2) * 1e9) / (64 << 20) * (64 << 20);
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    const char *match = argc > 4 ? argv[4] : "*";
    static double time[VARIANTS][ROUNDS_MAX];
    char from[4096], to[4096];
    uint8_t *block = aligned_alloc(4096, BLOCK);

    if (block == NULL || rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (uint8_t)(i * 2654435761u >> 13);
    snprintf(from, sizeof from, "%s/wb-bench-from", dir);
    snprintf(to, sizeof to, "%s/wb-bench-to", dir);
    unlink(from);
    wb_remove_tree(to, NULL);
    run_pwrite(&variants[5], from, bytes, block);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < VARIANTS; i++) {
            double start;

            if (!wb_glob(match, variants[i].name))
                continue;
            sync();
            start = wb_now_seconds();
            run(&variants[i], from, to, bytes, block);
            time[i][r] = wb_now_seconds() - start;
            wb_remove_tree(to, NULL);
        }
    printf("%.2f GB, %d rounds\n%-40s %8s %8s\n", (double)bytes / 1e9, rounds, "", "best s",
           "median s");
    for (size_t i = 0; i < VARIANTS; i++) {
        if (!wb_glob(match, variants[i].name))
            continue;
        qsort(time[i], (size_t)rounds, sizeof(double), compare);
        printf("%-40s %8.2f %8.2f\n", variants[i].name, time[i][0], time[i][rounds / 2]);
    }
    unlink(from);
    free(block);
    return 0;
}
