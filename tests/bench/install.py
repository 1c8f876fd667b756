#!/usr/bin/env python3
"""Installing, next to uv and pip: wall time, CPU time and peak memory of whole processes, on the same copy of one environment.

    install.py [--runs N] [--what small,many,overlay] [--tools unpin,uv,...] [--disk memory|DIR] [--link MB] [--out FILE]

small    one wheel of 16 files (itsdangerous) into a virtual environment
many     30 wheels (numpy, pandas, Django, matplotlib, …): 10,437 files, 249 MB unpacked, 78 MB packed
overlay  the wheel of `small` into the environment of 296 distributions, the lower layer of an overlay mount (as a container has it)

Each is measured *cold* (empty cache of the tool; the index is on loopback, so that its speed is no limit) and *warm* (its cache
filled by the run before). Tools, interleaved:

unpin            as it is: fsyncs, imports what it installed, keeps what undo needs
unpin-noimports  --no-imports: what uv and pip do not do either
unpin-nosync     as the one before, with fsync, syncfs and fdatasync made to do nothing (LD_PRELOAD; only a benchmark may)
uv               its default link mode; it syncs nothing
uv-sync          the same, and `sync -f` of its file system: then what it did survives a power cut too, as with unpin
uv-copy          --link-mode copy
pip              pip of the tools, --no-compile, into the same environment by --python

The disk is an ext4 in a file in memory by default (--disk memory, needs root): it shows the work of the tools and not the disk's.
--disk DIR takes a directory of a real disk, where what is made durable costs what that disk needs for it.
--link MB lets so many megabytes of files through in a second, for all connections together: what is done while they come costs no time.
"""
import argparse
import hashlib
import html
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("UNPIN_BENCH") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "unpin-bench")
WORK = os.environ.get("UNPIN_BENCH_WORK") or DATA
TOOLS = os.path.join(DATA, "tools", "bin")
UNPIN = os.environ.get("UNPIN") or os.path.join(HERE, "../../build/unpin")
SMALL = "itsdangerous==2.2.0"
MANY = """numpy==2.2.6 pandas==2.2.3 python-dateutil==2.9.0.post0 six==1.17.0 pytz==2025.2 tzdata==2025.2 Django==5.2.1 asgiref==3.8.1
sqlparse==0.5.3 matplotlib==3.10.3 contourpy==1.3.2 cycler==0.12.1 fonttools==4.58.0 kiwisolver==1.4.8 packaging==25.0 pillow==11.2.1
pyparsing==3.2.3 SQLAlchemy==2.0.41 greenlet==3.2.2 typing-extensions==4.13.2 pygments==2.19.1 cryptography==45.0.2 cffi==1.17.1
pycparser==2.22 lxml==5.4.0 networkx==3.4.2 regex==2024.11.6 tqdm==4.67.1 click==8.1.8 mpmath==1.3.0""".split()
REQUESTS = {"small": [SMALL], "many": MANY, "overlay": [SMALL]}
ALL_TOOLS = "unpin,unpin-noimports,unpin-nosync,uv,uv-copy,pip"
NOSYNC = """int fsync(int fd) { (void)fd; return 0; } int fdatasync(int fd) { (void)fd; return 0; }
int syncfs(int fd) { (void)fd; return 0; } int sync_file_range(int fd, long a, long b, unsigned c) { (void)fd; (void)a; (void)b; (void)c; return 0; }
"""
# Peak memory is inherited from whoever forks; this one is small, and what it takes to start it (some 5 ms) is not in the wall time.
# It watches the clock from the fork to the end of the tool. What it gives is the largest of the tool and of the programs that the tool runs;
# the tool's own is looked at while it runs, by another process.
SPAWN = r"""#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile sig_atomic_t over;
static void end(int number) { (void)number; over = 1; }
static int watch(pid_t pid, int out) {
    char path[64], line[256];
    long most = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    while (!over) {
        FILE *in = fopen(path, "r");
        while (in && fgets(line, sizeof line, in))
            if (strncmp(line, "VmHWM:", 6) == 0 && atol(line + 6) > most) most = atol(line + 6);
        if (in) fclose(in);
        usleep(5000);
    }
    return dprintf(out, "%ld", most) < 0;
}
int main(int argc, char **argv) {
    int status, ends[2];
    char own[32] = "";
    struct rusage used;
    struct timespec begin, end_at;
    FILE *out;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = argc > 2 ? fork() : -1;
    if (child == 0) { execv(argv[2], argv + 2); _exit(127); }
    if (child < 0 || pipe(ends)) return 126;
    signal(SIGTERM, end);
    pid_t watcher = fork();
    if (watcher == 0) _exit(watch(child, ends[1]));
    if (wait4(child, &status, 0, &used) < 0) return 126;
    clock_gettime(CLOCK_MONOTONIC, &end_at);
    if (!(out = fopen(argv[1], "w"))) return 126;
    kill(watcher, SIGTERM);
    if (read(ends[0], own, sizeof own - 1) < 0) return 126;
    fprintf(out, "%d %.6f %ld.%06ld %ld %s\n", status, (double)(end_at.tv_sec - begin.tv_sec) + (double)(end_at.tv_nsec - begin.tv_nsec) / 1e9,
            (long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000000),
            (long)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) % 1000000, used.ru_maxrss, own);
    return fclose(out) != 0;
}
"""
DISK_MIB = 4096
PIECE = 64 << 10


def norm(name):
    return re.sub(r"[-_.]+", "-", name).lower()


class Wheelhouse:
    """Real wheels, fetched once from the index that pip is configured for, served on loopback with hashes, metadata files and ranges."""

    def __init__(self, rate):
        self.rate, self.lock, self.free_at = rate, threading.Lock(), 0.0
        self.dir = os.path.join(WORK, "wheels")
        wanted = {norm(r.split("==")[0]) for r in [*MANY, SMALL]}
        found = {norm(f.split("-")[0]) for f in os.listdir(self.dir)} if os.path.isdir(self.dir) else set()
        if wanted - found:
            print("fetching 31 wheels (79 MB)", flush=True)
            subprocess.run([os.path.join(TOOLS, "python"), "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", self.dir, SMALL, *MANY],
                           check=True)
        self.pages, self.metadata = {}, {}
        for file in sorted(os.listdir(self.dir)):
            path = os.path.join(self.dir, file)
            with open(path, "rb") as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            with zipfile.ZipFile(path) as z:
                text = z.read(next(n for n in z.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)))
            self.metadata[file] = text
            line = f'<a href="/files/{file}#sha256={digest}" data-core-metadata="sha256={hashlib.sha256(text).hexdigest()}">{html.escape(file)}</a><br>\n'
            self.pages.setdefault(norm(file.split("-")[0]), []).append(line)

    def pass_link(self, size):
        """Waits until so many bytes are through."""
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic()) + size / self.rate
            wait = self.free_at - time.monotonic()
        time.sleep(max(0, wait))

    def serve(self):
        house = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *unused):
                pass

            def answer(self, body, kind, age):
                self.send_response(200)
                for k, v in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", age)):
                    self.send_header(k, v)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def file(self, name):
                path = os.path.join(house.dir, name)
                size = os.path.getsize(path)
                first, last, status = 0, size - 1, 200
                asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
                if asked:
                    status = 206
                    first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
                    last = min(size - 1, int(asked[2])) if asked[1] and asked[2] else size - 1
                self.send_response(status)
                if asked:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
                for k, v in (("Content-Type", "application/octet-stream"), ("Content-Length", str(last - first + 1)), ("Accept-Ranges", "bytes"),
                             ("Cache-Control", "max-age=365000000, immutable, public")):
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.flush()
                if self.command == "GET":
                    with open(path, "rb") as f:
                        step = PIECE if house.rate else size
                        for begin in range(first, last + 1, step):
                            count = min(step, last + 1 - begin)
                            if house.rate:
                                house.pass_link(count)
                            self.connection.sendfile(f, begin, count)

            def do_GET(self):
                path = self.path.split("?")[0]
                if path.startswith("/simple/") and path.strip("/").split("/")[-1] in house.pages:
                    page = "<!DOCTYPE html><html><body>\n" + "".join(house.pages[path.strip("/").split("/")[-1]]) + "</body></html>\n"
                    return self.answer(page.encode(), "text/html", "max-age=600, public")
                name = path[len("/files/"):]
                if path.startswith("/files/") and name.endswith(".metadata") and name[:-9] in house.metadata:
                    return self.answer(house.metadata[name[:-9]], "application/octet-stream", "max-age=365000000, immutable, public")
                if path.startswith("/files/") and name in house.metadata:
                    return self.file(name)
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, f"http://127.0.0.1:{server.server_address[1]}/simple/"


class Disk:
    """Where environments and caches are: one file system, as most homes are. `memory`: an ext4 whose blocks are in memory."""

    def __init__(self, where):
        self.mounted = where == "memory"
        if not self.mounted:
            self.root = os.path.join(where, "unpin-install-bench")
            shutil.rmtree(self.root, ignore_errors=True)
            os.makedirs(self.root)
            return
        self.root = os.path.join(WORK, "install-disk")
        self.image = f"/dev/shm/unpin-install-{os.getpid()}.ext4"
        os.makedirs(self.root, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True)
        subprocess.run(["mount", "-o", "loop,discard", self.image, self.root], check=True)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.root], check=False)
            os.unlink(self.image)
        else:
            shutil.rmtree(self.root, ignore_errors=True)


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "UNPIN", "VIRTUAL_ENV", "PYTHON"))}
    return {**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1", **more}


class Bench:
    def __init__(self, disk, url):
        self.disk, self.url, self.root = disk, url, disk.root
        self.template = os.path.join(self.root, "template")
        subprocess.run([os.path.join(TOOLS, "python"), "-m", "venv", "--without-pip", self.template], check=True)
        self.nosync, self.spawn = os.path.join(self.root, "nosync.so"), os.path.join(self.root, "spawn")
        for text, made, options in ((NOSYNC, self.nosync, ["-shared", "-fPIC"]), (SPAWN, self.spawn, [])):
            with open(made + ".c", "w") as f:
                f.write(text)
            subprocess.run(["cc", "-O1", *options, "-o", made, made + ".c"], check=True)
        self.tmp = os.path.join(self.root, "tmp")
        os.makedirs(self.tmp)

    def copy(self, what):
        """A fresh environment; gives its prefix and how to throw it away."""
        prefix = os.path.join(self.root, "env")
        if what != "overlay":
            shutil.copytree(self.template, prefix, symlinks=True)
            return prefix, lambda: shutil.rmtree(prefix)
        for part in ("env", "upper", "work"):
            os.makedirs(os.path.join(self.root, part))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={DATA}/base,upperdir={self.root}/upper,workdir={self.root}/work", prefix], check=True)

        def drop():
            subprocess.run(["umount", prefix], check=True)
            for part in ("env", "upper", "work"):
                shutil.rmtree(os.path.join(self.root, part))
        return prefix, drop

    def command(self, tool, what, prefix, lock):
        python, requests = os.path.join(prefix, "bin/python"), REQUESTS[what]
        cache = os.path.join(self.root, "cache", tool)
        if tool.startswith("unpin"):
            argv = [UNPIN, "install", "-y", "-q", "--python", python, "--lock", lock, "--index-url", self.url, *requests]
            env = {"UNPIN_CACHE_DIR": cache}
            if tool != "unpin":
                argv.append("--no-imports")
            if tool == "unpin-nosync":
                env["LD_PRELOAD"] = self.nosync
            return argv, clean_env(**env)
        if tool.startswith("uv"):
            argv = [os.path.join(TOOLS, "uv"), "pip", "install", "-q", "--python", python, "--index-url", self.url, "--constraint", lock, *requests]
            env = {"UV_CACHE_DIR": cache}
            if tool == "uv-copy":
                env["UV_LINK_MODE"] = "copy"
            return argv, clean_env(**env)
        argv = [os.path.join(TOOLS, "python"), "-m", "pip", "--python", python, "install", "-q", "--no-compile", "--index-url", self.url, "--constraint", lock,
                *requests]
        return argv, clean_env(PIP_CACHE_DIR=cache)

    def figures(self, argv, env, label, statuses=(0,), sync=False):
        """One whole process: wall seconds, CPU seconds, peak MiB with the programs that it runs, and without. Another status ends the benchmark.
        `sync`: its wall time ends when all that it wrote is on the disk."""
        log = os.path.join(self.root, "log")
        os.sync()
        with open(log, "wb") as out:
            subprocess.run([self.spawn, log + ".used", *argv], env={**env, "TMPDIR": self.tmp}, cwd=self.root, stdin=subprocess.DEVNULL, stdout=out,
                           stderr=out, check=True)
            begin = time.monotonic()
            if sync:
                subprocess.run(["sync", "-f", self.root], check=True)
            synced = time.monotonic() - begin if sync else 0.0
        with open(log + ".used") as f:
            status, wall, cpu, peak, own = f.read().split()
        if os.waitstatus_to_exitcode(int(status)) not in statuses:
            sys.exit(f"{label}: status {status}\n{open(log).read()}")
        return float(wall) + synced, float(cpu), int(peak) / 1024, int(own) / 1024

    def run(self, tool, what):
        """One installation, measured: see figures()."""
        prefix, drop = self.copy(what)
        lock = os.path.join(self.root, "lock.txt")
        if what == "overlay":
            shutil.copy(os.path.join(DATA, "constraint.txt"), lock)
        else:
            with open(lock, "w") as f:
                f.write("\n".join([*MANY, SMALL]) + "\n")
        figures = self.figures(*self.command(tool, what, prefix, lock), f"{tool}, {what}", sync=tool.endswith("-sync"))
        site = next(os.path.join(prefix, "lib", d, "site-packages") for d in os.listdir(os.path.join(prefix, "lib")) if d.startswith("python3"))
        for request in REQUESTS[what]:
            name, version = request.split("==")
            if not any(norm(d) == norm(f"{name}-{version}.dist-info") for d in os.listdir(site)):
                sys.exit(f"{tool}, {what}: {request} is not there")
        drop()
        return figures

    def measure(self, whats, tools, runs, first=0):
        """{(what, kind, tool): [figures of each run]}, tools taking turns; turn 0 fills the machine's memory."""
        found = {}
        for what in whats:
            for turn in range(first, runs + 1):
                for tool in tools:
                    for kind in ("cold", "warm"):
                        if kind == "cold":
                            shutil.rmtree(os.path.join(self.root, "cache", tool), ignore_errors=True)
                        figures = self.run(tool, what)
                        if turn:
                            found.setdefault((what, kind, tool), []).append(figures)
        return found


def print_table(found, whats, tools, runs):
    base = "uv" if "uv" in tools else tools[0]
    middle = {key: [statistics.median(column) for column in zip(*rows)] for key, rows in found.items()}
    for what in whats:
        for kind in ("cold", "warm"):
            print(f"\n{what}, {kind} cache, median of {runs}: milliseconds, times as long as {base}; CPU milliseconds; peak MiB")
            for tool in tools:
                wall, cpu, rss, own = middle[what, kind, tool]
                least = min(row[0] for row in found[what, kind, tool])
                print(f"  {tool:16}{wall * 1000:9.0f} {wall / middle[what, kind, base][0]:6.2f}x   least {least * 1000:7.0f}   cpu {cpu * 1000:7.0f}   "
                      f"{rss:6.0f} MiB, itself {own:4.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--what", default="small,many,overlay")
    parser.add_argument("--tools", default=ALL_TOOLS)
    parser.add_argument("--disk", default="memory")
    parser.add_argument("--link", type=float, default=0, metavar="MB", help="megabytes of files in a second; 0: as many as there are")
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.disk == "memory" and os.geteuid() != 0:
        sys.exit("--disk memory mounts a file system, which takes root; --disk DIR does not")
    whats, tools = options.what.split(","), options.tools.split(",")
    if os.geteuid() != 0 and "overlay" in whats:
        whats.remove("overlay")
    server, url = Wheelhouse(options.link * 1e6).serve()
    disk = Disk(options.disk)
    try:
        found = Bench(disk, url).measure(whats, tools, options.runs)
    finally:
        disk.close()
        server.shutdown()
    print_table(found, whats, tools, options.runs)
    if options.out:
        with open(options.out, "w") as f:
            json.dump([{"what": w, "cache": k, "tool": t, "runs": rows} for (w, k, t), rows in found.items()], f, indent=1)


if __name__ == "__main__":
    main()
