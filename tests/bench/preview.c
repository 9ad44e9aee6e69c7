/* tests/bench/preview.c - what turning one knob costs while somebody looks.
 *
 * usage: preview PIPELINE KNOB=VALUE... Runs the script anew for each setting, as an editor would, and evaluates
 * the figures of all its steps on a sample, with one cache of results over all of them. Prints a
 * line a setting: milliseconds of the script (opening and graph), of the evaluation, of both, and
 * what the cache gave. The last line is the slowest turn after the first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

#define CACHE_BYTES ((uint64_t)64 << 20)
#define MILLISECONDS 1e3

/* Evaluate every note of the model, sampled. The number of notes goes to *count. */
static bool evaluate_notes(const struct wb_model *model, struct wb_cache *cache, size_t *count,
                           struct wb_err *err)
{
    const struct wb_eval how = { .sample = true, .cache = cache };
    const char *tensor = "";
    struct wb_target *target;
    size_t n = 0, group = 0;
    double *value;
    bool ok;

    for (size_t i = 0; i < wb_model_step_count(model); i++)
        n += wb_model_step(model, i)->notes;
    *count = n;
    target = calloc(n + 1, sizeof *target);
    value = calloc(n + 1, sizeof *value);
    n = 0;
    if (target != NULL && value != NULL)
        for (size_t i = 0; i < wb_model_step_count(model); i++)
            for (size_t k = 0; k < wb_model_step(model, i)->notes; k++, n++) {
                const struct wb_note *note = &wb_model_step(model, i)->note[k];

                group += strcmp(note->tensor, tensor) != 0; /* notes of one tensor share passes */
                tensor = note->tensor;
                target[n] =
                    (struct wb_target){ .node = note->node, .group = group, .value = &value[n] };
            }
    ok = n == *count ? wb_evaluate(&how, target, n, NULL, err)
                     : wb_fail(err, WB_ENOMEM, "no memory");
    free(target);
    free(value);
    return ok;
}

/* One turn of the knob: *ms is what it took. */
static bool turn(struct wb_vm *vm, const char *script, const char *set, struct wb_cache *cache,
                 double *ms, struct wb_err *err)
{
    struct wb_cache_counts before = wb_cache_counts(cache), after;
    double start = wb_now_seconds(), built, end;
    struct wb_pipeline p = { 0 };
    size_t notes;
    bool ok;

    if (!wb_vm_pipeline(vm, script, &set, 1, &p, err))
        return false;
    built = wb_now_seconds();
    ok = evaluate_notes(p.model, cache, &notes, err);
    end = wb_now_seconds();
    wb_pipeline_free(&p);
    if (!ok)
        return false;
    after = wb_cache_counts(cache);
    *ms = (end - start) * MILLISECONDS;
    printf("  %-22s script %7.1f ms  evaluation %7.1f ms  together %7.1f ms  %5zu figures, cache: "
           "%" PRIu64 " hits, %" PRIu64 " misses\n",
           set, (built - start) * MILLISECONDS, (end - built) * MILLISECONDS, *ms, notes,
           after.hits - before.hits, after.misses - before.misses);
    return true;
}

int main(int argc, char **argv)
{
    struct wb_arch_set *set = wb_arch_set_new();
    struct wb_cache *cache = wb_cache_new(CACHE_BYTES);
    struct wb_vm_options options = { .families = set, .share_dir = wb_share_dir() };
    struct wb_vm *vm = NULL;
    char *arch = wb_path_join(wb_share_dir(), "lua/arch");
    const char *dirs[] = { arch };
    double ms = 0, slowest = 0;
    struct wb_err err = { 0 };
    bool ok;

    if (argc < 3) {
        fprintf(stderr, "usage: preview PIPELINE KNOB=VALUE...\n");
        return 2;
    }
    ok = set != NULL && cache != NULL && arch != NULL && wb_families_load(set, dirs, 1, &err) &&
         (vm = wb_vm_new(&options, &err)) != NULL;
    for (int i = 2; ok && i < argc; i++) {
        ok = turn(vm, argv[1], argv[i], cache, &ms, &err);
        if (i > 2 && ms > slowest)
            slowest = ms;
    }
    if (ok)
        printf("%.1f\n", slowest);
    else
        fprintf(stderr, "preview: %s\n", err.msg);
    wb_vm_free(vm);
    wb_cache_free(cache);
    wb_arch_set_free(set);
    free(arch);
    return ok ? 0 : 1;
}
