#include "stage/scan_facts.h"

#include "base/arena.h"
#include "base/buf.h"
#include "os/mapping.h"

#include <sys/utsname.h>
#include <unistd.h>

#define FACTS_BEGIN                                                                                                    \
    S("unpin-facts\0"                                                                                                  \
      "1\0")
#define FACTS_END                                                                                                      \
    S("end\0"                                                                                                          \
      "1\0")

/*
 * Runs under `-I -S -B` and prints key NUL value NUL. `-S` leaves out site processing, which would run the code of .pth
 * files, sitecustomize and usercustomize; so the virtual environment and the site directories are worked out here as
 * site.py does it (Debian's changed getsitepackages included). sys.prefix has to be right before sysconfig is imported.
 */
static const char script_places[] =
    "import sys, os\n"
    "if sys.version_info < (3, 8):\n"
    "    sys.exit('Python %d.%d is too old' % sys.version_info[:2])\n"
    "facts = [('unpin-facts', '1')]\n"
    "def say(key, value):\n"
    "    facts.append((key, '' if value is None else str(value)))\n"
    "def config(folder):\n"
    "    path, found = os.path.join(folder, 'pyvenv.cfg'), {'': ''}\n"
    "    if not os.path.isfile(path):\n"
    "        return {}\n"
    "    for line in open(path, encoding='utf-8', errors='surrogateescape'):\n"
    "        key, _, value = line.partition('=')\n"
    "        found[key.strip().lower()] = value.strip()\n"
    "    return found\n"
    "executable = base_python = os.path.abspath(sys.executable)\n"
    "here = os.path.dirname(executable)\n"
    "prefix = os.path.dirname(here)\n"
    "cfg = config(here) or config(prefix)\n"
    "in_venv = bool(cfg)\n"
    "system_too = not in_venv or cfg.get('include-system-site-packages', '').lower() == 'true'\n"
    "if in_venv:\n"
    "    names = (os.path.basename(os.path.realpath(executable)), 'python%d.%d' % sys.version_info[:2], 'python3')\n"
    "    for path in [cfg.get('executable', '')] + [os.path.join(cfg.get('home', ''), name) for name in names]:\n"
    "        if os.path.isfile(path):\n"
    "            base_python = path\n"
    "            break\n"
    "lower = prefix if in_venv else sys.prefix\n"
    "say('lock_source', cfg.get('unpin-lock-source', ''))\n"
    "if len(sys.argv) > 1:\n" /* a layer that is not made yet: it will say so itself */
    "    cfg = {'unpin-layer-of': executable, 'extends-environment': prefix if in_venv else ''}\n"
    "    in_venv, prefix = True, sys.argv[1]\n"
    "if in_venv:\n"
    "    sys.prefix = sys.exec_prefix = prefix\n"
    "say('layer_of', cfg.get('unpin-layer-of', ''))\n"
    "say('below_prefix', lower)\n"
    "say('base_python', base_python)\n"
    "below = []\n"
    "while cfg.get('extends-environment') and len(below) < 16:\n"
    "    below.append(cfg['extends-environment'])\n"
    "    cfg = config(below[-1])\n"
    "import site, sysconfig, struct\n"
    "sites = []\n"
    "stdlib = [os.path.abspath(p) for p in sys.path]\n"
    "for path in os.environ.get('PYTHONPATH', '').split(os.pathsep):\n"
    "    if path:\n"
    "        sites.append(('pythonpath', os.path.abspath(path)))\n"
    "user_ok = system_too and not os.environ.get('PYTHONNOUSERSITE')\n"
    "user_ok = user_ok and os.getuid() == os.geteuid() and os.getgid() == os.getegid()\n"
    "if in_venv:\n"
    "    sites += [('site', p) for p in site.getsitepackages([sys.prefix])]\n"
    "for folder in below:\n"
    "    sites += [('site', p) for p in site.getsitepackages([folder])]\n"
    "for folder in below[:1]:\n"
    "    facts += [('below', p) for p in site.getsitepackages([folder])]\n"
    "if user_ok:\n"
    "    sites.append(('user', site.getusersitepackages()))\n"
    "if system_too:\n"
    "    if in_venv:\n"
    "        venv_prefix, sys.prefix, sys.exec_prefix = sys.prefix, sys.base_prefix, sys.base_exec_prefix\n"
    "    bases = [sys.base_prefix, sys.base_exec_prefix]\n"
    "    sites += [('site', p) for p in site.getsitepackages(bases)]\n"
    "    if in_venv:\n"
    "        sys.prefix = sys.exec_prefix = venv_prefix\n"
    "seen = set(stdlib)\n"
    "for kind, path in sites:\n"
    "    if path not in seen:\n"
    "        seen.add(path)\n"
    "        say(kind, path)\n"
    "say('prefix', sys.prefix)\n"
    "say('base_prefix', sys.base_prefix)\n"
    "say('in_venv', int(in_venv))\n"
    "say('system_too', int(system_too))\n"
    "paths = None\n"
    "if sys.version_info >= (3, 10):\n"
    "    paths = sysconfig.get_paths(sysconfig.get_preferred_scheme('prefix'))\n"
    "    headers = paths['include']\n"
    "else:\n"
    "    try:\n"
    "        from distutils.dist import Distribution\n"
    "        command = Distribution({'name': 'x'}).get_command_obj('install', create=True)\n"
    "        command.finalize_options()\n"
    "        paths = {k: getattr(command, 'install_' + k) for k in ('purelib', 'platlib', 'scripts', 'data')}\n"
    "        headers = os.path.dirname(command.install_headers)\n"
    "    except ImportError:\n"
    "        paths = sysconfig.get_paths()\n"
    "        headers = paths['include']\n"
    "if in_venv:\n"
    "    headers = os.path.join(sys.prefix, 'include', 'site', 'python%d.%d' % sys.version_info[:2])\n"
    "for key in ('purelib', 'platlib', 'scripts', 'data'):\n"
    "    say(key, paths[key])\n"
    "say('headers', headers)\n"
    "say('stdlib', sysconfig.get_path('stdlib'))\n"
    "uname = os.uname()\n";
static const char script_values[] =
    "full = '%d.%d.%d' % sys.version_info[:3]\n"
    "if sys.version_info[3] != 'final':\n"
    "    full += sys.version_info[3][0] + str(sys.version_info[4])\n"
    "import platform\n"
    "info = sys.implementation.version\n"
    "implementation = '%d.%d.%d' % info[:3]\n"
    "if info[3] != 'final':\n"
    "    implementation += info[3][0] + str(info[4])\n"
    "say('os_name', os.name)\n"
    "say('sys_platform', sys.platform)\n"
    "say('platform_machine', platform.machine())\n"
    "say('platform_python_implementation', platform.python_implementation())\n"
    "say('platform_release', platform.release())\n"
    "say('platform_system', platform.system())\n"
    "say('platform_version', platform.version())\n"
    "say('python_version', '.'.join(platform.python_version_tuple()[:2]))\n"
    "say('python_full_version', platform.python_version())\n"
    "say('implementation_name', sys.implementation.name)\n"
    "say('implementation_version', implementation)\n"
    "say('major', sys.version_info[0])\n"
    "say('minor', sys.version_info[1])\n"
    "nodot = '%d%d' % sys.version_info[:2]\n"
    "if sys.implementation.name == 'cpython':\n"
    "    say('tag', 'cp')\n"
    "    debug = sysconfig.get_config_var('Py_DEBUG')\n"
    "    if debug is None:\n"
    "        debug = hasattr(sys, 'gettotalrefcount')\n"
    "    free = sys.version_info >= (3, 13) and sysconfig.get_config_var('Py_GIL_DISABLED')\n"
    "    threading = 't' if free else ''\n"
    "    say('abi', 'cp' + nodot + threading + ('d' if debug else ''))\n"
    "    if debug:\n"
    "        say('abi', 'cp' + nodot + threading)\n"
    "else:\n"
    "    say('tag', {'pypy': 'pp'}.get(sys.implementation.name, sys.implementation.name))\n"
    "    parts = (sysconfig.get_config_var('SOABI') or '').split('-')\n"
    "    say('abi', '_'.join(parts[:2]) if parts[0].startswith('pypy') else '_'.join(parts))\n"
    "arch = sysconfig.get_platform()\n"
    "arch = arch[6:] if arch.startswith('linux-') else uname.machine\n"
    "if struct.calcsize('P') == 4:\n"
    "    arch = {'x86_64': 'i686', 'aarch64': 'armv8l'}.get(arch, arch)\n"
    "say('arch', arch.replace('-', '_').replace('.', '_'))\n"
    "try:\n"
    "    libc = (os.confstr('CS_GNU_LIBC_VERSION') or '').split()\n"
    "except (AttributeError, ValueError, OSError):\n"
    "    libc = []\n"
    "if len(libc) == 2 and libc[0] == 'glibc':\n"
    "    say('glibc', libc[1])\n"
    "else:\n"
    "    import glob, subprocess\n"
    "    for loader in sorted(glob.glob('/lib/ld-musl-*.so.1')):\n"
    "        text = subprocess.run([loader], stderr=subprocess.PIPE, universal_newlines=True).stderr\n"
    "        for line in text.splitlines():\n"
    "            if line.startswith('Version '):\n"
    "                say('musl', line[8:].strip())\n"
    "facts.append(('end', '1'))\n"
    "out = b''.join(os.fsencode(part) + b'\\0' for fact in facts for part in fact)\n"
    "sys.stdout.buffer.write(out)\n";

/* In two halves because compilers need not take longer literals. */
static struct str script_text(struct arena *arena) {
    return str_format(arena, "%s%s", script_places, script_values);
}

/* Variables that the script or the start of the interpreter need. */
static const char *const passed_variables[] = {
    "PATH", "HOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "LD_LIBRARY_PATH", "LANG", "LC_ALL"};
enum {
    PASSED_VARIABLES = sizeof passed_variables / sizeof *passed_variables,
    CACHE_FORMAT = 3,
    CONFIG_MAX = 64 << 10,
    BELOW_MAX = 16
};

struct err *scan_facts_parse(struct arena *arena, struct str text, struct scan_facts *ret) {
    if (!str_starts(text, FACTS_BEGIN) || !str_ends(text, FACTS_END))
        return err_make(arena, ERR_MALFORMED, "what answers is no interpreter of Python");
    VEC(struct str) keys = {0}, values = {0};
    struct str rest = text;
    while (rest.len) {
        *vec_push(arena, &keys) = str_cut(&rest, '\0');
        *vec_push(arena, &values) = str_cut(&rest, '\0');
    }
    *ret = (struct scan_facts){text, keys.data, values.data, (int32_t)keys.len};
    return NULL;
}

struct str scan_facts_find(const struct scan_facts *facts, struct str key) {
    for (int32_t i = 0; i < facts->len; i++)
        if (str_eq(facts->keys[i], key)) return facts->values[i];
    return (struct str){0};
}

const struct str *scan_facts_all(struct arena *arena, const struct scan_facts *facts, struct str key,
                                 int32_t *ret_len) {
    VEC(struct str) found = {0};
    for (int32_t i = 0; i < facts->len; i++)
        if (str_eq(facts->keys[i], key)) *vec_push(arena, &found) = facts->values[i];
    *ret_len = (int32_t)found.len;
    return found.data;
}

static void identity_add(struct buf *key, const struct fs *fs, struct str path) {
    struct fs_stat st;
    if (fs_stat(fs, key->arena, path, true, &st) != NULL) st = (struct fs_stat){0};
    buf_addf(key, "%.*s %d %lld %lld %lld %lld\n", FMT(path), st.exists, (long long)st.device, (long long)st.inode,
             (long long)st.size, (long long)st.mtime_ns);
}

/* The same of a program: where its links lead decides where it looks for its library. */
static void program_add(struct buf *key, const struct fs *fs, struct str path) {
    struct str real = {0};
    if (path_resolve(key->arena, path, &real) != NULL) real = path;
    if (!str_eq(real, path)) buf_addf(key, "%.*s is ", FMT(path));
    identity_add(key, fs, real);
}

/* By what it says: an environment that is made anew like one before has the same answer. */
static struct str config_add(struct buf *key, const struct fs *fs, struct str path) {
    struct str text = {0};
    bool found = false;
    if (fs_read_optional(fs, key->arena, path, CONFIG_MAX, &text, &found) != NULL) identity_add(key, fs, path);
    else if (!found) buf_addf(key, "%.*s is not there\n", FMT(path));
    else buf_addf(key, "%.*s of %td bytes:\n%.*s\n", FMT(path), text.len, FMT(text));
    return found ? text : (struct str){0};
}

/* The environment that a pyvenv.cfg extends; of several lines the last counts, as in the script. */
static struct str config_below(struct str text) {
    struct str line, below = {0};
    while (str_line(&text, &line)) {
        struct str key = str_trim(str_cut(&line, '='));
        if (str_eq_nocase(key, S("extends-environment"))) below = str_trim(line);
    }
    return below;
}

static void configs_add(struct buf *key, const struct fs *fs, struct str prefix) {
    struct str below = config_below(config_add(key, fs, path_join(key->arena, prefix, S("pyvenv.cfg"))));
    for (int i = 0; i < BELOW_MAX && below.len && str_find_char(below, '\0') < 0; i++) {
        if (below.data[0] != '/') below = path_join(key->arena, S("/"), below); /* where the script runs */
        below = config_below(config_add(key, fs, path_join(key->arena, below, S("pyvenv.cfg"))));
    }
}

/* The version of the C library is part of the answer; the loader changes with it. */
static void libc_add(struct buf *key, const struct fs *fs) {
    static const struct str loaders[] = {
        S_INIT("/lib64/ld-linux-x86-64.so.2"), S_INIT("/lib/ld-linux-aarch64.so.1"), S_INIT("/lib/ld-linux.so.2"),
        S_INIT("/lib/ld-musl-x86_64.so.1"),    S_INIT("/lib/ld-musl-aarch64.so.1"),
    };
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++) identity_add(key, fs, loaders[i]);
}

/* What can be known of it only from the answer itself. */
static struct str depends(struct arena *arena, const struct fs *fs, const struct scan_facts *facts) {
    static const struct str modules[] = {S_INIT("os.py"), S_INIT("site.py"), S_INIT("sysconfig.py"),
                                         S_INIT("sysconfig/__init__.py"), S_INIT("platform.py")};
    struct buf key = {.arena = arena};
    struct str base = scan_facts_find(facts, S("base_python")), stdlib = scan_facts_find(facts, S("stdlib"));
    if (base.len) program_add(&key, fs, base);
    for (size_t i = 0; stdlib.len && i < sizeof modules / sizeof *modules; i++)
        identity_add(&key, fs, path_join(arena, stdlib, modules[i]));
    return buf_str(&key);
}

/* All that the answer depends on, as far as it can be known before. */
static struct str identity(struct arena *arena, const struct fs *fs, struct str python, struct str into) {
    struct buf key = {.arena = arena};
    buf_addf(&key, "%.*s\n%d %016llx\n", FMT(into), CACHE_FORMAT, (unsigned long long)str_hash(script_text(arena)));
    struct str bin = str_slice(python, 0, str_find_last(python, '/'));
    struct str prefix = str_slice(bin, 0, str_find_last(bin, '/'));
    program_add(&key, fs, python);
    configs_add(&key, fs, bin);
    configs_add(&key, fs, prefix);
    libc_add(&key, fs);
    buf_addf(&key, "%lld %lld %lld %lld\n", (long long)getuid(), (long long)geteuid(), (long long)getgid(),
             (long long)getegid());
    for (int32_t i = 0; i < PASSED_VARIABLES; i++) {
        struct str variable;
        if (proc_variable(arena, passed_variables[i], &variable)) buf_addf(&key, "%.*s\n", FMT(variable));
    }
    struct utsname name;
    if (uname(&name) == 0) buf_addf(&key, "%s %s %s\n", name.release, name.version, name.machine);
    return buf_str(&key);
}

/* What an interpreter wrote to standard error, in one line: of a traceback the last one, else the first. */
static struct str telling_line(struct str error) {
    struct str trimmed = str_trim(error);
    if (str_find(trimmed, S("Traceback")) >= 0) return str_from(trimmed, str_find_last(trimmed, '\n') + 1);
    return str_cut(&trimmed, '\n');
}

static struct err *tell_silence(struct arena *arena, struct str python, const struct proc_result *result) {
    struct str line = telling_line(result->error), why;
    if (result->timed_out) why = str_format(arena, "nothing came for %d s", SCAN_TIMEOUT_MS / 1000);
    else if (result->too_much) why = S("it wrote too much");
    else why = str_format(arena, "status %d%s%.*s", result->status, line.len ? ": " : "", FMT(line));
    return err_hint(
        arena, err_make(arena, ERR_ENVIRONMENT, "the interpreter '%.*s' does not answer: %.*s", FMT(python), FMT(why)),
        "name another with --python PATH; Python 3.8 or newer is needed");
}

ERR_MUST_CHECK static struct err *ask(struct arena *arena, const struct proc *proc, struct str python, struct str into,
                                      struct str *ret) {
    struct str argv[] = {python, S("-I"), S("-S"), S("-B"), S("-"), into};
    struct str env[PASSED_VARIABLES];
    struct proc_call call = {.argv = argv,
                             .argv_len = into.len ? 6 : 5,
                             .env = env,
                             .input = script_text(arena),
                             .directory = S("/"),
                             .output_max = SCAN_FACTS_MAX,
                             .timeout_ms = SCAN_TIMEOUT_MS};
    for (int32_t i = 0; i < PASSED_VARIABLES; i++)
        call.env_len += proc_variable(arena, passed_variables[i], &env[call.env_len]);
    struct proc_result result;
    struct err *err = proc_run(proc, arena, &call, &result);
    if (err && err->kind == ERR_INTERRUPTED) return err;
    if (err)
        return err_because(err_make(arena, ERR_ENVIRONMENT, "cannot run the interpreter '%.*s'", FMT(python)), err);
    if (result.timed_out || result.too_much || result.status) return tell_silence(arena, python, &result);
    *ret = result.output;
    return NULL;
}

/* A kept answer: the key, what else it depends on, the answer. False where it is of something else. */
static bool facts_recall(struct arena *arena, const struct fs *fs, struct str key, struct str path,
                         struct scan_facts *ret) {
    struct str cached;
    struct scan_facts facts;
    /* The key stands at the head of the file, so that two keys with one hash do no harm. */
    if (fs_read(fs, arena, path, SCAN_FACTS_MAX, &cached) != NULL || !str_starts(cached, key)) return false;
    cached = str_from(cached, key.len);
    ptrdiff_t at = str_find(cached, FACTS_BEGIN);
    if (at < 0 || scan_facts_parse(arena, str_from(cached, at), &facts) != NULL) return false;
    if (!str_eq(depends(arena, fs, &facts), str_slice(cached, 0, at))) return false;
    *ret = facts;
    return true;
}

struct err *scan_facts_read(struct arena *arena, const struct fs *fs, const struct proc *proc, struct str python,
                            struct str into, struct str cache_dir, struct scan_facts *ret) {
    struct str key = identity(arena, fs, python, into), answer;
    struct str path =
        path_join(arena, cache_dir, str_format(arena, "python-%016llx.facts", (unsigned long long)str_hash(key)));
    if (cache_dir.len && facts_recall(arena, fs, key, path, ret)) return NULL;
    TRY(ask(arena, proc, python, into, &answer));
    struct err *err = scan_facts_parse(arena, answer, ret);
    if (err)
        return err_hint(arena, err_because(err_make(arena, ERR_ENVIRONMENT, "'%.*s' cannot be used", FMT(python)), err),
                        "name an interpreter with --python PATH, or its environment with --python DIR");
    struct buf file = {.arena = arena};
    buf_add(&file, key);
    buf_add(&file, depends(arena, fs, ret));
    buf_add(&file, answer);
    /* A cache that cannot be written costs time, nothing else. */
    if (cache_dir.len) err = fs_replace(fs, arena, path, buf_str(&file));
    (void)err;
    return NULL;
}
