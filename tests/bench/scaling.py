#!/usr/bin/env python3
"""What `unpin check` and a warm plan cost against the number of installed distributions, next to uv.

Makes virtual environments of N distributions that hold nothing but their dist-info (METADATA, RECORD, INSTALLER, WHEEL), each
with a dozen requirements on others, half of them behind extras; a lock that pins all of them; and an index of local
pages (--find-links) with three releases of the project that the plan asks for. Runs each command --runs times, unpin and
uv in turn, and prints the least CPU time (user and system), the least wall time and the greatest memory of all runs.
uv is the one of the benchmark's tools (bench.py makes them) or the one on PATH; where there is none it is left out.
--figure writes the CPU times as a drawing.

    tests/bench/scaling.py [--unpin build/unpin] [--uv PATH] [--runs 20] [--sizes 100,300,1000,3000] [--figure FILE.svg]
"""
import argparse
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

SUMMARY = "Description of a distribution that is as long as such descriptions are.\n" * 60


def metadata(name, version, requires, extras=()):
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made for measuring",
             "Requires-Python: >=3.8", *(f"Provides-Extra: {extra}" for extra in extras),
             *(f"Requires-Dist: {line}" for line in requires), "", SUMMARY]
    return "\n".join(lines)


def make_environment(root, size):
    rng = random.Random(size)
    env = root / f"env-{size}"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    site = next(env.glob("lib/python3*/site-packages"))
    versions = {i: f"{rng.randrange(1, 9)}.{rng.randrange(20)}.{rng.randrange(10)}" for i in range(size)}
    for i, version in versions.items():
        requires = []
        for k in range(12 if i else 0):
            other = rng.randrange(i)
            marker = '; extra == "test"' if k % 2 else '; python_version >= "3.8"' if k % 4 == 0 else ""
            requires.append(f"project-{other}<10,>={versions[other]}{marker}")
        info = site / f"project_{i}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata(f"project-{i}", version, requires, ["test"] if i else []))
        (info / "RECORD").write_text(f"project_{i}/__init__.py,,\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    lock = root / f"lock-{size}.txt"
    lock.write_text("".join(f"project-{i}=={version}\n" for i, version in versions.items()))
    # What cannot have settled is not cached: the scan keeps nothing that is younger than a few seconds.
    old = time.time() - 3600
    for path in [site, *site.rglob("*")]:
        os.utime(path, (old, old))
    return env, lock


def make_links(root):
    links = root / "links"
    links.mkdir()
    for minor in range(3):
        requires = [f"project-{i}>=1" for i in range(20)]
        with zipfile.ZipFile(links / f"wanted-1.{minor}-py3-none-any.whl", "w") as wheel:
            info = f"wanted-1.{minor}.dist-info"
            wheel.writestr(f"{info}/METADATA", metadata("wanted", f"1.{minor}", requires))
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    return links


def run(argv, environment):
    """CPU seconds, wall seconds, MiB, status of one run."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def measure(commands, environment, runs):
    """The figures of each command, which take turns: CPU ms, wall ms, MiB."""
    results = [[run(argv, environment) for argv in commands] for _ in range(runs + 1)][1:]
    found = []
    for argv, rows in zip(commands, zip(*results)):
        statuses = {row[3] for row in rows}
        if not statuses <= {0}:
            sys.exit(f"{' '.join(argv)}: exit status {statuses}")
        found.append((min(r[0] for r in rows) * 1e3, min(r[1] for r in rows) * 1e3, max(r[2] for r in rows)))
    return found


def find_uv():
    data = os.environ.get("UNPIN_BENCH") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unpin-bench")
    made = os.path.join(data, "tools", "bin", "uv")
    return made if os.path.exists(made) else shutil.which("uv")


def draw(found, sizes):
    """CPU time against distributions, both logarithmic: one panel for each command."""
    width, height, left, top, inner, gap = 860, 300, 46, 34, 230, 48
    names = list(dict.fromkeys(name for name, _, _ in found))
    times = [row[0] for row in found.values()]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))
    colours = {"unpin": "#0b7a75", "uv": "#b5542b"}

    def across(panel, size):
        return left + panel * (inner + gap) + inner * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])

    def up(value):
        return top + (height - top - 44) * (1 - math.log(value / low) / math.log(high / low))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for panel, name in enumerate(names):
        out.append(f'<text x="{across(panel, sizes[0])}" y="16" font-size="13" font-weight="bold">{name}</text>')
        value = low
        while value <= high:
            out.append(f'<path d="M{across(panel, sizes[0])} {up(value):.1f}h{inner}" stroke="#dddddd"/>')
            out.append(f'<text x="{across(panel, sizes[0]) - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
            value *= 10
        for size in sizes:
            out.append(f'<text x="{across(panel, size):.1f}" y="{height - 26}" text-anchor="middle">{size}</text>')
        for tool in dict.fromkeys(t for n, _, t in found if n == name):
            points = [(across(panel, s), up(found[name, s, tool][0])) for s in sizes]
            out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{colours[tool]}" stroke-width="2"/>')
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[tool]}"/>' for x, y in points]
            x, y = points[-1]
            out.append(f'<text x="{x - 4:.1f}" y="{y - 8:.1f}" text-anchor="end" fill="{colours[tool]}">{tool}</text>')
    out.append(f'<text x="{left}" y="{height - 8}">CPU milliseconds of a whole process (user and system) against installed distributions</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unpin", default=str(pathlib.Path(__file__).parents[2] / "build/unpin"))
    parser.add_argument("--uv", default=find_uv())
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--sizes", default="100,300,1000,3000")
    parser.add_argument("--figure")
    options = parser.parse_args()
    sizes, found = [int(size) for size in options.sizes.split(",")], {}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        links = make_links(root)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "UNPIN_CACHE_DIR": str(root / "cache"), "UV_CACHE_DIR": str(root / "uv-cache")}
        print(f"{'distributions':>13}  {'command':<20} {'':6}{'CPU ms':>8} {'wall ms':>8} {'MiB':>6}")
        for size in sizes:
            env, lock = make_environment(root, size)
            python, index = ["--python", str(env / "bin/python")], ["--find-links", str(links), "--no-index"]
            place = [*python, "--lock", str(lock)]
            for name, unpin, uv in [("check", ["check", *place], ["check", *python]),
                                    ("plan, nothing to do", ["plan", "project-1", *place, *index], ["install", "--dry-run", "project-1", *python, *index]),
                                    ("plan that adds one", ["plan", "wanted", *place, *index], ["install", "--dry-run", "wanted", *python, *index])]:
                commands = [[options.unpin, *unpin], *([[options.uv, "pip", *uv]] if options.uv else [])]
                for tool, figures in zip(("unpin", "uv"), measure(commands, environment, options.runs)):
                    found[name, size, tool] = figures
                    print(f"{size:>13}  {name:<20} {tool:<6}{figures[0]:>8.1f} {figures[1]:>8.1f} {figures[2]:>6.1f}", flush=True)
    if options.figure:
        pathlib.Path(options.figure).write_text(draw(found, sizes))


if __name__ == "__main__":
    main()
