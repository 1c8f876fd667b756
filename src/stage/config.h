/*
 * config - what pip and uv are configured to use: indexes, certificates, proxies, constraint files.
 *
 * Reads pip's configuration files in pip's order (a later one wins): $XDG_CONFIG_DIRS/pip/pip.conf (/etc/xdg),
 * /etc/pip.conf, ~/.pip/pip.conf, $XDG_CONFIG_HOME/pip/pip.conf (~/.config), <prefix>/pip.conf, $PIP_CONFIG_FILE. If
 * the file that PIP_CONFIG_FILE names is there, the user's files are not read; /dev/null means no files at all.
 * [unpin] comes before [install], that before [global]. Over the files stand PIP_* variables, over these the command
 * line; where none of them is set, UV_* variables count, and last uv's files, where an earlier one wins: uv.toml or the
 * [tool.uv] of pyproject.toml in the working directory or the nearest one above, ~/.config/uv/uv.toml,
 * /etc/xdg/uv/uv.toml, /etc/uv/uv.toml; or only $UV_CONFIG_FILE, or none with UV_NO_CONFIG. [pip] in them comes before
 * the rest. Empty values are as good as none. A value stands as a whole: a list from a variable replaces the list of a
 * file.
 *
 * The environment variables are passed in; nothing here looks at those of the process.
 */
#ifndef UNPIN_STAGE_CONFIG_H
#define UNPIN_STAGE_CONFIG_H

#include "os/fs.h"

enum { CONFIG_FILE_MAX = 1 << 20, CONFIG_ENTRIES_MAX = 10000, CONFIG_LIST_MAX = 1000 };

/* The index that pip uses when nothing is configured. */
#define CONFIG_DEFAULT_INDEX "https://pypi.org/simple"

/* An option of the command line, by pip's name for it: "proxy". */
struct config_given {
    struct str name, value;
};

/* Environment variables, "NAME=value" each, and what else is not in files. */
struct config_variables {
    const struct str *items;
    int32_t len;
    const struct config_given *given; /* may name an option more than once */
    int32_t given_len;
    struct str directory; /* the working directory, absolute; empty: no files of a project are looked for */
};

/* The value of variable `name`, {NULL, 0} if it is not there or empty. */
struct str config_variable(const struct config_variables *variables, struct str name);
/* The variables in an `environ`. */
struct config_variables config_variables_make(struct arena *arena, char *const *environ);

/* One setting: its values, split at blanks where pip takes several, and who says so. len 0: not set. */
struct config_setting {
    const struct str *items;
    int32_t len;
    struct str source; /* "PIP_INDEX_URL", "/etc/pip.conf [global]", "default" */
};

/* X(field, name in pip's files and on the command line, pip's variables, uv's variables, key in uv's files, splits at)
 */
#define CONFIG_SETTINGS(X)                                                                                             \
    X(index_url, "index-url", "PIP_INDEX_URL", "UV_DEFAULT_INDEX UV_INDEX_URL", "index-url", CONFIG_ONE)               \
    X(extra_index_url, "extra-index-url", "PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", "extra-index-url",              \
      CONFIG_BLANKS)                                                                                                   \
    X(uv_index, "", "", "UV_INDEX", "", CONFIG_BLANKS)                                                                 \
    X(find_links, "find-links", "PIP_FIND_LINKS", "UV_FIND_LINKS", "find-links", CONFIG_COMMAS)                        \
    X(no_index, "no-index", "PIP_NO_INDEX", "UV_NO_INDEX", "no-index", CONFIG_ONE)                                     \
    X(index_strategy, "index-strategy", "", "UV_INDEX_STRATEGY", "index-strategy", CONFIG_ONE)                         \
    X(offline, "", "", "UV_OFFLINE", "offline", CONFIG_ONE)                                                            \
    X(trusted_host, "trusted-host", "PIP_TRUSTED_HOST", "UV_INSECURE_HOST", "allow-insecure-host", CONFIG_BLANKS)      \
    X(cert, "cert", "PIP_CERT", "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR", "", CONFIG_ONE)        \
    X(client_cert, "client-cert", "PIP_CLIENT_CERT", "SSL_CLIENT_CERT", "", CONFIG_ONE)                                \
    X(keyring_provider, "keyring-provider", "PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER", "keyring-provider",         \
      CONFIG_ONE)                                                                                                      \
    X(proxy, "proxy", "PIP_PROXY", "", "", CONFIG_ONE)                                                                 \
    X(proxy_http, "", "", "http_proxy HTTP_PROXY all_proxy ALL_PROXY", "http-proxy", CONFIG_ONE)                       \
    X(proxy_https, "", "", "https_proxy HTTPS_PROXY all_proxy ALL_PROXY", "https-proxy", CONFIG_ONE)                   \
    X(no_proxy, "", "", "no_proxy NO_PROXY", "", CONFIG_ONE)                                                           \
    X(timeout, "timeout", "PIP_DEFAULT_TIMEOUT PIP_TIMEOUT", "UV_HTTP_TIMEOUT", "", CONFIG_ONE)                        \
    X(no_cache, "no-cache-dir", "PIP_NO_CACHE_DIR", "", "", CONFIG_ONE)                                                \
    X(uv_no_cache, "", "", "UV_NO_CACHE", "no-cache", CONFIG_ONE)                                                      \
    X(cache_max_size, "cache-max-size", "UNPIN_CACHE_MAX_SIZE", "", "", CONFIG_ONE)                                    \
    X(total_timeout, "", "UNPIN_TOTAL_TIMEOUT", "", "", CONFIG_ONE)                                                    \
    X(retries, "retries", "PIP_RETRIES", "UV_HTTP_RETRIES", "", CONFIG_ONE)                                            \
    X(constraint, "constraint", "PIP_CONSTRAINT", "UV_CONSTRAINT", "", CONFIG_BLANKS)                                  \
    X(only_binary, "only-binary", "PIP_ONLY_BINARY", "UV_NO_BUILD_PACKAGE", "no-build-package", CONFIG_BLANKS)         \
    X(no_binary, "no-binary", "PIP_NO_BINARY", "UV_NO_BINARY_PACKAGE", "no-binary-package", CONFIG_BLANKS)             \
    X(no_build, "", "", "UV_NO_BUILD", "no-build", CONFIG_ONE)                                                         \
    X(compile, "compile", "PIP_COMPILE", "UV_COMPILE_BYTECODE", "compile-bytecode", CONFIG_ONE)                        \
    X(pre, "pre", "PIP_PRE", "", "", CONFIG_ONE)

enum config_split { CONFIG_ONE, CONFIG_BLANKS, CONFIG_COMMAS /* blanks, and commas in uv's variable */ };

/* The one index that a project is taken from: [tool.uv.sources]. */
struct config_pin {
    struct str project; /* normalized */
    struct str url, source;
};

struct config {
#define X(field, name, pip, uv, toml, split) struct config_setting field;
    CONFIG_SETTINGS(X)
#undef X
    const struct config_pin *pins;
    int32_t pins_len;
    /* $UNPIN_CACHE_DIR; else, where no_cache and uv_no_cache do not forbid it, $XDG_CACHE_HOME/unpin or ~/.cache/unpin;
     * empty: none. As with pip, any value of its no-cache-dir forbids it: PIP_NO_CACHE_DIR=off was the way to say so
     * once. */
    struct str cache_dir;
    struct str netrc;        /* $NETRC, ~/.netrc; empty: none */
    const struct str *files; /* configuration files that were read, in order */
    int32_t files_len;
};

/*
 * The configuration for the interpreter with `prefix` (sys.prefix; empty: no site file). index_url is always set (to
 * the default if need be); proxy_http and proxy_https are what `proxy` says where that is set. Values of UV_INDEX and
 * UV_DEFAULT_INDEX lose their `name=` and get the credentials of UV_INDEX_<NAME>_USERNAME and _PASSWORD. ERR_CONFIG,
 * with file and line, where pip or uv refuse a file.
 */
ERR_MUST_CHECK struct err *config_read(struct arena *arena, const struct fs *fs, struct str prefix,
                                       const struct config_variables *variables, struct config *ret);

/* The first value, {NULL, 0} if it is not set. */
struct str config_text(const struct config_setting *setting);
/* True for 1, y, yes, t, true, on in either case. */
bool config_truth(const struct config_setting *setting);
/* A number of at least 0 (digits behind a point are dropped), `otherwise` if there is none. */
int64_t config_number(const struct config_setting *setting, int64_t otherwise);

#endif
