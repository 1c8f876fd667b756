/* Editing of lock files: the bytes that change, and no others. */
#include "stage/lock.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/digest.h"

#include <stdlib.h>

/* Bytes `from` to `to` of a file become `text`. */
struct patch {
    ptrdiff_t from, to;
    struct str text;
};

struct patches {
    struct arena *arena;
    VEC(struct patch) items;
};

/* The continuations (backslashes at a line's end) among the bytes that go: without them the rest of the lines would be
 * lines of their own. They come before the new text, so that the carriage return of one never meets the line feed that
 * ends the whole. */
static struct str continuations(struct arena *arena, struct str bytes) {
    struct buf kept = {.arena = arena};
    for (ptrdiff_t i = 0; i < bytes.len; i++) {
        ptrdiff_t gap = requirement_file_boundary(bytes, i);
        if (gap == 0) continue;
        buf_add_char(&kept, '\\');
        buf_add(&kept, str_slice(bytes, i, i + gap));
        i += gap - 1;
    }
    return buf_str(&kept);
}

static void patch_add(struct patches *patches, const struct lock_file *file, ptrdiff_t from, ptrdiff_t to,
                      struct str text) {
    struct str kept = continuations(patches->arena, str_slice(file->text, from, to));
    struct str whole = kept.len ? str_format(patches->arena, "%.*s%.*s", FMT(kept), FMT(text)) : text;
    *vec_push(patches->arena, &patches->items) = (struct patch){from, to, whole};
}

static const struct lock_edit *edit_find(const struct lock_edit *edits, int32_t len, struct str name) {
    for (int32_t i = 0; i < len; i++)
        if (str_eq(edits[i].name, name)) return &edits[i];
    return NULL;
}

/* True if the line admits the version as it stands. */
static bool admits(struct arena *arena, const struct lock_line *line, struct str to) {
    struct version version;
    if (line->requirement.url.len || !version_try_parse(arena, to, &version)) return false;
    return specifier_set_match(&line->requirement.specifiers, &version);
}

/* True if a line of the text begins at `at`. */
static bool begins_line(struct str text, ptrdiff_t at) {
    for (ptrdiff_t gap = 1; gap <= 3 && gap <= at; gap++)
        if (requirement_file_boundary(text, at - gap) == gap) return true;
    return at == 0;
}

/* Backslashes at the start of a line count for nothing, but only where the line is continued: where it is no more, they
 * go. */
static void start_patch(struct patches *patches, const struct lock_file *file, ptrdiff_t at) {
    ptrdiff_t from = at, to;
    while (!begins_line(file->text, from)) from--;
    if (from == 0 && str_starts(file->text, REQUIREMENT_FILE_MARK)) from = REQUIREMENT_FILE_MARK.len;
    for (to = from; to < at && file->text.data[to] == '\\';) to++;
    if (to > from) *vec_push(patches->arena, &patches->items) = (struct patch){from, to, {0}};
}

/* What may lie between a requirement and its options. */
static bool is_gap(char c) {
    return char_is_space(c) || c == '\\';
}

/* What the edit changes in one line. */
static void line_patch(struct patches *patches, const struct lock_file *file, const struct lock_line *line,
                       const struct lock_edit *edit) {
    struct arena *arena = patches->arena;
    bool pin = line->version_from >= 0;
    if (pin && str_eq(str_slice(file->text, line->version_from, line->version_to), edit->to)) return;
    if (!pin && admits(arena, line, edit->to)) return;
    if (pin) patch_add(patches, file, line->version_from, line->version_to, edit->to);
    else if (line->specifier.from >= 0)
        patch_add(patches, file, line->specifier.from, line->specifier.to, str_format(arena, "==%.*s", FMT(edit->to)));
    else if (line->whole.from >= 0)
        patch_add(patches, file, line->whole.from, line->whole.to,
                  str_format(arena, "%.*s==%.*s", FMT(line->requirement.raw_name), FMT(edit->to)));
    else return; /* a variable's value lies across the whole line: nothing in this file can be changed for it */
    if (line->hashes.from < 0) return;
    struct str hash = edit->hash.len ? str_format(arena, "--hash=%.*s", FMT(edit->hash)) : S("");
    ptrdiff_t from = line->hashes.from;
    /* Without a hash to write, a continuation that leads to it goes too: a backslash may not be the end of the lock. */
    while (hash.len == 0 && from > line->whole.to && is_gap(file->text.data[from - 1])) from--;
    if (continuations(arena, str_slice(file->text, from, line->hashes.to)).len) start_patch(patches, file, from);
    *vec_push(arena, &patches->items) = (struct patch){from, line->hashes.to, hash};
}

static int patch_order(const void *a, const void *b) {
    const struct patch *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

struct str lock_edit_format(struct arena *arena, const struct lock_set *set, int32_t file,
                            const struct lock_edit *edits, int32_t len) {
    struct patches patches = {.arena = arena};
    const struct lock_file *target = &set->files[file];
    for (int32_t i = 0; i < set->lines_len; i++) {
        const struct lock_line *line = &set->lines[i];
        const struct lock_edit *edit =
            line->file == file && line->active ? edit_find(edits, len, line->requirement.name) : NULL;
        if (edit) line_patch(&patches, target, line, edit);
    }
    if (patches.items.len == 0) return target->text;
    qsort(patches.items.data, (size_t)patches.items.len, sizeof *patches.items.data, patch_order);
    struct buf out = {.arena = arena};
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < patches.items.len; i++) {
        const struct patch *patch = &patches.items.data[i];
        if (patch->from < at) continue;
        buf_add(&out, str_slice(target->text, at, patch->from));
        buf_add(&out, patch->text);
        at = patch->to;
    }
    buf_add(&out, str_from(target->text, at));
    return buf_str(&out);
}

struct str lock_fingerprint(struct arena *arena, const struct lock_set *set) {
    if (set && set->fingerprint.len) return set->fingerprint;
    return digest_hex(arena, digest_make(arena, lock_state(arena, set), DIGEST_SHA256));
}

struct str lock_state(struct arena *arena, const struct lock_set *set) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; set && i < set->files_len; i++) {
        buf_addf(&buf, "%.*s\n%lld\n", FMT(set->files[i].path), (long long)set->files[i].text.len);
        buf_add(&buf, set->files[i].text);
    }
    return buf_str(&buf);
}
