#include "pypa/version.h"

#include "base/arena.h"
#include "base/buf.h"

/* Where the scan of a version stands. */
struct scan {
    struct str text;
    ptrdiff_t at;
    bool refused; /* a number that is too large, or too many parts */
};

/* A way to write the letters of a segment. */
struct spelling {
    struct str text;
    int kind; /* what it means, > 0 */
};

static const struct spelling pre_spellings[] = {
    {S_INIT("alpha"), VERSION_ALPHA}, {S_INIT("a"), VERSION_ALPHA},    {S_INIT("beta"), VERSION_BETA},
    {S_INIT("b"), VERSION_BETA},      {S_INIT("preview"), VERSION_RC}, {S_INIT("pre"), VERSION_RC},
    {S_INIT("c"), VERSION_RC},        {S_INIT("rc"), VERSION_RC},
};
static const struct spelling post_spellings[] = {{S_INIT("post"), 1}, {S_INIT("rev"), 1}, {S_INIT("r"), 1}};
static const struct spelling dev_spellings[] = {{S_INIT("dev"), 1}};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The byte `ahead` of the current one, NUL behind the end. */
static char scan_peek(const struct scan *scan, ptrdiff_t ahead) {
    return scan->at + ahead < scan->text.len ? scan->text.data[scan->at + ahead] : '\0';
}

static bool is_separator(char c) {
    return c == '.' || c == '-' || c == '_';
}

/* The number that stands here; 0 where there is none. */
static int64_t scan_number(struct scan *scan) {
    int64_t number = 0;
    for (; char_is_digit(scan_peek(scan, 0)); scan->at++) {
        int64_t digit = scan_peek(scan, 0) - '0';
        if (number > (INT64_MAX - digit) / 10) {
            scan->refused = true;
            number = 0;
        }
        number = number * 10 + digit;
    }
    return number;
}

/* True if the text goes on with `word` in letters of either case. */
static bool scan_word(struct scan *scan, struct str word) {
    struct str ahead = str_slice(scan->text, scan->at, scan->at + word.len);
    if (!str_eq_nocase(ahead, word)) return false;
    scan->at += word.len;
    return true;
}

/* "[._-]?letters[._-]?number?": the kind of the letters, or 0 and nothing is consumed. */
static int scan_segment(struct scan *scan, const struct spelling *spellings, int count, int64_t *number) {
    ptrdiff_t start = scan->at;
    if (!char_is_alpha(scan_peek(scan, is_separator(scan_peek(scan, 0)) ? 1 : 0))) return 0;
    if (is_separator(scan_peek(scan, 0))) scan->at++;
    for (int i = 0; i < count; i++) {
        if (!scan_word(scan, spellings[i].text)) continue;
        if (is_separator(scan_peek(scan, 0))) scan->at++;
        *number = scan_number(scan);
        return spellings[i].kind;
    }
    scan->at = start;
    return 0;
}

/* "(epoch!)?number(.number)*". */
static bool scan_release(struct arena *arena, struct scan *scan, struct version *version) {
    ptrdiff_t parts = 1, end = scan->at;
    if (!char_is_digit(scan_peek(scan, 0))) return false;
    while (end < scan->text.len && char_is_digit(scan->text.data[end])) end++;
    if (end < scan->text.len && scan->text.data[end] == '!') {
        version->epoch = scan_number(scan);
        scan->at++;
        if (!char_is_digit(scan_peek(scan, 0))) return false;
    }
    for (end = scan->at; end < scan->text.len; end++) {
        if (scan->text.data[end] == '.') parts++;
        else if (!char_is_digit(scan->text.data[end])) break;
    }
    if (parts > VERSION_RELEASE_MAX) return false;

    int64_t *release = arena_new(arena, int64_t, parts);
    int32_t len = 0;
    release[len++] = scan_number(scan);
    while (scan_peek(scan, 0) == '.' && char_is_digit(scan_peek(scan, 1))) {
        scan->at++;
        release[len++] = scan_number(scan);
    }
    version->release = release;
    version->release_len = len;
    return true;
}

static struct version_local local_make(struct arena *arena, struct str part) {
    struct version_local local = {.text = part, .number = 0};
    for (ptrdiff_t i = 0; i < part.len; i++)
        if (!char_is_digit(part.data[i])) local.number = -1;
    if (local.number < 0) {
        for (ptrdiff_t i = 0; i < part.len; i++) {
            if (char_lower(part.data[i]) == part.data[i]) continue;
            local.text = str_lower(arena, part);
            break;
        }
        return local;
    }
    while (local.text.len > 1 && local.text.data[0] == '0') local.text = str_from(local.text, 1);
    if (!str_to_int(local.text, &local.number)) local.number = INT64_MAX;
    return local;
}

/* "+part([._-]part)*", where it stands. */
static void scan_local(struct arena *arena, struct scan *scan, struct version *version) {
    VEC(struct version_local) parts = {0};
    if (scan_peek(scan, 0) != '+') return;
    while (char_is_alnum(scan_peek(scan, 1))) {
        ptrdiff_t start = ++scan->at;
        while (char_is_alnum(scan_peek(scan, 0))) scan->at++;
        *vec_push(arena, &parts) = local_make(arena, str_slice(scan->text, start, scan->at));
        if (!is_separator(scan_peek(scan, 0))) break;
    }
    version->local = parts.data;
    version->local_len = (int32_t)parts.len;
}

ptrdiff_t version_scan(struct arena *arena, struct str text, bool with_local, struct version *ret) {
    /* One byte more than is allowed, so that a longer version is seen to be one. */
    struct scan scan = {.text = str_slice(text, 0, VERSION_MAX_LEN + 1)};
    struct version version = {.post = -1, .dev = -1};
    int64_t number = 0;

    if (char_lower(scan_peek(&scan, 0)) == 'v') scan.at++;
    if (!scan_release(arena, &scan, &version)) return -1;
    if (scan.at < scan.text.len) {
        version.pre = (enum version_pre)scan_segment(&scan, pre_spellings, COUNT(pre_spellings), &version.pre_number);
        if (scan_peek(&scan, 0) == '-' && char_is_digit(scan_peek(&scan, 1))) {
            scan.at++;
            version.post = scan_number(&scan);
        } else if (scan_segment(&scan, post_spellings, COUNT(post_spellings), &number)) {
            version.post = number;
        }
        if (scan_segment(&scan, dev_spellings, COUNT(dev_spellings), &number)) version.dev = number;
        if (with_local) scan_local(arena, &scan, &version);
    }
    if (scan.refused || scan.at > VERSION_MAX_LEN) return -1;
    version.text = str_slice(text, 0, scan.at);
    *ret = version;
    return scan.at;
}

bool version_try_parse(struct arena *arena, struct str text, struct version *ret) {
    struct version version;
    text = str_trim(text);
    if (text.len == 0 || version_scan(arena, text, true, &version) != text.len) return false;
    *ret = version;
    return true;
}

struct err *version_parse(struct arena *arena, struct str text, struct version *ret) {
    if (version_try_parse(arena, text, ret)) return NULL;
    return err_make(arena, ERR_MALFORMED, "\"%.*s\" is not a version", FMT(str_slice(text, 0, 80)));
}

static int int_cmp(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int release_cmp(const struct version *a, const struct version *b) {
    int32_t len = a->release_len > b->release_len ? a->release_len : b->release_len;
    for (int32_t i = 0; i < len; i++) {
        int64_t left = i < a->release_len ? a->release[i] : 0;
        int64_t right = i < b->release_len ? b->release[i] : 0;
        if (left != right) return int_cmp(left, right);
    }
    return 0;
}

/* A development release without pre and post is before all pre-releases; a release without pre is behind them. */
static int pre_rank(const struct version *version) {
    if (version->pre != VERSION_PRE_NONE) return (int)version->pre;
    return version->post < 0 && version->dev >= 0 ? 0 : VERSION_RC + 1;
}

int version_cmp_public(const struct version *a, const struct version *b) {
    int order;
    if (a->release_len == 0 || b->release_len == 0) {
        if (a->release_len != b->release_len) return a->release_len == 0 ? -1 : 1;
        return str_cmp(a->text, b->text);
    }
    if ((order = int_cmp(a->epoch, b->epoch))) return order;
    if ((order = release_cmp(a, b))) return order;
    if ((order = pre_rank(a) - pre_rank(b))) return order;
    if (a->pre != VERSION_PRE_NONE && (order = int_cmp(a->pre_number, b->pre_number))) return order;
    if ((order = int_cmp(a->post, b->post))) return order;
    if (a->dev == b->dev) return 0;
    if (a->dev < 0 || b->dev < 0) return a->dev < 0 ? 1 : -1;
    return int_cmp(a->dev, b->dev);
}

static int local_cmp(const struct version_local *a, const struct version_local *b) {
    if (a->number != b->number) return int_cmp(a->number, b->number);
    if (a->number == INT64_MAX && a->text.len != b->text.len) return int_cmp(a->text.len, b->text.len);
    return a->number >= 0 && a->number < INT64_MAX ? 0 : str_cmp(a->text, b->text);
}

int version_cmp(const struct version *a, const struct version *b) {
    int order = version_cmp_public(a, b);
    for (int32_t i = 0; order == 0 && i < a->local_len && i < b->local_len; i++)
        order = local_cmp(&a->local[i], &b->local[i]);
    return order ? order : int_cmp(a->local_len, b->local_len);
}

struct str version_format(struct arena *arena, const struct version *version) {
    static const char *const pre[] = {"", "a", "b", "rc"};
    struct buf buf = {.arena = arena};
    if (version->release_len == 0) return version->text;
    if (version->epoch) buf_addf(&buf, "%lld!", (long long)version->epoch);
    for (int32_t i = 0; i < version->release_len; i++)
        buf_addf(&buf, i ? ".%lld" : "%lld", (long long)version->release[i]);
    if (version->pre != VERSION_PRE_NONE) buf_addf(&buf, "%s%lld", pre[version->pre], (long long)version->pre_number);
    if (version->post >= 0) buf_addf(&buf, ".post%lld", (long long)version->post);
    if (version->dev >= 0) buf_addf(&buf, ".dev%lld", (long long)version->dev);
    for (int32_t i = 0; i < version->local_len; i++) {
        buf_add_char(&buf, i ? '.' : '+');
        buf_add(&buf, version->local[i].text);
    }
    return buf_str(&buf);
}

bool version_is_prerelease(const struct version *version) {
    return version->release_len > 0 && (version->pre != VERSION_PRE_NONE || version->dev >= 0);
}

bool version_release_eq(const struct version *a, const struct version *b) {
    return a->epoch == b->epoch && release_cmp(a, b) == 0;
}

struct version version_base(const struct version *version) {
    struct version base = *version;
    struct scan scan = {.text = version->text};
    if (version->release_len == 0) return base;
    if (char_lower(scan_peek(&scan, 0)) == 'v') scan.at++;
    while (char_is_digit(scan_peek(&scan, 0)) || scan_peek(&scan, 0) == '!' ||
           (scan_peek(&scan, 0) == '.' && char_is_digit(scan_peek(&scan, 1))))
        scan.at++;
    base.text = str_slice(version->text, 0, scan.at);
    base.pre = VERSION_PRE_NONE;
    base.pre_number = 0;
    base.post = base.dev = -1;
    base.local = NULL;
    base.local_len = 0;
    return base;
}
