/* Hashes that the user demands: --hash at requests, --require-hashes. */
#include "base/arena.h"
#include "pypa/simple.h"
#include "stage/propose_parts.h"

#include <string.h>

/* How a --hash stands to what is known of a file. */
enum match { MATCH_YES, MATCH_NO, MATCH_UNKNOWN /* no page tells a hash of this algorithm */ };

static enum match match_of(struct str hash, const struct artifact *artifact) {
    struct str hex = hash, algorithm = str_cut(&hex, ':');
    struct str known = str_eq(algorithm, S("sha256")) ? artifact->sha256 : artifact->strong;
    if (!known.len || !str_eq(simple_hash_name(known), algorithm)) return MATCH_UNKNOWN;
    return str_eq_nocase(hex, known) ? MATCH_YES : MATCH_NO;
}

/* The file's bytes will tell: one of `texts` has to be its hash. What other requests demand too counts as well. */
static bool demand(struct arena *arena, struct artifact *artifact, const struct str *texts, int32_t len) {
    struct str *both = arena_new(arena, struct str, len);
    int32_t n = 0;
    for (int32_t i = 0; i < len; i++)
        if (!artifact->demanded_len || str_among(artifact->demanded, artifact->demanded_len, texts[i]))
            both[n++] = texts[i];
    artifact->demanded = both;
    artifact->demanded_len = n;
    return n > 0;
}

/* True if the artifact has one of the hashes that a request demands, as the index tells it, or may have it: then that
 * is demanded of its bytes. A single hash of a file of which nothing is known is taken as its own. */
static bool hash_allowed(struct arena *arena, const struct request *request, struct artifact *artifact) {
    struct str *unknown = arena_new(arena, struct str, request->hashes_len);
    int32_t len = 0;
    for (int32_t i = 0; i < request->hashes_len; i++) {
        enum match match = match_of(request->hashes[i], artifact);
        if (match == MATCH_YES) return true;
        if (match == MATCH_UNKNOWN) unknown[len++] = request->hashes[i];
    }
    if (artifact->tree || len == 0) return false;
    if (len > 1 || artifact->sha256.len || artifact->strong.len) return demand(arena, artifact, unknown, len);
    struct str hex = unknown[0], algorithm = str_cut(&hex, ':');
    if (!str_eq(simple_hash_name(hex), algorithm)) return false;
    *(str_eq(algorithm, S("sha256")) ? &artifact->sha256 : &artifact->strong) = str_lower(arena, hex);
    return true;
}

static struct err *at_request(const struct request *request, struct err *err) {
    return request->line ? err_at(err, request->origin, request->line, 0) : err;
}

static struct err *refuse_other(struct arena *arena, const struct request *request, const struct artifact *artifact) {
    struct err *err =
        err_make(arena, ERR_HASH, "%.*s has none of the hashes that were asked for", FMT(artifact->filename));
    if (artifact->tree) return at_request(request, err_hint(arena, err, "a source tree cannot be told by a hash"));
    struct str hash = artifact_hash(arena, artifact);
    err = err_hint(arena, err, "its hash is %.*s", FMT(hash.len ? hash : S("not told by the index")));
    return at_request(request, err);
}

/* Hashes are demanded of everything: what has none could be anything. */
static struct err *refuse_without(struct arena *arena, const struct plan_change *change) {
    struct str hash = artifact_hash(arena, &change->artifact);
    struct err *err = err_make(arena, ERR_HASH, "%.*s %.*s has no --hash, and all that is installed must have one",
                               FMT(change->raw_name), FMT(change->to));
    if (hash.len == 0) return err_hint(arena, err, "one --hash in the requirements, or --require-hashes, demands it");
    return err_hint(arena, err, "one that fits: %.*s==%.*s --hash=%.*s", FMT(change->name), FMT(change->to), FMT(hash));
}

static struct err *check_change(struct arena *arena, const struct want *want, struct plan_change *change) {
    bool demanded = false;
    for (int32_t i = 0; i < want->requests_len; i++) {
        const struct request *request = &want->requests[i];
        if (request->hashes_len == 0 || !str_eq(change->name, request->requirement.name)) continue;
        demanded = true;
        if (!hash_allowed(arena, request, &change->artifact)) return refuse_other(arena, request, &change->artifact);
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
