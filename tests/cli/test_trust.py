"""What unpin believes: hashes, metadata files, states of projects, caches, and indexes that are ill. On the real binary."""
import hashlib
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
    assert ("the index gave" in env.run("history").ok().out) == bool(warned)


def hashed(data, name):
    return f"{name}:{hashlib.new(name, data).hexdigest()}"


def hashes_of(data, *names):
    return {"hashes": {name: hashlib.new(name, data).hexdigest() for name in names}}


@pytest.mark.parametrize("names, strongest", [(["sha384"], "sha384"), (["sha256", "sha384", "sha512", "md5"], "sha512"), (["sha256", "blake2b"], "sha256")],
                         ids=lambda x: "-".join(x) if isinstance(x, list) else "")
def test_the_strongest_hash_counts(env, server, toy, names, strongest):
    data, _ = toy
    variables = serve(server, data, **hashes_of(data, *names))
    assert env.plan("toy", **variables)["changes"][0]["artifact"]["verified"] == hashed(data, strongest)
    run = env.run("install", "-y", "toy", **variables).ok()
    assert "gives no SHA" not in run.out + run.err
    change = json.loads(env.run("history", "--json").ok().out)["transactions"][0]["changes"][0]
    assert change["verified"] == hashed(data, strongest)
    # From the cache, by the same hash.
    env.run("undo", "-y").ok()
    env.run("install", "-y", "--offline", "toy", **variables).ok()
    # The weaker one is right, the stronger one is not.
    wrong = {"hashes": {**hashes_of(data, *names)["hashes"], strongest: "0" * len(hashed(data, strongest).split(":")[1])}}
    env.run("undo", "-y").ok()
    for _ in range(2):
        unchanged(env, "install", "-y", "toy", "--refresh", **serve(server, data, **wrong))


@pytest.mark.parametrize("hashes", [{"sha256": "abc"}, {"sha256": 5}, {"sha256": ["x"]}, {"sha256": "g" * 64}, {"sha512": "0" * 64}, {"sha384": {}}])
def test_a_hash_that_is_none_is_no_absent_one(env, server, toy, hashes):
    """What the index says to verify by cannot be met; it does not count as an index that says nothing."""
    assert "the hash" in unchanged(env, "install", "-y", "toy", **serve(server, toy[0], hashes=hashes)).err
    if isinstance(value := hashes.get("sha256"), str):
        html = f'<a href="/files/{NAME}#sha256={value}">{NAME}</a>'.encode()
        server.routes["/simple/toy/"] = 200, {"Content-Type": "text/html"}, html
        unchanged(env, "install", "-y", "--refresh", "toy", PIP_INDEX_URL=server.url, no_proxy="*")


def test_hash_in_the_fragment_of_a_page(env, server, toy):
    data, _ = toy
    for name in ("sha384", "sha512"):
        for digest, status in ((hashed(data, name).split(":")[1], 0), ("1" * len(hashed(data, name).split(":")[1]), 7)):
            html = f'<a href="/files/{NAME}#{name}={digest}">{NAME}</a>'.encode()
            server.routes["/simple/toy/"] = 200, {"Content-Type": "text/html"}, html
            server.routes[f"/files/{NAME}"] = ranged(data)
            env.run("install", "-y", "--refresh", "toy", PIP_INDEX_URL=server.url, no_proxy="*").ok(status)
            if not status:
                env.run("undo", "-y").ok()


def test_demanded_hashes_of_every_kind(env, server, toy, tmp_path):
    """--hash of an algorithm that the page does not tell is compared when the file is here, in a saved plan too."""
    data, _ = toy
    good, bad, file, saved = {n: hashed(data, n) for n in ("sha256", "sha384", "sha512", "md5")}, "sha512:" + "0" * 128, tmp_path / "r.txt", tmp_path / "plan.json"
    weak = [([good["md5"]], 2), ([good["sha512"], good["md5"]], 2)]
    for told, cases in ((["sha256"], [([good["sha512"]], 0), ([bad, good["sha384"].upper().replace("SHA", "sha")], 0), ([bad], 7), *weak]),
                        (["sha512"], [([bad, good["sha384"]], 0), ([bad], 7)]),
                        ([], [([good["sha384"]], 0), ([bad, good["sha256"]], 0), ([bad, "sha384:" + "0" * 96], 7)])):
        variables = serve(server, data, **hashes_of(data, *told))
        for hashes, status in cases:
            file.write_text("toy==1.0 " + " ".join(f"--hash={h}" for h in hashes) + "\n")
            shutil.rmtree(os.path.join(env.home, "cache"), ignore_errors=True)
            if status:
                unchanged(env, "install", "-y", "-r", file, status=status, **variables)
            else:
                env.run("install", "-y", "-r", file, **variables).ok()
                env.run("undo", "-y").ok()
        file.write_text(f"toy==1.0 --hash={bad} --hash=sha384:{'1' * 96}\n")
        if "sha512" not in told:
            env.run("plan", "-r", file, "-o", saved, **variables).ok()
            unchanged(env, "apply", "-y", saved, **variables)


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


@pytest.mark.parametrize("words, variables, used", [((), {}, True), (("--no-cache-dir",), {}, False), ((), {"PIP_NO_CACHE_DIR": "off"}, False),
                                                    ((), {"UV_NO_CACHE": "1"}, False), ((), {"UV_NO_CACHE": "0"}, True)])
def test_no_cache_where_none_is_wished(env, words, variables, used):
    home = os.path.join(env.folder, "cache-home")
    env.run("install", "-y", "click==8.1.8", *words, UNPIN_CACHE_DIR="", XDG_CACHE_HOME=home, **variables).ok()
    assert env.installed()["click"] == "8.1.8"
    assert os.path.isdir(os.path.join(home, "unpin")) == used


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
