#!/usr/bin/env python3
"""Run installers ("adapters") over scenarios.json on pristine copies of the environment, and score them.

  run.py run     [--adapters a,b] [--scenarios x,y] [--mode dry|real] [--out results.json] [--timeout S]
                 [--index URL] [--adapter-cmd NAME=COMMAND] [--force] [--warm]
  run.py oracle  which requests can be had at all, and with how few locks lifted  -> oracle.json
  run.py time    [--scenarios ...] [--index URL] cold and warm wall times         -> timings.json
  run.py selftest

An outside tool is added as    --adapter-cmd 'unpin=unpin install --python {python} --lock {lock} {dry} --plan {plan} {args}'
placeholders: {python} interpreter of the copy, {prefix} its prefix, {lock} its own copy of the lock file,
{index}, {dry} ('--dry-run' in dry mode, else nothing), {plan} file for the plan (dry mode), {args} the request.
In dry mode the tool writes {plan} as JSON {"install": [[name, version] or {"metadata": {...}} ...], "remove": [name ...]}
or prints uv-like lines ' + name==version' / ' - name==version'; in real mode the copy itself is read.  Locks changed are
found by comparing {lock} before and after.
"""
import argparse, glob, resource, json, os, re, shlex, shutil, signal, subprocess, sys, time, html, email.parser, threading
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    import packaging
except ImportError:
    sys.exit('run.py wants the packaging library: run it by bench.py, or with the python of the tools it made')
from packaging.requirements import Requirement, InvalidRequirement
from packaging.version import Version, InvalidVersion
from packaging.specifiers import SpecifierSet
from packaging.markers import default_environment
from packaging import tags
import stubindex

# DATA: what bench.py built (base, constraint.txt, vendor.txt, stubs, assets, tools). WORK: what runs leave (store, logs, caches).
DATA = os.environ.get('UNPIN_BENCH') or os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'unpin-bench')
WORK = os.environ.get('UNPIN_BENCH_WORK') or DATA
BASE = os.path.join(DATA, 'base'); LOCK = os.path.join(DATA, 'constraint.txt'); ASSETS = os.path.join(DATA, 'assets')
CACHE = os.path.join(WORK, 'cache'); LOGS = os.path.join(WORK, 'logs')
UV = os.path.join(DATA, 'tools/bin/uv')
UNPIN = os.environ.get('UNPIN') or os.path.join(HERE, '../../build/unpin')
PROXY = PROXY_NOW = 'http://127.0.0.1:8099/simple/'
norm = stubindex.norm
# a distribution that puts files where a vendor build has its own
SHADOWS = {'triton': 'pytorch-triton', 'opencv-python': 'opencv', 'opencv-python-headless': 'opencv', 'opencv-contrib-python': 'opencv',
           'opencv-contrib-python-headless': 'opencv', 'cudf-cu12': 'cudf', 'flash-attn-3': 'flash-attn', 'transformer-engine-cu12': 'transformer-engine',
           'tensorrt-cu12': 'tensorrt', 'tensorrt-cu12-bindings': 'tensorrt', 'cupy-cuda13x': 'cupy-cuda12x'}
ENV = default_environment()


def vendor(): return set(open(os.path.join(DATA, 'vendor.txt')).read().split())


def rd(f, d=None):
    return json.load(open(f)) if os.path.exists(f) else d


def wr(f, o):
    json.dump(o, open(f + '.tmp', 'w'), indent=1); os.replace(f + '.tmp', f)


# ---------- metadata ----------
def parse_meta(text):
    m = email.parser.HeaderParser().parsestr(text)
    return {'name': norm(m['Name']), 'version': m['Version'],  'requires': m.get_all('Requires-Dist') or [], 'python': m['Requires-Python']}


def site_meta(prefix):
    out = {}
    for d in glob.glob(os.path.join(prefix, 'lib/python3*/site-packages/*.dist-info')):
        try: t = open(os.path.join(d, 'METADATA'), encoding='utf-8', errors='replace').read()
        except OSError: continue
        m = parse_meta(t.split('\n\n', 1)[0] if '\n\n' in t else t)
        m['record'] = os.path.join(d, 'RECORD'); out[m['name']] = m
    return out


def base_meta():
    f = os.path.join(WORK, 'base.meta.json')
    if not os.path.exists(f):
        m = site_meta(BASE)
        for x in m.values(): x.pop('record', None)
        wr(f, m)
    return rd(f)


_tags = None


def index_meta(name, version):
    """Metadata of name==version as the index has it."""
    global _tags
    f = os.path.join(WORK, 'store', 'nv', f'{norm(name)}-{version}.json')
    if os.path.exists(f): return rd(f)
    os.makedirs(os.path.dirname(f), exist_ok=True)
    if stubindex.A is None:
        stubindex.make_store(os.path.join(WORK, 'store'))
        stubindex.A = argparse.Namespace(store=os.path.join(WORK, 'store'), offline=False, pep658=False, budget_mb=3500)
    _tags = _tags or {str(t): i for i, t in enumerate(tags.sys_tags())}
    page = stubindex.page(name)
    best = None
    for u, t in re.findall(r'<a href="([^"#]+)[^>]*>([^<]+)</a>', (page or b'').decode()):
        if not t.endswith('.whl'): continue
        p = t[:-4].split('-')
        try:
            if Version(p[1]) != Version(version): continue
        except InvalidVersion: continue
        for a in p[-3].split('.'):
            for b in p[-2].split('.'):
                for c in p[-1].split('.'):
                    i = _tags.get(f'{a}-{b}-{c}')
                    if i is not None and (best is None or i < best[0]): best = (i, u)
    if best:
        m = {'wheel': True, **parse_meta(stubindex.metadata(html.unescape(best[1])[6:]).decode('utf-8', 'replace'))}
    else:
        o = subprocess.run([os.path.join(BASE, 'bin/python'), '-m', 'pip', 'install', '-q', '--dry-run', '--no-deps', '--no-build-isolation', '--ignore-installed', '--report', '-',
                            '--index-url', PROXY, f'{name}=={version}'], capture_output=True, text=True, env=clean_env(), timeout=600)
        if o.returncode: return {'name': norm(name), 'version': version, 'requires': [], 'python': None, 'unknown': True, 'wheel': False}
        x = json.loads(o.stdout)['install'][0]['metadata']
        m = {'name': norm(x['name']), 'version': x['version'], 'requires': x.get('requires_dist', []), 'python': x.get('requires_python')}
    m.setdefault('wheel', False); wr(f, m); return m


# ---------- scoring ----------
_req = {}


def parse_req(s):
    if s not in _req:
        try: _req[s] = Requirement(s)
        except InvalidRequirement: _req[s] = None
    return _req[s]


def active(r, extras):
    if r.marker is None: return True
    return any(r.marker.evaluate({**ENV, 'extra': e}) for e in ([''] + sorted(extras)))


def ok(spec, version):
    try: return SpecifierSet(str(spec)).contains(Version(version), prereleases=True)
    except InvalidVersion: return False


def violations(dists, want=()):
    """Every active requirement in `dists` that `dists` does not meet; {(dist, requirement): why}."""
    extras = {n: set() for n in dists}
    todo = []
    for r in want:
        n = norm(r.name)
        if n in extras and r.extras - extras[n]: extras[n] |= r.extras
    todo = list(dists); seen = {}
    bad = {}
    while todo:
        n = todo.pop()
        st = frozenset(extras[n])
        if seen.get(n) == st: continue
        seen[n] = st
        for q in dists[n]['requires']:
            r = parse_req(q)
            if r is None or not active(r, {norm(e) for e in st} | set(st)): continue
            d = norm(r.name)
            if d not in dists: bad[(n, q)] = 'missing'; continue
            if not ok(r.specifier, dists[d]['version']): bad[(n, q)] = f"{d} {dists[d]['version']}"
            if r.extras - extras[d]: extras[d] |= r.extras; todo.append(d)
    for n, m in dists.items():
        if m.get('python') and not ok(m['python'], ENV['python_full_version']): bad[(n, 'Requires-Python')] = m['python']
    return bad


def score(result, scen, lock_after=None):
    """result: {name: meta} of the environment after."""
    base = base_meta(); vend = vendor(); want = [Requirement(r.split(' @ ')[0]) if ' @ ' in r else Requirement(r) for r in scen['requires']]
    before = violations(base); after = violations(result, want)
    new = {k: v for k, v in after.items() if k not in before}
    changed = sorted((n, base[n]['version'], result[n]['version']) for n in base if n in result and Version(result[n]['version']) != Version(base[n]['version']))
    removed = sorted(n for n in base if n not in result); added = sorted((n, result[n]['version']) for n in result if n not in base)
    unmet = [str(r) for r in want if norm(r.name) not in result or not ok(r.specifier, result[norm(r.name)]['version'])]
    s = {'met': not unmet, 'unmet': unmet, 'changed': changed, 'added': added, 'removed': removed,
         'vendor_replaced': [c for c in changed if c[0] in vend] + [(n, base[n]['version'], None) for n in removed if n in vend],
         'vendor_shadowed': [(n, SHADOWS[n]) for n, v in added if n in SHADOWS and SHADOWS[n] in base],
         'new_violations': sorted([k[0], k[1], v] for k, v in new.items()), 'n_new_violations': len(new),
         'got': {norm(r.name): result[norm(r.name)]['version'] for r in want if norm(r.name) in result},
         'from_source': sorted(n for n, m in result.items() if m.get('wheel') is False),
         'n_changed': len(changed), 'n_added': len(added), 'healed_violations': len([k for k in before if k not in after])}
    return s


def verdict(r):
    if r.get('timeout'): return 'TIMEOUT'
    if r['exit'] != 0: return 'FAIL'
    if not r.get('met'): return 'UNMET'
    if r['vendor_replaced']: return 'VENDOR'
    if r['n_new_violations']: return 'BREAKS'
    if r['vendor_shadowed']: return 'SHADOWS'
    return 'OK'


# ---------- environment ----------
def clean_env(**k):
    e = {a: b for a, b in os.environ.items() if not a.startswith(('PIP_', 'UV_', 'VIRTUAL_ENV', 'PYTHON'))}
    e.update(PIP_DISABLE_PIP_VERSION_CHECK='1', PIP_ROOT_USER_ACTION='ignore', PIP_NO_INPUT='1', PIP_CERT='/etc/ssl/certs/ca-certificates.crt', PIP_DEFAULT_TIMEOUT='180',
             PIP_CACHE_DIR=os.path.join(CACHE, 'pip'), UV_CACHE_DIR=os.path.join(CACHE, 'uv'), UV_NO_PROGRESS='1', UV_LINK_MODE='copy', UV_HTTP_TIMEOUT='180', TMPDIR=os.path.join(WORK, 'tmp'),
             UV_SYSTEM_CERTS='1')
    e.update(k); return e


class Copy:
    """A pristine writable copy of the environment: an overlay where possible, else cp -a."""
    def __init__(s, tag):
        s.dir = os.path.join(WORK, 'work', tag); shutil.rmtree(s.dir, ignore_errors=True)
        for d in ('u', 'w', 'env'): os.makedirs(os.path.join(s.dir, d))
        s.prefix = os.path.join(s.dir, 'env'); s.lock = os.path.join(s.dir, 'constraint.txt'); shutil.copy(LOCK, s.lock)
        s.mounted = os.geteuid() == 0 and subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir={BASE},upperdir={s.dir}/u,workdir={s.dir}/w', s.prefix], capture_output=True).returncode == 0
        if not s.mounted:
            os.rmdir(s.prefix); subprocess.check_call(['cp', '-a', '--reflink=auto', BASE, s.prefix])
    def close(s):
        if s.mounted: subprocess.run(['umount', s.prefix], check=True)
        shutil.rmtree(s.dir, ignore_errors=True)


def damaged(meta):
    """Files of vendor builds whose content no longer is what RECORD says."""
    import base64, hashlib
    out = []
    for n in vendor():
        if n not in meta: continue
        rec = meta[n]['record']; root = os.path.dirname(os.path.dirname(rec))
        for ln in open(rec):
            p, h, _ = ln.rstrip('\n').rsplit(',', 2)
            if not h: continue
            try: b = open(os.path.join(root, p), 'rb').read()
            except OSError: out.append([n, p, 'gone']); continue
            if 'sha256=' + base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode() != h: out.append([n, p, 'changed'])
    return out


# ---------- adapters ----------
def subst(args, index):
    return [a.replace('{assets}', ASSETS).replace('{index_root}', index.rsplit('/simple', 1)[0] if '127.0.0.1' in index else PROXY.rsplit('/simple', 1)[0]) for a in args]


def named(scen):
    out = set()
    for r in scen['requires']: out.add(norm(Requirement(r).name))
    return out


def lock_without(src, names, dst):
    with open(dst, 'w') as f:
        for ln in open(src):
            if norm(re.split(r'[=<>!~;@ \[]', ln, 1)[0]) not in names: f.write(ln)
    return dst


def pip_cmd(py, args, dry, report):
    return [py, '-m', 'pip', 'install', *(['--dry-run', '--report', report] if dry else ['--report', report]), '--no-color', '--progress-bar', 'off', *args]


def adapters(extra=()):
    A = {}
    def pip(kind):
        def go(scen, c, dry, index):
            env = {'PIP_INDEX_URL': index}
            lock = None
            if kind == 'lock': lock = c['lock']
            if kind == 'named': lock = lock_without(c['lock'], named(scen), c['lock'] + '.named')
            if lock: env['PIP_CONSTRAINT'] = lock
            return pip_cmd(c['python'], subst(scen['args'], index), dry, c['plan']), env
        return go
    for k in ('lock', 'nolock', 'named'): A['pip-' + k] = pip(k)
    def pipnew(scen, c, dry, index):
        a = pip_cmd(c['python'], subst(scen['args'], index), dry, c['plan'])
        return [os.path.join(DATA, 'tools/bin/python'), '-m', 'pip', '--python', c['python'], *a[3:]], {'PIP_INDEX_URL': index, 'PIP_CONSTRAINT': c['lock']}
    A['pip26-lock'] = pipnew
    def uv(kind):
        def go(scen, c, dry, index):
            a = [UV, 'pip', 'install', '--python', c['python'], '--index-url', index, '--color', 'never', *(['--dry-run'] if dry else [])]
            if kind == 'lock': a += ['--constraint', c['lock']]
            if kind == 'named': a += ['--constraint', lock_without(c['lock'], named(scen), c['lock'] + '.named')]
            return a + subst(scen['args'], index), {}
        return go
    for k in ('lock', 'nolock', 'named'): A['uv-' + k] = uv(k)
    # what an expert does by hand: no lock, but every installed name is part of the request and vendor builds are pinned
    # ('allbut': without those whose requirements were broken before, or every request fails)
    def everything(tool, but):
        def go(scen, c, dry, index):
            v = vendor(); pins = c['lock'] + '.vendor'
            with open(pins, 'w') as f:
                for ln in open(c['lock']):
                    if norm(ln.split('==')[0]) in v: f.write(ln)
            all_ = sorted(set(base_meta()) - ({k[0] for k in violations(base_meta())} if but else set()))
            if tool == 'pip': return pip_cmd(c['python'], subst(scen['args'], index) + all_, dry, c['plan']), {'PIP_INDEX_URL': index, 'PIP_CONSTRAINT': pins}
            return [UV, 'pip', 'install', '--python', c['python'], '--index-url', index, '--color', 'never', *(['--dry-run'] if dry else []), '--constraint', pins] + subst(scen['args'], index) + all_, {}
        return go
    for t in ('pip', 'uv'): A[t + '-all'] = everything(t, False); A[t + '-allbut'] = everything(t, True)
    def unpin(scen, c, dry, index):
        a = [UNPIN, *(['plan', '--json'] if dry else ['install', '-y']), '--python', c['python'], '--lock', c['lock'], '--index-url', index]
        return a + subst(scen['args'], index), {'UNPIN_CACHE_DIR': os.path.join(CACHE, 'unpin')}
    A['unpin'] = unpin
    for x in extra:
        name, cmd = x.split('=', 1)
        def ext(scen, c, dry, index, cmd=cmd):
            v = {**c, 'index': index, 'dry': '--dry-run' if dry else ''}
            out = []
            for t in shlex.split(cmd):
                if t == '{args}': out += subst(scen['args'], index)
                else:
                    t = t.format(**v)
                    if t: out.append(t)
            return out, {'PIP_CONSTRAINT': c['lock'], 'PIP_INDEX_URL': index}
        A[name] = ext
    return A


def proxy_stats():
    import urllib.request
    try: return json.load(urllib.request.urlopen(PROXY_NOW.replace('/simple/', '/stats'), timeout=5))
    except OSError: return None


def run_proc(argv, env, timeout, log, stdout=None):
    s0 = proxy_stats(); ru0 = resource.getrusage(resource.RUSAGE_CHILDREN); t = time.time()
    with open(log, 'wb') as f:
        f.write(('$ ' + ' '.join(shlex.quote(a) for a in argv) + '\n').encode()); f.flush()
        out = open(stdout, 'wb') if stdout else f
        p = subprocess.Popen(argv, env=env, stdout=out, stderr=f, stdin=subprocess.DEVNULL, start_new_session=True, cwd=WORK)
        if stdout: out.close()
        late = []
        k = threading.Timer(timeout, lambda: (late.append(1), os.killpg(p.pid, signal.SIGKILL))); k.start()
        p.wait(); k.cancel(); to = bool(late)  # not wait(timeout): that polls in 50 ms steps
    w = time.time() - t; ru1 = resource.getrusage(resource.RUSAGE_CHILDREN); s1 = proxy_stats()
    net = {k: s1[k] - s0[k] for k in ('client_real_bytes', 'wheels', 'sdists', 'served', 'pages', 'metadata')} if s0 and s1 else {}
    net['cpu'] = ru1.ru_utime + ru1.ru_stime - ru0.ru_utime - ru0.ru_stime
    return p.returncode, w, to, net


def urlpath(u): return u.split('#')[0].split('?')[0]


def plan_to_env(planfile, text, base):
    """The environment a dry run announces."""
    res = {n: dict(m) for n, m in base.items()}
    plan = rd(planfile) if os.path.exists(planfile) and os.path.getsize(planfile) else None
    if plan is not None and 'changes' in plan:  # unpin's own document
        for c in plan['changes']:
            if c['action'] == 'remove': res.pop(norm(c['name']), None); continue
            url = c['artifact']['url']
            m = url_meta(c['name'], c['to'], url) if url.startswith('file://') else index_meta(c['name'], c['to'])
            res[m['name']] = {**m, 'wheel': c['artifact']['kind'] == 'wheel'}
        return res
    if plan is not None:
        for n in plan.get('remove', []): res.pop(norm(n), None)
        for i in plan.get('install', []):
            if isinstance(i, list): m = index_meta(*i)
            else:
                x = i['metadata']; m = {'name': norm(x['name']), 'version': x['version'], 'requires': x.get('requires_dist', []), 'python': x.get('requires_python'),
                     'wheel': urlpath(i.get('download_info', {}).get('url', '.whl')).endswith('.whl')}
            res[m['name']] = m
        return res
    for sign, n, v, url in re.findall(r'^ ([-+~]) ([A-Za-z0-9._-]+)==(\S+)(?: \(from ([^)]*)\))?', text, re.M):
        if sign == '-': res.pop(norm(n), None)
    for sign, n, v, url in re.findall(r'^ ([-+~]) ([A-Za-z0-9._-]+)==(\S+)(?: \(from ([^)]*)\))?', text, re.M):
        if sign != '-': res[norm(n)] = url_meta(n, v, url) if url else index_meta(n, v)
    # uv names a direct URL without a version
    for sign, n, url in re.findall(r'^ ([-+~]) ([A-Za-z0-9._-]+) @ (\S+)', text, re.M) + re.findall(r'^ ([-+~]) ([A-Za-z0-9._-]+) \(from (\S+)\)', text, re.M):
        if sign != '-': res[norm(n)] = url_meta(n, None, url)
    return res


def url_meta(n, v, url):
    import zipfile
    if url.startswith('file://') and url.endswith('.whl'):
        z = zipfile.ZipFile(url[7:]); return parse_meta(z.read([x for x in z.namelist() if x.endswith('.dist-info/METADATA')][0]).decode())
    o = subprocess.run([os.path.join(DATA, 'tools/bin/python'), '-m', 'pip', 'install', '-q', '--dry-run', '--no-deps', '--ignore-installed', '--report', '-',
                        '--index-url', PROXY, f'{n} @ {url}'], capture_output=True, text=True, env=clean_env(), timeout=600)
    if o.returncode: return {'name': norm(n), 'version': v or '0', 'requires': [], 'python': None, 'unknown': True}
    x = json.loads(o.stdout)['install'][0]['metadata']
    return {'name': norm(x['name']), 'version': x['version'], 'requires': x.get('requires_dist', []), 'python': x.get('requires_python')}


def lock_diff(a, b):
    A, B = open(a).read().splitlines(), open(b).read().splitlines()
    return sorted(set(A) - set(B)), sorted(set(B) - set(A))


def error_of(text):
    t = [l for l in text.splitlines() if l.strip() and not l.startswith('$ ')]
    k = next((i for i, l in enumerate(t) if re.match(r'\s*(ERROR|error|×|The conflict is caused by|Because)', l)), max(0, len(t) - 12))
    return '\n'.join(t[k:k + 25])[:2500]


def one(scen, name, adapter, mode, index, timeout):
    dry = mode == 'dry'
    os.makedirs(LOGS, exist_ok=True); os.makedirs(os.path.join(WORK, 'tmp'), exist_ok=True)
    tag = f'{mode}-{name}-{scen["name"]}'
    cp = None
    if dry:
        d = os.path.join(WORK, 'work', tag); shutil.rmtree(d, ignore_errors=True); os.makedirs(d)
        c = {'prefix': BASE, 'lock': os.path.join(d, 'constraint.txt')}; shutil.copy(LOCK, c['lock'])
    else:
        cp = Copy(tag); d = cp.dir; c = {'prefix': cp.prefix, 'lock': cp.lock}
    c['python'] = os.path.join(c['prefix'], 'bin/python'); c['plan'] = os.path.join(d, 'plan.json')
    try:
        argv, env = adapter(scen, c, dry, index)
        log = os.path.join(LOGS, tag + '.log')
        own = dry and name.startswith('unpin')  # its plan comes on standard output
        code, wall, to, net = run_proc(argv, clean_env(**env), timeout, log, c['plan'] if own else None)
        text = open(log, errors='replace').read()
        r = {'scenario': scen['name'], 'adapter': name, 'mode': mode, 'exit': code, 'wall_s': round(wall, 2), 'precise_s': wall, 'cpu_s': round(net['cpu'], 2), 'timeout': to, 'would_download_mb': round(net.get('client_real_bytes', 0) / 1e6, 1), 'wheels_fetched': net.get('wheels'), 'sdists_fetched': net.get('sdists'), 'index_requests': net.get('served'), 'pages': net.get('pages'), 'metadata': net.get('metadata')}
        if own: r['document'] = rd(c['plan']) if os.path.getsize(c['plan']) else None
        if code == 0:
            res = plan_to_env(c['plan'], text, base_meta()) if dry else site_meta(c['prefix'])
            r.update(score(res, scen))
            if not dry: r['vendor_files_damaged'] = damaged(res)
        else:
            r['error'] = error_of(text)
            if not dry:
                res = site_meta(c['prefix']); s = score(res, scen)
                r['left_behind'] = {k: s[k] for k in ('changed', 'added', 'removed', 'new_violations')} if (s['changed'] or s['added'] or s['removed']) else None
        minus, plus = lock_diff(LOCK, c['lock'])
        r['lock_lines_removed'] = len(minus); r['lock_lines_added'] = len(plus); r['lock_diff'] = ['-' + x for x in minus] + ['+' + x for x in plus]
        n = len(open(LOCK).read().splitlines())
        r['locks_set_aside'] = {'nolock': n, 'lock': 0, 'all': n - len(vendor()), 'allbut': n - len(vendor())}.get(name.split('-')[-1], len(named(scen) & set(base_meta())) if name.endswith('named') else len(minus))
        r['warned'] = bool(re.search(r"dependency resolver does not currently take into account|which is incompatible", text)) if code == 0 else None
        r['verdict'] = verdict(r)
        if own and code == 0 and r['verdict'] == 'BREAKS':  # what the plan itself declares is told apart
            declared = {a['for'].split(': ', 1)[1].replace(' ', '') for a in r['document']['allowances']}
            if all(v[1].replace(' ', '') in declared for v in r['new_violations']): r['verdict'] = 'ALLOWED'
        if own and code == 3: r['verdict'] = 'REFUSED'
        return r
    finally:
        if cp: cp.close()
        else: shutil.rmtree(d, ignore_errors=True)


def select(a):
    S = rd(os.path.join(HERE, 'scenarios.json'))
    if a.scenarios: S = [s for s in S if s['name'] in a.scenarios.split(',')]
    return S


def cmd_run(a):
    A = adapters(a.adapter_cmd or []); names = a.adapters.split(',') if a.adapters else [n for n in A if n.split('-')[-1] not in ('all', 'allbut') and n != 'pip26-lock']
    out = rd(a.out, []); 
    for s in select(a):
        for n in names:
            if not a.force and any(x['scenario'] == s['name'] and x['adapter'] == n and x['mode'] == a.mode for x in out): continue
            # deleting no line is the same as the whole lock
            if n.endswith('-named') and not (named(s) & set(base_meta())):
                src = [x for x in out if x['scenario'] == s['name'] and x['adapter'] == n.replace('named', 'lock') and x['mode'] == a.mode]
                if src: r = {**src[0], 'adapter': n, 'same_as': src[0]['adapter']}
                else: continue
            else:
                global CACHE
                keep = CACHE
                if not a.warm: CACHE = os.path.join(WORK, 'work', 'runcache'); shutil.rmtree(CACHE, ignore_errors=True)
                try: r = one(s, n, A[n], a.mode, a.index, a.timeout)
                finally: CACHE = keep
            out = [x for x in rd(a.out, []) if not (x['scenario'] == s['name'] and x['adapter'] == n and x['mode'] == a.mode)] + [r]
            wr(a.out, out)
            print(f"{s['name']:22} {n:11} {r['verdict']:8} {r['wall_s']:7.1f}s  changed {r.get('n_changed','-')} added {r.get('n_added','-')} viol {r.get('n_new_violations','-')} dl {r.get('would_download_mb')}MB"
                  f" vendor {[x[0] for x in r.get('vendor_replaced', [])]} shadow {[x[0] for x in r.get('vendor_shadowed', [])]}", flush=True)


# ---------- oracle ----------
def cmd_oracle(a):
    """uv, told everything: every installed distribution is required, vendor builds are pinned, requirements that
    were broken before are dropped, and the lock serves as preferences.  Then each change is put back if that can be."""
    base = base_meta(); vend = vendor(); d = os.path.join(WORK, 'work', 'oracle'); shutil.rmtree(d, ignore_errors=True); os.makedirs(d)
    pre = violations(base)
    with open(os.path.join(d, 'uv.toml'), 'w') as f:
        for n in sorted({k[0] for k in pre}):
            keep = [q for q in base[n]['requires'] if (n, q) not in pre]
            f.write(f'[[dependency-metadata]]\nname = "{n}"\nversion = "{base[n]["version"]}"\nrequires-dist = {json.dumps(keep)}\n\n')
    stubs = os.path.join(DATA, 'stubs')
    def solve(scen, pins, tag):
        req = os.path.join(d, f'{tag}.in'); con = os.path.join(d, f'{tag}.con'); out = os.path.join(d, f'{tag}.out')
        with open(req, 'w') as f:
            args = subst(scen['args'], a.index); i = 0
            while i < len(args):
                if args[i] == '-r': f.write(open(args[i + 1]).read() + '\n'); i += 2; continue
                if args[i].endswith('.whl') and args[i].startswith('/'): f.write(f'file://{args[i]}\n')
                elif args[i].startswith('git+'): f.write(f'{norm(Requirement(scen["requires"][0]).name)} @ {args[i]}\n')
                else: f.write(args[i] + '\n')
                i += 1
            for n in sorted(base): f.write(n + '\n')
        with open(con, 'w') as f:
            for n in sorted(vend): f.write(f'{n}=={base[n]["version"]}\n')
            for n in sorted(pins): f.write(f'{n}=={base[n]["version"]}\n')
        shutil.copy(LOCK, out)
        t = time.time()
        p = subprocess.run([UV, 'pip', 'compile', req, '-c', con, '-o', out, '--config-file', os.path.join(d, 'uv.toml'), '--find-links', stubs, '--index-url', a.index, '--color', 'never', '-q',
                            '--python', os.path.join(BASE, 'bin/python'), '--no-header', '--no-annotate', '--emit-find-links'][:-1], capture_output=True, text=True, env=clean_env(), cwd=d, timeout=900)
        w = time.time() - t
        if p.returncode: return None, p.stderr, w
        res = {}
        for ln in open(out):
            m = re.match(r'([A-Za-z0-9._-]+)==(\S+)', ln)
            if m: res[norm(m[1])] = m[2]; continue
            m = re.match(r'([A-Za-z0-9._-]+) @ (\S+)', ln)
            if m: res[norm(m[1])] = url_meta(m[1], None, m[2])['version']; continue
            m = re.match(r'file://(\S+\.whl)', ln)
            if m: x = url_meta('', None, ln.strip()); res[x['name']] = x['version']
        return res, '', w
    O = rd(os.path.join(WORK, 'oracle.json'), {})
    for s in select(a):
        if s['name'] in O and not a.force: continue
        try: res, err, w = solve(s, set(), 'full')
        except subprocess.TimeoutExpired: res, err, w = None, 'timeout', 900
        if res is None:
            O[s['name']] = {'feasible': False, 'why': err[:3000], 'wall_s': round(w, 2)}
            print(f"{s['name']:22} INFEASIBLE ({w:.1f}s) {err.strip().splitlines()[-1][:150] if err.strip() else ''}", flush=True)
        else:
            ch = lambda r: {n for n in base if n in r and Version(r[n]) != Version(base[n]['version'])}
            first = ch(res); best, bestset = res, set(first); calls = 0
            req_names = named(s)
            for order in (sorted(first), sorted(first, reverse=True)):
                cur, must = res, set()
                for n in order:
                    if n not in ch(cur): continue
                    if n in req_names and not any(ok(Requirement(q).specifier, base[n]['version']) and norm(Requirement(q).name) == n for q in s['requires'] if ' @ ' not in q): must.add(n); continue
                    free = (ch(cur) - {n})
                    try: r2, _, _ = solve(s, set(base) - vend - free, 'shrink')
                    except subprocess.TimeoutExpired: r2 = None
                    calls += 1
                    if r2 is not None: cur = r2
                if len(ch(cur)) < len(bestset): best, bestset = cur, ch(cur)
            O[s['name']] = {'feasible': True, 'wall_s': round(w, 2), 'lifts_first': len(first), 'lifts_min': len(bestset), 'first': sorted((n, base[n]['version'], res[n]) for n in first),
                            'min': sorted((n, base[n]['version'], best[n]) for n in bestset), 'added': sorted((n, v) for n, v in best.items() if n not in base), 'calls': calls}
            print(f"{s['name']:22} feasible ({w:.1f}s) lifts {len(first)} -> {len(bestset)}: {[(x[0], x[2]) for x in O[s['name']]['min']]}", flush=True)
        wr(os.path.join(WORK, 'oracle.json'), O)


# ---------- timing ----------
def cmd_time(a):
    T = rd(os.path.join(WORK, 'timings.json'), [])
    for s in select(a):
        for n in (a.adapters or 'pip-lock,pip-nolock,uv-lock,uv-nolock').split(','):
            global CACHE
            keep = CACHE; CACHE = os.path.join(WORK, 'work', 'coldcache'); shutil.rmtree(CACHE, ignore_errors=True)
            try:
                runs = []
                for k in range(a.repeat + 1): runs.append(one(s, n, adapters()[n], 'dry', a.index, a.timeout))
                # pip's cold run also reads CPython files cold only once; runs[0] is cold, the others warm
                T = [t for t in T if not (t['scenario'] == s['name'] and t['adapter'] == n and t['label'] == (a.label or a.index))]
                T.append({'scenario': s['name'], 'adapter': n, 'index': a.index, 'cold_s': runs[0]['wall_s'], 'cold_cpu_s': runs[0]['cpu_s'],
                          'warm_s': sorted(r['wall_s'] for r in runs[1:])[a.repeat // 2], 'warm_min_s': min(r['wall_s'] for r in runs[1:]), 'warm_cpu_s': min(r['cpu_s'] for r in runs[1:]),
                          'label': a.label or a.index, 'load': round(os.getloadavg()[0], 1), 'index_requests_cold': runs[0]['index_requests'], 'would_download_mb': runs[0]['would_download_mb'], 'verdict': runs[0]['verdict']})
                print(T[-1], flush=True); wr(os.path.join(WORK, 'timings.json'), T)
            finally: shutil.rmtree(CACHE, ignore_errors=True); CACHE = keep


def cmd_selftest(a):
    b = base_meta(); v = violations(b)
    print(len(b), 'distributions,', len(v), 'violations before any request:')
    for k, w in sorted(v.items()): print('  ', *k, '|', w)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('cmd', choices=['run', 'oracle', 'time', 'selftest'])
    p.add_argument('--adapters'); p.add_argument('--scenarios'); p.add_argument('--mode', default='dry', choices=['dry', 'real']); p.add_argument('--out', default=os.path.join(WORK, 'results.json'))
    p.add_argument('--timeout', type=int, default=600); p.add_argument('--index', default=PROXY); p.add_argument('--adapter-cmd', action='append'); p.add_argument('--force', action='store_true'); p.add_argument('--repeat', type=int, default=5, help='warm runs in `time`'); p.add_argument('--label', help='name of the index in timings.json')
    p.add_argument('--warm', action='store_true', help='keep the client cache between runs')
    a = p.parse_args()
    global PROXY_NOW
    if '127.0.0.1' in a.index: PROXY_NOW = a.index
    globals()['cmd_' + a.cmd](a)


if __name__ == '__main__': main()
