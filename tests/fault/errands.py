"""The main job in small: an environment with a lock, an index on loopback, and what one asks unpin there. For programs that
do it under an instrument (tools/instruments) or with something lacking (scarce.py)."""
import contextlib
import functools
import http.server
import os
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "cli"), os.path.join(ROOT, "tests", "hostile")]
import make_wheels
import world


def make_index(folder, count):
    """Wheels with `count` files each, and pages in HTML that list them."""
    files = {f"{{name}}/f{i}.py": f"# {i}\n" * 50 for i in range(count)}
    for name, version, requires in (("alpha", "1.0", []), ("alpha", "2.0", ["beta>=2"]), ("beta", "1.0", []), ("beta", "2.0", []), ("gamma", "1.0", ["absent"])):
        stubs = {path.format(name=name): text + version for path, text in files.items()}
        world.stub_wheel(os.path.join(folder, "files"), name, version, requires, files=stubs, scripts={f"{name}-run": f"{name}:main"})
    for name in ("alpha", "beta", "gamma"):
        os.makedirs(os.path.join(folder, "simple", name))
        links = [f'<a href="/files/{f}">{f}</a>' for f in sorted(os.listdir(os.path.join(folder, "files"))) if f.startswith(name)]
        with open(os.path.join(folder, "simple", name, "index.html"), "w", encoding="utf-8") as page:
            page.write("".join(links))


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass


@contextlib.contextmanager
def served(folder, count=5):
    """The URL of the index."""
    make_index(folder, count)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


def make_environment(folder, url):
    """A virtual environment in `folder` with its lock; the variables that unpin gets."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", os.path.join(folder, "env")], check=True)
    lock = os.path.join(folder, "constraint.txt")
    with open(lock, "w", encoding="utf-8") as f:
        f.write("beta==1.0\n")
    return world.clean_environment(HOME=folder, XDG_CACHE_HOME=os.path.join(folder, "cache"), PIP_CONFIG_FILE=os.devnull, VIRTUAL_ENV=os.path.join(folder, "env"),
                                   PIP_CONSTRAINT=lock, PIP_INDEX_URL=url, no_proxy="*", LC_ALL="C.UTF-8")


def errands(folder):
    """[(words, statuses that are right)], one after the other."""
    bad = make_wheels.make(os.path.join(folder, "bad"), {"r03_hash"})["r03_hash"]
    return [(["plan", "alpha"], {0}), (["install", "-y", "alpha==1.0", "beta==1.0"], {0}), (["check", "--files"], {0}),
            (["install", "-y", "-U", "alpha"], {0}), (["check", "--files", "--json"], {0}), (["locks"], {0}), (["history"], {0}),
            (["undo", "-y"], {0}), (["undo", "-y"], {0}), (["plan", "--json", "gamma"], {3}), (["install", "-y", bad], {1}),
            (["why", "beta"], {0}), (["explain", "U016"], {0})]
