#include "stage/tree.h"

#include "base/arena.h"
#include "base/toml.h"
#include "os/term.h"
#include "pypa/name.h"

#define DEFAULT_BACKEND S("setuptools.build_meta:__legacy__")

/*
 * The backend of the wrapper. pip asks for a wheel and gets the editable one of the tree; what the tree's own backend
 * needs for it is installed by pip into the isolated environment before.
 */
static const char wrapper_script[] =
    "import importlib, json, os, sys\n"
    "\n"
    "with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tree.json'), encoding='utf-8') as f:\n"
    "    TREE = json.load(f)\n"
    "\n"
    "\n"
    "def backend():\n"
    "    os.chdir(TREE['path'])\n"
    "    for path in reversed(TREE['paths']):\n"
    "        path = os.path.abspath(path)\n"
    "        if path not in sys.path:\n"
    "            sys.path.insert(0, path)\n"
    "    module, _, names = TREE['backend'].partition(':')\n"
    "    found = importlib.import_module(module)\n"
    "    for name in filter(None, names.split('.')):\n"
    "        found = getattr(found, name)\n"
    "    if not hasattr(found, 'build_editable'):\n"
    "        sys.exit('the build backend ' + TREE['backend'] + ' makes no editable wheels (PEP 660)')\n"
    "    return found\n"
    "\n"
    "\n"
    "def get_requires_for_build_wheel(config_settings=None):\n"
    "    hook = getattr(backend(), 'get_requires_for_build_editable', None)\n"
    "    return hook(config_settings) if hook else []\n"
    "\n"
    "\n"
    "def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):\n"
    "    return backend().build_editable(wheel_directory, config_settings, None)\n";

static struct err *refuse(struct arena *arena, struct str path, const char *why) {
    struct str quoted = term_quote(arena, path);
    return err_make(arena, ERR_REQUEST, "the source tree %.*s: %s", FMT(quoted), why);
}

static bool is_one_line(struct str text) {
    for (ptrdiff_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7F) return false;
    return true;
}

/* The strings of an array; *right is false where it is none, or holds anything else. */
static const struct str *texts_of(struct arena *arena, const struct json *array, int32_t *ret_len, bool *right) {
    *ret_len = 0;
    *right = !array || (array->kind == JSON_ARRAY && array->len <= TREE_REQUIRES_MAX);
    if (!array || !*right) return NULL;
    struct str *texts = arena_new(arena, struct str, array->len);
    for (int32_t i = 0; i < array->len; i++) {
        *right = *right && array->items[i].kind == JSON_STRING && is_one_line(array->items[i].text);
        texts[i] = array->items[i].text;
    }
    *ret_len = array->len;
    return texts;
}

ERR_MUST_CHECK static struct err *backend_parse(struct arena *arena, const struct json *root,
                                                struct tree_backend *ret) {
    static const struct str defaults[] = {S_INIT("setuptools>=64")};
    const struct json *table = json_find(root, S("build-system"));
    bool requires_right = true, paths_right = true;
    struct tree_backend backend = {.backend = DEFAULT_BACKEND};
    backend.requires_list = texts_of(arena, json_find(table, S("requires")), &backend.requires_len, &requires_right);
    if (!json_find(table, S("requires"))) backend.requires_list = defaults, backend.requires_len = 1;
    backend.paths = texts_of(arena, json_find(table, S("backend-path")), &backend.paths_len, &paths_right);
    struct str named = json_find_text(table, S("build-backend"));
    if (named.len) backend.backend = named;
    if ((table && table->kind != JSON_OBJECT) || !requires_right || !paths_right || !is_one_line(named))
        return err_make(arena, ERR_REQUEST, "[build-system] of pyproject.toml is not as PEP 518 wants it");
    *ret = backend;
    return NULL;
}

/* Adds requirements as lines of METADATA; those of an extra with the extra in their markers. */
ERR_MUST_CHECK static struct err *requires_add(struct arena *arena, struct buf *text, const struct json *array,
                                               struct str extra) {
    int32_t len = 0;
    bool right = true;
    const struct str *items = texts_of(arena, array, &len, &right);
    if (!right) return err_make(arena, ERR_REQUEST, "requirements in pyproject.toml are not a list of texts");
    for (int32_t i = 0; i < len; i++) {
        struct requirement requirement;
        struct err *cause = requirement_parse(arena, items[i], &requirement);
        if (cause) return err_because(err_make(arena, ERR_REQUEST, "a requirement in pyproject.toml"), cause);
        struct str marker = requirement.marker ? marker_format(arena, requirement.marker) : S("");
        requirement.marker = NULL;
        buf_addf(text, "Requires-Dist: %.*s", FMT(requirement_format(arena, &requirement)));
        if (marker.len && extra.len) buf_addf(text, " ; (%.*s) and extra == \"%.*s\"", FMT(marker), FMT(extra));
        else if (extra.len) buf_addf(text, " ; extra == \"%.*s\"", FMT(extra));
        else if (marker.len) buf_addf(text, " ; %.*s", FMT(marker));
        buf_add_char(text, '\n');
    }
    return NULL;
}

ERR_MUST_CHECK static struct err *extras_add(struct arena *arena, struct buf *text, const struct json *table) {
    for (int32_t i = 0; table && i < table->len; i++) {
        if (table->kind != JSON_OBJECT || !name_is_valid(table->keys[i]))
            return err_make(arena, ERR_REQUEST, "optional-dependencies in pyproject.toml are not a table of extras");
        struct str extra = name_normalize(arena, table->keys[i]);
        buf_addf(text, "Provides-Extra: %.*s\n", FMT(extra));
        TRY(requires_add(arena, text, &table->items[i], extra));
    }
    return NULL;
}

/* The METADATA that a build would write, as far as it matters. */
ERR_MUST_CHECK static struct err *project_metadata(struct arena *arena, const struct json *project,
                                                   struct metadata *ret) {
    struct str name = json_find_text(project, S("name")), version = json_find_text(project, S("version"));
    struct str python = json_find_text(project, S("requires-python"));
    struct version parsed;
    if (!version_try_parse(arena, version, &parsed))
        return err_make(arena, ERR_REQUEST, "the version in pyproject.toml is none: %.*s",
                        FMT(term_quote(arena, version)));
    if (!is_one_line(python)) return err_make(arena, ERR_REQUEST, "requires-python in pyproject.toml has two lines");
    struct buf text = {.arena = arena};
    buf_addf(&text, "Metadata-Version: 2.2\nName: %.*s\nVersion: %.*s\n", FMT(name),
             FMT(version_format(arena, &parsed)));
    if (python.len) buf_addf(&text, "Requires-Python: %.*s\n", FMT(python));
    TRY(requires_add(arena, &text, json_find(project, S("dependencies")), S("")));
    TRY(extras_add(arena, &text, json_find(project, S("optional-dependencies"))));
    return metadata_parse(arena, buf_str(&text), ret);
}

static bool is_dynamic(const struct json *project, struct str field) {
    const struct json *list = json_find_array(project, S("dynamic"));
    for (int32_t i = 0; i < list->len; i++)
        if (list->items[i].kind == JSON_STRING && str_eq(list->items[i].text, field)) return true;
    return false;
}

struct err *tree_parse(struct arena *arena, struct str text, struct tree *ret) {
    struct json root;
    struct tree tree = *ret;
    struct err *cause = toml_parse(arena, text, TREE_FILE_MAX, &root);
    if (cause) return err_because(err_make(arena, ERR_REQUEST, "pyproject.toml cannot be read"), cause);
    TRY(backend_parse(arena, &root, &tree.backend));
    const struct json *project = json_find(&root, S("project"));
    if (project && project->kind == JSON_OBJECT) {
        struct str name = json_find_text(project, S("name"));
        if (!name_is_valid(name)) return err_make(arena, ERR_REQUEST, "[project] of pyproject.toml has no valid name");
        tree.name = name_normalize(arena, name);
        tree.known = json_find_text(project, S("version")).len && !is_dynamic(project, S("version")) &&
                     !is_dynamic(project, S("dependencies")) && !is_dynamic(project, S("optional-dependencies")) &&
                     !is_dynamic(project, S("requires-python"));
        if (tree.known) TRY(project_metadata(arena, project, &tree.metadata));
    }
    *ret = tree;
    return NULL;
}

/* An unpacked sdist whose PKG-INFO is certain. */
static bool pkg_info_read(struct arena *arena, const struct fs *fs, struct tree *tree) {
    struct str text;
    bool found = false;
    struct metadata metadata;
    if (fs_read_optional(fs, arena, path_join(arena, tree->path, S("PKG-INFO")), TREE_FILE_MAX, &text, &found))
        return false;
    if (!found || metadata_parse(arena, text, &metadata) || !metadata_is_static(&metadata)) return false;
    tree->metadata = metadata;
    tree->name = name_normalize(arena, metadata.name);
    tree->known = true;
    return true;
}

struct err *tree_read(struct arena *arena, const struct fs *fs, struct str path, struct tree *ret) {
    struct tree tree = {.path = path};
    struct str text = S("");
    bool has_pyproject = false;
    struct fs_stat setup;
    TRY(fs_read_optional(fs, arena, path_join(arena, path, S("pyproject.toml")), TREE_FILE_MAX, &text, &has_pyproject));
    TRY(fs_stat(fs, arena, path_join(arena, path, S("setup.py")), true, &setup));
    if (!has_pyproject && !setup.is_file)
        return refuse(arena, path, "there is neither pyproject.toml nor setup.py in it");
    struct err *cause = tree_parse(arena, has_pyproject ? text : S(""), &tree);
    if (cause) return err_because(refuse(arena, path, "it cannot be understood"), cause);
    if (!tree.known) (void)pkg_info_read(arena, fs, &tree);
    *ret = tree;
    return NULL;
}

static void write_list(struct json_writer *w, const struct str *texts, int32_t len) {
    json_begin_array(w);
    for (int32_t i = 0; i < len; i++) json_string(w, texts[i]);
    json_end_array(w);
}

struct err *tree_wrap(struct arena *arena, const struct fs *fs, const struct tree *tree, struct str dir) {
    const struct tree_backend *backend = &tree->backend;
    struct buf facts = {.arena = arena}, project = {.arena = arena};
    struct json_writer w = {.buf = &facts}, list = {.buf = &project};
    json_begin_object(&w);
    json_key_string(&w, S("path"), tree->path);
    json_key_string(&w, S("backend"), backend->backend);
    json_key(&w, S("paths"));
    write_list(&w, backend->paths, backend->paths_len);
    json_end_object(&w);
    /* An array of strings in JSON is one in TOML. */
    buf_add(&project, S("[build-system]\nbuild-backend = \"unpin_editable\"\nbackend-path = [\".\"]\nrequires = "));
    write_list(&list, backend->requires_list, backend->requires_len);
    buf_add_char(&project, '\n');
    TRY(fs_replace(fs, arena, path_join(arena, dir, S("tree.json")), buf_str(&facts)));
    TRY(fs_replace(fs, arena, path_join(arena, dir, S("pyproject.toml")), buf_str(&project)));
    return fs_replace(fs, arena, path_join(arena, dir, S("unpin_editable.py")), str_of(wrapper_script));
}
