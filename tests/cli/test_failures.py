"""Everything that may go wrong: kills, read-only disks, broken downloads, indexes that are down, others at work."""
import fcntl
import glob
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time

import conftest
import pytest

import world as worlds


def files_left(env):
    """Names in unpin's own folder that should not outlive a transaction."""
    state = os.path.join(env.site, ".unpin")
    return sorted(set(os.listdir(state)) & {"journal", "abort", "intent"}) if os.path.isdir(state) else []


def old_or_new(env, old, new):
    tree = env.tree()
    assert tree in (old, new), "neither the old nor the new state: " + str(sorted(k for k in set(tree) | set(old) if tree.get(k) != old.get(k))[:5])
    return "old" if tree == old else "new"


def strip_times(tree):
    """Without times, which differ from install to install."""
    return {k: v[:5] + v[6:] if len(v) == 7 else v for k, v in tree.items()}


@pytest.mark.parametrize("attempt", range(6))
def test_kill_during_install_then_any_command_recovers(any_env, attempt):
    """SIGKILL at moments spread over the run; afterwards the state is the old or the new one, whole."""
    env = any_env
    request = ["flask==3.1.0", "pytest==8.3.5", "black==25.9.0", "rich==14.0.0"]
    env.run("plan", *request).ok()  # warms the cache of the index
    old = strip_times(env.tree())
    begin = time.monotonic()
    env.run("install", "-y", *request).ok()
    took = time.monotonic() - begin
    new, new_lock = strip_times(env.tree()), env.lock_bytes()
    env.run("undo", "-y").ok()
    assert strip_times(env.tree()) == old
    old_lock = env.lock_bytes()
    child = subprocess.Popen(env.argv("install", "-y", *request), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(took * (0.3 + 0.11 * attempt))
    child.kill()
    child.wait()
    env.run(["recover", "check", "locks", "history", "recover", "undo"][attempt] if attempt != 5 else "recover")
    assert not files_left(env)
    tree, lock = strip_times(env.tree()), env.lock_bytes()
    assert (tree, lock) in ((old, old_lock), (new, new_lock)), "half a transaction"


def test_kill_at_each_rename(env, world, unpin_binary):
    """SIGKILL at the n-th rename of an install, for several n, by strace: each time recovery gives old or new."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    probe = subprocess.run(["strace", "-e", "trace=rename,renameat,renameat2", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("strace may not trace here: " + probe.stderr.decode().strip())
    release = os.environ.get("UNPIN") or env.binary  # LeakSanitizer and strace exclude each other
    old, old_lock = strip_times(env.tree()), env.lock_bytes()
    env.run("install", "-y", "click==8.1.8").ok()
    new, new_lock = strip_times(env.tree()), env.lock_bytes()
    env.run("undo", "-y").ok()
    states = set()
    for n in (1, 2, 3, 5, 8, 13, 21, 34):
        for name in ("renameat2", "renameat", "rename"):
            inject = ["strace", "-f", "-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={n}"]
            subprocess.run([*inject, release, *env.argv("install", "-y", "click==8.1.8")[1:]], env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=120)
            env.run("recover").ok()
            assert not files_left(env)
            state = (strip_times(env.tree()), env.lock_bytes())
            assert state in ((old, old_lock), (new, new_lock)), f"half a transaction after {name} {n}"
            states.add(state == (new, new_lock))
            if state == (new, new_lock):
                env.run("undo", "-y").ok()
    assert states == {True, False}, "the kills hit both before and after the commit"


@pytest.mark.parametrize("which, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_interruption_while_downloading_leaves_the_old_state(env, index, which, status, form):
    tree, lock = env.tree(), env.lock_bytes()
    env.run("plan", "click==8.1.8").ok()
    index.stall.set()  # wheels do not arrive
    child = subprocess.Popen(env.argv("install", "-y", "click==8.1.8", *(["--json"] if form == "json" else [])), env=env.variables, cwd=env.folder,
                             stdin=subprocess.DEVNULL, preexec_fn=conftest.heed_signals, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert index.stalled.wait(60), "the wheel was never asked for"
    child.send_signal(which)
    out, err = child.communicate(timeout=30)
    assert child.returncode == status, err
    assert env.tree() == tree and env.lock_bytes() == lock
    assert not files_left(env), "what was staged is gone already"
    assert signal.Signals(which).name in (out if form == "json" else err).decode()
    if form == "json":
        assert "interrupted" in out.decode() and json.loads(out)
    assert json.loads(env.run("recover", "--json", "--offline").ok().out)["outcome"] == "clean"


@pytest.mark.parametrize("which, status, words", [(signal.SIGINT, 130, ["plan", "flask==3.1.0"]), (signal.SIGTERM, 143, ["plan", "--json", "flask==3.1.0"]),
                                                  (signal.SIGINT, 130, ["install", "-y", "--json", "flask==3.1.0"]), (signal.SIGTERM, 143, ["options", "--json", "flask"])])
def test_interruption_while_planning_is_told(seen, words, which, status):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes the question, and never answers
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple/"
        child = subprocess.Popen(seen.argv(*words, "--refresh", "--index-url", url), env=seen.variables, cwd=seen.folder, stdin=subprocess.DEVNULL, preexec_fn=conftest.heed_signals,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        server.settimeout(60)
        connection, _ = server.accept()
        child.send_signal(which)
        out, err = child.communicate(timeout=30)
        connection.close()
    assert child.returncode == status, err
    if "--json" not in words:
        assert out == b"" and which.name in err.decode() and "[U070]" in err.decode()
        return
    document = json.loads(out)
    assert document["status"] == "error" and document["command"] == words[0]
    assert document["error"]["code"] == "U070" and which.name in document["error"]["what"]


def test_interruption_at_the_question(env):
    """Ctrl-C on a terminal: told, and nothing left behind."""
    tree = env.tree()
    pid, terminal = pty.fork()
    if pid == 0:
        conftest.heed_signals()
        os.chdir(env.folder)
        os.execve(env.binary, env.argv("install", "click==8.1.8"), env.variables)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    try:
        while more := os.read(terminal, 4096):
            seen += more
    except OSError:  # the other end is closed
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130 and b"[U070]" in seen
    assert env.tree() == tree and not files_left(env)


def test_an_ignored_hangup_does_not_end_it(env):
    """nohup: the signal comes while a wheel is awaited."""
    done = subprocess.run(["sh", "-c", "trap '' HUP; \"$@\" & child=$!; kill -HUP $child; wait $child", "sh", *env.argv("install", "-y", "click==8.1.8")],
                          env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert env.installed()["click"] == "8.1.8"


def test_interruption_while_verifying_undoes_the_change(env):
    """A module that takes its time when it is imported: the files are changed already when the signal comes."""
    tree, lock = env.tree(), env.lock_bytes()
    flag = os.path.join(env.folder, "importing")
    slow = worlds.stub_wheel(env.folder, "sleepy", "1.0", files={"sleepy/__init__.py": f"import time\nopen({flag!r}, 'w').close()\ntime.sleep(60)\n"})
    child = subprocess.Popen(env.argv("install", "-y", slow), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL, preexec_fn=conftest.heed_signals, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    for _ in range(600):
        if os.path.exists(flag) or child.poll() is not None:
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, (out, err)
    assert env.tree() == tree and env.lock_bytes() == lock and not files_left(env)


def test_a_second_process_is_told_to_come_again(env):
    tree = env.tree()
    state = os.path.join(env.site, ".unpin")
    env.run("install", "-y", "click==8.1.8").ok()
    with open(os.path.join(state, "lock"), "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        run = env.run("install", "-y", "filelock==3.18.0").ok(75)
        assert run.err
        assert env.run("plan", "filelock==3.18.0").status == 0, "planning needs no lock"
    env.run("undo", "-y").ok()
    assert env.tree() == tree


def test_two_at_once_end_in_a_whole_state(env):
    env.run("plan", "click==8.1.8", "filelock==3.18.0").ok()
    children = [subprocess.Popen(env.argv("install", "-y", r), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL, preexec_fn=conftest.heed_signals,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for r in ("click==8.1.8", "filelock==3.18.0")]
    statuses = []
    for child in children:
        child.communicate(timeout=120)
        statuses.append(child.returncode)
    assert set(statuses) <= {0, 75} and 0 in statuses, statuses
    installed = env.installed()
    assert (installed["click"] == "8.1.8") == (statuses[0] == 0)
    assert (installed["filelock"] == "3.18.0") == (statuses[1] == 0)


def read_only_mount(path):
    """Makes `path` read-only for root as well; False where that is not allowed."""
    if subprocess.run(["mount", "--bind", path, path], capture_output=True).returncode:
        return False
    if subprocess.run(["mount", "-o", "remount,bind,ro", path], capture_output=True).returncode:
        subprocess.run(["umount", path], check=True)
        return False
    return True


def test_unwritable_site(env):
    tree, lock = env.tree(), env.lock_bytes()
    mounted = os.geteuid() == 0 and read_only_mount(env.site)
    if not mounted:
        if os.geteuid() == 0:
            pytest.skip("root without leave to mount can make no directory read-only")
        os.chmod(env.site, 0o555)
    try:
        run = env.run("install", "-y", "click==8.1.8").ok(1)
        assert env.site in run.err or "site-packages" in run.err
        assert env.run("plan", "click==8.1.8").status == 0
    finally:
        if mounted:
            subprocess.run(["umount", env.site], check=True)
        else:
            os.chmod(env.site, 0o755)
    assert env.tree() == tree and env.lock_bytes() == lock


def test_unwritable_lock(env):
    """A lock that cannot be written stops the whole transaction before anything changes."""
    folder = os.path.join(env.folder, "etc")
    os.mkdir(folder)
    shutil.move(env.lock, folder)
    lock = os.path.join(folder, "constraint.txt")
    mounted = os.geteuid() == 0 and read_only_mount(folder)
    if not mounted:
        if os.geteuid() == 0:
            pytest.skip("root without leave to mount can make no directory read-only")
        os.chmod(lock, 0o444), os.chmod(folder, 0o555)
    tree = env.tree()
    try:
        env.run("install", "-y", "click==8.1.8", PIP_CONSTRAINT=lock).ok(1)
        assert env.tree() == tree
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)
        else:
            os.chmod(folder, 0o755)


def test_a_volatile_overlay_is_told_of(world, unpin_binary, index, tmp_path):
    env = conftest.make_environment(world, unpin_binary, tmp_path, index.url, "overlay")
    try:
        assert "volatile" not in env.run("install", "-y", "click==8.1.8").ok().err
        subprocess.run(["umount", env.prefix], check=True)
        options = f"volatile,lowerdir={world.base},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
        if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, env.prefix], capture_output=True).returncode:
            pytest.skip("this kernel has no volatile overlays")
        assert "mounted volatile: a power cut" in env.run("undo", "-y").ok().err
    finally:
        conftest.drop_environment(env, "overlay")


def test_full_disk(env, world):
    """A disk that runs full while staging: status 1, the old state, nothing left."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    disk = os.path.join(env.folder, "disk")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        shutil.copytree(env.prefix, os.path.join(disk, "env"), symlinks=True)
        small = os.path.join(disk, "env")
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with open(os.path.join(disk, "filler"), "wb") as f:
            f.write(b"\0" * (free - 200_000))
        env.prefix, env.python, env.variables["VIRTUAL_ENV"] = small, os.path.join(small, "bin", "python"), small
        env.site = env.site.replace(os.path.join(env.folder, "env"), small)
        tree = env.tree()
        run = env.run("install", "-y", "flask==3.1.0", "black==25.9.0").ok(1)
        assert run.err
        env.run("check")
        assert env.tree() == tree and not files_left(env)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_wheel_with_other_bytes_than_its_hash(env, index):
    tree, lock = env.tree(), env.lock_bytes()
    name = "click-8.1.8-py3-none-any.whl"
    with open(index.files[name].path, "rb") as f:
        body = bytearray(f.read())
    body[2000] ^= 1
    index.broken[name] = bytes(body)
    run = env.run("install", "-y", "--json", "click==8.1.8").ok(7)
    assert "U052" in run.out, run.out
    assert env.tree() == tree and env.lock_bytes() == lock


def test_a_truncated_wheel(env, index):
    tree = env.tree()
    name = "click-8.1.8-py3-none-any.whl"
    with open(index.files[name].path, "rb") as f:
        index.broken[name] = f.read()[:-100]
    env.run("install", "-y", "click==8.1.8").ok(7)
    assert env.tree() == tree


def test_a_wheel_that_is_gone(env, index):
    tree = env.tree()
    index.status["/files/click-8.1.8-py3-none-any.whl"] = 404
    env.run("install", "-y", "click==8.1.8").ok(7)
    assert env.tree() == tree


def test_an_index_that_is_down(env, index):
    index.down = True
    run = env.run("plan", "--json", "click==8.1.8").ok(7)
    assert run.json["status"] == "error" and "U05" in run.out


def test_an_index_that_nobody_serves(env):
    run = env.run("plan", "click==8.1.8", PIP_INDEX_URL="http://127.0.0.1:9/simple/").ok(7)
    assert "127.0.0.1" in run.err


def test_a_page_that_fails_is_no_absent_project(env, index):
    index.status["/simple/click/"] = 500
    env.run("plan", "click==8.1.8").ok(7)


def test_passwords_are_masked(env):
    run = env.run("plan", "-v", "click==8.1.8", PIP_INDEX_URL="http://user:s3cr3t@127.0.0.1:9/simple/").ok(7)
    assert "s3cr3t" not in run.out + run.err


def test_a_closed_stdout_does_not_change_the_transaction(env):
    with open("/dev/full", "w") as full:
        for words in (["install", "-y", "click==8.1.8"], ["undo", "-y"], ["install", "-y", "click==8.1.8"]):
            done = subprocess.run(env.argv(*words), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 0, "1 would say that the old state is there"
            assert "standard output" in done.stderr
    assert env.installed()["click"] == "8.1.8"
    assert not files_left(env)


def test_closed_streams_are_not_mistaken_for_files(env):
    """What is printed goes nowhere, and not into the file that was opened first."""
    env.run("plan", "click==8.1.8").ok()  # the cache is there

    for closed in ((1,), (0, 1, 2)):
        done = subprocess.run(env.argv("plan", "click==8.1.8"), env=env.variables, cwd=env.folder, preexec_fn=lambda: [os.close(fd) for fd in closed])
        assert done.returncode == 1, "the plan could not be shown"
    found = [path for path in glob.glob(os.path.join(env.home, "**"), recursive=True) if os.path.isfile(path) and b"Plan for" in open(path, "rb").read()]
    assert not found


def test_no_network_is_needed_for_what_is_local(env, index):
    env.run("install", "-y", "click==8.1.8").ok()
    index.down = True
    for words in (["history"], ["locks"], ["check"], ["why", "click"], ["undo", "-y"]):
        run = env.run(*words, PIP_INDEX_URL="http://127.0.0.1:9/simple/")
        assert run.status in (0, 5), (words, run.err)
    assert env.installed()["click"] == "8.1.7"


def test_offline_plans_from_the_cache(env, index):
    warm = env.plan("click==8.1.8")
    index.status["/simple/click/"] = 503
    old = env.plan("--refresh", "click==8.1.8", PIP_RETRIES="0")
    assert "does not answer: 1 page of the cache" in old["notes"][0], old["notes"]
    index.down = True
    cold = env.plan("--offline", "click==8.1.8")
    assert cold["changes"] == warm["changes"] and cold["lifts"] == warm["lifts"]


def test_a_program_without_its_catalog_says_what_it_does_not_know(env):
    assert env.plan("click==8.1.8")["notes"] == []
    alone = shutil.copy(env.binary, env.folder)
    done = subprocess.run([alone, "plan", "--json", "click==8.1.8"], env=env.variables, cwd=env.folder, capture_output=True, text=True)
    assert "no catalog" in json.loads(done.stdout)["notes"][0], done.stderr


def test_a_broken_distribution_does_not_stop_the_scan(env):
    odd = os.path.join(env.site, "odd-1.0.dist-info")
    os.mkdir(odd)
    with open(os.path.join(odd, "METADATA"), "wb") as f:
        f.write(b"\xff\xfe no metadata at all\n\n")
    with open(os.path.join(env.site, "stray-2.egg-info"), "w") as f:
        f.write("Metadata-Version: 1.0\nName: stray\nVersion: not a version\n")
    plan = env.plan("click==8.1.8")
    assert plan["status"] == "feasible", plan
