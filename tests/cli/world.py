"""The world of the tests: wheels, stubs of vendor builds, environments, indexes.

Everything that costs time is made once and kept in a cache directory ($UNPIN_TEST_CACHE, else unpin-tests under
$XDG_CACHE_HOME or ~/.cache) under a key of its content; tests get copies or overlay mounts of it.
"""
import base64
import contextlib
import fcntl
import functools
import glob
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("UNPIN_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unpin-tests")

TORCH = "2.7.0a0+79aa17489c.nv25.4"

# Stubs that the base environment has installed: (name, version, requirements, on the index too). Those that are not on
# the index are vendor builds.
INSTALLED_STUBS = [
    ("torch", TORCH, ["filelock", "typing-extensions>=4.5", "jinja2", "fsspec", "mpmath"], False),
    ("torchvision", "0.22.0a0", ["torch", "tqdm"], False),
    ("flash_attn", "2.7.3", ["torch", "einops"], False),
    ("transformer_engine", "2.2.0+c55e425", ["packaging", "torch>=2.1", "importlib-metadata>=1.0", "einops"], False),
    ("cudf", "25.2.0", ["fsspec<2024", "protobuf<5", "cachetools", "typing-extensions"], False),
    # Two breaks that the image comes with.
    ("kvikio", "25.2.0", ["nvidia-nvcomp-cu12==4.2.0.11", "packaging", "rich"], False),
    ("jupyterlab-tensorboard-pro", "4.0.0", ["tornado<=6.2"], True),
    ("nvidia-modelopt", "0.25.0", ["nvidia-modelopt-core==0.25.0", "tqdm", "rich"], True),
    ("nvidia-modelopt-core", "0.25.0", [], True),
    ("accel", "1.0.0", ["torch>=2.0", "packaging"], True),
]
# Stubs that only the index has.
INDEX_STUBS = [
    ("torch", "2.6.0", ["filelock"]),
    ("torch", "2.7.0", ["filelock"]),
    ("nvidia-modelopt", "0.27.0", ["nvidia-modelopt-core==0.27.0", "tqdm", "rich"]),
    ("nvidia-modelopt-core", "0.27.0", []),
    ("modelzoo", "1.6.0", ["torch>=2.7.0", "six"]),  # met by the vendor's torch only by an allowance
    ("needs-public-torch", "1.0", ["torch==2.7.0"]),
    ("kitchen", "1.0", ["six; sys_platform == 'linux'", "absent-on-linux; sys_platform == 'win32'", "colorama; extra == 'color'",
                        "asgiref>=3.8; extra == 'web'"]),
    ("kitchen", "2.0", ["six>=1.17; sys_platform == 'linux'", "colorama; extra == 'color'", "asgiref>=3.8; extra == 'web'"]),
    ("future-python", "1.0", []),
    ("future-python", "2.0", []),
]
REQUIRES_PYTHON = {("future-python", "2.0"): ">=4"}
STUB_DATE = "2024-06-01"
# Of after the image's date, so that they are above the floor of their project.
STUB_DATES = {("kitchen", "2.0"): "2025-03-01", ("future-python", "2.0"): "2025-03-01"}


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.lru_cache(None)
def wheel_list():
    """(installed in the base, "name==version", date) of each real distribution."""
    with open(os.path.join(HERE, "wheels.txt"), encoding="utf-8") as f:
        rows = [re.fullmatch(r"([* ]) (\S+) (\S+)", line.rstrip("\n")) for line in f if not line.startswith("#")]
    return [(row[1] == "*", row[2], row[3]) for row in rows]


def stub_wheel(folder, name, version, requires=(), *, python=None, extras=None, files=None, scripts=None):
    """Makes a wheel with true metadata and a package of a few lines; returns its path. Same arguments, same bytes."""
    module = re.sub(r"[-.]+", "_", name).lower()
    info = f"{module}-{version}.dist-info"
    if extras is None:
        extras = sorted({m[1] for r in requires if (m := re.search(r"extra == ['\"](\w+)['\"]", r))})
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: stub\n"
    metadata += f"Requires-Python: {python}\n" if python else ""
    metadata += "".join(f"Provides-Extra: {e}\n" for e in extras) + "".join(f"Requires-Dist: {r}\n" for r in requires)
    content = {f"{module}/__init__.py": f'__version__ = "{version}"\n', f"{module}/part.py": f"# {name} {version}\n", **(files or {})}
    content[f"{info}/METADATA"] = metadata + "\nA stub.\n"
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: world (1)\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if scripts:
        content[f"{info}/entry_points.txt"] = "[console_scripts]\n" + "".join(f"{k} = {v}\n" for k, v in scripts.items())
    record = ""
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    content[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{module}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for member, text in content.items():
            entry = zipfile.ZipInfo(member, (2024, 6, 1, 0, 0, 0))
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(entry, text)
    return path


@contextlib.contextmanager
def locked(name):
    """One process at a time, of all that run tests."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, name + ".lock"), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


@functools.lru_cache(None)
def interpreters():
    """{(3, 11): path} of those of Python 3.9 to 3.13 that are here and can make virtual environments."""
    found = {}
    for minor in range(9, 14):
        name = f"python3.{minor}"
        candidates = [sys.executable, "/usr/bin/" + name, shutil.which(name), *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{minor}.*/bin/{name}")))]
        for path in filter(None, candidates):
            probe = "import sys, ensurepip, venv; print(sys.version_info[1], sys.base_prefix)"
            done = subprocess.run([path, "-I", "-c", probe], capture_output=True, text=True) if os.path.exists(path) else None
            if done and done.returncode == 0 and done.stdout.split()[0] == str(minor):
                base = os.path.join(done.stdout.split()[1], "bin", name)
                found[3, minor] = base if os.path.exists(base) else path
                break
    return found


def clean_environment(**more):
    """The environment without what configures Python, pip, uv or unpin."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "UNPIN_"))}
    return {**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PYTHONDONTWRITEBYTECODE": "1", **more}


def index_environment():
    """As it is configured here: for the one download. A find-links folder is not an index."""
    return {**{k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class World:
    """What all tests with one version of Python share."""

    copies = None  # of the base, to take turns with (copies.py)

    def __init__(self, version=None):
        self.version = version or min(interpreters(), key=lambda v: v != sys.version_info[:2])
        self.python = interpreters()[self.version]
        with open(os.path.join(HERE, "wheels.txt"), "rb") as f, open(os.path.abspath(__file__), "rb") as me:
            wheels, code = f.read(), me.read()
        tag = "py%d.%d" % self.version
        self.wheels = os.path.join(CACHE, f"wheels-{tag}-{hashlib.sha256(wheels).hexdigest()[:16]}")
        self.root = os.path.join(CACHE, f"base-{tag}-{hashlib.sha256(wheels + code + self.python.encode()).hexdigest()[:16]}")
        self.stubs, self.vendor_stubs = os.path.join(self.root, "stubs"), os.path.join(self.root, "vendor")
        self.base, self.lock = os.path.join(self.root, "env"), os.path.join(self.root, "constraint.txt")
        with locked(tag):
            if not os.path.exists(os.path.join(self.root, "complete")):
                shutil.rmtree(self.root, ignore_errors=True)
                self._make_stubs()
                self._download()
                self._make_base()
                open(os.path.join(self.root, "complete"), "w").close()

    def _make_stubs(self):
        for name, version, requires, on_index in INSTALLED_STUBS:
            stub_wheel(self.stubs if on_index else self.vendor_stubs, name, version, requires)
        for name, version, requires in INDEX_STUBS:
            stub_wheel(self.stubs, name, version, requires, python=REQUIRES_PYTHON.get((name, version)), scripts={"kitchen": "kitchen:main"} if name == "kitchen" else None)

    def _download(self):
        """Fills the folder of wheels: with each call of pip one version per project, for pip allows no more."""
        if os.path.exists(os.path.join(self.wheels, "complete")):
            return
        scratch = os.path.join(self.root, "pip")
        subprocess.run([self.python, "-m", "venv", scratch], check=True, env=clean_environment())
        rounds = {}
        for _, pin, _ in wheel_list():
            name = pin.split("==")[0]
            turn = next(t for t in range(99) if name not in rounds.setdefault(t, {}))
            rounds[turn][name] = pin
        for pins in rounds.values():
            if not pins:
                continue
            argv = [os.path.join(scratch, "bin/python"), "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", self.wheels]
            done = subprocess.run([*argv, *pins.values()], env=index_environment(), capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError("the tests download wheels once from the package index that pip is configured for (pip config list), "
                                   f"and could not: {done.stderr.strip()}")
        shutil.rmtree(scratch)
        open(os.path.join(self.wheels, "complete"), "w").close()

    def _make_base(self):
        subprocess.run([self.python, "-m", "venv", self.base], check=True, env=clean_environment())
        pip = [os.path.join(self.base, "bin/python"), "-m", "pip"]
        pins = [pin for installed, pin, _ in wheel_list() if installed] + [f"{n}=={v}" for n, v, _, _ in INSTALLED_STUBS]
        sources = [a for d in (self.wheels, self.stubs, self.vendor_stubs) for a in ("--find-links", d)]
        subprocess.run([*pip, "install", "-q", "--no-index", "--no-deps", "--no-compile", *sources, *pins], check=True, env=clean_environment(PIP_CONFIG_FILE=os.devnull))
        for cache in glob.glob(self.base + "/**/__pycache__", recursive=True):
            shutil.rmtree(cache, ignore_errors=True)  # lib64 shows those of lib again
        listing = subprocess.run([*pip, "list", "--format=json"], check=True, capture_output=True, env=clean_environment(PIP_CONFIG_FILE=os.devnull))
        lines = ["# What the image was built and tested with.", ""]
        for dist in sorted(json.loads(listing.stdout), key=lambda d: d["name"].lower()):
            comment = "   # the formatter of the house" if dist["name"] == "black" else ""
            lines.append(f"{dist['name']}=={dist['version']}{comment}")
        lines += ["stale-name==1.0", "Absent_Elsewhere==2.0 ; sys_platform == 'win32'"]
        with open(self.lock, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")

    def dates(self):
        """{file name: upload time} of everything on the index."""
        by_pin = {pin: date for _, pin, date in wheel_list()}
        found = {}
        for folder in (self.wheels, self.stubs):
            for name in os.listdir(folder):
                if name.endswith(".whl"):
                    project, version = name.split("-")[:2]
                    date = STUB_DATES.get((normalize(project), version), STUB_DATE)
                    found[name] = by_pin.get(f"{normalize(project)}=={version}", date) + "T12:00:00Z"
        return found


HASHES = {}  # {(device, inode, size, times of change): SHA-256}


def file_hash(path, s):
    """The SHA-256 of a file, read again if anything was done to it since."""
    key = (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
    if key not in HASHES:
        with open(path, "rb") as f:
            HASHES[key] = hashlib.sha256(f.read()).hexdigest()
    return HASHES[key]


def tree(prefix):
    """{path: (kind, mode, uid, gid, size, mtime in ns, SHA-256 or link text)} of everything below `prefix` but unpin's own
    state and byte code. A directory's size and time are left out: they change with its entries."""
    found = {}
    for folder, folders, files in os.walk(prefix):
        folders[:] = [d for d in folders if d not in (".unpin", "__pycache__")]
        for name in folders + files:
            path = os.path.join(folder, name)
            s = os.lstat(path)
            row = (stat.S_IFMT(s.st_mode), stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid)
            if stat.S_ISLNK(s.st_mode):
                row += (os.readlink(path),)
            elif stat.S_ISREG(s.st_mode):
                row += (s.st_size, s.st_mtime_ns, file_hash(path, s))
            found[os.path.relpath(path, prefix)] = row
    return found
