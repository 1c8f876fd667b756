#!/usr/bin/env python3
"""unpin, uv and pip on one environment of 296 distributions: how fast, and how good.

    bench.py                     all stages of `make bench`, one after the other: the environment, times (speed.py), sizes
                                 (scaling.py), the scenarios with unpin, uv and pip, and a sample of the judged requests. From nothing half an
                                 hour on an idle machine with a network; what was made is kept, scenarios and requests that this
                                 very program was asked before are not asked again.
    bench.py time [--runs N] [--scenarios a,b] [--tools unpin,uv,pip] [--latency-ms N]
    bench.py table [--tools ...] [--scenarios ...] [--out FILE] [--timeout S] [--resume]
    bench.py requests [--scenarios a,b | --every N] [--with-uv] [--resume]
                                 some 210 requests on the environment, on one with the real lock of an image and its
                                 Python (3.12), and on each image of the catalog, each plan judged by other means
                                 (judge.py); 10 minutes, with uv as the rival some hours at first. --every N: of each
                                 environment every Nth, not the same ones in each. --resume goes on where a run of the same
                                 program stopped.
    bench.py documents [--tools ...] [--scenarios ...]

$UNPIN_BENCH_REQUESTS says how many requests of each environment the stage of `make bench` judges: 20, or `all`.

The environment (a stand-in for the image NGC PyTorch 25.04), the tools and a frozen index are made once under
$UNPIN_BENCH (else unpin-bench in $XDG_CACHE_HOME or ~/.cache): about 5 minutes, 1.5 GB, Python 3.11, and the package
index that pip is configured for. The second environment (make_image_env.py, under env312) is made when `requests` first
wants it; where there is no Python 3.12 that is said, and it is left out. Times are wall times of whole processes that plan without changing anything
(`unpin plan`, `uv pip install --dry-run`, `pip install --dry-run`), interleaved: in each turn every tool once, so that
what else the machine does hits all of them. The index is stubindex.py on loopback, without network.
"""
import argparse
import glob
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import install

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("UNPIN_BENCH") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unpin-bench")
WORK = os.environ.get("UNPIN_BENCH_WORK") or DATA
TOOLS = os.path.join(DATA, "tools", "bin")
PORT = 8090
SAMPLE = 20
LIMIT_S = 180  # for one tool and one scenario in `make bench`
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
        subprocess.run([os.path.join(TOOLS, "python"), "-m", "pip", "install", "-q", "uv", "packaging", "jsonschema"], check=True)
    if not os.path.exists(os.path.join(DATA, "base.json")):
        print("making the environment (4 minutes, most of them pip's)", flush=True)
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


def program():
    """Tells the program, and what is asked of it, from others: results of another one are no results."""
    parts = [os.environ.get("UNPIN") or os.path.join(HERE, "../../build/unpin"), os.path.join(HERE, "scenarios.json"), os.path.join(HERE, "run.py")]
    return hashlib.sha256(b"".join(open(part, "rb").read() for part in parts)).hexdigest()


def kept(out, resume):
    """{(scenario, tool): result} that `out` holds of this very program."""
    if not resume or not out or not os.path.exists(out):
        return {}
    with open(out) as f:
        return {(r["scenario"], r["tool"]): r for r in json.load(f) if r.get("program") == program()}


def table(run, index, scenarios, tools, out, timeout, resume):
    """Each tool over each scenario, judged by the requirements themselves."""
    adapters, results, old = run.adapters(), {}, kept(out, resume)
    head = f"{'request':22}{'fewest':>7}" + "".join(f" | {t:^26}" for t in tools)
    print("\n" + head + "\n" + "-" * len(head))
    for scenario in scenarios:
        line = f"{scenario['name']:22}{'none' if scenario['fewest'] is None else scenario['fewest']:>7}"
        for tool in tools:
            key = (scenario["name"], tool)
            result = results[key] = old.get(key) or run.one(scenario, ADAPTERS[tool], adapters[ADAPTERS[tool]], "dry", index.url, timeout)
            result.update(scenario=scenario["name"], tool=tool, program=program())
            moved = f"{result['n_changed']:>3} moved {result['n_added']:>2} new" if result["exit"] == 0 and "n_changed" in result else f"exit {result['exit']}"
            line += f" | {result['verdict']:8} {moved:17}"
        print(line, flush=True)
        keep(out, results)
    for tool in tools:
        verdicts = [results[s["name"], tool]["verdict"] for s in scenarios]
        print(f"{tool}: " + ", ".join(f"{v} {verdicts.count(v)}" for v in sorted(set(verdicts))))
    print("\nOK: met, nothing newly broken, vendor builds untouched. ALLOWED: OK with declared allowances (a vendor's pre-release taken as its release).\n"
          "REFUSED: proven impossible. FAIL: exit status other than 0. BREAKS, VENDOR, SHADOWS, UNMET: done, and wrong.\n"
          "fewest: the locks that must change, subset-minimal by uv, without the floor rule.")
    mine = [r["verdict"] for (_, tool), r in results.items() if tool == "unpin"]
    return f"{len(scenarios)} scenarios, unpin: " + ", ".join(f"{v} {mine.count(v)}" for v in sorted(set(mine)))


def keep(out, results):
    if out:
        with open(out + ".tmp", "w") as f:
            json.dump(list(results.values()), f, indent=1)
        os.replace(out + ".tmp", out)


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


def request_names():
    return [s["name"] for file in ("scenarios.json", "requests.json") for s in json.load(open(os.path.join(HERE, file)))]


def requests(index, names, every, with_uv, resume):
    """Every request on every environment, judged one by one, then side by side. A sentence of what was judged, and how many are wrong."""
    judge = [sys.executable, os.path.join(HERE, "judge.py"), "--index-url", index.url, "--assets", os.path.join(DATA, "assets")]
    judge += ["--uv", os.path.join(TOOLS, "uv")] if with_uv else []
    judge += ["--resume"] if resume else []
    if subprocess.run([sys.executable, "-c", "import jsonschema"], capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "jsonschema"], check=True)
    os.environ["UNPIN_CATALOG"] = os.path.join(HERE, "../../catalog")
    found, skipped, bad, asked = [], [], 0, 0
    for place, (name, where) in enumerate(places(index)):
        if not where:
            skipped.append(f"SKIPPED: {name} (no Python 3.12 that makes virtual environments is here)")
            print(f"\n{skipped[-1]}", flush=True)
            continue
        begin = time.monotonic()
        chosen = names or (request_names()[place % every :: every] if every > 1 else [])
        work = os.path.join(WORK, "judge", name.replace(":", "-"))
        os.makedirs(work, exist_ok=True)
        out = os.path.join(work, name.replace(":", "-") + (f"-every-{every}" if every > 1 and not names else "") + ".jsonl")
        if os.path.exists(out) and not resume:
            os.remove(out)
        print(f"\n{name}", flush=True)
        wrong = subprocess.run([*judge, *where, "--work", work, "--out", out, "--around", *chosen]).returncode != 0
        if os.path.exists(out):
            found.append(out)
            asked += len({json.loads(line)["name"] for line in open(out)})
        bad += wrong
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)
    subprocess.run([*judge[:2], "--table", *found])
    print(*skipped, sep="\n")
    return f"{asked} judged requests in {len(found)} environments ({bad} of these with something wrong)" + "".join(f", {s}" for s in skipped), bad


class Stages:
    """One after the other; each says what it does, and how long it took."""

    def __init__(self):
        # The first stage makes the interpreter of the others.
        self.begin = float(os.environ.get("UNPIN_BENCH_BEGAN") or time.monotonic())
        self.done, self.failed = [f"environment {time.monotonic() - self.begin:.0f} s"], 0
        print(f"== {self.done[-1]}", flush=True)

    def run(self, name, what, work):
        print(f"\n== {name}: {what}", flush=True)
        begin = time.monotonic()
        try:
            told, bad = work()
        except (Exception, SystemExit) as e:  # the next stage may still tell something
            told, bad = f"FAILED ({e})", True
        self.failed += bool(bad)
        self.done.append(f"{name} {time.monotonic() - begin:.0f} s ({told})")
        print(f"== {self.done[-1]}", flush=True)

    def end(self):
        print(f"\nbench: {'; '.join(self.done)}; {(time.monotonic() - self.begin) / 60:.0f} minutes in all; kept in {WORK}", flush=True)
        return 1 if self.failed else 0


def times(runs):
    subprocess.run([sys.executable, os.path.join(HERE, "speed.py"), "--runs", str(runs)], check=True)
    return f"medians of {runs} runs", False


def everything(known):
    """What `make bench` does."""
    os.environ.setdefault("UNPIN_BENCH_BEGAN", str(time.monotonic()))
    print(f"== environment: 296 distributions, the tools, 31 wheels, in {DATA}, unless they are there", flush=True)
    prepare()
    use_tools(__file__)
    install.Wheelhouse(0)
    stages, run = Stages(), runner()
    stages.run("times", "unpin, uv and pip for the same things, taking turns (speed.py)", lambda: times(3))
    stages.run("sizes", "unpin and uv against the number of distributions (scaling.py)",
               lambda: ("least of 5 runs", subprocess.run([sys.executable, os.path.join(HERE, "scaling.py"), "--runs", "5"]).returncode != 0))
    with Index(0) as index:
        run.PROXY_NOW = run.PROXY = index.url
        scenarios, tools = list(known.values()), ["unpin", "uv-lock", "uv", "pip-lock", "pip"]
        out = os.path.join(WORK, "scenarios.json")
        stages.run("scenarios", f"{len(scenarios)} requests to {', '.join(tools)}, at most {LIMIT_S} s each",
                   lambda: (table(run, index, scenarios, tools, out, LIMIT_S, True), False))
        count, sample = len(request_names()), os.environ.get("UNPIN_BENCH_REQUESTS") or str(SAMPLE)
        every = 1 if sample == "all" else max(1, count // max(1, int(sample)))
        stages.run("requests", f"{f'of {count} every {every}th' if every > 1 else f'all {count}'} on each environment, judged by judge.py",
                   lambda: requests(index, [], every, False, True))
    return stages.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["time", "table", "documents", "requests"])
    parser.add_argument("--with-uv", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--scenarios")
    parser.add_argument("--tools")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--out")
    options = parser.parse_args()
    known = {s["name"]: s for s in json.load(open(os.path.join(HERE, "scenarios.json")))}
    if not options.what:
        sys.exit(everything(known))
    prepare()
    use_tools(__file__)
    run = runner()
    with Index(options.latency_ms) as index:
        run.PROXY_NOW = run.PROXY = index.url
        chosen = [known[n] for n in options.scenarios.split(",")] if options.scenarios and options.what != "requests" else list(known.values())
        if options.what == "requests":
            told, bad = requests(index, options.scenarios.split(",") if options.scenarios else [], options.every, options.with_uv, options.resume)
            sys.exit(1 if bad else 0)
        if options.what == "time":
            scenarios = chosen if options.scenarios else [known[n] for n in TIMED.split(",")]
            tools = (options.tools or "unpin,uv,pip").split(",")
            print_times(measure(run, index, scenarios, tools, options.runs), scenarios, tools)
        if options.what == "documents":
            documents(run, index, chosen, (options.tools or "unpin,uv,uv-expert").split(","))
        if options.what == "table":
            tools = (options.tools or "unpin,uv-lock,uv,pip-lock,pip,uv-expert").split(",")
            table(run, index, chosen, tools, options.out, options.timeout, options.resume)


if __name__ == "__main__":
    main()
