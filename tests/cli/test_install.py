"""unpin install, apply, undo, history: on a plain directory and on an overlay mount."""
import json
import os
import shutil
import subprocess
import zipfile

import pytest

import world as worlds


def test_install_does_what_the_plan_says(any_env):
    env = any_env
    broken = env.pip_check()
    plan = env.plan("black==25.9.0")
    before = env.installed()
    env.run("install", "-y", "black==25.9.0").ok()
    after = env.installed()
    expected = {**before, **{c["name"]: c["to"] for c in plan["changes"]}}
    assert after == expected
    assert env.pip_check() == broken, "pip sees what it saw before"
    assert env.lock_diff() == [(n, "black==23.7.0   # the formatter of the house", "black==25.9.0   # the formatter of the house")
                               for n, *_ in env.lock_diff()[:1]]
    told = subprocess.run([os.path.join(env.prefix, "bin", "black"), "--version"], capture_output=True, text=True, env=env.variables)
    assert "25.9.0" in told.stdout, told.stderr


def test_exactly_the_lifted_lines_change(env):
    plan = env.run("install", "-y", "--json", "flask==3.1.0").ok()
    lifts = {lift["line"]: lift for lift in env_plan(plan)["lifts"]}
    diff = env.lock_diff()
    assert sorted(lifts) == [n for n, _, _ in diff]
    for n, old, new in diff:
        assert new == old.replace(lifts[n]["from"], lifts[n]["to"])


def env_plan(run):
    """The plan within the document of `install --json`, wherever the schema puts it."""
    document = run.json
    return document.get("plan", document)


def test_the_lock_keeps_its_peculiar_bytes(env):
    with open(env.lock, "rb") as f:
        text = f.read()
    odd = b"\xef\xbb\xbf# caf\xc3\xa9 \r\n\r\n" + text.replace(b"click==8.1.7\n", b"Click  ==\t8.1.7  # why\r\n").rstrip(b"\n")
    with open(env.lock, "wb") as f:
        f.write(odd)
    os.chmod(env.lock, 0o640)
    env.run("install", "-y", "click==8.1.8").ok()
    assert env.lock_bytes() == odd.replace(b"8.1.7", b"8.1.8")
    assert os.stat(env.lock).st_mode & 0o777 == 0o640


def test_records_hold_after_an_install(env):
    env.run("install", "-y", "werkzeug>=3", "pytest>=8", "jsonschema>=4.23").ok()
    code = ("import base64, hashlib, importlib.metadata as m\nfor d in m.distributions():\n  for f in d.files or []:\n    p = f.locate()\n"
            "    if f.hash and '__pycache__' not in str(f):\n      h = base64.urlsafe_b64encode(hashlib.new(f.hash.mode, open(p, 'rb').read()).digest()).rstrip(b'=').decode()\n"
            "      assert h == f.hash.value, p\nprint('good')")
    done = subprocess.run([env.python, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "good", done.stderr
    info = os.path.join(env.site, f"pytest-{env.installed()['pytest']}.dist-info")
    with open(os.path.join(info, "INSTALLER")) as f:
        assert f.read().strip() == "unpin"
    assert os.path.exists(os.path.join(info, "REQUESTED"))
    assert not os.path.exists(os.path.join(env.site, f"referencing-{env.installed()['referencing']}.dist-info", "REQUESTED"))


@pytest.mark.parametrize("wrong", ["size", "hash"])
def test_a_wrong_record_needs_consent_and_is_made_true(env, tmp_path, wrong):
    """As of wheels whose libraries were repaired after RECORD was written (PyNvVideoCodec 2.0.4)."""
    path = worlds.stub_wheel(str(tmp_path), "careless", "1.0")
    with zipfile.ZipFile(path) as z:
        content = {n: z.read(n).decode() for n in z.namelist()}
    content["careless/part.py"] = "# repaired\n" if wrong == "size" else content["careless/part.py"].replace("1.0", "2.0")
    with zipfile.ZipFile(path, "w") as z:
        for name, text in content.items():
            z.writestr(name, text)
    before = env.tree()
    refused = env.run("install", "-y", path)
    assert refused.status == 1 and "RECORD" in refused.err and "--rebuild-record" in refused.err
    assert env.tree() == before
    done = env.run("install", "-y", "--rebuild-record", "Careless", path).ok()
    assert "what the archive holds" in done.out + done.err
    with open(os.path.join(env.site, "careless", "part.py")) as f:
        assert f.read() == content["careless/part.py"]
    found = env.run("check", "--files", "--json").json
    assert not [d for d in found["damaged"] if d["name"] == "careless"], found["damaged"]


def test_pip_and_uv_can_go_on_afterwards(env):
    env.run("install", "-y", "click==8.1.8").ok()
    done = subprocess.run([env.python, "-m", "pip", "uninstall", "-y", "click"], capture_output=True, text=True, env={**env.variables, "PIP_CONSTRAINT": ""})
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(os.path.join(env.site, "click"))


def test_undo_gives_back_every_byte_without_a_network(any_env, index):
    env = any_env
    tree, lock = env.tree(), env.lock_bytes()
    env.run("install", "-y", "flask==3.1.0", "black==25.9.0").ok()
    assert env.tree() != tree
    index.down = True
    env.run("undo", "-y", PIP_INDEX_URL="http://127.0.0.1:9/simple/").ok()
    assert env.tree() == tree
    assert env.lock_bytes() == lock


def test_undo_twice_walks_back_and_undo_of_nothing_is_told(env):
    start, lock = env.tree(), env.lock_bytes()
    env.run("install", "-y", "click==8.1.8").ok()
    middle = env.tree()
    env.run("install", "-y", "filelock==3.18.0").ok()
    env.run("undo", "-y").ok()
    assert env.tree() == middle
    env.run("undo", "-y").ok()
    assert env.tree() == start and env.lock_bytes() == lock
    run = env.run("undo", "-y")
    assert run.status in (1, 2) and run.err


def test_undo_refuses_to_overwrite_what_somebody_changed(env):
    env.run("install", "-y", "click==8.1.8").ok()
    victim = os.path.join(env.site, "click", "core.py")
    with open(victim, "a") as f:
        f.write("# mine\n")
    run = env.run("undo", "-y")
    assert run.status in (1, 6, 75), (run.status, run.err)
    assert "core.py" in run.out + run.err
    with open(victim) as f:
        assert f.read().endswith("# mine\n")


def test_history_names_what_was_done(env):
    env.run("history").ok()
    env.run("install", "-y", "click==8.1.8").ok()
    run = env.run("history").ok()
    assert "click" in run.out
    assert json.loads(env.run("history", "--json").ok().out)["schema"] == 1
    env.run("undo", "-y").ok()
    assert "undo" in env.run("history").ok().out


def test_without_consent_nothing_happens(env):
    tree, lock = env.tree(), env.lock_bytes()
    run = env.run("install", "click==8.1.8").ok(4)
    assert "-y" in run.err + run.out
    assert env.tree() == tree and env.lock_bytes() == lock


def test_nothing_to_do_needs_no_consent(env):
    tree = env.tree()
    env.run("install", "click").ok(0)
    assert env.tree() == tree


def test_an_infeasible_install_changes_nothing(env):
    tree, lock = env.tree(), env.lock_bytes()
    env.run("install", "-y", "torch==2.7.0").ok(3)
    assert env.tree() == tree and env.lock_bytes() == lock


def test_saved_plan_is_applied(env):
    path = os.path.join(env.folder, "plan.json")
    env.run("plan", "-o", path, "click==8.1.8").ok()
    before = env.installed()
    env.run("apply", "-y", path).ok()
    assert env.installed() == {**before, "click": "8.1.8"}


def test_saved_plan_for_another_state_is_refused(env):
    path = os.path.join(env.folder, "plan.json")
    env.run("plan", "-o", path, "click==8.1.8").ok()
    done = subprocess.run([env.python, "-m", "pip", "install", "-q", "--no-deps", "filelock==3.18.0"], capture_output=True, text=True, env={**env.variables, "PIP_CONSTRAINT": ""})
    assert done.returncode == 0, done.stderr
    tree = env.tree()
    env.run("apply", "-y", path).ok(75)
    assert env.tree() == tree


def test_a_saved_plan_is_refused_where_the_lock_changed_since(env):
    path = os.path.join(env.folder, "plan.json")
    env.run("plan", "-o", path, "click==8.1.8").ok()
    with open(env.lock, "ab") as f:
        f.write(b"# somebody was here\n")
    text = env.lock_bytes()
    run = env.run("apply", "-y", path)
    assert run.status == 75, run.err
    assert env.lock_bytes() == text


def test_remove(env):
    before = env.installed()
    env.run("remove", "-y", "tabulate").ok()
    del before["tabulate"]
    assert env.installed() == before
    env.run("undo", "-y").ok()
    assert env.installed()["tabulate"] == "0.9.0"


def test_remove_is_refused_where_others_need_it(env):
    tree = env.tree()
    run = env.run("remove", "-y", "markupsafe").ok(3)
    assert "jinja2" in (run.out + run.err).lower()
    assert env.tree() == tree


def test_unlisted_files_stay(env):
    mine = os.path.join(env.site, "click", "my_notes.txt")
    with open(mine, "w") as f:
        f.write("mine")
    env.run("install", "-y", "click==8.1.8").ok()
    assert os.path.exists(mine)


def test_byte_code_of_replaced_modules_goes(env):
    subprocess.run([env.python, "-m", "compileall", "-q", os.path.join(env.site, "click")], check=True)
    env.run("install", "-y", "click==8.1.8").ok()
    done = subprocess.run([env.python, "-B", "-c", "import click, importlib.metadata as m; print(m.version('click'), click.__file__)"], capture_output=True, text=True)
    assert done.stdout.startswith("8.1.8"), done.stderr


def test_only_directories_that_were_to_go_are_told_to_stay(env, tmp_path):
    """What is the same in both releases stays, with its byte code: nothing to tell. A file of somebody's is."""
    wheels, same = str(tmp_path / "wheels"), {"halves/__init__.py": "", "halves/parts/same.py": "v = 0\n"}
    worlds.stub_wheel(wheels, "halves", "1.0", files={**same, "halves/other.py": "v = 1\n", "halves/gone/old.py": "", "halves/left/old.py": ""})
    worlds.stub_wheel(wheels, "halves", "2.0", files={**same, "halves/other.py": "v = 2\n"})
    env.run("install", "-y", "halves==1.0", PIP_FIND_LINKS=wheels).ok()
    package = os.path.join(env.site, "halves")
    subprocess.run([env.python, "-m", "compileall", "-q", package], check=True)
    compiled = os.listdir(os.path.join(package, "parts", "__pycache__"))
    with open(os.path.join(env.site, "halves-1.0.dist-info", "RECORD"), "a") as f:  # as pip does
        f.writelines(f"halves/parts/__pycache__/{name},,\n" for name in compiled)
    with open(os.path.join(package, "left", "my_notes.txt"), "w") as f:
        f.write("mine")
    run = env.run("install", "-y", "halves==2.0", PIP_FIND_LINKS=wheels).ok()
    stays = [line for line in run.err.splitlines() if "is not empty and stays" in line]
    assert len(stays) == 1 and "halves/left'" in stays[0], run.err
    assert not os.path.exists(os.path.join(package, "gone"))
    assert os.listdir(os.path.join(package, "parts")) == ["same.py"]
    cached = {name.split(".")[0] for name in os.listdir(os.path.join(package, "__pycache__"))}
    assert "__init__" in cached and "other" not in cached


@pytest.mark.parametrize("version", sorted(worlds.interpreters()), ids=lambda v: "py%d.%d" % v)
def test_each_python(version, unpin_binary, tmp_path):
    """The whole way once with each version of Python that is here."""
    from conftest import IndexServer, drop_environment, make_environment
    world = worlds.World(version)
    with IndexServer([world.wheels, world.stubs], world.dates()) as index:
        env = make_environment(world, unpin_binary, tmp_path, index.url, "plain")
        tree, broken = env.tree(), env.pip_check()
        # rpds and referencing meet their metadata with the locked typing-extensions, and fail with it on 3.13: verification
        # takes such a change back. Whoever asks for the newer one as well gets both.
        newer = ["typing-extensions>=4.12"] if version >= (3, 13) else []
        if newer:
            env.run("install", "-y", "jsonschema>=4.23", "black==25.9.0").ok(1)
            assert env.tree() == tree
        env.run("install", "-y", "jsonschema>=4.23", "black==25.9.0", *newer).ok()
        assert env.pip_check() == broken
        assert env.installed()["jsonschema"] == "4.23.0"
        done = subprocess.run([env.python, "-B", "-c", "import jsonschema, rpds, referencing"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        env.run("undo", "-y").ok()
        assert env.tree() == tree
        drop_environment(env, "plain")


def exact_tree(prefix):
    """Everything below `prefix` but unpin's own state: byte code, times of directories and numbers of links included. A
    directory's own number of links and size are the file system's business."""
    found = {}
    for folder, folders, files in os.walk(prefix):
        folders[:] = sorted(d for d in folders if d != ".unpin")
        for path in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            s = os.lstat(path)
            row = (s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns)
            if os.path.islink(path):
                row += (os.readlink(path),)
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    row += (s.st_nlink, f.read())
            found[os.path.relpath(path, prefix)] = row
    return found


def compile_some(env):
    """Byte code as Python makes it: of the modules in the site directory itself and of some packages."""
    packages = [os.path.join(env.site, name) for name in ("black", "blackd", "click", "flask", "jinja2", "werkzeug", "asgiref")]
    argv = [env.python, "-m", "compileall", "-q"]
    subprocess.run([*argv, *filter(os.path.isdir, packages)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*argv, "-l", env.site], check=True, stdout=subprocess.DEVNULL)


def differing(before, after):
    return sorted((p, before.get(p, (None,))[:5], after.get(p, (None,))[:5]) for p in before.keys() | after.keys() if before.get(p) != after.get(p))


@pytest.mark.parametrize("words", [("install", "-y", "black==25.9.0", "flask==3.1.0"), ("install", "-y", "asgiref==3.8.1"), ("remove", "-y", "tabulate")],
                         ids=["upgrade", "addition", "removal"])
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
def test_undo_gives_back_byte_code_times_and_links(any_env, words, compiled):
    env = any_env
    if compiled:
        compile_some(env)
    before, lock = exact_tree(env.prefix), os.stat(env.lock).st_mtime_ns
    env.run(*words).ok()
    if compiled:
        compile_some(env)  # what Python makes of the new files goes with them
    env.run("undo", "-y", "--offline").ok()
    assert differing(before, exact_tree(env.prefix)) == []
    assert os.stat(env.lock).st_mtime_ns == lock


def test_removal_leaves_no_empty_directory(env):
    compile_some(env)
    env.run("remove", "-y", "tabulate").ok()
    empty = [d for d, folders, files in os.walk(env.site) if not folders and not files and ".unpin" not in d]
    assert empty == []
    assert not [f for _, _, files in os.walk(env.site) for f in files if f.startswith("tabulate")]


def test_a_saved_plan_names_the_command_that_carries_it_out(env):
    """Where the environment was named, the next command names it as well; without, the refusal says what to name."""
    path = os.path.join(env.folder, "plan.json")
    out = env.run("plan", "click==8.1.8", "--python", env.python, "--lock", env.lock, "-o", path).ok().out
    next_command = out.strip().splitlines()[-1]
    assert next_command == f"Next: unpin apply {path} --python {env.python} --lock {env.lock}"
    done = env.run(*next_command.split()[2:], "-y").ok()
    assert done.out.startswith("Plan for click==8.1.8  (")
    assert "--python and --lock" in env.run("apply", path, "-y").ok(75).err
    env.run("plan", "nvidia-modelopt==0.27.0", "-o", path).ok()
    assert "0.27.0 requires nvidia-modelopt-core==0.27.0" in env.run("apply", path).ok(4).out, "why, as the plan told it"


def test_what_cannot_be_written_is_told(env):
    with open("/dev/full", "w") as full:
        done = subprocess.run(env.argv("locks", "-v"), env=env.variables, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr


def test_an_environment_is_named_by_its_folder(env):
    assert env.run("locks", "--json", "--python", env.prefix).ok().json == env.run("locks", "--json", "--python", env.python).ok().json


@pytest.mark.parametrize("command", ["install x", "remove x", "history", "undo", "recover"])
def test_commands_of_this_machine_refuse_an_image(env, command):
    assert "`unpin plan` takes --image" in env.run(*command.split(), "--image", "x").ok(2).err


@pytest.mark.parametrize("name", ["v3.8", "env", "3x"])
def test_an_environment_may_be_called_like_a_version(env, name):
    os.makedirs(os.path.join(env.folder, "cwd"))
    os.symlink(env.prefix, os.path.join(env.folder, "cwd", name))
    done = subprocess.run(env.argv("locks", "--json", "--python", name), cwd=os.path.join(env.folder, "cwd"), env=env.variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ways_out_of_a_removal_are_commands_that_work(env):
    """One that lets something change is no removal any more, but a plan."""
    found = env.run("remove", "itsdangerous", "--json").ok(3).json["suggestions"]
    assert found
    for suggestion in found:
        assert env.run(*suggestion["argv"][1:]).status in (0, 4), suggestion


def test_packages_that_two_distributions_share(env, tmp_path):
    """Put in, changed and taken out at once or one by one: nvidia/__init__.py of some dozen wheels, say."""
    before, wheels = env.tree(), str(tmp_path / "wheels")
    for version in ("1.0", "2.0"):
        for name in ("share-one", "share-two"):
            worlds.stub_wheel(wheels, name, version, files={"ns/__init__.py": "# nobody's own\n", f"ns/{name[6:]}.py": f"v = {version}\n"})

    def there():
        return sorted(os.listdir(os.path.join(env.site, "ns"))) if os.path.exists(os.path.join(env.site, "ns")) else None

    for words, found in ((["install", "share-one==1.0", "share-two==1.0"], ["__init__.py", "one.py", "two.py"]),
                         (["install", "share-one==2.0", "share-two==2.0"], ["__init__.py", "one.py", "two.py"]),
                         (["remove", "share-one"], ["__init__.py", "two.py"]), (["remove", "share-two"], None)):
        env.run(*words, "-y", PIP_FIND_LINKS=wheels).ok()
        assert there() == found, words
    env.run("undo", "-y", "4").ok()
    assert env.tree() == before


def test_modules_that_want_what_nothing_requires(env, tmp_path):
    """matplotlib_inline imports matplotlib, which it does not require: a note; so is black's blackd, which says so in its own words. All else that does not import takes the
    change back: what imported before, what a distribution is named for, what is there but lacks a part."""
    wheels = str(tmp_path / "wheels")

    def made(name, version, text):
        worlds.stub_wheel(wheels, name, version, files={f"{name}/__init__.py": text})

    made("inline", "1.0", "import nowhere_at_all.part\n")
    made("later", "1.0", "")
    made("later", "2.0", "import nowhere_at_all\n")
    made("lost", "1.0", "import lost.gone\n")
    made("part", "1.0", "import click.no_such_part\n")
    made("name", "1.0", "from click import no_such_name\n")
    made("daemon", "1.0", "try:\n    import nowhere_at_all\nexcept ImportError as e:\n    raise ImportError('ask for daemon[d]') from e\n")
    made("other", "1.0", "try:\n    import nowhere_at_all\nexcept ImportError:\n    from click import no_such_name\n")
    run = env.run("install", "-y", "inline", "later==1.0", "daemon", PIP_FIND_LINKS=wheels).ok()
    assert "No module named 'nowhere_at_all'" in run.out + run.err and "ask for daemon[d]" in run.out + run.err
    for words in (["later==2.0"], ["lost"], ["part"], ["name"], ["other"]):
        before = env.tree()
        assert "does not import" in env.run("install", "-y", *words, PIP_FIND_LINKS=wheels).ok(1).err, words
        assert env.tree() == before
