#include "pypa/entry_points.h"

#include "base/arena.h"
#include "base/map.h"
#include "os/term.h"

static bool name_is_good(struct str name) {
    if (name.len == 0 || name.len > ENTRY_POINT_NAME_MAX) return false;
    if (name.data[0] == '.' || name.data[0] == '-' || name.data[name.len - 1] == '.') return false;
    for (ptrdiff_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!char_is_alnum(c) && c != '.' && c != '_' && c != '-' && c != '+') return false;
    }
    return true;
}

/* True for identifiers with dots between them. */
static bool is_dotted(struct str text) {
    bool start = true;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '.' && start) return false;
        if (c != '.' && c != '_' && !char_is_alpha(c) && (start || !char_is_digit(c))) return false;
        start = c == '.';
    }
    return !start;
}

/* NULL or what is wrong with `name = module:attribute [extras]`. */
static const char *script_parse(struct str line, struct entry_point *ret) {
    struct str value = line;
    if (str_find_char(line, '=') < 0) return "has no `=`";
    ret->name = str_trim(str_cut(&value, '='));
    if (!name_is_good(ret->name)) return "has a name that no script may have";
    ptrdiff_t extras = str_find_char(value, '[');
    if (extras >= 0) value = str_slice(value, 0, extras);
    if (str_find_char(value, ':') < 0) return "names no function";
    ret->module = str_trim(str_cut(&value, ':'));
    ret->attribute = str_trim(value);
    if (!is_dotted(ret->module) || !is_dotted(ret->attribute)) return "has a reference that is no `module:function`";
    return NULL;
}

struct err *entry_points_parse(struct arena *arena, struct str text, const struct entry_point **ret, int32_t *ret_len) {
    if (text.len > ENTRY_POINTS_MAX_SIZE)
        return err_make(arena, ERR_LIMIT, "entry_points.txt has more than %d bytes", ENTRY_POINTS_MAX_SIZE);
    VEC(struct entry_point) points = {0};
    struct map by_name = {0};
    struct str rest = text, line;
    bool console = false, gui = false;
    for (int32_t number = 1; str_line(&rest, &line); number++) {
        line = str_trim(line);
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') continue;
        if (line.data[0] == '[' && line.data[line.len - 1] == ']') {
            struct str group = str_trim(str_slice(line, 1, line.len - 1));
            console = str_eq(group, S("console_scripts"));
            gui = str_eq(group, S("gui_scripts"));
            continue;
        }
        if (!console && !gui) continue;
        if (points.len == ENTRY_POINTS_MAX) return err_make(arena, ERR_LIMIT, "entry_points.txt has too many scripts");
        struct entry_point point = {.gui = gui};
        const char *problem = script_parse(line, &point);
        if (problem) {
            struct str shown = term_quote(arena, line);
            return err_at(err_make(arena, ERR_MALFORMED, "a script %s: \"%.*s\"", problem, FMT(shown)),
                          S("entry_points.txt"), number, 0);
        }
        int32_t at = map_find(&by_name, point.name);
        if (at < 0) {
            map_add(arena, &by_name, point.name, (int32_t)points.len);
            *vec_push(arena, &points) = point;
        } else {
            points.data[at] = point;
        }
    }
    *ret = points.data;
    *ret_len = (int32_t)points.len;
    return NULL;
}

bool entry_point_is_reserved(struct str name) {
    bool python = str_starts(name, S("python")), pip = str_starts(name, S("pip"));
    if (!python && !pip) return false;
    struct str rest = str_from(name, python ? 6 : 3);
    if (python && rest.len && rest.data[0] == 'w') rest = str_from(rest, 1);
    for (; rest.len && (char_is_digit(rest.data[0]) || rest.data[0] == '.'); rest = str_from(rest, 1)) {
    }
    return rest.len == 0 || (python && (str_eq(rest, S("t")) || str_eq(rest, S("-config"))));
}
