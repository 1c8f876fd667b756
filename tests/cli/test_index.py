"""The index against a server that does everything right, and against one that does not, by build/tests/unit/index-run."""
import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from aiohttp import web

from rude_server import RudeServer, closes, cut, floods, ranged, raw, stalls, then

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# The most memory that the program in its arguments had, to standard error; a process of its own, for what forks lends its size to its child.
PEAK = ("import resource, subprocess, sys; status = subprocess.run(sys.argv[1:]).returncode; "
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)); sys.exit(status)")
PEAK_MAX = 56 << 20
UNKNOWN, KNOWN, ABSENT = 0, 1, 2  # enum page_state
META_KNOWN, META_UNREADABLE = 1, 2
BAR_PYTHON, BAR_TAGS, BAR_SDIST, BAR_QUARANTINED, BAR_WHEELS = 1, 2, 8, 16, 32


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def metadata(name="a", version="1.0", requires=("idna>=2",), more=""):
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"]
    return ("".join(lines) + "".join(f"Requires-Dist: {r}\n" for r in requires) + "\nA description.\n").encode()


def wheel(name="a", version="1.0", requires=("idna>=2",), padding=0, entries=0, own_metadata=None):
    """A wheel; `padding` random bytes lie between METADATA and the directory, `entries` files make that large."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(f"{name}-{version}.dist-info/METADATA", own_metadata or metadata(name, version, requires))
        if padding:
            z.writestr(zipfile.ZipInfo(f"{name}/data.bin"), random.Random(1).randbytes(padding))
        for i in range(entries):
            z.writestr(f"{name}/{'x' * 100}{i}.py", "")
    return out.getvalue()


def sdist(files, name="a", version="1.0"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def page(*files, **more):
    """A JSON page; a file is (name, bytes) or (name, bytes, {further keys})."""
    entries = []
    for name, data, *rest in files:
        entries.append({"filename": name, "url": f"/files/{name}", "hashes": {"sha256": sha256(data)}, "size": len(data), **(rest[0] if rest else {})})
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "a", "files": entries, **more}).encode()
    return 200, {"Content-Type": "application/vnd.pypi.simple.v1+json"}, body


@pytest.fixture
def server():
    with RudeServer() as running:
        yield running


@pytest.fixture
def run(server, tmp_path):
    program = os.path.join(os.environ.get("UNPIN_BUILD_SAN", os.path.join(ROOT, "build")), "tests", "unit", "index-run")
    if not os.path.exists(program):
        pytest.exit(f"no {program}: run the tests by tools/check", 2)

    def call(*words, status=0, limit_s=30, **variables):
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": server.url,
               "UNPIN_CACHE_DIR": str(tmp_path / "cache"), "no_proxy": "*", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
               "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", ""), **variables}
        done = subprocess.run([program, *map(str, words)], env=env, capture_output=True, text=True, timeout=limit_s)
        assert done.returncode == status, f"status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return json.loads(done.stdout)

    return call


def serve(server, data, name="a-1.0-py3-none-any.whl", **keys):
    server.routes["/simple/a/"] = page((name, data, keys))
    server.routes[f"/files/{name}"] = ranged(data)


def release(document, version="1.0", project="a"):
    return next(r for r in document["projects"][project]["releases"] if r["version"] == version)


def test_json_and_advertised_metadata(server, run):
    data = wheel()
    serve(server, data, **{"core-metadata": {"sha256": sha256(metadata())}, "upload-time": "2020-01-01T00:00:00Z"})
    server.routes["/files/a-1.0-py3-none-any.whl.metadata"] = metadata()
    found = release(run("a==1.0"))
    assert found["requires"] == ["idna>=2"] and found["uploaded"] == 1577836800 and found["size"] == len(data)
    assert found["sha256"] == sha256(data) and found["bars"] == 0
    assert server.paths() == ["/simple/a/", "/files/a-1.0-py3-none-any.whl.metadata"]
    assert server.seen[0][1]["Accept"].startswith("application/vnd.pypi.simple.v1+json")


def test_html_compressed_and_the_tail_of_the_wheel(server, run):
    data = wheel()
    text = f'<a href="../../files/a-1.0-py3-none-any.whl#sha256={sha256(data)}" data-requires-python="&gt;=3.8">a</a>'
    server.routes["/simple/a/"] = (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(text.encode()))
    server.routes["/files/a-1.0-py3-none-any.whl"] = ranged(data)
    found = release(run("a==1.0"))
    assert found["requires"] == ["idna>=2"] and "uploaded" not in found
    assert server.paths() == ["/simple/a/", "/files/a-1.0-py3-none-any.whl.metadata", "/files/a-1.0-py3-none-any.whl"]
    assert server.seen[2][1]["Range"] == "bytes=-32768"


@pytest.mark.parametrize("shape, ranges", [({"padding": 100000}, 2), ({"entries": 1000}, 3), ({"padding": 100000, "entries": 1000}, 3)])
def test_metadata_before_the_tail(server, run, shape, ranges):
    serve(server, wheel(**shape))
    assert release(run("a==1.0"))["requires"] == ["idna>=2"]
    assert sum("Range" in headers for _, headers in server.seen) in (ranges, ranges - 1)


@pytest.mark.parametrize("how", [{"whole": True}, {"refuse": True}])
def test_server_without_ranges(server, run, how):
    data = wheel(padding=50000)
    serve(server, data)
    server.routes["/files/a-1.0-py3-none-any.whl"] = ranged(data, **how)
    assert release(run("a==1.0"))["requires"] == ["idna>=2"]


OLD = "Metadata-Version: 1.1\nName: a\nVersion: 1.0\n"
NEW = "Metadata-Version: 2.2\nName: a\nVersion: 1.0\nRequires-Dist: idna>=2\n"


@pytest.mark.parametrize("files, requires, unsure", [
    ({"PKG-INFO": NEW}, ["idna>=2"], False),
    ({"PKG-INFO": OLD, "a.egg-info/PKG-INFO": OLD, "a.egg-info/requires.txt": "idna>=2\n\n[x]\nrich\n"}, ["idna>=2", 'rich; extra == "x"'], False),
    ({"PKG-INFO": OLD, "src/a.egg-info/requires.txt": "idna\n"}, ["idna"], False),
    ({"PKG-INFO": OLD, "a.egg-info/PKG-INFO": OLD}, [], False),
    ({"PKG-INFO": OLD, "a.egg-info/requires.txt": ""}, [], False),
    ({"PKG-INFO": OLD, "setup.py": "raise SystemExit"}, [], True),
    ({"PKG-INFO": NEW + "Dynamic: Requires-Dist\n"}, ["idna>=2"], False),
    ({"PKG-INFO": NEW.replace("Requires-Dist: idna>=2\n", "") + "Dynamic: Requires-Dist\n"}, [], True),
])
def test_sdist(server, run, files, requires, unsure):
    serve(server, sdist(files), "a-1.0.tar.gz")
    document = run("a==1.0")
    texts = [r.replace("'", '"').replace(" ;", ";") for r in release(document)["requires"]]
    assert texts == requires
    assert document["problems"] == (["requirements of a 1.0 (sdist) are known only after a build"] if unsure else [])
    assert run("a==1.0")["problems"] == document["problems"], "the cache says the same"


@pytest.mark.parametrize("files, requires, unsure", [
    ({"PKG-INFO": NEW}, ["idna>=2"], False),
    ({"PKG-INFO": OLD, "a.egg-info/requires.txt": "idna>=2\n"}, ["idna>=2"], False),
    ({"PKG-INFO": OLD, "big": "", "a.egg-info/requires.txt": "idna>=2\n"}, [], True),
])
def test_a_huge_sdist_is_read_from_its_head(server, run, files, requires, unsure):
    """pyspark has nothing but sdists of 450 MB: it was said not to be there at all."""
    noise = random.Random(1).randbytes(3 << 19).hex()
    data = sdist({**{p: noise if p == "big" else t for p, t in files.items()}, "z": noise})
    assert len(data) > 1 << 20
    serve(server, data, "a-1.0.tar.gz")
    huge = cut(b"", 1 << 30)

    async def answer(request):
        if not request.headers.get("Range"):
            return await huge(request)
        status, headers, body = ranged(data)(request)
        return web.Response(status=status, headers=headers, body=body)

    server.routes["/files/a-1.0.tar.gz"] = answer
    document = run("a==1.0")
    assert release(document)["requires"] == requires
    assert document["problems"] == (["requirements of a 1.0 (sdist) are known only after a build"] if unsure else [])
    assert run("a==1.0")["problems"] == document["problems"], "the cache says the same"


@pytest.mark.parametrize("content, why", [
    (b"no archive", "archive"), (sdist({"x": ""}), "PKG-INFO"), (sdist({"PKG-INFO": OLD, "x": "y" * 99})[:-20], ""),
    (sdist({"PKG-INFO": OLD.replace("1.0", "1.1")}), "another version"), (sdist({"PKG-INFO": OLD.replace("Name: a", "Name: b")}), "another project"),
], ids=["noise", "no-metadata", "cut", "other-version", "other-project"])
def test_bad_sdist_is_no_candidate(server, run, content, why):
    serve(server, content, "a-1.0.tar.gz")
    document = run("a==1.0")
    assert release(document)["meta_state"] == META_UNREADABLE and why in document["problems"][0]


@pytest.mark.parametrize("content", [b"PK\5\6" + b"\0" * 18, b"x" * 40000, wheel()[:-1], wheel(own_metadata=b"\xff\0"), wheel("b")],
                         ids=["empty", "noise", "cut", "no-metadata", "other-project"])
def test_bad_wheel_is_no_candidate(server, run, content):
    serve(server, content)
    document = run("a==1.0")
    assert release(document)["meta_state"] == META_UNREADABLE and len(document["problems"]) == 1


def test_metadata_with_another_hash(server, run):
    serve(server, wheel(), **{"core-metadata": {"sha256": "0" * 64}})
    server.routes["/files/a-1.0-py3-none-any.whl.metadata"] = metadata()
    document = run("a==1.0")
    assert release(document)["meta_state"] == META_UNREADABLE and "hash" in document["problems"][0]


def histories(server, texts, hashes=True):
    """A page of wheels a-VERSION with these metadata files, each beside its wheel."""
    files = []
    for version, text in texts.items():
        name = f"a-{version}-py3-none-any.whl"
        files.append((name, version.encode(), {"core-metadata": {"sha256": sha256(text)} if hashes else True}))
        server.routes[f"/files/{name}.metadata"] = text
    server.routes["/simple/a/"] = page(*files)


def asked_metadata(server):
    return [p.split("-")[1] for p in server.paths() if p.endswith(".metadata")]


def test_a_neighbours_metadata_with_another_version_are_known_by_their_hash(server, run):
    # 40 releases, from the 21st on with another requirement: two files tell them all.
    texts = {f"1.{i}": metadata(version=f"1.{i}", requires=("idna>=2",) if i < 20 else ("idna>=3",)) for i in range(40)}
    histories(server, texts)
    document = run(*[f"a==1.{i}" for i in range(40)])
    assert [release(document, v)["requires"] for v in texts] == [["idna>=2"]] * 20 + [["idna>=3"]] * 20
    assert 2 <= len(asked_metadata(server)) <= 8 and not document["problems"]
    # They are in the cache like what was fetched.
    before = len(server.seen)
    again = run(*[f"a==1.{i}" for i in range(40)])
    assert [r["requires"] for r in again["projects"]["a"]["releases"]] == [r["requires"] for r in document["projects"]["a"]["releases"]]
    assert len(server.seen) == before


def test_a_neighbours_metadata_stand_for_nothing_else(server, run):
    # Each differs by more than the version: all are fetched, none is taken from a neighbour.
    texts = {f"1.{i}": metadata(version=f"1.{i}", requires=(f"idna>={i}",)) for i in range(12)}
    histories(server, texts)
    document = run(*[f"a==1.{i}" for i in range(12)])
    assert [release(document, v)["requires"] for v in texts] == [[f"idna>={i}"] for i in range(12)]
    assert sorted(asked_metadata(server)) == sorted(texts)


def test_without_hashes_all_metadata_are_fetched(server, run):
    texts = {f"1.{i}": metadata(version=f"1.{i}") for i in range(12)}
    histories(server, texts, hashes=False)
    document = run(*[f"a==1.{i}" for i in range(12)])
    assert [release(document, v)["requires"] for v in texts] == [["idna>=2"]] * 12
    assert sorted(asked_metadata(server)) == sorted(texts)


def test_a_neighbour_that_lies_about_its_version_stands_for_none(server, run):
    # What says the version twice, or among the description, or another one, is no pattern.
    odd = b"Metadata-Version: 2.1\nName: a\n\nVersion: 1.0\n"
    histories(server, {"1.0": odd, "1.1": metadata(version="9.9"), "1.2": metadata(version="1.2"), "1.3": metadata(version="1.3")})
    document = run(*[f"a==1.{i}" for i in range(4)])
    assert [release(document, f"1.{i}")["meta_state"] for i in range(4)] == [META_UNREADABLE, META_UNREADABLE, META_KNOWN, META_KNOWN]


def test_a_file_that_is_gone_does_not_keep_its_neighbours(server, run):
    texts = {f"1.{i}": metadata(version=f"1.{i}", requires=(f"idna>={i // 4}",)) for i in range(12)}
    histories(server, texts)
    for i in range(12):
        if i % 4 == 2:
            server.routes[f"/files/a-1.{i}-py3-none-any.whl.metadata"] = (404, {}, b"")
    document = run(*[f"a==1.{i}" for i in range(12)])
    known = [r for r in document["projects"]["a"]["releases"] if r["meta_state"] == META_KNOWN]
    assert len(known) >= 9
    assert all(r["requires"] == [f"idna>={int(r['version'][2:]) // 4}"] for r in known)


def test_choice_and_bars(server, run):
    name = "a-{}-{}.whl".format
    server.routes["/simple/a/"] = page(
        (name("1.0", "py3-none-any"), b"1"), (name("1.0", "cp312-cp312-manylinux_2_17_x86_64"), b"2"), ("a-1.0.tar.gz", b"3"),
        (name("1.1", "1-py3-none-any"), b""), (name("1.1", "2-py3-none-any"), b""),
        (name("2.0", "cp312-cp312-win_amd64"), b""), (name("2.1", "py3-none-any"), b"", {"requires-python": ">=3.13"}), ("a-2.1.tar.gz", b"", {"requires-python": ">=3.13"}),
        ("a-2.2.tar.gz", b""), (name("2.3rc1", "py3-none-any"), b""), (name("2.4", "py3-none-any"), b"", {"yanked": "broken"}),
        (name("3.0", "py3-none-any"), b"", {"yanked": True}), ("a-3.0.tar.gz", b""), ("b-9.tar.gz", b""), ("a-x.tar.gz", b""), ("a-9.egg", b""))
    document = run("--only-binary", "a")
    found = {r["version"]: (r["filename"], r["bars"]) for r in document["projects"]["a"]["releases"]}
    assert list(found) == ["1.0", "1.1", "2.0", "2.1", "2.2", "2.3rc1", "2.4", "3.0"]
    assert found["1.0"] == ("a-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", 0)
    assert found["1.1"][0] == "a-1.1-2-py3-none-any.whl"
    assert [found[v][1] for v in ("2.0", "2.1", "2.2", "2.3rc1")] == [BAR_TAGS, BAR_PYTHON, BAR_SDIST, 0]
    assert release(document, "2.3rc1")["prerelease"] and release(document, "2.4")["yanked_reason"] == "broken"
    assert release(document, "3.0")["yanked"], "the sdist is barred"
    assert run("--only-binary", "a")["projects"] == document["projects"], "the view says the same"
    assert not release(run("a"), "3.0")["yanked"], "the sdist is not yanked"
    assert server.paths() == ["/simple/a/"]


def test_sdists_whose_wheels_are_for_other_pythons(server, run):
    """numpy 1.24.4 has wheels for 3.8 to 3.11: its sdist was never built for 3.12."""
    name = "a-{}-{}.whl".format
    server.routes["/simple/a/"] = page(
        (name("1.0", "cp311-cp311-manylinux_2_17_x86_64"), b""), ("a-1.0.tar.gz", b""),
        (name("1.1", "cp39-abi3-macosx_11_0_arm64"), b""), ("a-1.1.tar.gz", b""),
        (name("1.2", "cp311-cp311-win_amd64"), b""), (name("1.2", "cp312-cp312-win_amd64"), b""), ("a-1.2.tar.gz", b""),
        ("a-1.3.tar.gz", b""), (name("1.4", "cp311-cp311-manylinux_2_17_x86_64"), b""), (name("1.4", "py3-none-any"), b""))
    for _ in range(2):  # the second time from the view
        assert [r["bars"] for r in run("a")["projects"]["a"]["releases"]] == [BAR_WHEELS, 0, 0, 0, 0]


def test_sdists_from_before_the_wheels_end(server, run):
    """pandas<2 on Python 3.12: 1.5.3 has wheels for 3.8 to 3.11, so 0.13.1, which has none, is not where to go back to."""
    name = "a-{}-cp{}-cp{}-manylinux_2_17_x86_64.whl".format
    server.routes["/simple/a/"] = page(
        ("a-0.1.tar.gz", b""), (name("0.2", 312, 312), b""), ("a-0.3.tar.gz", b""), (name("1.0", 311, 311), b""), ("a-1.0.tar.gz", b""),
        (name("2.0", 312, 312), b""), ("a-2.1.tar.gz", b""))
    for _ in range(2):  # the second time from the view
        bars = [r["bars"] for r in run("--installed", "a==2.0", "a")["projects"]["a"]["releases"]]
        assert bars == [0, 0, BAR_WHEELS, BAR_WHEELS, 0, 0]
        assert [r["bars"] for r in run("a")["projects"]["a"]["releases"]] == [0, 0, 0, BAR_WHEELS, 0, 0]


def test_quarantined(server, run):
    server.routes["/simple/a/"] = page(("a-1.0.tar.gz", b""), **{"project-status": {"status": "quarantined"}})
    assert release(run("a"))["bars"] == BAR_QUARANTINED


def test_absent_and_the_first_index_that_has_it(server, run):
    assert run("a")["projects"]["a"]["page"] == ABSENT
    assert run("a")["requests"] == 0, "that there is none is remembered"
    server.routes["/other/a/"] = page(("a-2.0.tar.gz", b""))
    server.routes["/simple/b/"] = page(("b-1.0.tar.gz", b""))
    server.routes["/other/b/"] = page(("b-666.tar.gz", b""))
    document = run("a", "b", PIP_EXTRA_INDEX_URL=server.root + "/other/")
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["2.0"]
    assert [r["version"] for r in document["projects"]["b"]["releases"]] == ["1.0"]


def test_credentials(server, run, tmp_path):
    token = "Basic " + base64.b64encode(b"me:s3cret@x").decode()
    data = wheel()

    def guard(answer):
        return lambda request: (answer(request) if callable(answer) else answer) if request.headers.get("Authorization") == token else (401, {}, b"")

    serve(server, data)
    server.routes = {path: guard(answer) for path, answer in server.routes.items()}
    document = run("a", status=7)
    assert document["error"] == "index" and "401" in document["text"] and "netrc" in document["hint"]
    url = server.url.replace("://", "://me:s3cret%40x@")
    document = run("a==1.0", PIP_INDEX_URL=url)
    assert release(document)["requires"] == ["idna>=2"], "files of the same host get them too"
    assert "s3cret" not in json.dumps(document) and "****" in document["config"]
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s3cret@x\n")
    assert run("--refresh", "a")["projects"]["a"]["page"] == KNOWN
    document = run("--refresh", "b", status=0, PIP_INDEX_URL=url)
    assert "s3cret" not in json.dumps(document)


def test_retries(server, run):
    good = page(("a-1.0.tar.gz", b""))
    server.routes["/simple/a/"] = then((429, {"Retry-After": "1"}, b""), (503, {}, b""), good)
    server.routes["/simple/b/"] = then((500, {}, b""), page(("b-1.0.tar.gz", b"")))
    document = run("a", "b")
    assert [len(p["releases"]) for p in document["projects"].values()] == [1, 1] and document["requests"] == 5
    server.routes["/simple/c/"] = (500, {}, b"")
    document = run("c", status=7)
    assert document["error"] == "index" and "500" in document["text"] and document["requests"] == 4
    assert run("c", status=7, PIP_RETRIES="0")["requests"] == 1


@pytest.mark.parametrize("ill", [closes(), cut(b"<a href=", 1000), raw(b"\0\1\2garbage\r\n\r\n"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")])
def test_cut_connections(server, run, ill):
    server.routes["/simple/a/"] = ill
    assert run("a", status=7, PIP_RETRIES="1")["error"] == "network"


@pytest.mark.parametrize("status", [500, 403])
def test_failing_metadata_are_no_absence(server, run, status):
    serve(server, wheel())
    server.routes["/files/a-1.0-py3-none-any.whl"] = (status, {}, b"")
    assert run("a==1.0", status=7, PIP_RETRIES="0")["error"] == "index"


def test_missing_file_is_no_candidate(server, run):
    serve(server, wheel())
    del server.routes["/files/a-1.0-py3-none-any.whl"]
    assert release(run("a==1.0"))["meta_state"] == META_UNREADABLE


def test_stall(server, run):
    server.routes["/simple/a/"] = stalls()
    begin = time.time()
    assert run("a", status=7, PIP_DEFAULT_TIMEOUT="1")["error"] == "network"
    assert time.time() - begin < 20


def test_redirects(server, run):
    server.routes["/simple/a/"] = (302, {"Location": "/moved/x/"}, b"")
    server.routes["/moved/x/"] = (200, {"Content-Type": "text/html"}, b'<a href="a-1.0.tar.gz">a</a>')
    assert release(run("a"))["url"] == server.root + "/moved/x/a-1.0.tar.gz"
    server.routes["/simple/b/"] = (302, {"Location": "/simple/b/"}, b"")
    assert run("b", status=7)["error"] == "network"
    server.routes["/simple/c/"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert run("c", status=7)["error"] == "network"


@pytest.mark.parametrize("body, kind", [(b"{", "application/json"), (b'{"files": 5}', "application/json"), (b"[" * 100000, "application/json"),
                                        (b'<meta name="pypi:repository-version" content="2.0">', "text/html")])
def test_garbage_page(server, run, body, kind):
    server.routes["/simple/a/"] = (200, {"Content-Type": kind}, body)
    assert run("a", status=7)["error"] == "index"


def test_too_large(server, run):
    server.routes["/simple/a/"] = floods(80 << 20)
    document = run("a", status=1)
    assert document["error"] == "limit"


def test_confirmation(server, run):
    body = page(("a-1.0.tar.gz", b""))[2]
    headers = {"Content-Type": "application/json", "ETag": '"x1"', "Cache-Control": "max-age=0"}
    server.routes["/simple/a/"] = lambda request: (304, headers, b"") if request.headers.get("If-None-Match") == '"x1"' else (200, headers, body)
    first, second = run("a"), run("a")
    assert first["projects"] == second["projects"] and second["requests"] == 1
    assert server.seen[1][1]["If-None-Match"] == '"x1"'


def test_cache(server, run, tmp_path):
    data = wheel()
    serve(server, data)
    first = run("a==1.0")
    again = run("a==1.0")
    assert again["requests"] == 0 and again["projects"] == first["projects"]
    for folder, _, files in os.walk(tmp_path / "cache"):
        for name in files:
            with open(os.path.join(folder, name), "r+b") as f:
                f.seek(20)
                f.write(b"\xff\xff\xff")
    healed = run("a==1.0")
    assert healed["requests"] > 0 and healed["projects"] == first["projects"]
    assert run("a==1.0")["requests"] == 0
    assert run("a==1.0", UNPIN_CACHE_DIR="/dev/null/none")["projects"] == first["projects"]


def test_offline_and_recorded(server, run, tmp_path):
    serve(server, wheel())
    server.routes["/simple/s/"] = page(("s-1.0.tar.gz", sdist({"PKG-INFO": OLD.replace(": a", ": s"), "s.egg-info/requires.txt": "idna\n"}, "s"), {"upload-time": "2020-02-29T01:02:03Z"}))
    server.routes["/files/s-1.0.tar.gz"] = ranged(sdist({"PKG-INFO": OLD.replace(": a", ": s"), "s.egg-info/requires.txt": "idna\n"}, "s"))
    recorded = tmp_path / "recorded"
    first = run("--record", recorded, "a==1.0", "s==1.0")
    assert run("--offline", "a==1.0", "s==1.0")["projects"] == first["projects"]
    document = run("--offline", "a", status=7, UNPIN_CACHE_DIR=str(tmp_path / "empty"))
    assert document["error"] == "network" and "--offline" in document["hint"]
    for words, variables in ((["--offline"], {}), ([], {"PIP_INDEX_URL": "http://127.0.0.1:1/simple"})):
        document = run(*words, "--recorded", recorded, "a==1.0", "s==1.0", UNPIN_CACHE_DIR=str(tmp_path / "empty"), **variables)
        assert document["used_recorded"] and document["projects"] == first["projects"]


def test_unreachable(run):
    document = run("a", status=7, PIP_INDEX_URL="http://127.0.0.1:1/simple")
    assert document["error"] == "network" and "proxy" in document["hint"]


def test_download(server, run, tmp_path):
    data = wheel(padding=300000)
    serve(server, data)
    run(f"a==1.0:{tmp_path}/one.whl")
    assert (tmp_path / "one.whl").read_bytes() == data
    seen = len(server.seen)
    run(f"a==1.0:{tmp_path}/two.whl")
    assert (tmp_path / "two.whl").read_bytes() == data and len(server.seen) == seen, "from the cache"
    assert run(f"a==1.0:{tmp_path}/two.whl", status=1)["error"] == "io", "what is there is not replaced"
    assert (tmp_path / "two.whl").read_bytes() == data


@pytest.mark.parametrize("answer, error, status", [
    (lambda data: ranged(b"x" + data[1:]), "hash", 7), (lambda data: ranged(data[:-1]), "hash", 7), (lambda data: ranged(data + b"x"), "limit", 1),
    (lambda data: cut(data[:500], len(data)), "network", 7), (lambda data: (404, {}, b""), "index", 7),
])
def test_bad_download_leaves_nothing(server, run, tmp_path, answer, error, status):
    data = wheel(padding=30000)
    serve(server, data)
    server.routes["/files/a-1.0-py3-none-any.whl"] = answer(data)
    document = run(f"a==1.0:{tmp_path}/one.whl", status=status, PIP_RETRIES="1")
    assert document["error"].startswith(error) and not (tmp_path / "one.whl").exists()


def test_links_and_local_index(server, run, tmp_path):
    links, simple = tmp_path / "li nks", tmp_path / "simple"
    (simple / "a").mkdir(parents=True)
    links.mkdir()
    (links / "a-1.5-py3-none-any.whl").write_bytes(wheel(version="1.5"))
    (links / "A_b-1.0.tar.gz").write_bytes(sdist({"PKG-INFO": NEW.replace(": a", ": a.b")}, "A_b"))
    (simple / "a" / "a-1.0-py3-none-any.whl").write_bytes(wheel())
    (simple / "a" / "index.html").write_text('<a href="a-1.0-py3-none-any.whl">a</a>')
    document = run("a==1.0", PIP_INDEX_URL=f"file://{simple}", UV_FIND_LINKS=f"{tmp_path}/gone")
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["1.0"]
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {simple.as_uri()}\nfind-links = file://{str(links).replace(' ', '%20')} {tmp_path}/gone\n")
    document = run("a==1.0", "a==1.5", "a-b==1.0", f"a==1.5:{tmp_path}/out.whl", PIP_INDEX_URL="", PIP_CONFIG_FILE=str(config))
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["1.0", "1.5"]
    assert release(document, "1.5")["requires"] == ["idna>=2"] and release(document, "1.0", "a-b")["requires"] == ["idna>=2"]
    assert (tmp_path / "out.whl").read_bytes() == (links / "a-1.5-py3-none-any.whl").read_bytes() and document["requests"] == 1


def test_no_index(server, run, tmp_path):
    serve(server, wheel())
    assert run("a", PIP_NO_INDEX="1")["projects"]["a"]["page"] == ABSENT
    assert server.seen == []


def test_request_by_url(server, run, tmp_path):
    data = wheel()
    server.routes["/x/a-1.0-py3-none-any.whl"] = ranged(data)
    assert release(run(f"{server.root}/x/a-1.0-py3-none-any.whl#sha256={sha256(data)}"))["requires"] == ["idna>=2"]
    (tmp_path / "a-1.0-py3-none-any.whl").write_bytes(data)
    found = release(run(tmp_path / "a-1.0-py3-none-any.whl"))
    assert found["requires"] == ["idna>=2"] and found["sha256"] == sha256(data)
    assert run(tmp_path / "none-1.0-py3-none-any.whl", status=2)["error"] == "bad-request"


def test_host_without_metadata_files_is_remembered(server, run):
    files = [(f"a-{i}.0-py3-none-any.whl", wheel(version=f"{i}.0")) for i in range(1, 13)]
    server.routes["/simple/a/"] = page(*files)
    for name, data in files:
        server.routes[f"/files/{name}"] = ranged(data)
    run(*[f"a=={i}.0" for i in range(1, 10)])
    assert sum(p.endswith(".metadata") for p in server.paths()) == 9
    server.seen.clear()
    run(*[f"a=={i}.0" for i in range(1, 13)])
    assert [p for p in server.paths() if p.endswith(".metadata")] == [] and len(server.seen) == 3


def together(count, body):
    """Sends all but the end of a body, and the end only when `count` of them are so far."""
    waiting = asyncio.Event()
    begun = []

    def route(name):
        async def answer(request):
            whole = body(name)
            response = web.StreamResponse(headers={"Content-Type": "application/vnd.pypi.simple.v1+json", "Content-Length": str(len(whole))})
            await response.prepare(request)
            await response.write(whole[:-1])
            begun.append(name)
            if len(begun) == count:
                waiting.set()
            if len(begun) > 1:  # who asks learns from the first one whether others can share its connection
                await waiting.wait()
            await response.write(whole[-1:])
            return response

        return answer

    return route


def test_memory_does_not_grow_with_pages(server, tmp_path):
    """Nine pages of 3 MB, eight of which come at the same time: they are neither all in memory at once, nor does what is parsed of them stay."""
    names, files = [f"p{i}" for i in range(9)], 10000

    def body(name):
        entries = (f'{{"filename":"{name}-1.{i // 50}-cp3{i % 50}-none-any.whl","url":"/files/{i:0100}/{name}-1.{i // 50}-cp3{i % 50}-none-any.whl",'
                   f'"hashes":{{"sha256":"{i:064x}"}},"size":{i},"requires-python":">=3.9","yanked":false}}' for i in range(files))
        return f'{{"meta":{{"api-version":"1.1"}},"name":"{name}","files":[{",".join(entries)}]}}'.encode()

    route = together(len(names), body)
    for name in names:
        server.routes[f"/simple/{name}/"] = route(name)
    program = os.path.join(os.environ.get("UNPIN_BUILD", os.path.join(ROOT, "build")), "tests", "unit", "index-run")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": server.url,
           "UNPIN_CACHE_DIR": str(tmp_path / "cache"), "no_proxy": "*"}
    done = subprocess.run([sys.executable, "-c", PEAK, program, *names], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr) < PEAK_MAX, f"{int(done.stderr) >> 20} MiB"
    found = json.loads(done.stdout)["projects"]
    assert [len(found[name]["releases"]) for name in names] == [files // 50] * len(names)
