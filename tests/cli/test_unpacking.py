"""What is kept of unpacked wheels, whole directories that come at once, bytecode, and progress on a terminal."""
import os
import pty
import re
import select
import shutil
import subprocess
import time
import zipfile

import pytest

import world as worlds
from index_server import File

LIMIT_S = 60


def files_of(env, name):
    """{path in the site: inode} of the Python files of a package."""
    return {os.path.join(folder, file): os.stat(os.path.join(folder, file)).st_ino
            for folder, _, files in os.walk(os.path.join(env.site, name)) for file in files if file.endswith(".py")}


def kept(env):
    """The files of the depot: {path: number of names}."""
    top = os.path.join(env.home, "cache", "unpin", "files")
    return {os.path.join(folder, file): os.stat(os.path.join(folder, file)).st_nlink for folder, _, files in os.walk(top) for file in files}


def record_holds(env):
    said = env.run("check", "--files").out
    assert "verified against their RECORD" in said and "pytokens" not in said, said


def can_link(env):
    probe = os.path.join(env.home, "probe")
    open(probe, "w").close()
    os.link(probe, probe + "2")
    return os.stat(probe).st_dev == os.stat(env.site).st_dev


def test_unpacked_once(env):
    assert can_link(env)
    env.run("install", "-y", "--no-undo", "pytokens").ok()
    assert kept(env) and set(kept(env).values()) <= {1, 2}
    first = files_of(env, ".")
    env.run("install", "-y", "--no-undo", "--remove", "pytokens").ok()
    env.run("install", "-y", "--no-undo", "pytokens").ok()
    again = files_of(env, ".")
    came = {p for p in again if "pytokens" in p}
    assert came and all(again[p] == first[p] for p in came), "the very files came back"
    record_holds(env)


def hold_back(index, project):
    """From now on the wheels of the project do not arrive."""
    index.stall_only.update(f.name for f in index.of(project) if f.name.endswith(".whl"))
    index.stall.set()


def ahead_of(env, least):
    """{inode: path} of what lies unpacked beside a wheel, and of its directories, as soon as there are so many files."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found, count = {}, 0
        for folder, _, files in os.walk(os.path.join(env.site, ".unpin")):
            nested = re.search(r"/scratch/\d+/site/", folder)
            mine = [f for f in files if nested or re.search(r"/scratch/\d+$", folder) and f.isdigit()]
            count += len(mine)
            for path in [os.path.join(folder, f) for f in mine] + ([folder] if nested else []):
                found[os.stat(path).st_ino] = path
        if count >= least:
            return found
        time.sleep(0.05)
    pytest.fail("nothing is unpacked while something else is still to come")


def test_unpacked_while_others_come(env, index):
    hold_back(index, "pytokens")
    child = subprocess.Popen(env.argv("install", "-y", "asgiref", "pytokens"), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        ahead = ahead_of(env, 5)
        assert "asgiref" not in env.installed()
    finally:
        index.stall.clear()
    _, err = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0, err
    assert {"asgiref", "pytokens"} <= set(env.installed())
    assert len(set(files_of(env, "asgiref").values()) & set(ahead)) >= 5, "the very files were moved"
    assert os.stat(os.path.join(env.site, "asgiref")).st_ino in ahead, "and their directory with them"
    record_holds(env)
    assert env.run("undo", "-y").status == 0 and "asgiref" not in env.installed()


def test_directory_of_two_wheels(env, index, tmp_path):
    """What two wheels unpacked ahead have in common comes together file by file, and a file of both once."""
    files = {"shared-one": {"common/one/a.py": "a = 1\n", "common/same.py": "same = 1\n", "common/one/deep/b.py": "b = 1\n"},
             "shared-two": {"common/two/c.py": "c = 1\n", "common/same.py": "same = 1\n", "common/one/d.py": "d = 1\n"}}
    paths = [worlds.stub_wheel(tmp_path / "wheels", name, "1.0", files=those) for name, those in files.items()]
    index.files.update({os.path.basename(path): File(path, None) for path in paths})
    before = env.tree()
    hold_back(index, "pytokens")
    child = subprocess.Popen(env.argv("install", "-y", "--no-imports", "shared-one", "shared-two", "pytokens"), env=env.variables, cwd=env.folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        ahead_of(env, 14)
    finally:
        index.stall.clear()
        for path in paths:
            del index.files[os.path.basename(path)]
    _, err = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0, err
    top = os.path.join(env.site, "common")
    there = {os.path.relpath(os.path.join(folder, f), env.site) for folder, _, names in os.walk(top) for f in names}
    assert there == {path for those in files.values() for path in those}
    assert all(open(os.path.join(env.site, path)).read() == text for those in files.values() for path, text in those.items())
    record_holds(env)
    env.run("undo", "-y").ok()
    assert env.tree() == before


def test_ended_while_unpacked_ahead(env, index):
    before = env.tree()
    hold_back(index, "pytokens")
    child = subprocess.Popen(env.argv("install", "-y", "asgiref", "pytokens"), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ahead_of(env, 5)
    child.terminate()
    _, err = child.communicate(timeout=LIMIT_S)
    index.stall.clear()
    assert child.returncode == 128 + 15, err
    assert env.tree() == before


def test_refused_ahead_as_otherwise(env, index, tmp_path):
    """A wheel that came is refused with the words for one that was there."""
    path = worlds.stub_wheel(tmp_path / "wheels", "wrong-record", "1.0", files={"wrong_record/data.py": "x = 1\n"})
    with zipfile.ZipFile(path) as z:
        content = [(i, z.read(i)) for i in z.infolist()]
    with zipfile.ZipFile(path, "w") as z:
        for info, data in content:
            z.writestr(info, data.replace(b"x = 1", b"x = 2") if info.filename.endswith("data.py") else data)
    index.files[os.path.basename(path)] = File(path, None)
    try:
        came = env.run("install", "-y", "wrong-record", "asgiref")
        there = env.run("install", "-y", "wrong-record", "asgiref")
    finally:
        del index.files[os.path.basename(path)]
    assert came.status == there.status and came.err == there.err
    assert "has not the hash that RECORD gives" in came.err and "asgiref" not in env.installed()


def test_no_two_environments_share_a_file(env, tmp_path):
    env.run("install", "-y", "--no-undo", "pytokens").ok()
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", env.world.base, other], check=True)
    second = {**env.variables, "VIRTUAL_ENV": str(other)}
    done = subprocess.run(env.argv("install", "-y", "--no-undo", "--python", str(other / "bin" / "python"), "pytokens"), env=second, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    inodes = set(files_of(env, "pytokens").values()) or {os.stat(os.path.join(env.site, "pytokens.py")).st_ino}
    site = env.site.replace(env.prefix, str(other))
    theirs = {os.stat(os.path.join(folder, f)).st_ino for folder, _, files in os.walk(site) for f in files}
    assert not inodes & theirs


def test_a_change_by_hand_goes_no_further(env):
    env.run("install", "-y", "--no-undo", "pytokens").ok()
    path = next(p for p in files_of(env, ".") if "pytokens" in p and os.path.getsize(p) > 100)
    with open(path, "r+b") as f:  # in place: the kept file is the same one
        f.write(b"raise SystemExit\n#")
    env.run("install", "-y", "--no-undo", "--modified", "replace", "--remove", "pytokens").ok()
    env.run("install", "-y", "--no-undo", "pytokens").ok()
    with open(path, "rb") as f:
        assert not f.read().startswith(b"raise SystemExit")
    record_holds(env)


def test_whole_directories_go_back(env):
    before = env.tree()
    env.run("install", "-y", "pytokens").ok()
    env.run("undo", "-y").ok()
    assert env.tree() == before


def test_bytecode_by_choice(env):
    def compiled():
        return [os.path.join(folder, f) for folder, _, files in os.walk(env.site) for f in files if f.startswith("pytokens") and f.endswith(".pyc")
                or "pytokens" in folder and f.endswith(".pyc")]
    before = env.tree()
    env.run("install", "-y", "--no-imports", "pytokens").ok()
    assert compiled() == []
    env.run("undo", "-y").ok()
    env.run("install", "-y", "--no-imports", "--compile", "pytokens").ok()
    assert compiled()
    env.run("undo", "-y").ok()
    assert compiled() == [] and env.tree() == before, "undo takes the bytecode away"
    env.run("install", "-y", "--no-imports", "pytokens", UV_COMPILE_BYTECODE="1").ok()
    assert compiled()
    env.run("undo", "-y").ok()
    env.run("install", "-y", "--no-imports", "--no-compile", "pytokens", UV_COMPILE_BYTECODE="1").ok()
    assert compiled() == []


def on_terminal(env, *words):
    """What unpin writes to a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(env.argv(*words), env={**env.variables, "TERM": "xterm"}, cwd=env.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=theirs)
    os.close(theirs)
    text, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 1)
        try:
            piece = os.read(ours, 65536) if ready else b""
        except OSError:
            break
        if ready and not piece:
            break
        text += piece
    child.stdout.read()
    assert child.wait() == 0, text
    os.close(ours)
    return text.decode()


def test_progress_on_a_terminal_only(env):
    told = on_terminal(env, "install", "-y", "pytokens")
    assert "unpacking" in told and "verifying" in told
    assert re.search(r"downloading [^\r\n]*(file|\.whl)", told)
    env.run("undo", "-y").ok()
    assert on_terminal(env, "install", "-y", "-q", "pytokens") == ""
    env.run("undo", "-y").ok()
    assert "unpacking" not in env.run("install", "-y", "pytokens").ok().err


@pytest.fixture(params=["btrfs", "xfs"])
def cloning_disk(request, tmp_path):
    """A mounted file system whose files can share bytes."""
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    with open(image, "wb") as f:
        f.truncate(512 << 20)
    make = {"btrfs": ["mkfs.btrfs", "-q"], "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"]}[request.param]
    if not shutil.which(make[0]) or subprocess.run([*make, image], capture_output=True).returncode != 0:
        pytest.skip(f"no {request.param} can be made here")
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode != 0:
        pytest.skip(f"no {request.param} can be mounted here")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)
    image.unlink()


def extents(path):
    """What filefrag tells of the parts of a file on disk."""
    subprocess.run(["sync", "-f", path], check=True)
    return subprocess.run(["filefrag", "-v", path], capture_output=True, text=True, check=True).stdout


def test_clones_are_made_and_independent(env, cloning_disk):
    cache = cloning_disk / "cache"
    cache.mkdir(mode=0o700)
    sites = {}
    for name in ("first", "second", "third"):
        prefix = cloning_disk / name
        subprocess.run(["cp", "-a", env.world.base, prefix], check=True)
        words = env.argv("install", "-y", "--no-undo", "--no-imports", "--python", str(prefix / "bin" / "python"), "rich==14.0.0")
        variables = {**env.variables, "VIRTUAL_ENV": str(prefix), "UNPIN_CACHE_DIR": str(cache)}
        done = subprocess.run(words, env=variables, cwd=env.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        site = next((prefix / "lib").glob("python3*")) / "site-packages"
        sites[name] = site / "rich" / "console.py"
        if name == "second":
            text = sites["first"].read_bytes()
            with open(sites["first"], "r+b") as f:
                f.write(b"raise SystemExit\n#")
    inodes = {path.stat().st_ino for path in sites.values()}
    assert len(inodes) == 3 and {path.stat().st_nlink for path in sites.values()} == {1}
    assert sites["second"].read_bytes() == text == sites["third"].read_bytes(), "what is done to one reaches no other"
    assert sites["first"].read_bytes() != text
    for name in ("second", "third"):
        assert "shared" in extents(sites[name]), "the bytes are there once"
    for path in sites.values():
        assert path.stat().st_mode & 0o7777 == 0o644
