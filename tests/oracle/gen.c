#include "gen.h"

enum { GEN_PROJECTS = 26, GEN_VERSIONS = 9 };

/* What was decided so far. */
struct made {
    int32_t projects;
    int32_t versions[GEN_PROJECTS];
    int32_t installed[GEN_PROJECTS]; /* number of the version, -1: not installed */
    bool vendor[GEN_PROJECTS];
    int32_t odd[GEN_PROJECTS]; /* the version that is a pre-release, -1: none */
};

static uint32_t number(struct gen *gen, uint32_t below) {
    if (gen->from_bytes) return gen->at < gen->bytes.len ? (uint32_t)(uint8_t)gen->bytes.data[gen->at++] % below : 0;
    gen->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = gen->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint32_t)(z >> 33) % below;
}

static bool chance(struct gen *gen, uint32_t percent) {
    return number(gen, 100) < percent;
}

static char letter(int32_t project) {
    return (char)('a' + project);
}

/* Version `v` of a project: 1.0, 2.0, …; the odd one out is a release candidate. */
static void add_version(struct buf *buf, const struct made *made, int32_t project, int32_t v) {
    buf_addf(buf, made->odd[project] == v ? "%d.0rc1" : "%d.0", v + 1);
}

static void add_specifier(struct buf *buf, struct gen *gen, const struct made *made, int32_t target) {
    static const char *const ops[] = {">=", "<", "<=", "==", "!=", ">", "~=", ">="};
    if (chance(gen, 20)) return;
    buf_add(buf, str_of(ops[number(gen, 8)]));
    add_version(buf, made, target, (int32_t)number(gen, (uint32_t)made->versions[target]));
    if (chance(gen, 15)) {
        buf_add(buf, S(",<"));
        buf_addf(buf, "%d.0", (int)number(gen, (uint32_t)made->versions[target]) + 2);
    }
}

static void add_requirement(struct buf *buf, struct gen *gen, const struct made *made, int32_t self) {
    int32_t target = (int32_t)number(gen, (uint32_t)made->projects);
    if (target == self && !chance(gen, 20)) target = (target + 1) % made->projects;
    buf_add_char(buf, letter(target));
    if (chance(gen, 15)) buf_add(buf, chance(gen, 60) ? S("[x]") : S("[y]"));
    add_specifier(buf, gen, made, target);
    if (chance(gen, 20)) buf_addf(buf, " ; extra == \"%s\"", chance(gen, 60) ? "x" : "y");
    else if (chance(gen, 5)) buf_add(buf, S(" ; python_version < \"3\""));
}

static void add_requirements(struct buf *buf, struct gen *gen, const struct made *made, int32_t self) {
    static const int8_t counts[] = {0, 0, 1, 1, 1, 2, 2, 3};
    int32_t count = counts[number(gen, 8)];
    for (int32_t i = 0; i < count; i++) {
        buf_add(buf, i ? S(" & ") : S(" : "));
        add_requirement(buf, gen, made, self);
    }
}

static struct made decide(struct gen *gen) {
    struct made made = {.projects = 2 + (int32_t)number(gen, (uint32_t)gen->projects_max - 1)};
    for (int32_t p = 0; p < made.projects; p++) {
        made.versions[p] = 1 + (int32_t)number(gen, (uint32_t)gen->versions_max);
        made.odd[p] = chance(gen, 15) ? (int32_t)number(gen, (uint32_t)made.versions[p]) : -1;
        made.installed[p] = chance(gen, 60) ? (int32_t)number(gen, (uint32_t)made.versions[p]) : -1;
        made.vendor[p] = made.installed[p] >= 0 && chance(gen, 15);
    }
    return made;
}

static void add_installed(struct buf *buf, struct gen *gen, const struct made *made) {
    buf_add(buf, S("installed:\n"));
    for (int32_t p = 0; p < made->projects; p++) {
        if (made->installed[p] < 0) continue;
        buf_addf(buf, "  %c ", letter(p));
        if (made->vendor[p]) buf_addf(buf, "%d.0a0+nv vendor", made->installed[p] + 1);
        else add_version(buf, made, p, made->installed[p]);
        if (made->vendor[p] && chance(gen, 10)) buf_add(buf, S(" no-metadata"));
        if (!made->vendor[p] && chance(gen, 5)) buf_add(buf, S(" off-index"));
        add_requirements(buf, gen, made, p);
        buf_add_char(buf, '\n');
    }
}

static void add_index(struct buf *buf, struct gen *gen, const struct made *made) {
    static const char *const flags[] = {" yanked",       " sdist",          " unreadable",
                                        " python>=3.13", " other-platform", " sdist"};
    buf_add(buf, S("index:\n"));
    for (int32_t p = 0; p < made->projects; p++) {
        if (chance(gen, 4)) continue;
        bool dates = chance(gen, 80);
        for (int32_t v = 0; v < made->versions[p]; v++) {
            if (chance(gen, 5)) continue;
            buf_addf(buf, "  %c ", letter(p));
            add_version(buf, made, p, v);
            if (dates) buf_addf(buf, " 2025-%02d-%02d", (int)v + 1, (int)number(gen, 28) + 1);
            if (chance(gen, 18)) buf_add(buf, str_of(flags[number(gen, 6)]));
            add_requirements(buf, gen, made, p);
            buf_add_char(buf, '\n');
        }
    }
}

static void add_lock(struct buf *buf, struct gen *gen, const struct made *made) {
    switch (number(gen, 6)) {
    case 0: buf_add(buf, S("lock: implied\n")); return;
    case 1: return;
    case 2: buf_add(buf, S("lock:\n")); break;
    case 3: buf_add(buf, S("lock: all except a, b\n")); break;
    default: buf_add(buf, S("lock: all\n")); return;
    }
    for (int32_t p = 0; p < made->projects; p++) {
        if (!chance(gen, 35)) continue;
        buf_addf(buf, "  %c", letter(p));
        add_specifier(buf, gen, made, p);
        buf_add_char(buf, '\n');
    }
}

static void add_advisories(struct buf *buf, struct gen *gen, const struct made *made) {
    static const char *const severities[] = {"error", "security", "warn", "info", "error", "error"};
    for (int32_t i = 0; i < 2; i++) {
        if (!chance(gen, 30)) continue;
        int32_t p = (int32_t)number(gen, (uint32_t)made->projects), q = (int32_t)number(gen, (uint32_t)made->projects);
        buf_addf(buf, "advisory ADV-%d %s", i, severities[number(gen, 6)]);
        if (chance(gen, 15)) buf_addf(buf, " on-change %c", letter(p));
        buf_addf(buf, ": %c", letter(p));
        add_specifier(buf, gen, made, p);
        if (q != p) {
            buf_addf(buf, " & %c", letter(q));
            add_specifier(buf, gen, made, q);
        }
        buf_add_char(buf, '\n');
    }
}

static void add_wishes(struct buf *buf, struct gen *gen, const struct made *made) {
    static const char *const named[] = {"--keep", "--replace", "--no-lift", "--replace", "--remove"};
    static const char *const flags[] = {"--pre",
                                        "--only-binary",
                                        "--no-allowances",
                                        "--no-lifts",
                                        "--exclude-newer 2025-03-15",
                                        "--ignore-advisory ADV-0",
                                        "--builds",
                                        "--stale"};
    int32_t requests = chance(gen, 30) ? 2 : 1;
    for (int32_t i = 0; i < requests; i++) {
        int32_t p = (int32_t)number(gen, (uint32_t)made->projects);
        buf_addf(buf, "request: %c%s", letter(p), chance(gen, 15) ? "[x]" : "");
        if (chance(gen, 70)) add_specifier(buf, gen, made, p);
        buf_add_char(buf, '\n');
    }
    if (chance(gen, 8)) {
        int32_t p = (int32_t)number(gen, (uint32_t)made->projects);
        buf_addf(buf, "constraint: %c", letter(p));
        add_specifier(buf, gen, made, p);
        buf_add_char(buf, '\n');
    }
    if (chance(gen, 20)) buf_add(buf, S("options: -U\n"));
    if (chance(gen, 20))
        buf_addf(buf, "options: %s %c\n", named[number(gen, 5)],
                 letter((int32_t)number(gen, (uint32_t)made->projects)));
    if (chance(gen, 20)) buf_addf(buf, "options: %s\n", flags[number(gen, 8)]);
}

/* Around the uploads of most releases, once the grace of the floor is taken off. */
static int image_month(struct gen *gen) {
    int month = (int)number(gen, (uint32_t)gen->versions_max + 1) + 4;
    return month < 12 ? month : 12;
}

struct str gen_case(struct arena *arena, struct gen *gen) {
    struct buf buf = {.arena = arena};
    struct made made = decide(gen);
    buf_add(&buf, S("# random world\n"));
    if (chance(gen, 75)) buf_addf(&buf, "date 2025-%02d-15\n", image_month(gen));
    add_installed(&buf, gen, &made);
    add_lock(&buf, gen, &made);
    add_index(&buf, gen, &made);
    add_advisories(&buf, gen, &made);
    add_wishes(&buf, gen, &made);
    return buf_str(&buf);
}
