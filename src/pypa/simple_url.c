/* Joining of URLs, RFC 3986 section 5.2. */
#include "pypa/simple.h"

#include "base/arena.h"
#include "base/buf.h"

/* Length of "scheme:" at the start, 0 if there is none. */
static ptrdiff_t scheme_len(struct str url) {
    if (url.len == 0 || !char_is_alpha(url.data[0])) return 0;
    for (ptrdiff_t i = 1; i < url.len; i++) {
        char c = url.data[i];
        if (c == ':') return i + 1;
        if (!char_is_alnum(c) && c != '+' && c != '-' && c != '.') return 0;
    }
    return 0;
}

/* Length of "scheme://authority". */
static ptrdiff_t root_len(struct str url) {
    ptrdiff_t at = scheme_len(url);
    if (!str_starts(str_from(url, at), S("//"))) return at;
    at += 2;
    while (at < url.len && url.data[at] != '/' && url.data[at] != '?' && url.data[at] != '#') at++;
    return at;
}

static ptrdiff_t path_end(struct str url) {
    ptrdiff_t end = 0;
    while (end < url.len && url.data[end] != '?' && url.data[end] != '#') end++;
    return end;
}

/* Takes the last part of the path away that `buf` holds behind `root`. */
static void drop_part(struct buf *buf, ptrdiff_t root) {
    while (buf->len > root && buf->data[buf->len - 1] != '/') buf->len--;
    if (buf->len > root) buf->len--;
}

/* Adds `path`, its `.` and `..` parts resolved. */
static void add_path(struct buf *buf, struct str path) {
    ptrdiff_t root = buf->len;
    if (str_starts(path, S("/"))) path = str_from(path, 1);
    for (bool more = true; more;) {
        ptrdiff_t slash = str_find_char(path, '/');
        more = slash >= 0;
        struct str part = more ? str_slice(path, 0, slash) : path;
        path = more ? str_from(path, slash + 1) : path;
        bool here = str_eq(part, S(".")), up = str_eq(part, S(".."));
        if (up) drop_part(buf, root);
        if (!here && !up) {
            buf_add_char(buf, '/');
            buf_add(buf, part);
        } else if (!more) {
            buf_add_char(buf, '/');
        }
    }
}

/* Blanks, control characters and bytes outside ASCII as %XX. */
static struct str encode(struct arena *arena, struct str url) {
    bool clean = true;
    for (ptrdiff_t i = 0; i < url.len && clean; i++) clean = url.data[i] > 0x20 && url.data[i] < 0x7F;
    if (clean) return url;
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.data[i];
        if (c > 0x20 && c < 0x7F) buf_add_char(&buf, (char)c);
        else buf_addf(&buf, "%%%02X", c);
    }
    return buf_str(&buf);
}

struct str simple_url(struct arena *arena, struct str base, struct str reference) {
    ptrdiff_t hash = str_find_char(reference, '#');
    if (hash >= 0) reference = str_slice(reference, 0, hash);
    if (scheme_len(reference)) return encode(arena, reference);
    struct buf buf = {.arena = arena};
    if (str_starts(reference, S("//"))) {
        buf_add(&buf, str_slice(base, 0, scheme_len(base)));
        buf_add(&buf, reference);
        return encode(arena, buf_str(&buf));
    }
    ptrdiff_t root = root_len(base);
    struct str base_path = str_slice(str_from(base, root), 0, path_end(str_from(base, root)));
    buf_add(&buf, str_slice(base, 0, root));
    ptrdiff_t end = path_end(reference);
    struct str path = str_slice(reference, 0, end);
    if (path.len && path.data[0] != '/') {
        struct str dir = str_slice(base_path, 0, str_find_last(base_path, '/') + 1);
        path = str_format(arena, "%.*s%.*s", FMT(dir), FMT(path));
    }
    add_path(&buf, path.len ? path : base_path);
    buf_add(&buf, str_from(reference, end));
    return encode(arena, buf_str(&buf));
}
