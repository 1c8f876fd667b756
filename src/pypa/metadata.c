#include "pypa/metadata.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/name.h"

#include <string.h>

/* How much of a line a problem quotes. */
enum { QUOTE_MAX = 200 };

/* A metadata file while it is read. */
struct reader {
    struct arena *arena;
    struct metadata_known *known; /* NULL: none */
    VEC(struct requirement) requires;
    VEC(struct str) extras;
    VEC(struct str) problems;
    bool seen_python; /* the first Requires-Python counts */
    struct metadata metadata;
};

#define PROBLEM(reader, ...)                                                                                           \
    (*vec_push((reader)->arena, &(reader)->problems) = str_format((reader)->arena, __VA_ARGS__))

static void reader_finish(struct reader *reader, struct metadata *ret) {
    reader->metadata.requires_dist = reader->requires.data;
    reader->metadata.requires_len = (int32_t)reader->requires.len;
    reader->metadata.extras = reader->extras.data;
    reader->metadata.extras_len = (int32_t)reader->extras.len;
    reader->metadata.problems = reader->problems.data;
    reader->metadata.problems_len = (int32_t)reader->problems.len;
    *ret = reader->metadata;
}

static void requirement_add(struct reader *reader, struct str value) {
    struct requirement requirement;
    struct metadata_known *known = reader->known;
    int32_t at = known ? map_find(&known->by_text, value) : -1;
    if (at >= 0) {
        *vec_push(reader->arena, &reader->requires) = known->items.data[at];
        return;
    }
    ptrdiff_t len = reader->requires.len;
    const struct requirement *before = len ? &reader->requires.data[len - 1] : NULL;
    struct err *err = requirement_parse_after(reader->arena, value, before, &requirement);
    if (err) {
        PROBLEM(reader, "Requires-Dist \"%.*s\": %.*s", FMT(str_slice(value, 0, QUOTE_MAX)), FMT(err->what));
        return;
    }
    *vec_push(reader->arena, &reader->requires) = requirement;
    if (!known) return;
    map_add(reader->arena, &known->by_text, value, (int32_t)known->items.len);
    *vec_push(reader->arena, &known->items) = requirement;
}

static void extra_add(struct reader *reader, struct str value) {
    if (!name_is_valid(value)) {
        PROBLEM(reader, "Provides-Extra \"%.*s\" is no name of an extra", FMT(str_slice(value, 0, QUOTE_MAX)));
        return;
    }
    struct str extra = name_normalize(reader->arena, value);
    for (ptrdiff_t i = 0; i < reader->extras.len; i++)
        if (str_eq(reader->extras.data[i], extra)) return;
    *vec_push(reader->arena, &reader->extras) = extra;
}

static void python_add(struct reader *reader, struct str value) {
    struct metadata *metadata = &reader->metadata;
    if (reader->seen_python) {
        if (!str_eq(value, metadata->requires_python_text))
            PROBLEM(reader, "Requires-Python \"%.*s\" is given again", FMT(str_slice(value, 0, QUOTE_MAX)));
        return;
    }
    reader->seen_python = true;
    metadata->requires_python_text = value;
    struct err *err = specifier_set_parse(reader->arena, value, &metadata->requires_python);
    if (err) PROBLEM(reader, "Requires-Python: %.*s", FMT(err->what));
}

/* A field of which the first counts. */
static void field_set(struct reader *reader, struct str field, struct str value, struct str *ret) {
    if (ret->len == 0) *ret = value;
    else if (!str_eq(*ret, value))
        PROBLEM(reader, "%.*s \"%.*s\" is given again", FMT(field), FMT(str_slice(value, 0, QUOTE_MAX)));
}

/* The value behind the colon: its lines, where it is folded, joined by a blank each. */
static struct str value_read(struct arena *arena, struct str first, struct str *rest) {
    struct buf buf = {.arena = arena};
    struct str line;
    if (rest->len == 0 || (rest->data[0] != ' ' && rest->data[0] != '\t')) return str_trim(first);
    buf_add(&buf, str_trim(first));
    while (rest->len && (rest->data[0] == ' ' || rest->data[0] == '\t') && str_line(rest, &line)) {
        if (buf.len) buf_add_char(&buf, ' ');
        buf_add(&buf, str_trim(line));
    }
    return str_trim(buf_str(&buf));
}

/* Skips what a field that does not matter is folded into. */
static void value_skip(struct str *rest) {
    struct str line;
    while (rest->len && (rest->data[0] == ' ' || rest->data[0] == '\t')) (void)str_line(rest, &line);
}

/* Length of the field name that the line begins with; -1 if it is no field. */
static ptrdiff_t field_len(struct str line) {
    for (ptrdiff_t i = 0; i < line.len; i++) {
        if (line.data[i] == ':') return i;
        if (line.data[i] <= ' ' || line.data[i] == 0x7F) return -1;
    }
    return -1;
}

enum field {
    FIELD_OTHER,
    FIELD_METADATA_VERSION,
    FIELD_NAME,
    FIELD_VERSION,
    FIELD_SUMMARY,
    FIELD_REQUIRES_PYTHON,
    FIELD_REQUIRES_DIST,
    FIELD_PROVIDES_EXTRA,
    FIELD_DYNAMIC
};

#define REQUIRES_DIST "Requires-Dist"

static const struct str field_names[] = {
    S_INIT(""),        S_INIT("Metadata-Version"), S_INIT("Name"),        S_INIT("Version"),
    S_INIT("Summary"), S_INIT("Requires-Python"),  S_INIT(REQUIRES_DIST), S_INIT("Provides-Extra"),
    S_INIT("Dynamic"),
};

/* The field that the line begins with, -1 in *ret_len if it is none. Most are requirements, and written as usual. */
static enum field field_find(struct str line, ptrdiff_t *ret_len) {
    if (str_starts(line, S(REQUIRES_DIST ":"))) {
        *ret_len = (ptrdiff_t)sizeof REQUIRES_DIST - 1;
        return FIELD_REQUIRES_DIST;
    }
    *ret_len = field_len(line);
    struct str name = str_slice(line, 0, *ret_len);
    for (int field = FIELD_METADATA_VERSION; field <= FIELD_DYNAMIC; field++)
        if (name.len == field_names[field].len && str_eq_nocase(name, field_names[field])) return (enum field)field;
    return FIELD_OTHER;
}

static void field_add(struct reader *reader, enum field field, struct str value) {
    struct metadata *metadata = &reader->metadata;
    switch (field) {
    case FIELD_METADATA_VERSION: field_set(reader, field_names[field], value, &metadata->metadata_version); break;
    case FIELD_NAME: field_set(reader, field_names[field], value, &metadata->name); break;
    case FIELD_VERSION: field_set(reader, field_names[field], value, &metadata->version); break;
    case FIELD_SUMMARY: field_set(reader, field_names[field], value, &metadata->summary); break;
    case FIELD_REQUIRES_PYTHON: python_add(reader, value); break;
    case FIELD_REQUIRES_DIST: requirement_add(reader, value); break;
    case FIELD_PROVIDES_EXTRA: extra_add(reader, value); break;
    case FIELD_DYNAMIC: metadata->requires_dynamic |= str_eq_nocase(value, S("Requires-Dist")); break;
    case FIELD_OTHER: break;
    }
}

/* Room for all requirements at once: lists that grow leave twice their size behind. */
static void reserve_requires(struct reader *reader, struct str text) {
    struct str line;
    ptrdiff_t len = 0;
    while (len < METADATA_REQUIRES_MAX && str_line(&text, &line) && line.len)
        if (str_starts(line, S(REQUIRES_DIST ":"))) len++;
    reader->requires.data = arena_new(reader->arena, struct requirement, len);
    reader->requires.cap = len;
}

struct err *metadata_parse(struct arena *arena, struct str text, struct metadata *ret) {
    return metadata_parse_known(arena, text, NULL, ret);
}

struct err *metadata_parse_known(struct arena *arena, struct str text, struct metadata_known *known,
                                 struct metadata *ret) {
    struct reader reader = {.arena = arena, .known = known};
    struct str line;
    if (text.len > METADATA_MAX_SIZE) return err_make(arena, ERR_LIMIT, "metadata of %td bytes", text.len);
    if (str_starts(text, S("\xEF\xBB\xBF"))) text = str_from(text, 3);
    reserve_requires(&reader, text);
    while (str_line(&text, &line) && line.len) {
        ptrdiff_t colon;
        enum field field = field_find(line, &colon);
        if (colon < 0) {
            PROBLEM(&reader, "a line that is no field ends the fields: \"%.*s\"", FMT(str_slice(line, 0, QUOTE_MAX)));
            break;
        }
        if (field == FIELD_OTHER) {
            value_skip(&text);
            continue;
        }
        if (reader.requires.len + reader.extras.len + reader.problems.len >= METADATA_REQUIRES_MAX)
            return err_make(arena, ERR_LIMIT, "metadata with more than %d requirements", METADATA_REQUIRES_MAX);
        field_add(&reader, field, value_read(arena, str_from(line, colon + 1), &text));
    }
    if (reader.metadata.name.len == 0) return err_make(arena, ERR_MALFORMED, "metadata without a Name");
    if (reader.metadata.version.len == 0) return err_make(arena, ERR_MALFORMED, "metadata without a Version");
    reader_finish(&reader, ret);
    return NULL;
}

/* A section of requires.txt: what its requirements are bound to. */
struct section {
    struct str extra;  /* normalized; empty: none */
    struct str marker; /* as written; empty: none */
    bool broken;       /* its head could not be understood: its lines are left out */
};

static struct section section_parse(struct reader *reader, struct str line) {
    struct section section = {0};
    struct str rest = str_slice(line, 1, line.len - 1);
    const struct marker *marker;
    section.broken = line.len < 2 || line.data[line.len - 1] != ']';
    struct str extra = str_trim(str_cut(&rest, ':'));
    section.marker = str_trim(rest);
    if (extra.len && !section.broken) {
        section.broken = !name_is_valid(extra);
        extra_add(reader, extra);
        section.extra = name_normalize(reader->arena, extra);
    }
    if (section.marker.len && marker_parse(reader->arena, section.marker, &marker)) section.broken = true;
    if (section.broken)
        PROBLEM(reader, "the section \"%.*s\" cannot be understood; its requirements are left out",
                FMT(str_slice(line, 0, QUOTE_MAX)));
    return section;
}

/* The requirement of a line with the condition of its section. */
static void section_add(struct reader *reader, const struct section *section, struct str line) {
    struct requirement requirement;
    struct buf buf = {.arena = reader->arena};
    if ((section->extra.len == 0 && section->marker.len == 0) || requirement_parse(reader->arena, line, &requirement)) {
        requirement_add(reader, line);
        return;
    }
    const struct marker *own = requirement.marker;
    const char *join = " ; ";
    requirement.marker = NULL;
    buf_add(&buf, requirement_format(reader->arena, &requirement));
    if (own) {
        buf_addf(&buf, "%s(%.*s)", join, FMT(marker_format(reader->arena, own)));
        join = " and ";
    }
    if (section->marker.len) {
        buf_addf(&buf, "%s(%.*s)", join, FMT(section->marker));
        join = " and ";
    }
    if (section->extra.len) buf_addf(&buf, "%sextra == \"%.*s\"", join, FMT(section->extra));
    requirement_add(reader, buf_str(&buf));
}

#define COPY(reader, vec, items, count)                                                                                \
    do {                                                                                                               \
        for (int32_t copy_i_ = 0; copy_i_ < (count); copy_i_++) *vec_push((reader)->arena, vec) = (items)[copy_i_];    \
    } while (0)

void metadata_add_requires_txt(struct arena *arena, struct str text, struct metadata *metadata) {
    struct reader reader = {.arena = arena, .metadata = *metadata};
    struct section section = {0};
    struct str line;
    COPY(&reader, &reader.requires, metadata->requires_dist, metadata->requires_len);
    COPY(&reader, &reader.extras, metadata->extras, metadata->extras_len);
    COPY(&reader, &reader.problems, metadata->problems, metadata->problems_len);
    text = str_slice(text, 0, METADATA_MAX_SIZE);
    while (str_line(&text, &line)) {
        line = str_trim(line);
        if (line.len == 0 || line.data[0] == '#') continue;
        if (reader.requires.len + reader.extras.len + reader.problems.len >= METADATA_REQUIRES_MAX) {
            PROBLEM(&reader, "more than %d requirements; the others are left out", METADATA_REQUIRES_MAX);
            break;
        }
        if (line.data[0] == '[') section = section_parse(&reader, line);
        else if (!section.broken) section_add(&reader, &section, line);
    }
    reader_finish(&reader, metadata);
}

bool metadata_is_static(const struct metadata *metadata) {
    struct str minor = metadata->metadata_version;
    int64_t major_number, minor_number;
    if (!str_to_int(str_cut(&minor, '.'), &major_number) || !str_to_int(minor, &minor_number)) return false;
    return (major_number > 2 || (major_number == 2 && minor_number >= 2)) && !metadata->requires_dynamic;
}
