#!/usr/bin/env python3
"""One table: how long unpin, uv and pip take for the same things, side by side, with cold and warm caches.

    speed.py [--runs N] [--tools unpin,uv,pip] [--rows noop,plan,small,many,check] [--disk both|memory|DIR] [--out FILE]

noop    `install` of what is there already: requests, transformers, numpy; 296 distributions, all locked
plan    five plans over the same environment that change nothing (bench.py time tells them apart)
small   one wheel of 16 files into a virtual environment; with the imports that uv and pip do not do, and without
many    30 wheels, 10,437 files, 249 MB unpacked; the same, and without fsyncs
check   `check` of the 296 distributions

In memory (an ext4 whose blocks are in memory, for root) fsyncs are work of the same processors, and what uv leaves to be written later
never is. So with `--disk both` (what root gets) or DIR small and many are told a second time, on a real disk, where the column "uv + sync"
is uv and then `sync -f` of its file system: the same promise as unpin's, that what is done survives a power cut. pip is left out there: it
takes most of the time and tells nothing more.

Of rows with several commands, each figure is the median over the commands of the medians over the runs, and a ratio the median of the
commands' ratios: how many times as long as unpin. MiB: the most memory that the tool had itself. Without its lock (uv, pip) where it would refuse
the plan. Commands and figures: install.py and bench.py, whose environment, index and disk these are.
"""
import argparse
import json
import os
import shutil
import statistics
import time

import bench
import install

ROWS = {
    "noop": "(a) nothing to do",
    "plan": "(b) plan",
    "small": "(c) one wheel",
    "many": "(d) 30 wheels",
    "check": "(e) check",
}
NOOP = ["requests", "transformers", "numpy"]
FOUND_ONES = (0, 1, 5)  # `check` of an environment with requirements that are not met
VARIANTS = {"unpin-noimports": "  without imports", "unpin-nosync": "  nor fsyncs"}
DURABLE = {"unpin": "unpin", "unpin-noimports": "no imports", "uv": "uv", "uv-sync": "uv + sync"}


class Environment:
    """What plans and checks are about: the 296 distributions below an overlay, or themselves where none may be mounted."""

    def __init__(self, room, index):
        self.room, self.index = room, index
        self.lock = os.path.join(room.root, "constraint.txt")
        shutil.copy(os.path.join(bench.DATA, "constraint.txt"), self.lock)
        self.prefix, self.drop = room.copy("overlay") if os.geteuid() == 0 else (os.path.join(bench.DATA, "base"), lambda: None)

    def argv(self, tool, row, args):
        python = os.path.join(self.prefix, "bin/python")
        if tool == "unpin":
            words = {"noop": ["install", "-y", "-q"], "plan": ["plan", "--json"], "check": ["check"]}[row]
            index = [] if row == "check" else ["--index-url", self.index]
            return [install.UNPIN, *words, "--python", python, "--lock", self.lock, *index, *args]
        front = [os.path.join(bench.TOOLS, "uv"), "pip"] if tool == "uv" else [os.path.join(bench.TOOLS, "python"), "-m", "pip", "--python", python]
        back = ["--python", python] if tool == "uv" else []
        if row == "check":
            return [*front, "check", *back]
        dry = ["--dry-run"] if row == "plan" else ["--constraint", self.lock]
        return [*front, "install", "-q", *back, *dry, "--index-url", self.index, *args]

    def measure(self, tool, row, args, cold):
        cache = os.path.join(self.room.root, "cache", tool)
        if cold:
            shutil.rmtree(cache, ignore_errors=True)
        env = install.clean_env(UNPIN_CACHE_DIR=cache, UV_CACHE_DIR=cache, PIP_CACHE_DIR=cache)
        return self.room.figures(self.argv(tool, row, args), env, f"{tool}, {' '.join([row, *args])}", FOUND_ONES if row == "check" else (0,))


def commands(run, row, index):
    if row == "noop":
        return [[name] for name in NOOP]
    if row == "check":
        return [[]]
    known = {s["name"]: s for s in json.load(open(os.path.join(bench.HERE, "scenarios.json")))}
    return [run.subst(known[name]["args"], index) for name in bench.TIMED.split(",")]


def said(row, begin):
    print(f"  {ROWS[row]}: {time.monotonic() - begin:.0f} s", flush=True)


def measure(run, room, index, rows, tools, runs):
    """{(row, kind, tool): [figures of each command: [figures of each run]]}, tools taking turns."""
    found, environment = {}, Environment(room, index)
    try:
        for row in [r for r in rows if r not in install.REQUESTS]:
            begin = time.monotonic()
            for number, args in enumerate(commands(run, row, index)):
                for turn in range(runs + 1):
                    for tool in tools:
                        for kind in ("cold", "warm"):
                            figures = environment.measure(tool, row, args, kind == "cold")
                            if turn:  # the first turn fills the machine's memory and the index's store
                                of_row = found.setdefault((row, kind, tool), [])
                                of_row += [[]] * (number == len(of_row))
                                of_row[number] = [*of_row[number], figures]
            said(row, begin)
    finally:
        environment.drop()
    return {**found, **measure_installs(room, rows, [*tools, *VARIANTS] if "unpin" in tools else tools, runs, 0)}


def measure_installs(room, rows, tools, runs, first):
    found = {}
    for row in [r for r in rows if r in install.REQUESTS]:
        begin = time.monotonic()
        found.update({key: [figures] for key, figures in room.measure([row], tools, runs, first).items()})
        said(row, begin)
    return found


def middle(of_row, column):
    return [statistics.median(figures[column] for figures in runs) for runs in of_row]


def print_table(found, rows, tools, runs):
    print(f"\nmedian of {runs}: milliseconds, times as long as unpin, MiB")
    print(f"{'':20}{'cache':6}" + "".join(f"{t:>22}" for t in tools))
    for row in rows:
        for kind in ("warm", "cold"):
            lines = [(ROWS[row], "unpin", tools)]
            lines += [(label, variant, [variant, *tools[1:]]) for variant, label in VARIANTS.items() if (row, kind, variant) in found]
            for label, base, columns in lines:
                own = middle(found[row, kind, base], 0) if (row, kind, base) in found else None
                text = f"{label:20}{kind:6}"
                for tool in columns:
                    walls, peaks = middle(found[row, kind, tool], 0), middle(found[row, kind, tool], 3)
                    ratio = f"{statistics.median(w / o for w, o in zip(walls, own)):.1f}x" if own and tool != base else ""
                    text += f"{statistics.median(walls) * 1000:9.0f}{ratio:>8}{statistics.median(peaks):5.0f}"
                print(text)


def print_durable(found, rows, tools, runs, where):
    print(f"\nthe same on the disk of {where}, median of {runs}: milliseconds, times as long as unpin without imports (as uv and pip do)")
    print(f"{'':20}{'cache':6}" + "".join(f"{DURABLE[t]:>17}" for t in tools))
    base = "unpin-noimports" if "unpin-noimports" in tools else tools[0]
    for row in [r for r in rows if r in install.REQUESTS]:
        for kind in ("warm", "cold"):
            own = middle(found[row, kind, base], 0)[0]
            text = f"{ROWS[row]:20}{kind:6}"
            for tool in tools:
                wall = middle(found[row, kind, tool], 0)[0]
                text += f"{wall * 1000:9.0f}{f'{wall / own:.1f}x' if tool != base else '':>8}"
            print(text)


def told(found):
    return [{"row": r, "cache": k, "tool": t, "commands": figures} for (r, k, t), figures in found.items()]


def on(where, make):
    """What `make` gives for a room on that disk."""
    server, url = install.Wheelhouse(0).serve()
    disk = install.Disk(where)
    try:
        print(f"measuring on {'a disk in memory' if where == 'memory' else where}", flush=True)
        return make(install.Bench(disk, url))
    finally:
        disk.close()
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tools", default="unpin,uv,pip")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--disk", default="both" if os.geteuid() == 0 else bench.WORK)
    parser.add_argument("--out")
    options = parser.parse_args()
    bench.prepare()
    bench.use_tools(__file__)
    rows, tools = options.rows.split(","), options.tools.split(",")
    first, real = ("memory", bench.WORK) if options.disk == "both" else (options.disk, options.disk)
    with bench.Index(0) as index:
        run = bench.runner()
        run.PROXY_NOW = run.PROXY = index.url
        found = on(first, lambda room: measure(run, room, index.url, rows, tools, options.runs))
    print_table(found, rows, tools, options.runs)
    durable, columns = {}, [t for t in DURABLE if t.split("-")[0] in tools]
    if real != "memory" and any(r in install.REQUESTS for r in rows):
        durable = on(real, lambda room: measure_installs(room, rows, columns, options.runs, 1))
        print_durable(durable, rows, columns, options.runs, real)
    if options.out:
        with open(options.out, "w") as f:
            json.dump({"all": told(found), "disk": told(durable)}, f, indent=1)


if __name__ == "__main__":
    main()
