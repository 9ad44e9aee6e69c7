/* views/key_among.c - a key among names. */
#include "views/key_among.h"

#include <string.h>

#define NAME_MAX_BYTES 32

bool wb_key_among(const char *names, struct wb_key key)
{
    while (*names != '\0') {
        size_t n = strcspn(names, " ");
        char name[NAME_MAX_BYTES];
        struct wb_key one;

        if (n > 0 && n < sizeof name) {
            memcpy(name, names, n);
            name[n] = '\0';
            if (wb_key_parse(name, &one, NULL) && wb_key_equal(one, key))
                return true;
        }
        names += n + (names[n] == ' ');
    }
    return false;
}
