/* The command that asks for something, in the words of the user where they still hold. */
#include "base/arena.h"
#include "stage/propose_parts.h"

static void add_word(struct arena *arena, struct plan_argv *argv, struct str word) {
    *vec_push(arena, argv) = word;
}

static void add_option(struct arena *arena, struct plan_argv *argv, const char *option, const struct str *values,
                       int32_t len) {
    for (int32_t i = 0; i < len; i++) {
        add_word(arena, argv, str_of(option));
        add_word(arena, argv, values[i]);
    }
}

/* The next request of a file from `at` on, `requests_len` where there is none. */
static int32_t next_of_file(const struct want *want, int32_t at) {
    while (at < want->requests_len && want->requests[at].line == 0) at++;
    return at;
}

bool plan_keeps_files(const struct want *given, const struct want *want) {
    int32_t a = 0, b = 0;
    if (given->formats_len && (want_limits_sdists(given) != want_limits_sdists(want) ||
                               want_limits_wheels(given) != want_limits_wheels(want)))
        return false;
    for (;; a++, b++) {
        a = next_of_file(given, a);
        b = next_of_file(want, b);
        if (a == given->requests_len || b == want->requests_len) break;
        const struct request *was = &given->requests[a], *is = &want->requests[b];
        if (was->line != is->line || !str_eq(was->origin, is->origin)) return false;
        if (!str_eq(was->requirement.text, is->requirement.text)) return false;
    }
    return a == given->requests_len && b == want->requests_len;
}

/* The file was named by a constraint before. */
static bool is_told(const struct want *want, int32_t at) {
    for (int32_t i = 0; i < at; i++)
        if (want->requests[i].constraint && str_eq(want->requests[i].origin, want->requests[at].origin)) return true;
    return false;
}

static void add_requests(struct arena *arena, struct plan_argv *argv, const struct want *want, bool files) {
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        struct str text = request->requirement.text;
        if (request->constraint || (files && request->line)) continue;
        if (request->editable) add_word(arena, argv, S("-e"));
        add_word(arena, argv, str_starts(text, S("-e ")) ? str_from(text, 3) : text);
    }
    if (files) {
        add_option(arena, argv, "-r", want->files, want->files_len);
        add_option(arena, argv, "-c", want->constraint_files, want->constraint_files_len);
        return;
    }
    for (int32_t i = 0; i < want->requests_len; i++)
        if (want->requests[i].constraint && !is_told(want, i))
            add_option(arena, argv, "-c", &want->requests[i].origin, 1);
}

/* What files say of the index has to be said where they are not named. */
static void add_places(struct arena *arena, struct plan_argv *argv, const struct want *want) {
    if (want->index_url.len) add_option(arena, argv, "--index-url", &want->index_url, 1);
    add_option(arena, argv, "--extra-index-url", want->extra_index_urls, want->extra_index_urls_len);
    add_option(arena, argv, "--find-links", want->find_links, want->find_links_len);
    if (want->no_index) add_word(arena, argv, S("--no-index"));
}

/* `:all:` of one option takes away what was said by the other: it comes first. What a configuration says and `want`
 * does not has to be taken back. */
static void add_formats(struct arena *arena, struct plan_argv *argv, const struct want *given,
                        const struct want *want) {
    const struct str all = S(":all:"), none = S(":none:");
    bool sdists = want_limits_sdists(given) && !want_limits_sdists(want);
    bool wheels = want_limits_wheels(given) && !want_limits_wheels(want);
    if (given->formats_configured && sdists) add_option(arena, argv, "--only-binary", &none, 1);
    if (given->formats_configured && wheels) add_option(arena, argv, "--no-binary", &none, 1);
    if (want->only_binary.all) add_option(arena, argv, "--only-binary", &all, 1);
    if (want->no_binary.all) add_option(arena, argv, "--no-binary", &all, 1);
    add_option(arena, argv, "--only-binary", want->only_binary.items, want->only_binary.len);
    add_option(arena, argv, "--no-binary", want->no_binary.items, want->no_binary.len);
}

struct plan_argv plan_argv_of(struct arena *arena, const struct want *given, const struct want *want) {
    struct plan_argv argv = {0};
    bool files = plan_keeps_files(given, want);
    add_word(arena, &argv, S("unpin"));
    /* Only to remove has a command of its own. */
    bool only_removes = want->requests_len == 0 && want->remove_len > 0;
    add_word(arena, &argv, only_removes ? S("remove") : S("plan"));
    for (int32_t i = 0; only_removes && i < want->remove_len; i++) add_word(arena, &argv, want->remove[i]);
    if (!only_removes) {
        add_requests(arena, &argv, want, files);
        add_option(arena, &argv, "--remove", want->remove, want->remove_len);
    }
    if (!files) add_places(arena, &argv, want);
    add_option(arena, &argv, "--keep", want->keep, want->keep_len);
    add_option(arena, &argv, "--no-lift", want->no_lift, want->no_lift_len);
    add_option(arena, &argv, "--replace", want->replace, want->replace_len);
    add_option(arena, &argv, "--ignore-advisory", want->ignore_advisories, want->ignore_advisories_len);
    if (want->pre) add_word(arena, &argv, S("--pre"));
    if (want->upgrade) add_word(arena, &argv, S("-U"));
    add_formats(arena, &argv, given, want);
    for (int32_t i = 0; i < want->build_len; i++)
        if (!want_names_build(given, want->build[i])) add_option(arena, &argv, "--build", &want->build[i], 1);
    if (want->no_allowances) add_word(arena, &argv, S("--no-allowances"));
    if (want->stale) add_word(arena, &argv, S("--allow-stale"));
    if (want->no_lifts) add_word(arena, &argv, S("--no-lifts"));
    return argv;
}
