/* views/messages.c - a ring of lines, and which of them is the toast. */
#include "views/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"

#define TOAST_SECONDS 5.0
#define LINE_MAX_BYTES 2000

static void keep(struct wb_messages *m, enum wb_message_kind kind, const char *text, size_t n)
{
    size_t at = (m->first + m->count) % WB_MESSAGES_MAX;

    if (m->count == WB_MESSAGES_MAX) {
        free(m->ring[m->first].text);
        m->first = (m->first + 1) % WB_MESSAGES_MAX;
        m->count--;
    }
    m->ring[at] = (struct wb_message){ .kind = kind, .at = time(NULL), .text = strndup(text, n) };
    m->count++;
    m->total++;
}

void wb_messages_log(struct wb_messages *m, enum wb_message_kind kind, const char *text)
{
    do {
        size_t n = strcspn(text, "\n");

        keep(m, kind, text, n);
        text += n + (text[n] == '\n');
    } while (*text != '\0');
}

void wb_messages_say(struct wb_messages *m, enum wb_message_kind kind, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    unsigned long before = m->total;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    wb_messages_log(m, kind, text);
    m->toast = before + 1;
    m->toast_until = kind == WB_MESSAGE_NOTE ? wb_now_seconds() + TOAST_SECONDS : 0;
}

const struct wb_message *wb_messages_get(const struct wb_messages *m, size_t i)
{
    return &m->ring[(m->first + i) % WB_MESSAGES_MAX];
}

const struct wb_message *wb_messages_toast(const struct wb_messages *m)
{
    unsigned long oldest = m->total - m->count + 1;

    return m->toast >= oldest && m->toast > 0 ? wb_messages_get(m, m->toast - oldest) : NULL;
}

void wb_messages_dismiss(struct wb_messages *m)
{
    m->toast = 0;
}

bool wb_messages_expire(struct wb_messages *m, double now)
{
    if (m->toast == 0 || m->toast_until == 0 || now < m->toast_until)
        return false;
    m->toast = 0;
    return true;
}

void wb_messages_free(struct wb_messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->ring[(m->first + i) % WB_MESSAGES_MAX].text);
    *m = (struct wb_messages){ .count = 0 };
}
