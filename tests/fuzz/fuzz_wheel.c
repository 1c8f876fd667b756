/*
 * A wheel: its file name up to the first NUL, then files (input_fs.h), packed into a good archive with a RECORD that
 * fits unless one is among them. What is accepted goes nowhere but below the directories of the scheme.
 */
#include "base/buf.h"
#include "input_fs.h"
#include "os/digest.h"
#include "stage/wheel_layout.h"

#include <assert.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct packer {
    struct buf out, directory;
    uint32_t len;
};

static void add_number(struct buf *buf, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) buf_add_char(buf, (char)(value >> (8 * i) & 0xFF));
}

/* What the local header and the directory have in common. */
static void add_common(struct buf *buf, struct str name, struct str text) {
    uint32_t crc = libdeflate_crc32(0, text.len ? text.data : "", (size_t)text.len);
    add_number(buf, 1 << 11, 2); /* UTF-8 */
    add_number(buf, 0, 6);
    add_number(buf, crc, 4);
    add_number(buf, (uint64_t)text.len, 4);
    add_number(buf, (uint64_t)text.len, 4);
    add_number(buf, (uint64_t)name.len, 2);
    add_number(buf, 0, 2);
}

static void add_entry(struct packer *packer, struct str name, struct str text) {
    uint64_t offset = (uint64_t)packer->out.len;
    add_number(&packer->out, 0x04034b50, 4);
    add_number(&packer->out, 20, 2);
    add_common(&packer->out, name, text);
    buf_add(&packer->out, name);
    buf_add(&packer->out, text);
    add_number(&packer->directory, 0x02014b50, 4);
    add_number(&packer->directory, 0x00140314, 4);
    add_common(&packer->directory, name, text);
    add_number(&packer->directory, 0, 6);
    add_number(&packer->directory, UINT64_C(0100755) << 16, 4);
    add_number(&packer->directory, offset, 4);
    buf_add(&packer->directory, name);
    packer->len++;
}

/* A row for each file, and one for RECORD itself. */
static struct str record_of(struct arena *arena, const struct input_fs *input, struct str record) {
    struct record_row *rows = arena_new(arena, struct record_row, input->fake.len + 1);
    for (int i = 0; i < input->fake.len; i++) {
        struct str text = input->files[i].text;
        rows[i] =
            (struct record_row){str_of(input->files[i].path), RECORD_SHA256, digest_make(arena, text, 32), text.len};
    }
    rows[input->fake.len] = (struct record_row){.path = record, .size = -1};
    return record_format(arena, rows, input->fake.len + 1);
}

static struct str pack(struct arena *arena, const struct input_fs *input) {
    struct packer packer = {.out = {.arena = arena}, .directory = {.arena = arena}};
    struct str record = {0};
    bool has_record = false;
    for (int i = 0; i < input->fake.len; i++) {
        struct str name = str_of(input->files[i].path), first = name;
        first = str_cut(&first, '/');
        if (str_ends(first, S(".dist-info"))) record = path_join(arena, first, S("RECORD"));
        has_record |= str_ends(name, S("/RECORD"));
        add_entry(&packer, name, input->files[i].text);
    }
    if (!has_record && record.len) add_entry(&packer, record, record_of(arena, input, record));
    uint64_t start = (uint64_t)packer.out.len;
    buf_add(&packer.out, buf_str(&packer.directory));
    add_number(&packer.out, 0x06054b50, 4);
    add_number(&packer.out, 0, 4);
    add_number(&packer.out, packer.len, 2);
    add_number(&packer.out, packer.len, 2);
    add_number(&packer.out, (uint64_t)packer.directory.len, 4);
    add_number(&packer.out, start, 4);
    add_number(&packer.out, 0, 2);
    return buf_str(&packer.out);
}

static void look(struct arena *arena, const struct wheel *wheel) {
    const struct scheme scheme = {.purelib = S("/v/lib/p/site-packages"),
                                  .platlib = S("/v/lib/p/site-packages"),
                                  .scripts = S("/v/bin"),
                                  .data = S("/v"),
                                  .headers = S("/v/include"),
                                  .python = S("/v/bin/python"),
                                  .python_major = 3,
                                  .python_minor = 12};
    const struct wheel_options options = {.requested = true};
    const struct str *names;
    int32_t len;
    struct wheel_layout layout;
    wheel_top_level(arena, wheel, &names, &len);
    if (wheel_layout_make(arena, wheel, &scheme, &options, &layout)) return;
    for (int32_t i = 0; i < layout.len; i++) {
        struct str target = layout.files[i].target;
        assert(str_starts(target, S("/v/")) && str_eq(path_normalize(arena, S("/"), target), target));
        assert(!str_eq(target, S("/v/bin/python")) && !str_eq(target, S("/v/bin/python3")));
        assert(i == 0 || str_cmp(layout.files[i - 1].target, target) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_open();
    struct input_fs input;
    struct str rest = {(const char *)data, (ptrdiff_t)size}, filename = str_cut(&rest, '\0');
    (void)input_fs_make(arena, S(""), rest, &input);
    struct str bytes = pack(arena, &input);
    int fd = memfd_create("wheel", MFD_CLOEXEC);
    bool written = fd >= 0 && write(fd, bytes.data, (size_t)bytes.len) == bytes.len;
    struct str path = str_format(arena, "/proc/self/fd/%d", fd);
    for (int rebuild = 0; written && rebuild < 2; rebuild++) {
        const struct wheel_terms terms = {.rebuild_record = rebuild};
        struct wheel wheel;
        if (wheel_open(arena, path, filename, &terms, &wheel)) continue;
        look(arena, &wheel);
        wheel_close(&wheel);
    }
    if (fd >= 0) (void)close(fd);
    arena_close(arena);
    return 0;
}
