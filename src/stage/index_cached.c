/* What a file of the cache is about, for those who clear it. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "os/mapping.h"
#include "pypa/name.h"

/* The project that a document names itself. */
static struct str project_of_headers(struct arena *arena, struct str text) {
    struct str line;
    while (str_line(&text, &line)) {
        struct str field = str_cut(&line, ':');
        if (str_eq_nocase(field, S("Name")) && name_is_valid(str_trim(line)))
            return name_normalize(arena, str_trim(line));
    }
    return (struct str){0};
}

/* The project of the page at `url`: what stands behind the last slash but one at the end. */
static struct str project_of_url(struct arena *arena, struct str url) {
    url = str_slice(url, 0, str_find_char(url, '?') < 0 ? url.len : str_find_char(url, '?'));
    while (str_ends(url, S("/"))) url.len--;
    struct str name = str_from(url, str_find_last(url, '/') + 1);
    return name_is_valid(name) ? name_normalize(arena, name) : (struct str){0};
}

static struct str project_of_archive(struct arena *arena, struct str bytes) {
    struct str text;
    struct zip_entry entry;
    struct index_document document;
    enum index_wheel_want want = INDEX_WHEEL_TAIL;
    int64_t from = 0, to = 0;
    struct err *none = index_wheel_tail(arena, bytes, bytes.len, &text, &want, &from, &to, &entry);
    if (!none && want == INDEX_WHEEL_DONE) return project_of_headers(arena, text);
    none = index_sdist_read(arena, bytes, true, &document);
    return none ? (struct str){0} : project_of_headers(arena, document.text);
}

static struct str project_of_file(struct arena *arena, struct str path) {
    struct mapping mapping;
    struct err *none = mapping_open(arena, path, &mapping);
    if (none) return (struct str){0};
    struct str project = project_of_archive(arena, (struct str){mapping.data, (ptrdiff_t)mapping.size});
    project = str_copy(arena, project);
    mapping_close(&mapping);
    return project;
}

struct str index_cached_project(struct arena *arena, const struct fs *fs, struct str folder, struct str path) {
    struct str identity, bytes;
    struct index_packed packed;
    struct index_document document;
    if (str_eq(folder, S("wheels"))) return project_of_file(arena, path);
    bool is_page = str_eq(folder, S("pages")) || str_eq(folder, S("views"));
    if (!is_page && !str_eq(folder, S("metadata"))) return (struct str){0};
    if (!store_unseal_any(fs, arena, path, INDEX_PAGE_MAX, &identity, &bytes)) return (struct str){0};
    if (is_page)
        return index_packed_open(bytes, &packed) ? project_of_url(arena, index_packed_facts(&packed).url)
                                                 : (struct str){0};
    return index_document_open(bytes, &document) ? project_of_headers(arena, document.text) : (struct str){0};
}
