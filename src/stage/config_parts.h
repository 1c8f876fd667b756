/*
 * config_parts - what the parts of config share. Only config*.c include it.
 *
 * config.c reads pip's files and says which of all sources counts; config_uv.c reads uv's files.
 */
#ifndef UNPIN_STAGE_CONFIG_PARTS_H
#define UNPIN_STAGE_CONFIG_PARTS_H

#include "base/arena.h"
#include "base/json.h"
#include "stage/config.h"

/* An option of a pip file, with the rank of its section: [global] 0, [install] 1, [unpin] 2. */
struct entry {
    struct str key, value, source;
    int rank;
};

/* A file of uv's: its root, or its [tool.uv]. */
struct uv_file {
    struct str path;
    struct json settings;
    bool project; /* pyproject.toml: it may say where single projects come from */
};

/* An index of uv's that has a name. */
struct uv_index {
    struct str name, url, source;
    bool is_default, is_explicit; /* explicit: only for the projects that sources name */
};

struct reader {
    struct arena *arena;
    const struct fs *fs;
    const struct config_variables *variables;
    VEC(struct entry) entries;
    VEC(struct str) files;
    VEC(struct uv_file) uv_files; /* the one that counts most first */
};

/* `variable`, or `tail` beneath the home directory; empty if neither is known. Relative homes and directories of XDG
 * are passed over, as the XDG specification demands: they would be another one in each working directory. */
struct str config_user_dir(const struct reader *reader, struct str variable, struct str tail);

/* config_uv.c */
ERR_MUST_CHECK struct err *config_uv_read(struct reader *reader);
/* The setting at `key` of the first file that has it. */
struct config_setting config_uv_setting(const struct reader *reader, struct str key);
/* Sets index_url, uv_index and pins of `config` by the [[index]] tables and [sources], where nothing else set them. */
void config_uv_indexes(const struct reader *reader, struct config *config);
/* `url` with the credentials of UV_INDEX_<NAME>_USERNAME and _PASSWORD, if it has none itself. */
struct str config_uv_login(const struct reader *reader, struct str name, struct str url);

#endif
