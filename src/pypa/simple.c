#include "pypa/simple.h"

#include "base/arena.h"
#include "base/json.h"

enum { SHA256_HEX = 64, SHA384_HEX = 96, SHA512_HEX = 128, SECONDS_PER_DAY = 86400 };

struct attribute {
    struct str name, value; /* the value is unescaped */
    bool has_value;
};

struct scanner {
    struct arena *arena;
    struct str text;
    ptrdiff_t at;
    struct simple_page page;
    VEC(struct simple_file) files;
    struct err *err;
};

static bool is_hex(struct str text, ptrdiff_t len) {
    /* A table, as pages hold hundreds of thousands of digits. */
    static const unsigned char hex[256] = {
        ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
        ['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
        ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
    };
    unsigned all = 1;
    if (text.len != len) return false;
    for (ptrdiff_t i = 0; i < len; i++) all &= hex[(unsigned char)text.data[i]];
    return all;
}

bool simple_is_sha256(struct str text) {
    return is_hex(text, SHA256_HEX);
}

struct str simple_hash_name(struct str hex) {
    if (hex.len == SHA256_HEX) return S("sha256");
    if (hex.len == SHA384_HEX) return S("sha384");
    return hex.len == SHA512_HEX ? S("sha512") : (struct str){0};
}

static bool has_upper(struct str text) {
    bool upper = false;
    for (ptrdiff_t i = 0; i < text.len; i++) upper |= text.data[i] >= 'A' && text.data[i] <= 'Z';
    return upper;
}

/* A hash of `len` digits as it is compared. One that is stated and is none may not pass for one that is not stated: it
 * is taken as zeros, which no file has. */
static struct str hash_of(struct arena *arena, struct str text, ptrdiff_t len) {
    static const char zeros[SHA512_HEX + 1] =
        "00000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000";
    if (text.len == 0) return (struct str){0};
    if (!is_hex(text, len)) return (struct str){zeros, len};
    return has_upper(text) ? str_lower(arena, text) : text;
}

static struct str sha256_of(struct arena *arena, struct str text) {
    return hash_of(arena, text, SHA256_HEX);
}

/* The stronger one of two that may be empty. */
static struct str strong_of(struct arena *arena, struct str sha384, struct str sha512) {
    return sha512.len ? hash_of(arena, sha512, SHA512_HEX) : hash_of(arena, sha384, SHA384_HEX);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "HH:MM:SS", what follows it is left in *rest. */
static bool parse_time(struct str *rest, int64_t *ret) {
    int64_t hour, minute, second;
    if (!str_to_int(str_slice(*rest, 0, 2), &hour) || !str_to_int(str_slice(*rest, 3, 5), &minute) ||
        !str_to_int(str_slice(*rest, 6, 8), &second) || rest->data[2] != ':' || rest->data[5] != ':' || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *ret = hour * 3600 + minute * 60 + second;
    *rest = str_from(*rest, 8);
    return true;
}

/* "Z", "+02:00" or nothing: seconds to subtract. */
static bool parse_zone(struct str rest, int64_t *ret) {
    int64_t hour, minute;
    *ret = 0;
    if (rest.len == 0 || str_eq_nocase(rest, S("Z"))) return true;
    if (rest.len != 6 || (rest.data[0] != '+' && rest.data[0] != '-') || rest.data[3] != ':') return false;
    if (!str_to_int(str_slice(rest, 1, 3), &hour) || !str_to_int(str_from(rest, 4), &minute)) return false;
    *ret = (hour * 3600 + minute * 60) * (rest.data[0] == '+' ? 1 : -1);
    return true;
}

bool simple_date_parse(struct str text, int64_t *ret) {
    int64_t year, month, day, seconds = 0, zone = 0;
    if (text.len < 10 || text.data[4] != '-' || text.data[7] != '-') return false;
    if (!str_to_int(str_slice(text, 0, 4), &year) || !str_to_int(str_slice(text, 5, 7), &month) ||
        !str_to_int(str_slice(text, 8, 10), &day) || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    struct str rest = str_from(text, 10);
    if (rest.len) {
        if (rest.data[0] != 'T' && rest.data[0] != ' ') return false;
        rest = str_from(rest, 1);
        if (rest.len < 8 || !parse_time(&rest, &seconds)) return false;
        if (rest.len && rest.data[0] == '.') do
                rest = str_from(rest, 1);
            while (rest.len && char_is_digit(rest.data[0]));
        if (!parse_zone(rest, &zone)) return false;
    }
    *ret = days_of(year, month, day) * SECONDS_PER_DAY + seconds - zone;
    return true;
}

struct str simple_date_format(struct arena *arena, int64_t seconds) {
    int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY;
    if (rest < 0) {
        days--;
        rest += SECONDS_PER_DAY;
    }
    int64_t year = 1970 + days / 366, month = 12;
    while (days_of(year + 1, 1, 1) <= days) year++;
    while (days_of(year, 1, 1) > days) year--;
    while (days_of(year, month, 1) > days) month--;
    return str_format(arena, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month,
                      (int)(days - days_of(year, month, 1) + 1), (int)(rest / 3600), (int)(rest / 60 % 60),
                      (int)(rest % 60));
}

/* A code point as UTF-8, at most 4 bytes; their number. */
static ptrdiff_t encode(uint32_t point, char *out) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    ptrdiff_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (ptrdiff_t i = len - 1; i > 0; i--, point >>= 6) out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)(lead[len] | point);
    return len;
}

/* The character that `name` (between & and ;) stands for; 0: not known. */
static uint32_t entity(struct str name) {
    static const struct {
        struct str name;
        uint32_t point;
    } known[] = {
        {S_INIT("gt"), '>'}, {S_INIT("lt"), '<'}, {S_INIT("amp"), '&'}, {S_INIT("quot"), '"'}, {S_INIT("apos"), '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(known[i].name, name)) return known[i].point;
    if (name.len < 2 || name.len > 9 || name.data[0] != '#') return 0;
    bool hex = char_lower(name.data[1]) == 'x';
    struct str digits = str_from(name, hex ? 2 : 1);
    uint32_t point = 0;
    for (ptrdiff_t i = 0; i < digits.len; i++) {
        int digit = char_hex(digits.data[i]);
        if (digit < 0 || (!hex && digit > 9)) return 0;
        point = point * (hex ? 16 : 10) + (uint32_t)digit;
        if (point > 0x10FFFF) return 0;
    }
    return point >= 0xD800 && point <= 0xDFFF ? 0 : point;
}

static struct str unescape(struct arena *arena, struct str text) {
    if (str_find_char(text, '&') < 0) return text;
    char *out = arena_alloc(arena, text.len); /* an entity is never shorter than what it stands for */
    ptrdiff_t len = 0;
    while (text.len) {
        ptrdiff_t end = text.data[0] == '&' ? str_find_char(str_slice(text, 0, 12), ';') : -1;
        uint32_t point = end > 0 ? entity(str_slice(text, 1, end)) : 0;
        if (point) len += encode(point, out + len);
        else out[len++] = text.data[0];
        text = str_from(text, point ? end + 1 : 1);
    }
    return (struct str){out, len};
}

static bool is_name_end(char c) {
    return char_is_space(c) || c == '=' || c == '>' || c == '/';
}

static void skip_blanks(struct scanner *scanner) {
    while (scanner->at < scanner->text.len && char_is_space(scanner->text.data[scanner->at])) scanner->at++;
}

/* The value behind `=`: quoted by either quote, or up to a blank or `>`. */
static struct str scan_value(struct scanner *scanner) {
    struct str rest = str_from(scanner->text, scanner->at);
    if (rest.len == 0) return rest;
    char quote = rest.data[0];
    if (quote == '"' || quote == '\'') {
        rest = str_from(rest, 1);
        ptrdiff_t end = str_find_char(rest, quote);
        if (end < 0) end = rest.len;
        scanner->at += end + 2;
        return str_slice(rest, 0, end);
    }
    ptrdiff_t end = 0;
    while (end < rest.len && !char_is_space(rest.data[end]) && rest.data[end] != '>') end++;
    scanner->at += end;
    return str_slice(rest, 0, end);
}

/* The next attribute of the tag that is open; false at its end, which is passed. */
static bool scan_attribute(struct scanner *scanner, struct attribute *ret) {
    for (;;) {
        skip_blanks(scanner);
        if (scanner->at >= scanner->text.len) return false;
        char c = scanner->text.data[scanner->at];
        if (c == '>') {
            scanner->at++;
            return false;
        }
        if (c != '/' && c != '=') break;
        scanner->at++;
    }
    ptrdiff_t from = scanner->at;
    while (scanner->at < scanner->text.len && !is_name_end(scanner->text.data[scanner->at])) scanner->at++;
    *ret = (struct attribute){.name = str_slice(scanner->text, from, scanner->at)};
    skip_blanks(scanner);
    if (scanner->at >= scanner->text.len || scanner->text.data[scanner->at] != '=') return true;
    scanner->at++;
    skip_blanks(scanner);
    ret->value = unescape(scanner->arena, scan_value(scanner));
    ret->has_value = true;
    return true;
}

struct str simple_url_decode(struct arena *arena, struct str text) {
    if (str_find_char(text, '%') < 0) return text;
    char *out = arena_alloc(arena, text.len);
    ptrdiff_t len = 0;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len && text.data[i] == '%' ? char_hex(text.data[i + 1]) : -1;
        int low = high >= 0 ? char_hex(text.data[i + 2]) : -1;
        out[len++] = low >= 0 ? (char)(high * 16 + low) : text.data[i];
        if (low >= 0) i += 2;
    }
    return (struct str){out, len};
}

/* `url` without query and fragment. */
static struct str path_of(struct str url) {
    ptrdiff_t end = 0;
    while (end < url.len && url.data[end] != '?' && url.data[end] != '#') end++;
    return str_slice(url, 0, end);
}

struct str simple_url_filename(struct arena *arena, struct str url) {
    struct str path = path_of(url);
    return simple_url_decode(arena, str_from(path, str_find_last(path, '/') + 1));
}

/* The value of `name` in a URL's fragment. */
static struct str fragment_find(struct str url, struct str name) {
    ptrdiff_t hash = str_find_char(url, '#');
    struct str fragment = hash < 0 ? (struct str){0} : str_from(url, hash + 1);
    while (fragment.len) {
        struct str part = str_cut(&fragment, '&'), value = part;
        if (str_eq(str_cut(&value, '='), name)) return value;
    }
    return (struct str){0};
}

struct str simple_url_sha256(struct arena *arena, struct str url) {
    return sha256_of(arena, fragment_find(url, S("sha256")));
}

struct str simple_url_strong(struct arena *arena, struct str url) {
    return strong_of(arena, fragment_find(url, S("sha384")), fragment_find(url, S("sha512")));
}

static void set_href(struct arena *arena, struct simple_file *file, struct str href) {
    href = str_trim(href);
    ptrdiff_t hash = str_find_char(href, '#');
    file->url = hash < 0 ? href : str_slice(href, 0, hash);
    file->filename = simple_url_filename(arena, file->url);
    if (hash < 0) return;
    file->sha256 = simple_url_sha256(arena, str_from(href, hash));
    if (!file->sha256.len || href.len - hash > SHA384_HEX)
        file->strong = simple_url_strong(arena, str_from(href, hash));
}

static void set_metadata(struct arena *arena, struct simple_file *file, struct str value) {
    file->has_metadata = !str_eq_nocase(value, S("false"));
    if (str_starts(value, S("sha256="))) file->metadata_sha256 = sha256_of(arena, str_from(value, 7));
}

/* -1 for what is no size of a file: sums of sizes never overflow. */
static int64_t size_of(struct str value) {
    int64_t size;
    return str_to_int(value, &size) && size <= SIMPLE_SIZE_MAX ? size : -1;
}

static void set_attribute(struct arena *arena, struct simple_file *file, const struct attribute *attribute) {
    struct str name = attribute->name, value = attribute->value;
    if (str_eq_nocase(name, S("href"))) {
        set_href(arena, file, value);
    } else if (str_eq_nocase(name, S("data-requires-python"))) {
        file->requires_python = str_trim(value);
    } else if (str_eq_nocase(name, S("data-yanked"))) {
        file->yanked = true;
        file->yanked_reason = value;
    } else if (str_eq_nocase(name, S("data-core-metadata"))) {
        set_metadata(arena, file, value);
    } else if (str_eq_nocase(name, S("data-dist-info-metadata"))) {
        if (!file->has_metadata) set_metadata(arena, file, value);
    } else if (str_eq_nocase(name, S("data-upload-time"))) {
        (void)simple_date_parse(value, &file->uploaded);
    } else if (str_eq_nocase(name, S("data-size"))) {
        file->size = size_of(value);
    }
}

static void scan_anchor(struct scanner *scanner) {
    struct simple_file file = {.size = -1, .uploaded = INT64_MIN};
    struct attribute attribute;
    bool too_long = false;
    while (scan_attribute(scanner, &attribute)) {
        if (attribute.value.len > SIMPLE_TEXT_MAX) too_long = true;
        else if (attribute.name.len >= 4) set_attribute(scanner->arena, &file, &attribute);
    }
    if (!file.filename.len || too_long) return;
    if (scanner->files.len == SIMPLE_FILES_MAX) {
        scanner->err = err_make(scanner->arena, ERR_LIMIT, "the page lists more than %d files", SIMPLE_FILES_MAX);
        return;
    }
    *vec_push(scanner->arena, &scanner->files) = file;
}

static struct err *check_api(struct arena *arena, struct str version) {
    struct str rest = version;
    int64_t major;
    if (version.len == 0 || (str_to_int(str_cut(&rest, '.'), &major) && major == 1)) return NULL;
    return err_make(arena, ERR_INDEX, "the page is of version %.*s of the index API; 1.x is understood",
                    FMT(str_slice(version, 0, 40)));
}

static void set_status(struct simple_page *page, struct str status) {
    page->quarantined = str_eq_nocase(str_trim(status), S("quarantined")); /* however it is written */
    page->status = str_eq(status, S("active")) ? (struct str){0} : status;
}

static void add_place(struct arena *arena, const struct str **places, int32_t *len, struct str url) {
    if (!url.len || url.len > SIMPLE_TEXT_MAX || *len == SIMPLE_PLACES_MAX) return;
    struct str *longer = arena_new(arena, struct str, *len + 1);
    for (int32_t i = 0; i < *len; i++) longer[i] = (*places)[i];
    longer[(*len)++] = url;
    *places = longer;
}

static void scan_meta(struct scanner *scanner) {
    struct str name = {0}, content = {0};
    struct attribute attribute;
    while (scan_attribute(scanner, &attribute)) {
        if (str_eq_nocase(attribute.name, S("name"))) name = attribute.value;
        if (str_eq_nocase(attribute.name, S("content"))) content = str_trim(attribute.value);
    }
    if (str_eq_nocase(name, S("pypi:repository-version"))) scanner->err = check_api(scanner->arena, content);
    if (content.len > SIMPLE_TEXT_MAX) return;
    struct simple_page *page = &scanner->page;
    if (str_eq_nocase(name, S("pypi:project-status"))) set_status(page, content);
    if (str_eq_nocase(name, S("pypi:project-status-reason"))) page->status_reason = content;
    if (str_eq_nocase(name, S("pypi:tracks"))) add_place(scanner->arena, &page->tracks, &page->tracks_len, content);
    if (str_eq_nocase(name, S("pypi:alternate-locations")))
        add_place(scanner->arena, &page->alternates, &page->alternates_len, content);
}

static void scan_base(struct scanner *scanner) {
    struct attribute attribute;
    while (scan_attribute(scanner, &attribute))
        if (!scanner->page.base.len && str_eq_nocase(attribute.name, S("href")) &&
            attribute.value.len <= SIMPLE_TEXT_MAX)
            scanner->page.base = str_trim(attribute.value);
}

/* A tag whose `<` has just been passed. */
static void scan_tag(struct scanner *scanner) {
    struct str rest = str_from(scanner->text, scanner->at);
    if (str_starts(rest, S("!--"))) {
        ptrdiff_t end = str_find(rest, S("-->"));
        scanner->at = end < 0 ? scanner->text.len : scanner->at + end + 3;
        return;
    }
    ptrdiff_t len = 0;
    while (len < rest.len && !is_name_end(rest.data[len])) len++;
    struct str name = str_slice(rest, 0, len);
    scanner->at += len;
    if (str_eq_nocase(name, S("a"))) scan_anchor(scanner);
    else if (str_eq_nocase(name, S("base"))) scan_base(scanner);
    else if (str_eq_nocase(name, S("meta"))) scan_meta(scanner);
}

struct err *simple_parse_html(struct arena *arena, struct str text, struct simple_page *ret) {
    if (text.len > SIMPLE_PAGE_MAX)
        return err_make(arena, ERR_LIMIT, "the page is larger than %d bytes", SIMPLE_PAGE_MAX);
    struct scanner scanner = {.arena = arena, .text = text};
    while (!scanner.err) {
        ptrdiff_t at = str_find_char(str_from(text, scanner.at), '<');
        if (at < 0) break;
        scanner.at += at + 1;
        scan_tag(&scanner);
    }
    if (scanner.err) return scanner.err;
    scanner.page.files = scanner.files.data;
    scanner.page.len = (int32_t)scanner.files.len;
    *ret = scanner.page;
    return NULL;
}

static void set_json_metadata(struct arena *arena, const struct json *json, struct simple_file *file) {
    const struct json *value = json_find(json, S("core-metadata"));
    if (!value) value = json_find(json, S("dist-info-metadata"));
    if (!value) return;
    file->has_metadata = value->kind == JSON_OBJECT || (value->kind == JSON_BOOL && value->truth);
    file->metadata_sha256 = sha256_of(arena, json_find_text(value, S("sha256")));
}

/* The text of a hash; what is of another type is none, and not empty. */
static struct str hash_text(const struct json *hashes, struct str name) {
    const struct json *value = json_find(hashes, name);
    if (!value || value->kind == JSON_NULL) return (struct str){0};
    return value->kind == JSON_STRING ? value->text : S("none");
}

/* False for what is no file. */
static bool file_of_json(struct arena *arena, const struct json *json, struct simple_file *ret) {
    struct simple_file file = {.size = json_find_int(json, S("size"), -1), .uploaded = INT64_MIN};
    set_href(arena, &file, json_find_text(json, S("url")));
    const struct json *hashes = json_find(json, S("hashes"));
    struct str sha256 = hash_text(hashes, S("sha256"));
    if (sha256.len) file.sha256 = sha256_of(arena, sha256);
    if (hashes && hashes->len > 1 - (sha256.len == 0))
        file.strong = strong_of(arena, hash_text(hashes, S("sha384")), hash_text(hashes, S("sha512")));
    file.filename = json_find_text(json, S("filename"));
    file.requires_python = str_trim(json_find_text(json, S("requires-python")));
    (void)simple_date_parse(json_find_text(json, S("upload-time")), &file.uploaded);
    const struct json *yanked = json_find(json, S("yanked"));
    file.yanked = yanked && (yanked->kind == JSON_STRING || (yanked->kind == JSON_BOOL && yanked->truth));
    file.yanked_reason = file.yanked ? yanked->text : (struct str){0};
    set_json_metadata(arena, json, &file);
    if (!file.filename.len || !file.url.len || file.url.len > SIMPLE_TEXT_MAX || file.filename.len > SIMPLE_TEXT_MAX ||
        file.requires_python.len > SIMPLE_TEXT_MAX || file.yanked_reason.len > SIMPLE_TEXT_MAX)
        return false;
    if (file.size < 0 || file.size > SIMPLE_SIZE_MAX) file.size = -1;
    *ret = file;
    return true;
}

/* `file` with texts of its own. */
static struct simple_file copy_file(struct arena *arena, const struct simple_file *file) {
    struct simple_file copy = *file;
    copy.filename = str_copy(arena, file->filename);
    copy.url = str_copy(arena, file->url);
    copy.sha256 = str_copy(arena, file->sha256);
    copy.strong = str_copy(arena, file->strong);
    copy.requires_python = str_copy(arena, file->requires_python);
    copy.yanked_reason = str_copy(arena, file->yanked_reason);
    copy.metadata_sha256 = str_copy(arena, file->metadata_sha256);
    return copy;
}

struct files {
    VEC(struct simple_file) list;
    int32_t seen; /* elements, whether they are files or not */
};

static struct err *add_json(struct arena *arena, struct arena *scratch, const struct json *json, struct files *files) {
    struct simple_file file;
    if (files->seen++ == SIMPLE_FILES_MAX)
        return err_make(arena, ERR_LIMIT, "the page lists more than %d files", SIMPLE_FILES_MAX);
    if (file_of_json(scratch, json, &file)) *vec_push(arena, &files->list) = copy_file(arena, &file);
    return NULL;
}

/* The files of a page one after the other: the tree of all of them would take ten times the page's bytes. */
static struct err *read_elements(struct arena *arena, struct str text, struct str elements, struct files *files) {
    struct arena *scratch = arena_open();
    (void)arena_alloc(scratch, 0); /* a block that stays when the arena is rewound */
    const struct arena_mark mark = arena_mark(scratch);
    struct err *err = NULL;
    bool any = true;
    while (!err && any) {
        struct json json;
        err = json_parse_element(scratch, text, &elements, &json, &any);
        if (!err && any) err = add_json(arena, scratch, &json, files);
        if (!err) arena_rewind(scratch, mark);
    }
    err = err_copy(arena, err);
    arena_close(scratch);
    return err;
}

struct err *simple_parse_json(struct arena *arena, struct str text, struct simple_page *ret) {
    struct json json;
    struct str elements;
    TRY(json_parse_outline(arena, text, SIMPLE_PAGE_MAX, S("files"), &json, &elements));
    const struct json *whole = json_find(&json, S("files"));
    if (!whole || whole->kind != JSON_ARRAY) return err_make(arena, ERR_MALFORMED, "the page has no list `files`");
    TRY(check_api(arena, json_find_text(json_find(&json, S("meta")), S("api-version"))));
    struct files files = {0};
    for (int32_t i = 0; i < whole->len; i++) TRY(add_json(arena, arena, &whole->items[i], &files));
    if (elements.data) TRY(read_elements(arena, text, elements, &files));
    struct simple_page page = {.files = files.list.data, .len = (int32_t)files.list.len};
    const struct json *status = json_find(&json, S("project-status"));
    const struct json *tracks = json_find_array(json_find(&json, S("meta")), S("tracks"));
    const struct json *alternates = json_find_array(&json, S("alternate-locations"));
    set_status(&page, str_slice(json_find_text(status, S("status")), 0, SIMPLE_TEXT_MAX));
    page.status_reason = str_slice(json_find_text(status, S("reason")), 0, SIMPLE_TEXT_MAX);
    for (int32_t i = 0; i < tracks->len; i++) add_place(arena, &page.tracks, &page.tracks_len, tracks->items[i].text);
    for (int32_t i = 0; i < alternates->len; i++)
        add_place(arena, &page.alternates, &page.alternates_len, alternates->items[i].text);
    *ret = page;
    return NULL;
}
