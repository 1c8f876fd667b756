#include "stage/advisory.h"

#include "base/arena.h"
#include "stage/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* One entry of the catalog: what triggers it, and what is nearly the same and does not. Words are name=version; a `*`
 * behind a word: this distribution changes. */
static const struct {
    const char *id;
    const char *ngc;   /* "" for none */
    bool vendor_torch; /* the installed torch is a vendor build */
    const char *triggers, *spares;
} cases[] = {
    {"ADV-001", "", false, "nvidia-modelopt=0.25.0 transformers=4.50.0", "nvidia-modelopt=0.27.0 transformers=4.50.0"},
    {"ADV-002", "", false, "nvidia-modelopt=0.33.1 transformers=4.56.0", "nvidia-modelopt=0.33.1 transformers=4.55.4"},
    {"ADV-003", "", false, "nvidia-modelopt=0.27.1 transformers=4.51.0", "nvidia-modelopt=0.27.1 transformers=4.50.3"},
    {"ADV-004", "", false, "nvidia-modelopt=0.31.0 transformers=4.52.1", "nvidia-modelopt=0.33.0 transformers=4.52.1"},
    {"ADV-005", "", false, "nvidia-modelopt=0.33.1 transformers=4.54.0", "nvidia-modelopt=0.35.0 transformers=4.54.0"},
    {"ADV-006", "", false, "nvidia-modelopt=0.35.0 transformers=4.56.1", "nvidia-modelopt=0.37.0 transformers=4.56.1"},
    {"ADV-007", "", false, "nvidia-modelopt=0.37.0 transformers=4.57.0", "nvidia-modelopt=0.37.0 transformers=4.56.2"},
    {"ADV-008", "", false, "nvidia-modelopt=0.43.0 transformers=5.0.0", "nvidia-modelopt=0.44.0 transformers=5.0.0"},
    {"ADV-009", "", false, "nvidia-modelopt=0.44.0 transformers=5.6.0", "nvidia-modelopt=0.45.0 transformers=5.6.0"},
    {"ADV-010", "", false, "nvidia-modelopt=0.46.0 transformers=4.56.2", "nvidia-modelopt=0.46.0 transformers=4.57.0"},
    {"ADV-011", "", false, "nvidia-modelopt=0.45.0 transformers=5.12.0", "nvidia-modelopt=0.46.0 transformers=5.12.0"},
    {"ADV-012", "", false, "nvidia-modelopt=0.44.0 numpy=2.0.0", "nvidia-modelopt=0.44.0 numpy=1.26.4"},
    {"ADV-013", "", false, "nvidia-modelopt=0.40.0 onnx=1.19.0", "nvidia-modelopt=0.40.0 onnx=1.18.0"},
    {"ADV-014", "", false, "nvidia-modelopt=0.27.1 transformers=4.50.0", "nvidia-modelopt=0.29.0 transformers=4.50.0"},
    {"ADV-015", "", false, "nvidia-modelopt=0.35.0 nvidia-modelopt-core=0.33.1",
     "nvidia-modelopt=0.33.1 nvidia-modelopt-core=0.33.1"},
    {"ADV-020", "24.11", true, "torch=2.6.0a0+df5bbc09d1.nv24.11 transformers=4.52.0",
     "torch=2.7.0a0+79aa17489c.nv25.4 transformers=4.52.0"},
    {"ADV-022", "25.04", true, "torch=2.7.0* vllm=0.8.0", "torch=2.7.0* vllm=0.9.0*"},
    {"ADV-023", "", false, "torch=2.7.0* transformer-engine=2.2.0", "torch=2.7.0 transformer-engine=2.2.0"},
    {"ADV-024", "", false, "torch=2.7.0* torchvision=0.21.0", "torch=2.7.0* torchvision=0.22.0*"},
    {"ADV-025", "", false, "flash-attn=2.7.4.post1 torch=2.7.0", "flash-attn=2.7.4.post1 torch=2.6.0"},
    {"ADV-026", "", false, "flash-attn=2.8.2 torch=2.6.0", "flash-attn=2.8.3 torch=2.6.0"},
    {"ADV-027", "23.12", true, "flash-attn=2.7.3* torch=2.2.0a0+81ea7a4", "flash-attn=2.0.4 torch=2.2.0a0+81ea7a4"},
    {"ADV-028", "", false, "apex=0.1 torch=2.7.0*", "apex=0.1 torch=2.7.0"},
    {"ADV-029", "25.04", true, "torch-tensorrt=2.7.0* torch=2.7.0a0", "torch-tensorrt=2.7.0a0 torch=2.7.0a0"},
    {"ADV-030", "25.04", true, "tensorrt-llm=0.18.0 torch=2.7.0a0", "tensorrt=10.9.0.34 torch=2.7.0a0"},
    {"ADV-031", "", false, "torchao=0.13.0 torch=2.9.0", "torchao=0.13.0 torch=2.8.0"},
    {"ADV-032", "", false, "torchao=0.15.0 torch=2.7.1", "torchao=0.15.0 torch=2.8.0"},
    {"ADV-033", "", false, "torchao=0.16.0 torch=2.9.1", "torchao=0.16.0 torch=2.10.0"},
    {"ADV-034", "", false, "natten=0.17.5 torch=2.8.0", "natten=0.17.5 torch=2.7.1"},
    {"ADV-035", "", false, "bitsandbytes=0.45.0 triton=3.2.0", "bitsandbytes=0.45.1 triton=3.2.0"},
    {"ADV-036", "25.06", true, "triton=3.4.0 torch=2.8.0a0+5228986c39.nv25.6",
     "triton=3.3.1 torch=2.8.0a0+5228986c39.nv25.6"},
    {"ADV-041", "25.04", false, "nvidia-cudnn-cu13=9.20.0.48 torch=2.12.0", "nvidia-cudnn-cu13=9.20.0.48 torch=2.11.0"},
    {"ADV-045", "25.04", true, "numpy=2.0.0 torch=2.7.0a0+79aa17489c.nv25.4",
     "numpy=1.26.4 torch=2.7.0a0+79aa17489c.nv25.4"},
    {"ADV-046", "", false, "torch=2.2.2 numpy=2.0.0", "torch=2.3.0 numpy=2.0.0"},
    {"ADV-050", "", false, "tensorboard=2.20.0 setuptools=82.0.0", "tensorboard=2.20.0 setuptools=81.0.0"},
    {"ADV-053", "", false, "peft=0.17.1 transformers=5.0.0", "peft=0.18.0 transformers=5.0.0"},
    {"ADV-054", "", false, "peft=0.14.0 transformers=4.41.2", "peft=0.14.0 transformers=4.46.3"},
    {"ADV-055", "", false, "onnx=1.19.0 ml-dtypes=0.4.1", "onnx=1.19.1 ml-dtypes=0.4.1"},
    {"ADV-056", "", false, "onnxruntime=1.24.1 onnx=1.18.0", "onnxruntime=1.24.1 onnx=1.19.0"},
    {"ADV-057", "", false, "cuda-bindings=13.0.0 nemo-toolkit=2.4.0", "cuda-bindings=12.9.0 nemo-toolkit=2.4.0"},
    {"ADV-059", "24.10", false, "opencv-python=4.10.0.84", "opencv-python=4.8.0.74"},
    {"ADV-060", "", false, "pynvml=11.5.3 nvidia-ml-py=12.570.86", "pynvml=12.0.0 nvidia-ml-py=12.570.86"},
    {"ADV-061", "", false, "opencv-python=4.11.0.86 opencv-python-headless=4.11.0.86", "opencv-python=4.11.0.86"},
    {"ADV-062", "", false, "datasets=1.1.1 pyarrow=21.0.0", "datasets=2.0.0 pyarrow=21.0.0"},
    {"ADV-064", "", false, "torch=2.5.1", "torch=2.6.0"},
    {"ADV-065", "", false, "transformers=5.2.0 kernels=0.12.0", "transformers=5.3.0 kernels=0.12.0"},
    {"ADV-080", "", false, "opencv=4.10.0 opencv-python=4.11.0.86", "opencv=4.10.0"},
    {"ADV-081", "", false, "opencv=4.10.0 opencv-python-headless=4.11.0.86", "opencv=4.10.0"},
    {"ADV-082", "", false, "opencv=4.10.0 opencv-contrib-python=4.11.0.86", "opencv=4.10.0"},
    {"ADV-083", "", false, "opencv=4.10.0 opencv-contrib-python-headless=4.11.0.86", "opencv=4.10.0"},
    {"ADV-084", "", false, "pytorch-triton=3.2.0 triton=3.2.0", "pytorch-triton=3.2.0"},
    {"ADV-085", "", false, "cupy-cuda12x=13.3.0 cupy-cuda13x=13.6.0", "cupy-cuda12x=13.3.0"},
    {"ADV-086", "", false, "cudf=25.2.0 cudf-cu12=25.2.0", "cudf=25.2.0"},
    {"ADV-087", "", false, "torchaudio=2.11.0 torch=2.7.0a0+79aa17489c.nv25.4", "torchaudio=2.11.0 torch=2.11.0"},
};

enum { CASES = sizeof cases / sizeof *cases, DISTS_MAX = 8 };

/* The environment that decides which advisories apply: its NGC release, and whether torch is the vendor's. */
static struct environment environment_of(struct arena *arena, const char *ngc, bool vendor_torch) {
    struct environment env = {.ngc = str_of(ngc), .image_date = INT64_MIN};
    struct dist *torch = arena_new(arena, struct dist, 1);
    *torch = (struct dist){.name = S("torch"), .raw_name = S("torch"), .vendor = vendor_torch ? VENDOR_LISTED : 0};
    assert_true(version_try_parse(arena, S("2.7.0a0"), &torch->version));
    environment_seal(arena, &env, torch, 1);
    return env;
}

static bool is_triggered(struct arena *arena, const struct advisories *advisories, const char *id, const char *words) {
    struct check_dist dists[DISTS_MAX] = {0};
    struct map changed = {0};
    int32_t len = 0;
    struct str rest = str_of(words);
    while (rest.len) {
        struct str word = str_cut(&rest, ' ');
        bool changes = str_ends(word, S("*"));
        if (changes) word = str_slice(word, 0, word.len - 1);
        struct check_dist *dist = &dists[len++];
        dist->name = str_cut(&word, '=');
        dist->version_valid = version_try_parse(arena, word, &dist->version);
        assert_true(dist->version_valid);
        if (changes) map_add(arena, &changed, dist->name, 0);
    }
    const struct advisory *const *found;
    int32_t found_len;
    check_advisories(arena, advisories, dists, len, &changed, &found, &found_len);
    for (int32_t i = 0; i < found_len; i++)
        if (str_eq(found[i]->id, str_of(id))) return true;
    return false;
}

static struct advisories read_all(struct arena *arena, const struct environment *env) {
    struct advisories advisories;
    struct err *err = advisories_read(arena, fs_real(), S(UNPIN_CATALOG_DIR "/advisories"), env, &advisories);
    if (err) fail_msg("%.*s", FMT(err_format(arena, err)));
    return advisories;
}

static void test_every_entry(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        struct arena *arena = arena_open();
        struct environment env = environment_of(arena, cases[i].ngc, cases[i].vendor_torch);
        struct advisories advisories = read_all(arena, &env);
        if (!is_triggered(arena, &advisories, cases[i].id, cases[i].triggers))
            fail_msg("%s is not triggered by %s", cases[i].id, cases[i].triggers);
        if (is_triggered(arena, &advisories, cases[i].id, cases[i].spares))
            fail_msg("%s is triggered by %s", cases[i].id, cases[i].spares);
        arena_close(arena);
    }
}

/* An entry that no case is about would go untested. */
static void test_no_entry_is_left_out(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    struct str *names;
    int32_t len, entries = 0;
    assert_null(fs_list(fs_real(), arena, S(UNPIN_CATALOG_DIR "/advisories"), &names, &len));
    for (int32_t i = 0; i < len; i++) {
        if (!str_ends(names[i], S(".json"))) continue;
        bool found = false;
        for (int k = 0; k < CASES && !found; k++)
            found = str_eq(str_slice(names[i], 0, names[i].len - 5), str_of(cases[k].id));
        if (!found) fail_msg("no case for %.*s", FMT(names[i]));
        entries++;
    }
    assert_int_equal(entries, CASES);
    arena_close(arena);
}

static bool applies(struct arena *arena, const char *ngc, bool vendor_torch, const char *id) {
    struct environment env = environment_of(arena, ngc, vendor_torch);
    struct advisories advisories = read_all(arena, &env);
    for (int32_t i = 0; i < advisories.len; i++)
        if (str_eq(advisories.items[i].id, str_of(id))) return true;
    return false;
}

static void test_conditions_on_the_environment(void **state) {
    (void)state;
    struct arena *arena = arena_open();
    assert_true(applies(arena, "25.04", true, "ADV-022"));
    assert_false(applies(arena, "25.04", false, "ADV-022"));
    assert_true(applies(arena, "25.08", false, "ADV-045"));
    assert_false(applies(arena, "25.09", false, "ADV-045"));
    assert_false(applies(arena, "", false, "ADV-045"));
    assert_true(applies(arena, "25.11", false, "ADV-041"));
    assert_false(applies(arena, "", false, "ADV-041"));
    assert_true(applies(arena, "25.06", false, "ADV-036"));
    assert_false(applies(arena, "25.07", false, "ADV-036"));
    arena_close(arena);
}

/* A file system of one directory with one file. */
static int one_read(void *self, struct arena *arena, const char *path, int64_t limit, struct str *ret) {
    (void)arena, (void)path, (void)limit;
    *ret = str_of(self);
    return 0;
}

static int one_list(void *self, struct arena *arena, const char *path, struct str **ret, int32_t *ret_len) {
    (void)self, (void)path;
    *ret = arena_new(arena, struct str, 1);
    **ret = S("x.json");
    *ret_len = 1;
    return 0;
}

static void test_broken_entries(void **state) {
    (void)state;
    static char texts[][120] = {
        "",
        "{}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"error\"}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"bad\",\"when\":[\"a\"]}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"info\",\"when\":[\"a=1\"]}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"info\",\"when\":[1]}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"info\",\"when\":[\"a\"],\"on_change\":[\"-\"]}",
        "{\"id\":\"A\",\"symptom\":\"s\",\"severity\":\"info\",\"when\":[\"a\"],\"environment\":{\"os\":\"x\"}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena *arena = arena_open();
        struct environment env = environment_of(arena, "", false);
        struct fs fs = {.self = texts[i], .read_file = one_read, .list_dir = one_list};
        struct advisories advisories;
        struct err *err = advisories_read(arena, &fs, S("dir"), &env, &advisories);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_CONFIG);
        assert_true(str_eq(err->file, S("dir/x.json")));
        arena_close(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry),
        cmocka_unit_test(test_no_entry_is_left_out),
        cmocka_unit_test(test_conditions_on_the_environment),
        cmocka_unit_test(test_broken_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
