"""Files that others may leave where unpin reads: locks, saved plans, environments, its own store. A table of each: what is
done, what is run, what must come of it. No row may hang, crash, take more than the bounds, or touch what is not its own.

    where      rows                                     elsewhere
    lock       LOCKS                                    unit/lock_test.c, fuzz_lock, fuzz_requirement_file
    plan       EDITS, BROKEN, test_every_field          test_hostile_inputs.py (export), fuzz_saved
    site       SITES, RECORDS, STORES                   test_hostile_inputs.py (traps), fuzz_record, fuzz_metadata
    index      INDEX                                    test_hostile_inputs.py, test_index.py, test_trust.py, test_network.py
    wheels                                              tests/hostile
"""
import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess

import pytest

import world as worlds
from rude_server import RudeServer
from test_hostile_inputs import Place, quiet, template  # noqa: F401

CPU_S, MEMORY = 2, 64 << 20
GIB = 1 << 30
PARTS = 4
LARGE = 10000  # bytes from which on memory is looked at


class Bounded(Place):
    """A copy of a template; runs are held to the bounds, and what is around is looked at."""

    def __init__(self, binary, folder, template):
        super().__init__(binary, folder, template)
        self.victim = os.path.join(self.folder, "victim")
        os.mkdir(self.victim)
        with open(os.path.join(self.victim, "file.txt"), "w", encoding="ascii") as f:
            f.write("mine\n")

    def put(self, path, data=b"", size=None):
        """A file below the folder, sparse up to `size`."""
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
            if size:
                f.truncate(size)
        return path

    def run(self, *words, **variables):
        """As Place.run, with the CPU time and the memory of the process (not of interpreters) in bounds."""
        sanitized = "-san" in self.binary
        limits = {} if sanitized else {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))}
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "XDG_CACHE_HOME": os.path.join(self.folder, "cache"), "PIP_CONFIG_FILE": os.devnull,
               "VIRTUAL_ENV": self.prefix, "PIP_CONSTRAINT": self.lock, "no_proxy": "*", "LC_ALL": "C.UTF-8", "PIP_NO_INDEX": "1", **variables}
        with subprocess.Popen([self.binary, *words], env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **limits) as process:
            done = subprocess.CompletedProcess(words, 0, *process.communicate(timeout=60))
            done.returncode = process.returncode
        done.text, done.said = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")
        assert done.returncode >= 0 and "Sanitizer" not in done.said and "runtime error" not in done.said, (words, done.returncode, done.said[-3000:])
        quiet(done)
        return done

    def state(self):
        """What is there, but for unpin's store: type, mode and bytes (of sparse giants only their size)."""
        found = {}
        for top in (self.prefix, self.victim, self.lock):
            for place, folders, names in os.walk(top) if os.path.isdir(top) else [(self.folder, [], [os.path.basename(self.lock)])]:
                folders[:] = [n for n in folders if n != ".unpin"]
                for name in [*names, *folders]:
                    path = os.path.join(place, name)
                    st = os.lstat(path)
                    small = os.path.isfile(path) and not os.path.islink(path) and st.st_size < 1 << 22
                    found[path] = (st.st_mode, st.st_size, open(path, "rb").read() if small else os.readlink(path) if os.path.islink(path) else "")
        return found


@pytest.fixture
def bounded(unpin_binary, tmp_path, template):
    return Bounded(unpin_binary, tmp_path, template)


def within_memory(place, *words, **variables):
    """Runs the words once more under /proc's own account of the largest the process ever was."""
    script = "import os, resource, subprocess, sys; r = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True).returncode; " \
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    env = {"PATH": os.environ["PATH"], "HOME": place.folder, "XDG_CACHE_HOME": os.path.join(place.folder, "cache"), "PIP_CONFIG_FILE": os.devnull,
           "VIRTUAL_ENV": place.prefix, "PIP_CONSTRAINT": place.lock, "no_proxy": "*", "LC_ALL": "C.UTF-8", "PIP_NO_INDEX": "1", **variables}
    done = subprocess.run(["python3", "-c", script, place.binary, *words], env=env, cwd=place.folder, capture_output=True, text=True, timeout=120, check=True)
    if "-san" not in place.binary:
        assert int(done.stdout) < MEMORY, (words, int(done.stdout) >> 20)


# --- locks: (what is there, statuses, what is said)

def as_bytes(data, size=None):
    return lambda place: place.put("constraint.txt", data, size)


def instead(make):
    def lay(place):
        os.unlink(place.lock)
        make(place.lock)
    return lay


def listening(path):
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(os.path.dirname(path))  # names of sockets are short
        s.bind(os.path.basename(path))
        os.chdir(here)


def chain(place):
    for i in range(40):
        place.put(f"c{i}.txt", f"-c c{i + 1}.txt\n")
    place.put("constraint.txt", "-c c0.txt\n")


def fan(place):
    """Each of ten files includes the next one ten times."""
    for i in range(10):
        place.put(f"f{i}.txt", f"-c f{i + 1}.txt\n" * 10)
    place.put("f10.txt", "x==1\n")
    place.put("constraint.txt", "-c f0.txt\n")


LOCKS = {
    "fifo": (instead(os.mkfifo), {2}, "no regular file"),
    "socket": (instead(listening), {2}, "constraint.txt"),
    "directory": (instead(os.mkdir), {2}, "directory"),
    "zeros": (instead(lambda path: os.symlink("/dev/zero", path)), {2}, ""),
    "loop": (instead(lambda path: os.symlink("constraint.txt", path)), {2}, "constraint.txt"),
    "nowhere": (instead(lambda path: os.symlink("gone", path)), {2}, "not there"),
    "memory": (instead(lambda path: os.symlink("/proc/self/mem", path)), {2}, "constraint.txt"),
    "null": (instead(lambda path: os.symlink("/dev/null", path)), {0, 2}, ""),
    "gigabyte": (as_bytes(b"", GIB), {2}, "larger"),
    "spaces": (as_bytes(b" " * (15 << 20)), {0, 2}, ""),
    "newlines": (as_bytes(b"\n" * (15 << 20)), {0, 2}, ""),
    "comments": (as_bytes(b"#\n" * (7 << 20)), {0, 2}, ""),
    "continued": (as_bytes(b"\\\n" * (7 << 20)), {0, 2}, ""),
    "backslashes": (as_bytes(b"\\" * (1 << 20)), {0, 2}, ""),
    "utf-16": (as_bytes("x==1.0\n".encode("utf-16")), {0, 2}, ""),
    "utf-32": (as_bytes("x==1.0\n".encode("utf-32")), {2}, "NUL"),
    "nul": (as_bytes(b"x==1.0\n\0\n"), {2}, "NUL"),
    "crlf": (as_bytes(b"x==1.0\r\nb==1\r\n"), {0}, ""),
    "cr": (as_bytes(b"x==1.0\rb==1\r"), {0, 2}, ""),
    "bom": (as_bytes(b"\xef\xbb\xbfx==1.0\n"), {0}, ""),
    "not utf-8": (as_bytes(b"x==1.0\n# \xff\xfe\n"), {0, 2}, ""),
    "steering": (as_bytes("x==1.0\x1b[2J\nb\u202e==1\n-c \x1b]0;x\x07\n"), {2}, ""),
    "chain": (chain, {2}, "deeper"),
    "itself": (as_bytes(b"-c constraint.txt\n"), {2}, "itself"),
    "itself by another name": (as_bytes(b"-c ./../{0}/constraint.txt\n"), {2}, ""),
    "fan": (fan, {0}, ""),
    "secrets": (as_bytes(b"-c /proc/self/environ\n"), {0, 2}, ""),
    "expansion": (as_bytes(b"${HOME}" * 100000 + b"==1\n"), {0, 2}, ""),
    "long line": (as_bytes(b"x==1." + b"1" * (10 << 20) + b"\n"), {0, 2}, ""),
    "long name": (as_bytes(b"x" * 100000 + b"==1\n"), {0, 2}, ""),
    "deep marker": (as_bytes(b"x==1; " + b"(" * 100000 + b"\n"), {0, 2}, ""),
    "wide marker": (as_bytes(b"x==1; " + b"os_name=='x' or " * 50000 + b"os_name=='y'\n"), {0, 2}, ""),
    "many specifiers": (as_bytes(b"x" + b",".join(b">=%d" % i for i in range(50000)) + b"\n"), {0, 2}, ""),
    "many extras": (as_bytes(b"x[" + b",".join(b"e%d" % i for i in range(50000)) + b"]==1\n"), {0, 2}, ""),
    "many lines": (as_bytes(b"x==1\n" * 200000), {2}, "too many"),
    "many hashes": (as_bytes(b"x==1 " + b"--hash=sha256:00 " * 50000 + b"\n"), {0, 2}, ""),
}


@pytest.mark.parametrize("name", LOCKS)
def test_locks(bounded, name):
    lay, statuses, said = LOCKS[name]
    lay(bounded)
    bounded.dist("b")
    before = bounded.state()
    for words in (["locks"], ["plan", "b", "--offline"]):
        done = bounded.run(*words)
        assert done.returncode in statuses or (words[0] == "plan" and done.returncode == 3 and 0 in statuses), (words, done.returncode, done.said)
        assert said in done.said or done.returncode == 0, done.said
    if not os.path.isfile(bounded.lock) or os.path.getsize(bounded.lock) > LARGE:
        within_memory(bounded, "locks")
    assert bounded.state() == before


# --- sites

def info(place, name, **files):
    folder = place.dist(name)
    for file, data in files.items():
        size = data if isinstance(data, int) else None
        place.put(os.path.join(folder, file.replace("__", ".")), b"" if size else data, size)
    return folder


SITES = {
    "metadata of a gigabyte": lambda p: info(p, "x", METADATA=GIB),
    "record of a gigabyte": lambda p: info(p, "x", RECORD=GIB),
    "direct_url of a gigabyte": lambda p: info(p, "x", direct_url__json=GIB),
    "entry points of a gigabyte": lambda p: info(p, "x", entry_points__txt=GIB),
    "installer of a gigabyte": lambda p: info(p, "x", INSTALLER=GIB),
    "wheel of a gigabyte": lambda p: info(p, "x", WHEEL=GIB, top_level__txt=GIB),
    "path of a gigabyte": lambda p: p.put(os.path.join(p.site, "x.pth"), b"", GIB),
    "egg-link of a gigabyte": lambda p: p.put(os.path.join(p.site, "x.egg-link"), b"", GIB),
    "egg-link to a pipe": lambda p: (os.mkfifo(os.path.join(p.folder, "pipe")), p.put(os.path.join(p.site, "x.egg-link"), p.folder + "/pipe\n.")),
    "egg-link to itself": lambda p: p.put(os.path.join(p.site, "x.egg-link"), p.site + "\n" * 100000),
    "egg-link upwards": lambda p: p.put(os.path.join(p.site, "x.egg-link"), "../" * 3000 + "\n"),
    "metadata of a line": lambda p: info(p, "x", METADATA=b"Name: " + b"x" * (7 << 20)),
    "headers without end": lambda p: info(p, "x", METADATA=b"Name: x\nVersion: 1\n" + b"Requires-Dist: y\n" * 400000),
    "folds without end": lambda p: info(p, "x", METADATA=b"Name: x\nVersion: 1\nRequires-Dist: y" + b"\n " * 3000000),
    "deep marker": lambda p: info(p, "x", METADATA=b"Name: x\nVersion: 1\nRequires-Dist: y; " + b"(" * 1000000 + b"\n"),
    "deep direct_url": lambda p: info(p, "x", direct_url__json=b'{"a":' * 100000),
    "metadata of utf-16": lambda p: info(p, "x", METADATA="Name: x\nVersion: 1\n".encode("utf-16")),
    "metadata is a directory": lambda p: (info(p, "x"), os.unlink(p.site + "/x-1.0.dist-info/METADATA"), os.mkdir(p.site + "/x-1.0.dist-info/METADATA")),
    "metadata is a loop": lambda p: (info(p, "x"), os.unlink(p.site + "/x-1.0.dist-info/METADATA"), os.symlink("METADATA", p.site + "/x-1.0.dist-info/METADATA")),
    "metadata of zeros": lambda p: (info(p, "x"), os.unlink(p.site + "/x-1.0.dist-info/METADATA"), os.symlink("/dev/zero", p.site + "/x-1.0.dist-info/METADATA")),
    "paths without end": lambda p: p.put(os.path.join(p.site, "x.pth"), "\n".join(f"/nowhere/{i}" for i in range(50000))),
    "paths in a ring": lambda p: [p.put(os.path.join(p.folder, f"r{i}", "x.pth"), f"{p.folder}/r{(i + 1) % 5}\n") for i in range(5)] + [p.put(os.path.join(p.site, "r.pth"), f"{p.folder}/r0\n")],
    "pyvenv.cfg of a gigabyte": lambda p: p.put(os.path.join(p.prefix, "pyvenv.cfg"), open(os.path.join(p.prefix, "pyvenv.cfg"), "rb").read(), GIB),
    "names that are no text": lambda p: p.put(os.fsencode(p.site).decode() + "/\udcff\udcfe-1.0.dist-info/METADATA", "Name: \udcff\nVersion: 1\n"),
    "five thousand": lambda p: [os.mkdir(f"{p.site}/n{i}-1.dist-info") for i in range(5000)],
}


@pytest.mark.parametrize("name", SITES)
def test_sites(bounded, name):
    bounded.dist("good")
    SITES[name](bounded)
    before = bounded.state()
    for words in (["check", "--json"], ["check", "--files"], ["plan", "good", "--offline"], ["remove", "-y", "x"]):
        if name == "pyvenv.cfg of a gigabyte":
            words.append("--no-imports") if words[0] == "remove" else None
        done = bounded.run(*words)
        assert done.returncode in range(8), (words, done.returncode, done.said)
    if any(word in name for word in ("gigabyte", "without", "deep", "zeros", "thousand")):
        within_memory(bounded, "check", "--files")
    after = bounded.state()
    gone = {path for path in before if path not in after}
    assert all(f"{os.sep}x" in path for path in gone), gone
    assert {path: after[path] for path in after if not path.endswith((".pyc", "__pycache__"))} == \
        {path: row for path, row in before.items() if path not in gone and not path.endswith((".pyc", "__pycache__"))}


# --- RECORDs: what they name is removed only where it is the distribution's own

RECORDS = {
    "absolute": lambda p: f"{p.victim}/file.txt,,\n",
    "upwards": lambda p: f"{os.path.relpath(p.victim, p.site)}/file.txt,,\n",
    "upwards from within": lambda p: f"x/../{os.path.relpath(p.victim, p.site)}/file.txt,,\n",
    "password file": lambda p: "/etc/passwd,,\n../../../../../../../../../../etc/passwd,,\n",
    "through a link": lambda p: (os.symlink(p.victim, p.site + "/link"), "link/file.txt,,\n")[1],
    "a link": lambda p: (os.symlink(p.victim + "/file.txt", p.site + "/ln"), "ln,,\n")[1],
    "a directory": lambda p: (os.mkdir(p.site + "/full"), p.put(p.site + "/full/kept", b"k"), "full,,\nfull/,,\n")[2],
    "the site": lambda p: ".,,\n,,\n./,,\n../,,\n/,,\n",
    "interpreter": lambda p: "../../../bin/python,,\n../../../pyvenv.cfg,,\n",
    "another's": lambda p: "good-1.0.dist-info/METADATA,,\ngood-1.0.dist-info/RECORD,,\n",
    "the store": lambda p: ".unpin/lock,,\n.unpin/journal,,\n",
    "nul": lambda p: "a\0b,,\n",
    "quotes": lambda p: '"' * 100001 + ",,\n",
    "itself often": lambda p: "x-1.0.dist-info/RECORD,,\n" * 1000,
    "long": lambda p: "y/" * 100000 + ",,\n",
    "steering": lambda p: "\x1b[2J\u202e,,\n",
}


@pytest.mark.parametrize("name", RECORDS)
def test_records(bounded, name):
    bounded.dist("good")
    folder = bounded.dist("x")
    text = RECORDS[name](bounded)
    bounded.put(os.path.join(folder, "RECORD"), "x-1.0.dist-info/METADATA,,\nx-1.0.dist-info/RECORD,,\n" + text)
    before, passwords = bounded.state(), os.path.getsize("/etc/passwd")
    done = bounded.run("remove", "-y", "--no-imports", "x")
    after = bounded.state()
    gone = {os.path.relpath(path, bounded.site) for path in before if path not in after}
    assert gone <= {"x-1.0.dist-info", "x-1.0.dist-info/METADATA", "x-1.0.dist-info/RECORD", "ln"}, (gone, done.said)
    assert os.path.getsize("/etc/passwd") == passwords and {p: r for p, r in after.items()} == {p: r for p, r in before.items() if p in after}
    assert done.returncode in (0, 1), done.said
    if done.returncode == 0:
        bounded.run("undo", "-y")
        assert bounded.state() == before


# --- unpin's own store in the environment

STORES = {
    "a file": lambda at, p: p.put(at, b"x"),
    "a link": lambda at, p: os.symlink(p.victim, at),
    "a pipe for the lock": lambda at, p: (os.mkdir(at), os.mkfifo(at + "/lock")),
    "a link for the lock": lambda at, p: (os.mkdir(at), os.symlink(p.victim + "/file.txt", at + "/lock")),
    "garbage for the journal": lambda at, p: p.put(at + "/journal", b"\xff" * 1000),
    "a journal of a gigabyte": lambda at, p: p.put(at + "/journal", b"", GIB),
    "an intent that names others": lambda at, p: p.put(at + "/intent", f"unpin-intent 1\nid 1\nside {p.victim}\nside /etc\nprobe 0 {p.victim}\n"),
    "garbage for the intent": lambda at, p: p.put(at + "/intent", b"\0" * 5000),
    "done of a gigabyte": lambda at, p: p.put(at + "/1/done", b"", GIB),
    "done of garbage": lambda at, p: p.put(at + "/1/done", b"{" * 5000),
    "done is a pipe": lambda at, p: (os.makedirs(at + "/1"), os.mkfifo(at + "/1/done")),
    "an abort of garbage": lambda at, p: p.put(at + "/abort", b"abort"),
    "many": lambda at, p: [p.put(f"{at}/{i}/done", b"") for i in range(2000)],
}


@pytest.mark.parametrize("name", STORES)
def test_stores(bounded, name):
    bounded.dist("x")
    STORES[name](os.path.join(bounded.site, ".unpin"), bounded)
    before = bounded.state()
    for words in (["history"], ["history", "--json"], ["recover"], ["undo", "-y"], ["history", "prune", "0"], ["remove", "-y", "--no-imports", "x"], ["recover", "--back"]):
        done = bounded.run(*words)
        assert done.returncode in (0, 1, 2, 6, 75), (words, done.returncode, done.said)
    after = bounded.state()
    assert all("x-1.0.dist-info" in path for path in before if path not in after)
    assert {p: r for p, r in after.items() if p in before} == {p: r for p, r in before.items() if p in after}
    assert os.listdir(bounded.victim) == ["file.txt"]


# --- saved plans

@pytest.fixture
def planned(bounded):
    wheels = os.path.join(bounded.folder, "wheels")
    worlds.stub_wheel(wheels, "a", "1.0")
    worlds.stub_wheel(wheels, "a", "2.0", ["b>=1"])
    worlds.stub_wheel(wheels, "b", "1.0")
    bounded.write_lock("a==1.0\n")
    bounded.put(os.path.join(bounded.dist("a"), "INSTALLER"), "pip\n")
    bounded.variables = {"PIP_FIND_LINKS": wheels}
    bounded.saved = os.path.join(bounded.folder, "plan.json")
    done = bounded.run("plan", "a==2.0", "-o", bounded.saved, **bounded.variables)
    assert done.returncode == 0, done.text
    with open(bounded.saved, encoding="utf-8") as f:
        bounded.plan = json.load(f)
    return bounded


def leaves(value, path=()):
    if isinstance(value, (dict, list)) and value:
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*path, key))
    else:
        yield path, value


def changed(document, path, value):
    copy = json.loads(json.dumps(document))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


def other(value, turn):
    """Another value for a leaf: of the same kind, of another, or one that leads elsewhere."""
    if isinstance(value, str):
        return ["../../../victim/file.txt", "", value + "0", "\x1b[2J\u202e\n", 7, "/etc/passwd", "x" * 100000, "file:///dev/zero"][turn % 8]
    if isinstance(value, bool):
        return [not value, 1, "true"][turn % 3]
    if isinstance(value, (int, float)):
        return [-1, 2**53, 1e300, "0", value + 1][turn % 5]
    return [[None], {"x": []}, "x", 0][turn % 4]


@pytest.mark.parametrize("part", [0] if not os.environ.get("UNPIN_TEST_ALL") else range(PARTS))
def test_every_field_of_a_plan(planned, part):
    """Applied with any one field changed, a plan does what it did as it was, or nothing. Of all fields one part; with
    UNPIN_TEST_ALL all of them."""
    before = planned.state()
    assert planned.run("apply", "-y", planned.saved, **planned.variables).returncode == 0
    after = planned.state()
    planned.run("undo", "-y")
    assert planned.state() == before
    refused = 0
    for turn, (path, value) in list(enumerate(leaves(planned.plan)))[part::PARTS]:
        planned.put("plan.json", json.dumps(changed(planned.plan, path, other(value, turn))))
        done = planned.run("apply", "-y", planned.saved, **planned.variables)
        if done.returncode:
            refused += 1
            assert planned.state() == before, (path, done.said)
            continue
        now = planned.state()
        # Whether it was asked for is what a plan says by itself.
        marks = ("RECORD", "REQUESTED") if path[-1] == "requested" else ("RECORD",)
        assert {p: r for p, r in now.items() if not p.endswith(marks)} == {p: r for p, r in after.items() if not p.endswith(marks)}, (path, done.said)
        planned.run("undo", "-y")
        assert planned.state() == before
    assert refused > 2


def doubled(text):
    return text.replace('"status"', '"status": "infeasible", "status"', 1)


BROKEN = {
    "empty": lambda t: "",
    "nul": lambda t: t[:10] + "\0" + t[10:],
    "cut": lambda t: t[:-10],
    "more": lambda t: t + t,
    "deep": lambda t: "[" * 10000 + "]" * 10000,
    "deep objects": lambda t: '{"a":' * 10000 + "1" + "}" * 10000,
    "deep within": lambda t: t.replace("{", '{"x":' + "[" * 10000 + "]" * 10000 + ",", 1),
    "twice": doubled,
    "utf-16": lambda t: t.encode("utf-16"),
    "bom": lambda t: b"\xef\xbb\xbf" + t.encode(),
    "not utf-8": lambda t: t.encode() .replace(b"a", b"\xff", 3),
    "surrogate": lambda t: t.replace('"feasible"', '"\\ud800"'),
    "nan": lambda t: t.replace('"schema": 1', '"schema": NaN').replace('"schema":1', '"schema":NaN'),
    "comment": lambda t: "// plan\n" + t,
    "spaces": lambda t: " " * (15 << 20) + t,
    "of another kind": lambda t: '{"unpin_snapshot": 1}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plans(planned, name):
    before = planned.state()
    with open(planned.saved, encoding="utf-8") as f:
        text = BROKEN[name](f.read())
    planned.put("plan.json", text)
    done = planned.run("apply", "-y", planned.saved, **planned.variables)
    assert done.returncode in (1, 2) and planned.state() == before or name in ("bom", "spaces", "nan"), (done.returncode, done.said)
    if os.path.getsize(planned.saved) > LARGE:
        within_memory(planned, "apply", planned.saved, **planned.variables)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path, path),
                                  lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), GIB)], ids=["fifo", "directory", "zeros", "loop", "gigabyte"])
def test_plans_that_are_none(bounded, make):
    path = os.path.join(bounded.folder, "plan.json")
    make(path)
    done = bounded.run("apply", "-y", path)
    assert done.returncode in (1, 2) and "plan.json" in done.said, done.said
    within_memory(bounded, "apply", path)


# --- pages of an index: {kind of text: what it may say}

HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"
NAME = "a-1.0-py3-none-any.whl"


def listing(**keys):
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "a", "files": [{"filename": NAME, "url": NAME, "hashes": {}, **keys}]}).encode()


INDEX = {
    "a hundred megabytes": (HTML, b"<a href=x>" * (10 << 20)),
    "an array without end": (JSON, b'{"files":[' + b'{},' * (5 << 20)),
    "deep objects": (JSON, b'{"files":' + b'{"a":' * 100000),
    "deep beside": (JSON, b'{"x":' + b"[" * 10000 + b"]" * 10000 + b',"files":[]}'),
    "control characters": (JSON, listing(filename="a\u0000-1.0-py3-none-any.whl\u001b[2J")),
    "a path for a name": (JSON, listing(filename="../../../victim/a-1.0-py3-none-any.whl")),
    "an url of data": (JSON, listing(url="data:application/zip;base64,UEsFBg==")),
    "an url of a file": (JSON, listing(url="file:///etc/passwd")),
    "an url of another scheme": (JSON, listing(url="gopher://127.0.0.1:1/x")),
    "an url without a host": (JSON, listing(url="http:///x")),
    "a size below zero": (JSON, listing(size=-1)),
    "a size in words": (JSON, listing(size="many")),
    "hashes in numbers": (JSON, listing(hashes={"sha256": 1})),
    "hashes of no hexadecimal": (JSON, listing(hashes={"sha256": "../" * 21 + "x"})),
    "a version to come": (JSON, b'{"meta":{"api-version":"9.0"},"name":"a","files":[]}'),
    "another project": (JSON, b'{"meta":{"api-version":"1.0"},"name":"b","files":[]}'),
    "null": (JSON, b"null"),
    "utf-16": (JSON, listing().decode().encode("utf-16")),
    "yanked by a bomb": (JSON, listing(yanked="x" * (8 << 20))),
    "entities without end": (HTML, b"<a href='a'>" + b"&amp;" * (1 << 20)),
    "attributes without end": (HTML, b"<a " + b"x=y " * (1 << 20)),
    "quotes without end": (HTML, b"<a href='" + b"x" * (8 << 20)),
    "no type": ("", b"<a href=" + NAME.encode() + b">a</a>"),
    "a type of control characters": ("text/\x7fhtml", b""),
}


@pytest.mark.parametrize("name", INDEX)
def test_index(bounded, name):
    kind, body = INDEX[name]
    before = bounded.state()
    with RudeServer() as index:
        index.routes["/simple/a/"] = (200, {"Content-Type": kind} if kind else {}, body)
        done = bounded.run("install", "-y", "--no-imports", "a", PIP_NO_INDEX="", PIP_INDEX_URL=index.url, PIP_RETRIES="0")
        assert done.returncode in (1, 3, 7), (done.returncode, done.said)
        if len(body) > LARGE:
            within_memory(bounded, "plan", "a", PIP_NO_INDEX="", PIP_INDEX_URL=index.url, PIP_RETRIES="0", UNPIN_CACHE_DIR=os.path.join(bounded.folder, "fresh"))
    assert bounded.state() == before
