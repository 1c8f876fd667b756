#!/usr/bin/env python3
"""The same change by unpin, uv and pip, killed, interrupted and starved of disk: how often is the environment broken?

    kills.py [--kills N] [--peer-kills N] [--signals N] [--full N] [--on overlay,ext4] [--tools unpin,uv,pip]

The change is numpy 1.26.4 → 2.0.2 (some 800 files each) from local wheels. It is made on an overlay mount (the shape of a
container) and on a plain copy, both on an ext4 image that lies on a tmpfs; wants root, or a user namespace and then no ext4.

SIGKILL    --kills times unpin, --peer-kills times each of the others, at times spread evenly over a whole run of that tool
SIGINT     \\ --signals times each, while files change: from the first change that can be seen on, for as long as it took
SIGTERM    /  in an undisturbed run
full disk  --full sizes of a tmpfs (below the overlay, or for the whole copy), most with less room than the change needs

Broken: numpy does not import, has no dist-info or two or files that are not what RECORD says; for unpin also a lock that
does not say what is installed. After SIGKILL unpin is judged after `unpin recover`, as its next command would do it; after
all else as it is. The wheels and the newest pip and uv (a virtual environment) are fetched once from the package index that
pip is configured for, and kept in $UNPIN_TEST_CACHE.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "cli")]
import world as worlds

OLD, NEW = "1.26.4", "2.0.2"
PEERS = ("pip==26.3", "uv==0.13.9")
POLL_S = 0.0005
LIMIT_S = 120

JUDGE = r"""
import base64, hashlib, importlib.metadata as m, os, sys
bad = []
found = [d for d in m.distributions() if (d.name or '').lower() == 'numpy']
if len(found) != 1: bad.append(f'{len(found)} dist-info')
for d in found[:1]:
    if not d.files: bad.append('no RECORD')
    for f in d.files or ():
        if not f.hash: continue
        try: data = open(f.locate(), 'rb').read()
        except OSError: bad.append('missing: ' + str(f)); break
        if base64.urlsafe_b64encode(hashlib.new(f.hash.mode, data).digest()).rstrip(b'=').decode() != f.hash.value: bad.append('other bytes: ' + str(f)); break
    try: import numpy; assert numpy.__version__ == d.version, 'version'
    except BaseException as e: bad.append('import: ' + repr(e)[:60])
print(found[0].version if found else '-'); print('; '.join(bad))
"""


class Kit:
    """What is made once: wheels, an environment with the old numpy, and a virtual environment with pip and uv."""

    def __init__(self):
        versions = [v for v in worlds.interpreters() if (3, 9) <= v <= (3, 12)]
        if not versions:
            sys.exit("numpy 1.26 wants Python 3.9 to 3.12, and none is here")
        self.version = max(versions)
        self.python = worlds.interpreters()[self.version]
        self.root = os.path.join(worlds.CACHE, "kills-py%d.%d-%s" % (*self.version, "-".join(PEERS).replace("==", "")))
        self.wheels, self.base, self.peers = (os.path.join(self.root, n) for n in ("wheels", "env", "peers"))
        with worlds.locked("kills"):
            if not os.path.exists(os.path.join(self.root, "complete")):
                shutil.rmtree(self.root, ignore_errors=True)
                self._make()
                open(os.path.join(self.root, "complete"), "w").close()

    def _make(self):
        env = worlds.index_environment()
        subprocess.run([self.python, "-m", "venv", self.peers], check=True)
        pip = [os.path.join(self.peers, "bin", "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "-q", *PEERS], check=True, env=env)
        for version in (OLD, NEW):
            subprocess.run([*pip, "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", self.wheels, f"numpy=={version}"], check=True, env=env)
        subprocess.run([self.python, "-m", "venv", "--without-pip", self.base], check=True)
        subprocess.run([*pip, "--python", self.base, "install", "-q", "--no-index", "--no-compile", "-f", self.wheels, f"numpy=={OLD}"], check=True)


class Environment:
    """A fresh copy of the environment in FOLDER, by KIND: overlay or ext4. `small` (bytes): it has only so much room."""

    def __init__(self, kit, folder, kind, small=None):
        self.kit, self.folder, self.prefix, self.kind = kit, folder, os.path.join(folder, "env"), kind
        self.lock, self.home = os.path.join(folder, "constraint.txt"), os.path.join(folder, "home")
        os.makedirs(self.home), os.makedirs(self.prefix)
        with open(self.lock, "w") as f:
            f.write(f"numpy=={OLD}\n")
        if kind == "overlay":
            room = os.path.join(folder, "room")
            os.makedirs(room)
            if small:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={small}", "tmpfs", room], check=True)
            os.makedirs(room + "/upper"), os.makedirs(room + "/work")
            options = f"lowerdir={kit.base},upperdir={room}/upper,workdir={room}/work"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.prefix], check=True)
        else:
            if small:
                size = int(subprocess.run(["du", "-sb", kit.base], capture_output=True, text=True, check=True).stdout.split()[0]) + small
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + (8 << 20)}", "tmpfs", self.prefix], check=True)
            subprocess.run(["cp", "-a", kit.base + "/.", self.prefix], check=True)
        self.python = os.path.join(self.prefix, "bin", "python")
        self.site = os.path.join(self.prefix, "lib", "python%d.%d" % kit.version, "site-packages")
        self.variables = worlds.clean_environment(HOME=self.home, XDG_CACHE_HOME=os.path.join(kit.root, "cache"), PIP_CONFIG_FILE=os.devnull,
                                                  UV_CACHE_DIR=os.path.join(kit.root, "uv"), UV_OFFLINE="1", TMPDIR=os.path.join(folder, "home"), VIRTUAL_ENV=self.prefix)

    def command(self, tool):
        bin_ = os.path.join(self.kit.peers, "bin")
        what = ["-f", self.kit.wheels, "--no-index", f"numpy=={NEW}"]
        return {
            "pip": [bin_ + "/python", "-m", "pip", "--python", self.python, "install", "-q", "--no-compile", *what],
            "uv": [bin_ + "/uv", "pip", "install", "-q", "--python", self.python, *what],
            "unpin": [self.unpin(), "install", "-q", "-y", "--python", self.python, "--lock", self.lock, *what],
        }[tool]

    @staticmethod
    def unpin():
        return os.environ.get("UNPIN") or os.path.join(ROOT, "build", "unpin")

    def recover(self):
        """What is wrong with the recovery."""
        done = subprocess.run([self.unpin(), "recover", "-q", "--python", self.python], env=self.variables, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        return f"recover: {done.returncode} {done.stderr}" if done.returncode else ""

    def start(self, tool):
        return subprocess.Popen(self.command(tool), env=self.variables, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)

    def changing(self, tool):
        """What is seen of a change of files: something in site-packages; unpin changes something there to prove that it may,
        and begins with its journal."""
        if tool == "unpin":
            return os.path.exists(os.path.join(self.site, ".unpin", "journal"))
        return os.stat(self.site).st_mtime_ns, os.stat(self.site + "/numpy").st_mtime_ns

    def judge(self, tool):
        """(version, what is broken)"""
        done = subprocess.run([self.python, "-B", "-c", JUDGE], capture_output=True, text=True, cwd=self.folder)
        version, wrong = (done.stdout.splitlines() + ["-", done.stderr.strip()[-200:]])[:2]
        with open(self.lock) as f:
            if tool == "unpin" and f.read() != f"numpy=={version}\n":
                wrong += "; the lock says other"
        return version, wrong

    def drop(self):
        # The journal of an ext4 image would otherwise be written for nothing.
        subprocess.run(["umount", "-l", self.prefix], stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", os.path.join(self.folder, "room")], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Trial:
    """One tool on one kind of file system."""

    def __init__(self, kit, work, kind, tool):
        self.kit, self.work, self.kind, self.tool = kit, work, kind, tool
        self.once(None)  # warms the caches
        self.whole, self.change = self.once(None)

    def environment(self, small=None):
        return Environment(self.kit, tempfile.mkdtemp(dir=self.work), self.kind, small)

    def once(self, _):
        """An undisturbed run: how long it took, and how long files changed."""
        env = self.environment()
        try:
            before, begin, first = env.changing(self.tool), time.monotonic(), None
            child = env.start(self.tool)
            while child.poll() is None:
                if first is None and self.seen(env, before):
                    first = time.monotonic()
                time.sleep(POLL_S)
            end = time.monotonic()
            version, wrong = env.judge(self.tool)
            assert child.returncode == 0 and version == NEW and not wrong, f"{self.tool} does not install: {version} {wrong}"
            return end - begin, end - (first or begin)
        finally:
            env.drop()

    def seen(self, env, before):
        try:
            return env.changing(self.tool) != before
        except FileNotFoundError:
            return True

    def struck(self, number, after, in_change):
        """True if it is broken after the signal, which comes `after` seconds from the start, or from the first change."""
        env = self.environment()
        try:
            before = env.changing(self.tool)
            child = env.start(self.tool)
            while in_change and child.poll() is None and not self.seen(env, before):
                time.sleep(POLL_S)
            try:
                child.wait(after)
                hit = False
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, number)
                hit = True
                child.wait(LIMIT_S)
            told = env.recover() if self.tool == "unpin" and number == signal.SIGKILL else ""
            version, wrong = env.judge(self.tool)
            wrong = told or wrong
            if wrong and os.environ.get("UNPIN_KILLS_SHOW"):
                print(f"{self.tool} {self.kind} {number} {after:.4f}: {version} {wrong}", flush=True)
            return hit, bool(wrong)
        finally:
            env.drop()

    def starved(self, room):
        """(it failed, it is broken) with so many bytes of room."""
        env = self.environment(room)
        try:
            status = env.start(self.tool).wait(LIMIT_S)
            return status != 0, bool(env.judge(self.tool)[1])
        finally:
            env.drop()


def share(results):
    hits = [broken for hit, broken in results if hit]
    return f"{sum(b for _, b in results)} of {len(hits)}" + (f" ({len(results)} runs)" if len(hits) < len(results) else "")


def rows(trial, options, random_):
    kills = options.kills if trial.tool == "unpin" else options.peer_kills
    yield "SIGKILL", share([trial.struck(signal.SIGKILL, random_.uniform(0, trial.whole), False) for _ in range(kills)])
    for number in (signal.SIGINT, signal.SIGTERM):
        if options.signals:
            yield number.name, share([trial.struck(number, random_.uniform(0, trial.change), True) for _ in range(options.signals)])
    if options.full:
        # What is tried is as much as the new files need, less and less; what does not fail is no case.
        sizes = [int((i + 0.5) / options.full * 150 * 2**20) for i in range(options.full)]
        yield "full disk", share([trial.starved(s) for s in sizes])


def place(work):
    """An ext4 image on a tmpfs, mounted; where that cannot be, a tmpfs."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
    image, target = os.path.join(work, "image"), os.path.join(work, "ext4")
    os.makedirs(target)
    with open(image, "wb") as f:
        f.truncate(2 << 30)
    for argv in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, target]):
        if not shutil.which(argv[0]) or subprocess.run(argv, stderr=subprocess.DEVNULL).returncode:
            return target, False
    return target, True


def main():
    parser = argparse.ArgumentParser()
    for name, default in (("kills", 100), ("peer-kills", 25), ("signals", 25), ("full", 20), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--on", default="overlay,ext4")
    parser.add_argument("--tools", default="unpin,uv,pip")
    options = parser.parse_args()
    if not os.environ.get("UNPIN_KILLS_INSIDE"):
        for prefix in (["unshare", "-m", "--propagation", "private"], ["unshare", "-Urm", "--propagation", "private"]):
            if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode == 0:
                os.environ["UNPIN_KILLS_INSIDE"] = "1"
                os.execvp(prefix[0], [*prefix, sys.executable, *sys.argv])
        sys.exit("no mount namespace may be made here")
    # Who starts us in the background has us ignore SIGINT, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kit, random_, wrong = Kit(), random.Random(options.seed), 0
    work = tempfile.mkdtemp(prefix="unpin-kills-")
    target, is_ext4 = place(work)
    # The lower directory has to lie on a file system of Linux' own.
    base = os.path.join(target, "base")
    subprocess.run(["cp", "-a", kit.base, base], check=True)
    kit.base = base
    try:
        print(f"| fault | on | tool | broken | a whole run, of it files change |\n|---|---|---|---|---|", flush=True)
        for kind in options.on.split(","):
            if kind == "ext4" and not is_ext4:
                print("| – | ext4 | – | skipped: it cannot be mounted | |")
                continue
            for tool in options.tools.split(","):
                trial = Trial(kit, target, kind, tool)
                for fault, broken in rows(trial, options, random_):
                    print(f"| {fault} | {kind} | {tool} | {broken} | {trial.whole:.2f} s, {trial.change:.2f} s |", flush=True)
                    wrong += tool == "unpin" and not broken.startswith("0 ")
    finally:
        subprocess.run(["umount", "-l", target], stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", work], stderr=subprocess.DEVNULL)
        os.rmdir(work)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
