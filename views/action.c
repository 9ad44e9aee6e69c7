/* views/action.c - the table of action.h as data. */
#include "views/action.h"

#include <stddef.h>
#include <string.h>

static const struct wb_action_info infos[WB_ACTION_COUNT] = {
    [WB_ACTION_NONE] = { "", "none", "nothing" },
#define WB_ACTION_INFO(id, keys, name, doc) [WB_ACTION_##id] = { keys, name, doc },
    WB_ACTIONS(WB_ACTION_INFO)
#undef WB_ACTION_INFO
};

const struct wb_action_info *wb_action_info(enum wb_action action)
{
    return &infos[action];
}

enum wb_action wb_action_find(const char *name)
{
    for (int i = 1; i < WB_ACTION_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0)
            return (enum wb_action)i;
    return WB_ACTION_NONE;
}
