/* unpin config - what is in force, and where it comes from. */
#include "face/command.h"

#include "base/arena.h"
#include "os/http.h"

#include <unistd.h>

static struct str join(struct arena *arena, const struct str *items, int32_t len) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < len; i++) {
        if (i > 0) buf_add_char(&buf, ' ');
        buf_add(&buf, http_mask(arena, report_mask(arena, items[i])));
    }
    return buf_str(&buf);
}

struct row {
    struct str name, value, source;
};

static void add_setting(struct arena *arena, struct row *rows, int32_t *len, const char *name,
                        const struct config_setting *setting) {
    if (setting->len == 0) return;
    rows[(*len)++] = (struct row){str_of(name), join(arena, setting->items, setting->len), setting->source};
}

enum { ROWS_MAX = 64 };

static int32_t rows_of(struct session *session, struct row rows[ROWS_MAX]) {
    struct arena *arena = session->arena;
    int32_t n = 0;
    if (session->env.image.len) rows[n++] = (struct row){S("image"), session->env.image, S("")};
    if (session->env.python.len) rows[n++] = (struct row){S("python"), session->env.python, S("")};
    if (session->env.prefix.len) rows[n++] = (struct row){S("prefix"), session->env.prefix, S("")};
    rows[n++] = (struct row){S("python version"), session->env.markers.python_full_version, S("")};
    if (session->lock_choice.len > 0)
        rows[n++] = (struct row){S("lock"), join(arena, session->lock_choice.paths, session->lock_choice.len),
                                 session->lock_choice.source};
    struct str cache = session_cache_dir(session);
    rows[n++] = (struct row){S("cache"), cache.len ? cache : S("none"),
                             session->options->cache_dir.len ? S("--cache-dir") : S("")};
    add_setting(arena, rows, &n, "no-cache-dir", &session->config.no_cache);
    add_setting(arena, rows, &n, "no-cache", &session->config.uv_no_cache);
    add_setting(arena, rows, &n, "cache-max-size", &session->config.cache_max_size);
    rows[n++] = (struct row){S("catalog"), session->catalog.len ? session->catalog : S("none found"), S("")};
    if (session->options->index_url.len)
        rows[n++] = (struct row){S("index-url"), report_mask(arena, session->options->index_url), S("--index-url")};
    else add_setting(arena, rows, &n, "index-url", &session->config.index_url);
#define ROW(field, name) add_setting(arena, rows, &n, name, &session->config.field)
    ROW(extra_index_url, "extra-index-url");
    ROW(uv_index, "index");
    ROW(find_links, "find-links");
    ROW(no_index, "no-index");
    ROW(offline, "offline");
    ROW(trusted_host, "trusted-host");
    ROW(cert, "cert");
    ROW(client_cert, "client-cert");
    ROW(index_strategy, "index-strategy");
    ROW(keyring_provider, "keyring-provider");
    if (session->config.proxy.len) ROW(proxy, "proxy");
    else ROW(proxy_http, "http-proxy"), ROW(proxy_https, "https-proxy");
    ROW(no_proxy, "no-proxy");
    ROW(timeout, "timeout");
    ROW(total_timeout, "total-timeout");
    ROW(retries, "retries");
    ROW(constraint, "constraint");
    ROW(only_binary, "only-binary");
    ROW(no_binary, "no-binary");
    ROW(no_build, "no-build");
    ROW(compile, "compile");
    ROW(pre, "pre");
#undef ROW
    if (session->config.netrc.len && access(str_copy_z(arena, session->config.netrc), R_OK) == 0)
        rows[n++] = (struct row){S("netrc"), session->config.netrc, S("")};
    for (int32_t i = 0; i < session->config.pins_len && n < ROWS_MAX; i++) {
        const struct config_pin *pin = &session->config.pins[i];
        rows[n++] = (struct row){str_format(arena, "index for %.*s", FMT(pin->project)), report_mask(arena, pin->url),
                                 pin->source};
    }
    return n;
}

static void print_json(struct session *session, const struct row *rows, int32_t len) {
    struct buf buf = {.arena = session->arena};
    struct json_writer w = {.buf = &buf, .indent = REPORT_INDENT};
    report_begin_json(&w, session->command, S("ok"));
    json_key(&w, S("settings"));
    json_begin_array(&w);
    for (int32_t i = 0; i < len; i++) {
        json_begin_object(&w);
        json_key_string(&w, S("name"), rows[i].name);
        json_key_string(&w, S("value"), rows[i].value);
        json_key_string(&w, S("source"), rows[i].source);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_key_strings(&w, S("files"), session->config.files, session->config.files_len);
    session_print(session, report_end_json(&w));
}

struct err *cmd_config(struct session *session, int *ret_status) {
    (void)ret_status;
    TRY(session_open_environment(session));
    struct row rows[ROWS_MAX];
    int32_t len = rows_of(session, rows);
    if (session->options->json) {
        print_json(session, rows, len);
        return NULL;
    }
    struct str *cells = arena_new(session->arena, struct str, len * 3);
    for (int32_t i = 0; i < len; i++) {
        cells[i * 3] = rows[i].name;
        cells[i * 3 + 1] = rows[i].value;
        cells[i * 3 + 2] = rows[i].source.len ? str_format(session->arena, "(%.*s)", FMT(rows[i].source)) : S("");
    }
    struct buf buf = {.arena = session->arena};
    report_table(&buf, &session->look, cells, len, 3, (const char *const[]){"1", "", "2"});
    for (int32_t i = 0; i < session->config.files_len; i++) {
        buf_add(&buf, S("  read "));
        term_escape(&buf, session->config.files[i]);
        buf_add_char(&buf, '\n');
    }
    session_print(session, buf_str(&buf));
    return NULL;
}
