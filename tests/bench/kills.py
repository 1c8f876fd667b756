#!/usr/bin/env python3
"""SIGKILL at random times of the same change by pip, uv and unpin: how often is the environment broken afterwards?

    kills.py [--kills N] [--tools pip,uv,unpin]

The change is black 23.7.0 → 25.9.0 with what it needs, from local wheels, in the environment of tests/cli on an overlay
mount (run it as `unshare -m --propagation private`). Kills are spread evenly over the time that a whole run of that tool
takes here. Broken: a changed distribution does not import, has no dist-info or two, or files that are not what RECORD says.
unpin is judged after `unpin recover`, as its next command would do it. uv is skipped where it is not on PATH ($UV).
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "cli"), os.path.join(os.path.dirname(HERE), "server")]
import conftest
import world as worlds
from index_server import IndexServer

JUDGE = r"""
import base64, hashlib, importlib.metadata as m, os, sys
bad = []
names = [d.name.lower().replace('_', '-') for d in m.distributions() if d.name]
for name in ('black', 'click', 'pathspec', 'platformdirs', 'packaging', 'mypy-extensions'):
    if names.count(name) != 1: bad.append(f'{name}: {names.count(name)} dist-info'); continue
    for f in m.distribution(name).files or [None]:
        if f is None: bad.append(name + ': no RECORD'); break
        if not f.hash: continue
        try: data = open(f.locate(), 'rb').read()
        except OSError: bad.append(str(f)); break
        if base64.urlsafe_b64encode(hashlib.new(f.hash.mode, data).digest()).rstrip(b'=').decode() != f.hash.value: bad.append(str(f)); break
try: import black, click, pathspec, platformdirs, packaging, mypy_extensions
except BaseException as e: bad.append(repr(e))
print('; '.join(bad))
"""


def commands(env, uv):
    links = [a for d in (env.world.wheels, env.world.stubs) for a in ("--find-links", d)]
    return {
        "pip": [env.python, "-m", "pip", "install", "-q", "--no-index", "--no-compile", *links, "black==25.9.0"],
        "uv": [uv, "pip", "install", "-q", "--no-index", "--python", env.python, *links, "black==25.9.0"],
        "unpin": env.argv("install", "-y", "black==25.9.0"),
    }


def one(world, binary, url, tool, uv, after):
    """Runs the tool in a fresh environment, killed `after` seconds (None: not); gives (time, what is broken)."""
    folder = tempfile.mkdtemp(prefix="unpin-kills-")
    env = conftest.make_environment(world, binary, folder, url, "overlay")
    try:
        variables = env.variables if tool == "unpin" else {**env.variables, "PIP_CONSTRAINT": "", "UV_CACHE_DIR": os.path.join(worlds.CACHE, "uv")}
        variables = {**variables, "XDG_CACHE_HOME": os.path.join(worlds.CACHE, "kills")}
        begin = time.monotonic()
        child = subprocess.Popen(commands(env, uv)[tool], env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            child.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait()
        took = time.monotonic() - begin
        assert after is not None or (child.returncode == 0 and env.installed()["black"] == "25.9.0"), f"{tool} does not install"
        if tool == "unpin":
            env.run("recover")
        judged = subprocess.run([env.python, "-B", "-c", JUDGE], capture_output=True, text=True, cwd=folder)
        return took, judged.stdout.strip() or judged.stderr.strip()
    finally:
        conftest.drop_environment(env, "overlay")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--tools", default="pip,uv,unpin")
    options = parser.parse_args()
    uv = os.environ.get("UV") or shutil.which("uv")
    world, binary, random_ = worlds.World(), conftest.binary(), random.Random(1)
    with IndexServer([world.wheels, world.stubs], world.dates()) as index:
        print("tool   broken of killed   whole run", flush=True)
        for tool in options.tools.split(","):
            if tool == "uv" and not uv:
                print("uv     skipped: not here", flush=True)
                continue
            one(world, binary, index.url, tool, uv, None)  # warms the caches
            whole, wrong = one(world, binary, index.url, tool, uv, None)
            assert not wrong, f"{tool} breaks the environment without a kill: {wrong}"
            broken = sum(bool(one(world, binary, index.url, tool, uv, random_.uniform(0, whole))[1]) for _ in range(options.kills))
            print(f"{tool:6} {broken:6} of {options.kills:<6}   {whole:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
