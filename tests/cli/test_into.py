"""--into: a layer over an environment that stays as it is."""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

import world as worlds


def everything(folder):
    """Every path below `folder` with all that a write would change; byte code and unpin's own files included."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in ["", *folders, *files]:
            path = os.path.join(parent, name)
            s = os.lstat(path)
            found[path] = (s.st_mode, s.st_uid, s.st_gid, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_nlink)
    return found


class Layer:
    """A layer over `env`, and the base that must not change."""

    def __init__(self, env, folder=None):
        self.env, self.folder = env, str(folder or env.folder)
        self.dir = os.path.join(self.folder, "layer")
        self.python = os.path.join(self.dir, "bin", "python")
        self.site = os.path.join(self.dir, os.path.relpath(env.site, env.prefix))
        self.lock = os.path.join(self.dir, "constraint.txt")
        self.before, self.lock_before = everything(env.prefix), env.lock_bytes()

    def install(self, *words, **variables):
        return self.env.run("install", "-y", *words, "--into", self.dir, **variables)

    def ask(self, code, *words, **variables):
        """What Python prints in the layer."""
        done = subprocess.run([self.python, "-B", *words, "-c", code], capture_output=True, text=True, cwd="/", env={**self.env.variables, **variables})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def version(self, name):
        return self.ask(f"import importlib.metadata as m; print(m.version({name!r}))")

    def base_is_untouched(self):
        assert everything(self.env.prefix) == self.before
        assert self.env.lock_bytes() == self.lock_before


@pytest.fixture
def layer(seen, tmp_path):
    made = Layer(seen, tmp_path)
    yield made
    made.base_is_untouched()


def test_plan_makes_nothing(layer):
    env = layer.env
    plan = env.plan("click==8.1.8", "--into", layer.dir)
    assert plan["environment"]["layer"] == {"over": env.python, "new": True}
    assert plan["environment"]["prefix"] == layer.dir and plan["environment"]["lock_files"] == [layer.lock]
    assert plan["environment"]["installed"] == env.plan("click==8.1.8")["environment"]["installed"]
    assert not os.path.exists(layer.dir)
    text = env.run("plan", "click==8.1.8", "--into", layer.dir).ok().out
    assert "a new layer over " + env.python in text and f"--into {layer.dir}" in text


def test_the_layer_has_the_change_and_the_base_has_not(layer):
    env = layer.env
    layer.install("click==8.1.8", "kitchen==1.0").ok()
    assert layer.version("click") == "8.1.8" and layer.version("flask") == env.installed()["flask"]
    assert layer.ask("import click; print(click.__file__)").startswith(layer.site)
    assert layer.ask("import flask; print(flask.__file__)").startswith(env.site)
    assert layer.ask("import click; print(click.__file__)", "-I").startswith(layer.site)
    with open(os.path.join(layer.dir, "bin", "kitchen")) as f:
        assert f.readline() == f"#!{layer.python}\n"
    with open(layer.lock, "rb") as f:
        assert f.read() == layer.lock_before.replace(b"click==8.1.7", b"click==8.1.8")
    assert env.installed()["click"] == "8.1.7"
    assert env.plan("click", "--python", layer.dir)["environment"]["installed"] == len(env.installed()) + 1, "what is hidden counts once"


def test_later_commands_find_the_layer_and_its_lock(layer):
    env = layer.env
    layer.install("click==8.1.8").ok()
    after_first = worlds.tree(layer.dir)
    plan = env.plan("click==8.1.7", "--python", layer.python)
    assert [(c["name"], c["from"], c["to"]) for c in plan["changes"]] == [("click", "8.1.8", "8.1.7")]
    assert plan["environment"]["layer"] == {"over": env.python, "new": False}
    assert {lift["file"] for lift in plan["lifts"]} == {layer.lock}
    layer.install("filelock==3.18.0", "--lock", env.lock).ok()
    env.run("install", "-y", "asgiref==3.8.1", "--python", layer.python).ok()
    assert layer.version("filelock") == "3.18.0" and layer.version("asgiref") == "3.8.1" and layer.version("click") == "8.1.8"
    locks = env.run("locks", "--json", "--python", layer.dir).json
    assert locks["source"] == "the layer (copied from PIP_CONSTRAINT)"
    assert [t["changes"][0]["name"] for t in env.run("history", "--json", "--python", layer.dir).json["transactions"]] == ["asgiref", "filelock", "click"]
    env.run("undo", "-y", "2", "--python", layer.dir).ok()
    assert worlds.tree(layer.dir) == after_first
    env.run("undo", "-y", "--python", layer.dir).ok()
    assert layer.version("click") == "8.1.7"
    with open(layer.lock, "rb") as f:
        assert f.read() == layer.lock_before


def test_a_saved_plan_goes_into_a_new_layer(layer):
    path = os.path.join(layer.folder, "plan.json")
    run = layer.env.run("plan", "click==8.1.8", "--into", layer.dir, "-o", path).ok()
    assert f"--into {layer.dir}" in run.out
    layer.env.run("apply", "-y", path, "--into", layer.dir).ok()
    assert layer.version("click") == "8.1.8"


def test_the_base_cannot_lose_anything(layer):
    env = layer.env
    run = env.run("remove", "-y", "black", "--into", layer.dir, "--json").ok(1)
    assert run.json["error"]["code"] == "U021" and not os.path.exists(layer.dir)
    layer.install("click==8.1.8", "kitchen==1.0").ok()
    run = env.run("remove", "-y", "black", "--python", layer.dir).ok(1)
    assert "below" in run.err
    env.run("remove", "-y", "kitchen", "--python", layer.dir).ok()
    assert not os.path.exists(os.path.join(layer.site, "kitchen"))


def test_what_is_satisfied_still_makes_the_layer(layer):
    layer.install("click").ok()
    assert layer.version("click") == "8.1.7"
    with open(layer.lock, "rb") as f:
        assert f.read() == layer.lock_before


def test_without_consent_there_is_no_layer(layer):
    layer.env.run("install", "click==8.1.8", "--into", layer.dir).ok(4)
    assert not os.path.exists(layer.dir)


def test_a_change_that_cannot_be_verified_leaves_no_layer(layer, index, tmp_path):
    wheel = worlds.stub_wheel(str(tmp_path / "bad"), "badimport", "1.0", files={"badimport/__init__.py": "from badimport import absent\n"})
    run = layer.install(wheel, "--json").ok(1)
    assert run.json["error"]["code"] == "U013"
    assert not os.path.exists(layer.dir)
    os.mkdir(layer.dir)
    layer.install(wheel).ok(1)
    assert os.listdir(layer.dir) == [], "a directory that was there stays, empty"
    layer.install("click==8.1.8").ok()


@pytest.mark.parametrize("kind", ["files", "venv", "file"])
def test_what_is_no_layer_is_refused(layer, kind):
    if kind == "file":
        with open(layer.dir, "w"):
            pass
    else:
        os.mkdir(layer.dir)
        with open(os.path.join(layer.dir, "pyvenv.cfg" if kind == "venv" else "mine"), "w") as f:
            f.write("home = /usr/bin\n")
    run = layer.install("click==8.1.8", "--json").ok(1)
    assert run.json["error"]["code"] == "U021"
    assert kind == "file" or len(os.listdir(layer.dir)) == 1


def test_a_layer_of_another_environment_is_told(layer):
    layer.install("click==8.1.8").ok()
    run = layer.env.run("install", "-y", "click==8.1.8", "--python", layer.env.world.python, "--into", layer.dir).ok(2)
    assert layer.env.python in run.err
    layer.env.run("install", "-y", "click==8.1.8", "--python", layer.env.prefix, "--into", layer.dir).ok()
    assert layer.env.run("plan", "click", "--image", "x", "--into", layer.dir).ok(2).err


def test_a_layer_over_a_layer(layer):
    layer.install("click==8.1.8").ok()
    second = os.path.join(layer.folder, "second")
    before = everything(layer.dir)
    layer.env.run("install", "-y", "filelock==3.18.0", "--python", layer.dir, "--into", second).ok()
    assert everything(layer.dir) == before
    code = "import importlib.metadata as m; print(m.version('click'), m.version('filelock'), m.version('flask'))"
    done = subprocess.run([os.path.join(second, "bin", "python"), "-B", "-c", code], capture_output=True, text=True, env=layer.env.variables)
    assert done.stdout.split() == ["8.1.8", "3.18.0", layer.env.installed()["flask"]], done.stderr
    with open(os.path.join(second, "constraint.txt")) as f:
        assert "click==8.1.8" in f.read()


def test_pip_in_the_layer_keeps_to_the_layers_lock(layer):
    env = layer.env
    layer.install("click==8.1.8").ok()
    pip = os.path.join(layer.dir, "bin", "pip")
    sources = ["--no-index", "--find-links", env.world.wheels, "--find-links", env.world.stubs]
    done = subprocess.run([pip, "install", "--no-compile", *sources, "kitchen==1.0", "click"], capture_output=True, text=True, env=env.variables)
    assert done.returncode == 0, done.stderr
    assert os.path.exists(os.path.join(layer.site, "kitchen")) and layer.version("click") == "8.1.8"
    done = subprocess.run([pip, "install", *sources, "click==8.1.7"], capture_output=True, text=True, env=env.variables)
    assert done.returncode and "constraint" in done.stdout + done.stderr
    env.run("plan", "click", "--python", layer.dir).ok()
    found = {d["name"].lower(): d["version"] for d in json.loads(subprocess.run([pip, "list", "--format=json"], capture_output=True, env=env.variables).stdout)}
    assert found["click"] == "8.1.8" and found["flask"] == env.installed()["flask"]


def test_an_activated_layer_is_the_environment(layer):
    layer.install("click==8.1.8").ok()
    script = f". {layer.dir}/bin/activate && python -B -c 'import click; print(click.__file__)' && command -v pip && {layer.env.binary} why click"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=layer.env.variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [f"{layer.site}/click/__init__.py", f"{layer.dir}/bin/pip"]
    assert "8.1.8" in done.stdout


def test_editables_and_pth_files_below_are_seen(env):
    source = os.path.join(env.folder, "source")
    os.mkdir(source)
    with open(os.path.join(source, "mine_here.py"), "w") as f:
        f.write("x = 1\n")
    with open(os.path.join(env.site, "mine.pth"), "w") as f:
        f.write(source + "\n")
    layer = Layer(env)
    layer.install("click==8.1.8").ok()
    assert layer.ask("import mine_here; print(mine_here.__file__)") == os.path.join(source, "mine_here.py")
    layer.base_is_untouched()


@pytest.mark.parametrize("name", ["with blank", "caf\u00e9 it's"])
def test_odd_names_of_directories(seen, tmp_path, name):
    """Of the layer, and of the base of a second layer over it."""
    folder = tmp_path / name
    folder.mkdir()
    layer, second = Layer(seen, folder), str(folder / "second")
    layer.install("click==8.1.8", "kitchen==1.0").ok()
    assert layer.version("click") == "8.1.8" and layer.version("flask") == seen.installed()["flask"]
    told = subprocess.run([os.path.join(layer.dir, "bin", "kitchen")], capture_output=True, text=True, env=seen.variables)
    assert "kitchen" in told.stderr and "ImportError" in told.stderr, "the script starts; the stub has no main"
    sources = ["--no-index", "--find-links", seen.world.wheels]
    done = subprocess.run([os.path.join(layer.dir, "bin", "pip"), "install", "--dry-run", *sources, "click==8.1.7"], capture_output=True, text=True, env=seen.variables)
    assert done.returncode and "constraint" in done.stdout + done.stderr
    seen.run("install", "-y", "filelock==3.18.0", "--python", layer.dir, "--into", second).ok()
    code = "import importlib.metadata as m; print(m.version('click'), m.version('filelock'))"
    done = subprocess.run([os.path.join(second, "bin", "python"), "-B", "-c", code], capture_output=True, text=True, env=seen.variables)
    assert done.stdout.split() == ["8.1.8", "3.18.0"], done.stderr
    layer.base_is_untouched()


def test_two_locks_become_one(layer):
    env = layer.env
    extra = os.path.join(layer.folder, "extra.txt")
    shutil.copy(env.lock, layer.folder)
    with open(extra, "w") as f:
        f.write("-c constraint.txt\nasgiref==3.7.2\n")
    plan = env.plan("click==8.1.8", "--into", layer.dir, "--lock", extra)
    assert plan["environment"]["lock_files"] == [layer.lock]
    layer.install("click==8.1.8", "--lock", extra).ok()
    with open(layer.lock) as f:
        text = f.read()
    assert "# -c constraint.txt\n" in text and "click==8.1.8\n" in text and "asgiref==3.7.2\n" in text
    run = env.run("locks", "--json", "--python", layer.dir).ok().json
    assert run["source"] == "the layer (copied from --lock)"


def mount(*words):
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def frozen(env):
    """The environment, mounted read-only over itself."""
    mount("--bind", env.prefix, env.prefix)
    try:
        mount("-o", "remount,bind,ro", env.prefix)
        yield env
    finally:
        subprocess.run(["umount", "-l", env.prefix], check=True)


def test_a_read_only_environment_is_told_before_anything_is_fetched(frozen, index):
    index.reset()
    run = frozen.run("install", "-y", "click==8.1.8", "--json").ok(1)
    assert run.json["error"]["code"] == "U011" and "--into DIR" in run.json["error"]["hint"]
    assert index.requests == []
    frozen.run("install", "click").ok(0)
    run = frozen.run("plan", "click==8.1.8").ok()
    assert "Read-only" in run.out and run.out.endswith(" --into layer\n"), "the plan tells it, and what works"


def test_a_read_only_environment_gets_a_layer(frozen):
    layer = Layer(frozen)
    layer.install("click==8.1.8").ok()
    assert layer.version("click") == "8.1.8" and layer.version("flask") == frozen.installed()["flask"]
    frozen.run("undo", "-y", "--python", layer.dir).ok()
    layer.base_is_untouched()


def test_a_squashfs_gets_a_layer(world, unpin_binary, index, tmp_path):
    import conftest
    if not shutil.which("mksquashfs"):
        pytest.skip("mksquashfs is not here")
    image, target = tmp_path / "base.squashfs", tmp_path / "env"
    target.mkdir()
    subprocess.run(["mksquashfs", world.base, str(image), "-quiet", "-no-progress", "-comp", "lz4"], check=True, capture_output=True)
    mount("-o", "loop,ro", image, target)
    try:
        env = conftest.Environment(world, unpin_binary, target, tmp_path, index.url)
        assert "--into DIR" in env.run("install", "-y", "click==8.1.8").ok(1).err
        layer = Layer(env)
        layer.install("click==8.1.8").ok()
        assert layer.version("click") == "8.1.8"
        layer.base_is_untouched()
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


@pytest.fixture
def stranger():
    """A folder of a user who may write nothing else; runs words as that user."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can be somebody else")
    folder = tempfile.mkdtemp(prefix="unpin-stranger-", dir="/tmp")
    os.chown(folder, 65534, 65534)
    variables = worlds.clean_environment(HOME=folder, PIP_CONFIG_FILE=os.devnull, TMPDIR=folder, LC_ALL="C.UTF-8")

    def run(*words, **more):
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=folder, env={**variables, **more}, stdin=subprocess.DEVNULL)
        if done.returncode in (126, 127):
            pytest.skip(f"that user may not even run it: {done.stderr.strip()}")
        return done

    run.folder = folder
    yield run
    shutil.rmtree(folder)


def test_a_stranger_over_the_python_of_debian(unpin_binary, stranger):
    """No write permission, EXTERNALLY-MANAGED, dist-packages that dpkg owns: told, and a layer hides them."""
    debian = "/usr/lib/python3/dist-packages"
    infos = [n for n in os.listdir(debian) if n.endswith(".dist-info") and os.path.exists(os.path.join(debian, n, "METADATA"))] if os.path.isdir(debian) else []
    if not os.path.exists("/usr/bin/python3") or len(infos) < 2:
        pytest.skip("no Debian Python with distributions here")
    name, other = (info.split("-")[0] for info in sorted(infos)[:2])
    before = everything(debian)
    wheels = os.path.join(stranger.folder, "wheels")
    worlds.stub_wheel(wheels, name, "99.0", files={f"{name}.py": "v = 99\n"})
    subprocess.run(["chmod", "-R", "a+rX", wheels], check=True)
    words = [unpin_binary, "install", "-y", f"{name}==99.0", "--no-index", "--find-links", wheels, "--replace", name, "--python", "/usr/bin/python3"]
    done = stranger(*words, "--break-system-packages")
    assert done.returncode == 1 and "--into DIR" in done.stderr and "[U011]" in done.stderr, done.stderr
    done = stranger(*words)
    assert done.returncode == 1 and "--into DIR" in done.stderr, done.stderr
    layer = os.path.join(stranger.folder, "layer")
    done = stranger(*words, "--into", layer)
    assert done.returncode == 0, done.stdout + done.stderr
    code = f"import importlib.metadata as m; print(m.version({name!r}), m.version({other!r}) != '')"
    done = stranger(os.path.join(layer, "bin", "python"), "-B", "-c", code)
    assert done.stdout.split() == ["99.0", "True"], done.stderr
    assert stranger(unpin_binary, "undo", "-y", "--python", layer).returncode == 0
    assert stranger(os.path.join(layer, "bin", "python"), "-B", "-c", code).stdout.split()[0] != "99.0"
    assert everything(debian) == before
