#!/usr/bin/env python3
"""Judge unpin's plans by other means:  judge.py (--prefix DIR --lock FILE [--vendor FILE] | --image NAME) [REQUEST …]

Each request of requests.json and scenarios.json (or those named) is planned twice by `unpin plan --json`; the plan is then judged by
the `packaging` library from METADATA read out of the environment (or the catalog) and, for chosen releases, from the index:

* exit status and status agree; both runs say the same;
* each change starts from what is installed, its wheel fits the interpreter, the release is not yanked and its Requires-Python holds;
* no active requirement of any distribution in the result is unmet that was met before, but for the allowances that are told, and
  each of these is a held pre-release whose release meets the requirement;
* no vendor build changes that --replace does not name; what was asked for is met; what --keep, --no-lift and --no-lifts forbid stays;
* the lifts told are just the lock lines that the result no longer meets;
* the document is of the published schema, and has no key that the schema does not tell of;
* ways out work when they are run as told;
* with --uv: whether uv finds a result with one lift less, or one where unpin says that there is none;
* with --around: `options` and `why` of what is asked for are of their schemas; `options` and `plan` agree.
--resume leaves out what --out holds already of the same program (by its SHA-256), judged no less.
One JSON line per request goes to --out, a table to standard output.  `judge.py --table FILE …` lays such files side by side.
"""
import argparse, concurrent.futures, email.parser, glob, hashlib, html, io, itertools, json, os, re, shutil, subprocess, sys, tarfile, tempfile, time, urllib.error, urllib.request, zipfile
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name as norm, parse_wheel_filename
from packaging.version import InvalidVersion, Version

try: import jsonschema
except ImportError: jsonschema = None  # then only the keys are compared

HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = ('import json,os,sys,platform;from pip._vendor.packaging.markers import default_environment as d;from pip._vendor.packaging.tags import sys_tags;'
         'print(json.dumps([d(),[str(t) for t in sys_tags()]]))')
COMMAND_S = 1800  # for one command, on a machine that does much else
BUILD_S = 120  # for the metadata of a source distribution
AWAY = 7  # the exit status where the index is not there, or lies
VALUED = {'--only-binary', '--no-binary', '-r', '--remove', '--keep', '--no-lift', '--replace', '--ignore-advisory', '--exclude-newer', '-c', '--image', '--lock', '--python', '-i'}


def parse_metadata(text):
    m = email.parser.HeaderParser().parsestr(text)
    return {'name': norm(m['Name']), 'version': m['Version'], 'requires': m.get_all('Requires-Dist') or [], 'python': m['Requires-Python'],
            'dynamic': [d.lower() for d in m.get_all('Dynamic') or []], 'schema': m['Metadata-Version']}


class Environment:
    """What is installed, the lock, the marker values and wheel tags of an environment, and which builds are the vendor's."""

    def __init__(self, a):
        if a.image: self.read_image(a.image, a.work)
        else: self.read_prefix(a)
        self.uv_argv = ['--python', self.python] if self.python else ['--python-version', self.version, '--python-platform', f'x86_64-manylinux_2_{self.glibc}']
        self.before = violations(self.dists, self.markers, [])

    def read_prefix(self, a):
        self.python = os.path.join(a.prefix, 'bin', 'python')
        self.argv = ['--python', self.python, '--lock', a.lock]
        self.markers, self.tags = json.loads(subprocess.check_output([self.python, '-c', PROBE], text=True))
        self.tags = set(self.tags)
        self.dists = {}
        for d in glob.glob(os.path.join(a.prefix, 'lib/python3*/site-packages/*.dist-info')):
            m = parse_metadata(open(os.path.join(d, 'METADATA'), encoding='utf-8', errors='replace').read())
            self.dists[m['name']] = m
        self.lock = {norm(l.split('==')[0]): l.strip().split('==')[1] for l in open(a.lock) if '==' in l}
        base = json.load(open(a.vendor))
        self.vendor = {d['name'] for d in base if d['vendor']}
        self.stubs = os.path.join(os.path.dirname(a.lock), 'stubs')

    def read_image(self, name, work):
        files = sorted(glob.glob(os.path.join(HERE, '../../catalog/images/*.json')))
        image = next(i for i in map(json.load, map(open, files)) if i['name'] == name)
        self.python, self.argv, self.stubs = None, ['--image', name], os.path.join(work, 'stubs-' + name.replace(':', '-'))
        v = image['python']
        self.markers = {'implementation_name': 'cpython', 'implementation_version': v + '.0', 'os_name': 'posix', 'platform_machine': 'x86_64',
                        'platform_python_implementation': 'CPython', 'platform_release': '', 'platform_system': 'Linux', 'platform_version': '',
                        'python_full_version': v + '.99', 'python_version': v, 'sys_platform': 'linux'}
        self.tags, self.version, self.glibc = None, v, image['glibc_minor']
        here = [d for d in image['dists'] if d.get('installed', True)]
        self.dists = {norm(d['name']): {'name': norm(d['name']), 'version': d['version'], 'requires': d.get('requires_dist', []), 'python': d.get('requires_python')} for d in here}
        self.lock = {norm(d['name']): d['version'] for d in image['dists']}
        self.vendor = {norm(d['name']) for d in here if d.get('vendor')}
        os.makedirs(self.stubs, exist_ok=True)
        for n in self.vendor: self.write_stub(self.dists[n])

    def write_stub(self, d):
        """A wheel of the vendor's version and its requirements, so that uv can keep it."""
        name = d['name'].replace('-', '_')
        text = f'Metadata-Version: 2.1\nName: {d["name"]}\nVersion: {d["version"]}\n' + ''.join(f'Requires-Dist: {r}\n' for r in d['requires'])
        with zipfile.ZipFile(os.path.join(self.stubs, f'{name}-{d["version"]}-py3-none-any.whl'), 'w') as z:
            z.writestr(f'{name}-{d["version"]}.dist-info/METADATA', text)
            z.writestr(f'{name}-{d["version"]}.dist-info/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')

    def takes(self, filename):
        tags = {str(t) for t in parse_wheel_filename(filename)[3]}
        if self.tags is not None: return bool(tags & self.tags)
        minor = int(self.version.split('.')[1])
        for t in tags:
            i, abi, platform = t.split('-')
            py = i in ('py3', 'py2.py3', f'cp3{minor}') or (re.fullmatch(r'(cp|py)3\d+', i) and int(i[3:]) <= minor and abi in ('abi3', 'none'))
            m = re.fullmatch(r'manylinux_2_(\d+)_x86_64', platform)
            fits = platform in ('any', 'linux_x86_64', 'manylinux1_x86_64', 'manylinux2010_x86_64', 'manylinux2014_x86_64') or (m and int(m[1]) <= self.glibc)
            if py and abi in ('none', 'abi3', f'cp3{minor}') and fits: return True
        return False


_requirements = {}


def requirement(text):
    if text not in _requirements:
        try: _requirements[text] = Requirement(text)
        except InvalidRequirement: _requirements[text] = None
    return _requirements[text]


def meets(spec, version):
    try: return SpecifierSet(str(spec)).contains(Version(version), prereleases=True)
    except InvalidVersion: return False


def violations(dists, markers, wanted):
    """{(name, requirement): what is there instead} of the active requirements that `dists` do not meet, asked-for extras included."""
    extras, bad, todo = {n: set() for n in dists}, {}, list(dists)
    for r in wanted:
        extras.get(norm(r.name), set()).update(norm(e) for e in r.extras)
    while todo:
        name = todo.pop()
        for text in dists[name]['requires']:
            r = requirement(text)
            if r is None or (r.marker and not any(r.marker.evaluate({**markers, 'extra': e}) for e in ['', *extras[name]])): continue
            other, asked = norm(r.name), {norm(e) for e in r.extras}
            if other not in dists: bad[name, text] = 'missing'; continue
            if not meets(r.specifier, dists[other]['version']): bad[name, text] = f'{other} {dists[other]["version"]}'
            if asked - extras[other]: extras[other] |= asked; todo.append(other)
    for name, d in dists.items():
        if d.get('python') and not meets(d['python'].replace(',,', ','), markers['python_full_version']): bad[name, 'Requires-Python'] = d['python']
    return bad


class Index:
    """The index, asked without unpin; answers about files are kept in a folder."""

    def __init__(self, url, folder, python):
        self.url, self.folder, self.python, self.pages = url.rstrip('/') + '/', folder, python, {}
        os.makedirs(folder, exist_ok=True)

    def get(self, url, headers=()):
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=180) as r: return r.read()

    def yanked(self, name, filename):
        if name not in self.pages:
            page = self.get(f'{self.url}{name}/', {'Accept': 'text/html'}.items()).decode()
            self.pages[name] = {html.unescape(t).strip(): 'data-yanked' in attrs for attrs, t in re.findall(r'<a ([^>]*)>([^<]*)</a>', page)}
        return self.pages[name].get(filename, 'not on the page')

    def has(self, name, version):
        try: self.yanked(name, '')
        except urllib.error.HTTPError: return False
        files = '|'.join(map(re.escape, (name, name.replace('-', '_'))))
        return any(re.match(rf'(?i)({files})-{re.escape(version)}(-|\.tar|\.zip)', f) for f in self.pages[name])

    def metadata(self, artifact):
        """Metadata of a release, from the file of the plan."""
        kept = os.path.join(self.folder, artifact['filename'] + '.json')
        if os.path.exists(kept): return json.load(open(kept))
        url = artifact['url'].split('#')[0]
        m = self.of_wheel(url) if artifact['filename'].endswith('.whl') else self.of_sdist(url, artifact['filename'])
        with tempfile.NamedTemporaryFile('w', dir=self.folder, delete=False) as f: json.dump(m, f)
        os.replace(f.name, kept)  # two judges may share the folder
        return m

    def of_wheel(self, url):
        if url.startswith('file://'): body = open(url[7:], 'rb').read()
        else:
            try: return parse_metadata(self.get(url + '.metadata').decode('utf-8', 'replace'))
            except urllib.error.HTTPError: body = self.get(url)
        with zipfile.ZipFile(io.BytesIO(body)) as z:
            member = next(n for n in z.namelist() if re.fullmatch(r'[^/]+\.dist-info/METADATA', n))
            return parse_metadata(z.read(member).decode('utf-8', 'replace'))

    def of_sdist(self, url, filename):
        body = self.get(url)
        if filename.endswith('.zip'):
            with zipfile.ZipFile(io.BytesIO(body)) as z: text = z.read(next(n for n in z.namelist() if re.fullmatch(r'[^/]+/PKG-INFO', n)))
        else:
            with tarfile.open(fileobj=io.BytesIO(body)) as t: text = t.extractfile(next(m for m in t if re.fullmatch(r'[^/]+/PKG-INFO', m.name))).read()
        m = parse_metadata(text.decode('utf-8', 'replace'))
        if m['schema'] >= '2.2' and 'requires-dist' not in m['dynamic']: return m
        with tempfile.TemporaryDirectory() as d:
            open(os.path.join(d, filename), 'wb').write(body)
            env = {k: v for k, v in os.environ.items() if not k.startswith('PIP_')}
            argv = [self.python or sys.executable, '-m', 'pip', 'install', '-q', '--dry-run', '--no-deps', '--ignore-installed', '--report', '-',
                    '--index-url', self.url, '--trusted-host', '127.0.0.1', os.path.join(d, filename)]
            try: done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=BUILD_S)
            except subprocess.TimeoutExpired: return {**m, 'unknown': True}
        if done.returncode: return {**m, 'unknown': True}
        x = json.loads(done.stdout)['install'][0]['metadata']
        return {'name': norm(x['name']), 'version': x['version'], 'requires': x.get('requires_dist', []), 'python': x.get('requires_python')}


class Schemas:
    """docs/schema: what a document breaks of its schema, and which of its keys the schema does not tell of."""

    def __init__(self):
        files = glob.glob(os.path.join(HERE, '../../docs/schema/*.json'))
        self.all = {os.path.basename(f): json.load(open(f)) for f in files}

    def wrong(self, doc):
        name = 'error-1.json' if doc.get('status') == 'error' and 'changes' not in doc else f'{doc.get("command")}-1.json'
        if name not in self.all: return [f'no schema {name}']
        schema = self.all[name]
        found = [f'schema: {path}: not told of' for path in self.unknown(doc, schema, schema, '')]
        if jsonschema:
            from referencing import Registry, Resource
            registry = Registry().with_resources((n, Resource.from_contents(s)) for n, s in self.all.items())
            found += [f'schema: {"/".join(map(str, e.path))}: {e.message[:200]}' for e in jsonschema.Draft202012Validator(schema, registry=registry).iter_errors(doc)]
        return sorted(set(found))

    def unknown(self, doc, schema, top, path):
        while '$ref' in schema:
            file, _, inner = schema['$ref'].partition('#/')
            top = self.all[file] if file else top
            schema = top
            for step in inner.split('/') if inner else []: schema = schema[step]
        if isinstance(doc, list):
            for item in doc: yield from self.unknown(item, schema.get('items', {}), top, path + '[]')
        elif isinstance(doc, dict):
            for key, value in doc.items():
                if key in schema.get('properties', {}): yield from self.unknown(value, schema['properties'][key], top, f'{path}.{key}')
                elif schema.get('additionalProperties', False) is False: yield f'{path}.{key}'


class Judge:
    def __init__(self, a):
        self.a, self.schemas = a, Schemas()
        self.env = Environment(a)
        self.index = Index(a.index_url, os.path.join(a.work, 'metadata'), self.env.python)
        self.env.known_vendor = set(self.env.vendor)
        # Outside of its image nobody can tell a vendor's own build of a public version from that version.
        if a.prefix: self.env.vendor = {n for n in self.env.vendor if not self.index.has(n, self.env.dists[n]['version'])}

    def unpin(self, args, command='plan'):
        return self.run([command, '--json', *self.env.argv, '-i', self.a.index_url, *args])

    def run(self, words):
        argv = [self.a.unpin, *words]
        t, env = time.time(), {**os.environ, 'UNPIN_CACHE_DIR': self.a.cache}
        done = subprocess.run(argv, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=COMMAND_S)
        try: doc = json.loads(done.stdout)
        except ValueError: doc = {}
        return done.returncode, doc, done.stderr, time.time() - t

    def judge(self, scenario):
        args = [x.replace('{assets}', self.a.assets).replace('{index_root}', self.a.index_url.rsplit('/simple', 1)[0]) for x in scenario['args']]
        requires = scenario.get('requires')
        if requires is None: requires = [x for x, before in zip(args, ['', *args]) if not x.startswith('-') and before not in VALUED]
        code, doc, err, first = self.unpin(args)
        code2, doc2, _, second = self.unpin(args)
        out = {'name': scenario['name'], 'args': args, 'exit': code, 'status': doc.get('status'), 'cold_s': round(first, 2), 'warm_s': round(second, 2), 'wrong': []}
        wrong = out['wrong']
        if doc: wrong += self.schemas.wrong(doc)
        if code < 0 or code > 100 or not doc: wrong.append(f'exit {code}, no document: {err[-400:]}'); return out
        if self.steady(doc) != self.steady(doc2) or code != code2: wrong.append('two runs differ')
        out['levels'] = {l['name']: l['cost'] for l in doc.get('proof', {}).get('levels', [])}
        out['rounds'] = doc.get('proof', {}).get('rounds'); out['warnings'] = doc.get('warnings', []) + doc.get('notes', [])
        out['proven'] = doc.get('proof', {}).get('optimal')
        if doc['status'] == 'error':
            out['error'] = doc.get('error')
            if code == AWAY: wrong.append(f'the index: {doc["error"]["what"]}')
            return out
        if (code, doc['status']) not in ((0, 'feasible'), (0, 'satisfied'), (3, 'infeasible')): wrong.append(f'exit {code} with status {doc["status"]}')
        if doc['status'] == 'infeasible': self.judge_reason(doc, args, requires, out)
        else: self.judge_plan(doc, args, requires, out)
        if self.a.around: self.around(args, doc, wrong)
        return out

    @staticmethod
    def steady(doc):
        doc = json.loads(json.dumps(doc)); doc.pop('timing_ms', None)
        if 'proof' in doc: doc['proof'] = {k: v for k, v in doc['proof'].items() if k in ('optimal', 'lower_bound_lifts', 'levels')}
        return doc

    def valued(self, args, option): return {norm(v) for o, v in zip(args, args[1:]) if o == option}

    def judge_plan(self, doc, args, requires, out):
        wrong, env, result = out['wrong'], self.env, dict(self.env.dists)
        wanted = [Requirement(r.split(' @ ')[0]) for r in requires]
        out['moved'] = [f'{c["name"]} {c["from"]}→{c["to"]}' for c in doc['changes'] if c['action'] not in ('add', 'remove')]
        out['added'] = [f'{c["name"]} {c["to"]}' + ('' if not c.get('below_floor') else ' (below floor)') for c in doc['changes'] if c['action'] == 'add']
        out['removed'] = [c['name'] for c in doc['changes'] if c['action'] == 'remove']
        out['lifts'] = [l['name'] for l in doc['lifts']]
        with concurrent.futures.ThreadPoolExecutor(8) as ex:
            metas = list(ex.map(lambda c: None if c['action'] == 'remove' else self.index.metadata(c['artifact']), doc['changes']))
        for c, m in zip(doc['changes'], metas):
            self.judge_change(c, m, args, result, wrong)
        if doc['status'] == 'satisfied' and doc['changes']: wrong.append('satisfied, with changes')
        allowed = {(a['name'], a['for']) for a in doc['allowances']}
        out['allowances'] = len(allowed)
        after = violations(result, env.markers, wanted)
        for (name, text), found in sorted(after.items()):
            if (name, text) in env.before: continue
            r, other = requirement(text), norm(requirement(text).name) if text != 'Requires-Python' else ''
            told = any(n == other and f.startswith(f'{name} ') for n, f in allowed)
            base = Version(result[other]['version']) if other in result and other in env.vendor else None
            if told and base and base.is_prerelease and meets(r.specifier, base.base_version): continue
            wrong.append(f'new break: {name} {result[name]["version"]} requires {text}, found {found}')
        for r in wanted:
            d = result.get(norm(r.name))
            if not d or not meets(r.specifier, d['version']): wrong.append(f'{r} is not met: {d and d["version"]}')
        lifted = {n for n, v in env.lock.items() if n in env.dists and n in result and Version(result[n]['version']) != Version(v)}
        lifted |= {n for n, v in env.lock.items() if n not in env.dists and n in result and Version(result[n]['version']) != Version(v)}
        if set(out['lifts']) != lifted: wrong.append(f'lifts told {sorted(out["lifts"])}, needed {sorted(lifted)}')
        if doc['breaks']['new']: wrong.append('breaks.new is not empty')
        for n in self.valued(args, '--keep'):
            if n in env.dists and result.get(n, {}).get('version') != env.dists[n]['version']: wrong.append(f'--keep {n} moved')
        for n in self.valued(args, '--no-lift'):
            if n in out['lifts']: wrong.append(f'--no-lift {n} lifted')
        if '--no-lifts' in args and out['lifts']: wrong.append('--no-lifts lifted')
        if self.a.uv and out['lifts'] and not allowed: out['uv_less'] = self.uv_less(result, wanted, out)

    def judge_change(self, c, m, args, result, wrong):
        env, name = self.env, c['name']
        old = env.dists.get(name)
        if c['action'] == 'add' and old: wrong.append(f'add of {name}, which is installed')
        if c['action'] != 'add' and (not old or old['version'] != c['from']): wrong.append(f'{name}: from {c["from"]}, installed {old and old["version"]}')
        if name in env.vendor and name not in self.valued(args, '--replace') | self.valued(args, '--remove'): wrong.append(f'vendor build {name} {c["action"]}')
        if c['action'] == 'remove':
            result.pop(name, None)
            if name not in self.valued(args, '--remove'): wrong.append(f'{name} is removed')
            return
        if m['name'] == name and Version(m['version']).public == c['to']: pass  # a build may add a local version
        elif m['name'] != name or Version(m['version']) != Version(c['to']): wrong.append(f'{name} {c["to"]}: the file is {m["name"]} {m["version"]}')
        if m.get('unknown'): wrong.append(f'note: metadata of {c["artifact"]["filename"]} could not be built')
        if c['action'] in ('upgrade', 'downgrade') and (Version(c['to']) > Version(c['from'])) != (c['action'] == 'upgrade'): wrong.append(f'{name}: {c["action"]} {c["from"]}→{c["to"]}')
        filename = c['artifact']['filename']
        if filename.endswith('.whl') and not env.takes(filename): wrong.append(f'{filename} does not fit')
        if not c['artifact']['url'].startswith('file:') and c['artifact']['url'].startswith(self.a.index_url.rsplit('/simple', 1)[0]):
            y = self.index.yanked(name, filename)
            if y: wrong.append(f'{filename}: yanked or not there ({y})')
        if Version(c['to']).is_prerelease and not any('==' in b for b in c.get('because', [])): wrong.append(f'note: pre-release {name} {c["to"]}')
        result[name] = m

    # ---- uv: is there something better, or something at all ----
    def uv(self, lines, constraints):
        """The versions that uv finds for these requirements, or None."""
        with tempfile.TemporaryDirectory() as d:
            open(os.path.join(d, 'in'), 'w').write('\n'.join(lines)); open(os.path.join(d, 'c'), 'w').write('\n'.join(constraints))
            argv = [self.a.uv, 'pip', 'compile', '-q', os.path.join(d, 'in'), '-c', os.path.join(d, 'c'), *self.env.uv_argv, '--index-url', self.a.index_url, '--find-links', self.env.stubs,
                    '--no-annotate', '--no-header', '--allow-insecure-host', '127.0.0.1', '--no-emit-index-url', '--only-binary', ':all:']
            env = {**os.environ, 'UV_CACHE_DIR': os.path.join(self.a.work, 'uv'), 'UV_HTTP_TIMEOUT': '120'}
            done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=COMMAND_S)
        if done.returncode: return None, done.stderr[-600:]
        return dict((norm(l.split('[')[0].split('==')[0].strip()), l.split('==')[1].split()[0]) for l in done.stdout.splitlines() if '==' in l), ''

    def listed(self): return sorted(set(self.env.dists) - {k[0] for k in self.env.before})

    def uv_less(self, result, wanted, out):
        """Sets of one lift less with which uv finds a result: [] says that the lifts are minimal by inclusion."""
        found = []
        pins = {n: d['version'] for n, d in self.env.dists.items()}
        named = {norm(r.name) for r in wanted}
        moved = {l for l in out['lifts']} | {m.split(' ')[0] for m in out['moved']}
        chosen = {norm(r.name): result[norm(r.name)]['version'] for r in wanted if norm(r.name) in result}
        asked = [f'{norm(r.name)}{"[" + ",".join(r.extras) + "]" if r.extras else ""}=={chosen[norm(r.name)]}' if '-U' in out['args'] else str(r) for r in wanted]
        for less in sorted(moved):
            if len(moved) > 12: return 'not tried'
            keep = [f'{n}=={v}' for n, v in pins.items() if n == less or n not in moved]
            got, why = self.uv([*asked, *self.listed()], keep)
            if got is not None: found.append({'kept': less, 'new': {n: v for n, v in got.items() if pins.get(n) != v}})
        return found

    def judge_reason(self, doc, args, requires, out):
        out['reason'] = doc.get('reason', []); out['suggestions'] = [s['argv'][1:] for s in doc.get('suggestions', [])]
        if not doc.get('reason'): out['wrong'].append('infeasible without a reason')
        if self.a.uv and not any(x in args for x in ('--keep', '--no-lift', '--no-lifts', '--remove', '--replace', '--exclude-newer', '--only-binary', '--no-build')):
            held = {f['name'] for f in doc['reason'] if f['kind'] == 'held'}
            out['wrong'] += [f'{n} is said to be a vendor build' for n in held - self.env.known_vendor]
            pins = [f'{n}=={d["version"]}' for n, d in self.env.dists.items() if n in self.env.vendor | held]
            wanted = [str(Requirement(r.split(' @ ')[0])) for r in requires]
            got, why = self.uv([*wanted, *self.listed()], pins)
            if got is None: out['uv'] = 'none either: ' + why
            else:
                out['uv'] = {n: v for n, v in got.items() if self.env.dists.get(n, {}).get('version') != v}
                # uv knows no advisories, and takes releases that merely state no bound.
                if not any(f['kind'] in ('advisory', 'stale') for f in doc['reason']): out['wrong'].append('uv finds a result')
        for s in doc.get('suggestions', []):
            argv = [x for x in s['argv'][1:]]
            if argv[:1] == ['remove']:
                names = list(itertools.takewhile(lambda x: not x.startswith('-'), argv[1:]))
                argv = ['plan', *(x for n in names for x in ('--remove', n)), *argv[1 + len(names):]]
            if argv[:1] != ['plan']: out['wrong'].append(f'suggestion {s["argv"]}'); continue
            code, told, err, took = self.run([*argv, '--json'])
            if code != 0 or told.get('status') != 'feasible': out['wrong'].append(f'suggestion does not work ({code} {told.get("error", {}).get("what") or told.get("status")}): {" ".join(argv)}')

    # ---- what is told of the same matter by other commands ----
    def around(self, args, doc, wrong):
        """`options` and `why` of the projects asked for by name, next to the plan."""
        for name in [norm(x) for x in args if re.fullmatch(r'[A-Za-z0-9._-]+', x) and not x.startswith('-')][:2] if '--remove' not in args and len(args) == 1 else []:
            code, told, err, took = self.unpin([name], 'options')
            if told.get('status') == 'error': wrong.append(f'options {name}: {told["error"]["what"]}'); continue
            wrong += [f'options {name}: {w}' for w in self.schemas.wrong(told)]
            rows = {o['version']: o for o in told.get('options', [])}
            chosen = next((c['to'] for c in doc['changes'] if c['name'] == name), self.env.dists.get(name, {}).get('version'))
            if doc['status'] == 'infeasible' and any(o['possible'] and not o['installed'] for o in rows.values()): wrong.append(f'options {name} knows {[v for v, o in rows.items() if o["possible"]]}, plan nothing')
            elif chosen in rows and (rows[chosen]['lifts'], rows[chosen]['added']) != (len(doc['lifts']), sum(c['action'] == 'add' for c in doc['changes'])):
                wrong.append(f'options {name} {chosen}: {rows[chosen]["lifts"]} lifts, {rows[chosen]["added"]} new; plan: {len(doc["lifts"])}, {sum(c["action"] == "add" for c in doc["changes"])}')
            elif doc['status'] == 'feasible' and chosen not in rows: wrong.append(f'options {name} has no row {chosen}, which the plan chose: {list(rows)}')
            for other in [name, *[c['name'] for c in doc['changes']]][:3]:
                code, told, err, took = self.run(['why', '--json', *self.env.argv, other])
                wrong += [f'why {other}: {w}' for w in self.schemas.wrong(told)]


def row(r):
    cost = f'{len(r.get("lifts", []))} lifts, {len(r.get("moved", []))} moved, {len(r.get("added", []))} new' if 'moved' in r else (r.get('error') or {}).get('code', '')
    return f'{r["name"]:26} {str(r["status"]):11} {r["exit"]} {cost:28} {r["cold_s"]:6.2f} {r["warm_s"]:6.2f}  {"; ".join(r["wrong"])[:300]}'


def table(files):
    """One line per request, one column per file that --out left; the last line of a request in a file counts."""
    columns = [{r['name']: r for r in map(json.loads, open(f))} for f in files]
    names = list(dict.fromkeys(n for c in columns for n in c))
    print(f'{"request":28}' + ''.join(f'{os.path.basename(f).removesuffix(".jsonl")[-22:]:24}' for f in files))
    for n in names:
        print(f'{n:28}' + ''.join(f'{cell(c.get(n)):24}' for c in columns).rstrip())
    for f, c in zip(files, columns):
        bad = [n for n, r in c.items() if any(not w.startswith('note') for w in r['wrong'])]
        warm = sorted(r['warm_s'] for r in c.values())
        print(f'{os.path.basename(f)}: {len(c)} requests, {sum(r["exit"] == 0 for r in c.values())} planned, {sum(r["exit"] == 3 for r in c.values())} impossible, '
              f'{sum(r["status"] == "error" for r in c.values())} refused, {len(bad)} wrong; warm median {warm[len(warm) // 2] * 1000:.0f} ms, most {warm[-1] * 1000:.0f} ms' + (f' ({", ".join(bad)})' if bad else ''))


def cell(r):
    if not r: return '-'
    bad = ' WRONG' if any(not w.startswith('note') for w in r['wrong']) else ''
    if 'moved' not in r: return {3: 'none'}.get(r['exit'], f'exit {r["exit"]}') + bad
    return f'{len(r["lifts"])}L {len(r["moved"])}~ {len(r["added"])}+' + (' old' if any('below floor' in x for x in r['added']) else '') + bad


def kept(file, program, with_uv):
    """{name: result} of an earlier run of the same program; what could not be judged, or not be asked of the index, is done again."""
    if not os.path.exists(file): return {}
    found = {r['name']: r for r in map(json.loads, open(file))}
    return {n: r for n, r in found.items() if r.get('program') == program and (r.get('with_uv') or not with_uv) and r['status'] and r['exit'] != AWAY}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--prefix'); p.add_argument('--lock'); p.add_argument('--vendor', help='base.json of make_env.py'); p.add_argument('--image')
    p.add_argument('--index-url', default='http://127.0.0.1:8099/simple/'); p.add_argument('--unpin', default=os.path.join(HERE, '../../build/unpin'))
    p.add_argument('--uv', help='a uv to compare with'); p.add_argument('--assets', default=os.path.join(HERE, 'assets')); p.add_argument('--work', help='folder for caches')
    p.add_argument('--cold', action='store_true', help='start with an empty cache for each request'); p.add_argument('--out'); p.add_argument('names', nargs='*')
    p.add_argument('--around', action='store_true', help='judge options and why as well'); p.add_argument('--table', nargs='+', help='print what --out left')
    p.add_argument('--resume', action='store_true', help='leave out what --out holds of the same program')
    a = p.parse_args()
    if a.table: return table(a.table)
    if not a.work: p.error('--work is required')
    a.cache = os.path.join(a.work, 'cache')
    all_ = [s for f in ('scenarios.json', 'requests.json') for s in json.load(open(os.path.join(HERE, f)))]
    program = hashlib.sha256(open(a.unpin, 'rb').read()).hexdigest()
    old = kept(a.out, program, bool(a.uv)) if a.resume and a.out else {}
    judge, bad = Judge(a), 0
    for s in all_:
        if a.names and s['name'] not in a.names: continue
        if a.cold: shutil.rmtree(a.cache, ignore_errors=True)
        r = old.get(s['name'])
        if not r:
            try: r = judge.judge(s)
            except Exception as e: r = {'name': s['name'], 'status': None, 'exit': -1, 'cold_s': 0, 'warm_s': 0, 'wrong': [f'judge: {type(e).__name__}: {e}']}
            if a.out: open(a.out, 'a').write(json.dumps({**r, 'program': program, 'with_uv': bool(a.uv)}) + '\n')
        bad += any(not w.startswith('note') for w in r['wrong'])
        print(row(r), flush=True)
    sys.exit(1 if bad else 0)


if __name__ == '__main__': main()
