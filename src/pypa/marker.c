#include "pypa/marker.h"

#include "base/arena.h"
#include "base/buf.h"
#include "pypa/name.h"
#include "pypa/scanner.h"

/* What stands at one side of an operator. */
enum operand {
    OPERAND_LITERAL,
    OPERAND_EXTRA,
    OPERAND_EXTRAS,
    OPERAND_GROUPS,
#define X(field, name) OPERAND_##field,
    MARKER_VARIABLES(X)
#undef X
};

static const struct str operand_names[] = {S_INIT(""), S_INIT("extra"), S_INIT("extras"), S_INIT("dependency_groups"),
#define X(field, name) S_INIT(name),
                                           MARKER_VARIABLES(X)
#undef X
};

/* The ways to write a variable; the old ones with a dot come from before PEP 508. */
static const struct {
    struct str text;
    enum operand operand;
} variables[] = {
#define X(field, name) {S_INIT(name), OPERAND_##field},
    MARKER_VARIABLES(X)
#undef X
        {S_INIT("extra"), OPERAND_EXTRA},
    {S_INIT("extras"), OPERAND_EXTRAS},
    {S_INIT("dependency_groups"), OPERAND_GROUPS},
    {S_INIT("os.name"), OPERAND_os_name},
    {S_INIT("sys.platform"), OPERAND_sys_platform},
    {S_INIT("platform.version"), OPERAND_platform_version},
    {S_INIT("platform.machine"), OPERAND_platform_machine},
    {S_INIT("platform.python_implementation"), OPERAND_platform_python_implementation},
    {S_INIT("python_implementation"), OPERAND_platform_python_implementation},
};

enum marker_op {
    MARKER_ARBITRARY,
    MARKER_EQ,
    MARKER_COMPATIBLE,
    MARKER_NE,
    MARKER_LE,
    MARKER_GE,
    MARKER_LT,
    MARKER_GT,
    MARKER_IN,
    MARKER_NOT_IN
};

static const struct str op_names[] = {S_INIT("==="), S_INIT("=="), S_INIT("~="), S_INIT("!="), S_INIT("<="),
                                      S_INIT(">="),  S_INIT("<"),  S_INIT(">"),  S_INIT("in"), S_INIT("not in")};

struct side {
    enum operand operand;
    struct str text; /* the value of a literal, the name of a variable */
};

/* A comparison, or a list of markers joined by `and` and `or` as it was written, parentheses kept. */
struct marker {
    const struct marker *next;  /* the next one of the list it is in */
    bool after_or;              /* `or`, not `and`, stands before it */
    const struct marker *first; /* list: its first element; NULL: a comparison */
    struct side left, right;
    enum marker_op op;
    const struct specifier *specifier; /* compares versions, read once from the literal at the right; NULL: none */
};

/* Where the parser stands in the limits. */
struct limits {
    int depth, nodes;
};

static bool is_version(enum operand operand) {
    return operand == OPERAND_implementation_version || operand == OPERAND_platform_release ||
           operand == OPERAND_python_full_version || operand == OPERAND_python_version;
}

/* Adds a code point of an escape as UTF-8; false for none that exists. */
static bool add_code_point(struct buf *buf, uint32_t c) {
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return false;
    if (c < 0x80) {
        buf_add_char(buf, (char)c);
        return true;
    }
    if (c >= 0x10000) buf_add_char(buf, (char)(0xF0 | c >> 18));
    if (c >= 0x800) buf_add_char(buf, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3F) : 0xE0 | c >> 12));
    buf_add_char(buf, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3F) : 0xC0 | c >> 6));
    buf_add_char(buf, (char)(0x80 | (c & 0x3F)));
    return true;
}

/* The `count` hexadecimal digits of an escape at `*rest`. */
static bool unescape_hex(struct str *rest, int count, struct buf *buf) {
    uint32_t c = 0;
    if (rest->len < count) return false;
    for (int i = 0; i < count; i++) {
        int digit = char_hex(rest->data[i]);
        if (digit < 0) return false;
        c = c << 4 | (uint32_t)digit;
    }
    *rest = str_from(*rest, count);
    return add_code_point(buf, c);
}

static bool unescape_octal(struct str *rest, struct buf *buf) {
    uint32_t c = 0;
    for (int i = 0; i < 3 && rest->len && rest->data[0] >= '0' && rest->data[0] <= '7'; i++) {
        c = c << 3 | (uint32_t)(rest->data[0] - '0');
        *rest = str_from(*rest, 1);
    }
    return add_code_point(buf, c);
}

/* One escape of a Python literal, `*rest` behind its backslash. An unknown one stands for itself. */
static bool unescape(struct str *rest, struct buf *buf) {
    static const char letters[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    if (rest->len == 0) return false;
    char c = rest->data[0];
    if (c >= '0' && c <= '7') return unescape_octal(rest, buf);
    *rest = str_from(*rest, 1);
    for (int i = 0; letters[i]; i++) {
        if (letters[i] != c) continue;
        buf_add_char(buf, values[i]);
        return true;
    }
    if (c == 'x') return unescape_hex(rest, 2, buf);
    if (c == 'u') return unescape_hex(rest, 4, buf);
    if (c == 'U') return unescape_hex(rest, 8, buf);
    if (c == 'N' || c == '\n' || c == '\r') return false;
    buf_add_char(buf, '\\');
    buf_add_char(buf, c);
    return true;
}

/* The value of what stands between quotes, which Python reads as a literal of its own. */
static bool literal_parse(struct arena *arena, struct str text, struct str *ret) {
    struct buf buf = {.arena = arena};
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == '\0') return false;
    if (str_find_char(text, '\\') < 0) {
        *ret = text;
        return true;
    }
    while (text.len) {
        char c = text.data[0];
        text = str_from(text, 1);
        if (c != '\\') buf_add_char(&buf, c);
        else if (!unescape(&text, &buf)) return false;
    }
    *ret = buf_str(&buf);
    return true;
}

static struct err *side_scan(struct scanner *scanner, struct side *ret) {
    char quote = scanner_peek(scanner);
    if (quote == '"' || quote == '\'') {
        struct str rest = str_from(scanner->text, scanner->at + 1);
        ptrdiff_t len = str_find_char(rest, quote);
        if (len < 0) return scanner_err(scanner, "a closing quote");
        if (!literal_parse(scanner->arena, str_slice(rest, 0, len), &ret->text))
            return scanner_err(scanner, "a string without line breaks and broken escapes");
        scanner->at += len + 2;
        ret->operand = OPERAND_LITERAL;
        return NULL;
    }
    struct str word = scanner_word(scanner);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        if (!str_eq(word, variables[i].text)) continue;
        scanner->at += word.len;
        ret->operand = variables[i].operand;
        ret->text = operand_names[ret->operand];
        return NULL;
    }
    return scanner_err(scanner, "a marker variable or a quoted string");
}

static struct err *op_scan(struct scanner *scanner, enum marker_op *ret) {
    if (scanner_skip_word(scanner, S("in"))) {
        *ret = MARKER_IN;
        return NULL;
    }
    if (scanner_skip_word(scanner, S("not"))) {
        if (!scanner_blank(scanner) || !scanner_skip_word(scanner, S("in"))) return scanner_err(scanner, "`in`");
        *ret = MARKER_NOT_IN;
        return NULL;
    }
    for (int op = 0; op < MARKER_IN; op++) {
        if (!scanner_skip_text(scanner, op_names[op])) continue;
        *ret = (enum marker_op)op;
        return NULL;
    }
    return scanner_err(scanner, "an operator (<=, <, !=, ==, >=, >, ~=, ===, in, not in)");
}

/* The specifier that a comparison of versions stands for; NULL where the right side makes none. */
static const struct specifier *op_specifier(struct arena *arena, enum marker_op op, struct str right) {
    struct buf buf = {.arena = arena};
    if (op >= MARKER_IN) return NULL;
    buf_add(&buf, op_names[op]);
    buf_add(&buf, right);
    struct str text = str_trim(buf_str(&buf));
    struct specifier *specifier = arena_new(arena, struct specifier, 1);
    return specifier_scan(arena, text, specifier) == text.len ? specifier : NULL;
}

static bool is_set(enum operand operand) {
    return operand == OPERAND_EXTRAS || operand == OPERAND_GROUPS;
}

static struct err *comparison_scan(struct scanner *scanner, struct marker *ret) {
    ptrdiff_t start = scanner->at;
    TRY(side_scan(scanner, &ret->left));
    scanner_blank(scanner);
    TRY(op_scan(scanner, &ret->op));
    scanner_blank(scanner);
    TRY(side_scan(scanner, &ret->right));
    struct side *left = &ret->left, *right = &ret->right;
    struct scanner at_start = {scanner->arena, scanner->text, start};

    if (left->operand == OPERAND_LITERAL && right->operand == OPERAND_LITERAL)
        return scanner_err(&at_start, "a marker variable on one side");
    if (is_set(left->operand) || (is_set(right->operand) && (left->operand != OPERAND_LITERAL || ret->op < MARKER_IN)))
        return scanner_err(&at_start, "a quoted string, `in` or `not in`, and the set");
    if (left->operand == OPERAND_EXTRA && right->operand == OPERAND_LITERAL)
        right->text = name_normalize(scanner->arena, right->text);
    if (left->operand == OPERAND_LITERAL && (right->operand == OPERAND_EXTRA || is_set(right->operand)))
        left->text = name_normalize(scanner->arena, left->text);
    /* A variable at the right of a variable counts by its name, as in `packaging`. */
    if (is_version(left->operand)) ret->specifier = op_specifier(scanner->arena, ret->op, right->text);
    return NULL;
}

static struct err *list_scan(struct scanner *scanner, struct limits *limits, struct marker *ret);

/* A comparison or a list in parentheses. */
static struct err *element_scan(struct scanner *scanner, struct limits *limits, struct marker *ret) {
    if (++limits->nodes > MARKER_NODES_MAX)
        return err_make(scanner->arena, ERR_LIMIT, "more than %d comparisons in one marker", MARKER_NODES_MAX);
    scanner_blank(scanner);
    if (scanner_skip(scanner, '(')) {
        if (++limits->depth > MARKER_DEPTH_MAX)
            return err_make(scanner->arena, ERR_LIMIT, "a marker nested deeper than %d", MARKER_DEPTH_MAX);
        TRY(list_scan(scanner, limits, ret));
        if (!scanner_skip(scanner, ')')) return scanner_err(scanner, "`and`, `or` or `)`");
        limits->depth--;
    } else {
        TRY(comparison_scan(scanner, ret));
    }
    scanner_blank(scanner);
    return NULL;
}

static struct err *list_scan(struct scanner *scanner, struct limits *limits, struct marker *ret) {
    const struct marker **tail = &ret->first;
    bool after_or = false;
    for (;;) {
        struct marker *element = arena_new(scanner->arena, struct marker, 1);
        TRY(element_scan(scanner, limits, element));
        element->after_or = after_or;
        *tail = element;
        tail = &element->next;
        after_or = scanner_skip_word(scanner, S("or"));
        if (!after_or && !scanner_skip_word(scanner, S("and"))) return NULL;
    }
}

struct err *marker_scan(struct scanner *scanner, const struct marker **ret) {
    struct marker *marker = arena_new(scanner->arena, struct marker, 1);
    struct limits limits = {0};
    TRY(list_scan(scanner, &limits, marker));
    *ret = marker;
    return NULL;
}

struct err *marker_parse(struct arena *arena, struct str text, const struct marker **ret) {
    struct scanner scanner = {.arena = arena, .text = text};
    const struct marker *marker;
    TRY(marker_scan(&scanner, &marker));
    if (!scanner_ended(&scanner)) return scanner_err(&scanner, "`and`, `or` or the end of the marker");
    *ret = marker;
    return NULL;
}

/* What a marker is evaluated with. */
struct setting {
    struct arena *scratch;
    const struct marker_env *env;
    struct str extra;
};

/* The value of one side: a literal's own, a variable's from the setting. */
static struct str side_value(const struct setting *setting, const struct side *side) {
    const struct marker_env *env = setting->env;
    struct str full = env->python_full_version;
    switch (side->operand) {
    case OPERAND_EXTRA: return setting->extra;
    /* A build from a source tree says "3.13.0+", which is no version. */
    case OPERAND_python_full_version:
        return str_ends(full, S("+")) ? str_format(setting->scratch, "%.*slocal", FMT(full)) : full;
    case OPERAND_os_name: return env->os_name;
    case OPERAND_sys_platform: return env->sys_platform;
    case OPERAND_platform_machine: return env->platform_machine;
    case OPERAND_platform_python_implementation: return env->platform_python_implementation;
    case OPERAND_platform_release: return env->platform_release;
    case OPERAND_platform_system: return env->platform_system;
    case OPERAND_platform_version: return env->platform_version;
    case OPERAND_python_version: return env->python_version;
    case OPERAND_implementation_name: return env->implementation_name;
    case OPERAND_implementation_version: return env->implementation_version;
    case OPERAND_LITERAL:
    case OPERAND_EXTRAS:
    case OPERAND_GROUPS: break;
    }
    return side->text;
}

static bool text_eval(enum marker_op op, struct str left, struct str right) {
    switch (op) {
    case MARKER_IN: return str_find(right, left) >= 0;
    case MARKER_NOT_IN: return str_find(right, left) < 0;
    case MARKER_EQ:
    case MARKER_LE:
    case MARKER_GE: return str_eq(left, right);
    case MARKER_NE: return !str_eq(left, right);
    case MARKER_LT:
    case MARKER_GT:
    /* Not defined for texts; `packaging` raises an exception. */
    case MARKER_COMPATIBLE:
    case MARKER_ARBITRARY: break;
    }
    return false;
}

static bool comparison_eval(const struct setting *setting, const struct marker *marker) {
    if (is_set(marker->right.operand)) return marker->op == MARKER_NOT_IN; /* both sets are empty */
    bool variable_left = marker->left.operand != OPERAND_LITERAL;
    struct str left = side_value(setting, &marker->left);
    struct str right = variable_left ? marker->right.text : side_value(setting, &marker->right);
    const struct specifier *specifier = marker->specifier;
    if (!variable_left && is_version(marker->right.operand))
        specifier = op_specifier(setting->scratch, marker->op, right);
    if (!specifier) return text_eval(marker->op, left, right);

    struct version version;
    if (!version_try_parse(setting->scratch, left, &version)) version = (struct version){.post = -1, .dev = -1};
    version.text = left;
    return specifier_match(specifier, &version);
}

/* `and` binds tighter than `or`: true if one run between two `or` is all true. */
static bool list_eval(const struct setting *setting, const struct marker *list) {
    bool run = true;
    for (const struct marker *element = list->first; element; element = element->next) {
        if (element->after_or) {
            if (run) return true;
            run = true;
        }
        if (run) run = element->first ? list_eval(setting, element) : comparison_eval(setting, element);
    }
    return run;
}

bool marker_eval(struct arena *scratch, const struct marker *marker, const struct marker_env *env, struct str extra) {
    struct setting setting = {.scratch = scratch, .env = env, .extra = extra};
    return !marker || list_eval(&setting, marker);
}

bool marker_has_extra(const struct marker *marker) {
    if (!marker) return false;
    for (const struct marker *element = marker->first; element; element = element->next) {
        if (element->first ? marker_has_extra(element)
                           : element->left.operand == OPERAND_EXTRA || element->right.operand == OPERAND_EXTRA)
            return true;
    }
    return false;
}

/* A literal so that reading it gives the same value again. */
static void side_format(struct buf *buf, const struct side *side) {
    if (side->operand != OPERAND_LITERAL) {
        buf_add(buf, side->text);
        return;
    }
    bool both = str_find_char(side->text, '"') >= 0 && str_find_char(side->text, '\'') >= 0;
    char quote = str_find_char(side->text, '"') >= 0 && !both ? '\'' : '"';
    buf_add_char(buf, quote);
    for (ptrdiff_t i = 0; i < side->text.len; i++) {
        char c = side->text.data[i];
        if (c == '\\') buf_add(buf, S("\\\\"));
        else if (c == quote || (c >= 0 && c < ' ' && c != '\t') || c == 0x7F) buf_addf(buf, "\\x%02x", (unsigned)c);
        else buf_add_char(buf, c);
    }
    buf_add_char(buf, quote);
}

static void marker_write(struct buf *buf, const struct marker *marker, bool outermost) {
    if (!marker->first) {
        side_format(buf, &marker->left);
        buf_add_char(buf, ' ');
        buf_add(buf, op_names[marker->op]);
        buf_add_char(buf, ' ');
        side_format(buf, &marker->right);
        return;
    }
    bool parentheses = !outermost && marker->first->next;
    /* Parentheses around a single element are dropped, with what they mean kept. */
    if (!marker->first->next) {
        marker_write(buf, marker->first, outermost);
        return;
    }
    if (parentheses) buf_add_char(buf, '(');
    for (const struct marker *element = marker->first; element; element = element->next) {
        if (element != marker->first) buf_add(buf, element->after_or ? S(" or ") : S(" and "));
        marker_write(buf, element, false);
    }
    if (parentheses) buf_add_char(buf, ')');
}

struct str marker_format(struct arena *arena, const struct marker *marker) {
    struct buf buf = {.arena = arena};
    if (marker) marker_write(&buf, marker, true);
    return buf_str(&buf);
}
