/* app/tensor/kernels.c - which table runs here, and the arithmetic around the kernels. */
#include "app/tensor/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tensor/kernel_element.h"
#include "app/tensor/kernel_tables.h"

#define TABLES_MAX 4

/* Chosen by the first caller; a second thread at the same moment chooses the same. */
static _Atomic(const struct wb_kernels *) current;

#if defined(__x86_64__)
static bool has_f16c(void) /* not a name that clang 14's __builtin_cpu_supports knows */
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

static bool runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && has_f16c();
}

static bool runs_avx512(void)
{
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
static bool runs_avx2(void)
{
    return false;
}

static bool runs_avx512(void)
{
    return false;
}
#endif

const struct wb_kernels *const *wb_kernels_all(size_t *count)
{
    static const struct wb_kernels *const sets[][TABLES_MAX] = {
        { &wb_kernels_scalar },
        { &wb_kernels_scalar, &wb_kernels_neon },
        { &wb_kernels_scalar, &wb_kernels_avx2 },
        { &wb_kernels_scalar, &wb_kernels_avx2, &wb_kernels_avx512 },
    };
    int set = runs_avx512() ? 3 : runs_avx2() ? 2 : wb_kernels_neon.name != NULL ? 1 : 0;
    size_t n = 0;

    while (n < TABLES_MAX && sets[set][n] != NULL)
        n++;
    *count = n;
    return sets[set];
}

/* NULL when there is none of that name here. */
static const struct wb_kernels *find_table(const char *name)
{
    size_t count;
    const struct wb_kernels *const *all = wb_kernels_all(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

static const char *forced_name(void)
{
    const char *name = getenv("WB_KERNELS");

    return name != NULL && name[0] != '\0' ? name : NULL;
}

const struct wb_kernels *wb_kernels(void)
{
    const struct wb_kernels *table = atomic_load_explicit(&current, memory_order_relaxed);
    const char *name;
    size_t count;

    if (table != NULL)
        return table;
    name = forced_name();
    if (name != NULL)
        table = find_table(name);
    if (table == NULL) {
        const struct wb_kernels *const *all = wb_kernels_all(&count);

        table = all[count - 1];
    }
    atomic_store_explicit(&current, table, memory_order_relaxed);
    return table;
}

const char *wb_kernels_forced_error(void)
{
    const char *name = forced_name();

    if (name == NULL || find_table(name) != NULL)
        return NULL;
    for (const char *const *known =
             (const char *const[]){ "scalar", "avx2", "avx512", "neon", NULL };
         *known != NULL; known++)
        if (strcmp(*known, name) == 0)
            return "WB_KERNELS names a kernel table that this processor cannot run";
    return "WB_KERNELS is none of scalar, avx2, avx512, neon";
}

void wb_kernels_use(const struct wb_kernels *table)
{
    atomic_store_explicit(&current, table, memory_order_relaxed);
}

double wb_lanes_fold(const double lanes[WB_LANES])
{
    double lane[WB_LANES];

    memcpy(lane, lanes, sizeof lane);
    for (int half = WB_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return quiet_double(lane[0]);
}

void wb_stats_start(struct wb_stats *s, double lanes[2][WB_LANES])
{
    *s = (struct wb_stats){ .min = INFINITY, .max = -INFINITY };
    memset(lanes, 0, 2 * sizeof lanes[0]);
}

void wb_stats_finish(struct wb_stats *s, double lanes[2][WB_LANES])
{
    s->sum = wb_lanes_fold(lanes[0]);
    s->sum_squares = wb_lanes_fold(lanes[1]);
}

void wb_stats_add(struct wb_stats *total, const struct wb_stats *part)
{
    total->count += part->count;
    total->nan += part->nan;
    total->inf += part->inf;
    total->zero += part->zero;
    total->sum += part->sum;
    total->sum_squares += part->sum_squares;
    total->min = part->min < total->min ? part->min : total->min;
    total->max = part->max > total->max ? part->max : total->max;
    total->absmax = part->absmax > total->absmax ? part->absmax : total->absmax;
}

void wb_pair_stats_start(struct wb_pair_stats *s, double lanes[4][WB_LANES])
{
    *s = (struct wb_pair_stats){ 0 };
    memset(lanes, 0, 4 * sizeof lanes[0]);
}

void wb_pair_stats_finish(struct wb_pair_stats *s, double lanes[4][WB_LANES])
{
    s->xx = wb_lanes_fold(lanes[0]);
    s->yy = wb_lanes_fold(lanes[1]);
    s->xy = wb_lanes_fold(lanes[2]);
    s->dd = wb_lanes_fold(lanes[3]);
}

static uint64_t fnv1a64(const char *text)
{
    uint64_t h = 0xCBF29CE484222325u;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    return h;
}

uint64_t wb_random_stream(uint64_t seed, uint64_t model, const char *tensor_name)
{
    return splitmix64(seed ^ fnv1a64(tensor_name) ^ model << 48);
}
