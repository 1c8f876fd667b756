/*
 * explain - what each stable code means and what to do about it, in words. Pure.
 */
#ifndef UNPIN_FACE_EXPLAIN_H
#define UNPIN_FACE_EXPLAIN_H

#include "base/err.h"

/* Two or three sentences on the kind. */
struct str explain_text(enum err_kind kind);
/* Number of kinds; they are 0 … explain_len() - 1. */
int32_t explain_len(void);

#endif
