"""What lies between unpin and an index: cut connections, proxies, TLS, passwords, configuration. By build/tests/unit/index-run."""
import base64
import http.server
import json
import os
import random
import ssl
import stat
import subprocess
import time

import pytest

from proxy import Proxy
from rude_server import cut, stalls
from serving import Serving
from test_index import ABSENT, KNOWN, metadata, page, ranged, release, run, serve, server, sha256, wheel  # noqa: F401

NAME = "a-1.0-py3-none-any.whl"


def cuts(body, block, headers, ranges=True, seen=None):
    """A file of which each answer brings `block` bytes before the connection ends."""

    async def answer(request):
        from aiohttp import web
        first, status, more = 0, 200, dict(headers)
        wanted = request.headers.get("Range")
        same = request.headers.get("If-Range") in (None, headers.get("ETag"), headers.get("Last-Modified"))
        if wanted and ranges and same:
            first, status = int(wanted[len("bytes="):].split("-")[0]), 206
            more["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        if seen is not None:
            seen.append((wanted, request.headers.get("If-Range")))
        response = web.StreamResponse(status=status, headers={**more, "Content-Length": str(len(body) - first)})
        await response.prepare(request)
        await response.write(body[first : first + block])
        request.transport.close()
        return response

    return answer


@pytest.mark.parametrize("headers, if_range", [({"ETag": '"x"'}, '"x"'), ({"Last-Modified": "Mon, 02 Jun 2025 10:00:00 GMT"}, "Mon, 02 Jun 2025 10:00:00 GMT"), ({}, None)], ids=["etag", "date", "hash-only"])
def test_a_server_that_cuts_every_64_kib(server, run, tmp_path, headers, if_range):
    data, seen = wheel(padding=1 << 20), []
    serve(server, data, **{"core-metadata": True})
    server.routes[f"/files/{NAME}.metadata"] = metadata()
    server.routes[f"/files/{NAME}"] = cuts(data, 65536, headers, seen=seen)
    run(f"a==1.0:{tmp_path}/one.whl")
    assert (tmp_path / "one.whl").read_bytes() == data
    assert len(seen) == len(data) // 65536 + 1
    assert seen[0] == (None, None) and seen[1] == ("bytes=65536-", if_range) and seen[-1][1] == if_range


def test_a_cut_file_that_changed_meanwhile_comes_again_whole(server, run, tmp_path):
    data, asked = wheel(padding=300000), []

    def answer(request):
        asked.append(request.headers.get("Range"))
        return 200, {"ETag": '"new"'}, data

    serve(server, data)
    turns = [cuts(b"y" * len(data), 70000, {"ETag": '"old"'}), answer]

    async def route(request):
        from aiohttp import web
        if len(turns) > 1:
            return await turns.pop(0)(request)
        status, headers, body = turns[0](request)
        return web.Response(status=status, headers=headers, body=body)

    server.routes[f"/files/{NAME}"] = route
    run(f"a==1.0:{tmp_path}/one.whl")
    assert (tmp_path / "one.whl").read_bytes() == data and asked == ["bytes=70000-"]


def test_a_range_at_another_place_is_not_taken(server, run, tmp_path):
    data = wheel(padding=300000)
    serve(server, data)
    first = cuts(data, 70000, {"ETag": '"x"'})

    async def route(request):
        from aiohttp import web
        if "Range" not in request.headers:
            return await first(request)
        return web.Response(status=206, headers={"Content-Range": f"bytes 5-{len(data) - 1}/{len(data)}"}, body=data[5:])

    server.routes[f"/files/{NAME}"] = route
    document = run(f"a==1.0:{tmp_path}/one.whl", status=7, PIP_RETRIES="1")
    assert document["error"] == "network" and not (tmp_path / "one.whl").exists()


def test_no_resume_without_any_progress(server, run, tmp_path):
    data = wheel(padding=30000)
    serve(server, data)
    server.routes[f"/files/{NAME}"] = cut(b"", len(data))
    document = run(f"a==1.0:{tmp_path}/one.whl", status=7, PIP_RETRIES="2")
    assert document["error"] == "network" and os.listdir(tmp_path) == ["cache"]
    assert server.paths().count(f"/files/{NAME}") == 3


def drips(body, pause=0.2, block=200):
    """Slow, but never silent."""

    async def answer(request):
        import asyncio
        from aiohttp import web
        response = web.StreamResponse(headers={"Content-Length": str(len(body)), "ETag": '"x"'})
        await response.prepare(request)
        try:
            for at in range(0, len(body), block):
                await response.write(body[at : at + block])
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        return response

    return answer


@pytest.mark.parametrize("what", ["page", "file"])
def test_a_slow_drip_ends_after_the_total_limit(server, run, tmp_path, what):
    data = wheel(padding=100000)
    serve(server, data)
    path = "/simple/a/" if what == "page" else f"/files/{NAME}"
    server.routes[path] = drips(b" " * 100000 if what == "page" else data)
    document = run(f"a==1.0:{tmp_path}/one.whl", status=7, UNPIN_TOTAL_TIMEOUT="2", PIP_DEFAULT_TIMEOUT="5")
    assert document["error"] == "network" and "too long in all" in document["text"] and "UNPIN_TOTAL_TIMEOUT" in document["hint"]
    assert server.paths().count(path) == 1 and not (tmp_path / "one.whl").exists()


def test_who_asks_to_come_back_in_an_hour_is_not_asked_again(server, run):
    server.routes["/simple/a/"] = (429, {"Retry-After": "3600"}, b"")
    document = run("a", status=7)
    assert document["requests"] == 1 and "429" in document["text"] and "3600 seconds" in document["hint"]


def test_a_bomb_of_gzip_is_cut_off(server, run):
    import gzip
    server.routes["/simple/a/"] = (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(b" " * (80 << 20)))
    assert run("a", status=1)["error"] == "limit"


# Proxies

def test_http_by_the_proxy_of_the_environment(server, run):
    serve(server, wheel())
    with Proxy() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "PIP_PROXY"):
            proxy.seen.clear()
            assert release(run("--refresh", "a==1.0", no_proxy="", **{name: proxy.url if name != "PIP_PROXY" else proxy.host}))["requires"]
            assert f"GET {server.url}/a/" in proxy.seen, name
        proxy.seen.clear()
        run("--refresh", "a", http_proxy=proxy.url, no_proxy="", NO_PROXY="example.org,127.0.0.1")
        run("--refresh", "a", https_proxy=proxy.url, no_proxy="")
        assert proxy.seen == []


def test_a_proxy_that_wants_credentials(server, run):
    serve(server, wheel())
    with Proxy("me:s3cret@x") as proxy:
        document = run("a", status=7, no_proxy="", http_proxy=proxy.url)
        assert "407" in document["text"]
        document = run("a", no_proxy="", http_proxy="http://me:s3cret%40x@" + proxy.host)
        assert document["projects"]["a"]["page"] == KNOWN and "s3cret" not in json.dumps(document) and "****@" in document["config"]


def test_no_proxy_there(server, run):
    document = run("a", status=7, no_proxy="", http_proxy="http://127.0.0.1:1")
    assert document["error"] == "network" and "proxy" in document["hint"]


# TLS

def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority, a server's certificate for 127.0.0.1, and a client's (key and certificate in one file)."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-days", "2", "-subj", "/CN=Test authority")
    for name, subject in (("server", "/CN=127.0.0.1"), ("client", "/CN=somebody")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.crt")
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    return folder


class TlsServer(Serving):
    """Serves `routes` {path: (content type, bytes)} by TLS; with `client_ca` only to who shows a certificate."""

    def __init__(self, certificates, client_ca=False):
        self.routes, self.seen = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *unused):
                pass

            def do_GET(self):
                outer.seen.append((self.path, dict(self.headers)))
                status, headers, body = outer.routes.get(self.path, (404, {}, b""))
                self.send_response(status)
                for key, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(key, str(value))
                self.end_headers()
                self.wfile.write(body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *unused):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificates / "ca.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.root = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.url = self.root + "/simple"


def serve_tls(tls):
    tls.routes["/simple/a/"] = page((NAME, wheel(), {"core-metadata": True}))
    tls.routes[f"/files/{NAME}.metadata"] = (200, {}, metadata())
    tls.routes[f"/files/{NAME}"] = (200, {}, wheel())


def test_certificates_of_ones_own_authority(certificates, run):
    with TlsServer(certificates) as tls:
        serve_tls(tls)
        clean = {name: "" for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")}
        document = run("a", status=7, PIP_INDEX_URL=tls.url, **clean)
        assert document["error"] == "network" and "PIP_CERT" in document["hint"] and tls.seen == []
        hashed = certificates / "hashed"
        hashed.mkdir(exist_ok=True)
        (hashed / "ca.pem").write_bytes((certificates / "ca.pem").read_bytes())
        openssl("rehash", hashed)
        for name, path in (("PIP_CERT", "ca.pem"), ("REQUESTS_CA_BUNDLE", "ca.pem"), ("SSL_CERT_FILE", "ca.pem"), ("SSL_CERT_DIR", "hashed"), ("PIP_CERT", "hashed")):
            assert release(run("--refresh", "a==1.0", PIP_INDEX_URL=tls.url, **{**clean, name: str(certificates / path)}))["requires"], name
        tls.seen.clear()
        assert release(run("--refresh", "a==1.0", PIP_INDEX_URL=tls.url, PIP_TRUSTED_HOST="127.0.0.1", **clean))["requires"]
        assert tls.seen


def test_a_server_that_demands_a_client_certificate(certificates, run):
    with TlsServer(certificates, client_ca=True) as tls:
        serve_tls(tls)
        known = {"PIP_INDEX_URL": tls.url, "PIP_CERT": str(certificates / "ca.pem"), "PIP_RETRIES": "0"}
        assert run("a", status=7, **known)["error"] == "network"
        assert run("a", status=7, PIP_CLIENT_CERT=str(certificates / "ca.pem"), **known)["error"] == "network", "no key in it"
        assert run("a", status=7, PIP_CLIENT_CERT=str(certificates / "none.pem"), **known)["error"] == "network"
        assert tls.seen == []
        for name in ("PIP_CLIENT_CERT", "SSL_CLIENT_CERT"):
            assert release(run("--refresh", "a==1.0", **known, **{name: str(certificates / "client.pem")}))["requires"]


def test_connect_through_a_proxy_with_credentials(certificates, run):
    with TlsServer(certificates) as tls, Proxy("me:secret") as proxy:
        serve_tls(tls)
        known = {"PIP_INDEX_URL": tls.url, "PIP_CERT": str(certificates / "ca.pem"), "no_proxy": ""}
        document = run("a", status=7, HTTPS_PROXY=proxy.url, **known)
        assert document["error"] == "network" and "proxy wants credentials" in document["hint"] and document["requests"] == 1
        assert release(run("a==1.0", HTTPS_PROXY=f"http://me:secret@{proxy.host}", **known))["requires"]
        assert proxy.seen and all(line.startswith("CONNECT 127.0.0.1:") for line in proxy.seen)
        assert not any("Proxy-Authorization" in headers for _, headers in tls.seen), "that is for the proxy alone"


def test_no_way_from_https_to_http(certificates, run, server):
    server.routes["/simple/a/"] = page((NAME, b""))
    with TlsServer(certificates) as tls:
        tls.routes["/simple/a/"] = (302, {"Location": server.url + "/a/"}, b"")
        document = run("a", status=7, PIP_INDEX_URL=tls.url, PIP_CERT=str(certificates / "ca.pem"))
        assert document["error"] == "network" and "https" in document["hint"] and server.seen == []


def test_plain_http_off_this_machine_wants_trust(run):
    document = run("a", status=7, PIP_INDEX_URL="http://index.invalid/simple")
    assert document["error"] == "index" and "--trusted-host index.invalid" in document["hint"] and document["requests"] == 0
    document = run("a", status=7, PIP_INDEX_URL="http://index.invalid/simple", PIP_TRUSTED_HOST="index.invalid")
    assert document["error"] == "network", "it is asked"
    document = run("a", status=7, PIP_FIND_LINKS="http://127.0.0.1.example.invalid/links")
    assert document["error"] == "index"


def test_no_way_by_a_redirect_to_plain_http_elsewhere(server, run, tmp_path):
    """The server is the proxy as well: what is asked of far.example comes here. A file with a hash may come that way."""
    data = wheel()
    file, there = f"http://far.example/files/{NAME}", {"http_proxy": server.root, "no_proxy": "127.0.0.1"}
    server.routes["/far/a/"], server.routes[f"/files/{NAME}"] = page((NAME, data, {"url": file})), ranged(data)
    server.routes["/simple/a/"] = (302, {"Location": "http://far.example/far/a/"}, b"")
    for _ in range(2):
        document = run("a", status=7, **there)
        assert document["error"] == "index" and "--trusted-host far.example" in document["hint"]
    assert release(run("a", PIP_TRUSTED_HOST="far.example", **there))["url"] == file
    server.routes["/links/"] = (302, {"Location": "http://far.example/far/a/"}, b"")
    assert run("a", status=7, PIP_FIND_LINKS=server.root + "/links/", PIP_NO_INDEX="1", **there)["error"] == "index"
    server.routes["/simple/a/"] = page((NAME, data))
    server.routes[f"/there/{NAME}"], server.routes[f"/files/{NAME}"] = ranged(data), (302, {"Location": f"http://far.example/there/{NAME}"}, b"")
    run("--refresh", f"a==1.0:{tmp_path}/with.whl", **there)
    server.routes["/simple/a/"] = page((NAME, data, {"hashes": {}}))
    document = run("--refresh", f"a==1.0:{tmp_path}/without.whl", status=7, **there)
    assert document["error"] == "index" and os.listdir(tmp_path).count("without.whl") == 0


# Passwords

def guard(answer, login):
    token = "Basic " + base64.b64encode(login.encode()).decode()
    return lambda request: (answer(request) if callable(answer) else answer) if request.headers.get("Authorization") == token else (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")


@pytest.fixture
def keyring(tmp_path):
    """A program `keyring` that knows passwords of {(service, user): password} and writes down how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "keyring.log"

    def know(known, creds=None):
        text = "#!/usr/bin/env python3\nimport sys\n"
        text += f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\nknown, creds = {known!r}, {creds!r}\n"
        text += "w = sys.argv[1:]\nif w[:3] == ['get', '--mode', 'creds']:\n    if not creds or w[3] != creds[0]: sys.exit(1)\n    print(creds[1]); print(creds[2])\n"
        text += "else:\n    if tuple(w[1:]) not in known: sys.exit(1)\n    print(known[tuple(w[1:])])\n"
        (folder / "keyring").write_text(text)
        (folder / "keyring").chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    know.log = lambda: log.read_text().splitlines() if log.exists() else []
    return know


def test_passwords_from_the_keyring(server, run, keyring):
    serve(server, wheel())
    server.routes = {path: guard(answer, "me:s3cret@x") for path, answer in server.routes.items()}
    path = keyring({(server.url, "me"): "s3cret@x"})
    url = server.url.replace("://", "://me@")
    document = run("a==1.0", PIP_INDEX_URL=url, PATH=path)
    assert release(document)["requires"] and "s3cret" not in json.dumps(document)
    assert keyring.log() == [f"get {server.url} me"], "asked once, after the first 401"
    assert run("--refresh", "a", status=7, PIP_INDEX_URL=url, PATH=path, PIP_KEYRING_PROVIDER="disabled")["error"] == "index"
    assert len(keyring.log()) == 1
    run("--refresh", "a", PIP_INDEX_URL=url, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    path = keyring({}, (server.url, "me", "s3cret@x"))
    assert run("--refresh", "a", PATH=path)["projects"]["a"]["page"] == KNOWN, "without a user's name"
    path = keyring({(server.root[len("http://"):], "me"): "s3cret@x"})
    assert run("--refresh", "a", PIP_INDEX_URL=url, PATH=path)["projects"]["a"]["page"] == KNOWN, "by the host"


def test_a_keyring_that_knows_nothing_or_wrong(server, run, keyring):
    serve(server, wheel())
    server.routes = {path: guard(answer, "me:right") for path, answer in server.routes.items()}
    url = server.url.replace("://", "://me@")
    document = run("a", "b", status=7, PIP_INDEX_URL=url, PATH=keyring({}))
    assert document["error"] == "index" and "401" in document["text"]
    requests = len(server.seen)
    document = run("a", status=7, PIP_INDEX_URL=url, PATH=keyring({(server.url, "me"): "wrong"}))
    assert document["error"] == "index" and len(server.seen) == requests + 2, "tried once"
    document = run("a", status=7, PIP_INDEX_URL=url, PIP_KEYRING_PROVIDER="subprocess", PATH="/nonexistent")
    assert document["error"] == "index" and any("keyring" in p for p in document["problems"])


def test_credentials_stay_with_their_host(server, run, certificates):
    from rude_server import RudeServer
    with RudeServer() as other:
        server.routes["/simple/a/"] = (302, {"Location": other.root.replace("127.0.0.1", "localhost") + "/x/"}, b"")
        other.routes["/x/"] = page((NAME, wheel()))
        run("a", PIP_INDEX_URL=server.url.replace("://", "://me:secret@"))
        assert "Authorization" in server.seen[0][1] and "Authorization" not in other.seen[0][1]


# Configuration of uv

def test_uvs_files(server, run, tmp_path, monkeypatch):
    server.routes["/main/a/"] = page(("a-1.0.tar.gz", b""))
    server.routes["/gpu/a/"] = page(("a-2.0.tar.gz", b""))
    server.routes["/gpu/b/"] = page(("b-2.0.tar.gz", b""))
    server.routes["/main/b/"] = page(("b-1.0.tar.gz", b""))
    project = tmp_path / "project" / "deep"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    (tmp_path / "project" / "pyproject.toml").write_text(f"""
[project]
name = "x"
[tool.uv]
keyring-provider = "disabled"
[[tool.uv.index]]
name = "main"
url = "{server.root}/main"
default = true
[[tool.uv.index]]
name = "gpu"
url = "{server.root}/gpu"
explicit = true
[tool.uv.sources]
B = {{ index = "gpu" }}
""")
    document = run("a", "b", PIP_INDEX_URL="")
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["1.0"]
    assert [r["version"] for r in document["projects"]["b"]["releases"]] == ["2.0"], "only from the index that it is pinned to"
    assert "pyproject.toml [tool.uv.index]" in document["config"] and "gpu for b" in document["config"] and "keyring-provider = disabled" in document["config"]
    assert "main" not in run("a", status=0)["config"].split("index-url = ")[1].split("\n")[0], "pip's variable comes first"
    document = run("a", PIP_INDEX_URL="", UV_DEFAULT_INDEX=f"main={server.root}/gpu", UV_INDEX_MAIN_USERNAME="me", UV_INDEX_MAIN_PASSWORD="p@ss")
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["2.0"] and "p@ss" not in json.dumps(document)
    assert server.seen[-1][1]["Authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    (project / "uv.toml").write_text("index-url = [")
    document = run("a", status=2, PIP_INDEX_URL="")
    assert document["error"] == "config-unreadable" and "uv.toml" in json.dumps(document)
    (project / "uv.toml").write_text(f'index-url = "{server.root}/gpu"\n[pip]\nindex-url = "{server.root}/main"\n')
    document = run("a", PIP_INDEX_URL="")
    assert [r["version"] for r in document["projects"]["a"]["releases"]] == ["1.0"], "[pip] comes first"
    assert run("a", status=7, PIP_INDEX_URL="", UV_NO_CONFIG="1", PIP_RETRIES="0", PIP_DEFAULT_TIMEOUT="1", https_proxy="http://127.0.0.1:1", no_proxy="")["error"] == "network"


# Several indexes, and what pages say of their projects

def versions(document, project="a"):
    return [r["version"] for r in document["projects"][project]["releases"]]


def index_page(*files, **more):
    status, headers, body = page(*files, **more)
    return status, headers, body


def test_all_indexes_alike_only_where_that_is_wished(server, run):
    server.routes["/simple/a/"] = page(("a-1.0.tar.gz", b"one"))
    server.routes["/other/a/"] = page(("a-1.0.tar.gz", b"other"), ("a-2.0.tar.gz", b""))
    both = {"PIP_EXTRA_INDEX_URL": server.root + "/other"}
    assert versions(run("a", **both)) == ["1.0"] and server.paths() == ["/simple/a/"], "the second is not even asked"
    document = run("a", UV_INDEX_STRATEGY="unsafe-best-match", **both)
    assert versions(document) == ["1.0", "2.0"] and release(document)["sha256"] == sha256(b"one")
    assert versions(run("a", UV_INDEX_STRATEGY="unsafe-best-match", **both)) == ["1.0", "2.0"], "from the cache"
    assert versions(run("a", **both)) == ["1.0"]
    server.routes["/other/b/"] = (500, {}, b"")
    server.routes["/simple/b/"] = page(("b-1.0.tar.gz", b""))
    assert run("b", status=7, UV_INDEX_STRATEGY="unsafe-best-match", PIP_RETRIES="0", **both)["error"] == "index", "what is not known does not look like nothing"
    assert run("b", status=2, UV_INDEX_STRATEGY="nonsense", **both)["error"] == "config-unreadable"


def kin(server, first, second):
    """Pages of a project on two indexes, with what each says of the other (PEP 708)."""
    urls = {"first": server.url + "/a/", "second": server.root + "/other/a/"}

    def more(says):
        keys = {"alternate-locations": [urls[u] for u in says.get("alternate", ())]}
        keys["meta"] = {"api-version": "1.2", "tracks": [urls[u] for u in says.get("tracks", ())]}
        return keys

    server.routes["/simple/a/"] = page(("a-1.0.tar.gz", b""), **more(first))
    server.routes["/other/a/"] = page(("a-2.0.tar.gz", b""), **more(second))


@pytest.mark.parametrize("first, second, both", [
    ({"alternate": ["first", "second"]}, {"alternate": ["first", "second"]}, True),
    ({"alternate": ["second"]}, {}, False),
    ({}, {"alternate": ["first"]}, False),
    ({"tracks": ["second"]}, {}, True),
    ({"alternate": ["second"]}, {"tracks": ["first"]}, True),
    ({}, {"tracks": ["first"]}, False),
])
def test_pages_that_name_each_other(server, run, first, second, both):
    kin(server, first, second)
    for _ in range(2):
        assert versions(run("a", PIP_EXTRA_INDEX_URL=server.root + "/other")) == (["1.0", "2.0"] if both else ["1.0"])


def test_pages_that_name_each_other_in_html(server, run):
    text = '<meta name="pypi:repository-version" content="1.2"><meta name="pypi:tracks" content="{}"><a href="a-{}.tar.gz">x</a>'
    server.routes["/simple/a/"] = (200, {"Content-Type": "text/html"}, text.format(server.root + "/other/a/", "1.0").encode())
    server.routes["/other/a/"] = (200, {"Content-Type": "text/html"}, text.format("https://example.org/", "2.0").encode())
    assert versions(run("a", PIP_EXTRA_INDEX_URL=server.root + "/other")) == ["1.0", "2.0"]


def test_find_links_on_a_page(server, run, tmp_path):
    server.routes["/links/"] = (200, {"Content-Type": "text/html"}, b'<p>Wheels: <a href="../files/' + NAME.encode() + b'">one</a> <a href="other.html">more</a></p>')
    server.routes[f"/files/{NAME}"] = ranged(wheel())
    links = {"PIP_FIND_LINKS": server.root + "/links/", "PIP_NO_INDEX": "1"}
    first = run("a==1.0", **links)
    assert release(first)["requires"] == ["idna>=2"]
    seen = len(server.seen)
    assert run("--offline", "a==1.0", **links)["projects"] == first["projects"] and len(server.seen) == seen
    server.routes["/links/"] = (503, {}, b"")
    assert run("a==1.0", PIP_RETRIES="0", **links)["projects"] == first["projects"], "as it was"
    document = run("--offline", "a", UNPIN_CACHE_DIR=str(tmp_path / "empty"), **links)
    assert document["projects"]["a"]["page"] == ABSENT and "cache" in document["problems"][0]
