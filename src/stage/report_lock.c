/* What a plan does to the lock files, line by line. */
#include "stage/report.h"

#include "base/arena.h"

int32_t report_lock_count(const struct plan *plan) {
    if (!plan->locks) return 0;
    if (!plan->locks->implied) return plan->locks->by_name.len;
    if (plan->locks->implied_names.len > 0) return plan->locks->implied_names.len;
    return plan->env ? plan->env->by_name.len : 0;
}

static void add_line(struct buf *buf, const struct report_look *look, const char *paint, char sign, struct str line) {
    struct str text = str_format(buf->arena, "%c%.*s", sign, FMT(report_mask(buf->arena, line)));
    report_paint(buf, look, paint, text);
    buf_add_char(buf, '\n');
}

/* The lines of a text, without their ends. */
struct lines {
    struct str *items;
    int32_t len;
};

static struct lines lines_of(struct arena *arena, struct str text) {
    VEC(struct str) lines = {0};
    struct str line;
    while (str_line(&text, &line)) *vec_push(arena, &lines) = line;
    return (struct lines){lines.data, (int32_t)lines.len};
}

/* A run of lines that differ: from `from`, `a_len` of the old and `b_len` of the new ones. */
static void add_hunk(struct buf *buf, const struct report_look *look, const struct str *a, int32_t a_from,
                     int32_t a_len, const struct str *b, int32_t b_from, int32_t b_len) {
    struct str place =
        str_format(buf->arena, "@@ -%d,%d +%d,%d @@", a_from + (a_len > 0), a_len, b_from + (b_len > 0), b_len);
    report_paint(buf, look, "36", place);
    buf_add_char(buf, '\n');
    for (int32_t i = 0; i < a_len; i++) add_line(buf, look, "31", '-', a[a_from + i]);
    for (int32_t i = 0; i < b_len; i++) add_line(buf, look, "32", '+', b[b_from + i]);
}

struct str report_diff_format(struct arena *arena, struct str path, struct str before, struct str after,
                              const struct report_look *look) {
    struct buf buf = {.arena = arena};
    if (str_eq(before, after)) return S("");
    struct lines a = lines_of(arena, before), b = lines_of(arena, after);
    report_paint(&buf, look, "1", str_format(arena, "--- %.*s", FMT(path)));
    buf_add_char(&buf, '\n');
    report_paint(&buf, look, "1", str_format(arena, "+++ %.*s", FMT(path)));
    buf_add_char(&buf, '\n');
    int32_t from = 0;
    int32_t same = a.len < b.len ? a.len : b.len; /* lines are edited in place; what is new stands at the end */
    while (from < same) {
        if (str_eq(a.items[from], b.items[from])) {
            from++;
            continue;
        }
        int32_t to = from;
        while (to < same && !str_eq(a.items[to], b.items[to])) to++;
        add_hunk(&buf, look, a.items, from, to - from, b.items, from, to - from);
        from = to;
    }
    if (a.len != b.len) add_hunk(&buf, look, a.items, same, a.len - same, b.items, same, b.len - same);
    return buf_str(&buf);
}

static struct str hash_of(struct arena *arena, const struct plan *plan, struct str name) {
    for (int32_t i = 0; i < plan->changes_len; i++)
        if (str_eq(plan->changes[i].name, name)) return artifact_hash(arena, &plan->changes[i].artifact);
    return S("");
}

struct str report_lock_text(struct arena *arena, const struct plan *plan, int32_t file) {
    struct lock_edit *edits = arena_new(arena, struct lock_edit, plan->lifts_len);
    for (int32_t i = 0; i < plan->lifts_len; i++) {
        edits[i] = (struct lock_edit){.name = plan->lifts[i].name, .to = plan->lifts[i].to};
        edits[i].hash = hash_of(arena, plan, plan->lifts[i].name);
    }
    return lock_edit_format(arena, plan->locks, file, edits, plan->lifts_len);
}

struct str report_lock_diffs_format(struct arena *arena, const struct plan *plan, const struct report_look *look) {
    struct buf buf = {.arena = arena};
    if (!plan->locks || plan->lifts_len == 0) return S("");
    for (int32_t i = 0; i < plan->locks->files_len; i++) {
        const struct lock_file *file = &plan->locks->files[i];
        buf_add(&buf, report_diff_format(arena, file->path, file->text, report_lock_text(arena, plan, i), look));
    }
    return buf_str(&buf);
}
