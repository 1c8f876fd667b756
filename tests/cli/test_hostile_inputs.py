"""What others may put before unpin to break it, to lead it elsewhere or to make it talk: pages of an index, files of an
environment, saved plans, variables, interpreters. No run may crash, hang, or show what is not theirs."""
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import threading

import pytest

import world as worlds
from rude_server import RudeServer, ranged
from test_index import META_UNREADABLE, metadata, page, release, run, serve, server, sha256, wheel  # noqa: F401

LIMIT_S = 60
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SECRET = "hunter2"


class Place:
    """A small virtual environment, a lock, and unpin run on it; a copy of `template` where there is one."""

    def __init__(self, binary, folder, template=None):
        self.binary, self.folder = binary, str(folder)
        self.prefix, self.lock = os.path.join(self.folder, "env"), os.path.join(self.folder, "constraint.txt")
        version = max(worlds.interpreters())
        if template:
            shutil.copytree(template.prefix, self.prefix, symlinks=True)
        else:
            subprocess.run([worlds.interpreters()[version], "-m", "venv", "--without-pip", self.prefix], check=True)
        self.python = os.path.join(self.prefix, "bin", "python")
        self.site = os.path.join(self.prefix, "lib", "python%d.%d" % version, "site-packages")
        self.write_lock("")

    def write_lock(self, text):
        with open(self.lock, "w", encoding="utf-8") as f:
            f.write(text)

    def dist(self, name, version="1.0", text=None, folder=None):
        """Puts a description of a distribution into the environment; returns its directory."""
        path = os.path.join(self.site, folder or f"{name}-{version}.dist-info")
        os.makedirs(path)
        with open(os.path.join(path, "METADATA"), "w", encoding="utf-8") as f:
            f.write(text or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        with open(os.path.join(path, "RECORD"), "w", encoding="utf-8") as f:
            f.write(f"{os.path.basename(path)}/METADATA,,\n")
        return path

    def run(self, *words, limit_s=LIMIT_S, **variables):
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "XDG_CACHE_HOME": os.path.join(self.folder, "cache"), "PIP_CONFIG_FILE": os.devnull,
               "VIRTUAL_ENV": self.prefix, "PIP_CONSTRAINT": self.lock, "no_proxy": "*", "LC_ALL": "C.UTF-8",
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", ""), **variables}
        done = subprocess.run([self.binary, *words], env=env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s)
        done.text, done.said = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")
        assert done.returncode >= 0 and "Sanitizer" not in done.said and "runtime error" not in done.said, done.said[-3000:]
        return done

    def names(self):
        return sorted(n for n in os.listdir(self.site) if not n.startswith("."))


@pytest.fixture(scope="session")
def template(unpin_binary, tmp_path_factory):
    return Place(unpin_binary, tmp_path_factory.mktemp("template"))


@pytest.fixture
def place(unpin_binary, tmp_path, template):
    return Place(unpin_binary, tmp_path, template)


def quiet(done, *secrets):
    """No character that a terminal obeys, and none of the secrets."""
    for text in (done.text, done.said):
        assert not STEERING.search(text), STEERING.search(text)
        for secret in secrets:
            assert secret not in text, text


# --- pages of an index

@pytest.mark.parametrize("head, link", [("", "file://{path}"), ('<base href="file://{folder}/">', "{name}"), ("", "FILE:{path}"), ("", "ftp://127.0.0.1/{name}")])
def test_a_page_names_no_file_of_this_machine(server, run, tmp_path, head, link):
    name = "a-1.0-py3-none-any.whl"
    path = tmp_path / name
    path.write_bytes(wheel())
    names = {"path": path, "folder": tmp_path, "name": name}
    server.routes["/simple/a/"] = (200, {"Content-Type": "text/html"}, (head.format(**names) + f'<a href="{link.format(**names)}">a</a>').encode())
    assert run("a==1.0")["projects"]["a"]["releases"] == []


def test_a_page_of_find_links_names_no_file_of_this_machine(server, run, tmp_path):
    (tmp_path / "a-1.0-py3-none-any.whl").write_bytes(wheel())
    server.routes["/links"] = (200, {"Content-Type": "text/html"}, f'<a href="file://{tmp_path}/a-1.0-py3-none-any.whl">a</a>'.encode())
    found = run("a", PIP_FIND_LINKS=server.root + "/links")["projects"]["a"]
    assert found.get("releases", []) == []


def test_a_long_base_is_not_multiplied(server, run):
    """Two hundred thousand links behind a base of eight thousand bytes would be two gigabytes."""
    links = "".join(f"<a href=a-{i}.tar.gz>" for i in range(100000))
    server.routes["/simple/a/"] = (200, {"Content-Type": "text/html"}, f'<base href="http://h/{"x" * 8000}/">{links}'.encode())
    assert "too long" in run("a", status=7)["text"]


def test_a_range_at_the_end_of_all_numbers(server, run):
    data, last = wheel(padding=100000), 2**63 - 1
    serve(server, data)
    server.routes["/files/a-1.0-py3-none-any.whl"] = lambda request: (
        (206, {"Content-Range": f"bytes {last}-{last}/{last}"}, data[-32768:]) if "Range" in request.headers else (200, {}, data))
    assert release(run("a==1.0"))["requires"] == ["idna>=2"]


def test_a_directory_that_grows_with_each_answer_is_given_up(server, run):
    """A server that always says that a little more of the end is needed."""
    size = 10_000_000

    def answer(request):
        length = int(request.headers["Range"].split("-")[-1])
        place = size - length - 100
        end = b"PK\x05\x06" + bytes(4) + (10).to_bytes(2, "little") * 2 + (size - 22 - place).to_bytes(4, "little") + place.to_bytes(4, "little") + bytes(2)
        return 206, {"Content-Range": f"bytes {size - length}-{size - 1}/{size}"}, bytes(length - len(end)) + end

    serve(server, b"")
    server.routes["/files/a-1.0-py3-none-any.whl"] = answer
    assert release(run("a==1.0"))["meta_state"] == META_UNREADABLE
    assert len(server.seen) < 10


def test_offline_another_index_does_not_stand_in(server, run, tmp_path):
    """The first index has never been asked for `a`: that the second one has it must not decide."""
    serve(server, wheel())
    run("a==1.0")
    private = server.root + "/private"
    found = run("a==1.0", status=7, UV_OFFLINE="1", PIP_INDEX_URL=private, PIP_EXTRA_INDEX_URL=server.url)
    assert "not in the cache" in json.dumps(found)


def test_strange_pages(place):
    """Names, versions, reasons and numbers that no index should send, on the way to a terminal."""
    odd = "\x1b[2J\x9b31m\u202e\r"
    files = [("a-1.0-py3-none-any.whl", wheel(), {"yanked": f"broken{odd}", "size": 2**53}),
             (f"a-2.0-py3-none-any{odd}.whl", b"", {}), ("../a-3.0-py3-none-any.whl", b"", {}), ("a-" + "1" * 100000 + ".tar.gz", b"", {}),
             ("a-4.0.tar.gz", b"", {"requires-python": f">={odd}", "upload-time": odd, "core-metadata": {"sha256": odd}}),
             ("a-5.0-py3-none-any.whl", b"", {"url": f"/files/{odd}/a-5.0-py3-none-any.whl"})]
    with RudeServer() as index:
        index.routes["/simple/a/"] = page(*files, **{"project-status": {"status": "active", "reason": odd}})
        for words in (["plan", "a"], ["plan", "a==5.0"], ["plan", "--json", "a==1.0"], ["plan", "-v", "a==4.0"], ["options", "a"], ["plan", "a==3.0"]):
            done = place.run(*words, PIP_INDEX_URL=index.url)
            quiet(done)


@pytest.mark.parametrize("body", [b'{"files": [{"size": 1e999}]}', b'{"files": [], "files": []}', b"[" * 100000, b'{"files":[' + b"0," * 9_000_000 + b"0]}",
                                  b"<a " * 100000, b"<!--" * 100000, b'<a href="' + b"&#x1b;" * 100000, b"\xff\xfe<\0a\0", b"{"], ids=range(9))
def test_pages_that_are_none(place, body):
    with RudeServer() as index:
        index.routes["/simple/a/"] = (200, {"Content-Type": "application/vnd.pypi.simple.v1+json" if body[:1] in b"{[" else "text/html"}, body)
        done = place.run("plan", "a", PIP_INDEX_URL=index.url)
        assert done.returncode in (1, 3, 7)
        quiet(done)


# --- artifacts that are not as they were told

def index_with(index, data, told, name="a-1.0-py3-none-any.whl"):
    index.routes["/simple/a/"] = page((name, data, {"core-metadata": {"sha256": sha256(told)}}))
    index.routes[f"/files/{name}"] = ranged(data)
    index.routes[f"/files/{name}.metadata"] = told


def test_metadata_beside_the_wheel_that_lie(place, tmp_path):
    """The page's metadata require nothing; the wheel's own require something that is not there."""
    path = worlds.stub_wheel(str(tmp_path / "wheels"), "a", "1.0", ["missing>=1"])
    with open(path, "rb") as f:
        data = f.read()
    with RudeServer() as index:
        index_with(index, data, metadata(requires=()))
        before = place.names()
        done = place.run("install", "-y", "--json", "a", PIP_INDEX_URL=index.url)
        error = json.loads(done.text)["error"]
        assert done.returncode == 7 and error["code"] == "U052" and "METADATA" in json.dumps(error), error
        assert place.names() == before
        assert json.loads(place.run("history", "--json").text)["transactions"] == []


# --- passwords

def test_passwords_stay_where_they_are(place, tmp_path):
    """In the URL of the index, in the lock, in a request, in the proxy: shown nowhere, kept in no history."""
    path = worlds.stub_wheel(str(tmp_path / "wheels"), "a", "1.0")
    with open(path, "rb") as f:
        data = f.read()
    place.write_lock(f"--extra-index-url https://me:{SECRET}@h.invalid/simple\nb @ https://me:{SECRET}@h.invalid/b-1.0-py3-none-any.whl\nb==1.0\n")
    place.dist("b")
    with RudeServer() as index:
        index_with(index, data, metadata(requires=()))
        url = index.url.replace("http://", f"http://me:{SECRET}@")
        saved = os.path.join(place.folder, "plan.json")
        for words in (["plan", "-v", "a"], ["plan", "--json", "a"], ["plan", "a", "-o", saved], ["options", "a"], ["locks", "-v"], ["locks", "diff"], ["config"],
                      ["config", "--json"], ["plan", "gone"], ["plan", "a==9"], ["why", "b"], ["check"],
                      ["plan", f"a @ http://me:{SECRET}@127.0.0.1:9/a-1.0-py3-none-any.whl"],
                      ["install", "-y", "-v", "a", "--index-url", url], ["history"], ["history", "--json"], ["undo", "-y", "--json"], ["locks"]):
            quiet(place.run(*words, PIP_INDEX_URL=url, PIP_PROXY=f"me:{SECRET}@127.0.0.1:9" if words[0] == "config" else ""), SECRET)
    kept = subprocess.run(["grep", "-rl", SECRET, place.prefix, os.path.join(place.folder, "cache"), saved], capture_output=True, text=True).stdout
    assert kept == ""


@pytest.mark.parametrize("password", ["hun/ter2", "hun?ter2", "hun#ter2", "hun/ter@2", "12hun/ter2"])
def test_passwords_that_are_not_escaped(place, password):
    """The URL is none then, but what says so must not say the password."""
    url = f"http://me:{password}@127.0.0.1:9/simple"
    place.write_lock(f"--extra-index-url {url}\nb @ {url}/b-1.0-py3-none-any.whl\nb==1.0\n")
    place.dist("b")
    for words in (["plan", "-v", "a"], ["plan", "--json", "a"], ["config"], ["config", "--json"], ["locks", "-v"], ["plan", f"a @ {url}/a-1.0-py3-none-any.whl"],
                  ["plan", "a", "--index-url", url], ["plan", "a", "--find-links", url], ["why", "b"], ["check"]):
        quiet(place.run(*words, PIP_INDEX_URL=url, PIP_RETRIES="0", PIP_PROXY=f"me:{password}@127.0.0.1:9" if words[0] == "config" else ""), password, "ter2", "ter@2", "hun")


# --- saved plans

PLAN = {"schema": 1, "command": "plan", "status": "feasible", "environment": {"fingerprint": "x", "image": "i"}, "requests": ["a"],
        "changes": [{"name": "a", "action": "add", "from": "", "to": "1.0", "artifact": {"sha256": "0" * 64}}],
        "lifts": [{"name": "a", "from": "0.9", "to": "1.0", "file": "/etc/pip/constraint.txt", "line": 3}],
        "lock_after": [{"file": "/etc/pip/constraint.txt", "text": "a==1.0\n"}]}


def edited(*keys, value):
    plan = json.loads(json.dumps(PLAN))
    at = plan
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return plan


@pytest.mark.parametrize("plan", [
    edited("lifts", 0, "from", value="1/x/\n1e touch /tmp/x\n"), edited("lifts", 0, "file", value="-e1e touch /tmp/x"), edited("lifts", 0, "file", value="/a\nRUN id"),
    edited("lifts", 0, "to", value="1.0\n"), edited("lifts", 0, "name", value="-a"), edited("changes", 0, "to", value="1.0\nRUN id"), edited("changes", 0, "to", value=" 1.0"),
    edited("changes", 0, "name", value="a;id"), edited("changes", 0, "artifact", value={"sha256": "0" * 63 + "$"}), edited("lock_after", 0, "text", value="\x1b[2J"),
    edited("changes", 0, "action", value="explode"), edited("status", value="satisfied"), edited("schema", value=2)])
def test_an_edited_plan_is_not_exported(place, plan):
    path = os.path.join(place.folder, "plan.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(plan, f)
    for form in ("--script", "--dockerfile", "--constraints"):
        done = place.run("export", form, path)
        assert done.returncode == 2 and done.text == ""
        quiet(done)


def test_an_image_of_a_plan_is_a_comment_of_one_line(place):
    path = os.path.join(place.folder, "plan.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(edited("environment", "image", value="i\nRUN id"), f)
    for form in ("--script", "--dockerfile"):
        assert not any(line.startswith("RUN id") for line in place.run("export", form, path).text.splitlines())


# --- environments

def test_a_site_directory_full_of_traps(place):
    """Pipes, loops, bombs and names with control characters where descriptions of distributions should be."""
    esc = "\x1b]0;owned\x07"
    good = place.dist("good")
    os.mkfifo(os.path.join(good, "direct_url.json"))
    os.mkdir(os.path.join(place.site, "fifo-1.0.dist-info"))
    os.mkfifo(os.path.join(place.site, "fifo-1.0.dist-info", "METADATA"))
    with open(os.path.join(place.site, "file-1.0.dist-info"), "w") as f:
        f.write("Name: file\nVersion: 1.0\n")
    os.symlink("loop-1.0.dist-info", os.path.join(place.site, "loop-1.0.dist-info"))
    os.symlink(place.site, os.path.join(place.site, "self-1.0.dist-info"))
    os.mkfifo(os.path.join(place.site, "pipe.pth"))
    os.symlink("/dev/zero", os.path.join(place.site, "zero.pth"))
    with open(os.path.join(place.site, f"odd{esc}\n.pth"), "w") as f:
        f.write(f"{place.site}\n/proc/self/fd\n{esc}\n" + "x" * 100000 + "\n../" + "../" * 5000 + "\n")
    place.dist("x", folder=f"x{esc}\n-1.0.dist-info", text=f"Metadata-Version: 2.1\nName: x\nVersion: 1{esc}0\nSummary: {esc}\nRequires-Dist: y{esc}\n")
    place.dist("long", folder="n" * 200 + "-1.dist-info", text="Name: " + "n" * 100000 + "\nVersion: " + "1" * 1000000 + "\n")
    bomb = place.dist("bomb", text="Metadata-Version: 2.1\nName: bomb\nVersion: 1.0\n" + "Requires-Dist: good\n" * 20000)
    with open(os.path.join(bomb, "direct_url.json"), "w") as f:
        f.write("[" * 1000000)
    deep = place.dist("deep")
    with open(os.path.join(deep, "direct_url.json"), "w") as f:
        f.write('{"url": "file:///nowhere%00%0a%1b[2J", "dir_info": {"editable": true}}')
    big = place.dist("big")
    with open(os.path.join(big, "RECORD"), "wb") as f:
        f.truncate(100 << 20)
    with open(os.path.join(place.site, "link.egg-link"), "w") as f:
        f.write("/dev\n")
    with RudeServer() as index:
        for words in (["check"], ["check", "--json"], ["check", "--files"], ["locks"], ["why", "good"], ["why", "deep"], ["snapshot"], ["plan", "good"], ["plan", "nothing"],
                      ["remove", "-y", "big"], ["remove", "-y", "x"], ["remove", "-y", "fifo"], ["history"]):
            done = place.run(*words, PIP_INDEX_URL=index.url)
            quiet(done)
    assert {"good-1.0.dist-info", "big-1.0.dist-info"} <= set(place.names())


def test_variables_and_settings_of_any_bytes(place):
    esc = "\x1b[2J\x9b\u202e"
    conf = os.path.join(place.folder, "pip.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"[global]\nindex-url = http://127.0.0.1:9/{esc}\nextra-index-url =\n  {esc}\n  https://{esc}\ntimeout = 99999999999999999999\nretries = -1\n")
    lock = os.path.join(place.folder, f"lock{esc}\n.txt")
    with open(lock, "w", encoding="utf-8") as f:
        f.write(f"a=={esc}\n{esc}\n-c {esc}\nb==1.0  # {esc}\n")
    for words in (["config"], ["config", "--json"], ["locks", "-v"], ["plan", "a"], ["plan", f"{esc}"], [f"{esc}"], ["why", esc], ["check", f"--{esc}"], ["explain", esc]):
        done = place.run(*words, PIP_CONFIG_FILE=conf, PIP_CONSTRAINT=lock, PIP_RETRIES="0", PIP_FIND_LINKS=f"{esc}\n/", UV_INDEX=f"x{esc}=http://127.0.0.1:9/", limit_s=90)
        quiet(done)


@pytest.mark.parametrize("garbage", [b"\0" * 1000, b"[", b"[global\n", b"index-url = x\n", b"[global]\n" + b"a = b\n" * 100000, b"[global]\nindex-url = " + b"x" * 1000000], ids=range(6))
def test_settings_that_are_none(place, garbage):
    conf = os.path.join(place.folder, "pip.conf")
    with open(conf, "wb") as f:
        f.write(garbage)
    quiet(place.run("plan", "a", "--offline", PIP_CONFIG_FILE=conf))


# --- interpreters

FACTS = "unpin-facts\\0" + "1\\0%send\\0" + "1\\0"


@pytest.mark.parametrize("body", ["head -c 1000000000 /dev/zero", "exit 3", "kill -9 $$", "printf '\\033[2J' >&2; exit 1",
                                  f"printf '{FACTS % ''}'",
                                  f"printf '{FACTS % (chr(92) + '0').join(['major', '3', 'minor', '999', 'arch', 'x', 'glibc', '2.999', 'purelib', '../..', 'python_full_version', 'z', ''])}'",
                                  f"printf '{FACTS % (chr(92) + '0').join(['major', '3', 'minor', '12', 'python_full_version', '3.12.1', 'site', '/proc', 'site', '/dev/fd', ''])}'"], ids=range(7))
def test_interpreters_that_are_none(place, body):
    path = os.path.join(place.folder, "python")
    with open(path, "w") as f:
        f.write(f"#!/bin/sh\n{body}\n")
    os.chmod(path, 0o755)
    done = place.run("check", "--python", path)
    quiet(done)


# --- snapshots

@pytest.mark.parametrize("text", ['{"unpin_snapshot": 1}', '{"unpin_snapshot": 1e308}', "{", "a==1\x1b[2J\n", "a @ file:///dev/zero\n", "-e git+https://x#egg=\x1b\n", "a==" + "1" * 1000000,
                                  '{"unpin_snapshot": 1, "environment": {"sites": ["/"], "image_date": 9007199254740991}, "markers": {"python_version": "3.12", "python_full_version": "\\u001b"}, '
                                  '"tags": {"major": 3, "minor": 999, "implementation": "\\u001b", "abis": ["\\u009b"], "platforms": ["\\u202e"]}, '
                                  '"dists": [{"name": "a", "version": "1\\u001b", "site": 0, "info_dir": "../../x", "requires_dist": ["b\\u001b"]}]}'], ids=range(8))
def test_snapshots_that_are_none(place, text):
    path = os.path.join(place.folder, "snapshot.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    for words in (["plan", "b", "--offline"], ["check"], ["locks"], ["snapshot"]):
        quiet(place.run(*words, "--snapshot", path, *(["--python", "3.12"] if not text.startswith("{") else [])))


# --- TLS

@pytest.fixture
def tls(tmp_path):
    """A server over TLS: tls.answers maps paths to (status, headers, body)."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "1", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *unused):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.answers, server.variables = {}, {"PIP_INDEX_URL": f"https://127.0.0.1:{server.server_port}/simple", "PIP_CERT": str(cert), "PIP_RETRIES": "0"}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_no_redirect_gives_up_tls(run, server, tls):  # noqa: F811
    """An index that was asked over TLS sends us on to a server without."""
    serve(server, wheel())
    tls.answers["/simple/a/"] = (302, {"Location": server.url + "/a/"}, b"")
    assert run("a==1.0", status=7, **tls.variables)["error"] == "network"
    assert server.seen == []


def test_a_page_over_tls_names_plain_files_only_with_their_hash(run, server, tls):  # noqa: F811
    data = wheel()
    serve(server, data)
    link = f"{server.root}/files/a-1.0-py3-none-any.whl"
    tls.answers["/simple/a/"] = (200, {"Content-Type": "text/html"}, f'<a href="{link}">a</a>'.encode())
    assert run("a==1.0", **tls.variables)["projects"]["a"]["releases"] == []
    assert server.seen == []
    tls.answers["/simple/a/"] = (200, {"Content-Type": "text/html"}, f'<a href="{link}#sha256={sha256(data)}">a</a>'.encode())
    assert release(run("a==1.0", UNPIN_CACHE_DIR="/dev/null/cache", **tls.variables))["requires"] == ["idna>=2"]
