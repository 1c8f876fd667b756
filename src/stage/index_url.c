/* Requests that name an artifact by URL or path. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "pypa/filename.h"
#include "pypa/name.h"

/* Name and version of an sdist's file name whose project is not known: the last dash before a version divides them. */
static bool guess_sdist(struct arena *arena, struct str filename, struct str *name, struct version *version) {
    for (ptrdiff_t at = filename.len - 1; at > 0; at--) {
        if (filename.data[at] != '-') continue;
        struct str head = str_slice(filename, 0, at);
        if (!name_is_valid(head)) continue;
        struct str normal = name_normalize(arena, head);
        if (!sdist_name_parse(arena, filename, normal, version)) continue;
        *name = normal;
        return true;
    }
    return false;
}

static struct err *refuse(struct arena *arena, struct str url, const char *why) {
    struct str masked = http_mask(arena, url);
    return err_make(arena, ERR_REQUEST, "%.*s: %s", FMT(masked), why);
}

static struct err *identify(struct index *index, struct str url, struct artifact *artifact, struct str *name,
                            struct release *release) {
    struct arena *arena = index->arena;
    if (str_ends(artifact->filename, S(".whl"))) {
        struct wheel_name wheel;
        TRY(wheel_name_parse(arena, artifact->filename, &wheel));
        *name = wheel.name;
        release->version = wheel.version;
        if (wheel_name_rank(&wheel, &index->options.env->tags) < 0) release->bars = BAR_TAGS;
        return NULL;
    }
    artifact->sdist = true;
    if (!guess_sdist(arena, artifact->filename, name, &release->version))
        return refuse(arena, url, "only wheels and sdists can be named by URL or path");
    if (index->options.want && !want_takes_sdists(index->options.want, *name)) release->bars = BAR_SDIST;
    return NULL;
}

struct err *index_supply_url(struct index *index, struct pool *pool, struct str url, struct str name,
                             struct project_id *ret, int32_t *ret_release) {
    struct arena *arena = pool->arena;
    struct str found, path, bare = str_slice(url, 0, str_find_char(url, '#') < 0 ? url.len : str_find_char(url, '#'));
    struct release release = {.on_index = true, .uploaded = INT64_MIN, .artifact = {.size = -1}};
    struct artifact *artifact = &release.artifact;
    artifact->sha256 = simple_url_sha256(arena, url);
    artifact->strong = simple_url_strong(arena, url);
    if (index_local_path(arena, bare, &path)) {
        struct fs_stat st;
        TRY(fs_stat(index->fs, index->arena, path, true, &st));
        if (!st.exists) return refuse(index->arena, url, "there is no such file");
        if (st.is_dir) return refuse(index->arena, url, "it is a directory, no file");
        artifact->size = st.size;
        artifact->filename = str_from(path, str_find_last(path, '/') + 1);
        artifact->url = index_local_url(arena, path);
        if (!artifact->sha256.len) artifact->sha256 = store_file_sha256(arena, path);
    } else {
        artifact->filename = simple_url_filename(arena, bare);
        artifact->url = bare;
    }
    TRY(identify(index, url, artifact, &found, &release));
    if (name.len && !str_eq(name, found)) return refuse(index->arena, url, "it is a file of another project");
    release.prerelease = version_is_prerelease(&release.version);
    struct project_id id = pool_project(pool, found);
    int32_t at = pool_add_named(pool, id, &release, false);
    if (at < 0) return refuse(index->arena, url, "its version cannot be compared");
    struct need need = {id, at};
    TRY(index_supply(index, pool, &(struct needs){&need, 1}));
    *ret = id;
    *ret_release = at;
    return NULL;
}
