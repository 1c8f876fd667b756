/* Hashes that the user demands: --hash at requests, --require-hashes. */
#include "base/arena.h"
#include "stage/propose_parts.h"

#include <string.h>

/* The SHA-256 that a --hash names, empty for another algorithm. */
static struct str sha256_of(struct str hash) {
    struct str rest = hash, algorithm = str_cut(&rest, ':');
    return str_eq(algorithm, S("sha256")) ? rest : (struct str){0};
}

/* True if the artifact has one of the hashes that a request demands: its SHA-256, as the index tells it. */
static bool hash_allowed(const struct request *request, const struct artifact *artifact) {
    for (int32_t i = 0; i < request->hashes_len; i++) {
        struct str sha256 = sha256_of(request->hashes[i]);
        if (sha256.len && str_eq_nocase(sha256, artifact->sha256)) return true;
    }
    return false;
}

/* The only hash of a request, in lower case, for a file whose hash nobody tells before it is here. */
static struct str only_hash(struct arena *arena, const struct request *request, const struct artifact *artifact) {
    if (artifact->sha256.len || artifact->tree || request->hashes_len != 1) return (struct str){0};
    return str_lower(arena, sha256_of(request->hashes[0]));
}

static struct err *at_request(const struct request *request, struct err *err) {
    return request->line ? err_at(err, request->origin, request->line, 0) : err;
}

static struct err *refuse_other(struct arena *arena, const struct request *request, const struct artifact *artifact) {
    struct err *err =
        err_make(arena, ERR_HASH, "%.*s has none of the hashes that were asked for", FMT(artifact->filename));
    if (artifact->tree) return at_request(request, err_hint(arena, err, "a source tree cannot be told by a hash"));
    err = err_hint(arena, err, "its SHA-256 is %.*s; hashes by another algorithm are not compared",
                   FMT(artifact->sha256.len ? artifact->sha256 : S("not told by the index")));
    return at_request(request, err);
}

/* Hashes are demanded of everything: what has none could be anything. */
static struct err *refuse_without(struct arena *arena, const struct plan_change *change) {
    struct str sha256 = change->artifact.sha256;
    struct err *err = err_make(arena, ERR_HASH, "%.*s %.*s has no --hash, and all that is installed must have one",
                               FMT(change->raw_name), FMT(change->to));
    if (sha256.len == 0) return err_hint(arena, err, "one --hash in the requirements, or --require-hashes, demands it");
    return err_hint(arena, err, "one that fits: %.*s==%.*s --hash=sha256:%.*s", FMT(change->name), FMT(change->to),
                    FMT(sha256));
}

static struct err *check_change(struct arena *arena, const struct want *want, struct plan_change *change) {
    bool demanded = false;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (request->hashes_len == 0 || !str_eq(change->name, request->requirement.name)) continue;
        demanded = true;
        struct str only = only_hash(arena, request, &change->artifact);
        if (only.len) change->artifact.sha256 = only;
        if (!hash_allowed(request, &change->artifact)) return refuse_other(arena, request, &change->artifact);
    }
    return demanded || !want->require_hashes ? NULL : refuse_without(arena, change);
}

struct err *propose_hashes(struct arena *arena, struct plan *plan) {
    struct plan_change *changes = arena_new(arena, struct plan_change, plan->changes_len);
    if (plan->changes_len) memcpy(changes, plan->changes, (size_t)plan->changes_len * sizeof *changes);
    plan->changes = changes;
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (changes[i].action != PLAN_REMOVE) TRY(check_change(arena, plan->want, &changes[i]));
    return NULL;
}
