#!/usr/bin/env python3
"""Makes a catalog entry of an image from the list of what is in it.

    tools/collect_image.py catalog/lists/ngc-pytorch-25.04.txt catalog/images/ngc-pytorch-25.04.json

For every `name==version` the index is asked: is that version there, since when, and what does it require. What the index
lacks is the vendor's own, and its requirements are unknown. What nobody can find out from the index (own builds of public
versions, names that are locked and not installed) is in catalog/lists/images.json.

Uses the standard library and pip, whose configuration says which index to ask.
"""

import argparse
import concurrent.futures
import datetime
import html.parser
import http.client
import io
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tarfile
import threading
import urllib.parse
import zipfile

SCHEMA = 1
THREADS = 16
REDIRECTS_MAX = 5
SDIST_MAX = 64 << 20
PAGE_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def index_url():
    """The index pip would use: its configuration, else its own default."""
    for variable in ("PIP_INDEX_URL",):
        if os.environ.get(variable):
            return os.environ[variable].rstrip("/")
    for section in ("install", "global"):
        got = subprocess.run([sys.executable, "-m", "pip", "config", "get", section + ".index-url"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if got.returncode == 0 and got.stdout.strip():
            return got.stdout.strip().rstrip("/")
    from pip._internal.models.index import PyPI
    return PyPI.simple_url.rstrip("/")


class Client:
    """GET with one kept connection per thread and host."""

    def __init__(self):
        self.local = threading.local()
        self.context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))

    def connection(self, host):
        connections = self.local.__dict__.setdefault("connections", {})
        if host not in connections:
            connections[host] = http.client.HTTPSConnection(host, timeout=120, context=self.context)
        return connections[host]

    def once(self, url, headers):
        parts = urllib.parse.urlsplit(url)
        path = parts.path + ("?" + parts.query if parts.query else "")
        for attempt in (1, 2, 3):
            connection = self.connection(parts.netloc)
            try:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                return response.status, response.headers, response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                if attempt == 3:
                    raise

    def get(self, url, **headers):
        """Status, headers and bytes, redirects followed."""
        for _ in range(REDIRECTS_MAX):
            status, got, body = self.once(url, headers)
            if status not in (301, 302, 303, 307, 308):
                return status, got, body
            url = urllib.parse.urljoin(url, got["Location"])
        raise OSError("too many redirects: " + url)


class Remote(io.RawIOBase):
    """A remote file for zipfile, read by byte ranges."""

    def __init__(self, client, url):
        self.client, self.url, self.at = client, url, 0
        status, headers, self.tail = client.get(url, Range="bytes=-65536")
        if status != 206:
            self.size, self.tail = len(self.tail), self.tail
        else:
            self.size = int(headers["Content-Range"].rpartition("/")[2])

    def seekable(self):
        return True

    def readable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def read(self, count=-1):
        end = self.size if count < 0 else min(self.size, self.at + count)
        start, self.at = self.at, end
        if start >= end:
            return b""
        from_tail = self.size - len(self.tail)
        if start >= from_tail:
            return self.tail[start - from_tail:end - from_tail]
        return self.client.get(self.url, Range="bytes=%d-%d" % (start, end - 1))[2]


class Page(html.parser.HTMLParser):
    """The files of an index page: (file name, url, attributes)."""

    def __init__(self, base):
        super().__init__()
        self.base, self.files = base, []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "a" and attrs.get("href"):
            url = urllib.parse.urljoin(self.base, attrs["href"]).partition("#")[0]
            self.files.append((urllib.parse.unquote(url.rpartition("/")[2]), url, attrs))


def page_files(client, index, name):
    url = "%s/%s/" % (index, normalize(name))
    status, headers, body = client.get(url, Accept=PAGE_ACCEPT)
    if status == 404:
        return None
    if status != 200:
        raise OSError("%s: status %d" % (url, status))
    if "json" in (headers["Content-Type"] or ""):
        return [(f["filename"], urllib.parse.urljoin(url, f["url"]), {"data-upload-time": f.get("upload-time")})
                for f in json.loads(body)["files"]]
    page = Page(url)
    page.feed(body.decode())
    return page.files


def version_key(text):
    from pip._vendor.packaging.version import InvalidVersion, Version
    try:
        return Version(text)
    except InvalidVersion:
        return text


def file_version(filename, name):
    """The version in a file name of the project, or None."""
    if filename.endswith(".whl"):
        return version_key(filename.split("-")[1]) if filename.count("-") >= 4 else None
    for suffix in (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz"):
        if filename.endswith(suffix):
            stem = filename[:-len(suffix)]
            for match in re.finditer("-", stem):
                if normalize(stem[:match.start()]) == normalize(name):
                    return version_key(stem[match.end():])
    return None


def preference(filename, python, arch):
    """Wheels that fit the image come first, sdists last."""
    tag = "cp" + python.replace(".", "")
    if not filename.endswith(".whl"):
        return 9
    if filename.endswith("-none-any.whl"):
        return 0
    fits = arch in filename and "linux" in filename and "musl" not in filename
    if fits and (tag in filename or "abi3" in filename or "-py3-" in filename or "py2.py3" in filename):
        return 1
    return 3 if fits else 5


def header_fields(text):
    import email.parser
    return email.parser.HeaderParser().parsestr(text)


def requires_txt(text):
    """setuptools' requires.txt as Requires-Dist lines."""
    lines, marker = [], ""
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            extra, _, condition = line.strip("[]").partition(":")
            parts = (["(%s)" % condition] if condition else []) + (['extra == "%s"' % extra] if extra else [])
            marker = " and ".join(parts)
        elif line:
            lines.append(line + ("; " + marker if marker else ""))
    return lines


def sdist_metadata(body, filename):
    if filename.endswith(".zip"):
        archive = zipfile.ZipFile(io.BytesIO(body))
        names, read = archive.namelist(), archive.read
    else:
        archive = tarfile.open(fileobj=io.BytesIO(body))
        names, read = archive.getnames(), lambda name: archive.extractfile(name).read()
    infos = sorted((n for n in names if n.endswith("/PKG-INFO")), key=lambda n: n.count("/"))
    fields = header_fields(read(infos[0]).decode("utf-8", "replace"))
    requires = fields.get_all("Requires-Dist") or []
    lists = [n for n in names if n.endswith(".egg-info/requires.txt")]
    if not requires and lists:
        requires = requires_txt(read(lists[0]).decode())
    return fields, requires


def metadata(client, filename, url):
    """The fields of a release's metadata and its requirements."""
    if not filename.endswith(".whl"):
        status, _, body = client.get(url)
        if status != 200 or len(body) > SDIST_MAX:
            raise OSError("%s: status %d" % (url, status))
        return sdist_metadata(body, filename)
    status, _, body = client.get(url + ".metadata")
    if status != 200:
        with zipfile.ZipFile(Remote(client, url)) as archive:
            member = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)][0]
            body = archive.read(member)
    fields = header_fields(body.decode("utf-8", "replace"))
    return fields, fields.get_all("Requires-Dist") or []


def collect(client, index, image, name, version):
    """One distribution of the entry."""
    dist = {"name": name, "version": version}
    own = image.get("own_builds", {}).get(name)
    copies = image.get("not_installed", {})
    if name in copies.get("names", ()) or "%s==%s" % (name, version) in copies.get("names", ()):
        dist["installed"] = False
        dist["reason"] = copies["reason"]
    files = page_files(client, index, name)
    wanted = version_key(version)
    of_version = [f for f in files or () if file_version(f[0], name) == wanted]
    vendor = []
    if "+" in version:
        vendor.append("local-version")
    if not of_version:
        vendor.append("not-on-index")
    if own:
        vendor.append("listed")
        dist["reason"] = own["reason"]
    if vendor:
        dist["vendor"] = vendor
    dist["metadata"] = "unknown" if vendor and not (own and own["metadata"] == "public-version") else "index"
    if not of_version:
        return dist
    # Another project of the same name has nothing to tell about this one.
    times = [f[2].get("data-upload-time") for f in of_version if f[2].get("data-upload-time")]
    if times and dist["metadata"] != "unknown":
        moment = datetime.datetime.fromisoformat(min(times).replace("Z", "+00:00"))
        dist["uploaded"] = moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if dist["metadata"] == "unknown":
        return dist
    if own:
        dist["metadata"] = "public-version"
    arch = image["platform"].partition("_")[2]
    best = min(of_version, key=lambda f: (preference(f[0], image["python"], arch), f[0]))
    fields, requires = metadata(client, best[0], best[1])
    if fields["Requires-Python"]:
        dist["requires_python"] = fields["Requires-Python"]
    dist["requires_dist"] = [" ".join(line.split()) for line in requires]
    if fields.get_all("Provides-Extra"):
        dist["extras"] = fields.get_all("Provides-Extra")
    return dist


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("entry", type=pathlib.Path)
    arguments = parser.parse_args()
    image = json.loads((arguments.list.parent / "images.json").read_text())["images"][arguments.list.stem]
    pins = [line.strip().split("==", 1) for line in arguments.list.read_text().splitlines()
            if "==" in line and not line.startswith("#")]
    client, index = Client(), index_url()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        dists = list(pool.map(lambda pin: collect(client, index, image, *pin), pins))
    # A release that is younger than the image has been added by whoever published the list.
    added = [d["name"] for d in dists if d.get("uploaded", "") > image.get("made_before", "9")]
    dists = [d for d in dists if d["name"] not in added]
    entry = {"schema": SCHEMA}
    entry.update({k: v for k, v in image.items() if k not in ("own_builds", "not_installed", "made_before")})
    entry["date"] = max((d["uploaded"] for d in dists if "uploaded" in d), default="")
    lines = ",\n".join("  " + json.dumps(dist) for dist in dists)
    head = json.dumps(entry, indent=1)[:-2]
    arguments.entry.write_text('%s,\n "dists": [\n%s\n ]\n}\n' % (head, lines))
    vendor = sum("vendor" in d for d in dists)
    unknown = sum(d["metadata"] == "unknown" for d in dists)
    print("%s: %d distributions, %d vendor builds, %d without metadata, newest of %s%s"
          % (entry["name"], len(dists), vendor, unknown, entry["date"], "; left out: " + ", ".join(added) if added else ""))


if __name__ == "__main__":
    main()
