/* lua/bind/request.c - requests hold copies of all they need; doing one fills its event. */
#include "lua/bind/request.h"

#include <stdlib.h>
#include <string.h>

#include "lua/bind/complete.h"

void wb_request_free(struct wb_request *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->sets; i++)
        free(r->set[i]);
    for (size_t i = 0; i < r->models; i++) {
        free(r->model_name[i]);
        wb_model_unref(r->model[i].model);
    }
    wb_model_unref(r->result);
    free(r->set);
    free(r->model);
    free(r->model_name);
    free(r->name);
    free(r->text);
    free(r);
}

struct wb_request *wb_request_new(enum wb_worker_kind kind, const char *name, const char *text,
                                  size_t n)
{
    struct wb_request *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->kind = kind;
    r->n = n;
    r->name = name == NULL ? NULL : strdup(name);
    r->text = text == NULL ? NULL : malloc(n + 1);
    if ((name != NULL && r->name == NULL) || (text != NULL && r->text == NULL)) {
        wb_request_free(r);
        return NULL;
    }
    if (text != NULL) {
        memcpy(r->text, text, n);
        r->text[n] = '\0';
    }
    return r;
}

struct wb_request *wb_request_run(const char *name, const char *text, size_t n,
                                  const char *const *set, size_t sets)
{
    struct wb_request *r = wb_request_new(WB_WORKER_RUN, name, text, n);

    if (r == NULL || (r->set = calloc(sets + 1, sizeof *r->set)) == NULL) {
        wb_request_free(r);
        return NULL;
    }
    for (; r->sets < sets; r->sets++)
        if ((r->set[r->sets] = strdup(set[r->sets])) == NULL) {
            wb_request_free(r);
            return NULL;
        }
    return r;
}

struct wb_request *wb_request_map(size_t step)
{
    struct wb_request *r = wb_request_new(WB_WORKER_MAP, NULL, NULL, 0);

    if (r != NULL)
        r->step = step;
    return r;
}

struct wb_request *wb_request_console(const struct wb_console_input *in)
{
    struct wb_request *r = wb_request_new(WB_WORKER_CONSOLE, NULL, in->text, strlen(in->text));

    if (r == NULL)
        return NULL;
    r->model = calloc(in->models + 1, sizeof *r->model);
    r->model_name = calloc(in->models + 1, sizeof *r->model_name);
    if (r->model == NULL || r->model_name == NULL) {
        wb_request_free(r);
        return NULL;
    }
    for (; r->models < in->models; r->models++) {
        char *name = strdup(in->model[r->models].name);

        if (name == NULL) {
            wb_request_free(r);
            return NULL;
        }
        r->model_name[r->models] = name;
        r->model[r->models] =
            (struct wb_console_model){ name, wb_model_ref(in->model[r->models].model) };
    }
    if (in->result != NULL)
        r->result = wb_model_ref(in->result);
    return r;
}

static bool run_console(struct wb_vm *vm, const struct wb_request *r, struct wb_worker_event *e)
{
    struct wb_console_input in = {
        .text = r->text, .model = r->model, .models = r->models, .result = r->result
    };

    return wb_vm_console(vm, &in, &e->console, &e->err);
}

void wb_request_do(struct wb_vm *vm, const struct wb_request *r, struct wb_worker_event *e)
{
    switch (r->kind) {
    case WB_WORKER_RUN:
        e->ok = wb_script_run(vm, r->name, r->text, r->n, (const char *const *)r->set, r->sets,
                              &e->script);
        e->err = e->script.err;
        break;
    case WB_WORKER_MAP:
        e->ok = wb_vm_param_map(vm, r->step, &e->map, &e->err);
        break;
    case WB_WORKER_CONSOLE:
        e->ok = run_console(vm, r, e);
        break;
    case WB_WORKER_PLUGINS:
        e->json = wb_vm_plugins(vm, &e->err);
        e->ok = e->json != NULL;
        break;
    case WB_WORKER_CHECK:
        e->ok = wb_vm_check_plugin(vm, r->name, &e->text, &e->passed, &e->failed, &e->err);
        break;
    case WB_WORKER_COMPLETE:
        e->json = wb_vm_complete_data(vm, &e->err);
        e->ok = e->json != NULL;
        break;
    case WB_WORKER_RELOAD:
        e->ok = wb_vm_reload(vm, &e->changed, &e->err);
        break;
    case WB_WORKER_LOG:
        break;
    }
}

void wb_worker_event_free(struct wb_worker_event *e)
{
    if (e == NULL)
        return;
    wb_script_free(&e->script);
    wb_param_map_free(&e->map);
    wb_console_output_free(&e->console);
    cJSON_Delete(e->json);
    free(e->text);
    free(e);
}
