#!/usr/bin/env python3
"""Build the environment of an image of the catalog:  make_image_env.py [--image ngc-pytorch:25.04] [--python python3.12] --dest DIR

What is installed in the image is installed here, at its version and without dependencies: public releases from the index, vendor
builds as stub wheels (their requirements from the catalog, else from env/stubs.txt, else none), and so is whatever has no wheel for
the interpreter. Lines of the lock that name what is not installed ("installed": false) stay in the lock only.
Makes  DEST/base           the virtual environment
       DEST/stubs/*.whl    the stub wheels
       DEST/constraint.txt the lock, a line for each distribution of the image
       DEST/base.json      every installed distribution: name, version, vendor?
An index that serves large wheels as stubs (stubindex.py) saves most of the disk: give it with --index-url.
"""
import argparse, concurrent.futures, json, os, re, shutil, subprocess, sys, urllib.request
import make_env

HERE = os.path.dirname(os.path.abspath(__file__))
CATALOG = os.path.join(HERE, '..', '..', 'catalog', 'images')
PROBE = ('import json;from pip._vendor.packaging.tags import sys_tags;'
         'print(json.dumps(sorted({str(t) for t in sys_tags()})))')


def has_wheel(index_url, name, version, tags):
    """Whether the page of a project lists a wheel of that version which the interpreter takes."""
    with urllib.request.urlopen(urllib.request.Request(f'{index_url.rstrip("/")}/{make_env.norm(name)}/', headers={'Accept': 'text/html'}), timeout=60) as r:
        page = r.read().decode()
    for fn in re.findall(r'>\s*([^<>\s]+\.whl)\s*</a>', page):
        part = fn[:-4].split('-')
        if len(part) < 5 or part[1].replace('_', '-').lower() != version.lower(): continue
        if any(f'{a}-{b}-{c}' in tags for a in part[-3].split('.') for b in part[-2].split('.') for c in part[-1].split('.')): return True
    return False


def stub_of(dist, known, cp):
    """The stub of a distribution: what the catalog says of it, else what env/stubs.txt does."""
    old = known.get(make_env.norm(dist['name']))
    s = {'name': dist['name'], 'version': dist['version'], 'kind': 'vendor' if dist.get('vendor') else 'pypi', 'url': None,
         'top': old['top'] if old else [], 'tag': f'{cp}-{cp}-linux_x86_64' if dist.get('vendor') else 'py3-none-any',
         'requires': [], 'python': None, 'extras': []}
    if dist['metadata'] != 'unknown':
        s.update(requires=dist.get('requires_dist', []), python=dist.get('requires_python'), extras=dist.get('extras', []))
    elif old:
        s.update(requires=old['requires'], python=old['python'], extras=old['extras'])
    return s


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--dest', required=True); p.add_argument('--image', default='ngc-pytorch:25.04')
    p.add_argument('--python', default='python3.12'); p.add_argument('--index-url', default='http://127.0.0.1:8099/simple/')
    a = p.parse_args()
    image = next(i for i in (json.load(open(os.path.join(CATALOG, f))) for f in sorted(os.listdir(CATALOG))) if i['name'] == a.image)
    dest = os.path.abspath(a.dest); base = os.path.join(dest, 'base'); stubs = os.path.join(dest, 'stubs'); py = os.path.join(base, 'bin', 'python')
    for d in (base, stubs): shutil.rmtree(d, ignore_errors=True)
    os.makedirs(stubs)
    env = {k: v for k, v in os.environ.items() if not k.startswith(('PIP_', 'UV_')) or k == 'PIP_CERT'}
    env.update(PIP_DISABLE_PIP_VERSION_CHECK='1', PIP_ROOT_USER_ACTION='ignore')
    subprocess.check_call([a.python, '-m', 'venv', base])
    v = subprocess.check_output([py, '-c', 'import sys;print("%d.%d"%sys.version_info[:2])'], text=True).strip()
    if v != image['python']: sys.exit(f'{a.image} has Python {image["python"]}, {a.python} is {v}')
    tags = set(json.loads(subprocess.check_output([py, '-c', PROBE], text=True)))
    here = [d for d in image['dists'] if d.get('installed', True)]
    public = [d for d in here if not d.get('vendor')]
    with concurrent.futures.ThreadPoolExecutor(8) as ex:
        found = list(ex.map(lambda d: has_wheel(a.index_url, d['name'], d['version'], tags), public))
    real = [d for d, f in zip(public, found) if f]
    known = {make_env.norm(s['name']): s for s in make_env.parse_stubs(os.path.join(HERE, 'env', 'stubs.txt'))}
    wheels = [make_env.build_stub(stub_of(d, known, 'cp' + v.replace('.', '')), stubs) for d in here if d not in real]
    pip = [py, '-m', 'pip', 'install', '-q', '--no-cache-dir', '--no-deps', '--no-warn-script-location', '--only-binary', ':all:']
    index = ['--index-url', a.index_url, '--trusted-host', '127.0.0.1']
    first = [f'{d["name"]}=={d["version"]}' for d in real if make_env.norm(d['name']) == 'pip']
    if first: subprocess.check_call([*pip, *index, *first], env=env)
    subprocess.check_call([*pip, *index, *[f'{d["name"]}=={d["version"]}' for d in real]], env=env)
    subprocess.check_call([*pip, '--no-index', *wheels], env=env)
    # A stub of a public release says nothing of where it came from, like the release itself.
    site = subprocess.check_output([py, '-c', 'import sysconfig;print(sysconfig.get_path("purelib"))'], text=True).strip()
    for w in wheels:
        di = '-'.join(os.path.basename(w).split('-')[:2]) + '.dist-info'
        du = os.path.join(site, di, 'direct_url.json')
        if not os.path.exists(du): continue
        os.unlink(du)
        rec = os.path.join(site, di, 'RECORD')
        lines = [l for l in open(rec) if not l.startswith(di + '/direct_url.json,')]
        open(rec, 'w').writelines(lines)
    with open(os.path.join(dest, 'constraint.txt'), 'w') as f:
        f.writelines(f'{d["name"]}=={d["version"]}\n' for d in image['dists'])
    json.dump([{'name': make_env.norm(d['name']), 'version': d['version'], 'vendor': bool(d.get('vendor'))} for d in here],
              open(os.path.join(dest, 'base.json'), 'w'), indent=1)
    chk = subprocess.run([py, '-m', 'pip', 'check'], env=env, text=True, capture_output=True)
    open(os.path.join(dest, 'pip-check.txt'), 'w').write(chk.stdout)
    print(f'{base}: {len(real)} from the index, {len(wheels)} stubs; without a wheel: '
          f'{" ".join(d["name"] for d, f in zip(public, found) if not f)}; pip check:\n{chk.stdout}')


if __name__ == '__main__': main()
