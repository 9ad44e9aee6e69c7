/* app/tensor/kernel_loop.h - the loops of kernel_map.h as hints to vectorise.
 *
 * out may be x itself, so `restrict` would be wrong, and a run-time overlap check would choose the
 * slow loop; what is true, and all that is needed, is that no iteration depends on another. */
#ifndef WB_TENSOR_KERNEL_LOOP_H
#define WB_TENSOR_KERNEL_LOOP_H

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* sanitizers leave the loops as they are */
#define LOOP_HINT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LOOP_HINT _Pragma("GCC ivdep")
#endif

#define EACH(i, n) LOOP_HINT for (size_t i = 0; (i) < (n); (i)++)
#define CALL_EACH(i, n) for (size_t i = 0; (i) < (n); (i)++)

#endif
