#!/usr/bin/env python3
"""Power cuts under real transactions: what a disk may hold after one is made from a log of all its writes, and recovered.

    power.py [--subsets N] [--every N] [--overlay] [SCENARIO ...]

An ext4 image is mounted from a file that a small FUSE server keeps, so that every write to the disk and every flush of its
cache is known. The torture program carries a transaction (then its undo) out on it, with all syncs. For each point of the
log (one of --every) disks are made: all writes up to there; only those before the last flush; and --subsets times those
before the last flush with some of the later ones. Each is mounted (ext4 replays its own journal) and recovered: the tree
must be exactly as before or as after, as after where the transaction had said that it is done, and nothing may be left
behind. --overlay: the tree lies in the lower directory of an overlay on that disk. Wants root, /dev/fuse and loop devices.
Last line: "N passed, N failed" (images), or "0 passed, 0 failed, 1 skipped".
"""
import argparse
import ctypes
import errno
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TORTURE = os.environ.get("UNPIN_TORTURE") or os.path.join(os.environ.get("UNPIN_BUILD") or os.path.join(ROOT, "build"), "tests", "fault", "torture")
SIZE, SHOWN_MAX = 24 << 20, 10
SCENARIOS = "upgrade downgrade reinstall remove add lock-only types hardlinks replace-vendor".split()
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, options=""):
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {kind} at {target}")


def umount(target, flags=0):
    if libc.umount2(target.encode(), flags):
        raise OSError(ctypes.get_errno(), f"umount {target}")


class Disk:
    """One file `disk` in a FUSE mount, and the log of what is done to it: (offset, bytes) for a write, None for a flush."""

    LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 42

    def __init__(self, folder):
        self.bytes, self.log, self.path = bytearray(SIZE), [], os.path.join(folder, "disk")
        self.fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        mount("disk", folder, "fuse", f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0")
        threading.Thread(target=self._serve, daemon=True).start()

    @staticmethod
    def _attr(node):
        size, mode = (0, 0o40755) if node == 1 else (SIZE, 0o100600)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, op, node, body):
        """Bytes, or an errno value as a number; None: no answer."""
        if op in (self.FORGET, self.BATCH_FORGET, self.INTERRUPT):
            return None
        if op == self.INIT:
            return struct.pack("<4I2H2I2HI28x", 7, 31, 0, 1 << 5 | 1 << 22, 8, 6, 1 << 20, 1, 256, 0, 0)
        if op == self.LOOKUP:
            return struct.pack("<4Q2I", 2, 0, 3600, 3600, 0, 0) + self._attr(2) if body == b"disk\0" else errno.ENOENT
        if op in (self.GETATTR, self.SETATTR):
            return struct.pack("<Q2I", 3600, 0, 0) + self._attr(node)
        if op == self.OPEN:
            return struct.pack("<Q2I", 1, 1, 0)  # FOPEN_DIRECT_IO: nothing is cached above the log
        if op == self.READ:
            _, offset, size = struct.unpack_from("<2QI", body)
            return bytes(self.bytes[offset:offset + size])
        if op == self.WRITE:
            _, offset, size = struct.unpack_from("<2QI", body)
            data = bytes(body[40:40 + size])
            self.bytes[offset:offset + size] = data
            self.log.append((offset, data))
            return struct.pack("<2I", size, 0)
        if op == self.FSYNC:
            self.log.append(None)
            return b""
        if op in (self.FLUSH, self.RELEASE):
            return b""
        if op == self.STATFS:
            return struct.pack("<5Q4I24x", SIZE // 4096, 0, 0, 1, 0, 4096, 255, 4096, 0)
        return errno.ENOSYS

    def _serve(self):
        while True:
            try:
                request = os.read(self.fuse, (1 << 20) + 65536)
            except OSError as e:
                if e.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return  # ENODEV: unmounted
            _, op, unique, node = struct.unpack_from("<2I2Q", request)
            answer = self._answer(op, node, request[40:])
            if answer is None:
                continue
            body, status = (b"", -answer) if isinstance(answer, int) else (answer, 0)
            try:
                os.write(self.fuse, struct.pack("<IiQ", 16 + len(body), status, unique) + body)
            except OSError:
                pass


class Loop:
    """A loop device on a file."""

    def __init__(self, path):
        done = subprocess.run(["losetup", "-f", "--show", path], capture_output=True, text=True)
        if done.returncode:
            raise OSError(0, done.stderr.strip())
        self.device = done.stdout.strip()

    def close(self):
        subprocess.run(["losetup", "-d", self.device], check=True)


class Cuts:
    def __init__(self, work, options):
        self.options, self.random = options, random.Random(7)
        self.at, self.tree = os.path.join(work, "at"), os.path.join(work, "at", "w")
        for name in ("fuse", "at"):
            os.makedirs(os.path.join(work, name))
        self.disk = Disk(os.path.join(work, "fuse"))
        self.live = Loop(self.disk.path)
        self.image = os.path.join(work, "image")
        with open(self.image, "wb") as f:
            f.truncate(SIZE)
        self.dead = Loop(self.image)
        self.passed = self.failed = 0

    def step(self, name, scenario):
        overlay = ["--overlay", ""] if self.options.overlay else []
        return subprocess.run([TORTURE, self.tree, *overlay, "--scenario", scenario, "--step", name], capture_output=True)

    def must(self, name, scenario):
        done = self.step(name, scenario)
        assert done.returncode == 0, f"{scenario}: {name}: {done.stderr.decode()}"
        return done.stdout

    def leave(self):
        if self.options.overlay:
            libc.umount2(self.tree.encode(), 0)
        umount(self.at)

    def record(self, scenario, undo):
        """Carries it out. Gives what is on the disk before it, the log, the place in the log where it said that it is done, and
        the trees before and after."""
        subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", self.live.device], check=True)
        mount(self.live.device, self.at, "ext4")
        for suffix in ("", ".lower", ".upper"):
            os.makedirs(self.tree + suffix)
        self.must("reset", scenario)
        if undo:
            self.must("run", scenario)
        before = self.must("look", scenario)
        os.sync()
        base, start = bytes(self.disk.bytes), len(self.disk.log)
        self.must("undo" if undo else "run", scenario)
        done = len(self.disk.log) - start
        after = self.must("look", scenario)
        os.sync()
        log = self.disk.log[start:]
        self.leave()
        self.disk.log.clear()
        return base, log, done, before, after

    def disks(self, base, log):
        """(point, what was kept, bytes) of each disk to try."""
        flushed, pending = bytearray(base), []
        for point in range(len(log) + 1):
            if self.random.randrange(self.options.every) == 0:
                for kept in self.choices(pending):
                    disk = bytearray(flushed)
                    for offset, data in kept:
                        disk[offset:offset + len(data)] = data
                    yield point, f"{len(kept)} of {len(pending)} pending writes", disk
            if point < len(log) and log[point] is None:
                for offset, data in pending:
                    flushed[offset:offset + len(data)] = data
                pending = []
            elif point < len(log):
                pending.append(log[point])

    def choices(self, pending):
        yield pending
        if pending:
            yield []
        for _ in range(self.options.subsets if len(pending) > 1 else 0):
            share = self.random.random()
            yield [write for write in pending if self.random.random() < share]

    def wrong(self, scenario, disk, allowed):
        """What is wrong with the tree that a disk recovers to."""
        with open(self.image, "r+b") as f:
            f.write(disk)
        mount(self.dead.device, self.at, "ext4")
        try:
            if self.options.overlay and self.step("remount", scenario).returncode:
                return "the overlay cannot be mounted"
            done = self.step("judge", scenario)
            if done.returncode:
                return done.stderr.decode()
            look, _, litter = done.stdout.rpartition(b"\n--\n")
            if litter:
                return f"litter: {litter.decode()}"
            return "" if look + b"\n" in allowed else "neither old nor new, or not durable"
        finally:
            self.leave()

    def cut(self, scenario, undo):
        base, log, done, before, after = self.record(scenario, undo)
        for point, kept, disk in self.disks(base, log):
            wrong = self.wrong(scenario, disk, (after,) if point >= done else (before, after))
            self.passed, self.failed = self.passed + (not wrong), self.failed + bool(wrong)
            if wrong and self.failed <= SHOWN_MAX:
                print(f"BAD {scenario}{' (undo)' if undo else ''}: cut after {point} of {len(log)} (done at {done}), {kept}: {wrong}", flush=True)
        return len(log)

    def close(self):
        self.live.close(), self.dead.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--subsets", type=int, default=3)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--overlay", action="store_true")
    parser.add_argument("scenarios", nargs="*", default=SCENARIOS)
    options = parser.parse_args()
    if not os.environ.get("UNPIN_POWER_INSIDE"):
        os.environ["UNPIN_POWER_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])
    work = tempfile.mkdtemp(prefix="unpin-power-")
    cuts = None
    try:
        try:
            mount("tmpfs", work, "tmpfs")
            cuts = Cuts(work, options)
        except OSError as e:
            print(f"no disk of our own can be had here: {e}\n0 passed, 0 failed, 1 skipped")
            return 0
        for scenario in options.scenarios:
            for undo in (False, True):
                passed = cuts.passed
                length = cuts.cut(scenario, undo)
                print(f"{scenario}{' (undo)' if undo else ''}: {length} writes and flushes, {cuts.passed - passed} disks recovered", flush=True)
        print(f"{cuts.passed} passed, {cuts.failed} failed")
        return 1 if cuts.failed else 0
    finally:
        if cuts:
            cuts.close()
            umount(os.path.join(work, "fuse"), 2)
        umount(work, 2)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
