/*
 * want_word - one thing that a user asks for: a requirement, a wheel's path, a URL. For `want` alone.
 */
#ifndef UNPIN_STAGE_WANT_WORD_H
#define UNPIN_STAGE_WANT_WORD_H

#include "os/fs.h"
#include "pypa/requirement.h"

/* Parses a word; relative paths are taken from the working directory, as pip does, and for a file's line also from the
 * folder of that file (`folder`, empty: none). Of a wheel and an sdist, the name comes from the file name and the url
 * is absolute; a source tree and a repository have no name before they are read (name is empty). ERR_REQUEST with a
 * column and, where it is clear what was meant, a hint. */
ERR_MUST_CHECK struct err *want_word_parse(struct arena *arena, const struct fs *fs, struct str folder, struct str word,
                                           struct requirement *ret);
/* What stands behind -e: a path, or a URL. ERR_REQUEST. */
ERR_MUST_CHECK struct err *want_word_parse_editable(struct arena *arena, const struct fs *fs, struct str folder,
                                                    struct str word, struct requirement *ret);

#endif
