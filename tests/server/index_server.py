"""A package index on loopback over directories of wheels and sdists, for tests: everything an index may do, on command.

It serves PEP 503 HTML and PEP 691 JSON with sizes and upload times (PEP 700), `.metadata` files (PEP 658), byte ranges,
and, where a test says so, faults. Only the standard library is needed.

    with IndexServer([folder], dates={"idna-3.4-py3-none-any.whl": "2022-09-14T00:00:00Z"}) as index:
        index.url        # http://127.0.0.1:PORT/simple/
        index.requests   # [(method, path, range header or None)]
        index.down = True                 # every connection is closed without an answer
        index.broken[filename] = bytes    # served in place of the file, under the true file's hash
        index.status[path] = 503          # served for that path
        index.stall.set()                 # wheels asked for whole do not arrive until it is cleared; index.stalled tells of one
        index.stall_only.add(filename)    # of these alone

Alone:  index_server.py [--port N] FOLDER ...
"""
import argparse
import hashlib
import html
import http.server
import json
import os
import re
import threading
import time
import zipfile

from serving import Serving

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(filename):
    if filename.endswith(".whl"):
        return normalize(filename.split("-", 1)[0])
    return normalize(re.sub(r"(-[^-]*)?(\.tar\.gz|\.zip)$", "", filename))


class File:
    """One distribution file and what its page says of it."""

    def __init__(self, path, date):
        self.path, self.name, self.date = path, os.path.basename(path), date
        self.size = os.path.getsize(path)
        with open(path, "rb") as f:
            self.sha256 = hashlib.sha256(f.read()).hexdigest()
        self.requires_python, self.metadata, self.yanked = "", None, False
        if self.name.endswith(".whl"):
            with zipfile.ZipFile(path) as z:
                member = next(n for n in z.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
                self.metadata = z.read(member)
            found = re.search(rb"^Requires-Python: *(.*)$", self.metadata.split(b"\n\n")[0], re.M)
            self.requires_python = found[1].decode().strip() if found else ""


class IndexServer(Serving):
    """See the head of this file. `json`, `metadata`, `ranges`, `times` say what this index can do."""

    def __init__(self, folders, dates=None, *, json=True, metadata=True, ranges=True, times=True, port=0):
        self.json, self.metadata, self.ranges, self.times = json, metadata, ranges, times
        self.down, self.broken, self.status, self.requests, self.files = False, {}, {}, [], {}
        self.stall, self.stalled, self.stall_only = threading.Event(), threading.Event(), set()
        for folder in folders:
            for name in sorted(os.listdir(folder)):
                if name.endswith((".whl", ".tar.gz", ".zip")):
                    self.files[name] = File(os.path.join(folder, name), (dates or {}).get(name))
        handler = type("Handler", (Handler,), {"index": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.url = self.root + "/simple/"

    def reset(self):
        """Ends all faults and forgets the requests."""
        self.down = False
        for state in (self.broken, self.status, self.requests, self.stall, self.stalled, self.stall_only):
            state.clear()

    def file_url(self, name):
        return f"{self.root}/files/{name}"

    def of(self, project):
        return [f for f in self.files.values() if project_of(f.name) == project]

    def page_json(self, project, files):
        entries = []
        for f in files:
            entry = {"filename": f.name, "url": f"/files/{f.name}", "hashes": {"sha256": f.sha256}, "size": f.size,
                     "yanked": f.yanked}
            if f.requires_python:
                entry["requires-python"] = f.requires_python
            if self.metadata and f.metadata:
                entry["core-metadata"] = {"sha256": hashlib.sha256(f.metadata).hexdigest()}
            if self.times and f.date:
                entry["upload-time"] = f.date
            entries.append(entry)
        versions = sorted({f.name.split("-")[1] for f in files})
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": entries}).encode()

    def page_html(self, files):
        lines = []
        for f in files:
            attributes = f' data-requires-python="{html.escape(f.requires_python)}"' if f.requires_python else ""
            if self.metadata and f.metadata:
                attributes += f' data-core-metadata="sha256={hashlib.sha256(f.metadata).hexdigest()}"'
            if self.times and f.date:
                attributes += f' data-upload-time="{f.date}"'
            if f.yanked is not False:
                attributes += f' data-yanked="{html.escape(str(f.yanked or ""))}"'
            lines.append(f'<a href="../../files/{f.name}#sha256={f.sha256}"{attributes}>{f.name}</a><br/>')
        return ("<!DOCTYPE html>\n<html><body>\n" + "\n".join(lines) + "\n</body></html>\n").encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index = None

    def log_message(self, *unused):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        index, path = self.index, self.path.split("?")[0]
        index.requests.append((self.command, path, self.headers.get("Range")))
        if index.down:
            self.close_connection = True
            return
        if path in index.status:
            return self.answer(index.status[path], b"")
        if page := re.fullmatch(r"/simple/([^/]+)/", path):
            return self.page(normalize(page[1]))
        if file := re.fullmatch(r"/files/([^/]+?)(\.metadata)?", path):
            return self.file(file[1], bool(file[2]))
        self.answer(404, b"")

    def page(self, project):
        files = self.index.of(project)
        if not files:
            return self.answer(404, b"")
        if self.index.json and JSON_TYPE in self.headers.get("Accept", ""):
            return self.answer(200, self.index.page_json(project, files), {"Content-Type": JSON_TYPE})
        self.answer(200, self.index.page_html(files), {"Content-Type": "text/html; charset=utf-8"})

    def file(self, name, metadata):
        f = self.index.files.get(name)
        if f is None or (metadata and not (self.index.metadata and f.metadata)):
            return self.answer(404, b"")
        if metadata:
            return self.answer(200, f.metadata)
        held = name in self.index.stall_only if self.index.stall_only else name.endswith(".whl")
        if self.index.stall.is_set() and held and not self.headers.get("Range"):
            self.index.stalled.set()
            while self.index.stall.is_set():
                time.sleep(0.05)
        body = self.index.broken.get(name)
        if body is None:
            with open(f.path, "rb") as handle:
                body = handle.read()
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")) if self.index.ranges else None
        if not wanted or not (wanted[1] or wanted[2]):
            return self.answer(200, body)
        first = int(wanted[1]) if wanted[1] else max(0, len(body) - int(wanted[2]))
        last = min(int(wanted[2]), len(body) - 1) if wanted[1] and wanted[2] else len(body) - 1
        if first > last:
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        self.answer(206, body[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(body)}"})

    def answer(self, status, body, headers=None):
        try:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(key, value)
            if self.index.ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8098)
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    served = IndexServer(options.folders, port=options.port)
    print(served.url, flush=True)
    served.server.serve_forever()
