#!/usr/bin/env python3
"""What `unpin check` and a warm plan cost against the number of installed distributions.

Makes virtual environments of N distributions that hold nothing but their dist-info (METADATA, RECORD, INSTALLER), each
with a dozen requirements on others, half of them behind extras; a lock that pins all of them; and an index of local
pages (--find-links) with three releases of the project that the plan asks for. Runs each command --runs times and prints
the least CPU time (user and system), the least wall time and the greatest memory of all runs.

    tests/bench/scaling.py [--unpin build/unpin] [--runs 20] [--sizes 100,300,1000,3000]
"""
import argparse
import os
import pathlib
import random
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


def measure(argv, environment, runs):
    results = [run(argv, environment) for _ in range(runs + 1)][1:]
    statuses = {result[3] for result in results}
    if not statuses <= {0}:
        sys.exit(f"{' '.join(argv)}: exit status {statuses}")
    return min(r[0] for r in results) * 1e3, min(r[1] for r in results) * 1e3, max(r[2] for r in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unpin", default=str(pathlib.Path(__file__).parents[2] / "build/unpin"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--sizes", default="100,300,1000,3000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        links = make_links(root)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "UNPIN_CACHE_DIR": str(root / "cache")}
        print(f"{'distributions':>13}  {'command':<12} {'CPU ms':>8} {'wall ms':>8} {'MiB':>6}")
        for size in map(int, options.sizes.split(",")):
            env, lock = make_environment(root, size)
            place = ["--python", str(env / "bin/python"), "--lock", str(lock)]
            index = ["--find-links", str(links), "--no-index"]
            for name, argv in [("check", ["check", *place]), ("plan, no-op", ["plan", "project-1", *place, *index]),
                               ("plan wanted", ["plan", "wanted", *place, *index])]:
                cpu, wall, memory = measure([options.unpin, *argv], environment, options.runs)
                print(f"{size:>13}  {name:<12} {cpu:>8.1f} {wall:>8.1f} {memory:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
