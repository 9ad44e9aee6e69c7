/* views/messages.h - what was said to the user: the last 500 lines with their time, and the toast.
 *
 * Belongs to the UI thread; other threads reach it through their results. */
#ifndef WB_VIEWS_MESSAGES_H
#define WB_VIEWS_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define WB_MESSAGES_MAX 500

enum wb_message_kind { WB_MESSAGE_NOTE, WB_MESSAGE_WARNING, WB_MESSAGE_ERROR };

struct wb_message {
    enum wb_message_kind kind;
    time_t at;
    char *text; /* owned; one line */
};

/* Zero-initialised is empty. */
struct wb_messages {
    struct wb_message ring[WB_MESSAGES_MAX];
    size_t first, count;
    unsigned long total; /* ever said: tells that there are new ones */
    unsigned long toast; /* number of the message shown, counted from 1; 0: none */
    double toast_until;  /* wb_now_seconds; 0: until a key */
};

/* Say something: kept, and shown as a toast (notes for 5 s, the rest until a key). Each line of
 * text is a message of its own; the first is the toast. */
void wb_messages_say(struct wb_messages *m, enum wb_message_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Keep it in the log without a toast. */
void wb_messages_log(struct wb_messages *m, enum wb_message_kind kind, const char *text);
/* i = 0 is the oldest kept. */
const struct wb_message *wb_messages_get(const struct wb_messages *m, size_t i);
/* What the toast says now; NULL when there is none. */
const struct wb_message *wb_messages_toast(const struct wb_messages *m);
/* A key was pressed: a toast that waited for it goes. */
void wb_messages_dismiss(struct wb_messages *m);
/* True when the toast has just expired. */
bool wb_messages_expire(struct wb_messages *m, double now);
void wb_messages_free(struct wb_messages *m);

#endif
