#!/usr/bin/env python3
"""The real program, killed or failed by strace at its system calls: what no seam of our own can leave out.

    strace_kills.py [--every N] [--errors N] [--overlay]

`unpin install` (one release to the next, with a lock) and `unpin undo` are run under `strace -e inject`, once for each system
call that touches files (one of --every): SIGKILL before it, and (one of --errors; 0: none) ENOSPC, EIO and EMFILE from it on.
Then `unpin recover` is run. The files and the lock must be those of before or of after, whichever the exit status says.
Wants strace. Last line: "N passed, N failed", or "0 passed, 0 failed, 1 skipped".
"""
import argparse
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "cli")]
import world as worlds

UNPIN = os.environ.get("UNPIN") or os.path.join(ROOT, "build", "unpin")
CALLS = ("openat2 mkdirat fchmodat fchmod fchownat utimensat write pwrite64 ftruncate fallocate fsync syncfs renameat linkat symlinkat unlinkat "
         "fsetxattr statx flock close").split()
# Those that a process makes by the hundred before it begins: only some of them are tried.
COMMON = {"statx", "close", "write", "openat2"}
SHOWN_MAX, LIMIT_S = 10, 120


class Case:
    """An environment with demo 1.0, its lock, and the wheel of demo 2.0, anew for each run."""

    def __init__(self, work, overlay):
        self.work, self.overlay = work, overlay
        self.old, self.env, self.wheels = (os.path.join(work, n) for n in ("old", "env", "wheels"))
        self.python, self.lock = os.path.join(self.env, "bin", "python"), os.path.join(self.env, "constraint.txt")
        for version, files in (("1.0", {f"demo/m{i}.py": f"x = {i}\n" for i in range(6)}), ("2.0", {f"demo/m{i}.py": f"y = {i} # new\n" for i in range(3, 9)})):
            worlds.stub_wheel(self.wheels, "demo", version, files=files, scripts={"demo": "demo:main"})
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.env], check=True)
        with open(self.lock, "w") as f:
            f.write("demo==1.0\n")
        self.variables = worlds.clean_environment(HOME=work, XDG_CACHE_HOME=os.path.join(work, "cache"), PIP_CONFIG_FILE=os.devnull, TMPDIR=work)
        self.must("install", "demo==1.0")
        shutil.rmtree(os.path.join(self.site(), ".unpin"))
        os.rename(self.env, self.old)

    def site(self):
        lib = os.path.join(self.env, "lib")
        return os.path.join(lib, os.listdir(lib)[0], "site-packages")

    def reset(self):
        subprocess.run(["umount", self.env], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.env, ignore_errors=True)
        if not self.overlay:
            shutil.copytree(self.old, self.env, symlinks=True)
            return
        layers = os.path.join(self.work, "layers")
        shutil.rmtree(layers, ignore_errors=True)
        for name in (layers + "/upper", layers + "/work", self.env):
            os.makedirs(name)
        options = f"lowerdir={self.old},upperdir={layers}/upper,workdir={layers}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.env], check=True)

    def argv(self, command, *words):
        more = ["-y", "--lock", self.lock, "--no-index", "-f", self.wheels, "--no-imports"] if command == "install" else []
        return [UNPIN, command, "-q", *(["-y"] if command == "undo" else more), "--python", self.python, *words]

    def run(self, argv):
        return subprocess.run(argv, env=self.variables, cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)

    def must(self, *words):
        done = self.run(self.argv(*words))
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stderr}"

    def look(self):
        """Everything but times and unpin's own state."""
        found = worlds.tree(self.env)
        return {path: row[:5] + row[6:] for path, row in found.items()}

    def counts(self, words):
        """{system call: how often a thread makes it at most}"""
        log = os.path.join(self.work, "log")
        done = self.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + ",".join(CALLS), *self.argv(*words)])
        assert done.returncode == 0, done.stderr
        seen = collections.Counter()
        with open(log, errors="replace") as f:
            for line in f:
                if found := re.match(r"(\d+) +(\w+)\(", line):
                    seen[found[1], found[2]] += 1
        most = collections.Counter()
        for (_, call), n in seen.items():
            most[call] = max(most[call], n)
        return most


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def judge(self, case, what, fault, status, before, after):
        """The states that `status` allows, then the one that recovery gives."""
        now = case.look()
        allowed = {0: (after,), 6: None, -9: None}.get(status, (before,))
        wrong = "" if allowed is None or now in allowed else f"status {status}, and the files say otherwise"
        done = case.run(case.argv("recover"))
        if not wrong and done.returncode:
            wrong = f"recover: {done.returncode} {done.stderr}"
        now = case.look()
        if not wrong and now not in (allowed or (before, after)):
            wrong = "neither old nor new"
        self.passed, self.failed = self.passed + (not wrong), self.failed + bool(wrong)
        if wrong and self.failed <= SHOWN_MAX:
            print(f"BAD {what}: {fault}: {wrong}", flush=True)


def faults(counts, options, random_):
    for call in CALLS:
        for n in range(1, counts[call] + 1):
            rare = options.every * (10 if call in COMMON else 1)
            if random_.randrange(rare) == 0:
                yield f"inject={call}:signal=SIGKILL:when={n}"
            for error in ("ENOSPC", "EIO", "EMFILE"):
                # A close that fails has still closed, and of a failing lock nothing depends.
                if options.errors and call != "close" and random_.randrange(options.errors * rare) == 0:
                    yield f"inject={call}:error={error}:when={n}+"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--errors", type=int, default=10)
    parser.add_argument("--overlay", action="store_true")
    options = parser.parse_args()
    if not shutil.which("strace"):
        print("strace is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    if options.overlay and not os.environ.get("UNPIN_STRACE_INSIDE"):
        os.environ["UNPIN_STRACE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    tally, random_ = Tally(), random.Random(3)
    with tempfile.TemporaryDirectory(prefix="unpin-strace-", dir=folder) as work:
        case = Case(work, options.overlay)
        for words in (("install", "demo==2.0"), ("undo",)):
            def stage():
                case.reset()
                if words[0] == "undo":
                    case.must("install", "demo==2.0")
            stage()
            before, counts = case.look(), case.counts(words)
            after, passed = case.look(), tally.passed
            assert before != after
            for fault in faults(counts, options, random_):
                stage()
                trace = fault.split("=")[1].split(":")[0]
                done = case.run(["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={trace}", "-e", fault, *case.argv(*words)])
                tally.judge(case, words[0], fault, done.returncode, before, after)
            print(f"{words[0]}: {sum(counts.values())} calls, {tally.passed - passed} points", flush=True)
        subprocess.run(["umount", case.env], stderr=subprocess.DEVNULL)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
