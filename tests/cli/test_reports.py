"""Commands that tell: check, why, locks, snapshot, images, options, export, explain, doctor."""
import json
import os
import subprocess

import pytest

import world as worlds
from judge import changed, lifted

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_check_finds_the_breaks_of_the_image(seen):
    run = seen.run("check").ok(5)
    assert "nvidia-nvcomp-cu12" in run.out and "tornado" in run.out
    document = seen.run("check", "--json").ok(5).json
    assert document["schema"] == 1
    assert {("kvikio", "nvidia-nvcomp-cu12==4.2.0.11"), ("jupyterlab-tensorboard-pro", "tornado<=6.2")} == breaks_of(document)


def breaks_of(document):
    rows = document["breaks"] if isinstance(document["breaks"], list) else document["breaks"]["before"]
    return {(b["name"], b["requires"]) for b in rows}


def test_check_agrees_with_pip(seen):
    assert len(breaks_of(seen.run("check", "--json").ok(5).json)) == len(seen.pip_check())


def test_check_files(env):
    assert env.run("check", "--files").status == 5
    with open(os.path.join(env.site, "click", "core.py"), "a") as f:
        f.write("#\n")
    assert "click/core.py" in env.run("check", "--files").ok(5).out


def test_why(seen):
    run = seen.run("why", "markupsafe").ok()
    assert "jinja2" in run.out.lower() and "3.0.1" in run.out
    assert "constraint.txt" in run.out
    assert "werkzeug" in run.out.lower()


def test_why_of_what_is_not_there(seen):
    """What is known is told all the same; a script sees by the status that it is not there."""
    assert "no-such-thing is not installed" in seen.run("why", "no-such-thing").ok(1).out
    document = seen.run("why", "--json", "No.Such_Thing").ok(1).json
    assert (document["status"], document["name"], document["installed"]) == ("ok", "no-such-thing", False)
    run = seen.run("why", "nvidia-nvcomp-cu12").ok(1)
    assert "kvikio" in run.out and "not met" in run.out


def test_locks_and_their_states(env):
    with open(env.lock, encoding="utf-8") as f:
        text = f.read()
    with open(env.lock, "w", encoding="utf-8") as f:
        f.write(text.replace("tabulate==0.9.0", "tabulate==0.8.10"))
    document = env.run("locks", "--json").ok().json
    text = json.dumps(document)
    assert "drifted" in text and "stale" in text
    out = env.run("locks").ok().out
    assert "tabulate" in out and "stale-name" in out


def test_locks_diff_after_an_install(env):
    env.run("install", "-y", "click==8.1.8").ok()
    out = env.run("locks", "diff").ok().out
    assert "8.1.7" in out and "8.1.8" in out


def test_snapshot_round_trip(env, tmp_path):
    """A plan made elsewhere from the snapshot is the plan made here."""
    path = os.path.join(env.folder, "here.json")
    env.run("snapshot", "-o", path).ok()
    here = env.plan("flask==3.1.0")
    done = env.run("plan", "--json", "--snapshot", path, "flask==3.1.0").ok().json
    assert changed(done) == changed(here) and lifted(done) == lifted(here)


def test_a_plain_freeze_is_a_snapshot(env, world):
    """What the listed distributions require comes from the index, so the plan is the one made in the environment."""
    path = os.path.join(env.folder, "freeze.txt")
    with open(path, "w") as f:
        f.writelines(f"{n}=={v}\n" for n, v in sorted(env.installed().items()))
    for request in ("nvidia-modelopt==0.27.0", "flask==3.1.0"):
        run = env.run("plan", "--json", "--snapshot", path, "--python", "%d.%d" % world.version, "--platform", "linux_x86_64", request)
        assert changed(run.ok().json) == changed(env.plan(request))
    assert "click" in changed(env.plan("flask==3.1.0")) or len(changed(env.plan("flask==3.1.0"))) > 1


def test_images_are_listed(seen):
    run = seen.run("images").ok()
    assert "ngc-pytorch" in run.out and "25.04" in run.out
    assert seen.run("images", "--json").ok().json["schema"] == 1


def test_options_show_the_prices(seen):
    document = seen.run("options", "--json", "urllib3").ok().json
    assert document["schema"] == 1
    assert "2.5.0" in json.dumps(document)


def cost_of(env, word):
    """The levels before the newest, None where there is no plan."""
    plan = env.run("plan", "--json", word).json
    return tuple(level["cost"] for level in plan["proof"]["levels"][:7]) or None


@pytest.mark.parametrize("name", ["urllib3", "click", "black", "nvidia-modelopt"])
def test_options_are_the_front(seen, name):
    """Every version of which no newer one costs as little, and no other; each planned by itself."""
    rows = [row["version"] for row in seen.run("options", "--json", name).ok().json["options"]]
    newest = [row["version"] for row in seen.run("options", "--json", "--all", name).ok().json["options"]]
    costs = [(version, cost_of(seen, f"{name}=={version}")) for version in newest]
    front = [v for i, (v, cost) in enumerate(costs) if cost is not None and all(c is None or c > cost for _, c in costs[:i])]
    assert [v for v in rows if v in newest] == front


@pytest.mark.parametrize("name", ["torch", "transformer-engine"])
def test_options_of_a_vendor_build_are_itself(seen, name):
    """A local version, with which no order compares, and which its release's allowance takes as newer than itself."""
    rows = seen.run("options", "--json", name).ok().json["options"]
    assert [(row["version"], row["installed"]) for row in rows if row["possible"]] == [(seen.installed()[name], True)]


def test_explain_knows_every_code(seen):
    for code in ("U001", "U030", "U031", "U052", "U060"):
        assert code in seen.run("explain", code).ok().out
    seen.run("explain", "U999").ok(2)


@pytest.mark.parametrize("form", ["--dockerfile", "--constraints", "--script"])
def test_export(env, form):
    path = os.path.join(env.folder, "plan.json")
    env.run("plan", "-o", path, "click==8.1.8").ok()
    assert "click" in env.run("export", form, path).ok().out


def test_what_is_named_by_url_is_exported_by_url(env):
    """By its name pip would take what an index has under it. pip itself installs what was exported."""
    wheel = worlds.stub_wheel(env.folder, "direct_one", "1.0")
    path = os.path.join(env.folder, "plan.json")
    env.run("plan", "-o", path, wheel, "kitchen==1.0").ok()
    with open(path) as f:
        artifacts = {c["name"]: c["artifact"] for c in json.load(f)["changes"]}
    assert artifacts["direct-one"]["direct"] and not artifacts["kitchen"]["direct"]
    line = f"direct-one @ file://{wheel} --hash=sha256:{artifacts['direct-one']['sha256']}"
    script = env.run("export", "--script", path).ok().out
    assert line in script.splitlines() and "direct-one==" not in script
    assert f"'{line}'" in env.run("export", "--dockerfile", path).ok().out
    done = subprocess.run(["sh"], input=script, text=True, capture_output=True, env={**env.variables, "PATH": os.path.dirname(env.python) + ":/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert env.installed()["direct-one"] == "1.0" and env.installed()["kitchen"] == "1.0"


def test_help_and_version(seen):
    assert "install" in seen.run("--help").out or "install" in seen.run("help").out
    import subprocess
    done = subprocess.run([seen.binary, "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("unpin ")


COMMANDS = [["plan", "click==8.1.8"], ["plan", "torch==2.7.0"], ["plan", "click"], ["plan", "click=="], ["check"], ["locks"], ["history"],
            ["history", "prune", "1M"], ["plan", "click==8.1.8", "--into", "/tmp/unpin-no-layer"], ["why", "click"], ["images"], ["options", "click"], ["doctor"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_documents_are_of_the_published_schema(seen, words):
    import jsonschema
    document = seen.run(words[0], "--json", *words[1:]).json
    assert document["schema"] == 1 and document["command"] == words[0]
    name = "error-1.json" if document["status"] == "error" else "history-prune-1.json" if "prune" in words else f"{words[0]}-1.json"
    with open(os.path.join(ROOT, "docs", "schema", name), encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("words, hint", [
    (["list"], "unpin snapshot"), (["upgrade", "click"], "unpin install -U NAME"), (["show", "click"], "unpin why NAME"), (["instal", "click"], "unpin install?"),
    (["plan", "--dry-run", "click"], "unpin plan"), (["install", "--user", "click"], "--into DIR"), (["plan", "--kep", "x"], "--keep?"), (["plan", "--zzzz"], "--help"), (["plan", "-Z"], "--help"),
], ids=" ".join)
def test_words_of_other_tools_are_answered(seen, words, hint):
    run = seen.run(*words).ok(2)
    assert hint in run.err and run.out == ""


def test_an_interpreter_that_is_none(env, tmp_path):
    """Each for its own reason: nothing there, a file, a folder, an interpreter that may not be run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text("")
    for path, told in ((tmp_path / "nothing", "there is no interpreter"), ("/etc/passwd", "no program that can be run"), ("/etc", "no environment of Python"),
                       (tmp_path, "cannot be run: Permission denied")):
        assert told in env.run("plan", "click", "--python", path).ok(1).err
