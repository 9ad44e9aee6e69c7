/* tests/bench/behaviour.c - when the figures of a turned knob come: the first one, one of every set, all.
 *
 * usage: behaviour PIPELINE BASE PARENT... -- TEXT|TASKS.jsonl... -- KNOB=VALUE... Runs the script anew for each
 * setting, as an editor would, and previews what its model does, with one memory over all settings. Prints a line a
 * setting, in milliseconds since the knob was turned; the last lines are the slowest first figures of every set and
 * the slowest end, of the settings after the first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/graph/dense.h"
#include "app/probe/behaviour.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

#define CACHE_BYTES ((uint64_t)64 << 20)
#define MILLISECONDS 1e3
#define MOST 32

struct bench {
    struct wb_arch_set *families;
    struct wb_vm *vm;
    struct wb_cache *cache;
    struct wb_behaviour_memory *memory;
    const char *script;
    struct wb_model *base, *parent[MOST];
    const char *parent_name[MOST];
    size_t parents;
    struct wb_behaviour_set set[MOST];
    size_t sets;
    /* of one turn */
    struct wb_behaviour *b;
    struct wb_behaviour_snapshot seen;
    double start, first, every, end;
};

static void look(void *ctx)
{
    struct bench *t = ctx;
    double now = (wb_now_seconds() - t->start) * MILLISECONDS;
    const struct wb_behaviour_cell *result;
    size_t known = 0;

    if (!wb_behaviour_snapshot(t->b, &t->seen))
        return;
    result = t->seen.cell + (t->seen.models - 1) * t->sets;
    for (size_t s = 0; s < t->sets; s++)
        known += result[s].grade != WB_GRADE_NONE;
    if (known > 0 && t->first == 0)
        t->first = now;
    if (known == t->sets && t->every == 0)
        t->every = now;
}

static bool turn(struct bench *t, const char *set, struct wb_err *err)
{
    struct wb_behaviour_how how = {
        .cache = t->cache, .memory = t->memory, .report = look, .ctx = t
    };
    struct wb_pipeline p = { 0 };
    bool ok;

    t->start = wb_now_seconds();
    t->first = t->every = 0;
    ok = wb_vm_pipeline(t->vm, t->script, &set, 1, &p, err);
    t->b = !ok ? NULL
               : wb_behaviour_new(p.model, "result", t->base, t->parent, t->parent_name, t->parents,
                                  t->set, t->sets, err);
    ok = t->b != NULL && wb_behaviour_run(t->b, &how, err);
    t->end = (wb_now_seconds() - t->start) * MILLISECONDS;
    if (ok)
        printf("  %-22s first figure %7.1f ms  of every set %7.1f ms  all %7.1f ms  %s\n", set,
               t->first, t->every, t->end, t->seen.problem != NULL ? t->seen.problem : "");
    wb_behaviour_snapshot_free(&t->seen);
    wb_behaviour_unref(t->b);
    wb_pipeline_free(&p);
    return ok;
}

static bool open_bench(struct bench *t, struct wb_err *err)
{
    struct wb_vm_options options = { .share_dir = wb_share_dir() };
    char *arch = wb_path_join(wb_share_dir(), "lua/arch");
    const char *dirs[] = { arch };
    bool ok;

    options.families = t->families = wb_arch_set_new();
    t->cache = wb_cache_new(CACHE_BYTES);
    t->memory = wb_behaviour_memory_new();
    ok = t->families != NULL && t->cache != NULL && t->memory != NULL && arch != NULL &&
         wb_families_load(t->families, dirs, 1, err) && (t->vm = wb_vm_new(&options, err)) != NULL;
    free(arch);
    return ok;
}

/* PIPELINE BASE PARENT... -- SET... -- : gives the place of the first setting, 0 on failure. */
static int open_models(struct bench *t, int argc, char **argv, struct wb_err *err)
{
    int i = 3;

    t->script = argv[1];
    t->base = wb_model_open(argv[2], t->families, err);
    for (; t->base != NULL && i < argc && strcmp(argv[i], "--") != 0 && t->parents < MOST; i++) {
        t->parent_name[t->parents] = argv[i];
        t->parent[t->parents] = wb_model_open(argv[i], t->families, err);
        if (t->parent[t->parents++] == NULL)
            return 0;
    }
    for (i++; i < argc && strcmp(argv[i], "--") != 0 && t->sets < MOST; i++)
        t->set[t->sets++] = (struct wb_behaviour_set){
            .kind = strstr(argv[i], ".jsonl") != NULL ? WB_BEHAVIOUR_TASKS : WB_BEHAVIOUR_TEXT,
            .name = argv[i],
            .path = argv[i],
        };
    return t->base != NULL ? i + 1 : 0;
}

static void close_bench(struct bench *t)
{
    wb_model_unref(t->base);
    for (size_t i = 0; i < t->parents; i++)
        wb_model_unref(t->parent[i]);
    wb_vm_free(t->vm);
    wb_behaviour_memory_free(t->memory);
    wb_cache_free(t->cache);
    wb_arch_set_free(t->families);
}

int main(int argc, char **argv)
{
    struct bench t = { 0 };
    double every = 0, end = 0;
    struct wb_err err = { 0 };
    int first = 0;
    bool ok;

    wb_dense_start(argv);
    if (argc < 6) {
        fprintf(stderr, "usage: behaviour PIPELINE BASE PARENT... -- SET... -- KNOB=VALUE...\n");
        return 2;
    }
    ok = open_bench(&t, &err) && (first = open_models(&t, argc, argv, &err)) > 0;
    for (int i = first; ok && i < argc; i++) {
        ok = turn(&t, argv[i], &err);
        if (i > first) {
            every = t.every > every ? t.every : every;
            end = t.end > end ? t.end : end;
        }
    }
    if (ok)
        printf("%.1f\n%.1f\n", every, end);
    else
        fprintf(stderr, "behaviour: %s\n", err.msg);
    close_bench(&t);
    return ok ? 0 : 1;
}
