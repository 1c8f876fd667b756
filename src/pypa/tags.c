#include "pypa/tags.h"

#include "base/arena.h"
#include "base/buf.h"

/* A list of texts that grows. */
struct list {
    struct arena *arena;
    VEC(struct str) items;
};

static int32_t version_clamp(int32_t version) {
    return version < 0 ? 0 : version > TAGS_VERSION_MAX ? TAGS_VERSION_MAX : version;
}

static void tag_add(struct list *list, struct str interpreter, struct str abi, struct str platform) {
    if (list->items.len >= TAGS_MAX) return;
    struct buf buf = {.arena = list->arena};
    (void)buf_reserve(&buf, interpreter.len + abi.len + platform.len + 2);
    buf_add(&buf, interpreter);
    buf_add_char(&buf, '-');
    buf_add(&buf, abi);
    buf_add_char(&buf, '-');
    buf_add(&buf, platform);
    *vec_push(list->arena, &list->items) = str_lower(list->arena, buf_str(&buf));
}

/* A tag for each platform. */
static void tags_add(struct list *list, const struct tags_input *input, struct str interpreter, struct str abi) {
    for (int32_t i = 0; i < input->platforms_len; i++) tag_add(list, interpreter, abi, input->platforms[i]);
}

/* "cp313t": digits and then flags with a `t`. */
static bool is_threaded(const struct tags_input *input) {
    if (input->abis_len == 0 || !str_starts(input->abis[0], S("cp"))) return false;
    struct str flags = str_from(input->abis[0], 2);
    ptrdiff_t digits = 0;
    while (digits < flags.len && char_is_digit(flags.data[digits])) digits++;
    return digits > 0 && str_find_char(str_from(flags, digits), 't') >= 0;
}

/* ABIs of CPython itself, then its stable ABI of this and of all earlier minor versions. */
static void cpython_add(struct list *list, const struct tags_input *input, int32_t minor) {
    bool threaded = is_threaded(input);
    struct str stable = threaded ? S("abi3t") : S("abi3");
    bool has_stable = input->major > 3 || (input->major == 3 && minor >= 2);
    struct str interpreter = str_format(list->arena, "cp%d%d", input->major, minor);
    for (int32_t i = 0; i < input->abis_len; i++) {
        struct str abi = input->abis[i];
        if (!str_eq(abi, S("none")) && !str_eq(abi, S("abi3")) && !str_eq(abi, stable))
            tags_add(list, input, interpreter, abi);
    }
    if (has_stable) tags_add(list, input, interpreter, stable);
    tags_add(list, input, interpreter, S("none"));
    for (int32_t earlier = minor - 1; has_stable && earlier >= 2; earlier--)
        tags_add(list, input, str_format(list->arena, "cp%d%d", input->major, earlier), stable);
}

static void generic_add(struct list *list, const struct tags_input *input, int32_t minor) {
    struct str interpreter = str_format(list->arena, "%.*s%d%d", FMT(input->implementation), input->major, minor);
    bool none = false;
    for (int32_t i = 0; i < input->abis_len; i++) {
        tags_add(list, input, interpreter, input->abis[i]);
        none |= str_eq(input->abis[i], S("none"));
    }
    if (!none) tags_add(list, input, interpreter, S("none"));
}

/* The `i`th of py312, py3, py311, py310, …, py30. */
static struct str python_tag(struct arena *arena, int32_t major, int32_t minor, int32_t i) {
    if (i == 1) return str_format(arena, "py%d", major);
    return str_format(arena, "py%d%d", major, i == 0 ? minor : minor - i + 1);
}

struct tags tags_make(struct arena *arena, const struct tags_input *input) {
    struct list list = {.arena = arena};
    int32_t minor = version_clamp(input->minor);
    struct str interpreter = {0};
    if (str_eq(input->implementation, S("cp"))) {
        cpython_add(&list, input, minor);
        interpreter = str_format(arena, "cp%d%d", input->major, minor);
    } else {
        generic_add(&list, input, minor);
        if (str_eq(input->implementation, S("pp"))) interpreter = S("pp3");
    }
    for (int32_t i = 0; i < minor + 2; i++)
        tags_add(&list, input, python_tag(arena, input->major, minor, i), S("none"));
    if (interpreter.len) tag_add(&list, interpreter, S("none"), S("any"));
    for (int32_t i = 0; i < minor + 2; i++)
        tag_add(&list, python_tag(arena, input->major, minor, i), S("none"), S("any"));
    return tags_of_list(arena, list.items.data, (int32_t)list.items.len);
}

struct tags tags_of_list(struct arena *arena, const struct str *items, int32_t len) {
    struct tags tags = {.items = items, .len = len > TAGS_MAX ? TAGS_MAX : len};
    for (int32_t i = 0; i < tags.len; i++)
        if (map_find(&tags.rank, items[i]) < 0) map_add(arena, &tags.rank, items[i], i);
    return tags;
}

/* Machines for which manylinux tags exist (PEP 600 and the platforms added to it). */
static bool has_manylinux(struct str machine) {
    static const struct str machines[] = {
        S_INIT("x86_64"), S_INIT("i686"),    S_INIT("aarch64"), S_INIT("armv7l"),      S_INIT("armv8l"),
        S_INIT("ppc64"),  S_INIT("ppc64le"), S_INIT("s390x"),   S_INIT("loongarch64"), S_INIT("riscv64"),
    };
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (str_eq(machines[i], machine)) return true;
    return false;
}

static void platform_push(struct list *list, struct str platform) {
    *vec_push(list->arena, &list->items) = platform;
}

/* Every manylinux tag from glibc 2.`minor` down, each followed by its old name. */
static void manylinux_add(struct list *list, int32_t minor, struct str machine) {
    bool x86 = str_eq(machine, S("x86_64")) || str_eq(machine, S("i686"));
    if (!has_manylinux(machine)) return;
    for (; minor >= (x86 ? 5 : 17); minor--) {
        platform_push(list, str_format(list->arena, "manylinux_2_%d_%.*s", minor, FMT(machine)));
        const char *old = minor == 17 ? "2014" : minor == 12 ? "2010" : minor == 5 ? "1" : NULL;
        if (old) platform_push(list, str_format(list->arena, "manylinux%s_%.*s", old, FMT(machine)));
    }
}

static void musllinux_add(struct list *list, int32_t minor, struct str machine) {
    for (; minor >= 0; minor--)
        platform_push(list, str_format(list->arena, "musllinux_1_%d_%.*s", minor, FMT(machine)));
}

static void linux_add(struct list *list, int32_t glibc_minor, struct str machine) {
    /* A 64-bit ARM in 32-bit mode runs what was built for the generation before. */
    int count = str_eq(machine, S("armv8l")) ? 2 : 1;
    struct str machines[] = {machine, S("armv7l")};
    for (int i = 0; i < count; i++) platform_push(list, str_format(list->arena, "linux_%.*s", FMT(machines[i])));
    for (int i = 0; i < count && glibc_minor >= 0; i++) manylinux_add(list, glibc_minor, machines[i]);
}

/* "2_28_x86_64" behind a prefix: the minor version and the machine. */
static bool minor_cut(struct str rest, struct str prefix, int32_t *minor, struct str *machine) {
    int64_t number;
    if (!str_starts(rest, prefix)) return false;
    rest = str_from(rest, prefix.len);
    if (!str_to_int(str_cut(&rest, '_'), &number) || rest.len == 0) return false;
    *minor = number > TAGS_VERSION_MAX ? TAGS_VERSION_MAX : (int32_t)number;
    *machine = rest;
    return true;
}

static bool platform_add(struct list *list, struct str platform, int32_t glibc_minor) {
    static const struct {
        struct str prefix;
        int32_t minor;
    } old[] = {{S_INIT("manylinux2014_"), 17}, {S_INIT("manylinux2010_"), 12}, {S_INIT("manylinux1_"), 5}};
    struct str machine;
    int32_t minor;
    if (minor_cut(platform, S("manylinux_2_"), &minor, &machine)) {
        manylinux_add(list, minor, machine);
    } else if (minor_cut(platform, S("musllinux_1_"), &minor, &machine)) {
        musllinux_add(list, minor, machine);
    } else if (str_starts(platform, S("linux_")) && platform.len > 6) {
        linux_add(list, glibc_minor > TAGS_VERSION_MAX ? TAGS_VERSION_MAX : glibc_minor, str_from(platform, 6));
    }
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (str_starts(platform, old[i].prefix))
            manylinux_add(list, old[i].minor, str_from(platform, old[i].prefix.len));
    return list->items.len > 0;
}

struct err *tags_platforms_make(struct arena *arena, struct str platform, int32_t glibc_minor, const struct str **ret,
                                int32_t *ret_len) {
    struct list list = {.arena = arena};
    char *data = str_copy_z(arena, str_trim(platform));
    struct str text = str_of(data);
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (data[i] == '-' || data[i] == '.' || data[i] == ' ') data[i] = '_';
    if (!platform_add(&list, text, glibc_minor)) {
        struct err *err = err_make(arena, ERR_USAGE, "unknown platform \"%.*s\"", FMT(str_slice(text, 0, 80)));
        return err_hint(arena, err, "name it like linux_x86_64, manylinux_2_28_x86_64 or musllinux_1_2_aarch64");
    }
    *ret = list.items.data;
    *ret_len = (int32_t)list.items.len;
    return NULL;
}
