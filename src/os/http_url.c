/* URLs as text: where credentials stand in them, and whose they are. */
#include "os/http.h"

#include "base/arena.h"

/* Positions of the authority in `url`; false if there is none. */
static bool find_authority(struct str url, ptrdiff_t *from, ptrdiff_t *to) {
    ptrdiff_t at = str_find(url, S("://"));
    if (at < 0) return false;
    *from = at + 3;
    *to = *from;
    while (*to < url.len && url.data[*to] != '/' && url.data[*to] != '?' && url.data[*to] != '#') ++*to;
    return true;
}

/* "user:password@host:8080", as a proxy may be named. */
static struct str mask_bare(struct arena *arena, struct str text) {
    ptrdiff_t at = str_find_last(text, '@');
    struct str user = str_slice(text, 0, at);
    if (at < 0 || str_find_char(user, ':') < 0) return text;
    for (ptrdiff_t i = 0; i < user.len; i++)
        if (user.data[i] == '/' || char_is_space(user.data[i])) return text;
    return str_format(arena, "****%.*s", FMT(str_from(text, at)));
}

struct str http_mask(struct arena *arena, struct str url) {
    ptrdiff_t from, to;
    if (!find_authority(url, &from, &to)) return mask_bare(arena, url);
    ptrdiff_t at = str_find_last(str_slice(url, from, to), '@');
    if (at < 0) return url;
    struct str head = str_slice(url, 0, from), tail = str_from(url, from + at);
    return str_format(arena, "%.*s****%.*s", FMT(head), FMT(tail));
}

struct str http_strip(struct arena *arena, struct str url) {
    ptrdiff_t from, to;
    if (!find_authority(url, &from, &to)) return url;
    ptrdiff_t at = str_find_last(str_slice(url, from, to), '@');
    if (at < 0) return url;
    struct str head = str_slice(url, 0, from), tail = str_from(url, from + at + 1);
    return str_format(arena, "%.*s%.*s", FMT(head), FMT(tail));
}

struct str http_origin(struct arena *arena, struct str url) {
    ptrdiff_t from, to;
    struct str bare = http_strip(arena, url);
    if (!find_authority(bare, &from, &to)) return bare;
    struct str origin = str_lower(arena, str_slice(bare, 0, to));
    if (str_find_char(str_from(origin, str_find_last(origin, ']') + 1 > from ? str_find_last(origin, ']') + 1 : from),
                      ':') >= 0)
        return origin;
    const char *port = str_starts(origin, S("https:")) ? ":443" : str_starts(origin, S("http:")) ? ":80" : "";
    return str_format(arena, "%.*s%s", FMT(origin), port);
}
