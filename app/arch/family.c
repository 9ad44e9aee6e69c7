/* app/arch/family.c - the families known, each as a tree of name components.
 *
 * A name is walked component by component from the root; a literal child goes before a wildcard, so
 * that "layer.0.SelfAttention" may stand beside "{i}". Bias names are not in the tree: a node that
 * has a pattern also answers for ".weight" and ".bias" (old BERT files: ".gamma" and ".beta"). */
#include "app/arch/family.h"

#include <stdlib.h>
#include <string.h>

#include "app/arch/role.h"

struct wb_family_node {
    const char *text; /* NULL for a wildcard */
    size_t len;
    char wild;   /* 'n', 'e', 'i'; 0 for a literal */
    bool shared; /* the expert that every token passes */
    const struct wb_family_pattern *pattern;
    struct wb_family_node *child, *next;
};

struct wb_arch_set {
    struct wb_family_tree **tree;
    size_t count;
};

/* What training and wrapping put in front of any model's names. */
static const char *const wrappers[] = {
    "module.", "_orig_mod.", "base_model.model.", "language_model.", "model.language_model.",
    "model."
};
#define WRAPPERS (sizeof wrappers / sizeof *wrappers)
#define STRIP_DEPTH 4

int wb_name_number(const char *text, size_t len)
{
    int value = 0;

    if (len == 0 || len > 5 || (len > 1 && text[0] == '0'))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = 10 * value + (text[i] - '0');
    }
    return value < WB_LAYERS_MAX ? value : -1;
}

bool wb_name_shared_expert(const char *text, size_t len)
{
    return (len == 13 && memcmp(text, "shared_expert", len) == 0) ||
           (len == 14 && memcmp(text, "shared_experts", len) == 0);
}

/* --- compiling --- */

static struct wb_family_node *node_get(struct wb_family_tree *tree, struct wb_family_node *at,
                                       const char *text, size_t len)
{
    char wild = len == 3 && text[0] == '{' && text[2] == '}' ? text[1] : 0;
    struct wb_family_node *node, **link = &at->child;

    for (node = at->child; node != NULL; node = node->next)
        if (node->wild == wild &&
            (wild || (node->len == len && memcmp(node->text, text, len) == 0)))
            return node;
    node = wb_arena_alloc(&tree->arena, sizeof *node);
    if (node == NULL)
        return NULL;
    *node = (struct wb_family_node){
        .text = text, .len = len, .wild = wild, .shared = wb_name_shared_expert(text, len)
    };
    while (wild && *link != NULL) /* wildcards go last */
        link = &(*link)->next;
    node->next = *link;
    *link = node;
    return node;
}

static bool check_pattern(const struct wb_family_pattern *p, struct wb_err *err)
{
    if (p->name == NULL || p->name[0] == '\0' || p->role == NULL || p->role[0] == '\0')
        return wb_fail(err, WB_EFORMAT, "a tensor without a name or a role");
    if (strlen(p->role) > 40)
        return wb_fail(err, WB_EFORMAT, "%.200s: the role is longer than 40 bytes", p->name);
    if (p->stack != NULL && strlen(p->stack) > 15)
        return wb_fail(err, WB_EFORMAT, "%.200s: the stack is longer than 15 bytes", p->name);
    if (p->kind != NULL && !wb_kind_valid(p->kind))
        return wb_fail(err, WB_EFORMAT, "%.200s: the kind \"%.40s\" is not one of " WB_KINDS,
                       p->name, p->kind);
    for (const char *s = strchr(p->name, '{'); s != NULL; s = strchr(s + 1, '{'))
        if ((s > p->name && s[-1] != '.') || s[1] == '\0' || strchr("nei", s[1]) == NULL ||
            s[2] != '}' || (s[3] != '\0' && s[3] != '.'))
            return wb_fail(err, WB_EFORMAT,
                           "%.200s: only {n}, {e} and {i} between dots are wildcards", p->name);
    return true;
}

/* Put one pattern, already a copy in the arena, into the tree. */
static bool plant(struct wb_family_tree *tree, const struct wb_family_pattern *p,
                  struct wb_err *err)
{
    struct wb_family_node *at = tree->root;
    const char *text = p->name;
    size_t total = strlen(text);
    const char *end = text + total;

    if (total > 7 && strcmp(end - 7, ".weight") == 0)
        end -= 7;
    for (;;) {
        size_t len = strcspn(text, ".");

        at = node_get(tree, at, text, len);
        if (at == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for the family's patterns");
        if (text + len >= end)
            break;
        text += len + 1;
    }
    if (at->pattern != NULL)
        return wb_fail(err, WB_EFORMAT, "%.200s stands twice", p->name);
    at->pattern = p;
    return true;
}

static const char *copy(struct wb_family_tree *tree, const char *text, bool *ok)
{
    char *made = text == NULL ? NULL : wb_arena_strdup(&tree->arena, text);

    *ok &= text == NULL || made != NULL;
    return made;
}

/* A NULL-terminated copy of list with the n strings of more behind it. */
static const char *const *copy_list(struct wb_family_tree *tree, const char *const *list,
                                    const char *const *more, size_t n, bool *ok)
{
    size_t len = 0;
    const char **made;

    while (list != NULL && list[len] != NULL)
        len++;
    made = wb_arena_calloc(&tree->arena, len + n + 1, sizeof *made);
    if (made == NULL) {
        *ok = false;
        return NULL;
    }
    for (size_t i = 0; i < len + n; i++)
        made[i] = copy(tree, i < len ? list[i] : more[i - len], ok);
    return made;
}

static void copy_keys(struct wb_family_tree *tree, struct wb_family *f, bool *ok)
{
    const char **key[] = { &f->key_layers,   &f->key_hidden,       &f->key_heads, &f->key_kv_heads,
                           &f->key_head_dim, &f->key_intermediate, &f->key_vocab, &f->key_experts,
                           &f->key_context,  &f->key_tied,         &f->name,      &f->doc,
                           &f->flags_json };

    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        *key[i] = copy(tree, *key[i], ok);
}

static bool copy_patterns(struct wb_family_tree *tree, const struct wb_family *from,
                          struct wb_err *err)
{
    struct wb_family_pattern *p = wb_arena_calloc(&tree->arena, from->patterns + 1, sizeof *p);
    bool ok = p != NULL;

    for (size_t i = 0; ok && i < from->patterns; i++) {
        const struct wb_family_pattern *q = &from->pattern[i];

        if (!check_pattern(q, err))
            return false;
        p[i] = (struct wb_family_pattern){
            .name = copy(tree, q->name, &ok),
            .role = copy(tree, q->role, &ok),
            .kind = copy(tree, q->kind ? q->kind : wb_role_kind(q->role), &ok),
            .stack = copy(tree, q->stack ? q->stack : "", &ok),
            .fused = copy(tree, q->fused, &ok),
            .transposed = q->transposed,
        };
        tree->has_head |= strcmp(q->role, "lm_head") == 0;
        if (ok && !plant(tree, &p[i], err))
            return false;
    }
    tree->family.pattern = p;
    return ok || wb_fail(err, WB_ENOMEM, "no memory for the family's patterns");
}

static bool copy_stacks(struct wb_family_tree *tree, const struct wb_family *from)
{
    struct wb_family_stack *s = wb_arena_calloc(&tree->arena, from->stacks + 1, sizeof *s);
    bool ok = s != NULL;

    for (size_t i = 0; ok && i < from->stacks; i++)
        s[i] = (struct wb_family_stack){ copy(tree, from->stack[i].name, &ok),
                                         copy(tree, from->stack[i].key_layers, &ok) };
    tree->family.stack = s;
    return ok;
}

struct wb_family_tree *wb_family_compile(const struct wb_family *family, struct wb_err *err)
{
    struct wb_family_tree *tree;
    bool ok = true;

    if (family->name == NULL || family->name[0] == '\0') {
        wb_fail(err, WB_EFORMAT, "the family has no name");
        return NULL;
    }
    tree = calloc(1, sizeof *tree);
    if (tree == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the family %.100s", family->name);
        return NULL;
    }
    tree->family = *family;
    tree->root = wb_arena_alloc(&tree->arena, sizeof *tree->root);
    copy_keys(tree, &tree->family, &ok);
    tree->family.model_types = copy_list(tree, family->model_types, NULL, 0, &ok);
    tree->family.prefixes = copy_list(tree, family->prefixes, NULL, 0, &ok);
    tree->family.seen = copy_list(tree, family->seen, NULL, 0, &ok);
    tree->strip = copy_list(tree, family->prefixes, wrappers, WRAPPERS, &ok);
    ok &= copy_stacks(tree, family);
    if (tree->root == NULL || !ok)
        wb_fail(err, WB_ENOMEM, "no memory for the family %.100s", family->name);
    else if (copy_patterns(tree, family, err))
        return tree;
    wb_family_free(tree);
    return NULL;
}

void wb_family_free(struct wb_family_tree *tree)
{
    if (tree == NULL)
        return;
    wb_arena_free(&tree->arena);
    free(tree);
}

/* --- matching --- */

static bool is_text(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool take(const struct wb_family_node *node, bool bias, struct wb_family_hit *hit)
{
    hit->pattern = node->pattern;
    hit->bias = bias;
    return true;
}

static bool enter(const struct wb_family_node *child, const char *text, size_t len, size_t at,
                  struct wb_family_hit *hit)
{
    int number;

    if (!child->wild) {
        if (child->len != len || memcmp(child->text, text, len) != 0)
            return false;
        if (child->shared)
            hit->expert = WB_EXPERT_SHARED;
        return true;
    }
    number = wb_name_number(text, len);
    if (number < 0)
        return false;
    if (child->wild == 'n') {
        hit->layer = number;
        hit->layer_at = at;
    } else if (child->wild == 'e') {
        hit->expert = number;
    }
    return true;
}

static bool walk(const struct wb_family_node *node, const char *name, const char *rest,
                 struct wb_family_hit *hit)
{
    size_t len = strcspn(rest, ".");

    if (*rest == '\0')
        return node->pattern != NULL && take(node, false, hit);
    for (const struct wb_family_node *child = node->child; child != NULL; child = child->next) {
        struct wb_family_hit before = *hit;

        if (enter(child, rest, len, (size_t)(rest - name), hit) &&
            walk(child, name, rest + len + (rest[len] == '.'), hit))
            return true;
        *hit = before;
    }
    if (node->pattern == NULL || rest[len] != '\0')
        return false;
    if (is_text(rest, len, "weight") || is_text(rest, len, "gamma"))
        return take(node, false, hit);
    return (is_text(rest, len, "bias") || is_text(rest, len, "beta")) && take(node, true, hit);
}

static bool find_behind(const struct wb_family_tree *tree, const char *name, const char *rest,
                        int depth, struct wb_family_hit *hit)
{
    *hit = (struct wb_family_hit){ .layer = -1, .expert = WB_EXPERT_NONE };
    if (walk(tree->root, name, rest, hit))
        return true;
    for (const char *const *p = tree->strip; depth > 0 && *p != NULL; p++) {
        size_t len = strlen(*p);

        if (len > 0 && strncmp(rest, *p, len) == 0 &&
            find_behind(tree, name, rest + len, depth - 1, hit))
            return true;
    }
    return false;
}

bool wb_family_find(const struct wb_family_tree *tree, const char *name, struct wb_family_hit *hit)
{
    return find_behind(tree, name, name, STRIP_DEPTH, hit);
}

/* --- the set --- */

struct wb_arch_set *wb_arch_set_new(void)
{
    return calloc(1, sizeof(struct wb_arch_set));
}

bool wb_arch_set_add(struct wb_arch_set *set, const struct wb_family *family, struct wb_err *err)
{
    struct wb_family_tree *tree = wb_family_compile(family, err), **grown;

    if (tree == NULL)
        return false;
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->tree[i]->family.name, family->name) == 0) {
            wb_family_free(set->tree[i]);
            set->tree[i] = tree;
            return true;
        }
    grown = realloc(set->tree, (set->count + 1) * sizeof *grown);
    if (grown == NULL) {
        wb_family_free(tree);
        return wb_fail(err, WB_ENOMEM, "no memory for %zu families", set->count + 1);
    }
    set->tree = grown;
    set->tree[set->count++] = tree;
    return true;
}

size_t wb_arch_set_count(const struct wb_arch_set *set)
{
    return set->count;
}

const struct wb_family_tree *wb_arch_set_tree(const struct wb_arch_set *set, size_t i)
{
    return set->tree[i];
}

void wb_arch_set_free(struct wb_arch_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        wb_family_free(set->tree[i]);
    free(set->tree);
    free(set);
}
