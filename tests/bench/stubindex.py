#!/usr/bin/env python3
"""A local simple index in front of PyPI, for measuring package installers.

* /simple/<name>/        upstream's HTML page, frozen on disk at first use (so
                         every run sees the same index), links turned to /files/
* /files/<path>          upstream's file, kept on disk; HEAD and single ranges
                         are answered; a wheel larger than --stub-min-kb is
                         replaced by a stub with the same name and METADATA and
                         empty top-level packages, so that GBs are never fetched
                         (not those of REAL, which source builds need)
* headers as the public index and its file host send them (ETag,
  Cache-Control), so that clients' HTTP caches work as in the field.

  stubindex.py [--port 8099] [--store DIR] [--pep658] [--latency-ms N]
               [--offline] [--budget-mb N] [--stub-min-kb N]

/stats counts: client_real_bytes is what the clients would have downloaded were no wheel a stub.
"""
import argparse, hashlib, html, http.client, io, json, os, re, ssl, sys, threading, time, zipfile, base64
import socket
from pip._internal.models.index import PyPI  # the hosts that pip itself uses
INDEX_HOST, FILE_HOST = PyPI.netloc, PyPI.file_storage_domain
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

# what builds of source distributions need for real; all other wheels above --stub-min-kb are stubbed
REAL = re.compile(r'^(setuptools|setuptools-.*|wheel|pip|hatchling|hatch-.*|flit.*|poetry-core|pdm-.*|cython|numpy|pybind11.*|scikit-build.*|'
                  r'meson.*|maturin|packaging|pathspec|pluggy|trove-classifiers|cffi|pycparser|ninja|versioneer.*|py-cpuinfo|tomli|calver|editables|expandvars)$')
A = None
pool = {}
lock = threading.RLock()
keylocks = {}
stats = {'upstream_bytes': 0, 'upstream_requests': 0, 'served': 0, 'stubs': 0, 'client_real_bytes': 0, 'client_bytes': 0, 'wheels': 0, 'sdists': 0, 'pages': 0, 'metadata': 0}
CTX = ssl.create_default_context()


def norm(n): return re.sub(r'[-_.]+', '-', n).lower()


def make_store(store):
    for d in ('simple', 'files', 'stubs', 'head', 'meta'): os.makedirs(os.path.join(store, d), exist_ok=True)


def keylock(k):
    with lock:
        return keylocks.setdefault(k, threading.Lock())


def upstream(method, host, path, headers=None):
    """One upstream request; returns (status, headers dict, body)."""
    if A.offline:
        return 404, {}, b''
    if stats['upstream_bytes'] > A.budget_mb << 20:
        sys.stderr.write('download budget is spent\n'); return 503, {}, b''
    for attempt in range(4):
        with lock: c = pool[host].pop() if pool.setdefault(host, []) else None
        c = c or http.client.HTTPSConnection(host, timeout=180, context=CTX)
        try:
            c.request(method, path, headers={'User-Agent': 'stubindex/1', 'Accept-Encoding': 'identity', **(headers or {})})
            r = c.getresponse(); b = r.read()
            with lock:
                stats['upstream_bytes'] += len(b); stats['upstream_requests'] += 1; pool[host].append(c)
            h = {k.lower(): v for k, v in r.getheaders()}
            if r.status in (429, 500, 502, 503, 504) and attempt < 3:
                time.sleep(1 + attempt); continue
            return r.status, h, b
        except (OSError, http.client.HTTPException):
            c.close()
            if attempt == 3: raise
            time.sleep(.3)


class Remote(io.RawIOBase):
    def __init__(s, path, size): s.path, s.n, s.p = path, size, 0
    def seekable(s): return True
    def readable(s): return True
    def tell(s): return s.p
    def seek(s, o, w=0): s.p = o if w == 0 else (s.p + o if w == 1 else s.n + o); return s.p
    def readinto(s, buf):
        k = min(len(buf), s.n - s.p)
        if k <= 0: return 0
        st, h, d = upstream('GET', FILE_HOST, s.path, {'Range': f'bytes={s.p}-{s.p+k-1}'})
        if st != 206: raise OSError(f'range {st}')
        buf[:len(d)] = d; s.p += len(d); return len(d)


def head(path):
    """Size of an upstream file (kept)."""
    f = os.path.join(A.store, 'head', hashlib.sha1(path.encode()).hexdigest())
    if os.path.exists(f): return int(open(f).read())
    st, h, _ = upstream('HEAD', FILE_HOST, path)
    if st not in (200, 404, 410): raise OSError(f'head {st}')  # not 404 to the client: who is told that proves things by it
    if st != 200: return None
    n = int(h['content-length'])
    with open(f + f'.{threading.get_ident()}', 'w') as o: o.write(str(n))
    os.replace(o.name, f)
    return n


def metadata(path):
    """METADATA of a wheel, by ranges (kept)."""
    f = os.path.join(A.store, 'meta', hashlib.sha1(path.encode()).hexdigest())
    if os.path.exists(f): return open(f, 'rb').read()
    local = os.path.join(A.store, 'files', path.lstrip('/'))
    with keylock('m' + path):
        if os.path.exists(local): z = zipfile.ZipFile(local)
        else:
            n = head(path)
            if n is None: return None
            z = zipfile.ZipFile(io.BufferedReader(Remote(path, n), 1 << 16))
        m = [x for x in z.namelist() if re.fullmatch(r'[^/]+\.dist-info/METADATA', x)]
        d = z.read(m[0])
        with open(f + f'.{threading.get_ident()}', 'wb') as o: o.write(d)
        os.replace(o.name, f)
        return d


hashes = {}


def metadata_hash(path):
    """What the page says of METADATA of a wheel. PyPI gives the SHA-256 of each, the index that the store came from may not: where the
    store has the file, its hash is given."""
    f = os.path.join(A.store, 'meta', hashlib.sha1(path.encode()).hexdigest())
    if path not in hashes and os.path.exists(f): hashes[path] = 'sha256=' + hashlib.sha256(open(f, 'rb').read()).hexdigest()
    return hashes.get(path, 'true')


def make_stub(path, size, dest):
    real = os.path.join(A.store, 'files', path.lstrip('/'))
    z = zipfile.ZipFile(real if os.path.exists(real) else io.BufferedReader(Remote(path, size), 1 << 16))
    names = z.namelist()
    di = [x for x in names if re.fullmatch(r'[^/]+\.dist-info/METADATA', x)][0].split('/')[0]
    files = {di + '/METADATA': z.read(di + '/METADATA'), di + '/WHEEL': z.read(di + '/WHEEL')}
    if di + '/entry_points.txt' in names: files[di + '/entry_points.txt'] = z.read(di + '/entry_points.txt')
    for x in names:
        if re.fullmatch(r'[A-Za-z_]\w*/__init__\.py', x): files[x] = b'# stub made by stubindex.py\n'
    if di.startswith('torch-'):  # builds look into it
        pay = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'env', 'payload', 'torch')
        for d, _, fs in os.walk(pay):
            for f in fs:
                if f.endswith('.py'): files[os.path.relpath(os.path.join(d, f), pay)] = open(os.path.join(d, f), 'rb').read()
    rec = ''
    for k, v in files.items():
        h = base64.urlsafe_b64encode(hashlib.sha256(v).digest()).rstrip(b'=').decode()
        rec += f'{k},sha256={h},{len(v)}\n'
    files[di + '/RECORD'] = (rec + di + '/RECORD,,\n').encode()
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    tmp = dest + f'.{threading.get_ident()}'
    with zipfile.ZipFile(tmp, 'w', zipfile.ZIP_DEFLATED) as o:
        for k, v in files.items(): o.writestr(zipfile.ZipInfo(k, (2025, 4, 1, 0, 0, 0)), v)
    os.replace(tmp, dest)
    with lock: stats['stubs'] += 1


def local_file(path, whole):
    """Path on disk for /files/<path>; None if it is not held and `whole` is not asked for."""
    base = path.rsplit('/', 1)[1]
    proj = norm(re.split(r'-(?=\d)', base, 1)[0])
    real = os.path.join(A.store, 'files', path.lstrip('/')); stub = os.path.join(A.store, 'stubs', path.lstrip('/'))
    if os.path.exists(stub): return stub
    if base.endswith('.whl') and not REAL.match(proj):
        n = os.path.getsize(real) if os.path.exists(real) else head(path)
        if n is None: return False
        if n > A.stub_min_kb << 10:
            with keylock(path):
                if not os.path.exists(stub): make_stub(path, n, stub)
            return stub
        whole = True
    if os.path.exists(real): return real
    if not whole: return None
    with keylock(path):
        if os.path.exists(real): return real
        st, h, b = upstream('GET', FILE_HOST, path)
        if st not in (200, 404, 410): raise OSError(f'get {st}')
        if st != 200: return False
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real + '.part', 'wb') as o: o.write(b)
        os.replace(real + '.part', real)
        return real


pages = {}


def page(name):
    n = norm(name)
    if n in pages: return pages[n]
    f = os.path.join(A.store, 'simple', n + '.html')
    with keylock('s' + n):
        if n in pages: return pages[n]
        if os.path.exists(f): raw = open(f, 'rb').read()
        else:
            # With this header the index adds the upload times to its HTML; some answer HTML whatever is asked for.
            st, h, raw = upstream('GET', INDEX_HOST, f'/simple/{n}/', {'Accept': 'application/vnd.pypi.simple.v1+json, text/html;q=0.1'})
            if 'json' in h.get('content-type', ''): st, h, raw = upstream('GET', INDEX_HOST, f'/simple/{n}/', {'Accept': 'text/html'})
            if st == 404: raw = b'404'
            elif st != 200: return None
            if not A.offline:
                with open(f + '.part', 'wb') as o: o.write(raw)
                os.replace(f + '.part', f)
        if raw == b'404': pages[n] = b''; return b''
        t = raw.decode()
        heavy = not REAL.match(n)
        def sub(m):
            u = html.unescape(m[1]); u, _, frag = u.partition('#')
            u = '/files' + urlparse(u).path
            if frag and not heavy: u += '#' + frag
            extra = f' data-core-metadata="{metadata_hash(u.partition("#")[0][6:])}"' if A.pep658 and urlparse(u).path.endswith('.whl') else ''
            return f'<a href="{u}"{extra}'
        b = re.sub(r'<a href="([^"]*)"', sub, t).encode()
        pages[n] = b
        return b


class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(s, *a): pass
    def setup(s):
        super().setup(); s.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    def send(s, st, body=b'', headers=()):
        s.send_response_only(st); s.send_header('Date', s.date_time_string())
        h = dict(headers)
        h.setdefault('Content-Length', str(len(body)))
        for k, v in h.items(): s.send_header(k, v)
        s.end_headers()
        if s.command != 'HEAD' and body: s.wfile.write(body)
    def do_HEAD(s): s.do_GET()
    def do_GET(s):
        if A.latency_ms: time.sleep(A.latency_ms / 1000)
        with lock: stats['served'] += 1
        p = urlparse(s.path).path
        try:
            if p == '/stats': return s.send(200, json.dumps(stats).encode(), {'Content-Type': 'application/json'})
            m = re.fullmatch(r'/simple/([^/]+)(/?)', p)
            if m:
                b = page(m[1])
                with lock: stats['pages'] += 1
                if b is None: return s.send(503)
                if not b: return s.send(404)
                et = '"' + hashlib.md5(b).hexdigest() + '"'
                hd = {'Content-Type': 'text/html', 'ETag': et, 'Cache-Control': 'max-age=600, public', 'Vary': 'Accept, Accept-Encoding'}
                if s.headers.get('If-None-Match') == et: return s.send(304, b'', hd)
                return s.send(200, b, hd)
            if p.startswith('/files/'): return s.file(p[6:])
            s.send(404)
        except (BrokenPipeError, ConnectionResetError): s.close_connection = True
        except Exception as e:
            sys.stderr.write(f'{p}: {e!r}\n'); sys.stderr.flush()
            try: s.send(502, repr(e).encode())
            except OSError: pass
            s.close_connection = True
    def file(s, path):
        imm = {'Cache-Control': 'max-age=365000000, immutable, public', 'Accept-Ranges': 'bytes', 'ETag': '"' + hashlib.md5(path.encode()).hexdigest() + '"',
               'Content-Type': 'application/octet-stream', 'Last-Modified': 'Tue, 01 Apr 2025 00:00:00 GMT'}
        if path.endswith('.metadata'):
            if not A.pep658: return s.send(404)
            with lock: stats['metadata'] += 1
            d = metadata(path[:-9])
            return s.send(404) if d is None else s.send(200, d, imm)
        rng = s.headers.get('Range')
        f = local_file(path, whole=s.command == 'GET' and not rng)
        if f is False: return s.send(404)
        if f is None:
            if s.command == 'HEAD':
                n = head(path)
                return s.send(404) if n is None else s.send(200, b'', {**imm, 'Content-Length': str(n)})
            st, h, b = upstream('GET', FILE_HOST, path, {'Range': rng})
            with lock: stats['client_bytes'] += len(b); stats['client_real_bytes'] += len(b)
            if 'content-range' in h: imm['Content-Range'] = h['content-range']
            return s.send(st, b, imm)
        n = os.path.getsize(f)
        if s.command == 'HEAD': return s.send(200, b'', {**imm, 'Content-Length': str(n)})
        if rng:
            m = re.fullmatch(r'bytes=(\d*)-(\d*)', rng)
            if m and (m[1] or m[2]):
                if not m[1]: a, e = max(0, n - int(m[2])), n - 1
                else: a, e = int(m[1]), min(int(m[2] or n - 1), n - 1)
                if a >= n: return s.send(416, b'', {'Content-Range': f'bytes */{n}'})
                with open(f, 'rb') as fh: fh.seek(a); b = fh.read(e - a + 1)
                with lock: stats['client_bytes'] += len(b); stats['client_real_bytes'] += len(b)
                return s.send(206, b, {**imm, 'Content-Range': f'bytes {a}-{e}/{n}'})
        real_n = head(path) if '/stubs/' in f else n
        with lock:
            stats['client_bytes'] += n; stats['client_real_bytes'] += real_n or n
            stats['wheels' if f.endswith('.whl') else 'sdists'] += 1
        with open(f, 'rb') as fh: s.send(200, fh.read(), imm)


def main():
    global A
    p = argparse.ArgumentParser()
    p.add_argument('--port', type=int, default=8099); p.add_argument('--store', default=os.path.join(os.path.dirname(os.path.abspath(__file__)), 'store'))
    p.add_argument('--pep658', action='store_true'); p.add_argument('--latency-ms', type=float, default=0)
    p.add_argument('--offline', action='store_true'); p.add_argument('--budget-mb', type=int, default=500); p.add_argument('--stub-min-kb', type=int, default=512)
    A = p.parse_args()
    make_store(A.store)
    ThreadingHTTPServer.request_queue_size = 1024  # else a client with 50 connections waits on SYN retries
    srv = ThreadingHTTPServer(('127.0.0.1', A.port), H); srv.daemon_threads = True
    print(f'stubindex on http://127.0.0.1:{A.port}/simple/ store {A.store}', flush=True)
    try: srv.serve_forever()
    except KeyboardInterrupt: pass
    print(stats)


if __name__ == '__main__': main()
