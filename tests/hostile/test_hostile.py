"""Every wheel of make_wheels.py: refused for its own reason and nothing left behind, or accepted, within bounds."""
import json
import os
import subprocess
import sys
import time
import venv

import pytest

import make_wheels

BUILD = os.environ.get("UNPIN_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
SECONDS, KIB = 6, 64 << 10
# Many files take their time and memory where they are accepted: about 2 KiB and one file each.
MANY = {"b02_entries": (120, 256 << 10), "b03_entries": (30, 128 << 10)}


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


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """A virtual environment with one distribution, the victim."""
    prefix = str(tmp_path_factory.mktemp("environment") / "venv")
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


@pytest.mark.parametrize("name,expected,text", [(w[0], w[2], w[3]) for w in make_wheels.WHEELS], ids=[w[0] for w in make_wheels.WHEELS])
def test_wheel(name, expected, text, prefix, tmp_path):
    path = make_wheels.make(str(tmp_path), {name})[name]
    before, start = tree(prefix), time.monotonic()
    got = probe(os.path.join(prefix, "bin", "python"), path)
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
    for name, path in make_wheels.make(str(tmp_path), {w[0] for w in make_wheels.WHEELS} - set(MANY)).items():
        expected = {w[0]: w[2] for w in make_wheels.WHEELS}[name]
        got = probe(os.path.join(prefix, "bin", "python"), path, build=build)
        assert expected == "limit" or (got["result"] == "accepted") == (expected in ("accept", "warn")), (name, got)
    assert list(litter(prefix)) == []


def test_every_attack_is_refused_alone(prefix, tmp_path):
    """The texts tell the attacks apart: none is refused by accident, for what the good wheel has too."""
    paths = make_wheels.make(str(tmp_path), {"ok", "n13_con", "z18_data_descriptor", "d06_same"})
    for path in paths.values():
        assert probe(os.path.join(prefix, "bin", "python"), path)["result"] == "accepted"


def test_cut_anywhere(prefix, tmp_path):
    """A good wheel cut at any place, or with any one byte of its headers changed, never ends the program badly."""
    good = make_wheels.make(str(tmp_path), {"ok"})["ok"]
    with open(good, "rb") as f:
        data = f.read()
    bad = str(tmp_path / os.path.basename(good))
    for cut in range(0, len(data), max(1, len(data) // 60)):
        with open(bad, "wb") as out:
            out.write(data[:cut])
        assert probe(os.path.join(prefix, "bin", "python"), bad)["result"] == "refused", cut
