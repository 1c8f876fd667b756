#!/usr/bin/env python3
"""unpin, uv and pip on one environment of 296 distributions: how fast, and how good.

    bench.py                     times (warm and cold caches), then the table of results over all scenarios
    bench.py time [--runs N] [--scenarios a,b] [--tools unpin,uv,pip] [--latency-ms N]
    bench.py table [--tools ...] [--scenarios ...] [--out FILE]
    bench.py requests [--scenarios a,b] [--with-uv] [--resume]
                                 some 210 requests on the environment, on one with the real lock of an image and its
                                 Python (3.12), and on each image of the catalog, each plan judged by other means
                                 (judge.py); 10 minutes, with uv as the rival some hours at first. --resume goes on
                                 where a run of the same program stopped.
    bench.py documents [--tools ...] [--scenarios ...]

The environment (a stand-in for the image NGC PyTorch 25.04), the tools and a frozen index are made once under
$UNPIN_BENCH (else unpin-bench in $XDG_CACHE_HOME or ~/.cache): about 5 minutes, 1.5 GB, Python 3.11, and the package
index that pip is configured for. The second environment (make_image_env.py, under env312) is made when `requests` first
wants it; where there is no Python 3.12 that is said, and it is left out. Times are wall times of whole processes that plan without changing anything
(`unpin plan`, `uv pip install --dry-run`, `pip install --dry-run`), interleaved: in each turn every tool once, so that
what else the machine does hits all of them. The index is stubindex.py on loopback, without network.
"""
import argparse
import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("UNPIN_BENCH") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unpin-bench")
WORK = os.environ.get("UNPIN_BENCH_WORK") or DATA
TOOLS = os.path.join(DATA, "tools", "bin")
PORT = 8090
# An addition, one lift, lockstep lifts, a downgrade, and many changes; each possible for all tools once the lock is away.
TIMED = "black-25.9.0,modelopt-0.27,transformers-ge-4.51,peft,jsonschema-lt-4.20"
ADAPTERS = {"unpin": "unpin", "uv": "uv-nolock", "uv-lock": "uv-lock", "pip": "pip-nolock", "pip-lock": "pip-lock", "uv-expert": "uv-allbut"}


def python(minor):
    """An interpreter of Python 3.minor that makes environments, or None."""
    name = f"python3.{minor}"
    for path in (sys.executable, name, *sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{minor}.*/bin/{name}")))):
        done = subprocess.run([path, "-c", "import sys, ensurepip; print(sys.version_info[:2])"], capture_output=True, text=True) if shutil.which(path) else None
        if done and done.stdout.strip() == f"(3, {minor})":
            return path
    return None


def python311():
    return python(11) or sys.exit("the environment of the benchmark wants Python 3.11")


def prepare():
    """Makes what is missing of the environment, the tools and the assets."""
    os.makedirs(DATA, exist_ok=True), os.makedirs(WORK, exist_ok=True)
    if not os.path.exists(os.path.join(TOOLS, "uv")):
        subprocess.run([python311(), "-m", "venv", os.path.dirname(TOOLS)], check=True)
        subprocess.run([os.path.join(TOOLS, "python"), "-m", "pip", "install", "-q", "uv", "packaging"], check=True)
    if not os.path.exists(os.path.join(DATA, "base.json")):
        print("making the environment (2 to 5 minutes)", flush=True)
        subprocess.run([python311(), os.path.join(HERE, "make_env.py"), "--dest", DATA], check=True)
    if not os.path.exists(os.path.join(DATA, "assets", "requirements.txt")):
        subprocess.run([python311(), os.path.join(HERE, "make_assets.py"), os.path.join(DATA, "assets")], check=True)


def free_port():
    """PORT if nothing listens there, so that caches of the run before are of the same index; else any."""
    for port in (PORT, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                continue
    sys.exit("no port is free for the index")


class Index:
    """The frozen index on loopback, ended with the block. One that serves $UNPIN_BENCH_INDEX already is left alone."""

    def __init__(self, latency_ms):
        self.url, self.latency_ms, self.server = os.environ.get("UNPIN_BENCH_INDEX"), latency_ms, None

    def __enter__(self):
        if not self.url:
            port = free_port()
            self.url = f"http://127.0.0.1:{port}/simple/"
            argv = [os.path.join(TOOLS, "python"), os.path.join(HERE, "stubindex.py"), "--port", str(port), "--store", os.path.join(WORK, "store"),
                    "--pep658", "--budget-mb", "6000", "--latency-ms", str(self.latency_ms)]
            self.server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                urllib.request.urlopen(self.url.replace("/simple/", "/stats"), timeout=5).close()
                return self
            except OSError:
                time.sleep(0.1)
        sys.exit(f"no index at {self.url}")

    def __exit__(self, *unused):
        if self.server:
            self.server.terminate()
            self.server.wait()


def use_tools(script):
    """Starts the script again in the interpreter of the tools, if this is another one."""
    if os.path.realpath(sys.prefix) != os.path.realpath(os.path.dirname(TOOLS)):
        python = os.path.join(TOOLS, "python")
        os.execv(python, [python, os.path.abspath(script), *sys.argv[1:]])


def runner():
    sys.path.insert(0, HERE)
    import run  # needs the packaging library, which the interpreter of the tools has
    return run


def measure(run, index, scenarios, tools, runs):
    """{(scenario, tool): {"cold": [s], "warm": [s], "status": n}}, interleaved."""
    adapters, keep, found = run.adapters(), run.CACHE, {}
    for scenario in scenarios:
        for turn in range(runs + 1):
            for tool in tools:
                row = found.setdefault((scenario["name"], tool), {"cold": [], "warm": []})
                for kind in ("cold", "warm"):
                    run.CACHE = os.path.join(WORK, "timecache", tool)
                    if kind == "cold":
                        shutil.rmtree(run.CACHE, ignore_errors=True)
                    result = run.one(scenario, ADAPTERS[tool], adapters[ADAPTERS[tool]], "dry", index.url, 600)
                    row["status"] = result["exit"]
                    if turn:  # the first turn fills the index's store and the machine's memory
                        row[kind].append(result["precise_s"])
    run.CACHE = keep
    return found


def print_times(found, scenarios, tools):
    for kind in ("warm", "cold"):
        print(f"\n{kind} cache, median of {len(next(iter(found.values()))[kind])} (milliseconds; times as slow as unpin)")
        print(f"{'request':24}" + "".join(f"{t:>18}" for t in tools))
        ratios = {t: [] for t in tools}
        for scenario in scenarios:
            line = f"{scenario['name']:24}"
            base = statistics.median(found[scenario["name"], tools[0]][kind])
            for tool in tools:
                row = found[scenario["name"], tool]
                middle = statistics.median(row[kind])
                ratios[tool].append(middle / base)
                status = "" if row["status"] == 0 else f" (exit {row['status']})"
                line += f"{middle * 1000:9.1f} {middle / base:6.1f}x{status:>1}"
            print(line)
        print(f"{'median ratio':24}" + "".join(f"{statistics.median(ratios[t]):16.1f}x " for t in tools))


def documents(run, index, scenarios, tools):
    """Pages and metadata that each tool asks for with an empty cache; uv-expert is the rival that solves the same problem."""
    adapters, keep, sums = run.adapters(), run.CACHE, {t: 0 for t in tools}
    print(f"\ndocuments, cold: pages + metadata\n{'request':24}" + "".join(f"{t:>18}" for t in tools))
    for scenario in scenarios:
        line = f"{scenario['name']:24}"
        for tool in tools:
            run.CACHE = os.path.join(WORK, "documentcache", tool)
            shutil.rmtree(run.CACHE, ignore_errors=True)
            result = run.one(scenario, ADAPTERS[tool], adapters[ADAPTERS[tool]], "dry", index.url, 600)
            sums[tool] += result["pages"] + result["metadata"]
            counted = f"{result['pages']}+{result['metadata']}={result['pages'] + result['metadata']}"
            line += f"{counted if result['exit'] in (0, 3) or tool != 'unpin' else 'exit ' + str(result['exit']):>18}"
        print(line, flush=True)
    print(f"{'in all':24}" + "".join(f"{sums[t]:>18}" for t in tools))
    run.CACHE = keep


def table(run, index, scenarios, tools, out):
    """Each tool over each scenario, judged by the requirements themselves."""
    adapters, results = run.adapters(), {}
    head = f"{'request':22}{'fewest':>7}" + "".join(f" | {t:^26}" for t in tools)
    print("\n" + head + "\n" + "-" * len(head))
    for scenario in scenarios:
        line = f"{scenario['name']:22}{'none' if scenario['fewest'] is None else scenario['fewest']:>7}"
        for tool in tools:
            result = results[scenario["name"], tool] = run.one(scenario, ADAPTERS[tool], adapters[ADAPTERS[tool]], "dry", index.url, 600)
            moved = f"{result['n_changed']:>3} moved {result['n_added']:>2} new" if result["exit"] == 0 and "n_changed" in result else f"exit {result['exit']}"
            line += f" | {result['verdict']:8} {moved:17}"
        print(line, flush=True)
    for tool in tools:
        verdicts = [results[s["name"], tool]["verdict"] for s in scenarios]
        print(f"{tool}: " + ", ".join(f"{v} {verdicts.count(v)}" for v in sorted(set(verdicts))))
    print("\nOK: met, nothing newly broken, vendor builds untouched. ALLOWED: OK with declared allowances (a vendor's pre-release taken as its release).\n"
          "REFUSED: proven impossible. FAIL: exit status other than 0. BREAKS, VENDOR, SHADOWS, UNMET: done, and wrong.\n"
          "fewest: the locks that must change, subset-minimal by uv, without the floor rule.")
    if out:
        with open(out, "w") as f:
            json.dump([r for r in results.values()], f, indent=1)


def second(index):
    """The folder of the environment with an image's true lock and Python, made where it is not; None where Python 3.12 is not."""
    for folder in (os.path.join(DATA, "env312"), os.path.join(WORK, "env312")):
        if os.path.exists(os.path.join(folder, "base.json")):
            return os.path.realpath(folder)
    interpreter = python(12)
    if not interpreter:
        return None
    print("\nmaking the environment with the real lock of an image (5 to 10 minutes at first)", flush=True)
    folder = os.path.join(DATA, "env312")
    subprocess.run([sys.executable, os.path.join(HERE, "make_image_env.py"), "--python", interpreter, "--index-url", index.url, "--dest", folder], check=True)
    return folder


def places(index):
    """(name, arguments of judge.py) of each environment."""
    for name, folder in (("stand-in", DATA), ("real-lock-3.12", second(index))):
        if not folder:
            yield name, None
        else:
            yield name, ["--prefix", os.path.join(folder, "base"), "--lock", os.path.join(folder, "constraint.txt"), "--vendor", os.path.join(folder, "base.json")]
    for file in sorted(glob.glob(os.path.join(HERE, "../../catalog/images/*.json"))):
        with open(file) as f:
            image = json.load(f)["name"]
        yield image, ["--image", image]


def requests(index, names, with_uv, resume):
    """Every request on every environment, judged one by one, then side by side."""
    judge = [sys.executable, os.path.join(HERE, "judge.py"), "--index-url", index.url, "--assets", os.path.join(DATA, "assets")]
    judge += ["--uv", os.path.join(TOOLS, "uv")] if with_uv else []
    judge += ["--resume"] if resume else []
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "jsonschema"], check=True)
    os.environ["UNPIN_CATALOG"] = os.path.join(HERE, "../../catalog")
    found, skipped, bad = [], [], 0
    for name, where in places(index):
        if not where:
            skipped.append(f"SKIPPED: {name} (no Python 3.12 that makes virtual environments is here)")
            print(f"\n{skipped[-1]}", flush=True)
            continue
        work = os.path.join(WORK, "judge", name.replace(":", "-"))
        os.makedirs(work, exist_ok=True)
        out = os.path.join(work, name.replace(":", "-") + ".jsonl")
        found.append(out)
        if os.path.exists(out) and not resume:
            os.remove(out)
        print(f"\n{name}", flush=True)
        bad += subprocess.run([*judge, *where, "--work", work, "--out", out, "--around", *names]).returncode
    subprocess.run([*judge[:2], "--table", *found])
    print(*skipped, sep="\n")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["time", "table", "documents", "requests"])
    parser.add_argument("--with-uv", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scenarios")
    parser.add_argument("--tools")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--out")
    options = parser.parse_args()
    prepare()
    use_tools(__file__)
    run = runner()
    with Index(options.latency_ms) as index:
        run.PROXY_NOW = run.PROXY = index.url
        if options.what == "requests":
            sys.exit(1 if requests(index, options.scenarios.split(",") if options.scenarios else [], options.with_uv, options.resume) else 0)
        known = {s["name"]: s for s in json.load(open(os.path.join(HERE, "scenarios.json")))}
        if options.what in (None, "time"):
            scenarios = [known[n] for n in (options.scenarios or TIMED).split(",")]
            tools = (options.tools or "unpin,uv,pip").split(",")
            print_times(measure(run, index, scenarios, tools, options.runs), scenarios, tools)
        if options.what == "documents":
            scenarios = [known[n] for n in options.scenarios.split(",")] if options.scenarios else list(known.values())
            documents(run, index, scenarios, (options.tools or "unpin,uv,uv-expert").split(","))
        if options.what in (None, "table"):
            scenarios = [known[n] for n in options.scenarios.split(",")] if options.scenarios else list(known.values())
            table(run, index, scenarios, (options.tools or "unpin,uv-lock,uv,pip-lock,pip,uv-expert").split(","), options.out)


if __name__ == "__main__":
    main()
