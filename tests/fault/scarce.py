#!/usr/bin/env python3
"""Every allocation of every command fails, once and from there on: the program ends, with a status other than 0 where it
could not do what it was asked, and the environment is as before or (once it was told to be) as after. Nothing crashes. So
does every mapping, every thread that is to be made, and every allocation of a thread while the others go on.

    scarce.py [--every N] [--points N] [--errand N] [--of KIND]

Each Nth (1), so that there are not more than so many points (0: no limit) of each errand and kind, only one errand, only
one kind (memory, workers, mappings, threads: scarce.c).
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import errands

LIMIT_S = 60
# Of the workers the program's end takes a while, so that the others are sure to meet it.
KINDS = {"memory": {}, "workers": {"SCARCE_LINGER": "30"}, "mappings": {}, "threads": {}}
UNPIN = os.environ.get("UNPIN", os.path.join(errands.ROOT, "build", "unpin"))


def tree(folder):
    """Everything below the environment and the lock, but unpin's own store and times."""
    found = {}
    for top in (os.path.join(folder, "env"), os.path.join(folder, "constraint.txt")):
        for place, folders, names in os.walk(top) if os.path.isdir(top) else [(folder, [], ["constraint.txt"])]:
            folders[:] = [f for f in folders if f not in (".unpin", "__pycache__")]
            for name in names:
                path = os.path.join(place, name)
                found[path] = os.readlink(path) if os.path.islink(path) else (os.stat(path).st_mode, open(path, "rb").read())
    return found


class Errand:
    def __init__(self, words, folder, env, shim):
        self.words, self.folder, self.env, self.shim = words, folder, env, shim
        self.saved = folder + "-saved"
        self.tried = 0

    def run(self, **variables):
        env = {**self.env, "LD_PRELOAD": self.shim, **variables} if variables else self.env
        return subprocess.run([UNPIN, *self.words], env=env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)

    def reset(self):
        shutil.rmtree(os.path.join(self.folder, "env"))
        shutil.copytree(os.path.join(self.saved, "env"), os.path.join(self.folder, "env"), symlinks=True)
        shutil.copy2(os.path.join(self.saved, "constraint.txt"), os.path.join(self.folder, "constraint.txt"))

    def save(self):
        """Does it, from here on to be done again; what is before and after."""
        shutil.rmtree(self.saved, ignore_errors=True)
        os.mkdir(self.saved)
        shutil.copytree(os.path.join(self.folder, "env"), os.path.join(self.saved, "env"), symlinks=True)
        shutil.copy2(os.path.join(self.folder, "constraint.txt"), self.saved)
        self.old = tree(self.folder)
        self.right = self.run().returncode
        self.new = tree(self.folder)

    def count(self, kind):
        path = os.path.join(self.saved, "count")
        if self.old != self.new:
            self.reset()
        self.run(SCARCE_COUNT=path, SCARCE_OF=kind)
        with open(path, encoding="ascii") as f:
            return int(f.read())

    def starve(self, kind, every, points):
        """Tries it; yields sentences about what went wrong."""
        count = self.count(kind)
        every = max(every, -(-count // points) if points else 1)
        for at in range((every + 1) // 2, count + 1, every):
            for variables in ({}, {"SCARCE_ON": "1"}):
                if self.old != self.new:
                    self.reset()
                done = self.run(SCARCE_OF=kind, SCARCE_AT=str(at), **KINDS[kind], **variables)
                self.tried += 1
                name = f"{' '.join(self.words)}, {kind} {at} of {count}{' and on' if variables else ''}"
                yield from self.wrong(name, done, bool(variables) and kind == "memory")

    def wrong(self, name, done, hopeless):
        if done.returncode < 0 or done.returncode >= 128:
            yield f"{name}: it crashed ({done.returncode}): {done.stderr[-1500:].decode('utf-8', 'replace')}"
        if hopeless and done.returncode == 0 and self.right != 0:
            yield f"{name}: it says that it succeeded"
        now = tree(self.folder)
        if done.returncode == 0 and now != self.new:
            yield f"{name}: status 0, but the environment is not the new one"
        if now not in (self.old, self.new):
            subprocess.run([UNPIN, "recover"], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
            now = tree(self.folder)
        if now not in (self.old, self.new):
            yield f"{name}: the environment is neither the old nor the new one"

    def leave_done(self):
        if self.old != self.new:
            self.reset()
            self.run()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--errand", type=int)
    parser.add_argument("--of", choices=KINDS, action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, errands.served(os.path.join(folder, "index")) as url:
        shim, home = os.path.join(folder, "scarce.so"), os.path.join(folder, "home")
        source = os.path.join(errands.ROOT, "tests", "fault", "scarce.c")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", source, "-o", shim], check=True)
        os.mkdir(home)
        env = errands.make_environment(home, url)
        tried, failed = 0, 0
        for i, (words, statuses) in enumerate(errands.errands(home)):
            errand = Errand(words, home, env, shim)
            if options.errand not in (None, i):
                status = errand.run().returncode
                assert status in statuses, (words, status)
                continue
            errand.save()
            bad = [sentence for kind in options.of or KINDS for sentence in errand.starve(kind, options.every, options.points)]
            errand.leave_done()
            tried, failed = tried + errand.tried, failed + len(bad)
            print(f"{' '.join(words)}: {errand.tried} runs, {len(bad)} bad", flush=True)
            for sentence in bad[:10]:
                print("  " + sentence, flush=True)
    print(f"{tried - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
