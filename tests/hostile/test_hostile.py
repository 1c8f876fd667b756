"""Every wheel of make_wheels.py and variants.py: refused for its own reason and nothing left behind, or accepted, within bounds."""
import json
import os
import random
import subprocess
import sys
import time
import venv
import zipfile

import pytest

import make_wheels
import variants

BUILD = os.environ.get("UNPIN_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
SECONDS, KIB = 6, 64 << 10
WHEELS = make_wheels.WHEELS + variants.VARIANTS
# Many files take their time and memory where they are accepted: about 2 KiB and one file each.
MANY = {"b03_entries": (60, KIB)}


def tree(prefix):
    """What is there, but for unpin's own (empty) store: path, mode, size, link."""
    found = {}
    for folder, dirs, files in os.walk(prefix):
        dirs[:] = [d for d in dirs if d != ".unpin"]
        for name in dirs + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_size if name in files else 0, status.st_mtime_ns if name in files else 0)
    return found


def litter(prefix):
    """Files in unpin's stores."""
    for folder, dirs, files in os.walk(prefix):
        if os.path.basename(folder) == ".unpin":
            yield from (os.path.join(below, f) for below, _, names in os.walk(folder) for f in names if f != "lock")


def probe(*words, build=BUILD):
    done = subprocess.run([os.path.join(build, "tests", "hostile", "probe"), *words], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return json.loads(done.stdout)


def probe_each(prefix, paths, build, *words):
    """Many wheels in one run: the results in their order."""
    argv = [os.path.join(build, "tests", "hostile", "probe"), *words, os.path.join(prefix, "bin", "python"), *paths]
    done = subprocess.run(argv, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_environment(prefix):
    """A virtual environment with one distribution, the victim."""
    venv.create(prefix, with_pip=False, symlinks=True)
    site = os.path.join(prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    body = b"victim = True\n"
    metadata = b"Metadata-Version: 2.1\nName: victim\nVersion: 1.0\n"
    files = {"victim/__init__.py": body, "victim-1.0.dist-info/METADATA": metadata}
    rows = [f"{path},{make_wheels.digest(data)},{len(data)}\n" for path, data in files.items()]
    files["victim-1.0.dist-info/RECORD"] = ("".join(rows) + "victim-1.0.dist-info/RECORD,,\n").encode()
    for path, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(site, path)), exist_ok=True)
        with open(os.path.join(site, path), "wb") as out:
            out.write(data)
    return prefix


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    return make_environment(str(tmp_path_factory.mktemp("environment") / "venv"))


@pytest.mark.parametrize("name,expected,text", [(w[0], w[2], w[3]) for w in WHEELS], ids=[w[0] for w in WHEELS])
def test_wheel(name, expected, text, prefix, tmp_path):
    path = make_wheels.make(str(tmp_path), {name}, WHEELS)[name]
    before, start = tree(prefix), time.monotonic()
    # What has to be refused may get as far as it can.
    got = probe(*["--commit"] * (expected == "refuse"), os.path.join(prefix, "bin", "python"), path)
    seconds = time.monotonic() - start
    assert tree(prefix) == before
    assert list(litter(prefix)) == []
    assert not os.path.exists("/tmp/outside.py")
    if expected == "refuse":
        assert got["result"] == "refused" and text in got["text"], got
        assert got["kind"] in ("wheel-refused", "malformed", "limit", "refused"), got
    elif expected == "ask":
        assert (got["result"], got["kind"]) == ("refused", "consent-needed") and text in got["text"], got
        assert "--allow-pth" in got["hint"]
        assert probe("--allow-pth", os.path.join(prefix, "bin", "python"), path)["result"] == "accepted"
    elif expected == "record":
        assert got["result"] == "refused" and text in got["text"] and "--rebuild-record evil" in got["hint"], got
        mended = probe("--rebuild-record", os.path.join(prefix, "bin", "python"), path)
        assert mended["result"] == "accepted" and any("what the archive holds" in w for w in mended["warnings"]), mended
    elif expected == "warn":
        assert got["result"] == "accepted" and any(text in w for w in got["warnings"]), got
    elif expected == "accept":
        assert got["result"] == "accepted" and got["warnings"] == [], got
    assert not any(c < " " or c == "\x7f" for w in [got.get("text", ""), *got["warnings"]] for c in w), "control characters reach the reader"
    limit_s, limit_kib = MANY.get(name, (SECONDS, KIB))
    assert seconds < limit_s and got["maxrss_kib"] < limit_kib, (seconds, got["maxrss_kib"])


def test_sanitizers(prefix, tmp_path):
    """The same under AddressSanitizer and UBSan, which end the program where they find something."""
    build = os.environ.get("UNPIN_BUILD_SAN")
    if not build:
        pytest.skip("UNPIN_BUILD_SAN is not set")
    for expected in ("refuse", "ask", "accept", "warn"):
        names = {w[0] for w in WHEELS if w[2] == expected} - set(MANY)
        paths = make_wheels.make(str(tmp_path), names, WHEELS)
        words = ["--commit"] * (expected == "refuse")
        for name, got in zip(paths, probe_each(prefix, paths.values(), build, *words)):
            assert (got["result"] == "accepted") == (expected in ("accept", "warn")), (name, got)
    assert list(litter(prefix)) == []


def test_every_attack_is_refused_alone(prefix, tmp_path):
    """The texts tell the attacks apart: none is refused by accident, for what the good wheel has too."""
    paths = make_wheels.make(str(tmp_path), {"ok", "n13_con", "z18_data_descriptor", "d06_same"})
    for path in paths.values():
        assert probe(os.path.join(prefix, "bin", "python"), path)["result"] == "accepted"


def test_cut_anywhere(prefix, tmp_path):
    """A good wheel cut at any place is refused."""
    good = make_wheels.make(str(tmp_path), {"ok"})["ok"]
    with open(good, "rb") as f:
        data = f.read()
    paths = []
    for cut in range(0, len(data), max(1, len(data) // 60)):
        paths.append(str(tmp_path / str(cut) / os.path.basename(good)))
        os.mkdir(os.path.dirname(paths[-1]))
        with open(paths[-1], "wb") as out:
            out.write(data[:cut])
    assert {got["result"] for got in probe_each(prefix, paths, BUILD)} == {"refused"}


def test_any_byte_changed(prefix, tmp_path):
    """A wheel of which one byte is another is refused, or what would be installed is the same: times, modes, hints to the
    reader. Under sanitizers, where there is such a build."""
    good = make_wheels.make(str(tmp_path), {"ok"})["ok"]
    with open(good, "rb") as f:
        data = f.read()
    dice, paths = random.Random(7), []
    for i in range(500):
        at = dice.randrange(len(data))
        paths.append(str(tmp_path / str(i) / os.path.basename(good)))
        os.mkdir(os.path.dirname(paths[-1]))
        with open(paths[-1], "wb") as out:
            out.write(data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1:])
    refused = 0
    for path, got in zip(paths, probe_each(prefix, paths, os.environ.get("UNPIN_BUILD_SAN", BUILD))):
        assert got["result"] == "refused" or contents(path) == contents(good), (path, got)
        refused += got["result"] == "refused"
    assert refused > 350
    assert list(litter(prefix)) == []


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_links_in_the_environment(tmp_path):
    """A directory of the environment that is a link leads nowhere: nothing is written through it."""
    prefix = make_environment(str(tmp_path / "venv"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    site = os.path.join(prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    os.symlink(elsewhere, os.path.join(site, "evil"))
    path = make_wheels.make(str(tmp_path), {"ok"})["ok"]
    before = tree(prefix)
    got = probe("--commit", os.path.join(prefix, "bin", "python"), path)
    assert got["result"] == "refused" and "evil" in got["text"], got
    assert list(elsewhere.iterdir()) == [] and tree(prefix) == before and list(litter(prefix)) == []
    # A file that is a link is replaced by none of ours either.
    os.unlink(os.path.join(site, "evil"))
    os.mkdir(os.path.join(site, "evil"))
    (elsewhere / "target").write_text("x")
    os.symlink(elsewhere / "target", os.path.join(site, "evil", "__init__.py"))
    got = probe("--commit", os.path.join(prefix, "bin", "python"), path)
    assert got["result"] == "refused" and "__init__.py" in got["text"], got
    assert (elsewhere / "target").read_text() == "x"


@pytest.mark.parametrize("row", ["../../../pyvenv.cfg", "../../../bin/python", "../../../../outside", "/etc/passwd", ".unpin/lock", "../../../bin/.unpin-1/x"])
def test_a_list_of_files_names_what_is_not_its_own(tmp_path, row):
    """RECORD of an installed distribution, edited to take something along when it goes."""
    prefix = make_environment(str(tmp_path / "venv"))
    site = os.path.join(prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    (tmp_path / "outside").write_text("x")
    os.mkdir(os.path.join(prefix, "bin", ".unpin-1"))
    with open(os.path.join(prefix, "bin", ".unpin-1", "x"), "w", encoding="utf-8"):
        pass
    with open(os.path.join(site, "victim-1.0.dist-info", "RECORD"), "a", encoding="utf-8") as f:
        f.write(f"{row},,\n")
    before = tree(prefix)
    got = probe("--commit", "--remove", "victim", os.path.join(prefix, "bin", "python"))
    assert got["result"] == "refused", got
    assert tree(prefix) == before and (tmp_path / "outside").exists()
