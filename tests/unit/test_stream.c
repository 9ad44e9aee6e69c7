/* tests/unit/test_stream.c - copies past the caches are copies: every length and alignment, and
 * nothing around them is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/core/stream.h"

#define MOST 300
#define AROUND 64

static void test_equals_memcpy(void **state)
{
    uint8_t from[MOST + AROUND], got[MOST + 2 * AROUND], want[MOST + 2 * AROUND];

    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n <= MOST; n++)
        for (size_t shift = 0; shift < AROUND; shift += 7) {
            memset(got, 0xA5, sizeof got);
            memset(want, 0xA5, sizeof want);
            wb_stream_copy(got + shift, from + n % AROUND, n);
            memcpy(want + shift, from + n % AROUND, n);
            assert_memory_equal(got, want, sizeof got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_equals_memcpy) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
