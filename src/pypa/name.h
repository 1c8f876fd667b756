/*
 * name - project names and extras (PEP 508 for the characters, PEP 503 for the normal form, PEP 685 for extras).
 * Pure.
 */
#ifndef UNPIN_PYPA_NAME_H
#define UNPIN_PYPA_NAME_H

#include "base/str.h"

enum { NAME_MAX_LEN = 200 };

/* True for letters, digits, `.`, `-`, `_`, beginning and ending with a letter or digit, at most NAME_MAX_LEN bytes. */
bool name_is_valid(struct str name);
/* Lower case, runs of `-`, `_`, `.` as one `-`. `name` itself where it is already normal. */
struct str name_normalize(struct arena *arena, struct str name);

/* True if `normal` is the normal form of `name`. */
bool name_match(struct str name, struct str normal);

#endif
