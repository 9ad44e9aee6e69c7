/* tests/fuzz/safetensors.c - the header parser on hostile bytes.
 *
 * With a fuzzing engine: clang -fsanitize=fuzzer,address -DWB_LIBFUZZER …. Without one the program
 * replays files, or mutates a few headers for some seconds: safetensors [-t SECONDS] [-s SEED]
 * [FILE]... Whatever the input, the parser fails with a message or gives tensors that lie within
 * the file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/store/safetensors.h"

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every caller relies on. */
static void check_tensors(const struct wb_safetensors *st, size_t size)
{
    uint64_t end = st->header_bytes, bytes;
    char shown[WB_SHOWN_BYTES];

    for (size_t i = 0; i < st->count; i++) {
        const struct wb_tensor_info *t = &st->tensor[i];

        CHECK(t->offset == end && t->bytes <= size - end);
        CHECK((unsigned)t->dtype < WB_DTYPE_COUNT && t->shape.ndim <= WB_DIMS_MAX);
        CHECK(wb_shape_bytes(&t->shape, t->dtype, &bytes) && bytes == t->bytes);
        CHECK(strlen(t->name) <= WB_NAME_MAX_BYTES);
        CHECK(strlen(wb_show_name(t->name, shown)) < WB_SHOWN_BYTES);
        end += t->bytes;
    }
    CHECK(end == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wb_arena arena = { 0 };
    struct wb_safetensors st;
    struct wb_err err = { 0 };

    if (wb_safetensors_parse(data, size, size, &arena, &st, &err))
        check_tensors(&st, size);
    else
        CHECK(err.code != WB_OK && err.msg[0] != '\0' && st.tensor == NULL);
    wb_safetensors_free(&st);
    wb_arena_free(&arena);
    return 0;
}

#ifndef WB_LIBFUZZER
#define INPUT_MAX 4096
#define BATCH 1000 /* inputs between two looks at the clock */

/* Headers to start from; the data behind them is zeros. */
static const struct {
    const char *json;
    size_t data;
} seeds[] = {
    { "{}", 0 },
    { "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_"
      "offsets\":[0,24]},"
      "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}   ",
      32 },
    { "{\"\\u0041\\ud83d\\ude00\":{\"dtype\":\"F4\",\"shape\":[0,2],\"data_offsets\":[0,0]},"
      "\"b\":{\"shape\":[],\"dtype\":\"U8\",\"more\":[{\"x\":-1.5e3},null,true],\"data_offsets\":["
      "0,1]}}",
      1 },
};
static const char *const words[] = {
    "18446744073709551615",
    "9223372036854775808",
    "-1",
    "1.0",
    "1e2",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\xED\xA0\x80",
    "\xC0\x80",
    "null",
    "\"dtype\"",
    "\"shape\"",
    "\"data_offsets\"",
    "\"__metadata__\"",
    "\"F6_E2M3\"",
    "0",
    ",",
    ":",
    " ",
};

static uint64_t random_state;

static uint64_t draw(uint64_t below) /* splitmix64 */
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % below;
}

/* Replace n bytes at `pos` by a word. */
static size_t splice(uint8_t *buf, size_t size, size_t pos, size_t n, const char *word)
{
    size_t w = strlen(word);

    if (size - n + w > INPUT_MAX)
        return size;
    memmove(buf + pos + w, buf + pos + n, size - pos - n);
    memcpy(buf + pos, word, w);
    return size - n + w;
}

static size_t mutate(uint8_t *buf, size_t size)
{
    size_t pos = 8 + (size_t)draw(size - 7), n = size - pos;

    n = n == 0 ? 0 : (size_t)draw((n < 16 ? n : 16) + 1);
    switch (draw(4)) {
    case 0:
        if (pos < size)
            buf[pos] ^= (uint8_t)(1u << draw(8));
        return size;
    case 1:
        if (pos < size)
            buf[pos] = (uint8_t)draw(256);
        return size;
    case 2:
        return splice(buf, size, pos, n, "");
    default:
        return splice(buf, size, pos, n, words[draw(sizeof words / sizeof words[0])]);
    }
}

/* The length mostly fits the new header, or the file; now and then it is any number. */
static void put_length(uint8_t *buf, size_t header)
{
    uint64_t length = draw(20) == 0 ? draw(UINT64_MAX) >> draw(64) : header;

    for (int i = 0; i < 8; i++)
        buf[i] = (uint8_t)(length >> (8 * i));
}

static void run_one(uint8_t *buf)
{
    size_t k = (size_t)draw(sizeof seeds / sizeof seeds[0]), size = 8 + strlen(seeds[k].json);
    uint8_t *exact;

    memcpy(buf + 8, seeds[k].json, size - 8);
    for (uint64_t times = draw(6); times > 0; times--)
        size = mutate(buf, size);
    put_length(buf, size - 8);
    memset(buf + size, 0, seeds[k].data);
    size += seeds[k].data;
    if (draw(20) == 0)
        size = (size_t)draw(size + 1);
    exact = malloc(size + 1); /* of the exact size, for a sanitizer to see what is read behind it */
    CHECK(exact != NULL);
    memcpy(exact, buf, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_seconds(double seconds)
{
    static uint8_t buf[INPUT_MAX + 64];
    double until = wb_now_seconds() + seconds;
    uint64_t runs = 0;

    do {
        for (int i = 0; i < BATCH; i++)
            run_one(buf);
        runs += BATCH;
    } while (wb_now_seconds() < until);
    printf("%" PRIu64 " inputs\n", runs);
}

static bool run_file(const char *path)
{
    struct wb_err err;
    size_t n;
    char *bytes = wb_read_file(path, (size_t)1 << 30, &n, &err);

    if (bytes == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
    free(bytes);
    return true;
}

int main(int argc, char **argv)
{
    double seconds = 5;
    bool ok = true;
    int i = 1;

    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-t") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "-s") == 0)
            random_state = strtoull(argv[i + 1], NULL, 10);
    }
    if (i == argc)
        run_seconds(seconds);
    for (; i < argc; i++)
        ok = run_file(argv[i]) && ok;
    return ok ? 0 : 1;
}
#endif
