/* Who may be asked without TLS, and what `keyring` knows of those who want a password. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "os/proc.h"

enum { KEYRING_OUTPUT_MAX = 64 << 10, KEYRING_TIMEOUT_MS = 60000, KEYRING_WORDS = 5 };

/* "host:port" of a URL, lower case. */
static struct str host_of(struct arena *arena, struct str url) {
    struct str origin = http_origin(arena, url);
    return str_from(origin, str_find(origin, S("://")) + 3);
}

/* True for this machine: nobody stands between. */
static bool is_loopback(struct str host) {
    host = str_slice(host, 0, str_find_last(host, ':'));
    return str_eq(host, S("localhost")) || str_ends(host, S(".localhost")) || str_eq(host, S("[::1]")) ||
           (str_starts(host, S("127.")) && str_find_char(str_from(host, 4), '.') > 0 &&
            char_is_digit(host.data[host.len - 1]));
}

static bool is_trusted(const struct index *index, struct str host) {
    const struct config_setting *trusted = &index->options.config->trusted_host;
    struct str bare = str_slice(host, 0, str_find_last(host, ':'));
    for (int32_t i = 0; i < trusted->len; i++)
        if (str_eq_nocase(trusted->items[i], host) || str_eq_nocase(trusted->items[i], bare)) return true;
    return false;
}

struct err *index_check_secure(struct index *index, struct str url) {
    if (!str_eq_nocase(str_slice(url, 0, 5), S("http:"))) return NULL;
    struct str host = host_of(index->arena, url);
    if (is_loopback(host) || is_trusted(index, host)) return NULL;
    struct str masked = http_mask(index->arena, url), bare = str_slice(host, 0, str_find_last(host, ':'));
    struct err *err =
        err_make(index->arena, ERR_INDEX, "%.*s is asked without TLS: anybody on the way may change it", FMT(masked));
    return err_hint(index->arena, err,
                    "use https, or say that it may be trusted: --trusted-host %.*s (or pip's option)", FMT(bare));
}

/* What a keyring knows a server by: the index's own URL, else that of the request. */
static struct str service_of(const struct index *index, struct arena *arena, struct str url) {
    for (int32_t i = 0; i < index->places_len; i++) {
        struct str place = http_strip(arena, index->places[i]);
        if (str_starts(url, place)) return place;
    }
    return url;
}

/* One question to `keyring`; false where it has no answer. */
static bool ask(struct index *index, struct arena *arena, struct str program, struct str service, struct str user,
                struct http_login *ret) {
    struct str words[KEYRING_WORDS] = {program, S("get"), service, user};
    int32_t len = 4;
    if (!user.len) {
        words[2] = S("--mode");
        words[3] = S("creds");
        words[4] = service;
        len = 5;
    }
    const struct config_variables *variables = index->options.variables;
    struct proc_call call = {.argv = words,
                             .argv_len = len,
                             .env = variables ? variables->items : NULL,
                             .env_len = variables ? variables->len : 0,
                             .output_max = KEYRING_OUTPUT_MAX,
                             .timeout_ms = KEYRING_TIMEOUT_MS};
    struct proc_result result;
    if (proc_run(index->options.proc, arena, &call, &result) || result.status || result.timed_out || result.too_much)
        return false;
    struct str rest = result.output, line;
    struct http_login login = {.user = user};
    if (!user.len && !str_line(&rest, &login.user)) return false;
    if (!str_line(&rest, &line) || !line.len || !login.user.len) return false;
    login.password = line;
    *ret = login;
    return true;
}

bool index_login(void *self, struct arena *arena, struct str url, struct str user, struct http_login *ret) {
    struct index *index = self;
    struct str provider = config_text(&index->options.config->keyring_provider), program;
    bool wanted = str_eq(provider, S("subprocess")) || str_eq(provider, S("import"));
    if (!index->options.proc || (!wanted && provider.len && !str_eq(provider, S("auto")))) return false;
    if (!proc_find(arena, S("keyring"), &program)) {
        if (wanted)
            index_problem(index, str_format(index->arena, "keyring-provider is %.*s, but there is no program `keyring`",
                                            FMT(provider)));
        return false;
    }
    struct str service = service_of(index, arena, url), host = host_of(arena, url);
    bool usual = str_ends(host, S(":443")) || str_ends(host, S(":80"));
    if (usual) host = str_slice(host, 0, str_find_last(host, ':'));
    return ask(index, arena, program, service, user, ret) || ask(index, arena, program, host, user, ret);
}
