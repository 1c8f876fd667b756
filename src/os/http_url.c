/* URLs as text: where credentials stand in them, and whose they are. */
#include "os/http_parts.h"

#include <assert.h>

enum { PORT_MAX = 65535 };

static bool ends_authority(char c) {
    return c == '/' || c == '?' || c == '#';
}

/* Of a text that goes on, the URL ends at a blank or a quote. */
static ptrdiff_t word_end(struct str text) {
    ptrdiff_t at = 0;
    while (at < text.len && !char_is_space(text.data[at]) && text.data[at] != '\'' && text.data[at] != '"') at++;
    return at;
}

static ptrdiff_t authority_end(struct str text, ptrdiff_t at) {
    while (at < text.len && !ends_authority(text.data[at])) at++;
    return at;
}

/* True where what stands behind the colon of `authority` is no port (what ends a sentence may follow): it may be a
 * password up to a `/` that should have been escaped. */
static bool port_is_none(struct str authority) {
    struct str host = str_from(authority, str_find_last(authority, '@') + 1);
    host = str_from(host, str_find_last(host, ']') + 1);
    ptrdiff_t colon = str_find_char(host, ':'), end = colon + 1;
    int64_t port;
    if (colon < 0) return false;
    assert(host.data);
    while (end < host.len && char_is_digit(host.data[end])) end++;
    bool number = end == colon + 1 || (str_to_int(str_slice(host, colon + 1, end), &port) && port <= PORT_MAX);
    while (end < host.len && str_find_char(S(".,;:)}>"), host.data[end]) >= 0) end++;
    return !number || end < host.len;
}

ptrdiff_t http_credentials(struct str rest) {
    struct str word = str_slice(rest, 0, word_end(rest));
    ptrdiff_t end = authority_end(word, 0);
    struct str authority = str_slice(word, 0, end);
    if (!port_is_none(authority)) return str_find_last(authority, '@');
    ptrdiff_t at = str_find_last(word, '@');
    return at > end ? at : end;
}

struct str http_mask(struct arena *arena, struct str url) {
    ptrdiff_t scheme = str_find(url, S("://"));
    struct str head = str_slice(url, 0, scheme + 3);
    ptrdiff_t at = scheme < 0 ? str_find_last(url, '@') : http_credentials(str_from(url, scheme + 3));
    if (scheme < 0) {
        /* "user:password@host:8080", as a proxy may be named; no path, and no sentence. */
        struct str user = str_slice(url, 0, at);
        bool path = url.len && (url.data[0] == '/' || url.data[0] == '.');
        if (at < 0 || path || str_find_char(user, ':') < 0 || word_end(user) < user.len) return url;
        head = (struct str){0};
    }
    if (at < 0) return url;
    return str_format(arena, "%.*s****%.*s", FMT(head), FMT(str_from(url, head.len + at)));
}

/* Where the authority of `url` begins, -1 without one; it ends at *to, credentials with an unescaped `/` included. */
static ptrdiff_t authority_find(struct str url, ptrdiff_t *to) {
    ptrdiff_t scheme = str_find(url, S("://")), from = scheme + 3;
    if (scheme < 0) return -1;
    ptrdiff_t at = http_credentials(str_from(url, from));
    *to = authority_end(url, at < 0 ? from : from + at);
    return from;
}

struct str http_userinfo(struct str url) {
    ptrdiff_t to, from = authority_find(url, &to);
    ptrdiff_t at = from < 0 ? -1 : str_find_last(str_slice(url, from, to), '@');
    return at < 0 ? (struct str){0} : str_slice(url, from, from + at);
}

struct str http_strip(struct arena *arena, struct str url) {
    ptrdiff_t to, from = authority_find(url, &to);
    ptrdiff_t at = from < 0 ? -1 : str_find_last(str_slice(url, from, to), '@');
    if (at < 0) return url;
    struct str head = str_slice(url, 0, from), tail = str_from(url, from + at + 1);
    return str_format(arena, "%.*s%.*s", FMT(head), FMT(tail));
}

struct str http_origin(struct arena *arena, struct str url) {
    struct str bare = http_strip(arena, url);
    ptrdiff_t to, from = authority_find(bare, &to);
    if (from < 0) return bare;
    struct str origin = str_lower(arena, str_slice(bare, 0, to));
    if (str_find_char(str_from(origin, str_find_last(origin, ']') + 1 > from ? str_find_last(origin, ']') + 1 : from),
                      ':') >= 0)
        return origin;
    const char *port = str_starts(origin, S("https:")) ? ":443" : str_starts(origin, S("http:")) ? ":80" : "";
    return str_format(arena, "%.*s%s", FMT(origin), port);
}
