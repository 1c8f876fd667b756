/*
 * probe - answers questions about versions, specifiers, requirements, markers, names, tags and file names, one a line,
 * so that a test can compare the answers with those of another program.
 *
 * A question is a verb and its fields, separated by tabs; a field has its bytes below 0x21, 0x7F and `%` written as
 * %XX. An answer is a line of fields in the same form; "!" says that the question's text is not what it should be.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "pypa/filename.h"
#include "pypa/metadata.h"
#include "pypa/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 4096 };

struct question {
    struct arena *arena;
    struct str fields[FIELDS_MAX]; /* the verb is not among them */
    int len;
    struct buf answer;
    int answers;                  /* fields in `answer` */
    const struct marker_env *env; /* set by the last `env` */
};

static int hex_digit(char c) {
    return char_is_digit(c) ? c - '0' : char_lower(c) - 'a' + 10;
}

static struct str decode(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && i + 2 < text.len) {
            buf_add_char(&buf, (char)(hex_digit(text.data[i + 1]) * 16 + hex_digit(text.data[i + 2])));
            i += 2;
        } else {
            buf_add_char(&buf, text.data[i]);
        }
    }
    return buf_str(&buf);
}

static void answer(struct question *question, struct str text) {
    struct buf *buf = &question->answer;
    if (question->answers++) buf_add_char(buf, '\t');
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == 0x7F || c == '%') buf_addf(buf, "%%%02X", c);
        else buf_add_char(buf, (char)c);
    }
}

static void answer_bool(struct question *question, bool value) {
    answer(question, value ? S("1") : S("0"));
}

/* A version as the stages carry it: only the text where it is none. */
static struct version version_any(struct question *question, struct str text) {
    struct version version = {.text = str_trim(text), .post = -1, .dev = -1};
    (void)version_try_parse(question->arena, text, &version);
    version.text = str_trim(text);
    return version;
}

static void ask_version(struct question *question) {
    struct version version;
    struct err *err = version_parse(question->arena, question->fields[0], &version);
    if (err) {
        answer(question, S("!"));
        return;
    }
    struct version base = version_base(&version);
    answer(question, version_format(question->arena, &version));
    answer(question, version_format(question->arena, &base));
    answer(question, base.text);
    answer_bool(question, version_is_prerelease(&version));
}

static void ask_cmp(struct question *question) {
    struct version a = version_any(question, question->fields[0]), b = version_any(question, question->fields[1]);
    int order = version_cmp(&a, &b), public = version_cmp_public(&a, &b);
    answer(question, order < 0 ? S("<") : order > 0 ? S(">") : S("="));
    answer(question, public < 0 ? S("<") : public > 0 ? S(">") : S("="));
}

static void ask_match(struct question *question) {
    struct specifier_set set;
    struct version version = version_any(question, question->fields[1]);
    if (specifier_set_parse(question->arena, question->fields[0], &set)) answer(question, S("!"));
    else answer_bool(question, specifier_set_match(&set, &version));
}

static void ask_set(struct question *question) {
    struct specifier_set set;
    if (specifier_set_parse(question->arena, question->fields[0], &set)) {
        answer(question, S("!"));
        return;
    }
    struct specifier_set sorted = specifier_set_sorted(question->arena, &set);
    answer(question, specifier_set_format(question->arena, &sorted));
    answer_bool(question, specifier_set_names_prerelease(&set));
}

static void ask_requirement(struct question *question) {
    struct requirement requirement;
    struct err *err = requirement_parse(question->arena, question->fields[0], &requirement);
    if (err) {
        answer(question, S("!"));
        answer(question, err_format(question->arena, err));
        return;
    }
    answer(question, requirement_format(question->arena, &requirement));
    answer(question, requirement.name);
    answer(question, requirement.url);
}

static void ask_marker(struct question *question) {
    const struct marker *marker;
    if (marker_parse(question->arena, question->fields[0], &marker)) {
        answer(question, S("!"));
        return;
    }
    answer(question, marker_format(question->arena, marker));
    answer_bool(question, marker_has_extra(marker));
}

static void ask_env(struct question *question) {
    struct marker_env *env = arena_new(question->arena, struct marker_env, 1);
    int i = 0;
#define X(field, name) env->field = question->fields[i++];
    MARKER_VARIABLES(X)
#undef X
    question->env = env;
    answer(question, S("1"));
}

static void ask_eval(struct question *question) {
    const struct marker *marker;
    if (marker_parse(question->arena, question->fields[0], &marker)) answer(question, S("!"));
    else answer_bool(question, marker_eval(question->arena, marker, question->env, question->fields[1]));
}

static void ask_name(struct question *question) {
    answer(question, name_normalize(question->arena, question->fields[0]));
    answer_bool(question, name_is_valid(question->fields[0]));
}

static void ask_wheel(struct question *question) {
    struct wheel_name wheel;
    if (wheel_name_parse(question->arena, question->fields[0], &wheel)) {
        answer(question, S("!"));
        return;
    }
    struct tags tags = tags_of_list(question->arena, question->fields + 1, question->len - 1);
    answer(question, wheel.name);
    answer(question, version_format(question->arena, &wheel.version));
    answer(question, wheel.build);
    answer(question, wheel.python);
    answer(question, wheel.abi);
    answer(question, wheel.platform);
    answer(question, str_format(question->arena, "%d", wheel_name_rank(&wheel, &tags)));
}

static void ask_build(struct question *question) {
    int order = wheel_build_cmp(question->fields[0], question->fields[1]);
    answer(question, order < 0 ? S("<") : order > 0 ? S(">") : S("="));
}

static void ask_sdist(struct question *question) {
    struct version version;
    bool found = sdist_name_parse(question->arena, question->fields[0], question->fields[1], &version);
    answer(question, found ? version_format(question->arena, &version) : S("!"));
}

/* Implementation, major, minor, number of ABIs, the ABIs, the platforms. */
static void ask_tags(struct question *question) {
    int64_t major = 0, minor = 0, abis = 0;
    (void)str_to_int(question->fields[1], &major);
    (void)str_to_int(question->fields[2], &minor);
    (void)str_to_int(question->fields[3], &abis);
    struct tags_input input = {
        .implementation = question->fields[0],
        .major = (int32_t)major,
        .minor = (int32_t)minor,
        .abis = question->fields + 4,
        .abis_len = (int32_t)abis,
        .platforms = question->fields + 4 + abis,
        .platforms_len = question->len - 4 - (int32_t)abis,
    };
    struct tags tags = tags_make(question->arena, &input);
    for (int32_t i = 0; i < tags.len; i++) answer(question, tags.items[i]);
}

static void ask_platforms(struct question *question) {
    const struct str *items;
    int32_t len;
    int64_t minor = -1;
    if (!str_to_int(question->fields[1], &minor)) minor = -1;
    if (tags_platforms_make(question->arena, question->fields[0], (int32_t)minor, &items, &len)) {
        answer(question, S("!"));
        return;
    }
    for (int32_t i = 0; i < len; i++) answer(question, items[i]);
}

/* The text of METADATA, and that of requires.txt or nothing. Name, version, Requires-Python, problems, extras, then the
 * requirements, each in its normal form. */
static void ask_metadata(struct question *question) {
    struct metadata metadata;
    if (metadata_parse(question->arena, question->fields[0], &metadata)) {
        answer(question, S("!"));
        return;
    }
    if (question->fields[1].len) metadata_add_requires_txt(question->arena, question->fields[1], &metadata);
    struct buf extras = {.arena = question->arena};
    for (int32_t i = 0; i < metadata.extras_len; i++) {
        if (i) buf_add_char(&extras, ',');
        buf_add(&extras, metadata.extras[i]);
    }
    answer(question, metadata.name);
    answer(question, metadata.version);
    answer(question, metadata.requires_python_text);
    answer(question, str_format(question->arena, "%d", metadata.problems_len));
    answer(question, buf_str(&extras));
    for (int32_t i = 0; i < metadata.requires_len; i++)
        answer(question, requirement_format(question->arena, &metadata.requires_dist[i]));
}

static const struct {
    struct str verb;
    int fields; /* how many it needs at least */
    void (*ask)(struct question *question);
} verbs[] = {
    {S_INIT("version"), 1, ask_version},   {S_INIT("cmp"), 2, ask_cmp},
    {S_INIT("match"), 2, ask_match},       {S_INIT("set"), 1, ask_set},
    {S_INIT("marker"), 1, ask_marker},     {S_INIT("requirement"), 1, ask_requirement},
    {S_INIT("env"), 11, ask_env},          {S_INIT("eval"), 2, ask_eval},
    {S_INIT("name"), 1, ask_name},         {S_INIT("wheel"), 1, ask_wheel},
    {S_INIT("build"), 2, ask_build},       {S_INIT("sdist"), 2, ask_sdist},
    {S_INIT("tags"), 5, ask_tags},         {S_INIT("platforms"), 2, ask_platforms},
    {S_INIT("metadata"), 2, ask_metadata},
};

/* Puts the question of `line`; false if there is none of this name and form. */
static bool question_put(struct question *question, struct str line) {
    struct str verb = str_cut(&line, '\t');
    question->len = 0;
    while (line.data && question->len < FIELDS_MAX)
        question->fields[question->len++] = decode(question->arena, str_cut(&line, '\t'));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!str_eq(verbs[i].verb, verb) || question->len < verbs[i].fields) continue;
        verbs[i].ask(question);
        return true;
    }
    return false;
}

int main(void) {
    struct arena *arena = arena_open(), *env_arena = arena_open();
    const struct marker_env *env = NULL;
    char *data = NULL;
    size_t cap = 0;
    ssize_t len;
    /* A first byte keeps the arena's block from one question to the next. */
    (void)arena_alloc(arena, 1);
    while ((len = getline(&data, &cap, stdin)) > 0) {
        struct arena_mark mark = arena_mark(arena);
        struct str line = {data, (ptrdiff_t)len - (data[len - 1] == '\n')};
        bool lasting = str_starts(line, S("env\t"));
        struct question question = {.arena = lasting ? env_arena : arena, .env = env};
        question.answer.arena = arena;
        if (lasting) line = str_copy(env_arena, line);
        if (!question_put(&question, line)) {
            fprintf(stderr, "probe: no such question: %.*s\n", FMT(line));
            return 2;
        }
        env = question.env;
        printf("%.*s\n", FMT(buf_str(&question.answer)));
        arena_rewind(arena, mark);
    }
    free(data);
    arena_close(arena);
    arena_close(env_arena);
    return 0;
}
