/*
 * wheel_unpack - the files of verified wheels, written where they are staged: unpacked, hashed, compared with RECORD.
 */
#ifndef UNPIN_STAGE_WHEEL_UNPACK_H
#define UNPIN_STAGE_WHEEL_UNPACK_H

#include "os/depot.h"
#include "os/workers.h"
#include "stage/wheel_layout.h"

struct unpack_item {
    const struct wheel_layout *layout;
    struct wheel_file *file; /* file->source is the path to create; its sha256 is set where it was not known */
};

/* Unpacks beside a wheel, into the directory that it alone lies in, what of its files wheel_unpack will want: verified
 * and kept as there, and marked `is_ahead`. What fails is left out, as is all where the depot has notes of the wheel,
 * or the disk has little room; ends early where the crew ends. The bytes that were unpacked. */
int64_t wheel_unpack_ahead(struct arena *arena, const struct depot *depot, const struct wheel_layout *layout,
                           const struct crew *crew);
/* True for a file that was unpacked ahead in a directory that can be staged as a whole. */
bool wheel_unpack_nested(const struct wheel_layout *layout, const struct wheel_file *file);
/* Where the directory `dir` of layout->site was made ahead, if there is a nested file in it. */
struct str wheel_unpack_nest(struct arena *arena, const struct wheel_layout *layout, struct str dir);

/* Creates the staged file of every item, on a few threads, from the depot where that keeps it, or from beside its
 * wheel, and sets `staged` and `kept` of its file. ERR_WHEEL where the bytes are not those of RECORD. */
ERR_MUST_CHECK struct err *wheel_unpack(struct arena *arena, const struct depot *depot, const struct unpack_item *items,
                                        int32_t len);

/* Notes in the depot `depot_dir` (os/depot) what it keeps of these wheels. Only once what was staged is durable. */
void wheel_unpack_note(struct arena *arena, struct str depot_dir, const struct wheel_layout *layouts, int32_t len);

/* True if `bytes` have the hash of the row; a row without one (or with a weak one) matches nothing. */
bool record_row_matches(struct arena *scratch, const struct record_row *row, struct str bytes);

#endif
