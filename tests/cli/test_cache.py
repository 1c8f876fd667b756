"""unpin cache: what is there, what goes, and what never does. On the real binary."""
import fcntl
import glob
import json
import os
import signal
import subprocess
import time

import pytest

import conftest
import world as worlds

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def cache_of(env):
    return os.path.join(env.home, "cache", "unpin")


def kinds(document):
    import jsonschema
    with open(os.path.join(ROOT, "docs", "schema", "cache-1.json"), encoding="utf-8") as f:
        jsonschema.Draft202012Validator(json.load(f)).validate(document)
    return {k["kind"]: k["files"] for k in document.get("kinds") or document["freed"]["kinds"] if k["files"]}


@pytest.fixture
def bare(world, unpin_binary, index, tmp_path):
    """An environment with nothing in it."""
    subprocess.run([world.python, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True, env=worlds.clean_environment())
    made = conftest.Environment(world, unpin_binary, tmp_path / "env", tmp_path, index.url)
    made.variables["PIP_CONSTRAINT"] = ""
    return made


@pytest.fixture
def filled(bare):
    """One whose cache has pages, metadata and wheels of three projects, and what was unpacked of them."""
    install(bare, "nvidia-modelopt-core==0.27.0", "kitchen==2.0").ok()  # and six
    return bare


def install(env, *words, **variables):
    return env.run("install", "-y", "--no-imports", *words, **variables)


def test_info(filled):
    run = filled.run("cache").ok()
    assert all(kind in run.out for kind in ("pages", "metadata", "wheels", "scan", "20 GB (default)")), run.out
    document = filled.run("cache", "info", "--json").ok().json
    assert document["directory"] == cache_of(filled) and document["max_bytes"] == 20 * 10**9 and document["strange"] == 0
    found = kinds(document)
    assert found["wheels"] == 3 and found["metadata"] >= 3 and found["pages"] >= 6
    on_disk = sum(os.lstat(p).st_blocks * 512 for p in glob.glob(cache_of(filled) + "/index-*/**", recursive=True) if os.path.isfile(p))
    assert on_disk <= document["bytes"] <= on_disk + 10**7


def test_clear_one_project(filled):
    freed = kinds(filled.run("cache", "clear", "NVIDIA_modelopt.core", "--json").ok().json)
    assert freed["wheels"] == 1 and freed["metadata"] >= 1 and freed["pages"] == 2, freed
    filled.run("undo", "-y").ok()
    # The other project is there yet, without a server; this one is not.
    install(filled, "--offline", "kitchen==2.0").ok()
    run = install(filled, "--offline", "nvidia-modelopt-core==0.27.0").ok(7)
    assert "cache" in run.err


def test_clear_all_and_go_on(filled):
    install(filled, "kitchen==1.0").ok()
    run = filled.run("cache", "clear").ok()
    assert run.out.startswith("Freed ") and "wheels" in run.out
    assert kinds(filled.run("cache", "--json").ok().json) == {}
    left = {os.path.basename(p) for p in glob.glob(cache_of(filled) + "/**", recursive=True) if os.path.isfile(p)}
    assert left == {"lock"}
    # What undo needs is elsewhere; and what is fetched anew is kept anew.
    filled.run("undo", "-y").ok()
    assert filled.installed()["kitchen"] == "2.0"
    filled.run("undo", "-y").ok()
    install(filled, "kitchen==2.0").ok()
    assert kinds(filled.run("cache", "--json").ok().json)["wheels"] == 2


def test_prune_by_age_and_size(filled):
    wheels = sorted(glob.glob(cache_of(filled) + "/index-*/wheels/*/*"))
    for days, path in enumerate(wheels):
        os.utime(path, (time.time() - 86400 * (days + 10.5),) * 2)
    freed = kinds(filled.run("cache", "prune", "--older-than", "12", "--json").ok().json)
    assert freed == {"wheels": 1} and not os.path.exists(wheels[2])
    bytes_left = filled.run("cache", "--json").ok().json["bytes"]
    filled.run("cache", "prune", "--max-size", str(bytes_left - 1)).ok()
    assert not os.path.exists(wheels[1]) and os.path.exists(wheels[0]), "the least recently used goes first"
    assert kinds(filled.run("cache", "prune", "--json").ok().json) == {}, "it is within the bound"
    assert kinds(filled.run("cache", "prune", "--json", UNPIN_CACHE_MAX_SIZE="0").ok().json)["wheels"] == 1


@pytest.mark.parametrize("words", [["prune", "--max-size", "much"], ["prune", "--older-than", "soon"], ["clear", "a", "b"], ["clear", "../x"],
                                   ["info", "x"], ["purge"], ["--max-size", "1G"], ["prune", "-y"]], ids=" ".join)
def test_bad_words(seen, words):
    assert seen.run("cache", *words).ok(2).err


def test_the_bound_is_kept_after_a_change(bare):
    """A small bound from a file, `[unpin]` before `[install]`; what is unpacked is shared with the environment and stays."""
    conf = os.path.join(bare.folder, "pip.conf")
    with open(conf, "w") as f:
        f.write("[install]\ncache-max-size = 1T\n[unpin]\ncache-max-size = 20k\n")
    run = install(bare, "kitchen==2.0", PIP_CONFIG_FILE=conf).ok()
    assert "the cache was above 20 kB" in run.err, run.err
    document = bare.run("cache", "--json", PIP_CONFIG_FILE=conf).ok().json
    assert document["bytes"] <= 20000 and document["max_bytes"] == 20000 and "[unpin]" in document["max_source"]
    run = install(bare, "nvidia-modelopt-core==0.27.0", UNPIN_CACHE_MAX_SIZE="none").ok()
    assert "cache" not in run.err
    assert "max_bytes" not in bare.run("cache", "--json", UNPIN_CACHE_MAX_SIZE="none").ok().json
    tree = bare.tree()
    bare.run("install", "-y", "kitchen==1.0", UNPIN_CACHE_MAX_SIZE="plenty").ok(2)
    assert bare.tree() == tree


def test_nothing_goes_while_another_uses_it(filled):
    with open(os.path.join(cache_of(filled), "lock")) as f:
        fcntl.flock(f, fcntl.LOCK_SH)
        for words in (["prune", "--max-size", "0"], ["clear"], ["clear", "kitchen"]):
            assert "[U061]" in filled.run("cache", *words).ok(75).err
        filled.run("cache").ok()
        assert "went" not in install(filled, "kitchen==1.0", UNPIN_CACHE_MAX_SIZE="1k").ok().err
        assert kinds(filled.run("cache", "--json").ok().json)["wheels"] == 4
    filled.run("cache", "clear").ok()


def open_files(pid):
    found = set()
    for link in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found.add(os.readlink(link))
        except OSError:
            pass  # closed meanwhile
    return found


def test_a_running_install_keeps_what_it_uses(bare):
    """Stopped as soon as it uses the cache, while another process wants all of it to go."""
    bare.run("plan", "kitchen==2.0").ok()
    lock = os.path.join(cache_of(bare), "lock")
    child = subprocess.Popen(bare.argv("install", "-y", "--no-imports", "kitchen==2.0", "nvidia-modelopt-core==0.27.0"), env=bare.variables, cwd=bare.folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while child.poll() is None and lock not in open_files(child.pid):
        time.sleep(0.001)
    child.send_signal(signal.SIGSTOP)
    assert child.poll() is None
    bare.run("cache", "clear").ok(75)
    child.send_signal(signal.SIGCONT)
    assert child.wait() == 0, child.stdout.read()
    assert bare.installed()["kitchen"] == "2.0"
    bare.run("cache", "clear").ok()


def test_damaged_entries_are_replaced(filled):
    """Whatever is in the place of an entry, a plan and an install succeed, and put a whole one there, or none."""
    filled.run("undo", "-y").ok()
    paths = [p for p in glob.glob(cache_of(filled) + "/**", recursive=True) if os.path.isfile(p) and os.path.basename(p) != "lock"]
    for n, path in enumerate(sorted(paths)):
        os.unlink(path)
        if n % 6 == 0:
            os.mkfifo(path)
        elif n % 6 == 1:
            os.symlink("/dev/zero", path)
        elif n % 6 == 2:
            os.mkdir(path)
        elif n % 6 == 3:
            open(path, "w").close()
        else:
            with open(path, "wb") as f:
                f.write(os.urandom(3000))
    install(filled, "nvidia-modelopt-core==0.27.0", "kitchen==2.0").ok()
    assert filled.installed()["nvidia-modelopt-core"] == "0.27.0"
    filled.run("cache").ok()
    run = filled.run("cache", "clear").ok()
    assert "left alone" in run.err


def test_links_out_of_the_cache(filled, tmp_path):
    outside = tmp_path / "outside"
    cache = cache_of(filled)
    os.rename(os.path.join(cache, "index-2"), outside)
    os.symlink(outside, os.path.join(cache, "index-2"))
    before = worlds.tree(str(outside))
    filled.run("cache", "clear").ok()
    filled.run("cache", "prune", "--max-size", "0").ok()
    assert worlds.tree(str(outside)) == before and os.path.islink(os.path.join(cache, "index-2"))


def test_a_cache_of_somebody_else(seen, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o777)
    os.chmod(theirs, 0o777)
    for words in ([], ["clear"], ["prune"]):
        assert "everybody may write to it" in seen.run("cache", *words, "--cache-dir", theirs).ok(1).err
    assert "[U005]" in seen.run("cache", HOME="", XDG_CACHE_HOME="").ok(2).err
    assert kinds(seen.run("cache", "--json", "--cache-dir", tmp_path / "none").ok().json) == {}
    assert not (tmp_path / "none").exists()


def test_a_read_only_cache(filled):
    """Plans and installs use it as it is; what is to go cannot, and that is said."""
    cache = cache_of(filled)
    filled.run("undo", "-y").ok()
    done = subprocess.run(["mount", "--bind", cache, cache], capture_output=True) if os.geteuid() == 0 else None
    if not done or done.returncode or subprocess.run(["mount", "-o", "remount,ro,bind", cache], capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        filled.run("cache").ok()
        assert "[U011]" in filled.run("cache", "clear").ok(1).err
        run = install(filled, "--offline", "kitchen==2.0", UNPIN_CACHE_MAX_SIZE="1k").ok()
        assert "cache" not in run.err, run.err
    finally:
        subprocess.run(["umount", "-l", cache], check=True)
