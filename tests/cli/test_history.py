"""unpin history and undo: sequences in any order, what is kept, byte code, and files of odd kinds. In a small environment of stubs."""
import json
import os
import random
import stat
import subprocess

import pytest

import conftest
import world as worlds

NAMES = ["ant", "bee", "cat", "dog", "elk"]


class Small(conftest.Environment):
    """A virtual environment without pip, with one stub of each name at 1.0; the index is a folder."""

    def __init__(self, world, binary, folder):
        self.wheels = os.path.join(str(folder), "wheels")
        super().__init__(world, binary, os.path.join(str(folder), "env"), folder, "http://127.0.0.1:9/simple/")
        subprocess.run([world.python, "-m", "venv", "--without-pip", self.prefix], check=True, env=worlds.clean_environment())
        for name in NAMES:
            for version in ("1.0", "2.0"):
                # What only one of the versions has comes and goes with it.
                files = {f"{name}/only_{version[0]}.py": f"v = {version}\n", f"{name}/data/x.txt": version}
                worlds.stub_wheel(self.wheels, name, version, ["bee>=2.0"] if (name, version) == ("elk", "2.0") else [], files=files, scripts={name: f"{name}:__version__"})
        self.variables.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=self.wheels, PIP_CONSTRAINT="")
        self.run("install", "-y", "--no-undo", "--no-imports", *[f"{n}==1.0" for n in NAMES]).ok()
        with open(self.lock, "w") as f:
            f.write("".join(f"{n}==1.0  # {n}\n" for n in NAMES))
        self.variables["PIP_CONSTRAINT"] = self.lock

    def upgrade(self, name, *words, **variables):
        return self.run("install", "-y", "--no-imports", f"{name}==2.0", *words, **variables)

    def files_of(self, name):
        """{path: what it is} of a project, wherever; with extended attributes."""
        found = {}
        for path, row in worlds.tree(self.prefix).items():
            whole = os.path.join(self.prefix, path)
            if name in os.path.relpath(whole, self.prefix).replace("-", "/").split("/"):
                attributes = {} if os.path.islink(whole) else {a: os.getxattr(whole, a) for a in os.listxattr(whole)}
                found[path] = (row, attributes)
        assert found
        return found

    def lock_lines(self):
        with open(self.lock) as f:
            return f.read().splitlines()


@pytest.fixture
def small(world, unpin_binary, tmp_path):
    return Small(world, unpin_binary, tmp_path)


def test_undo_in_any_order_gives_the_right_state(small):
    """Installs of several projects, undone in a random order: each time every file is that of its project's state. UNPIN_SEED makes it another
    one."""
    order = random.Random(int(os.environ.get("UNPIN_SEED", "1")))
    odd = os.path.join(small.site, "cat", "part.py")  # owner, mode, attribute, time and a second name of a file that goes
    os.chmod(odd, 0o440)
    os.setxattr(odd, "user.mark", b"\x00\xff")
    if os.geteuid() == 0:
        os.chown(odd, 12, 34)
    os.utime(odd, ns=(10**18, 10**18 + 7))
    os.link(odd, os.path.join(small.folder, "second-name"))
    states = {n: {False: small.files_of(n)} for n in NAMES}
    names = [n for n in NAMES if n != "elk"]
    order.shuffle(names)
    ids = {}
    for name in names:
        ids[name] = small.upgrade(name, "--modified=replace", "--json").ok().json["transaction"]
        states[name][True] = small.files_of(name)
    new = set(names)
    order.shuffle(names)
    for name in names:
        small.run("undo", "-y", "--only", ids[name]).ok()
        new.remove(name)
        for other in NAMES:
            assert small.files_of(other) == states[other][other in new], (name, other)
        assert small.lock_lines() == [f"{n}=={'2.0' if n in new else '1.0'}  # {n}" for n in NAMES]
    assert os.path.samefile(odd, os.path.join(small.folder, "second-name"))
    assert sorted(t["id"] for t in small.run("history", "--json").json["transactions"] if not t["undoes"] and not t["undone_by"]) == ["1"]


def times(folder, *names):
    """When the entries of each directory last changed, the directory itself first."""
    return {os.path.relpath(place, folder): os.stat(place).st_mtime_ns
            for name in names for place, folders, _ in os.walk(os.path.join(folder, name)) if "__pycache__" not in place}


def test_times_come_back_where_no_later_one_changed_them(small):
    before = times(small.site, "ant")
    first = small.upgrade("ant", "--json").ok().json["transaction"]
    small.upgrade("bee").ok()
    above, others = os.stat(small.site).st_mtime_ns, times(small.site, "bee")
    assert times(small.site, "ant") != before
    small.run("undo", "-y", "--only", first).ok()
    assert times(small.site, "ant") == before and times(small.site, "bee") == others
    assert os.stat(small.site).st_mtime_ns > above  # in it both changed entries
    small.run("undo", "-y").ok()


def test_a_later_one_that_cannot_be_read_stops_an_undo_before_anything_changes(small):
    """Its times would be given back by halves: of what cannot be read it is not known what it has changed."""
    first = small.upgrade("ant", "--json").ok().json["transaction"]
    later = small.upgrade("bee", "--json").ok().json["transaction"]
    done = os.path.join(small.site, ".unpin", later, "done")
    with open(done, "rb") as f:
        text = f.read()
    os.truncate(done, 300 << 20)  # above any journal's limit
    before = worlds.tree(small.prefix)
    run = small.run("undo", "-y", "--only", first).ok(1)
    assert os.path.join(later, "done") in run.err and worlds.tree(small.prefix) == before
    with open(done, "wb") as f:
        f.write(text)
    small.run("undo", "-y", "--only", first).ok()
    assert small.installed()["ant"] == "1.0" and small.installed()["bee"] == "2.0"


def test_what_later_ones_need_is_not_taken_back_alone(small):
    bee = small.upgrade("bee", "--json").ok().json["transaction"]
    elk = small.upgrade("elk", "--json").ok().json["transaction"]
    before, lock = worlds.tree(small.prefix), small.lock_bytes()
    run = small.run("undo", "-y", "--only", bee, "--json").ok(1)
    assert run.json["error"]["code"] == "U021" and "elk 2.0 requires bee>=2.0" in json.dumps(run.json["error"])
    assert worlds.tree(small.prefix) == before and small.lock_bytes() == lock
    small.run("undo", "-y", "--only", elk).ok()
    small.run("undo", "-y", "--only", bee).ok()
    assert small.installed()["bee"] == small.installed()["elk"] == "1.0"
    small.run("undo", "-y", "--only", bee).ok(2)
    small.run("undo", "-y", "--only", "77").ok(2)
    small.run("undo", "-y", "2", "--only", bee).ok(2)


def test_the_same_project_twice_is_taken_back_from_the_end(small):
    first = small.upgrade("ant", "--json").ok().json["transaction"]
    small.run("install", "-y", "--no-imports", "ant==1.0").ok()
    before = worlds.tree(small.prefix)
    small.run("undo", "-y", "--only", first).ok(1)
    assert worlds.tree(small.prefix) == before


def test_a_lock_that_somebody_edited_elsewhere_keeps_the_edit(small):
    small.upgrade("ant").ok()
    with open(small.lock, "a") as f:
        f.write("")
    text = small.lock_bytes().replace(b"dog==1.0  # dog", b"dog==1.0  # mine")
    with open(small.lock, "wb") as f:
        f.write(text)
    small.run("undo", "-y").ok()
    assert small.lock_lines() == ["ant==1.0  # ant", "bee==1.0  # bee", "cat==1.0  # cat", "dog==1.0  # mine", "elk==1.0  # elk"]
    small.upgrade("ant").ok()
    with open(small.lock, "wb") as f:
        f.write(small.lock_bytes().replace(b"ant==2.0  # ant", b"ant==2.0  # mine"))
    small.run("undo", "-y").ok(1)


def test_history_says_who_and_how_much_and_prune_frees_it(small):
    for name in ("ant", "bee", "cat"):
        small.upgrade(name).ok()
    entries = small.run("history", "--json").ok().json["transactions"]
    assert [e["undoable"] for e in entries] == [True, True, True, False] and all(e["bytes"] > 0 for e in entries[:3])
    assert " by " in small.run("history").out and "kept" in small.run("history").out
    assert small.run("history", "prune", "1M", "--json").ok().json["freed"] == 0
    small.run("history", "prune", "0").ok(4)
    most = entries[0]["bytes"] + 10
    freed = small.run("history", "prune", str(most), "--json", "-y").ok().json["freed"]
    assert freed == entries[1]["bytes"] + entries[2]["bytes"]
    assert [e["undoable"] for e in small.run("history", "--json").json["transactions"]] == [True, False, False, False]
    assert "unpin undo 1" in small.run("undo", "-y", "2").ok(2).err
    assert small.installed()["cat"] == "2.0" and small.installed()["bee"] == "2.0", "refused as a whole, for the second is not kept"
    small.run("history", "prune", "lots").ok(2)
    small.run("history", "prune").ok(2)


def test_undo_of_several_shows_all_of_them_before_it_asks(small):
    for name in ("ant", "bee"):
        small.upgrade(name).ok()
    run = small.run("undo", "2").ok(4)
    assert run.out.count("Takes back transaction") == 2 and "bee" in run.out and "ant" in run.out
    run = small.run("undo", "-y", "9").ok(2)  # the install of all of them at first kept nothing
    assert "cannot be undone" in run.err and small.installed()["bee"] == "2.0"
    small.run("undo", "-y", "2").ok()
    assert small.installed()["ant"] == small.installed()["bee"] == "1.0"


def test_what_is_kept_is_told_before_and_bounded_by_a_setting(small):
    run = small.upgrade("ant", "--json").ok()
    adds = run.json["undo"]["adds"]
    assert run.json["undo"]["so_far"] == 0 and adds > 0
    assert "of what is replaced, for undo" in small.run("install", "bee==2.0").ok(4).out
    run = small.upgrade("bee", "--json", UNPIN_UNDO_MAX="1k").ok()
    assert run.json["undo"]["so_far"] > 0 and "UNPIN_UNDO_MAX" in run.err
    assert [e["undoable"] for e in small.run("history", "--json").json["transactions"]] == [True, False, False], "the newest is spared"
    small.upgrade("cat", UNPIN_UNDO_MAX="much").ok(2)
    assert small.installed()["cat"] == "1.0"


def pyc(small):
    return {os.path.relpath(os.path.join(d, f), small.site) for d, _, files in os.walk(small.site) for f in files if f.endswith(".pyc")}


def test_byte_code_is_never_stale_and_goes_with_its_source(small):
    """Python writes byte code whenever it imports: before, between and after. Unchecked ones would be used for ever."""
    def imports(*names):
        code = "import py_compile, sys, os\nfor n in sys.argv[1:]:\n  d = os.path.join(sys.path[-1], n)\n" \
               "  for f in os.listdir(d):\n    if f.endswith('.py'): py_compile.compile(os.path.join(d, f), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)\n" \
               "  m = __import__(n)\n  print(m.__version__)"
        variables = {k: v for k, v in small.variables.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.run([small.python, "-c", code, *names], capture_output=True, text=True, env=variables, check=True).stdout.split()

    assert imports("ant", "bee") == ["1.0", "1.0"]
    before = pyc(small)
    assert any("only_1" in name for name in before)
    small.upgrade("ant").ok()
    assert not any(name.startswith("ant/") for name in pyc(small)), "no byte code of the old files"
    assert imports("ant", "cat") == ["2.0", "1.0"]
    assert any("ant" in name and "only_2" in name for name in pyc(small))
    small.run("undo", "-y").ok()
    after = pyc(small)
    assert {n for n in after if n.startswith("ant/")} == {n for n in before if n.startswith("ant/")}, "those of before, and no others"
    assert {n for n in after if n.startswith("bee/")} == {n for n in before if n.startswith("bee/")}
    done = subprocess.run([small.python, "-B", "-c", "import ant; print(ant.__version__)"], capture_output=True, text=True, env=small.variables)
    assert done.stdout.strip() == "1.0"
    assert any(n.startswith("cat/") for n in after), "byte code of what did not change is nobody's business"


def test_files_of_odd_kinds_survive_a_change_and_its_undo(small):
    """Names that are no UTF-8, links, foreign owners, odd modes, attributes: in and around what changes."""
    package = os.path.join(small.site, "ant").encode()
    with open(package + b"/caf\xe9.txt", "wb") as f:
        f.write(b"mine\n")
    os.symlink(b"nowhere\xff", package + b"/link")
    os.mkfifo(package + b"/fifo")
    part, data = package + b"/part.py", package + b"/data"
    os.chmod(part, 0o604)
    os.chmod(data, 0o2750)
    os.setxattr(data, "user.dir", b"1")
    if os.geteuid() == 0:
        os.chown(part, 1234, 4321)
        os.chown(data, 1234, 4321)
    os.chmod(data, 0o2750)
    inode = os.stat(part).st_ino

    def state():
        rows = {}
        for folder, folders, files in os.walk(package):
            for name in [b"", *folders, *files]:
                path = os.path.join(folder, name)
                s = os.lstat(path)
                rows[path] = (s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink if stat.S_ISREG(s.st_mode) else 0)
        return rows

    before = state()
    small.upgrade("ant", "--modified=replace").ok()
    s = os.stat(part)
    assert stat.S_IMODE(s.st_mode) == 0o604 and s.st_ino != inode, "a replaced file keeps mode and owner, and is a new one"
    assert (s.st_uid, s.st_gid) == ((1234, 4321) if os.geteuid() == 0 else (os.getuid(), os.getgid()))
    assert os.readlink(package + b"/link") == b"nowhere\xff" and os.path.exists(package + b"/caf\xe9.txt")
    small.run("undo", "-y").ok()
    assert state() == before
    assert os.getxattr(data, "user.dir") == b"1" and os.stat(part).st_ino == inode


def test_a_site_directory_behind_a_link(small):
    real = os.path.join(small.folder, "elsewhere")
    os.rename(small.site, real)
    os.symlink(real, small.site)
    before = worlds.tree(real)
    small.upgrade("ant").ok()
    assert os.path.islink(small.site) and small.installed()["ant"] == "2.0"
    small.run("undo", "-y").ok()
    assert worlds.tree(real) == before and os.path.islink(small.site)


def test_files_of_the_systems_packages_are_left_alone(small):
    """dpkg's lists say what is its own; a layer over the environment may hide it."""
    lists = os.path.join(small.folder, "info")
    os.mkdir(lists)
    with open(os.path.join(lists, "python3-ant:amd64.list"), "w") as f:
        f.write(f"/.\n{small.site}\n{small.site}/ant\n{small.site}/ant/part.py\n")
    if not os.path.isdir("/var/lib/dpkg/info"):
        pytest.skip("no dpkg here")
    done = subprocess.run(["mount", "--bind", lists, "/var/lib/dpkg/info"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        before, lock = worlds.tree(small.prefix), small.lock_bytes()
        run = small.upgrade("ant", "--json").ok(1)
        assert run.json["error"]["code"] == "U021" and "python3-ant" in run.json["error"]["what"] and "part.py" in run.json["error"]["what"]
        small.run("remove", "-y", "ant").ok(1)
        assert worlds.tree(small.prefix) == before and small.lock_bytes() == lock
        small.upgrade("bee").ok()
        layer = os.path.join(small.folder, "layer")
        small.upgrade("ant", "--into", layer).ok()
        code = "import ant, bee; print(ant.__version__, bee.__version__)"
        done = subprocess.run([os.path.join(layer, "bin", "python"), "-B", "-c", code], capture_output=True, text=True, env=small.variables)
        assert done.stdout.split() == ["2.0", "2.0"], done.stderr
    finally:
        subprocess.run(["umount", "-l", "/var/lib/dpkg/info"], check=True)


def test_a_layer_refuses_what_would_hide_modules_below(small):
    """Python takes a package from one directory: parts of it in another one are lost, unless it is spread on purpose."""
    spread = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    shared = {"plug": ("fly/__init__.py", ""), "spread": ("gnu/__init__.py", spread)}
    for name, (init, text) in shared.items():
        package = init.split("/")[0]
        worlds.stub_wheel(small.wheels, f"{name}-host", "1.0", files={init: text, f"{package}/host.py": "v = 1\n"})
        worlds.stub_wheel(small.wheels, f"{name}-host", "2.0", files={init: text, f"{package}/host.py": "v = 2\n"})
        worlds.stub_wheel(small.wheels, f"{name}-guest", "1.0", files={f"{package}/guest_{name}.py": "v = 1\n"})
    small.run("install", "-y", "--no-imports", "plug-host==1.0", "plug-guest==1.0", "spread-host==1.0", "spread-guest==1.0").ok()
    layer = os.path.join(small.folder, "layer")
    run = small.run("install", "-y", "plug-host==2.0", "--into", layer, "--json").ok(1)
    assert "fly/guest_plug.py" in run.json["error"]["what"] and not os.path.exists(layer)
    small.run("install", "-y", "spread-host==2.0", "--into", layer).ok()
    code = "import gnu.host, gnu.guest_spread; print(gnu.host.v, gnu.guest_spread.v)"
    done = subprocess.run([os.path.join(layer, "bin", "python"), "-B", "-c", code], capture_output=True, text=True, env=small.variables)
    assert done.stdout.split() == ["2", "1"], done.stderr
    worlds.stub_wheel(small.wheels, "plug-other", "1.0", files={"fly/other.py": "v = 1\n"})
    run = small.run("install", "-y", "plug-other==1.0", "--into", layer).ok(1)
    assert "would not be found" in run.err
