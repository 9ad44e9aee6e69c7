/* app/core/err.h - how a function says why it could not do its work.
 *
 * A fallible function returns bool (or a pointer) and takes `struct wb_err *err` last. The low
 * level says what is wrong with numbers; every caller that knows more wraps it: "file: tensor:
 * rule". */
#ifndef WB_CORE_ERR_H
#define WB_CORE_ERR_H

#include <stdbool.h>

enum wb_code {
    WB_OK = 0,
    WB_EARG,       /* a value the user gave is wrong: an option, a parameter, a knob */
    WB_EIO,        /* the operating system refused: open, read, write, rename */
    WB_ENOSPC,     /* the disk is full, or would be */
    WB_EFORMAT,    /* a file breaks a rule of its format */
    WB_ESHAPE,     /* shapes or dtypes that do not fit together */
    WB_ENOTFOUND,  /* a file, model, tensor, plugin or knob that is not there */
    WB_ENOMEM,     /* memory or the budget is exhausted */
    WB_ESCRIPT,    /* a Lua script or plugin failed */
    WB_ENUMERIC,   /* a value that is not finite, a matrix that cannot be solved */
    WB_ECANCELLED, /* the user asked to stop */
};

/* Of fixed size, so that a longjmp may pass over it. */
struct wb_err {
    enum wb_code code;
    char msg[1000];
};

/* Fill err (NULL is fine) and give false:
 *
 *     return wb_fail(err, WB_EFORMAT, "header of %zu bytes", n);
 *
 * wb_wrap puts "context: " in front of the message, the code stays. wb_fail_errno appends ": "
 * and the text of errno; ENOSPC and EDQUOT become WB_ENOSPC, ENOENT WB_ENOTFOUND. Macros, so
 * that compilers and analysers see the false. */
#define wb_fail(err, code, ...) wb_err_false(wb_err_set(err, code, __VA_ARGS__))
#define wb_wrap(err, ...) wb_err_false(wb_err_wrap(err, __VA_ARGS__))
#define wb_fail_errno(err, ...) wb_err_false(wb_err_set_errno(err, __VA_ARGS__))

bool wb_err_set(struct wb_err *err, enum wb_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool wb_err_wrap(struct wb_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool wb_err_set_errno(struct wb_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Copy a failure from one error to another; to may be NULL. Gives false. */
bool wb_err_move(struct wb_err *to, const struct wb_err *from);

static inline bool wb_err_false(bool always_false)
{
    (void)always_false;
    return false;
}

#endif
