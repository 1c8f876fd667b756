"""What unpin believes: hashes, metadata files, states of projects, caches, and indexes that are ill. On the real binary."""
import json
import os
import re
import shutil
import subprocess
import zipfile

import pytest

import world as worlds
from rude_server import RudeServer, closes, cut, floods, ranged, raw, stalls
from test_index import page, sha256

NAME = "toy-1.0-py3-none-any.whl"


@pytest.fixture
def server():
    with RudeServer() as running:
        yield running


@pytest.fixture
def toy(tmp_path):
    """The bytes of a wheel, and its METADATA."""
    path = worlds.stub_wheel(str(tmp_path / "toy"), "toy", "1.0")
    with open(path, "rb") as f, zipfile.ZipFile(path) as z:
        return f.read(), z.read("toy-1.0.dist-info/METADATA")


def serve(server, data, **keys):
    more = keys.pop("page", {})
    server.routes["/simple/toy/"] = page((NAME, data, keys), **more)
    server.routes[f"/files/{NAME}"] = ranged(data)
    return {"PIP_INDEX_URL": server.url, "no_proxy": "*"}


def unchanged(env, *words, status=7, **variables):
    """Runs, and looks that nothing changed and that the refusal says what to do."""
    tree, lock = env.tree(), env.lock_bytes()
    run = env.run(*words, **variables).ok(status)
    assert env.tree() == tree and env.lock_bytes() == lock
    assert "Traceback" not in run.err and len(run.err.strip().splitlines()) <= 12, run.err
    return run


# What is verified

@pytest.mark.parametrize("keys, verified", [({}, "sha256:"), ({"hashes": {}}, "size"), ({"hashes": {}, "size": None}, "nothing")])
def test_what_was_verified_is_told(env, server, toy, keys, verified):
    data, _ = toy
    variables = serve(server, data, **keys)
    plan = env.plan("toy", **variables)
    assert plan["changes"][0]["artifact"]["verified"] == (f"sha256:{sha256(data)}" if verified == "sha256:" else verified)
    warned = [w for w in plan["warnings"] if "gives no SHA-256" in w]
    assert len(warned) == (0 if verified == "sha256:" else 1)
    run = env.run("install", "-y", "toy", **variables).ok()
    assert ("gives no SHA-256" in run.out + run.err) == bool(warned)
    change = json.loads(env.run("history", "--json").ok().out)["transactions"][0]["changes"][0]
    assert change["name"] == "toy" and change["verified"] == plan["changes"][0]["artifact"]["verified"]
    assert ("verified" in env.run("history").ok().out) == bool(warned)


def test_a_metadata_file_that_is_not_the_wheels(env, server, toy):
    data, inside = toy
    other = inside.replace(b"Version: 1.0\n", b"Version: 1.0\nRequires-Dist: six\n")
    for keys in ({"core-metadata": {"sha256": sha256(other)}}, {"core-metadata": True}):
        variables = serve(server, data, **keys)
        server.routes[f"/files/{NAME}.metadata"] = other
        for _ in range(2):  # the second time from the cache
            run = unchanged(env, "install", "-y", "toy", "--json", **variables)
            assert "hash-mismatch" in run.out and "METADATA" in run.out
        shutil.rmtree(os.path.join(env.home, "cache"))
    server.routes[f"/files/{NAME}.metadata"] = inside
    env.run("install", "-y", "toy", **variables).ok()


# What an index says of a project

@pytest.mark.parametrize("status, told", [("archived", True), ("deprecated", True), ("active", False)])
def test_states_of_projects_are_told(env, server, toy, status, told):
    variables = serve(server, toy[0], page={"project-status": {"status": status, "reason": "take other-toy"}})
    for _ in range(2):
        warnings = [w for w in env.plan("toy", **variables)["warnings"] if "says the index" in w]
        assert warnings == ([f"toy is {status}, says the index: take other-toy"] if told else [])


def test_quarantined_projects_are_refused(env, server, toy):
    variables = serve(server, toy[0], page={"project-status": {"status": "quarantined"}})
    assert "quarantine" in unchanged(env, "install", "-y", "toy", status=3, **variables).out


def test_why_a_release_was_yanked(env, server, toy):
    variables = serve(server, toy[0], yanked="eats disks")
    assert "eats disks" in env.run("plan", "toy", **variables).ok(3).out
    assert any("eats disks" in w for w in env.plan("toy==1.0", **variables)["warnings"])


# The cache

def test_four_cold_plans_at_once_share_a_cache(env):
    request = ["flask==3.1.0", "black==25.9.0"]
    expected = env.plan(*request, UNPIN_CACHE_DIR=os.path.join(env.folder, "alone"))
    variables = {**env.variables, "UNPIN_CACHE_DIR": os.path.join(env.folder, "shared")}
    children = [subprocess.Popen(env.argv("plan", "--json", *request), env=variables, cwd=env.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    plans = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    for plan in plans:
        assert plan["changes"] == expected["changes"] and plan["lifts"] == expected["lifts"]
    left = [name for _, _, files in os.walk(variables["UNPIN_CACHE_DIR"]) for name in files if re.search(r"\.\d+-\d+-\d+$", name)]
    assert left == [], "no half-written file"
    assert env.plan("--offline", *request, UNPIN_CACHE_DIR=variables["UNPIN_CACHE_DIR"])["changes"] == expected["changes"]


@pytest.mark.parametrize("how", ["open", "others"])
def test_a_cache_that_others_may_write_is_not_used(env, index, how):
    cache = os.path.join(env.folder, "cache")
    env.plan("click==8.1.8", UNPIN_CACHE_DIR=cache)
    before = sorted(os.walk(cache))
    if how == "open":
        os.chmod(cache, 0o777)
    elif os.geteuid() == 0:
        os.chown(cache, 12345, 12345)
    else:
        pytest.skip("only root can give a directory away")
    requests = len(index.requests)
    run = env.run("plan", "click==8.1.8", UNPIN_CACHE_DIR=cache).ok()
    assert run.err.count("is not used") == 1 and len(index.requests) > requests
    assert env.run("plan", "click==8.1.8", "--cache-dir", cache).ok().err.count("is not used") == 1
    assert sorted(os.walk(cache)) == before


# Indexes that are ill: a clear refusal, no change, no hang

PAGES = {
    "closes": (closes(), 7), "cut": (cut(b"<a href=", 1000), 7), "garbage": (raw(b"\0\1garbage\r\n\r\n"), 7), "stalls": (stalls(), 7),
    "401": ((401, {}, b"x"), 7), "403": ((403, {}, b"x"), 7), "404": ((404, {}, b"x"), 3), "429": ((429, {}, b""), 7), "500": ((500, {}, b"x"), 7),
    "loop": ((302, {"Location": "/simple/toy/"}, b""), 7), "to-file": ((302, {"Location": "file:///etc/passwd"}, b""), 7),
    "html-garbage": ((200, {"Content-Type": "text/html"}, b"<<<a href=" * 1000), 3), "json-garbage": ((200, {"Content-Type": "application/json"}, b"{" * 1000), 7),
    "flood": (floods(80 << 20), 1), "empty": ((200, {"Content-Type": "text/html"}, b""), 3),
}


def test_ill_pages(env, server):
    for ill, (answer, status) in PAGES.items():
        server.routes["/simple/toy/"] = answer
        run = unchanged(env, "install", "-y", "toy", "--refresh", status=status, PIP_INDEX_URL=server.url, no_proxy="*", PIP_RETRIES="0", PIP_DEFAULT_TIMEOUT="1")
        assert "toy" in run.out + run.err, ill


FILES = {
    "closes": lambda data: closes(), "cut": lambda data: cut(data[:100], len(data)), "stalls": lambda data: stalls(),
    "401": lambda data: (401, {}, b""), "403": lambda data: (403, {}, b""), "404": lambda data: (404, {}, b""), "500": lambda data: (500, {}, b""),
    "other": lambda data: (200, {}, data[:-1] + bytes([data[-1] ^ 1])), "longer": lambda data: (200, {}, data + b"x"), "shorter": lambda data: (200, {}, data[:-1]),
    "206": lambda data: (206, {"Content-Range": f"bytes 1-{len(data) - 1}/{len(data)}"}, data[1:]), "loop": lambda data: (302, {"Location": f"/files/{NAME}"}, b""),
    "page": lambda data: (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
}


def test_ill_files(env, server, toy):
    data, inside = toy
    variables = serve(server, data, **{"core-metadata": True})
    server.routes[f"/files/{NAME}.metadata"] = inside
    for ill, answer in FILES.items():
        server.routes[f"/files/{NAME}"] = answer(data)
        run = unchanged(env, "install", "-y", "toy", status=1 if ill == "longer" else 7, PIP_RETRIES="0", PIP_DEFAULT_TIMEOUT="1", **variables)
        assert "toy" in run.err, ill
