/* views/setting.h - knobs that were turned, by name: "density=0.3" and so on. */
#ifndef WB_VIEWS_SETTING_H
#define WB_VIEWS_SETTING_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised is empty. */
struct wb_setting {
    char *name;  /* of the setting; NULL for one without */
    char **knob; /* "name=value"; owned */
    size_t knobs;
};

void wb_setting_free(struct wb_setting *s);
/* False without memory; *out is empty then. */
bool wb_setting_copy(const struct wb_setting *s, struct wb_setting *out);
bool wb_setting_set(struct wb_setting *s, const char *knob, const char *value);
void wb_setting_drop(struct wb_setting *s, size_t i);
/* The value, NULL when the knob is not turned. */
const char *wb_setting_get(const struct wb_setting *s, const char *knob);
bool wb_setting_equal(const struct wb_setting *a, const struct wb_setting *b);

#endif
