"""Fixtures: an index on loopback, and fresh environments on a plain directory or on an overlay mount."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "server")]
import world as worlds
from copies import Copies
from index_server import IndexServer

ROOT = os.path.dirname(os.path.dirname(HERE))
LIMIT_S = 120  # of one run of unpin


def binary():
    for path in (os.environ.get("UNPIN_SAN"), os.environ.get("UNPIN"), os.path.join(ROOT, "build", "unpin")):
        if path and os.path.exists(path):
            return path
    pytest.exit("no binary of unpin: build it (make), or run the tests by tools/check", 2)


@pytest.fixture(scope="session")
def unpin_binary():
    return binary()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    made = worlds.World()
    folder = tmp_path_factory.mktemp("copies")
    made.copies = Copies(made.base, folder)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def session_index(world):
    with IndexServer([world.wheels, world.stubs], world.dates()) as index:
        yield index


@pytest.fixture
def index(session_index):
    session_index.reset()
    yield session_index
    session_index.reset()


class Run:
    """What a run of unpin left: status, output and, with --json, the document."""

    def __init__(self, argv, done):
        self.argv, self.status, self.out, self.err = argv, done.returncode, done.stdout, done.stderr
        assert self.status not in (99, -11, -6), f"{argv} crashed: {self.err}"

    @property
    def json(self):
        return json.loads(self.out)

    def ok(self, status=0):
        assert self.status == status, f"{self.argv}: status {self.status}, not {status}\n{self.out}\n{self.err}"
        return self


class Environment:
    """An environment of its own with its lock, and unpin run on it."""

    def __init__(self, world, binary, prefix, folder, index_url):
        self.world, self.binary, self.prefix, self.folder = world, binary, str(prefix), str(folder)
        self.python = os.path.join(self.prefix, "bin", "python")
        self.site = os.path.join(self.prefix, "lib", "python%d.%d" % world.version, "site-packages")
        self.lock = os.path.join(self.folder, "constraint.txt")
        shutil.copy(world.lock, self.lock)
        self.home = os.path.join(self.folder, "home")
        os.makedirs(self.home)
        self.variables = worlds.clean_environment(HOME=self.home, XDG_CACHE_HOME=os.path.join(self.home, "cache"), PIP_CONFIG_FILE=os.devnull,
                                                  VIRTUAL_ENV=self.prefix,
                                                  PIP_CONSTRAINT=self.lock, PIP_INDEX_URL=index_url, LC_ALL="C.UTF-8", TMPDIR=self.folder)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            self.variables.pop(name, None)

    def argv(self, *words):
        return [self.binary, *words]

    def run(self, *words, **variables):
        """Runs `unpin WORDS` on this environment; no terminal, a limit of time."""
        argv = self.argv(*map(str, words))
        done = subprocess.run(argv, env={**self.variables, **variables}, cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="surrogateescape", timeout=LIMIT_S)
        run = Run(argv, done)
        if run.status == 3:
            self.follow(run, {**self.variables, **variables})
        return run

    def follow(self, run, variables):
        """Runs every command that a refusal suggests, as it is printed: each says that it was planned and works."""
        if "--json" in run.argv:
            commands = [shlex.join(s["argv"]) for s in run.json.get("suggestions", [])] if run.out else []
        else:
            commands = re.findall(r"^  (unpin .*)$", run.out.partition("\nways out")[2], re.M)
        for command in commands:
            script = f'unpin() {{ "{self.binary}" "$@"; }}; {command}'
            done = subprocess.run(["bash", "-c", script], env=variables, cwd=self.folder, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="surrogateescape", timeout=LIMIT_S)
            # 4: a removal wants to be confirmed.
            assert done.returncode in (0, 4), f"{run.argv} suggests {command}: {done.returncode}\n{done.stdout}\n{done.stderr}"

    def plan(self, *words, **variables):
        """The document of `unpin plan --json WORDS`."""
        run = self.run("plan", "--json", *words, **variables)
        assert run.out, f"no document: status {run.status}\n{run.err}"
        return run.json

    def installed(self):
        """{normalized name: version} by the dist-info folders."""
        found = {}
        for name in os.listdir(self.site):
            if name.endswith(".dist-info") and os.path.exists(os.path.join(self.site, name, "METADATA")):
                project, version = name[: -len(".dist-info")].rsplit("-", 1)
                assert worlds.normalize(project) not in found, f"{project} is there twice"
                found[worlds.normalize(project)] = version
        return found

    def pip_check(self):
        """The lines of `pip check`, sorted: what is broken in pip's eyes."""
        # The base's pip, which is the same one: its byte code can be kept, for its path is always the same.
        runner = os.path.join(self.world.base, os.path.relpath(self.site, self.prefix), "pip", "__pip-runner__.py")
        variables = {**self.variables, "PIP_CONSTRAINT": "", "PYTHONPYCACHEPREFIX": os.path.join(worlds.CACHE, "byte-code")}
        del variables["PYTHONDONTWRITEBYTECODE"]
        done = subprocess.run([self.python, runner, "check"], env=variables, capture_output=True, text=True)
        assert done.stdout, done.stderr
        return sorted(line for line in done.stdout.splitlines() if "requires" in line or "has requirement" in line)

    def tree(self):
        return worlds.tree(self.prefix)

    def lock_bytes(self):
        with open(self.lock, "rb") as f:
            return f.read()

    def lock_diff(self):
        """[(line number, old, new)] against the lock that the environment came with; line for line."""
        with open(self.world.lock, "rb") as f:
            old, new = f.read().split(b"\n"), self.lock_bytes().split(b"\n")
        assert len(old) == len(new), "lines were added or lost"
        return [(n, a.decode(), b.decode()) for n, (a, b) in enumerate(zip(old, new), 1) if a != b]


def mount_overlay(lower, folder):
    """Mounts lower + folder/upper at folder/env; returns the mount point, or skips with the reason."""
    for name in ("upper", "work", "env"):
        os.makedirs(os.path.join(folder, name))
    target = os.path.join(folder, "env")
    options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, target], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no overlay may be mounted here, neither as root nor in a user namespace: {done.stderr.strip()}")
    return target


def heed_signals():
    """For a child that is to be interrupted: under nohup, or in the background, it would inherit that they are ignored."""
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, signal.SIG_DFL)


def make_environment(world, unpin_binary, folder, index_url, kind):
    folder = str(folder)
    if kind == "overlay":
        prefix = mount_overlay(world.base, folder)
    else:
        prefix = os.path.join(folder, "env")
        if world.copies:
            world.copies.take(prefix)
        else:
            subprocess.run(["cp", "-a", world.base, prefix], check=True)
    return Environment(world, unpin_binary, prefix, folder, index_url)


def drop_environment(env, kind):
    if kind == "overlay":
        subprocess.run(["umount", "-l", env.prefix], check=True)
    elif env.world.copies:
        env.world.copies.give(os.path.join(env.folder, "env"))
    shutil.rmtree(env.folder, ignore_errors=True)


@pytest.fixture
def env(world, unpin_binary, index, tmp_path):
    """A fresh environment in a plain directory."""
    made = make_environment(world, unpin_binary, tmp_path, index.url, "plain")
    yield made
    drop_environment(made, "plain")


@pytest.fixture(params=["plain", "overlay"])
def any_env(request, world, unpin_binary, index, tmp_path):
    """The same, on a plain directory and on an overlay mount."""
    made = make_environment(world, unpin_binary, tmp_path, index.url, request.param)
    yield made
    drop_environment(made, request.param)


@pytest.fixture(scope="session")
def read_only(world, unpin_binary, session_index, tmp_path_factory):
    """One environment for tests that change nothing in it; looked at after the session."""
    folder = tmp_path_factory.mktemp("read-only")
    made = make_environment(world, unpin_binary, folder, session_index.url, "plain")
    before, lock = made.tree(), made.lock_bytes()
    yield made
    assert made.tree() == before and made.lock_bytes() == lock, "a command that only reads changed the environment"
    drop_environment(made, "plain")


@pytest.fixture
def seen(read_only, index):
    """`read_only` with an index without faults."""
    return read_only
