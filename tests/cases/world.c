#include "world.h"

#include "pypa/name.h"

#include <stdlib.h>

enum { CASE_TOKENS_MAX = 4096 };

/* What parsing a case knows besides the world. */
struct reader {
    struct world *world;
    struct arena *arena;
    struct str file;
    int32_t line;      /* of what is being read */
    struct str python; /* full version */
    struct str machine;
    VEC(struct dist) dists;
    VEC(struct str) off_index; /* normalized names of installed distributions that the index does not have */
    VEC(struct lock_line) locks;
    VEC(struct str) lock_except;
    bool lock_all;
    VEC(struct request) requests;
    VEC(struct advisory) advisories;
    VEC(struct str) remove, keep, replace, no_lift, ignore;
};

#define FAIL(reader, ...)                                                                                              \
    return err_at(err_make((reader)->arena, ERR_MALFORMED, __VA_ARGS__), (reader)->file, (reader)->line, 0)

typedef VEC(struct str) words;

static words split_words(struct arena *arena, struct str text) {
    words list = {0};
    ptrdiff_t at = 0;
    while (list.len < CASE_TOKENS_MAX) {
        while (at < text.len && char_is_space(text.data[at])) at++;
        if (at == text.len) break;
        ptrdiff_t from = at;
        while (at < text.len && !char_is_space(text.data[at])) at++;
        *vec_push(arena, &list) = str_slice(text, from, at);
    }
    return list;
}

static struct err *parse_number(const struct reader *reader, struct str text, int64_t *ret) {
    if (!str_to_int(text, ret)) FAIL(reader, "'%.*s' is no number", FMT(text));
    return NULL;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* 2025-04-30 or 2025-04-30T12:00:00, UTC. */
static struct err *parse_date(const struct reader *reader, struct str text, int64_t *ret) {
    static const int8_t from[6] = {0, 5, 8, 11, 14, 17}, to[6] = {4, 7, 10, 13, 16, 19};
    int64_t part[6] = {0};
    int32_t parts = text.len == 19 ? 6 : 3;
    if (text.len != 10 && text.len != 19) FAIL(reader, "'%.*s' is no date", FMT(text));
    for (int32_t i = 0; i < parts; i++) TRY(parse_number(reader, str_slice(text, from[i], to[i]), &part[i]));
    *ret = days_of(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 + part[5];
    return NULL;
}

static bool looks_like_date(struct str text) {
    return text.len >= 10 && char_is_digit(text.data[0]) && text.data[4] == '-' && text.data[7] == '-';
}

/* Requirements separated by " & ". */
static struct err *parse_requirements(const struct reader *reader, struct str text, struct requirement **ret,
                                      int32_t *ret_len) {
    VEC(struct requirement) list = {0};
    struct str rest = str_trim(text);
    while (rest.len > 0) {
        ptrdiff_t at = str_find(rest, S(" & "));
        struct str one = str_trim(at < 0 ? rest : str_slice(rest, 0, at));
        rest = at < 0 ? (struct str){NULL, 0} : str_trim(str_from(rest, at + 3));
        struct err *err = requirement_parse(reader->arena, one, vec_push(reader->arena, &list));
        if (err) return err_at(err, reader->file, reader->line, 0);
    }
    *ret = list.data;
    *ret_len = (int32_t)list.len;
    return NULL;
}

static bool python_flag(struct str word, struct str prefix, struct str *ret) {
    if (!str_starts(word, prefix) || word.len == prefix.len) return false;
    char next = word.data[prefix.len];
    if (next != '<' && next != '>' && next != '=' && next != '!' && next != '~') return false;
    *ret = str_from(word, prefix.len);
    return true;
}

static struct err *set_python(const struct reader *reader, struct str text, struct metadata *metadata) {
    metadata->requires_python_text = text;
    return specifier_set_parse(reader->arena, text, &metadata->requires_python);
}

/* Provides-Extra is what the markers mention: `extra == "x"`. */
static void add_extras(struct arena *arena, struct metadata *metadata) {
    VEC(struct str) extras = {0};
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        struct str rest = metadata->requires_dist[i].text;
        ptrdiff_t at;
        while ((at = str_find(rest, S("extra == "))) >= 0) {
            rest = str_from(rest, at + 10);
            ptrdiff_t end = 0;
            while (end < rest.len && rest.data[end] != '"' && rest.data[end] != '\'') end++;
            struct str extra = name_normalize(arena, str_slice(rest, 0, end));
            bool there = false;
            for (ptrdiff_t e = 0; e < extras.len; e++) there = there || str_eq(extras.data[e], extra);
            if (!there) *vec_push(arena, &extras) = extra;
        }
    }
    metadata->extras = extras.data;
    metadata->extras_len = (int32_t)extras.len;
}

static struct err *fill_metadata(const struct reader *reader, struct str name, struct str version, struct str requires,
                                 struct metadata *ret) {
    struct requirement *items;
    TRY(parse_requirements(reader, requires, &items, &ret->requires_len));
    ret->metadata_version = S("2.1");
    ret->name = name;
    ret->version = version;
    ret->requires_dist = items;
    add_extras(reader->arena, ret);
    return NULL;
}

/* Cuts "NAME VERSION FLAGS : REQUIREMENTS" at the " : ". */
static struct str cut_head(struct str text, struct str *ret_requires) {
    ptrdiff_t at = str_find(text, S(" : "));
    if (at < 0 && str_ends(text, S(" :"))) at = text.len - 2;
    *ret_requires = at < 0 ? (struct str){NULL, 0} : str_from(text, at + 2);
    return at < 0 ? text : str_slice(text, 0, at);
}

static struct err *installed_flag(struct reader *reader, struct str word, struct dist *dist) {
    struct str python;
    int64_t number;
    if (str_eq(word, S("vendor"))) dist->vendor = VENDOR_LISTED;
    else if (str_eq(word, S("off-index"))) *vec_push(reader->arena, &reader->off_index) = dist->name;
    else if (str_eq(word, S("system"))) dist->system = true;
    else if (str_eq(word, S("editable"))) dist->editable = true;
    else if (str_eq(word, S("requested"))) dist->requested = true;
    else if (str_eq(word, S("no-metadata"))) dist->metadata_known = false;
    else if (python_flag(word, S("python"), &python)) return set_python(reader, python, &dist->metadata);
    else if (str_starts(word, S("site="))) {
        TRY(parse_number(reader, str_from(word, 5), &number));
        dist->site = (int32_t)(number & 7);
    } else FAIL(reader, "'%.*s' is no flag of an installed distribution", FMT(word));
    return NULL;
}

static struct err *parse_installed(struct reader *reader, struct str text) {
    struct str requires;
    words list = split_words(reader->arena, cut_head(text, &requires));
    if (list.len < 2) FAIL(reader, "an installed distribution is NAME VERSION");
    struct dist *dist = vec_push(reader->arena, &reader->dists);
    dist->raw_name = list.data[0];
    dist->name = name_normalize(reader->arena, list.data[0]);
    dist->version_valid = version_try_parse(reader->arena, list.data[1], &dist->version);
    if (!dist->version_valid) dist->version.text = list.data[1];
    dist->metadata_known = true;
    dist->form = DIST_INFO;
    dist->info_dir = str_format(reader->arena, "%.*s-%.*s.dist-info", FMT(list.data[0]), FMT(list.data[1]));
    TRY(fill_metadata(reader, list.data[0], list.data[1], requires, &dist->metadata));
    for (ptrdiff_t i = 2; i < list.len; i++) TRY(installed_flag(reader, list.data[i], dist));
    return NULL;
}

static struct world_page *find_page(struct reader *reader, struct str name) {
    struct world *world = reader->world;
    int32_t at = map_find(&world->page_by_name, name);
    if (at >= 0) return &world->pages.data[at];
    map_add(reader->arena, &world->page_by_name, name, (int32_t)world->pages.len);
    struct world_page *page = vec_push(reader->arena, &world->pages);
    page->name = name;
    return page;
}

static struct err *index_flag(const struct reader *reader, struct str word, struct world_release *item) {
    struct release *release = &item->release;
    struct str python;
    if (looks_like_date(word)) return parse_date(reader, word, &release->uploaded);
    if (str_eq(word, S("yanked"))) release->yanked = true;
    else if (str_eq(word, S("sdist"))) release->artifact.sdist = true;
    else if (str_eq(word, S("other-platform"))) release->bars |= BAR_TAGS;
    else if (str_eq(word, S("other-python"))) release->artifact.sdist = true, release->bars |= BAR_WHEELS;
    else if (str_eq(word, S("quarantined"))) release->bars |= BAR_QUARANTINED;
    else if (str_eq(word, S("unreadable"))) item->unreadable = true;
    else if (str_eq(word, S("unrecorded"))) item->unrecorded = true;
    else if (python_flag(word, S("python"), &python)) {
        release->artifact.requires_python = python;
        return set_python(reader, python, &item->metadata);
    } else if (python_flag(word, S("hidden-python"), &python)) return set_python(reader, python, &item->metadata);
    else FAIL(reader, "'%.*s' is no flag of a release", FMT(word));
    return NULL;
}

static void fill_artifact(const struct reader *reader, struct str name, struct world_release *item) {
    struct artifact *artifact = &item->release.artifact;
    struct str version = item->release.version.text;
    artifact->filename = str_format(reader->arena, artifact->sdist ? "%.*s-%.*s.tar.gz" : "%.*s-%.*s-py3-none-any.whl",
                                    FMT(name), FMT(version));
    artifact->url = str_format(reader->arena, "https://index.invalid/%.*s", FMT(artifact->filename));
    artifact->sha256 = S("0000000000000000000000000000000000000000000000000000000000000000");
    artifact->size = 1000;
}

static struct err *parse_release(struct reader *reader, struct str name, struct str version, const words *flags,
                                 ptrdiff_t flags_from, struct str requires) {
    struct world_release item = {.release = {.uploaded = INT64_MIN}};
    struct str normal = name_normalize(reader->arena, name);
    TRY(version_parse(reader->arena, version, &item.release.version));
    item.release.prerelease = version_is_prerelease(&item.release.version);
    TRY(fill_metadata(reader, name, version, requires, &item.metadata));
    for (ptrdiff_t i = flags_from; i < flags->len; i++) TRY(index_flag(reader, flags->data[i], &item));
    fill_artifact(reader, name, &item);
    struct world_page *page = find_page(reader, normal);
    for (ptrdiff_t i = 0; i < page->releases.len; i++)
        if (version_cmp(&page->releases.data[i].release.version, &item.release.version) == 0)
            FAIL(reader, "%.*s %.*s stands twice in the index", FMT(name), FMT(version));
    *vec_push(reader->arena, &page->releases) = item;
    return NULL;
}

/* "NAME V1, V2, … FLAGS : REQUIREMENTS"; "NAME" alone is an empty page, "NAME ?" one that the case does not know. */
static struct err *parse_index(struct reader *reader, struct str text) {
    struct str requires;
    words list = split_words(reader->arena, cut_head(text, &requires));
    if (list.len == 0) FAIL(reader, "an index line begins with a name");
    struct world_page *page = find_page(reader, name_normalize(reader->arena, list.data[0]));
    if (list.len == 2 && str_eq(list.data[1], S("?"))) page->unrecorded = true;
    if (list.len == 1 || page->unrecorded) return NULL;
    ptrdiff_t versions = 1;
    while (versions < list.len && str_ends(list.data[versions], S(","))) versions++;
    if (versions == list.len) FAIL(reader, "a version is missing behind the comma");
    for (ptrdiff_t i = 1; i <= versions; i++) {
        struct str version = list.data[i];
        if (str_ends(version, S(","))) version.len--;
        TRY(parse_release(reader, list.data[0], version, &list, versions + 1, requires));
    }
    return NULL;
}

static struct err *parse_lock_line(struct reader *reader, struct str text) {
    struct lock_line *line = vec_push(reader->arena, &reader->locks);
    *line =
        (struct lock_line){.line = (int32_t)reader->locks.len, .active = true, .version_from = -1, .version_to = -1};
    struct err *err = requirement_parse(reader->arena, text, &line->requirement);
    return err ? err_at(err, reader->file, reader->line, 0) : NULL;
}

/* Names separated by commas or blanks, normalized, appended to `list`. */
static void add_names(struct arena *arena, struct str text, words *list) {
    words found = split_words(arena, text);
    for (ptrdiff_t i = 0; i < found.len; i++) {
        struct str rest = found.data[i];
        while (rest.len > 0) {
            struct str name = str_cut(&rest, ',');
            if (name.len > 0) *vec_push(arena, list) = name_normalize(arena, name);
        }
    }
}

static struct err *parse_lock_head(struct reader *reader, struct str text) {
    words list = split_words(reader->arena, text);
    if (list.len == 0 || str_eq(list.data[0], S("none"))) return NULL;
    if (str_eq(list.data[0], S("implied"))) reader->world->locks.implied = true;
    else if (str_eq(list.data[0], S("all"))) reader->lock_all = true;
    else FAIL(reader, "a lock is all, none, implied, or lines below it");
    if (list.len == 1) return NULL;
    if (!str_eq(list.data[1], S("except"))) FAIL(reader, "'%.*s' is not 'except'", FMT(list.data[1]));
    words names = {0};
    add_names(reader->arena, str_from(text, str_find(text, S("except")) + 6), &names);
    for (ptrdiff_t i = 0; i < names.len; i++) *vec_push(reader->arena, &reader->lock_except) = names.data[i];
    return NULL;
}

/* "ID SEVERITY [on-change NAME…]: REQUIREMENT & …" */
static struct err *parse_advisory(struct reader *reader, struct str text) {
    static const struct str severities[] = {S_INIT("info"), S_INIT("warn"), S_INIT("error"), S_INIT("security")};
    ptrdiff_t colon = str_find(text, S(": "));
    words list = split_words(reader->arena, str_slice(text, 0, colon));
    if (colon < 0 || list.len < 2) FAIL(reader, "an advisory is ID SEVERITY: REQUIREMENT & …");
    struct advisory *advisory = vec_push(reader->arena, &reader->advisories);
    advisory->id = list.data[0];
    advisory->text = str_format(reader->arena, "text of %.*s", FMT(list.data[0]));
    advisory->source = S("case");
    int32_t severity = 0;
    while (severity < 4 && !str_eq(severities[severity], list.data[1])) severity++;
    if (severity == 4) FAIL(reader, "'%.*s' is no severity", FMT(list.data[1]));
    advisory->severity = (enum advisory_severity)severity;
    words names = {0};
    if (list.len > 2 && !str_eq(list.data[2], S("on-change"))) FAIL(reader, "expected on-change");
    for (ptrdiff_t i = 3; i < list.len; i++) add_names(reader->arena, list.data[i], &names);
    advisory->on_change = names.data;
    advisory->on_change_len = (int32_t)names.len;
    struct requirement *when;
    TRY(parse_requirements(reader, str_from(text, colon + 1), &when, &advisory->when_len));
    advisory->when = when;
    return NULL;
}

static struct err *parse_requests(struct reader *reader, struct str text, bool constraint) {
    struct requirement *items;
    int32_t len;
    TRY(parse_requirements(reader, text, &items, &len));
    for (int32_t i = 0; i < len; i++)
        *vec_push(reader->arena, &reader->requests) = (struct request){
            .requirement = items[i],
            .origin = constraint ? S("constraints.txt") : S("command line"),
            .line = constraint ? i + 1 : 0,
            .constraint = constraint,
        };
    return NULL;
}

/* Options without a value. */
static bool flag_option(struct world *world, struct str word) {
    struct want *want = &world->want;
    if (str_eq(word, S("-U")) || str_eq(word, S("--upgrade"))) want->upgrade = true;
    else if (str_eq(word, S("--pre"))) want->pre = true;
    else if (str_eq(word, S("--only-binary"))) want->only_binary.all = true;
    else if (str_eq(word, S("--builds"))) want->builds = true;
    else if (str_eq(word, S("--stale"))) want->stale = true;
    else if (str_eq(word, S("--no-allowances"))) want->no_allowances = true;
    else if (str_eq(word, S("--no-lifts"))) want->no_lifts = true;
    else if (str_eq(word, S("--guess"))) world->guess = true;
    else return false;
    return true;
}

static struct err *value_option(struct reader *reader, struct str word, struct str value) {
    words names = {0};
    add_names(reader->arena, value, &names);
    struct str name = names.len ? names.data[0] : (struct str){NULL, 0};
    if (str_eq(word, S("--keep"))) *vec_push(reader->arena, &reader->keep) = name;
    else if (str_eq(word, S("--replace"))) *vec_push(reader->arena, &reader->replace) = name;
    else if (str_eq(word, S("--no-lift"))) *vec_push(reader->arena, &reader->no_lift) = name;
    else if (str_eq(word, S("--remove"))) *vec_push(reader->arena, &reader->remove) = name;
    else if (str_eq(word, S("--ignore-advisory"))) *vec_push(reader->arena, &reader->ignore) = value;
    else if (str_eq(word, S("--exclude-newer"))) return parse_date(reader, value, &reader->world->want.exclude_newer);
    else FAIL(reader, "'%.*s' is no option", FMT(word));
    return NULL;
}

static struct err *parse_options(struct reader *reader, struct str text) {
    words list = split_words(reader->arena, text);
    for (ptrdiff_t i = 0; i < list.len; i++) {
        if (flag_option(reader->world, list.data[i])) continue;
        if (i + 1 == list.len) FAIL(reader, "'%.*s' lacks its value", FMT(list.data[i]));
        TRY(value_option(reader, list.data[i], list.data[i + 1]));
        i++;
    }
    return NULL;
}

enum section { SECTION_NONE, SECTION_INSTALLED, SECTION_LOCK, SECTION_INDEX, SECTION_EXPECT };

static struct err *parse_entry(struct reader *reader, enum section section, struct str text) {
    switch (section) {
    case SECTION_INSTALLED: return parse_installed(reader, text);
    case SECTION_LOCK: return parse_lock_line(reader, text);
    case SECTION_INDEX: return parse_index(reader, text);
    case SECTION_EXPECT:
        *vec_push(reader->arena, &reader->world->expects) = (struct world_line){text, reader->line};
        return NULL;
    case SECTION_NONE: break;
    }
    FAIL(reader, "an indented line that belongs to nothing");
}

static struct err *parse_top(struct reader *reader, struct str text, enum section *section) {
    ptrdiff_t end = 0;
    while (end < text.len && text.data[end] != ':' && text.data[end] != ' ') end++;
    struct str word = str_slice(text, 0, end);
    struct str value = str_trim(str_from(text, end < text.len && text.data[end] == ':' ? end + 1 : end));
    *section = SECTION_NONE;
    if (str_eq(word, S("python"))) reader->python = value;
    else if (str_eq(word, S("machine"))) reader->machine = value;
    else if (str_eq(word, S("date"))) return parse_date(reader, value, &reader->world->env.image_date);
    else if (str_eq(word, S("installed"))) *section = SECTION_INSTALLED;
    else if (str_eq(word, S("index"))) *section = SECTION_INDEX;
    else if (str_eq(word, S("advisory"))) return parse_advisory(reader, value);
    else if (str_eq(word, S("request"))) return parse_requests(reader, value, false);
    else if (str_eq(word, S("constraint"))) return parse_requests(reader, value, true);
    else if (str_eq(word, S("options"))) return parse_options(reader, value);
    else if (str_eq(word, S("lock"))) {
        *section = SECTION_LOCK;
        return parse_lock_head(reader, value);
    } else if (str_eq(word, S("expect"))) {
        *section = SECTION_EXPECT;
        reader->world->expect = value;
    } else FAIL(reader, "'%.*s' begins nothing that a case can have", FMT(word));
    return NULL;
}

/* The next logical line: a line with those that continue it, which are indented and begin with `&`. */
static bool logical_line(struct reader *reader, struct str *rest, int32_t *next_line, struct str *ret) {
    if (!str_line(rest, ret)) return false;
    reader->line = (*next_line)++;
    for (;;) {
        struct str peek = *rest, more;
        if (!str_line(&peek, &more) || more.len == 0 || !char_is_space(more.data[0])) return true;
        more = str_trim(more);
        if (!str_starts(more, S("& "))) return true;
        bool first = str_ends(*ret, S(":"));
        *ret = str_format(reader->arena, first ? "%.*s %.*s" : "%.*s & %.*s", FMT(*ret), FMT(str_from(more, 2)));
        *rest = peek;
        (*next_line)++;
    }
}

static struct err *parse_lines(struct reader *reader, struct str text) {
    struct str rest = text, line;
    int32_t next_line = 1;
    enum section section = SECTION_NONE;
    for (;;) {
        ptrdiff_t from = text.len - rest.len;
        if (!logical_line(reader, &rest, &next_line, &line)) return NULL;
        struct str trimmed = str_trim(line);
        if (trimmed.len == 0) continue;
        if (trimmed.data[0] == '#') {
            if (reader->world->title.len == 0) reader->world->title = str_trim(str_from(trimmed, 1));
            continue;
        }
        if (char_is_space(line.data[0])) {
            TRY(parse_entry(reader, section, trimmed));
            continue;
        }
        if (str_starts(trimmed, S("expect:"))) reader->world->expect_from = from;
        TRY(parse_top(reader, trimmed, &section));
    }
}

static void set_markers(struct reader *reader) {
    struct str full = reader->python, rest = full;
    struct str major = str_cut(&rest, '.'), minor = str_cut(&rest, '.');
    if (rest.len == 0) full = str_format(reader->arena, "%.*s.0", FMT(full));
    reader->world->env.markers = (struct marker_env){
        .os_name = S("posix"),
        .sys_platform = S("linux"),
        .platform_machine = reader->machine,
        .platform_python_implementation = S("CPython"),
        .platform_release = S("6.1.0"),
        .platform_system = S("Linux"),
        .platform_version = S("#1 SMP"),
        .python_version = str_format(reader->arena, "%.*s.%.*s", FMT(major), FMT(minor)),
        .python_full_version = full,
        .implementation_name = S("cpython"),
        .implementation_version = full,
    };
}

/* The file that the lock lines stand in, with the bytes of each pin. */
static void set_lock_file(struct reader *reader) {
    struct lock_set *locks = &reader->world->locks;
    struct lock_file *file = arena_new(reader->arena, struct lock_file, 1);
    struct str text = {NULL, 0};
    for (ptrdiff_t i = 0; i < reader->locks.len; i++) {
        struct lock_line *line = &reader->locks.data[i];
        const struct specifier_set *set = &line->requirement.specifiers;
        ptrdiff_t base = text.len;
        if (set->len == 1 && set->items[0].op == SPECIFIER_EQ && !set->items[0].wildcard) {
            line->version_from = base + str_find(line->requirement.text, set->items[0].version.text);
            line->version_to = line->version_from + set->items[0].version.text.len;
        }
        text = str_format(reader->arena, "%.*s%.*s\n", FMT(text), FMT(line->requirement.text));
        line->active =
            marker_eval(reader->arena, line->requirement.marker, &reader->world->env.markers, (struct str){NULL, 0});
        if (line->active && map_find(&locks->by_name, line->requirement.name) < 0)
            map_add(reader->arena, &locks->by_name, line->requirement.name, (int32_t)i);
    }
    *file = (struct lock_file){.path = S("/etc/pip/constraint.txt"), .text = text, .writable_target = true};
    bool there = locks->implied || reader->locks.len > 0;
    locks->files = there ? file : NULL;
    locks->files_len = there;
    locks->lines = reader->locks.data;
    locks->lines_len = (int32_t)reader->locks.len;
}

static struct err *add_lock_all(struct reader *reader) {
    for (ptrdiff_t i = 0; reader->lock_all && i < reader->dists.len; i++) {
        const struct dist *dist = &reader->dists.data[i];
        bool except = false;
        for (ptrdiff_t e = 0; e < reader->lock_except.len; e++)
            except = except || str_eq(reader->lock_except.data[e], dist->name);
        if (except || dist->site > 0) continue;
        TRY(parse_lock_line(reader,
                            str_format(reader->arena, "%.*s==%.*s", FMT(dist->raw_name), FMT(dist->version.text))));
    }
    return NULL;
}

static void set_want(struct reader *reader) {
    struct want *want = &reader->world->want;
    VEC(struct request) active = {0};
    for (ptrdiff_t i = 0; i < reader->requests.len; i++)
        if (marker_eval(reader->arena, reader->requests.data[i].requirement.marker, &reader->world->env.markers,
                        (struct str){NULL, 0}))
            *vec_push(reader->arena, &active) = reader->requests.data[i];
    want->requests = active.data;
    want->requests_len = (int32_t)active.len;
    want->remove = reader->remove.data;
    want->remove_len = (int32_t)reader->remove.len;
    want->keep = reader->keep.data;
    want->keep_len = (int32_t)reader->keep.len;
    want->replace = reader->replace.data;
    want->replace_len = (int32_t)reader->replace.len;
    want->no_lift = reader->no_lift.data;
    want->no_lift_len = (int32_t)reader->no_lift.len;
    want->ignore_advisories = reader->ignore.data;
    want->ignore_advisories_len = (int32_t)reader->ignore.len;
}

static bool page_has(const struct world_page *page, const struct version *version) {
    for (ptrdiff_t i = 0; i < page->releases.len; i++)
        if (version_cmp(&page->releases.data[i].release.version, version) == 0) return true;
    return false;
}

/* What is installed came from the index, unless it is a vendor build or the case says otherwise. */
static void add_installed_releases(struct reader *reader) {
    struct world *world = reader->world;
    for (ptrdiff_t i = 0; i < reader->dists.len; i++) {
        const struct dist *dist = &reader->dists.data[i];
        int32_t at = map_find(&world->page_by_name, dist->name);
        if (at < 0 || dist->vendor || !dist->version_valid || world->pages.data[at].unrecorded) continue;
        bool off = false;
        for (ptrdiff_t o = 0; o < reader->off_index.len; o++)
            off = off || str_eq(reader->off_index.data[o], dist->name);
        if (off || page_has(&world->pages.data[at], &dist->version)) continue;
        struct world_release *item = vec_push(reader->arena, &world->pages.data[at].releases);
        *item = (struct world_release){.release = {.version = dist->version, .uploaded = INT64_MIN},
                                       .metadata = dist->metadata};
        item->release.prerelease = version_is_prerelease(&dist->version);
        fill_artifact(reader, dist->raw_name, item);
    }
}

/* Pages give releases in ascending order. */
static int release_order(const void *a, const void *b) {
    const struct world_release *x = a, *y = b;
    return version_cmp(&x->release.version, &y->release.version);
}

struct err *world_parse(struct arena *arena, struct str text, struct str file, struct world *ret) {
    struct world *world = arena_new(arena, struct world, 1);
    struct reader reader = {
        .world = world, .arena = arena, .file = file, .python = S("3.12.3"), .machine = S("x86_64")};
    world->arena = arena;
    world->expect_from = text.len;
    world->env.image_date = INT64_MIN;
    world->want.exclude_newer = INT64_MAX;
    TRY(parse_lines(&reader, text));
    TRY(add_lock_all(&reader));
    set_markers(&reader);
    add_installed_releases(&reader);
    environment_seal(arena, &world->env, reader.dists.data, (int32_t)reader.dists.len);
    set_lock_file(&reader);
    set_want(&reader);
    world->advisories = (struct advisories){reader.advisories.data, (int32_t)reader.advisories.len};
    for (ptrdiff_t i = 0; i < world->pages.len; i++) {
        struct world_page *page = &world->pages.data[i];
        if (page->releases.len > 0)
            qsort(page->releases.data, (size_t)page->releases.len, sizeof *page->releases.data, release_order);
    }
    *ret = *world;
    return NULL;
}

const struct solve_input *world_input(struct world *world) {
    world->input = (struct solve_input){.env = &world->env,
                                        .locks = &world->locks,
                                        .want = &world->want,
                                        .advisories = &world->advisories,
                                        .guess = world->guess};
    return &world->input;
}

static void note_misuse(struct world *world, const char *what, struct str name, struct str version) {
    *vec_push(world->arena, &world->misuses) = str_format(world->arena, "%s: %.*s %.*s", what, FMT(name), FMT(version));
}

static uint32_t bars_of(struct world *world, const struct release *release) {
    uint32_t bars = release->bars;
    struct specifier_set set;
    struct version python;
    struct str text = release->artifact.requires_python;
    if (text.len > 0 && !specifier_set_parse(world->arena, text, &set) &&
        version_try_parse(world->arena, world->env.markers.python_full_version, &python) &&
        !specifier_set_match(&set, &python))
        bars |= BAR_PYTHON;
    if (release->artifact.sdist && world->want.only_binary.all) bars |= BAR_SDIST;
    if (release->uploaded != INT64_MIN && release->uploaded > world->want.exclude_newer) bars |= BAR_DATE;
    return bars;
}

static void supply_page(struct world *world, struct pool *pool, struct project_id id) {
    struct project *project = &pool->projects.data[id.n];
    if (project->page != PAGE_UNKNOWN) note_misuse(world, "page asked for twice", project->name, S(""));
    int32_t at = map_find(&world->page_by_name, project->name);
    if (at < 0 || world->pages.data[at].unrecorded) {
        if (at >= 0) note_misuse(world, "page outside the recorded world", project->name, S(""));
        project->page = PAGE_ABSENT;
        return;
    }
    const struct world_page *page = &world->pages.data[at];
    struct release *releases = arena_new(world->arena, struct release, page->releases.len);
    for (ptrdiff_t i = 0; i < page->releases.len; i++) {
        releases[i] = page->releases.data[i].release;
        releases[i].bars = bars_of(world, &releases[i]);
    }
    pool_add_page(pool, id, releases, (int32_t)page->releases.len);
}

static void supply_metadata(struct world *world, struct pool *pool, const struct need *need) {
    struct project *project = &pool->projects.data[need->project.n];
    struct release *release = &project->releases[need->release];
    int32_t at = map_find(&world->page_by_name, project->name);
    const struct world_release *found = NULL;
    for (ptrdiff_t i = 0; at >= 0 && i < world->pages.data[at].releases.len; i++)
        if (version_cmp(&world->pages.data[at].releases.data[i].release.version, &release->version) == 0)
            found = &world->pages.data[at].releases.data[i];
    struct str version = release->version.text;
    if (release->meta_state != META_UNKNOWN) note_misuse(world, "metadata asked for twice", project->name, version);
    else if (!found) note_misuse(world, "metadata of what is not there", project->name, version);
    else if (found->unrecorded) note_misuse(world, "metadata outside the recorded world", project->name, version);
    /* A way out may be without the limits of the request. */
    else if (release->bars & ~(uint32_t)(BAR_DATE | BAR_SDIST | BAR_WHEELS))
        note_misuse(world, "metadata of a release that is no candidate", project->name, version);
    bool readable = found && !found->unreadable && !found->unrecorded;
    release->meta_state = readable ? META_KNOWN : META_UNREADABLE;
    release->metadata = readable ? &found->metadata : NULL;
}

static struct err *supply(void *self, struct pool *pool, const struct needs *needs) {
    struct world *world = self;
    world->rounds++;
    for (int32_t i = 0; i < needs->len; i++) {
        world->documents++;
        if (needs->items[i].release < 0) supply_page(world, pool, needs->items[i].project);
        else supply_metadata(world, pool, &needs->items[i]);
    }
    return NULL;
}

struct source world_source(struct world *world) {
    return (struct source){.self = world, .supply = supply};
}
