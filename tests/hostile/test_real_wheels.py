"""Real wheels, installed by unpin and by pip: the same files, and nothing left when they go."""
import csv
import json
import os
import shutil
import subprocess
import sys

import pytest

from test_hostile import probe

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
import world as worlds

# With scripts, extension modules, .data, several packages, namespace packages.
PROJECTS = ["requests", "click", "pygments", "charset_normalizer", "markupsafe", "black", "protobuf", "tqdm", "jsonschema", "attrs", "pytest",
            "six", "prompt_toolkit"]


@pytest.fixture(scope="module")
def world():
    return worlds.World()


def newest(world, project, count=1):
    """The last wheels of a project in the world, oldest first."""
    names = sorted((n for n in os.listdir(world.wheels) if n.lower().startswith(project + "-")), key=lambda n: [int(x) if x.isdigit() else 0 for x in n.split("-")[1].split(".")])
    return [os.path.join(world.wheels, n) for n in names[-count:]]


@pytest.fixture
def venvs(world, tmp_path):
    """Two empty environments, and a pip to install with from outside."""
    for name in ("ours", "pips"):
        subprocess.run([world.python, "-m", "venv", "--without-pip", str(tmp_path / name)], check=True, env=worlds.clean_environment())
    return str(tmp_path / "ours"), str(tmp_path / "pips")


def pip(world, prefix, *words):
    argv = [os.path.join(world.base, "bin", "python"), "-m", "pip", "--python", os.path.join(prefix, "bin", "python"), *words]
    done = subprocess.run(argv, env=worlds.clean_environment(PIP_CONFIG_FILE=os.devnull), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ours(prefix, *words):
    got = probe("--commit", *words[:-1], os.path.join(prefix, "bin", "python"), words[-1]) if words[0] != "--remove" else probe(
        "--commit", *words, os.path.join(prefix, "bin", "python"))
    assert got["result"] == "accepted", got
    return got


def files(prefix):
    """{path: (executable, bytes)}, without what two environments must differ in; paths of RECORD rows are kept apart."""
    found, rows = {}, {}
    for folder, folders, names in os.walk(prefix):
        folders[:] = [d for d in folders if d not in (".unpin", "__pycache__") and not os.path.islink(os.path.join(folder, d))]
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, prefix)
            if os.path.islink(path) or name in ("pyvenv.cfg", "INSTALLER") or name.lower().startswith("activate"):
                continue
            with open(path, "rb") as f:
                data = f.read()
            if name == "RECORD":
                text = data.decode()
                rows[relative] = {r[0]: r[1:] for r in csv.reader(text.splitlines()) if not r[0].endswith(".pyc")}
                continue
            data = data.replace(prefix.encode(), b"PREFIX")
            if os.path.dirname(relative) == "bin" and b"sys.exit(" in data:
                data = sorted(line.strip() for line in data.splitlines() if b"import" in line and b"import re" not in line and b"import sys" not in line)
            found[relative] = (bool(os.stat(path).st_mode & 0o100), data)
    return found, rows


def compare(mine, pips):
    (files_a, rows_a), (files_b, rows_b) = files(mine), files(pips)
    assert files_a == files_b
    assert set(rows_a) == set(rows_b)
    for path, rows in rows_a.items():
        assert set(rows) == set(rows_b[path])
        for name, row in rows.items():
            if not name.endswith("/INSTALLER") and "/bin/" not in name:
                assert row == rows_b[path][name], name


@pytest.mark.parametrize("project", PROJECTS)
def test_as_pip_installs(project, world, venvs):
    mine, pips = venvs
    (wheel,) = newest(world, project)
    empty = worlds_tree(mine)
    ours(mine, wheel)
    pip(world, pips, "install", "-q", "--no-deps", "--no-index", "--no-compile", wheel)
    requested = [os.path.join(f, "REQUESTED") for f, _, names in os.walk(pips) if "REQUESTED" in names]
    drop_requested(requested, "direct_url.json")
    compare(mine, pips)
    ours(mine, "--remove", project)
    assert worlds_tree(mine) == empty


def drop_requested(paths, *more):
    """pip takes a file on the command line for a direct URL that was asked for; we were asked for neither."""
    for path in paths:
        folder = os.path.dirname(path)
        for name in ("REQUESTED", *more):
            if os.path.exists(os.path.join(folder, name)):
                os.unlink(os.path.join(folder, name))
        with open(os.path.join(folder, "RECORD"), newline="") as f:
            lines = [line for line in f if not any(f"/{name}," in line for name in ("REQUESTED", *more))]
        with open(os.path.join(folder, "RECORD"), "w", newline="") as f:
            f.writelines(lines)


def worlds_tree(prefix):
    return sorted(os.path.relpath(os.path.join(f, n), prefix) for f, d, names in os.walk(prefix) for n in names + d if ".unpin" not in f and n != ".unpin")


@pytest.mark.parametrize("project", ["requests", "protobuf", "black", "jsonschema"])
def test_upgrade_leaves_nothing_of_the_old(project, world, venvs):
    mine, pips = venvs
    old, new = newest(world, project, 2)
    pip(world, mine, "install", "-q", "--no-deps", "--no-index", old)  # with byte code
    ours(mine, new)
    pip(world, pips, "install", "-q", "--no-deps", "--no-index", "--no-compile", new)
    drop_requested([os.path.join(f, "REQUESTED") for f, _, names in os.walk(pips) if "REQUESTED" in names], "direct_url.json")
    compare(mine, pips)
    assert not [n for n in worlds_tree(mine) if n.endswith(".pyc") and os.path.basename(n).split(".")[0] + ".py" not in map(os.path.basename, worlds_tree(mine))]


def test_pip_uninstalls_what_we_installed(world, venvs):
    mine, _ = venvs
    empty = worlds_tree(mine)
    ours(mine, newest(world, "black")[0])
    assert "black" in pip(world, mine, "list")
    pip(world, mine, "uninstall", "-y", "black")
    assert worlds_tree(mine) == empty


def test_scripts_run(world, venvs):
    mine, _ = venvs
    for project in ("pygments",):
        ours(mine, newest(world, project)[0])
    done = subprocess.run([os.path.join(mine, "bin", "pygmentize"), "-V"], capture_output=True, text=True, env=worlds.clean_environment())
    assert done.returncode == 0 and "Pygments version" in done.stdout, done.stderr


def test_scripts_run_from_a_folder_with_blanks(world, tmp_path):
    for folder in ("with blanks", "x" * 130):
        prefix = str(tmp_path / folder)
        subprocess.run([world.python, "-m", "venv", "--without-pip", prefix], check=True, env=worlds.clean_environment())
        ours(prefix, newest(world, "pygments")[0])
        done = subprocess.run([os.path.join(prefix, "bin", "pygmentize"), "-V"], capture_output=True, text=True, env=worlds.clean_environment())
        assert done.returncode == 0 and "Pygments version" in done.stdout, done.stderr


def test_modified_files(world, venvs):
    mine, _ = venvs
    old, new = newest(world, "requests", 2)
    ours(mine, old)
    (site,) = [f for f, d, n in os.walk(mine) if os.path.basename(f) == "site-packages" and not os.path.islink(os.path.dirname(os.path.dirname(f)))]
    path = os.path.join(site, "requests", "api.py")
    with open(path, "a") as f:
        f.write("# patched by the vendor\n")
    python = os.path.join(mine, "bin", "python")
    before = files(mine)
    got = probe("--commit", python, new)
    assert got["result"] == "refused" and "api.py" in got["text"] and "--modified=" in got["hint"]
    assert files(mine) == before
    got = probe("--commit", "--modified=keep", python, new)
    assert got["result"] == "accepted" and any("api.py" in n for n in got["notes"])
    assert "patched" in open(path).read()
    got = probe("--commit", "--modified=replace", python, old)
    assert got["result"] == "accepted" and "patched" not in open(path).read()


def test_records_that_lead_outside(world, venvs, tmp_path):
    mine, _ = venvs
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    for row in (str(victim), "../../../../victim", "../../../bin/python3", "/etc/hostname"):
        ours(mine, newest(world, "six")[0])
        (record,) = [os.path.join(f, "RECORD") for f, d, n in os.walk(mine) if "RECORD" in n and "lib64" not in f]
        good = open(record).read()
        with open(record, "a") as f:
            f.write(f"{row},,\n")
        got = probe("--commit", "--remove", "six", os.path.join(mine, "bin", "python"))
        assert got["result"] == "refused" and "cannot be uninstalled" in got["text"], got
        with open(record, "w") as f:
            f.write(good)
        ours(mine, "--remove", "six")
    assert victim.read_text() == "mine\n"


def test_all_real_wheels_are_accepted(world):
    python = os.path.join(world.base, "bin", "python")
    refused = {}
    for name in sorted(os.listdir(world.wheels)):
        if not name.endswith(".whl"):
            continue
        got = probe("--check", "--allow-pth", python, os.path.join(world.wheels, name))
        if got["result"] != "accepted":
            refused[name] = got["text"]
    assert refused == {}
