#include "stage/wheel_layout.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"
#include "os/fs.h"
#include "os/term.h"

#include <stdlib.h>

enum {
    SHEBANG_MAX = 127, /* bytes of a first line that every Linux reads wholly */
    MADE_MAX = 8,      /* files besides those of the archive and of entry points, mostly */
};

struct str path_normalize(struct arena *arena, struct str base, struct str path) {
    struct buf buf = {.arena = arena};
    bool absolute = path.len && path.data[0] == '/';
    struct str parts[] = {absolute ? (struct str){0} : base, path};
    for (int i = 0; i < 2; i++) {
        struct str rest = parts[i];
        while (rest.len) {
            struct str part = str_cut(&rest, '/');
            if (part.len == 0 || str_eq(part, S("."))) continue;
            if (!str_eq(part, S(".."))) {
                buf_add_char(&buf, '/');
                buf_add(&buf, part);
                continue;
            }
            if (buf.len == 0) return (struct str){0};
            buf.len = str_find_last(buf_str(&buf), '/');
        }
    }
    return buf_str(&buf);
}

/* A scheme's directory may be made by the installation only; what exists of its path is resolved. */
static struct err *resolve(struct arena *arena, struct str path, struct str *ret) {
    struct str normal = path_normalize(arena, (struct str){0}, path), head = normal, real = {0};
    if (path.len == 0 || path.data[0] != '/' || normal.len == 0)
        return err_make(arena, ERR_ENVIRONMENT, "the environment has no install scheme");
    struct err *err = path_resolve(arena, head, &real);
    while (err) {
        ptrdiff_t slash = str_find_last(head, '/');
        if (slash <= 0) return err;
        head = str_slice(head, 0, slash);
        err = path_resolve(arena, head, &real);
    }
    *ret = str_format(arena, "%.*s%.*s", FMT(real), FMT(str_from(normal, head.len)));
    return NULL;
}

struct err *scheme_make(struct arena *arena, const struct environment *env, struct scheme *ret) {
    struct scheme scheme = {.python = env->python};
    TRY(resolve(arena, env->purelib, &scheme.purelib));
    TRY(resolve(arena, env->platlib, &scheme.platlib));
    TRY(resolve(arena, env->scripts, &scheme.scripts));
    TRY(resolve(arena, env->data, &scheme.data));
    TRY(resolve(arena, env->headers, &scheme.headers));
    /* Seen from the prefix it is where its name says, or it is a link. */
    struct str site = path_normalize(arena, (struct str){0}, env->purelib);
    struct str data = path_normalize(arena, (struct str){0}, env->data);
    scheme.linked =
        str_starts(site, data) && !str_eq(str_from(site, data.len), str_from(scheme.purelib, scheme.data.len));
    struct str minor = env->markers.python_version, major = str_cut(&minor, '.');
    int64_t a = 0, b = 0;
    if (!str_to_int(major, &a) || !str_to_int(minor, &b) || a > 99 || b > 99 || env->python.len == 0)
        return err_make(arena, ERR_ENVIRONMENT, "the environment has no interpreter");
    scheme.python_major = (int32_t)a;
    scheme.python_minor = (int32_t)b;
    *ret = scheme;
    return NULL;
}

static bool lies_in(struct str path, struct str dir) {
    return str_starts(path, dir) && path.len > dir.len && (path.data[dir.len] == '/' || str_eq(dir, S("/")));
}

struct str scheme_root(const struct scheme *scheme, struct str path) {
    const struct str roots[] = {scheme->purelib, scheme->platlib, scheme->scripts, scheme->data, scheme->headers};
    struct str best = {0};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (lies_in(path, roots[i]) && roots[i].len > best.len) best = roots[i];
    return best;
}

struct str script_shebang(struct arena *arena, struct str python) {
    bool blank = str_find_char(python, ' ') >= 0;
    if (!blank && python.len + 3 <= SHEBANG_MAX) return str_format(arena, "#!%.*s\n", FMT(python));
    const char *quote = blank ? "\"" : "";
    return str_format(arena, "#!/bin/sh\n'''exec' %s%.*s%s \"$0\" \"$@\"\n' '''\n", quote, FMT(python), quote);
}

struct str script_text(struct arena *arena, struct str python, const struct entry_point *point) {
    struct str function = point->attribute, first = str_cut(&function, '.');
    struct buf buf = {.arena = arena};
    buf_add(&buf, script_shebang(arena, python));
    buf_addf(&buf,
             "import sys\n"
             "from %.*s import %.*s\n"
             "if __name__ == '__main__':\n"
             "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n"
             "    sys.exit(%.*s())\n",
             FMT(point->module), FMT(first), FMT(point->attribute));
    return buf_str(&buf);
}

typedef VEC(struct wheel_file) wheel_files;

struct layout {
    struct arena *arena;
    const struct wheel *wheel;
    const struct scheme *scheme;
    struct str site;
    wheel_files files;
};

static struct err *refuse(struct arena *arena, struct str entry, const char *why) {
    struct str shown = term_quote(arena, entry);
    return err_make(arena, ERR_WHEEL, "the wheel is refused: \"%.*s\" %s", FMT(shown), why);
}

/* True where `name` of the .data scripts is the stand-in that old setuptools made for an entry point. */
static bool is_stand_in(const struct wheel *wheel, struct str name) {
    static const struct str ends[] = {S_INIT(".exe"), S_INIT("-script.py"), S_INIT(".pya"), S_INIT("")};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        if (!str_ends(name, ends[k])) continue;
        struct str stem = str_slice(name, 0, name.len - ends[k].len);
        for (int32_t i = 0; i < wheel->scripts_len; i++)
            if (str_eq(wheel->scripts[i].name, stem)) return true;
    }
    return false;
}

/* The directory that an entry goes to; `rest` is its path there. Empty: it is not installed. */
static struct str destination(struct layout *layout, const struct zip_entry *entry, struct str *rest, bool *script) {
    const struct wheel *wheel = layout->wheel;
    const struct scheme *scheme = layout->scheme;
    *rest = entry->name;
    *script = false;
    struct str inner = entry->name, first = str_cut(&inner, '/');
    if (!str_eq(first, wheel->data_dir)) return layout->site;
    struct str key = str_cut(&inner, '/');
    *rest = inner;
    if (str_eq(key, S("purelib"))) return scheme->purelib;
    if (str_eq(key, S("platlib"))) return scheme->platlib;
    if (str_eq(key, S("data"))) return scheme->data;
    if (str_eq(key, S("headers"))) return path_join(layout->arena, scheme->headers, wheel->metadata.name);
    *script = true;
    return is_stand_in(wheel, inner) ? (struct str){0} : scheme->scripts;
}

static bool is_startup(const struct scheme *scheme, struct str target) {
    struct str root = {0};
    if (lies_in(target, scheme->purelib)) root = scheme->purelib;
    else if (lies_in(target, scheme->platlib)) root = scheme->platlib;
    if (root.len == 0) return false;
    struct str path = str_from(target, root.len + 1);
    bool top = str_find_char(path, '/') < 0;
    if (top && str_ends(path, S(".pth"))) return true;
    struct str first = str_cut(&path, '/');
    if (top) first = str_cut(&first, '.');
    return str_eq(first, S("sitecustomize")) || str_eq(first, S("usercustomize"));
}

/* The text of a script of the wheel with its interpreter put in; *changed is false where it has no `#!python`. */
static struct err *rewrite_script(struct layout *layout, const struct zip_entry *entry, bool *changed,
                                  struct str *ret) {
    *changed = false;
    if (entry->size > SCRIPT_TEXT_MAX) return NULL;
    struct str text;
    TRY(wheel_read(layout->arena, layout->wheel, entry, SCRIPT_TEXT_MAX, &text));
    if (!str_starts(text, S("#!python"))) return NULL;
    ptrdiff_t end = str_find_char(text, '\n');
    struct buf buf = {.arena = layout->arena};
    buf_add(&buf, script_shebang(layout->arena, layout->scheme->python));
    if (end >= 0) buf_add(&buf, str_from(text, end + 1));
    *ret = buf_str(&buf);
    *changed = true;
    return NULL;
}

static void add_text(struct layout *layout, struct str target, struct str text, uint32_t mode) {
    *vec_push(layout->arena, &layout->files) = (struct wheel_file){
        .target = target, .text = text, .sha256 = digest_make(layout->arena, text, 32), .mode = mode};
}

static struct err *check_script_name(struct layout *layout, struct str target) {
    struct str scripts = layout->scheme->scripts;
    if (!lies_in(target, scripts) || str_eq(layout->wheel->filename.name, S("pip"))) return NULL;
    struct str name = str_from(target, scripts.len + 1);
    if (entry_point_is_reserved(name))
        return refuse(layout->arena, name, "is a script that only Python or pip may have");
    return NULL;
}

/* By .data, too, a wheel describes no other distribution than itself. */
static struct err *check_description(struct layout *layout, struct str target) {
    const struct scheme *scheme = layout->scheme;
    const struct str sites[] = {scheme->purelib, scheme->platlib};
    for (int i = 0; i < 2; i++) {
        if (!lies_in(target, sites[i])) continue;
        struct str rest = str_from(target, sites[i].len + 1), first = str_cut(&rest, '/');
        if (wheel_describes(first) && !str_eq(first, layout->wheel->info_dir))
            return refuse(layout->arena, target, "would describe another distribution (dist-info or egg-info)");
    }
    return NULL;
}

static struct err *add_entry(struct layout *layout, const struct zip_entry *entry) {
    const struct wheel *wheel = layout->wheel;
    struct str rest;
    bool script;
    struct str dir = destination(layout, entry, &rest, &script);
    if (dir.len == 0) return NULL;
    struct str target = path_join(layout->arena, dir, rest);
    TRY(check_script_name(layout, target));
    TRY(check_description(layout, target));
    bool info = str_starts(entry->name, wheel->info_dir) && entry->name.data[wheel->info_dir.len] == '/';
    struct str name = info ? str_from(entry->name, wheel->info_dir.len + 1) : (struct str){0};
    /* These are ours to write; signatures of the wheel's RECORD do not fit the new one. */
    bool ours = str_eq(name, S("RECORD")) || str_eq(name, S("RECORD.jws")) || str_eq(name, S("RECORD.p7s")) ||
                str_eq(name, S("INSTALLER")) || str_eq(name, S("REQUESTED")) || str_eq(name, S("direct_url.json"));
    if (ours) return NULL;
    if (script) {
        struct str text;
        bool changed;
        TRY(rewrite_script(layout, entry, &changed, &text));
        if (changed) add_text(layout, target, text, 0755);
        if (changed) return NULL;
    }
    struct wheel_file file = {.target = target, .entry = entry, .row = wheel_row(wheel, entry->name)};
    file.mode = script || (entry->mode & 0111) ? 0755 : 0644;
    file.is_metadata = str_eq(name, S("METADATA"));
    file.is_startup = is_startup(layout->scheme, target);
    if (file.row && file.row->hash == RECORD_SHA256) file.sha256 = file.row->digest;
    *vec_push(layout->arena, &layout->files) = file;
    return NULL;
}

static void add_script(struct layout *layout, struct str name, const struct entry_point *point) {
    struct str text = script_text(layout->arena, layout->scheme->python, point);
    add_text(layout, path_join(layout->arena, layout->scheme->scripts, name), text, 0755);
}

/* pip's own wheel names scripts for the Python it was built with: they are made for this one instead, as pip does. */
static void add_scripts(struct layout *layout) {
    const struct wheel *wheel = layout->wheel;
    bool pip = str_eq(wheel->filename.name, S("pip"));
    for (int32_t i = 0; i < wheel->scripts_len; i++) {
        const struct entry_point *point = &wheel->scripts[i];
        bool versioned = pip && entry_point_is_reserved(point->name);
        if (!versioned) add_script(layout, point->name, point);
        if (!versioned || !str_eq(point->name, S("pip"))) continue;
        int32_t major = layout->scheme->python_major, minor = layout->scheme->python_minor;
        add_script(layout, S("pip"), point);
        add_script(layout, str_format(layout->arena, "pip%d", (int)major), point);
        add_script(layout, str_format(layout->arena, "pip%d.%d", (int)major, (int)minor), point);
    }
}

/* `path` as RECORD in `site` names it: relative where that can be, with `..` where it must. */
static struct str relative(struct arena *arena, const struct scheme *scheme, struct str site, struct str path) {
    ptrdiff_t common = 0;
    if (scheme->linked && !lies_in(path, site)) return path; /* `..` would be read in two ways */
    for (ptrdiff_t i = 0; i < site.len && i < path.len && site.data[i] == path.data[i]; i++)
        if (site.data[i] == '/') common = i;
    if (lies_in(path, site)) return str_from(path, site.len + 1);
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = common; i < site.len; i++)
        if (site.data[i] == '/') buf_add(&buf, S("../"));
    buf_add(&buf, str_from(path, common + 1));
    return buf_str(&buf);
}

static int file_order(const void *a, const void *b) {
    const struct wheel_file *x = a, *y = b;
    return str_cmp(x->target, y->target);
}

/* The archive mostly has them in order. */
static void files_sort(struct layout *layout) {
    const struct wheel_file *files = layout->files.data;
    bool sorted = true;
    for (ptrdiff_t i = 1; i < layout->files.len && sorted; i++) sorted = file_order(&files[i - 1], &files[i]) <= 0;
    if (!sorted) qsort(layout->files.data, (size_t)layout->files.len, sizeof *files, file_order);
}

static struct err *check_targets(struct layout *layout) {
    for (ptrdiff_t i = 1; i < layout->files.len; i++)
        if (str_eq(layout->files.data[i - 1].target, layout->files.data[i].target))
            return refuse(layout->arena, layout->files.data[i].target, "is the target of two files");
    return NULL;
}

/* RECORD lists the installed files where they are now, those made here included, itself without a hash. */
static void add_record(struct layout *layout, struct str target) {
    struct arena *arena = arena_open();
    int32_t len = (int32_t)layout->files.len;
    struct record_row *rows = arena_new(arena, struct record_row, len + 1);
    for (int32_t i = 0; i < len; i++) {
        const struct wheel_file *file = &layout->files.data[i];
        if (file->row) rows[i] = *file->row;
        else rows[i] = (struct record_row){.hash = RECORD_SHA256, .digest = file->sha256};
        rows[i].size = file->entry ? file->entry->size : file->text.len;
        rows[i].path = relative(arena, layout->scheme, layout->site, file->target);
    }
    rows[len] = (struct record_row){.path = relative(arena, layout->scheme, layout->site, target), .size = -1};
    add_text(layout, target, str_copy(layout->arena, record_format(arena, rows, len + 1)), 0644);
    arena_close(arena);
}

struct err *wheel_layout_make(struct arena *arena, const struct wheel *wheel, const struct scheme *scheme,
                              const struct wheel_options *options, struct wheel_layout *ret) {
    struct layout layout = {.arena = arena, .wheel = wheel, .scheme = scheme};
    layout.site = wheel->purelib ? scheme->purelib : scheme->platlib;
    /* Room at once: growing leaves the smaller ones behind in the arena. */
    layout.files.cap = (ptrdiff_t)wheel->zip.len + wheel->scripts_len + MADE_MAX;
    layout.files.data = arena_new(arena, struct wheel_file, layout.files.cap);
    for (int32_t i = 0; i < wheel->zip.len; i++)
        if (!wheel->zip.entries[i].is_dir) TRY(add_entry(&layout, &wheel->zip.entries[i]));
    add_scripts(&layout);
    struct str info = path_join(arena, layout.site, wheel->info_dir);
    add_text(&layout, path_join(arena, info, S("INSTALLER")), S("unpin\n"), 0644);
    if (options->requested) add_text(&layout, path_join(arena, info, S("REQUESTED")), S(""), 0644);
    if (options->direct_url.len)
        add_text(&layout, path_join(arena, info, S("direct_url.json")), options->direct_url, 0644);
    files_sort(&layout);
    add_record(&layout, path_join(arena, info, S("RECORD")));
    files_sort(&layout);
    TRY(check_targets(&layout));
    *ret = (struct wheel_layout){wheel, layout.files.data, (int32_t)layout.files.len, layout.site};
    return NULL;
}
