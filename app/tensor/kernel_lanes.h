/* app/tensor/kernel_lanes.h - reductions and selection one element at a time: definitions and
 * tails. */
#ifndef WB_TENSOR_KERNEL_LANES_H
#define WB_TENSOR_KERNEL_LANES_H

#include "app/tensor/kernel_element.h"

static inline void lanes_store(const double lane[WB_LANES], double *lanes)
{
    for (int l = 0; l < WB_LANES; l++)
        lanes[l] = quiet_double(lane[l]);
}

/* Folding vector extremes; no NaN among them. */
static inline float least_of(const float *part, int n, float start)
{
    for (int l = 0; l < n; l++)
        start = part[l] < start ? part[l] : start;
    return start;
}

static inline float greatest_of(const float *part, int n, float start)
{
    for (int l = 0; l < n; l++)
        start = part[l] > start ? part[l] : start;
    return start;
}

static inline void extremes_add(struct wb_stats *acc, float least, float greatest)
{
    float magnitude =
        element_abs(least) > element_abs(greatest) ? element_abs(least) : element_abs(greatest);

    acc->min = least < acc->min ? least : acc->min;
    acc->max = greatest > acc->max ? greatest : acc->max;
    acc->absmax = magnitude > acc->absmax ? magnitude : acc->absmax;
}

static inline void stats_element(float x, struct wb_stats *acc, double lanes[2][WB_LANES],
                                 size_t lane)
{
    if (is_finite(x)) {
        acc->zero += x == 0.0f;
        lanes[0][lane] += (double)x;
        lanes[1][lane] += (double)x * (double)x;
    } else {
        acc->nan += x != x;
        acc->inf += x == x;
    }
    extremes_add(acc, x, x); /* no comparison with a NaN is true */
}

/* After n elements: which zero was met last must not show. */
static inline void stats_close(size_t n, struct wb_stats *acc, double lanes[2][WB_LANES])
{
    acc->count += n;
    acc->min += 0.0f;
    acc->max += 0.0f;
    lanes_store(lanes[0], lanes[0]);
    lanes_store(lanes[1], lanes[1]);
}

static inline void pair_element(float x, float y, struct wb_pair_stats *acc,
                                double lanes[4][WB_LANES], size_t lane)
{
    double delta = (double)y - (double)x;
    float magnitude = element_abs((float)delta); /* as that of y - x in float32 */

    if (!is_finite(x) || !is_finite(y)) {
        acc->skipped++;
        return;
    }
    acc->same_sign += (x > 0.0f) == (y > 0.0f) && (x < 0.0f) == (y < 0.0f);
    acc->unequal += x != y;
    lanes[0][lane] += (double)x * (double)x;
    lanes[1][lane] += (double)y * (double)y;
    lanes[2][lane] += (double)x * (double)y;
    lanes[3][lane] = fma(delta, delta, lanes[3][lane]); /* rounded once, as vectors do it */
    acc->max_abs = magnitude > acc->max_abs ? magnitude : acc->max_abs;
}

static inline void pair_close(size_t n, struct wb_pair_stats *acc, double lanes[4][WB_LANES])
{
    acc->count += n;
    for (int k = 0; k < 4; k++)
        lanes_store(lanes[k], lanes[k]);
}

static inline void bracket_element(uint32_t key, uint32_t low, uint32_t high,
                                   struct wb_bracket_counts *counts, uint32_t *list, size_t *used)
{
    counts->above += key > high;
    counts->at_high += key == high;
    counts->at_low += key == low && low != high;
    if (key > low && key < high)
        list[(*used)++] = key;
}

#endif
