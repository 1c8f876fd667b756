/*
 * entry_points - the scripts that entry_points.txt asks for (PyPA specification "Entry points"). Pure.
 *
 * Only the groups console_scripts and gui_scripts are read: nothing else of the file has an effect at installation.
 * Names and object references end up in file names and program text, so both are checked: a name is a file name of
 * letters, digits, `.`, `_`, `-`, `+`; a reference is `module:attribute` of dotted ASCII identifiers.
 */
#ifndef UNPIN_PYPA_ENTRY_POINTS_H
#define UNPIN_PYPA_ENTRY_POINTS_H

#include "base/err.h"

enum { ENTRY_POINTS_MAX_SIZE = 1 << 20, ENTRY_POINTS_MAX = 10000, ENTRY_POINT_NAME_MAX = 200 };

struct entry_point {
    struct str name;
    struct str module;    /* "package.module" */
    struct str attribute; /* "main" or "Class.method" */
    bool gui;
};

/* The scripts in file order; of two with one name the later counts, as in pip. ERR_MALFORMED with a line, ERR_LIMIT. */
ERR_MUST_CHECK struct err *entry_points_parse(struct arena *arena, struct str text, const struct entry_point **ret,
                                              int32_t *ret_len);

/* True for names that only the interpreter or pip itself may have in a scripts directory: `python`, `python3.12`,
 * `pythonw`, `pip`, `pip3` and the like. */
bool entry_point_is_reserved(struct str name);

#endif
