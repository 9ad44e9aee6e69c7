/* app/core/stream.h - copying what this processor will not read again. */
#ifndef WB_CORE_STREAM_H
#define WB_CORE_STREAM_H

#include <stddef.h>

/* memcpy past the caches: no line of the target is fetched only to be overwritten, and what is in
 * the caches stays there. */
void wb_stream_copy(void *to, const void *from, size_t n);

#endif
