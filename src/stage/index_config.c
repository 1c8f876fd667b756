/* Which indexes are asked, in which order, and what pip is told of them for a build. */
#include "stage/index_parts.h"

#include "base/arena.h"
#include "base/buf.h"

/* A list that grows. */
struct list {
    struct arena *arena;
    VEC(struct str) items;
};

static void add_all(struct list *list, const struct str *items, int32_t len, struct str end) {
    for (int32_t i = 0; i < len && list->items.len < INDEX_PLACES_MAX; i++) {
        struct str item = items[i];
        while (end.len && str_ends(item, end)) item.len--;
        bool known = false;
        for (ptrdiff_t j = 0; j < list->items.len; j++) known = known || str_eq(list->items.data[j], item);
        if (item.len && !known) *vec_push(list->arena, &list->items) = item;
    }
}

void index_config_apply(struct index *index) {
    struct index_options *options = &index->options;
    const struct config *config = options->config;
    struct list places = {.arena = index->arena}, links = {.arena = index->arena};
    options->offline = options->offline || config_truth(&config->offline);
    options->no_index = options->no_index || config_truth(&config->no_index);
    if (!options->no_index) {
        add_all(&places, options->index_urls, options->index_urls_len, S("/"));
        if (!options->index_urls_len) {
            add_all(&places, config->uv_index.items, config->uv_index.len, S("/"));
            add_all(&places, config->index_url.items, config->index_url.len, S("/"));
        }
        add_all(&places, options->extra_index_urls, options->extra_index_urls_len, S("/"));
        add_all(&places, config->extra_index_url.items, config->extra_index_url.len, S("/"));
    }
    index->best_match = str_eq(config_text(&config->index_strategy), S("unsafe-best-match"));
    add_all(&links, options->find_links, options->find_links_len, (struct str){0});
    add_all(&links, config->find_links.items, config->find_links.len, (struct str){0});
    index->places = places.items.data;
    index->places_len = (int32_t)places.items.len;
    index->links = links.items.data;
    index->links_len = (int32_t)links.items.len;
    struct str cache = options->cache_dir.len ? options->cache_dir : config->cache_dir;
    if (cache.len) index->cache = path_join(index->arena, cache, S(INDEX_CACHE));
}

bool index_local_path(struct arena *arena, struct str url, struct str *ret) {
    if (str_eq_nocase(str_slice(url, 0, 5), S("file:"))) {
        struct str path = str_from(url, 5);
        if (str_starts(path, S("//localhost/"))) path = str_from(path, 11);
        else if (str_starts(path, S("//"))) path = str_from(path, 2);
        *ret = simple_url_decode(arena, path);
        return true;
    }
    *ret = url;
    return str_find(url, S("://")) < 0;
}

static bool has_scheme(struct str url, struct str scheme) {
    return str_eq_nocase(str_slice(url, 0, scheme.len), scheme);
}

bool index_may_link(struct str page, struct str url, bool known) {
    bool plain = has_scheme(url, S("http:")), tls = has_scheme(url, S("https:"));
    if (has_scheme(page, S("https:"))) return tls || (plain && known);
    return !has_scheme(page, S("http:")) || plain || tls;
}

struct str index_local_url(struct arena *arena, struct str path) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, S("file://"));
    for (ptrdiff_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= ' ' || c >= 0x7F || c == '%' || c == '#' || c == '?') buf_addf(&buf, "%%%02X", c);
        else buf_add_char(&buf, (char)c);
    }
    return buf_str(&buf);
}

/* Settings for pip in the making: those with credentials go into the file, for variables are seen by what is built. */
struct pip_settings {
    struct arena *arena;
    VEC(struct str) variables;
    struct buf config;
};

static void pip_setting(struct pip_settings *settings, const char *name, const char *variable, const struct str *values,
                        int32_t len) {
    struct arena *arena = settings->arena;
    struct buf joined = {.arena = arena};
    bool secret = false;
    for (int32_t i = 0; i < len; i++) {
        if (str_find_char(values[i], '\n') >= 0) continue;
        secret = secret || !str_eq(http_strip(arena, values[i]), values[i]);
        buf_addf(&joined, "%s%.*s", joined.len ? " " : "", FMT(values[i]));
    }
    struct str text = buf_str(&joined);
    *vec_push(arena, &settings->variables) =
        str_format(arena, "%s=%.*s", variable, secret ? 0 : (int)text.len, text.data ? text.data : "");
    if (secret) buf_addf(&settings->config, "%s%s = %.*s\n", settings->config.len ? "" : "[global]\n", name, FMT(text));
}

static bool has_password(struct arena *arena, const struct config_setting *setting) {
    struct str text = config_text(setting);
    return text.len > 0 && !str_eq(http_strip(arena, text), text);
}

void index_pip_settings(struct arena *arena, const struct index *index, const struct str **ret, int32_t *ret_len,
                        struct str *ret_config) {
    const struct config *config = index->options.config;
    struct pip_settings settings = {.arena = arena, .config = {.arena = arena}};
    const struct str yes = S("1");
    int32_t places = index->places_len;
    pip_setting(&settings, "index-url", "PIP_INDEX_URL", index->places, places > 0);
    pip_setting(&settings, "extra-index-url", "PIP_EXTRA_INDEX_URL", places ? index->places + 1 : NULL,
                places ? places - 1 : 0);
    pip_setting(&settings, "find-links", "PIP_FIND_LINKS", index->links, index->links_len);
    pip_setting(&settings, "no-index", "PIP_NO_INDEX", &yes, places == 0 || index->options.offline);
    /* A proxy in a variable of its own stays there unless it names a password: then it is given by the file. */
    const struct config_setting *proxy = &config->proxy;
    if (!proxy->len && has_password(arena, &config->proxy_http)) proxy = &config->proxy_http;
    if (!config->proxy.len && has_password(arena, &config->proxy_https)) proxy = &config->proxy_https;
    pip_setting(&settings, "proxy", "PIP_PROXY", proxy->items, proxy->len);
    pip_setting(&settings, "cert", "PIP_CERT", config->cert.items, config->cert.len);
    pip_setting(&settings, "client-cert", "PIP_CLIENT_CERT", config->client_cert.items, config->client_cert.len);
    pip_setting(&settings, "trusted-host", "PIP_TRUSTED_HOST", config->trusted_host.items, config->trusted_host.len);
    *ret = settings.variables.data;
    *ret_len = (int32_t)settings.variables.len;
    *ret_config = buf_str(&settings.config);
}
