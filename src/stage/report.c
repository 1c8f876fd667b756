#include "stage/report.h"

#include "base/arena.h"
#include "os/http.h"

void report_paint(struct buf *buf, const struct report_look *look, const char *paint, struct str text) {
    bool painted = look->color && paint && *paint;
    if (painted) buf_addf(buf, "\033[%sm", paint);
    term_escape(buf, text);
    if (painted) buf_add(buf, S("\033[0m"));
}

void report_title(struct buf *buf, const struct report_look *look, struct str text) {
    report_paint(buf, look, "1", text);
    buf_add_char(buf, '\n');
}

static struct str escaped(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    term_escape(&buf, text);
    return buf_str(&buf);
}

void report_table(struct buf *buf, const struct report_look *look, const struct str *cells, int32_t len,
                  int32_t columns, const char *const *paints) {
    int32_t widths[REPORT_COLUMNS_MAX] = {0};
    if (columns > REPORT_COLUMNS_MAX) columns = REPORT_COLUMNS_MAX;
    for (int32_t i = 0; i < len * columns; i++) {
        int32_t width = term_columns(escaped(buf->arena, cells[i]));
        if (width > widths[i % columns]) widths[i % columns] = width;
    }
    for (int32_t row = 0; row < len; row++) {
        const struct str *cell = &cells[row * columns];
        int32_t last = columns - 1, pad = 2;
        while (last > 0 && cell[last].len == 0) last--;
        for (int32_t c = 0; c <= last; c++) {
            if (widths[c] == 0) continue;
            for (; pad > 0; pad--) buf_add_char(buf, ' ');
            report_paint(buf, look, paints ? paints[c] : NULL, cell[c]);
            pad = widths[c] - term_columns(escaped(buf->arena, cell[c])) + 2;
        }
        buf_add_char(buf, '\n');
    }
}

struct str report_mask(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    if (str_find(text, S("://")) < 0) return text;
    for (ptrdiff_t scheme; (scheme = str_find(text, S("://"))) >= 0;) {
        buf_add(&buf, str_slice(text, 0, scheme + 3));
        text = str_from(text, scheme + 3);
        ptrdiff_t at = http_credentials(text);
        if (at < 0) continue;
        buf_add(&buf, S("****"));
        text = str_from(text, at);
    }
    buf_add(&buf, text);
    return buf_str(&buf);
}

static bool shell_safe(char c) {
    return char_is_alnum(c) || str_find_char(S("-_./:=,@%+"), c) >= 0;
}

struct str report_shell(struct arena *arena, const struct str *argv, int32_t len) {
    struct buf buf = {.arena = arena};
    for (int32_t i = 0; i < len; i++) {
        if (i > 0) buf_add_char(&buf, ' ');
        bool safe = argv[i].len > 0;
        for (ptrdiff_t k = 0; k < argv[i].len; k++) safe = safe && shell_safe(argv[i].data[k]);
        if (safe) {
            buf_add(&buf, argv[i]);
            continue;
        }
        buf_add_char(&buf, '\'');
        for (ptrdiff_t k = 0; k < argv[i].len; k++) {
            if (argv[i].data[k] == '\'') buf_add(&buf, S("'\\''"));
            else buf_add_char(&buf, argv[i].data[k]);
        }
        buf_add_char(&buf, '\'');
    }
    return buf_str(&buf);
}

struct str report_count(struct arena *arena, int64_t n, const char *one, const char *many) {
    return str_format(arena, "%lld %s", (long long)n, n == 1 ? one : many);
}

struct str report_size(struct arena *arena, int64_t bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    if (unit == 0) return str_format(arena, "%lld B", (long long)bytes);
    return str_format(arena, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

struct str report_action(enum plan_action action) {
    switch (action) {
    case PLAN_UPGRADE: return S("upgrade");
    case PLAN_DOWNGRADE: return S("downgrade");
    case PLAN_ADD: return S("add");
    case PLAN_REMOVE: return S("remove");
    case PLAN_REPLACE: return S("replace");
    }
    return S("");
}

struct str report_err_format(struct arena *arena, const struct err *err, const struct report_look *look) {
    struct buf buf = {.arena = arena};
    report_paint(&buf, look, "1;31", S("unpin: "));
    term_escape(&buf, report_mask(arena, err_format(arena, err)));
    buf_addf(&buf, " [%.*s]\n", FMT(err_code(err->kind)));
    struct str hint = report_mask(arena, err->hint), line;
    while (str_line(&hint, &line)) { /* the end of a log has several */
        buf_add(&buf, S("  "));
        term_escape(&buf, line);
        buf_add_char(&buf, '\n');
    }
    return buf_str(&buf);
}

struct str report_plain(struct arena *arena, struct str sentence) {
    ptrdiff_t requires = str_find(sentence, S(" requires "));
    if (requires < 0) return sentence;
    ptrdiff_t semicolon = str_find_char(str_from(sentence, requires), ';');
    if (semicolon < 0) return sentence;
    struct str before = str_trim(str_slice(sentence, 0, requires + semicolon)),
               after = str_from(sentence, requires + semicolon);
    ptrdiff_t rest = str_find(after, S(", and ")); /* markers have no commas outside of their quotes */
    return rest < 0 ? before : str_format(arena, "%.*s%.*s", FMT(before), FMT(str_from(after, rest)));
}
