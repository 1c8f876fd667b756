"""What has to be built: sdists, source trees, editable installs, repositories. The backends lie in the sources, so that
builds are quick and need no network; one test asks the real index."""
import base64
import functools
import http.server
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import tarfile
import threading
import time

import pytest

import world as worlds
from conftest import drop_environment, heed_signals, make_environment
from judge import changed

# A backend that writes what spec.json says, and keeps a copy of its environment where the spec names a place for it.
BACKEND = '''
import base64, hashlib, json, os, sys, time, zipfile
SPEC = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "spec.json")))

def wheel(folder, files):
    name, version = SPEC["name"].replace("-", "_"), SPEC["built_version"]
    info = f"{name}-{version}.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {SPEC['name']}\\nVersion: {version}\\n" + "".join(f"Requires-Dist: {r}\\n" for r in SPEC["built_requires"])
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: be\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = "".join(f"{p},sha256={base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b'=').decode()},{len(t.encode())}\\n" for p, t in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-py3-none-any.whl"), "w") as z:
        for path, text in files.items():
            z.writestr(path, text)
    return f"{name}-{version}-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    if SPEC.get("told"):
        with open(SPEC["told"], "a") as f:
            f.write(json.dumps(dict(os.environ)) + "\\n")
    if SPEC.get("sleep"):
        time.sleep(SPEC["sleep"])
    if SPEC.get("fail"):
        sys.exit("the compiler \\x1b[31mis missing")
    module = SPEC["name"].replace("-", "_")
    return wheel(folder, {f"{module}/__init__.py": "built = True\\n"})

def build_editable(folder, config_settings=None, metadata_directory=None):
    module = SPEC["name"].replace("-", "_")
    return wheel(folder, {f"__editable__.{module}.pth": os.path.join(os.getcwd(), "src") + "\\n"})
'''


def source(folder, name="tool", version="1.0", requires=(), static=True, **spec):
    """A source tree whose metadata are certain, or known only after a build. Returns its path."""
    spec = {"name": name, "built_version": version, "built_requires": list(requires), **spec}
    module = os.path.join(folder, "src", name.replace("-", "_"))
    os.makedirs(module)
    with open(os.path.join(module, "__init__.py"), "w") as f:
        f.write("built = False\n")
    project = f'[build-system]\nrequires = []\nbuild-backend = "be"\nbackend-path = ["."]\n[project]\nname = "{name}"\n'
    project += f'version = "{version}"\ndependencies = {json.dumps(list(requires))}\n' if static else 'dynamic = ["version", "dependencies"]\n'
    for path, text in (("pyproject.toml", project), ("be.py", BACKEND), ("spec.json", json.dumps(spec))):
        with open(os.path.join(folder, path), "w") as f:
            f.write(text)
    return str(folder)


def sdist(out, name="tool", version="1.0", told=(), static=True, **spec):
    """An sdist whose PKG-INFO tells of the requirements `told`; returns its path."""
    top = f"{name.replace('-', '_')}-{version}"
    folder = os.path.join(out, "src-" + top)
    os.makedirs(folder)
    source(folder, name, version, **spec)
    info = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {r}\n" for r in told)
    with open(os.path.join(folder, "PKG-INFO"), "w") as f:
        f.write(info if static else info + "Dynamic: Requires-Dist\n")
    path = os.path.join(out, top + ".tar.gz")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, top)
    return path


@pytest.fixture(scope="module")
def shared(world, unpin_binary, session_index, tmp_path_factory):
    """One environment for all: making it takes longer than a build."""
    made = make_environment(world, unpin_binary, tmp_path_factory.mktemp("builds"), session_index.url, "plain")
    yield made
    drop_environment(made, "plain")


@pytest.fixture
def env(shared, index):
    """The same environment, and as it was, for each test: what a test installed is undone."""
    before = shared.installed()
    yield shared
    for _ in range(3):
        if shared.installed() != before or os.path.exists(os.path.join(shared.site, "__editable__.mytool.pth")):
            shared.run("undo", "-y").ok()
    assert shared.installed() == before and not shared.lock_diff()


@pytest.fixture
def files(env, world, tmp_path):
    """A folder on a further index, for sdists."""
    folder = tmp_path / "files"
    folder.mkdir()

    class Files(str):
        def options(self):
            return ["--find-links", str(self)]
    return Files(folder)


def site_file(env, name, file):
    with open(os.path.join(env.site, name, file), encoding="utf-8") as f:
        return f.read()


def builds_left(env):
    return [n for n in os.listdir(env.folder) if n.startswith("unpin-")]


def test_an_sdist_needs_consent(env, files):
    """The plan says that it builds; a program has to allow it, and --no-build finds no plan."""
    sdist(files, told=["six"], requires=["six"])
    tree = env.tree()
    plan = env.plan("tool", *files.options())
    assert plan["status"] == "feasible" and plan["changes"][0]["artifact"]["kind"] == "sdist"
    assert any("runs its code" in w for w in plan["warnings"])
    run = env.run("install", "tool", *files.options()).ok(4)
    assert "runs its code" in run.out + run.err
    run = env.run("install", "-y", "--json", "tool", *files.options()).ok(4)
    assert run.json["error"]["code"] == "U031" and "--build tool" in run.json["error"]["hint"]
    refused = env.run("plan", "--no-build", "tool", *files.options()).ok(3)
    assert "it has only an sdist, and --no-build is set" in refused.out and "--only-binary" not in refused.out
    assert env.tree() == tree


@pytest.mark.parametrize("consent", [[], ["--json", "--build", ":all:"]], ids=["people", "programs"])
def test_an_sdist_is_built_with_consent(env, files, consent):
    sdist(files, told=["six"], requires=["six"])
    env.run("install", "-y", *consent, "tool", *files.options()).ok()
    assert env.installed()["tool"] == "1.0"
    assert env.run("undo", "-y").status == 0 and "tool" not in env.installed()
    assert not builds_left(env)


def test_the_build_is_told_neither_the_lock_nor_secrets(env, tmp_path):
    told, folder = str(tmp_path / "told"), str(tmp_path / "tree")
    os.makedirs(folder)
    source(folder, "spy", told=told)
    secrets = {"HF_TOKEN": "hf-secret", "AWS_SECRET_ACCESS_KEY": "aws-secret", "DB_PASSWORD": "db-secret", "MAX_JOBS": "3",
               "PIP_INDEX_URL": env.variables["PIP_INDEX_URL"].replace("://", "://user:index-secret@")}
    env.run("install", "-y", folder, **secrets).ok()
    with open(told) as f:
        text = f.read()
    assert "-secret" not in text and env.lock not in text
    assert json.loads(text.splitlines()[0])["MAX_JOBS"] == "3"


def test_a_build_that_tells_of_more_is_planned_again(env, files):
    """The source tells nothing of black: the wheel wants a newer one than is locked."""
    sdist(files, told=[], requires=["black>=25.9"])
    run = env.run("install", "-y", "--build", "tool", "tool", *files.options()).ok()
    assert "planning again" in run.err and "black>=25.9" in run.err
    assert env.installed()["black"].startswith("25.9") and env.installed()["tool"] == "1.0"
    assert len(env.lock_diff()) == 1


def test_a_build_that_contradicts_changes_nothing(env, files):
    sdist(files, told=["click"], requires=["click<1"])
    tree, lock = env.tree(), env.lock_bytes()
    run = env.run("install", "-y", "--build", "tool", "tool", *files.options()).ok(3)
    assert "click" in run.out and "1.0" in run.out
    assert env.tree() == tree and env.lock_bytes() == lock


@pytest.mark.parametrize("spec, why", [(dict(built_version="2.0"), "another name or version"), (dict(fail=True), "the compiler")], ids=["version", "fails"])
def test_a_bad_build_changes_nothing(env, files, spec, why):
    sdist(files, told=[], **spec)
    tree = env.tree()
    run = env.run("install", "-y", "--build", "tool", "tool", *files.options()).ok(1)
    assert why in run.err and "U017" in run.err and "\x1b" not in run.err
    log = os.path.join(env.home, "cache", "unpin", "builds", "tool-1.0.log")
    assert log in run.err and os.path.getsize(log) > 0
    assert env.tree() == tree and not builds_left(env)


def test_what_only_a_build_tells(env, files):
    """Without --build the plan says what it does not know; with it, it knows."""
    sdist(files, told=[], requires=["black>=25.9"], static=False)
    plan = env.plan("tool", *files.options())
    assert set(changed(plan)) == {"tool"} and any("--build tells" in w for w in plan["warnings"])
    plan = env.plan("tool", "--build", "tool", *files.options())
    assert set(changed(plan)) >= {"tool", "black"}
    assert not builds_left(env)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_build_with_all_its_processes(env, tmp_path, number):
    told, folder = str(tmp_path / "told"), str(tmp_path / "tree")
    os.makedirs(folder)
    source(folder, "sleeper", told=told, sleep=600)
    tree = env.tree()
    child = subprocess.Popen(env.argv("install", "-y", folder), env=env.variables, cwd=env.folder, stdin=subprocess.DEVNULL, preexec_fn=heed_signals, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if os.path.exists(told):
            break
        time.sleep(0.1)
    child.send_signal(number)
    child.communicate(timeout=60)
    assert child.returncode == (-number if number == signal.SIGKILL else 128 + number)
    for _ in range(100):
        if number != signal.SIGKILL or not builders(env):
            break
        time.sleep(0.1)
    assert not builders(env)
    for path in builds_left(env) if number == signal.SIGKILL else []:
        shutil.rmtree(os.path.join(env.folder, path))
    assert not builds_left(env)
    assert env.tree() == tree


def builders(env):
    """The processes that have to do with a build of this environment."""
    mark = os.path.join(env.folder, "unpin-").encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if mark in f.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def on_terminal(env, answer, *words):
    """Runs unpin on a terminal and answers each question."""
    master, slave = pty.openpty()
    child = subprocess.Popen(env.argv(*map(str, words)), env={**env.variables, "TERM": "dumb"}, cwd=env.folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen, end = b"", time.time() + 100
    while time.time() < end:
        ready, _, _ = select.select([master], [], [], 1)
        if not ready:
            if child.poll() is not None:
                break
            continue
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        seen += more
        if more.rstrip().endswith(b"[y/N]"):
            os.write(master, answer)
    os.close(master)
    return child.wait(timeout=20), seen.decode("utf-8", "replace")


def test_on_a_terminal_the_question_names_the_build(env, files):
    sdist(files, told=[], requires=[])
    status, seen = on_terminal(env, b"n\n", "install", "tool", *files.options())
    assert status == 4 and "It builds 1 source, which runs its code." in seen and "tool" not in env.installed()
    status, seen = on_terminal(env, b"y\n", "install", "tool", *files.options())
    assert status == 0, seen
    assert env.installed()["tool"] == "1.0"


def test_a_tree(env, tmp_path):
    """Planned without running its code; built, installed, marked by PEP 610; put in anew where it is asked for again."""
    tree = tmp_path / "my tool"
    tree.mkdir()
    source(str(tree), "mytool", requires=["black>=25.9"])
    plan = env.plan(str(tree))
    assert changed(plan)["mytool"] == ("add", "1.0") and "black" in changed(plan)
    assert plan["changes"][0]["artifact"]["kind"] == "tree"
    env.run("install", "-y", tree).ok()
    origin = json.loads(site_file(env, "mytool-1.0.dist-info", "direct_url.json"))
    assert origin == {"url": f"file://{tree}".replace(" ", "%20"), "dir_info": {}}
    again = env.plan(str(tree))
    assert changed(again) == {"mytool": ("replace", "1.0")}


def test_an_editable_tree(env, tmp_path):
    """Only pointers are installed, and only they go with undo."""
    tree = tmp_path / "tree"
    tree.mkdir()
    source(str(tree), "mytool")
    before = env.tree()
    env.run("install", "-y", "-e", tree).ok()
    origin = json.loads(site_file(env, "mytool-1.0.dist-info", "direct_url.json"))
    assert origin == {"url": f"file://{tree}", "dir_info": {"editable": True}}
    done = subprocess.run([env.python, "-c", "import mytool; print(mytool.__file__)"], capture_output=True, text=True)
    assert done.stdout.strip() == str(tree / "src" / "mytool" / "__init__.py")
    env.run("undo", "-y").ok()
    assert env.tree() == before and (tree / "src" / "mytool" / "__init__.py").exists()


def test_a_tree_that_tells_nothing(env, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    source(str(tree), "mytool", static=False, built_version="3.1", built_requires=["black>=25.9"])
    run = env.run("plan", tree).ok(4)
    assert "--build mytool" in run.err
    run = env.run("plan", "--no-build", tree).ok(2)
    plan = env.plan(str(tree), "--build", "mytool")
    assert changed(plan)["mytool"] == ("add", "3.1") and "black" in changed(plan)
    env.run("install", "-y", tree).ok()
    assert env.installed()["mytool"] == "3.1"


def test_requirement_files_name_trees(env, tmp_path):
    project = tmp_path / "project"
    (project / "lib").mkdir(parents=True)
    source(str(project / "lib"), "mylib")
    (project / "requirements.txt").write_text("-e ./lib\nsix\n")
    plan = env.plan("-r", str(project / "requirements.txt"))
    assert changed(plan) == {"mylib": ("add", "1.0")} and plan["requests"][0].startswith("-e file://")


def git(folder, *words):
    names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *words], cwd=folder, env={**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with tag v1 of version 1.0, and main at 2.0; the project is in a subdirectory."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for version in ("1.0", "2.0"):
        subprocess.run(["rm", "-rf", folder / "py"], check=True)
        (folder / "py").mkdir()
        source(str(folder / "py"), "mytool", version, requires=["six"])
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", version)
        git(folder, "tag", "v" + version[0])
    return folder


def test_a_repository(env, repository, tmp_path):
    """The plan is for the commit: what is built is that one, though the branch has moved on since."""
    commit = git(repository, "rev-parse", "v1^{commit}")
    url = f"git+file://{repository}@v1#subdirectory=py"
    plan = env.plan(f"mytool @ {url}")
    assert changed(plan) == {"mytool": ("add", "1.0")}
    assert plan["changes"][0]["artifact"] == {"filename": "repo", "url": f"git+file://{repository}@{commit}#subdirectory=py", "sha256": "", "size": None, "kind": "repository", "verified": "commit", "direct": True}
    saved = tmp_path / "plan.json"
    env.run("plan", url, "-o", saved).ok()
    script = env.run("export", "--script", saved).ok().out
    assert f"mytool @ git+file://{repository}@{commit}#subdirectory=py" in script and "mytool==" not in script, "no index has it"
    git(repository, "tag", "-f", "v1", "main")
    env.run("apply", "-y", saved).ok()
    assert env.installed()["mytool"] == "1.0"
    origin = json.loads(site_file(env, "mytool-1.0.dist-info", "direct_url.json"))
    assert origin["url"] == f"file://{repository}" and origin["vcs_info"]["commit_id"] == commit and origin["subdirectory"] == "py"
    assert env.plan(f"git+file://{repository}@{commit}#subdirectory=py")["status"] == "satisfied", "that commit is there"
    env.run("install", "-y", url).ok()
    assert env.installed()["mytool"] == "2.0"
    assert not builds_left(env)


def test_revisions_that_are_none(env, repository):
    assert "no revision 'nowhere'" in env.run("plan", f"git+file://{repository}@nowhere").ok(2).err
    env.run("plan", f"git+file://{repository}@--upload-pack=touch").ok(2)
    run = env.run("plan", f"git+file://{repository}@v1#subdirectory=py", PATH="/nowhere")
    assert run.status == 1 and "no program `git`" in run.err


def real_index():
    """Variables for the index that pip is configured for here."""
    return {"PIP_CONFIG_FILE": os.environ.get("PIP_CONFIG_FILE", ""), "PIP_INDEX_URL": os.environ.get("PIP_INDEX_URL", ""), "HOME": os.path.expanduser("~"),
            **{k: v for k, v in os.environ.items() if k.lower() in ("http_proxy", "https_proxy", "no_proxy") or k in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")}}


def test_a_real_sdist_is_planned_without_a_build(env):
    plan = env.plan("docopt==0.6.2", **real_index())
    assert plan["status"] == "feasible" and plan["changes"][0]["artifact"]["kind"] == "sdist"
    assert changed(plan) == {"docopt": ("add", "0.6.2")}


def test_which_kinds_of_files_are_taken(env, files, tmp_path):
    """--only-binary and --no-binary, from the configuration, the command line and files, the later one over the one before."""
    sdist(files, version="1.0"), sdist(files, version="2.0")
    worlds.stub_wheel(str(files), "tool", "1.0")
    file = tmp_path / "r.txt"

    def found(request, *words, line="", **variables):
        file.write_text(f"{line}\n{request}\n")
        plan = env.plan("-r", file, *words, *files.options(), **variables)
        return [(c["to"], c["artifact"]["kind"]) for c in plan["changes"]]

    one, two, wheel, source, built = "tool==1.0", "tool==2.0", [("1.0", "wheel")], [("1.0", "sdist")], [("2.0", "sdist")]
    assert found(one) == wheel and found(two) == built
    # No sdist of it: there is no plan for the release that has nothing else.
    assert found(two, "--only-binary", "Tool") == found(two, "--only-binary=:all:") == found(two, line="--only-binary tool") == found(two, "--no-build") == []
    assert found(two, PIP_ONLY_BINARY="six,tool") == found(two, UV_NO_BUILD_PACKAGE="tool") == found(two, UV_NO_BUILD="1") == []
    # No wheel of it: the sdist is taken of a release that has both.
    assert found(one, "--no-binary", "tool") == found(one, line="--no-binary :all:") == found(one, PIP_NO_BINARY="tool") == source
    assert found("tool", "--no-binary", "tool") == built
    # The later one counts, files last, and --no-build over all.
    assert found(two, "--only-binary", ":all:", "--no-binary", "tool") == built and found(two, "--no-binary", "tool", "--only-binary", ":all:") == []
    assert found(one, "--only-binary", "tool", PIP_NO_BINARY=":all:") == wheel
    assert found(one, "--only-binary", "tool", line="--no-binary tool") == source
    assert found(two, "--no-build", line="--no-binary tool") == []
    run = env.run("plan", "tool==2.0", "--only-binary", "tool", *files.options()).ok(3)
    assert "has only an sdist, and --only-binary is set" in run.out and "build a source distribution" in run.out
    # Where a configuration says so the way out takes that back, and works as it is printed.
    out = env.run("plan", "tool==2.0", *files.options(), PIP_ONLY_BINARY="tool").ok(3).out
    command = next(line for line in out.splitlines() if ":none:" in line).split()
    assert command[:2] == ["unpin", "plan"] and env.run(*command[1:], PIP_ONLY_BINARY="tool").ok().out
    worlds.stub_wheel(str(files), "tool", "3.0")
    run = env.run("plan", "tool==3.0", "--no-binary", "tool", *files.options()).ok(3)
    assert "has only wheels, and --no-binary is set" in run.out and "take a wheel" in run.out
    assert "wanted without a wheel" in env.run("plan", "tool==1.0", "--no-binary", "tool", *files.options()).ok().out
    env.run("plan", "tool", "--no-binary", "tool>1").ok(2)
    env.run("install", "-y", "tool==1.0", "--no-binary", "tool", *files.options()).ok()
    assert site_file(env, "tool", "__init__.py") == "built = True\n"


class DumbGit(http.server.SimpleHTTPRequestHandler):
    """Repositories as files, for those who know the token."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:s3cr3t-t0ken").decode():
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def private(tmp_path):
    """A server of a repository with two submodules beside it: by a relative URL, and by a path of this machine."""
    served = tmp_path / "served"
    for name in ("local", "sub"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "inside.txt").write_text(name)
        git(folder, "init", "-q", "-b", "main"), git(folder, "add", "-A"), git(folder, "commit", "-qm", name)
    folder = tmp_path / "top"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    # The build tells what git left for it to read.
    source(str(folder), "mytool", told=str(tmp_path / "told"))
    (folder / "be.py").write_text((folder / "be.py").read_text().replace('    if SPEC.get("fail")', '''    import subprocess
    with open(SPEC["told"], "a") as f:
        f.write(open("part/inside.txt").read() + subprocess.run("cat .git/config .git/FETCH_HEAD .git/modules/part/config; env", shell=True, text=True, capture_output=True).stdout)
    if SPEC.get("fail")'''))
    (folder / ".gitmodules").write_text('[submodule "part"]\n\tpath = part\n\turl = ../sub.git\n')
    git(folder, "add", "-A")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(tmp_path / 'sub', 'rev-parse', 'HEAD')},part")
    git(folder, "commit", "-qm", "good")
    (folder / ".gitmodules").write_text((folder / ".gitmodules").read_text() + f'[submodule "stolen"]\n\tpath = stolen\n\turl = file://{tmp_path}/local\n')
    git(folder, "add", ".gitmodules")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(tmp_path / 'local', 'rev-parse', 'HEAD')},stolen")
    git(folder, "commit", "-qm", "bad")
    for name in ("top", "sub"):
        git(tmp_path, "clone", "-q", "--bare", str(tmp_path / name), str(served / (name + ".git")))
        git(served / (name + ".git"), "update-server-info")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(DumbGit, directory=str(served)))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_a_private_repository_with_submodules(env, private, tmp_path):
    """The token fetches the repository and what lies beside it, and is printed, stored and told nowhere."""
    place = f"127.0.0.1:{private.server_port}/top.git"
    url = f"git+http://me:s3cr3t-t0ken@{place}@main~1".replace("main~1", git(tmp_path / "top", "rev-parse", "HEAD~1"))
    saved = tmp_path / "plan.json"
    runs = [env.run("plan", f"mytool @ {url}", "-o", saved, "-v").ok(), env.run("install", "-y", "-v", "--json", "--build", "mytool", f"mytool @ {url}").ok()]
    assert env.installed()["mytool"] == "1.0" and any("/sub.git/" in path for path, _ in private.asked)
    origin = json.loads(site_file(env, "mytool-1.0.dist-info", "direct_url.json"))
    assert origin["url"] == f"http://{place}" and origin["vcs_info"]["commit_id"] == url.rsplit("@")[-1]
    told = (tmp_path / "told").read_text()
    assert "sub" in told and "[remote" in told and f"http://127.0.0.1:{private.server_port}/sub.git" in told
    runs += [env.run(*words) for words in (["history", "--json"], ["history"], ["why", "mytool"], ["export", "--script", saved], ["snapshot"],
                                           ["plan", url.replace("t0ken", "t0ken-wrong")], ["plan", url.rsplit("@", 1)[0] + "@nothing"],
                                           ["plan", url.replace("top.git", "none.git")])]
    for text in [told, saved.read_text(), *[run.out + run.err for run in runs]]:
        assert "s3cr3t" not in text
    left = subprocess.run(["grep", "-rl", "s3cr3t", env.prefix, env.home], capture_output=True, text=True).stdout
    assert not left, left
    # A submodule of a server's repository is no file of this machine.
    run = env.run("plan", f"mytool @ git+http://me:s3cr3t-t0ken@{place}").ok(7)
    assert "submodule" in run.err and "s3cr3t" not in run.err and not builds_left(env)
