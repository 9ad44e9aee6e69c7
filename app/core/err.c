/* app/core/err.c - filling, wrapping and moving errors. */
#include "app/core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool wb_err_set(struct wb_err *err, enum wb_code code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return false;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return false;
}

bool wb_err_wrap(struct wb_err *err, const char *fmt, ...)
{
    char inner[sizeof err->msg];
    va_list ap;
    size_t used;

    if (err == NULL)
        return false;
    memcpy(inner, err->msg, sizeof inner);
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    used = strlen(err->msg);
    snprintf(err->msg + used, sizeof err->msg - used, ": %s", inner);
    return false;
}

bool wb_err_set_errno(struct wb_err *err, const char *fmt, ...)
{
    int number = errno;
    char text[128];
    va_list ap;
    size_t used;

    if (err == NULL)
        return false;
    err->code = number == ENOSPC || number == EDQUOT ? WB_ENOSPC
                : number == ENOENT                   ? WB_ENOTFOUND
                                                     : WB_EIO;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    used = strlen(err->msg);
    snprintf(err->msg + used, sizeof err->msg - used, ": %s",
             strerror_r(number, text, sizeof text));
    return false;
}

bool wb_err_move(struct wb_err *to, const struct wb_err *from)
{
    if (to != NULL)
        *to = *from;
    return false;
}
