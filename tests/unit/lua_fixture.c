/* tests/unit/lua_fixture.c */
#include "tests/unit/lua_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "lua/bind/families.h"

static void add_log(void *ctx, const char *line)
{
    struct lua_fixture *f = ctx;
    size_t n = strlen(f->log);

    snprintf(f->log + n, sizeof f->log - n, "%s\n", line);
}

void lua_fixture_restart(struct lua_fixture *f)
{
    wb_vm_free(f->vm);
    f->log[0] = '\0';
    f->vm = wb_vm_new(&f->options, &f->err);
    if (f->vm == NULL)
        fail_msg("%s", f->err.msg);
}

void lua_fixture_open(struct lua_fixture *f)
{
    const char *families[] = { "lua/arch" };

    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/wb-lua-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->own_plugins, sizeof f->own_plugins, "%s/plugins", f->dir);
    f->plugin_dirs[0] = "plugins";
    f->plugin_dirs[1] = f->own_plugins;
    f->set = wb_arch_set_new();
    assert_non_null(f->set);
    if (!wb_families_load(f->set, families, 1, &f->err))
        fail_msg("%s", f->err.msg);
    f->options = (struct wb_vm_options){ .families = f->set,
                                         .share_dir = ".",
                                         .log = add_log,
                                         .log_ctx = f,
                                         .cancel = &f->cancel,
                                         .plugin_dirs = f->plugin_dirs };
    lua_fixture_restart(f);
    lua_fixture_model(f, "one", NULL, "w:2,2=1");
}

void lua_fixture_close(struct lua_fixture *f)
{
    struct wb_err err;

    wb_pipeline_free(&f->out);
    wb_vm_free(f->vm);
    wb_arch_set_free(f->set);
    assert_true(wb_remove_tree(f->dir, &err));
}

void lua_fixture_file(struct lua_fixture *f, const char *name, const char *text)
{
    char path[300], *slash;
    struct wb_err err;

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_true(wb_make_dirs(path, &err));
    *slash = '/';
    if (!wb_write_file(path, text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

/* One tensor of a spec at p into header and data; returns what is behind it. */
static const char *add_tensor(const char *p, struct wb_str *header, struct wb_str *data)
{
    size_t first = data->len, count = 1, given = 0, name = strcspn(p, ":");
    float value[64];

    wb_str_printf(header, "%s\"%.*s\":{\"dtype\":\"F32\",\"shape\":[", header->len > 1 ? "," : "",
                  (int)name, p);
    for (p += name + 1; *p != '='; p += strcspn(p, ",=")) {
        p += *p == ',';
        count *= strtoul(p, NULL, 10);
        wb_str_printf(header, "%s%lu", header->text[header->len - 1] == '[' ? "" : ",",
                      strtoul(p, NULL, 10));
    }
    for (p++; *p != ';' && *p != '\0' && given < 64; p += strcspn(p, ",;")) {
        p += *p == ',';
        value[given++] = strtof(p, NULL);
    }
    for (size_t i = 0; i < count; i++)
        wb_str_add_n(data, (const char *)&value[i % given], sizeof value[0]);
    wb_str_printf(header, "],\"data_offsets\":[%zu,%zu]}", first, data->len);
    return p + (*p == ';');
}

void lua_fixture_model(struct lua_fixture *f, const char *name, const char *config,
                       const char *spec)
{
    struct wb_str header = { 0 }, data = { 0 }, all = { 0 };
    char path[300], part[200];
    unsigned char len[8];
    struct wb_err err;

    snprintf(part, sizeof part, "%s/config.json", name);
    lua_fixture_file(f, part, config == NULL ? "{}" : config);
    wb_str_add(&header, "{");
    while (*spec != '\0')
        spec = add_tensor(spec, &header, &data);
    wb_str_add(&header, "}");
    while (header.len % 8 != 0)
        wb_str_add(&header, " ");
    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)(header.len >> 8 * i);
    wb_str_add_n(&all, (const char *)len, 8);
    wb_str_add_n(&all, header.text, header.len);
    wb_str_add_n(&all, data.text, data.len);
    snprintf(path, sizeof path, "%s/%s/model.safetensors", f->dir, name);
    assert_true(wb_write_file(path, all.text, all.len, &err));
    wb_str_free(&header);
    wb_str_free(&data);
    wb_str_free(&all);
}

bool lua_fixture_run(struct lua_fixture *f, const char *text, const char *set)
{
    struct wb_str full = { 0 };
    const char *sets[] = { set }, *at;
    bool ok;

    for (; (at = strstr(text, "$D")) != NULL; text = at + 2) {
        wb_str_add_n(&full, text, (size_t)(at - text));
        wb_str_add(&full, f->dir);
    }
    wb_str_add(&full, text);
    wb_pipeline_free(&f->out);
    f->log[0] = '\0';
    memset(&f->err, 0, sizeof f->err);
    ok = wb_vm_pipeline_text(f->vm, "script.lua", full.text, full.len, sets, set != NULL, &f->out,
                             &f->err);
    wb_str_free(&full);
    return ok;
}

const char *lua_fixture_value(struct lua_fixture *f, const char *expression)
{
    struct wb_str text = { 0 };
    bool ok;

    wb_str_printf(
        &text,
        "local x = %s\nif wb.type(x) == 'tensor' then x = x:value() end\nprint(wb.json(x))\n"
        "return wb.open '$D/one'",
        expression);
    ok = lua_fixture_run(f, text.text, NULL);
    wb_str_free(&text);
    if (!ok)
        return NULL;
    f->log[strcspn(f->log, "\n")] = '\0';
    return f->log;
}

void lua_fixture_tensor(struct lua_fixture *f, const char *name, double *value, size_t n)
{
    const struct wb_entry *e = wb_model_find(f->out.model, name);
    struct wb_eval how = { .threads = 1 };
    struct wb_target target = { .value = value };

    if (e == NULL)
        fail_msg("there is no tensor %s", name);
    assert_int_equal(wb_node_count(e->node), n);
    target.node = e->node;
    if (!wb_evaluate(&how, &target, 1, NULL, &f->err))
        fail_msg("%s: %s", name, f->err.msg);
}

void lua_fixture_says(const struct lua_fixture *f, const char *what)
{
    if (strstr(f->err.msg, what) == NULL)
        fail_msg("the error is \"%s\", without \"%s\"", f->err.msg, what);
}
