/* app/store/safetensors.c - a strict reader of safetensors headers.
 *
 * A file is a u64 length N, N bytes of JSON and the data; the JSON maps names to a dtype, a shape
 * and two offsets into the data. Written for this one grammar: offsets are exact up to 2^64 - 1 (a
 * JSON library keeps doubles), 1.0 and 1e2 are no offsets, a field that stands twice is refused,
 * and memory stays in proportion to the header. The rules are those of the reference reader, and
 * duplicate names are refused besides. */
#include "app/store/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/store/scan.h"

#define LENGTH_BYTES 8u

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for the header");
}

enum field { FIELD_DTYPE = 1, FIELD_SHAPE = 2, FIELD_OFFSETS = 4, FIELD_ALL = 7 };

/* The format's own spelling only: "f32" and "float32" are none. */
static bool read_dtype(struct wb_scan *r, enum wb_dtype *dtype)
{
    struct wb_slice s;
    char shown[WB_SHOWN_BYTES], name[64];

    if (!wb_scan_string(r, &s))
        return false;
    for (int i = 0; i < WB_DTYPE_COUNT; i++)
        if (wb_slice_is(s, wb_dtype_name((enum wb_dtype)i))) {
            *dtype = (enum wb_dtype)i;
            return true;
        }
    snprintf(name, sizeof name, "%.*s", (int)(s.n < sizeof name ? s.n : sizeof name - 1), s.text);
    return wb_scan_fail(r, "unknown dtype \"%s\"", wb_show_name(name, shown));
}

static bool read_shape(struct wb_scan *r, struct wb_shape *shape)
{
    bool first = true, done;

    shape->ndim = 0;
    while (wb_scan_element(r, &first, &done)) {
        if (done)
            return true;
        if (shape->ndim == WB_DIMS_MAX)
            return wb_scan_fail(r, "a shape of more than %d dimensions", WB_DIMS_MAX);
        if (!wb_scan_whole(r, &shape->dim[shape->ndim++]))
            return false;
    }
    return false;
}

static bool read_offsets(struct wb_scan *r, uint64_t *begin, uint64_t *end)
{
    return wb_scan_expect(r, '[') && wb_scan_whole(r, begin) && wb_scan_expect(r, ',') &&
           wb_scan_whole(r, end) && wb_scan_expect(r, ']');
}

/* Elements and bytes by the shape must be what the offsets span. The product is taken in order, so
 * that it overflows where the reference's does: a zero only helps the dimensions behind it. */
static bool check_size(struct wb_tensor_info *t, uint64_t begin, uint64_t end, struct wb_err *err)
{
    unsigned bits = wb_dtype_bits(t->dtype);
    uint64_t total;

    t->count = 1;
    for (int i = 0; i < t->shape.ndim; i++)
        if (__builtin_mul_overflow(t->count, t->shape.dim[i], &t->count))
            return wb_fail(err, WB_EFORMAT, "the shape's product overflows 64 bits");
    if (__builtin_mul_overflow(t->count, (uint64_t)bits, &total))
        return wb_fail(err, WB_EFORMAT, "%" PRIu64 " elements of %u bits overflow 64 bits",
                       t->count, bits);
    if (total % 8 != 0)
        return wb_fail(err, WB_EFORMAT, "%" PRIu64 " elements of %u bits do not fill whole bytes",
                       t->count, bits);
    if (end < begin)
        return wb_fail(err, WB_EFORMAT,
                       "data_offsets [%" PRIu64 ", %" PRIu64 "]: the end is before the begin",
                       begin, end);
    t->bytes = end - begin;
    if (t->bytes != total / 8)
        return wb_fail(err, WB_EFORMAT,
                       "data_offsets span %" PRIu64 " bytes, %s of that shape takes %" PRIu64,
                       t->bytes, wb_dtype_name(t->dtype), total / 8);
    return true;
}

/* One tensor's object; t->offset counts from the start of the data. */
static bool read_tensor(struct wb_scan *r, struct wb_tensor_info *t, size_t *unknown)
{
    uint64_t begin = 0, end = 0;
    unsigned seen = 0, field;
    struct wb_slice key;
    bool first = true, done = false, ok = true;

    while (ok && wb_scan_member(r, &first, &key, &done) && !done) {
        field = wb_slice_is(key, "dtype")          ? FIELD_DTYPE
                : wb_slice_is(key, "shape")        ? FIELD_SHAPE
                : wb_slice_is(key, "data_offsets") ? FIELD_OFFSETS
                                                   : 0;
        if (seen & field)
            return wb_scan_fail(r, "\"%.*s\" stands twice", (int)key.n, key.text);
        seen |= field;
        switch (field) {
        case FIELD_DTYPE:
            ok = read_dtype(r, &t->dtype);
            break;
        case FIELD_SHAPE:
            ok = read_shape(r, &t->shape);
            break;
        case FIELD_OFFSETS:
            ok = read_offsets(r, &begin, &end);
            break;
        default:
            ok = wb_scan_skip(r, 2);
            ++*unknown;
        }
    }
    if (!done)
        return false;
    if (seen != FIELD_ALL)
        return wb_scan_fail(r, "no \"%s\"",
                            !(seen & FIELD_DTYPE)   ? "dtype"
                            : !(seen & FIELD_SHAPE) ? "shape"
                                                    : "data_offsets");
    t->offset = begin;
    return check_size(t, begin, end, r->err);
}

static int compare_slices(const void *a, const void *b)
{
    const struct wb_slice *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);

    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* Sorts the keys; a sort, not a hash table, because names can be chosen to collide. */
static bool check_unique(struct wb_slice *key, size_t n, const char *what, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES], name[WB_SHOWN_BYTES];

    if (n > 0)
        qsort(key, n, sizeof *key, compare_slices);
    for (size_t i = 1; i < n; i++)
        if (compare_slices(&key[i - 1], &key[i]) == 0) {
            snprintf(name, sizeof name, "%.*s", (int)(key[i].n < 250 ? key[i].n : 250),
                     key[i].text);
            return wb_fail(err, WB_EFORMAT, "%s '%s': the name stands twice", what,
                           wb_show_name(name, shown));
        }
    return true;
}

/* Room for one more of `size` bytes in a growing array of n. */
static bool grow(void **array, size_t n, size_t size, struct wb_err *err)
{
    size_t cap;
    void *more;

    if (n < 16 ? n != 0 : (n & (n - 1)) != 0) /* full at 0, 16, 32, 64, … only */
        return true;
    cap = n == 0 ? 16 : 2 * n;
    more = realloc(*array, cap * size);
    if (more == NULL)
        return no_memory(err);
    *array = more;
    return true;
}

/* A flat object of strings, or null. */
static bool read_metadata(struct wb_scan *r, const char **text)
{
    void *keys = NULL;
    struct wb_slice key, value;
    const char *begin;
    bool first = true, done = false;
    size_t n = 0;

    if (wb_scan_peek(r) == 'n')
        return wb_scan_word(r, "null");
    begin = r->p;
    while (wb_scan_member(r, &first, &key, &done) && !done) {
        if (!wb_scan_string(r, &value) || !grow(&keys, n, sizeof key, r->err))
            break;
        ((struct wb_slice *)keys)[n++] = key;
    }
    if (done && check_unique(keys, n, "key", r->err)) {
        *text = wb_arena_strndup(r->arena, begin, (size_t)(r->p - begin));
        done = *text != NULL || no_memory(r->err);
    } else {
        done = false;
    }
    free(keys);
    return done;
}

static bool add_tensor(struct wb_scan *r, struct wb_slice name, struct wb_safetensors *out)
{
    char shown[WB_SHOWN_BYTES];
    void *array = out->tensor;
    struct wb_tensor_info *t;

    if (name.n > WB_NAME_MAX_BYTES)
        return wb_scan_fail(r, "a tensor name of %zu bytes, more than %d", name.n,
                            WB_NAME_MAX_BYTES);
    if (memchr(name.text, '\0', name.n) != NULL)
        return wb_scan_fail(r, "a NUL character in a tensor name");
    if (!grow(&array, out->count, sizeof *t, r->err))
        return false;
    out->tensor = array;
    t = &out->tensor[out->count];
    *t = (struct wb_tensor_info){ .name = wb_arena_strndup(r->arena, name.text, name.n) };
    if (t->name == NULL)
        return no_memory(r->err);
    out->count++;
    return read_tensor(r, t, &out->unknown_fields) ||
           wb_wrap(r->err, "tensor '%s'", wb_show_name(t->name, shown));
}

static bool read_header(struct wb_scan *r, struct wb_safetensors *out)
{
    bool first = true, done = false, metadata = false;
    struct wb_slice key;

    while (wb_scan_member(r, &first, &key, &done) && !done) {
        if (!wb_slice_is(key, "__metadata__")) {
            if (!add_tensor(r, key, out))
                return false;
            continue;
        }
        if (metadata)
            return wb_scan_fail(r, "\"__metadata__\" stands twice");
        metadata = true;
        if (!read_metadata(r, &out->metadata))
            return wb_wrap(r->err, "__metadata__");
    }
    if (!done)
        return false;
    wb_scan_peek(r);
    return r->p == r->end || wb_scan_fail(r, "something follows the header object");
}

static int compare_offsets(const void *a, const void *b)
{
    const struct wb_tensor_info *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The data is covered without a hole, an overlap or a rest. Offsets become those in the file. */
static bool check_layout(struct wb_safetensors *st, uint64_t data_bytes, struct wb_err *err)
{
    char shown[WB_SHOWN_BYTES];
    uint64_t end = 0;

    if (st->count > 0)
        qsort(st->tensor, st->count, sizeof *st->tensor, compare_offsets);
    for (size_t i = 0; i < st->count; i++) {
        struct wb_tensor_info *t = &st->tensor[i];

        if (t->offset > end)
            return wb_fail(err, WB_EFORMAT,
                           "tensor '%s': a hole of %" PRIu64 " bytes before its data at %" PRIu64,
                           wb_show_name(t->name, shown), t->offset - end, t->offset);
        if (t->offset < end)
            return wb_fail(err, WB_EFORMAT,
                           "tensor '%s': its data at %" PRIu64
                           " overlaps that before it by %" PRIu64 " bytes",
                           wb_show_name(t->name, shown), t->offset, end - t->offset);
        end += t->bytes; /* begin + (end - begin), both from the file: no overflow */
        t->offset += st->header_bytes;
    }
    if (end > data_bytes)
        return wb_fail(err, WB_EFORMAT,
                       "the tensors take %" PRIu64 " bytes, the file has %" PRIu64
                       ": it is cut short (last tensor '%s')",
                       end, data_bytes, wb_show_name(st->tensor[st->count - 1].name, shown));
    if (end < data_bytes)
        return wb_fail(err, WB_EFORMAT,
                       "%" PRIu64 " bytes follow the %" PRIu64 " bytes of the tensors",
                       data_bytes - end, end);
    return true;
}

static bool check_names(const struct wb_safetensors *st, struct wb_err *err)
{
    struct wb_slice *key = malloc(st->count * sizeof *key + 1);
    bool ok;

    if (key == NULL)
        return no_memory(err);
    for (size_t i = 0; i < st->count; i++)
        key[i] = (struct wb_slice){ st->tensor[i].name, strlen(st->tensor[i].name) };
    ok = check_unique(key, st->count, "tensor", err);
    free(key);
    return ok;
}

/* The length field against the format's limit and the file. */
static bool check_length(const uint8_t raw[LENGTH_BYTES], uint64_t file_bytes, uint64_t *length,
                         struct wb_err *err)
{
    *length = wb_le64(raw);
    if (*length > WB_HEADER_MAX_BYTES)
        return wb_fail(err, WB_EFORMAT,
                       "a header of %" PRIu64 " bytes, more than the %" PRIu64 " allowed "
                       "(not a safetensors file?)",
                       *length, WB_HEADER_MAX_BYTES);
    if (*length > file_bytes - LENGTH_BYTES)
        return wb_fail(err, WB_EFORMAT, "a header of %" PRIu64 " bytes in a file of %" PRIu64,
                       *length, file_bytes);
    return true;
}

static bool check_least(uint64_t file_bytes, struct wb_err *err)
{
    if (file_bytes == 0)
        return wb_fail(err, WB_EFORMAT, "the file is empty");
    if (file_bytes < LENGTH_BYTES)
        return wb_fail(err, WB_EFORMAT,
                       "a file of %" PRIu64 " bytes is too short for the header length",
                       file_bytes);
    return true;
}

bool wb_safetensors_parse(const uint8_t *head, size_t n, uint64_t file_bytes,
                          struct wb_arena *arena, struct wb_safetensors *out, struct wb_err *err)
{
    struct wb_scan r = { .arena = arena, .err = err };
    uint64_t length;

    *out = (struct wb_safetensors){ 0 };
    if (!check_least(file_bytes < n ? file_bytes : n, err) ||
        !check_length(head, file_bytes, &length, err))
        return false;
    if (length > n - LENGTH_BYTES)
        return wb_fail(err, WB_EFORMAT, "a header of %" PRIu64 " bytes, %zu of them given", length,
                       n - LENGTH_BYTES);
    r.text = r.p = (const char *)head + LENGTH_BYTES;
    r.end = r.text + length;
    out->header_bytes = LENGTH_BYTES + length;
    if (!wb_scan_check_utf8(&r) || !read_header(&r, out) || !check_names(out, err) ||
        !check_layout(out, file_bytes - out->header_bytes, err)) {
        wb_safetensors_free(out);
        return false;
    }
    out->header = wb_hash_bytes(head, (size_t)out->header_bytes);
    return true;
}

bool wb_safetensors_read(int fd, uint64_t file_bytes, struct wb_arena *arena,
                         struct wb_safetensors *out, struct wb_err *err)
{
    uint8_t raw[LENGTH_BYTES], *head;
    uint64_t length;
    bool ok;

    *out = (struct wb_safetensors){ 0 };
    if (!check_least(file_bytes, err) || !wb_pread(fd, raw, sizeof raw, 0, err) ||
        !check_length(raw, file_bytes, &length, err))
        return false;
    head = malloc((size_t)length + LENGTH_BYTES);
    if (head == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a header of %" PRIu64 " bytes", length);
    memcpy(head, raw, sizeof raw);
    ok = wb_pread(fd, head + LENGTH_BYTES, (size_t)length, LENGTH_BYTES, err) &&
         wb_safetensors_parse(head, (size_t)length + LENGTH_BYTES, file_bytes, arena, out, err);
    free(head);
    return ok;
}

void wb_safetensors_free(struct wb_safetensors *st)
{
    free(st->tensor);
    *st = (struct wb_safetensors){ 0 };
}

/* Append name[from..to) without control characters, C1 ones (U+0080..9F) included; never longer. */
static size_t put_shown(char *out, const char *name, size_t from, size_t to)
{
    size_t used = 0;

    for (size_t i = from; i < to; i++) {
        unsigned char c = (unsigned char)name[i], next = (unsigned char)name[i + 1];

        if (c == 0xC2 && next >= 0x80 && next < 0xA0 && i + 1 < to) {
            out[used++] = '?';
            i++;
        } else {
            out[used++] = c < 0x20 || c == 0x7F ? '?' : (char)c;
        }
    }
    return used;
}

static bool inside_character(const char *p)
{
    return ((unsigned char)*p & 0xC0) == 0x80;
}

const char *wb_show_name(const char *name, char out[WB_SHOWN_BYTES])
{
    size_t n = strlen(name), head = n, tail = n, used;

    if (n >= WB_SHOWN_BYTES) {
        head = (WB_SHOWN_BYTES - 8) / 2;
        tail = n - head;
        while (head > 0 && inside_character(name + head))
            head--;
        while (tail < n && inside_character(name + tail))
            tail++;
    }
    used = put_shown(out, name, 0, head);
    if (tail > head) {
        memcpy(out + used, "...", 3);
        used += 3 + put_shown(out + used + 3, name, tail, n);
    }
    out[used] = '\0';
    return out;
}
