/* tests/unit/keys.h - scripted keys as events, and drawing into a surface to compare. */
#ifndef WB_TEST_KEYS_H
#define WB_TEST_KEYS_H

#include <stdint.h>
#include <string.h>

#include "views/canvas.h"
#include "views/key.h"

/* The next event of a script, or false at its end. "<C-a>" is a key by name, "<<" a '<',
 * what stands between two "\v" is pasted, any other character is typed. */
static inline bool next_event(const char **script, struct wb_event *event, bool *pasting)
{
    const char *p = *script;
    char name[32];
    size_t n;
    int width;

    for (; *p == '\v'; p++)
        *pasting = !*pasting;
    *event = (struct wb_event){ .kind = *pasting ? WB_EVENT_PASTE : WB_EVENT_KEY };
    if (*p == '\0')
        return false;
    if (p[0] == '<' && p[1] != '<') {
        n = strcspn(p, ">") - 1;
        if (p[n + 2] == '>') /* <M->> */
            n++;
        assert_in_range(n, 1, sizeof name - 1);
        memcpy(name, p + 1, n);
        name[n] = '\0';
        assert_true(wb_key_parse(name, &event->key, NULL));
        p += n + 2;
    } else if (*pasting && strchr("\r\n\t", *p) != NULL) {
        event->key.code = (uint32_t)*p++;
    } else {
        p += p[0] == '<';
        event->key.code = wb_text_next(&p, &width);
    }
    *script = p;
    return true;
}

#endif
