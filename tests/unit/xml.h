/* tests/unit/xml.h - is a text well-formed XML, of the kind that the views write? */
#ifndef WB_TEST_XML_H
#define WB_TEST_XML_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Elements open and close in order, attributes are quoted, '&' begins an entity; gives how many
 * elements of a name there are. */
static inline int check_xml(const char *text, const char *count)
{
    char open[32][32];
    int depth = 0, found = 0;

    for (const char *p = text; *p != '\0'; p++) {
        size_t n;
        bool ends;

        if (*p == '&')
            assert_true(strncmp(p, "&lt;", 4) == 0 || strncmp(p, "&gt;", 4) == 0 ||
                        strncmp(p, "&amp;", 5) == 0 || strncmp(p, "&quot;", 6) == 0);
        assert_true(*p == '\n' || (unsigned char)*p >= ' ');
        if (*p != '<')
            continue;
        ends = *++p == '/';
        p += ends;
        n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
        assert_in_range(n, 1, 31);
        if (ends) {
            assert_true(depth > 0);
            depth--;
            assert_int_equal(strlen(open[depth]), n);
            assert_memory_equal(open[depth], p, n);
            p += n;
            assert_int_equal(*p, '>');
            continue;
        }
        found += strlen(count) == n && memcmp(p, count, n) == 0;
        assert_true(depth < 32);
        snprintf(open[depth++], 32, "%.*s", (int)n, p);
        for (p += n; *p == ' ';) {
            p += 1 + strcspn(p, "=");
            assert_int_equal(*p, '"');
            p += 1 + strcspn(p + 1, "\"<");
            assert_int_equal(*p++, '"');
        }
        if (*p == '/') {
            depth--;
            p++;
        }
        assert_int_equal(*p, '>');
    }
    assert_int_equal(depth, 0);
    return found;
}

#endif
