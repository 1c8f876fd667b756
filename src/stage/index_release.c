/* Releases of a packed page: which file of each would be installed here, and why some may not be. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/filename.h"

/* The files of one release, as far as they have been looked at. */
struct choice {
    struct index_packed_file best;
    int32_t best_rank; /* position in the tags; of an sdist the last */
    uint32_t best_bars;
    bool any;
    bool this_python, other_python; /* binary wheels for this version of CPython, for others only */
    uint32_t all, common;           /* bars of any file, bars that all files have */
    int64_t uploaded;
};

/* The position of the wheel's tags among those of the interpreter, -1: none. The same few sets of tags come again and
 * again. */
static int32_t tags_rank(struct index *index, struct str tags) {
    int32_t known = map_find(&index->ranks, tags);
    if (known >= 0) return known - 1;
    struct str rest = tags;
    struct wheel_name wheel = {.python = str_cut(&rest, '-')};
    wheel.abi = str_cut(&rest, '-');
    wheel.platform = rest;
    int32_t rank = wheel_name_rank(&wheel, &index->options.env->tags);
    map_add(index->arena, &index->ranks, str_copy(index->arena, tags), rank + 1);
    return rank;
}

/* A Requires-Python that cannot be understood excludes nothing, as with pip. */
static bool python_allowed(struct index *index, struct str requires_python) {
    if (requires_python.len == 0) return true;
    int32_t known = map_find(&index->pythons, requires_python);
    if (known >= 0) return known == 1;
    struct specifier_set set;
    struct str text = str_copy(index->arena, requires_python);
    struct err *unclear = specifier_set_parse(index->arena, text, &set);
    bool allowed = unclear || specifier_set_match(&set, &index->python);
    map_add(index->arena, &index->pythons, text, allowed);
    return allowed;
}

/* What is said of a project as a whole. */
struct terms {
    bool quarantined, sdists, wheels; /* sdists, wheels: such files may be candidates */
};

static uint32_t bars_of(struct index *index, const struct index_packed_file *file, int32_t rank,
                        const struct terms *terms) {
    const struct want *want = index->options.want;
    uint32_t bars = terms->quarantined ? BAR_QUARANTINED : 0u;
    if (!python_allowed(index, file->requires_python)) bars |= BAR_PYTHON;
    if (!file->sdist && rank < 0) bars |= BAR_TAGS;
    if (file->sdist && !terms->sdists) bars |= BAR_SDIST;
    if (!file->sdist && !terms->wheels) bars |= BAR_BINARY;
    if (want && want->exclude_newer != INT64_MAX &&
        (file->uploaded == INT64_MIN || file->uploaded > want->exclude_newer))
        bars |= BAR_DATE;
    return bars;
}

/* True if `file` is the better one of a release. */
static bool is_better(const struct choice *choice, const struct index_packed_file *file, int32_t rank, uint32_t bars) {
    const struct index_packed_file *best = &choice->best;
    if (!choice->any) return true;
    if ((bars == 0) != (choice->best_bars == 0)) return bars == 0;
    if (file->yanked != best->yanked) return best->yanked;
    if (file->sdist != best->sdist) return best->sdist;
    if (file->sdist) return file->is_tar_gz && !best->is_tar_gz;
    if (rank != choice->best_rank) return choice->best_rank < 0 || (rank >= 0 && rank < choice->best_rank);
    return wheel_build_cmp(file->build, best->build) > 0;
}

/* Notes which version of CPython a wheel is built for. Pure ones, and those with the stable ABI, are for all. */
static void note_python(const struct index *index, struct choice *choice, struct str tags) {
    struct str rest = tags, pythons = str_cut(&rest, '-'), abi = str_cut(&rest, '-');
    if (!str_starts(pythons, S("cp")) || str_eq(abi, S("none")) || str_find(abi, S("abi3")) >= 0) return;
    while (pythons.len)
        if (str_eq(str_cut(&pythons, '.'), index->cpython)) choice->this_python = true;
    choice->other_python = true;
}

static void consider(struct index *index, struct choice *choice, const struct index_packed_file *file,
                     const struct terms *terms) {
    int32_t rank = file->sdist ? -1 : tags_rank(index, file->tags);
    if (!file->sdist) note_python(index, choice, file->tags);
    uint32_t bars = bars_of(index, file, rank, terms);
    if (is_better(choice, file, rank, bars)) {
        choice->best = *file;
        choice->best_rank = rank;
        choice->best_bars = bars;
    }
    choice->common = choice->any ? choice->common & bars : bars;
    choice->all |= bars;
    choice->any = true;
    if (file->uploaded != INT64_MIN && (choice->uploaded == INT64_MIN || file->uploaded < choice->uploaded))
        choice->uploaded = file->uploaded;
}

static struct str hex_of(struct arena *arena, struct str bytes) {
    if (bytes.len == 0) return (struct str){0};
    char *hex = arena_alloc(arena, bytes.len * 2);
    for (ptrdiff_t i = 0; i < bytes.len; i++) {
        hex[2 * i] = "0123456789abcdef"[(unsigned char)bytes.data[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[(unsigned char)bytes.data[i] & 15];
    }
    return (struct str){hex, bytes.len * 2};
}

static struct release release_make(struct arena *arena, const struct choice *choice, const struct version *version) {
    const struct index_packed_file *best = &choice->best;
    struct release release = {
        .version = *version,
        .artifact = {.filename = best->filename,
                     .url = best->url,
                     .sha256 = hex_of(arena, best->sha256),
                     .strong = hex_of(arena, best->strong),
                     .size = best->size,
                     .sdist = best->sdist,
                     .requires_python = best->requires_python,
                     .has_metadata = best->has_metadata,
                     .metadata_sha256 = hex_of(arena, best->metadata_sha256)},
        .on_index = true,
        .prerelease = version_is_prerelease(version),
        .yanked = best->yanked,
        .yanked_reason = best->yanked_reason,
        .uploaded = choice->uploaded,
    };
    if (choice->best_bars) release.bars = choice->common ? choice->common : choice->all;
    else if (best->sdist && choice->other_python && !choice->this_python) release.bars = BAR_WHEELS;
    return release;
}

static void add_names(struct buf *buf, const char *what, const struct want_names *names) {
    buf_addf(buf, " %s%s", what, names->all ? "-all" : "");
    for (int32_t i = 0; i < names->len; i++) buf_addf(buf, ",%.*s", FMT(names->items[i]));
}

static struct str view_circumstances(const struct index *index) {
    const struct want *want = index->options.want;
    const struct tags *tags = &index->options.env->tags;
    struct buf buf = {.arena = index->arena};
    buf_addf(&buf, "3 %.*s", FMT(index->options.env->markers.python_full_version));
    if (want) {
        buf_addf(&buf, " %lld", (long long)want->exclude_newer);
        add_names(&buf, "only", &want->only_binary);
        add_names(&buf, "no", &want->no_binary);
    }
    for (int32_t i = 0; i < tags->len; i++) {
        buf_add_char(&buf, ' ');
        buf_add(&buf, tags->items[i]);
    }
    return store_key(index->arena, buf_str(&buf));
}

struct str index_view_identity(struct index *index, struct arena *arena, struct str url) {
    if (index->circumstances.len == 0) index->circumstances = view_circumstances(index);
    return str_format(arena, "%.*s %.*s", FMT(index->circumstances), FMT(index_identity(arena, url)));
}

/* Release `i` of a view, as it was when the view was made. */
static struct release release_of_view(struct arena *arena, const struct index_packed *packed, int32_t i,
                                      const struct version *version) {
    struct choice choice = {.best = index_packed_file(packed, i)};
    choice.uploaded = choice.best.uploaded;
    struct release release = release_make(arena, &choice, version);
    release.bars = choice.best.bars;
    return release;
}

static struct release release_of_page(struct index *index, struct arena *arena, const struct index_packed *packed,
                                      int32_t first, int32_t count, const struct version *version,
                                      const struct terms *terms) {
    struct choice choice = {.best_rank = -1, .uploaded = INT64_MIN};
    for (int32_t i = first; i < first + count; i++) {
        struct index_packed_file file = index_packed_file(packed, i);
        consider(index, &choice, &file, terms);
    }
    return release_make(arena, &choice, version);
}

/* What is installed does not go back behind the releases whose wheels end before this version of Python: sdists of
 * before that are older than it. (pandas<2 on Python 3.12: 1.5.3 has wheels for 3.8 to 3.11; 0.13.1 has none.) */
static void bar_older_sdists(struct release *releases, int32_t len) {
    bool ended = false;
    for (int32_t i = len - 1; i >= 0; i--) {
        struct release *release = &releases[i];
        if (release->bars & BAR_WHEELS) ended = true;
        else if (!release->bars && !release->artifact.sdist) ended = false;
        else if (!release->bars && ended) release->bars = BAR_WHEELS;
    }
}

static struct terms terms_of(const struct index *index, const struct index_packed *packed, struct str name) {
    const struct want *want = index->options.want;
    return (struct terms){index_packed_quarantined(packed), !want || want_takes_sdists(want, name),
                          !want || want_takes_wheels(want, name)};
}

/* The releases of a page or view, ascending, until index->scratch is rewound; what they point to is in `arena` and
 * `packed`.
 */
static struct release *releases_of(struct index *index, struct arena *arena, struct str name,
                                   const struct index_packed *packed, int32_t *ret_len) {
    int32_t len = index_packed_releases(packed), n = 0;
    struct release *releases = arena_new(index->scratch, struct release, len);
    bool view = index_packed_is_view(packed);
    const struct terms terms = terms_of(index, packed, name);
    for (int32_t i = 0; i < len; i++) {
        int32_t first, count;
        struct version version;
        struct str text = index_packed_release(packed, i, &first, &count);
        if (count == 0 || !version_try_parse(arena, text, &version)) continue;
        releases[n++] = view ? release_of_view(arena, packed, first, &version)
                             : release_of_page(index, arena, packed, first, count, &version, &terms);
    }
    *ret_len = n;
    return releases;
}

struct index_packed index_view(struct index *index, struct arena *arena, struct str name,
                               const struct index_packed *packed, struct str url) {
    struct arena_mark mark = arena_mark(index->scratch);
    int32_t len;
    struct release *releases = releases_of(index, index->scratch, name, packed, &len);
    struct index_page_facts facts = index_packed_facts(packed);
    struct index_packed view = index_pack_view(index->scratch, releases, len, &facts, index_packed_status(packed));
    if (url.len && index->cache.len)
        index_cache_write(index, "views", index_view_identity(index, index->scratch, url), view.bytes);
    view.bytes = str_copy(arena, view.bytes);
    arena_rewind(index->scratch, mark);
    return view;
}

void index_load(struct index *index, struct pool *pool, struct project_id id, const struct index_packed *packed) {
    int32_t len;
    struct arena_mark mark = arena_mark(index->scratch);
    struct str name = pool->projects.data[id.n].name;
    struct release *releases = releases_of(index, pool->arena, name, packed, &len);
    struct index_status status = index_packed_status(packed);
    if (pool->projects.data[id.n].installed >= 0) bar_older_sdists(releases, len);
    bool builds = index->options.want && want_names_build(index->options.want, name);
    for (int32_t i = 0; i < len && builds; i++) releases[i].bars &= ~(uint32_t)BAR_WHEELS;
    pool_add_page(pool, id, releases, len);
    pool->projects.data[id.n].status = status.status;
    pool->projects.data[id.n].status_reason = status.reason;
    arena_rewind(index->scratch, mark);
}
