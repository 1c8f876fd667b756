/*
 * toml - TOML 1.0 read into the tree of json.h. Pure.
 *
 * Tables become objects, arrays of tables arrays of objects; dates and times become strings as they are written,
 * numbers that no double holds exactly lose digits. The text must be UTF-8 without NUL; a key given twice, a table
 * defined twice and a table that extends an inline one are refused, as the specification has it. Nesting and values are
 * limited.
 */
#ifndef UNPIN_BASE_TOML_H
#define UNPIN_BASE_TOML_H

#include "base/json.h"

enum { TOML_DEPTH_MAX = 32, TOML_VALUES_MAX = 20000 };

/* Parses a document of at most `limit` bytes; *ret is a JSON_OBJECT. ERR_MALFORMED with the line, ERR_LIMIT. */
ERR_MUST_CHECK struct err *toml_parse(struct arena *arena, struct str text, int64_t limit, struct json *ret);

#endif
