/* A metadata document: its form in the cache, and what it means. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/name.h"

/* True for a field that metadata_parse looks at. */
static bool is_wanted(struct str line) {
    static const struct str wanted[] = {
        S_INIT("Metadata-Version"), S_INIT("Name"),          S_INIT("Version"),        S_INIT("Summary"),
        S_INIT("Requires-Python"),  S_INIT("Requires-Dist"), S_INIT("Provides-Extra"), S_INIT("Dynamic")};
    struct str field = str_slice(line, 0, str_find_char(line, ':'));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (str_eq_nocase(field, wanted[i])) return true;
    return false;
}

struct str index_header_block(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    struct str rest = text, line;
    bool keep = false;
    while (str_line(&rest, &line) && line.len) {
        bool folded = line.data[0] == ' ' || line.data[0] == '\t';
        if (!folded) keep = is_wanted(line);
        if (!keep) continue;
        buf_add(&buf, line);
        buf_add_char(&buf, '\n');
    }
    return buf_str(&buf);
}

struct str index_document_format(struct arena *arena, const struct index_document *document) {
    struct buf buf = {.arena = arena};
    buf_addf(&buf, "%lld %d %.*s\n", (long long)document->text.len, document->requires_txt.data != NULL,
             FMT(document->sha256));
    buf_add(&buf, document->text);
    buf_add(&buf, document->requires_txt);
    return buf_str(&buf);
}

bool index_document_open(struct str bytes, struct index_document *ret) {
    struct str rest = bytes;
    struct str head = str_cut(&rest, '\n');
    int64_t len;
    if (!str_to_int(str_cut(&head, ' '), &len) || len > rest.len) return false;
    struct str tail = str_from(rest, len);
    *ret = (struct index_document){.text = str_slice(rest, 0, len)};
    bool has_txt = str_eq(str_cut(&head, ' '), S("1"));
    if (simple_is_sha256(head)) ret->sha256 = head;
    if (has_txt) ret->requires_txt = tail.data ? tail : S("");
    return true;
}

struct err *index_document_parse(struct arena *arena, struct metadata_known *known,
                                 const struct index_document *document, struct str project,
                                 const struct version *version, bool sdist, struct metadata *ret, bool *ret_unsure) {
    struct metadata metadata;
    struct version own;
    TRY(metadata_parse_known(arena, document->text, known, &metadata));
    struct str name = name_normalize(arena, metadata.name);
    if (project.len && !str_eq(name, project))
        return err_make(arena, ERR_MALFORMED, "its metadata are of another project, %.*s",
                        FMT(str_slice(name, 0, 200)));
    if (version && (!version_try_parse(arena, metadata.version, &own) || version_cmp(&own, version) != 0))
        return err_make(arena, ERR_MALFORMED, "its metadata are of another version, %.*s",
                        FMT(str_slice(metadata.version, 0, 200)));
    *ret_unsure = false;
    if (sdist && !metadata_is_static(&metadata)) {
        bool listed = document->requires_txt.data != NULL;
        if (listed && metadata.requires_len == 0) metadata_add_requires_txt(arena, document->requires_txt, &metadata);
        *ret_unsure = !listed && metadata.requires_len == 0;
    }
    *ret = metadata;
    return NULL;
}
