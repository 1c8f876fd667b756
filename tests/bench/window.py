#!/usr/bin/env python3
"""How long can others see a mix while files change, and what do they see?

    window.py [--files 100,1000] [--rounds 10]

An upgrade of a stub of N modules and its undo, over and over. A watcher looks, as fast as it can, whether there is a METADATA: between the
old one's end and the new one's beginning the distribution is not installed, and files change. Meanwhile interpreters start, import all
modules of the stub and say whether they are of one version, of two, or missing.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "cli")]
import world as worlds

SEES = "import big, os, sys\ntry:\n  found = {__import__('big.m%d' % i, fromlist=['v']).v for i in range(int(sys.argv[1]))} | {big.v}\n  print('one' if len(found) == 1 else 'two')\nexcept ImportError: print('missing')"


def watch(site, stop, windows):
    """Appends to `windows` each time, in seconds, in which there was no METADATA of either version."""
    paths, gone = [os.path.join(site, f"big-{v}.dist-info", "METADATA") for v in ("1.0", "2.0")], None
    while not stop.is_set():
        if any(map(os.path.exists, paths)):
            if gone is not None:
                windows.append(time.perf_counter() - gone)
                gone = None
        elif gone is None:
            gone = time.perf_counter()


def measure(folder, files, rounds):
    prefix, wheels = os.path.join(folder, f"env{files}"), os.path.join(folder, f"wheels{files}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    python = os.path.join(prefix, "bin", "python")
    site = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True).stdout.strip()
    for version in ("1.0", "2.0"):
        worlds.stub_wheel(wheels, "big", version, files={"big/__init__.py": f"v = {version}\n", **{f"big/m{i}.py": f"v = {version}\n" for i in range(files)}})
    env = worlds.clean_environment(HOME=folder, XDG_CACHE_HOME=folder, PIP_CONFIG_FILE=os.devnull)

    def unpin(*words):
        subprocess.run([os.path.join(ROOT, "build", "unpin"), *words, "-q", "-y", "--python", python], check=True, env=env, stdout=subprocess.DEVNULL)

    unpin("install", "--no-index", "--find-links", wheels, "big==1.0")
    windows, seen, stop = [], {"one": 0, "two": 0, "missing": 0}, threading.Event()

    def look():
        while not stop.is_set():
            seen[subprocess.run([python, "-B", "-c", SEES, str(files)], capture_output=True, text=True, env=env).stdout.strip() or "missing"] += 1

    threads = [threading.Thread(target=watch, args=(site, stop, windows)), threading.Thread(target=look)]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        unpin("install", "--no-imports", "--no-index", "--find-links", wheels, "big==2.0")
        unpin("undo")
    stop.set()
    for thread in threads:
        thread.join()
    print(f"| {files} | {1000 * statistics.median(windows):.1f} | {1000 * max(windows):.1f} | {seen['one']} | {seen['two']} | {seen['missing']} |", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--files", default="100,1000")
    options.add_argument("--rounds", type=int, default=10)
    args = options.parse_args()
    print("| files | window, median ms | longest ms | interpreters that saw one version | two | an import that fails |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="unpin-window-") as folder:
        for files in map(int, args.files.split(",")):
            measure(folder, files, args.rounds)


if __name__ == "__main__":
    main()
