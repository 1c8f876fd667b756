#include "stage/apply_parts.h"

#include "base/buf.h"

enum { OUTPUT_MAX = 1 << 20, COMPILE_TIMEOUT_MS = 600000 };

/*
 * Compiles each file whose path stands on standard input, on all processors. Isolated: nothing that was installed runs.
 * What does not compile (templates, code for other Pythons) is left out, as pip does; a file is written beside its
 * place and renamed. Prints how many were compiled.
 */
static const char script[] = "import os, py_compile, sys\n"
                             "def one(path):\n"
                             "    try:\n"
                             "        return py_compile.compile(path, doraise=True) is not None\n"
                             "    except Exception:\n"
                             "        return False\n"
                             "paths = [os.fsdecode(p) for p in sys.stdin.buffer.read().split(b'\\0') if p]\n"
                             "cpus = min(len(os.sched_getaffinity(0)), 8)\n"
                             "done = None\n"
                             "if cpus > 1 and len(paths) > 100:\n"
                             "    try:\n"
                             "        from multiprocessing import get_context\n"
                             "        with get_context('fork').Pool(cpus) as pool:\n"
                             "            done = sum(pool.map(one, paths, 32))\n"
                             "    except (ImportError, OSError, ValueError):\n"
                             "        done = None\n"
                             "if done is None:\n"
                             "    done = sum(map(one, paths))\n"
                             "print(done)\n";

void compile_try(struct arena *arena, const struct apply_input *input, const struct transaction_op *ops, int32_t len) {
    struct buf paths = {.arena = arena};
    for (int32_t i = 0; i < len; i++) {
        if (ops[i].kind != TRANSACTION_PUT || !str_ends(ops[i].path, S(".py"))) continue;
        buf_add(&paths, ops[i].path);
        buf_add_char(&paths, '\0');
    }
    if (paths.len == 0) return;
    struct str argv[] = {
        input->plan->env->python, S("-I"), S("-S"), S("-B"), S("-W"), S("ignore"), S("-c"), str_of(script)};
    struct proc_result result;
    struct proc_call call = {.argv = argv,
                             .argv_len = sizeof argv / sizeof *argv,
                             .input = buf_str(&paths),
                             .directory = S("/"),
                             .output_max = OUTPUT_MAX,
                             .timeout_ms = COMPILE_TIMEOUT_MS};
    /* Whatever goes wrong: Python compiles what it imports by itself. */
    struct err *err = proc_run(input->proc, arena, &call, &result);
    (void)err;
}
