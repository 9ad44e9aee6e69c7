/* lua/bind/request.h - what a script thread is asked to do, for worker.c alone. */
#ifndef WB_LUA_REQUEST_H
#define WB_LUA_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "lua/bind/worker.h"

struct wb_request {
    enum wb_worker_kind kind;
    uint64_t id;
    char *name, *text;
    size_t n;
    char **set;
    size_t sets, step;
    struct wb_console_model *model; /* referenced; names borrowed from model_name */
    char **model_name;
    size_t models;
    struct wb_model *result;
    struct wb_request *next; /* of the queue */
};

/* Owned, with copies of what is given; name and text may be NULL. NULL without memory. */
struct wb_request *wb_request_new(enum wb_worker_kind kind, const char *name, const char *text,
                                  size_t n);
struct wb_request *wb_request_run(const char *name, const char *text, size_t n,
                                  const char *const *set, size_t sets);
struct wb_request *wb_request_map(size_t step);
struct wb_request *wb_request_console(const struct wb_console_input *in);
void wb_request_free(struct wb_request *r); /* NULL is fine */

/* Do it on this VM; the result is filled in. */
void wb_request_do(struct wb_vm *vm, const struct wb_request *r, struct wb_worker_event *e);

#endif
