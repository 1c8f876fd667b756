"""What may be asked for: files, extras, markers, URLs, local wheels, several indexes."""
import functools
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

import world as worlds
from judge import assert_sound, changed, lifted


def test_requirement_files(seen, tmp_path):
    nested = tmp_path / "more.txt"
    nested.write_text("filelock >= 3.18  # nested\n")
    limits = tmp_path / "limits.txt"
    limits.write_text("rich < 14\n")
    asked = tmp_path / "requirements.txt"
    asked.write_text(f"# of a project\n\nclick==8.1.8 ; python_version >= '3'\nsix ; python_version < '3'\n-r {nested.name}\n-c {limits.name}\n"
                     "rich \\\n  >= 13.9\n")
    plan = seen.plan("-r", str(asked))
    assert_sound(seen, plan, ["click==8.1.8", "filelock>=3.18", "rich>=13.9,<14"])
    assert set(lifted(plan)) == {"click", "filelock", "rich"}


def test_a_bad_line_is_named(seen, tmp_path):
    asked = tmp_path / "requirements.txt"
    asked.write_text("click==8.1.8\n==broken==\n")
    run = seen.run("plan", "-r", asked).ok(2)
    assert "requirements.txt:2" in run.err


def test_extras_bring_their_requirements(seen):
    plain = seen.plan("kitchen==1.0")
    assert set(changed(plain)) == {"kitchen"}
    web = seen.plan("kitchen[web]==1.0")
    assert set(changed(web)) == {"kitchen", "asgiref"}
    assert_sound(seen, web, ["kitchen[web]==1.0"])


def test_a_name_that_was_not_meant_is_told(seen):
    for asked, meant in (("rihc", ""), ("werkzeg", "werkzeug"), ("jinja3", "jinja2"), ("dateutil", "python-dateutil"), ("attr", "attrs")):
        run = seen.run("plan", asked).ok(3)
        assert (f" {meant}" in run.out.partition("note: ")[2]) if meant else "note: " not in run.out, run.out
    assert "note: " not in seen.run("plan", "kitchen").ok().out
    assert "no request applies" in seen.run("plan", "click==8.1.8 ; sys_platform == 'win32'").ok().out


def test_markers_drop_a_request(seen):
    plan = seen.plan("click==8.1.8 ; sys_platform == 'win32'", "filelock==3.18.0 ; sys_platform == 'linux'")
    assert set(changed(plan)) == {"filelock"}


def test_a_requirement_under_a_marker_that_does_not_hold_is_not_needed(seen):
    plan = seen.plan("kitchen==1.0")
    assert "absent-on-linux" not in json.dumps(plan["changes"])


def test_the_newest_that_costs_no_lift(seen):
    """kitchen 2.0 needs a newer six, which is locked; 1.0 does with what is there."""
    plan = seen.plan("kitchen")
    assert changed(plan) == {"kitchen": ("add", "1.0")} and lifted(plan) == {}
    newest = seen.plan("-U", "kitchen")
    assert changed(newest)["kitchen"] == ("add", "2.0") and set(lifted(newest)) == {"six"}


def test_a_local_wheel(env):
    path = worlds.stub_wheel(env.folder, "mytool", "1.0", ["black>=25.9", "requests"])
    plan = env.plan(path)
    assert changed(plan)["mytool"] == ("add", "1.0") and set(lifted(plan)) == {"black"}
    env.run("install", "-y", path).ok()
    assert env.installed()["mytool"] == "1.0"
    with open(os.path.join(env.site, "mytool-1.0.dist-info", "direct_url.json"), encoding="utf-8") as f:
        assert json.load(f)["url"].endswith("mytool-1.0-py3-none-any.whl")


def test_a_direct_url(env, index):
    url = index.file_url("rich-13.9.4-py3-none-any.whl")
    plan = env.plan(f"rich @ {url}")
    assert changed(plan)["rich"][1] == "13.9.4" and "rich" in lifted(plan)


def test_find_links_without_an_index(env, world):
    plan = env.plan("--no-index", "--find-links", world.wheels, "click==8.1.8")
    assert changed(plan) == {"click": ("upgrade", "8.1.8")}


def test_pips_configuration_file(env, index):
    config = os.path.join(env.folder, "pip.conf")
    with open(config, "w") as f:
        f.write(f"[global]\nindex-url = {index.url}\n")
    variables = {"PIP_CONFIG_FILE": config, "PIP_INDEX_URL": ""}
    plan = env.plan("click==8.1.8", **variables)
    assert plan["status"] == "feasible"


@pytest.mark.parametrize("able", [dict(json=False), dict(json=False, metadata=False), dict(metadata=False), dict(metadata=False, ranges=False), dict(times=False)], ids=str)
def test_indexes_of_every_ability_lead_to_the_same_plan(env, world, able):
    from conftest import IndexServer
    expected = env.plan("flask==3.1.0")
    with IndexServer([world.wheels, world.stubs], world.dates(), **able) as other:
        plan = env.plan("--index-url", other.url, "flask==3.1.0")
        assert other.requests, "the other index was asked"
    assert changed(plan) == changed(expected) and lifted(plan) == lifted(expected)


@pytest.fixture
def pypiserver(world):
    """An index of other hands: HTML without dates, metadata files or ranges. Gives what starts one with options, and its URL."""
    import socket
    import sys
    import time
    servers = []

    def start(*options):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        servers.append(subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "pypi-server"), "run", "-i", "127.0.0.1", "-p", str(port), "--disable-fallback", *options,
                                         world.wheels, world.stubs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _ in range(300):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        return f"http://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.kill()
        server.wait()


def test_pypiserver(env, world, pypiserver):
    """The same plan as from the tests' own index; installed, offline again, and as a page of links."""
    url, request = pypiserver("--hash-algo", "sha512"), "black==25.9.0"
    expected = env.plan(request)
    plan = env.plan("--index-url", url + "/simple/", request)
    assert changed(plan) == changed(expected) and lifted(plan) == lifted(expected)
    assert all(c["artifact"]["verified"].startswith("sha512:") for c in plan["changes"])
    env.run("install", "-y", "--index-url", url + "/simple/", request).ok()
    assert env.installed()["black"] == "25.9.0" and env.installed()["pytokens"] == "0.1.10"
    env.run("undo", "-y").ok()
    env.run("install", "-y", "--offline", "--index-url", url + "/simple/", request).ok()
    assert env.installed()["black"] == "25.9.0"
    links = env.plan("--no-index", "--find-links", url + "/packages/", "click==8.1.8")
    assert changed(links) == {"click": ("upgrade", "8.1.8")} and links["changes"][0]["artifact"]["verified"].startswith("sha512:")
    env.run("plan", "--index-url", url + "/simple/", "no-such-project-there").ok(3)


def test_the_first_index_that_has_the_name_wins(env, world, tmp_path):
    from conftest import IndexServer
    worlds.stub_wheel(str(tmp_path / "evil"), "click", "99.0")
    with IndexServer([str(tmp_path / "evil")]) as other:
        plan = env.plan("--extra-index-url", other.url, "click>=8.1.8")
    assert changed(plan)["click"][1] == "8.1.8", "no confusion of dependencies"


def test_yanked_releases_are_taken_only_by_name(env, index):
    name = "click-8.1.8-py3-none-any.whl"
    index.files[name].yanked = "broken"
    try:
        env.run("plan", "click>=8.1.8").ok(3)
        assert env.plan("click==8.1.8")["status"] == "feasible"
    finally:
        index.files[name].yanked = False


def test_metadata_are_fetched_only_where_needed(env, index):
    env.run("plan", "click==8.1.8").ok()
    assert len(index.requests) < 30, sorted(set(p for _, p, _ in index.requests))


def test_hashes_that_are_asked_for_must_match(env, tmp_path):
    asked = tmp_path / "requirements.txt"
    asked.write_text("click==8.1.8 --hash=sha256:" + "0" * 64 + "\n")
    tree = env.tree()
    run = env.run("install", "-y", "-r", asked)
    assert run.status in (3, 7), run.err
    assert env.tree() == tree


def test_one_hash_demands_hashes_of_all(env, index, tmp_path):
    """As with pip: what is brought in without a hash could be anything."""
    asked = tmp_path / "requirements.txt"
    kitchen = next(file.sha256 for name, file in index.files.items() if name.startswith("kitchen-1.0"))
    asked.write_text(f"kitchen[web]==1.0 --hash=sha256:{kitchen}\n")
    run = env.run("plan", "-r", asked).ok(7)
    assert "asgiref" in run.err and "--hash=sha256:" in run.err
    asked.write_text(f"kitchen==1.0 --hash=sha256:{'0' * 64} --hash=sha256:{kitchen}\n")
    assert changed(env.plan("-r", asked)) == {"kitchen": ("add", "1.0")}
    asked.write_text("--require-hashes\nkitchen==1.0\n")
    run = env.run("plan", "-r", asked).ok(7)
    assert f"--hash=sha256:{kitchen}" in run.err


def test_constraints_of_the_command_line(seen, tmp_path):
    limits = tmp_path / "limits.txt"
    limits.write_text("filelock < 3.18.1\nabsent-elsewhere < 1\n")
    plan = seen.plan("-c", str(limits), "filelock>=3.18")
    assert changed(plan) == {"filelock": ("upgrade", "3.18.0")}


def test_files_on_a_server(seen, tmp_path):
    """Nested names are taken from the place of the file that names them."""
    (tmp_path / "limits.txt").write_text("filelock < 3.18.1\n")
    (tmp_path / "asked.txt").write_text("-c limits.txt\nfilelock >= 3.18\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        plan = seen.plan("-r", f"{url}/asked.txt")
        assert changed(plan) == {"filelock": ("upgrade", "3.18.0")}
        assert "404" in seen.run("plan", "-c", f"{url}/none.txt", "six").ok(7).err
        server.shutdown()


def test_hostile_names_reach_no_terminal(env, tmp_path):
    asked = tmp_path / "requirements.txt"
    asked.write_bytes(b"click==8.1.8\nab\x1b[31mc==1\n")
    run = env.run("plan", "-r", asked)
    assert "\x1b" not in run.out + run.err


def test_a_shim_stands_for_the_interpreter_that_it_starts_here(env, tmp_path):
    """As pyenv's: which interpreter `python3` is depends on a variable, or on the working directory."""
    shim = tmp_path / "shims" / "python3"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\necho a banner\nif [ "$WHICH" = env ] || [ -e which-env ]; then exec "{env.python}" "$@"; fi\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    variables = {"VIRTUAL_ENV": "", "PATH": f"{shim.parent}:{os.environ['PATH']}"}

    def prefix(**more):
        settings = env.run("config", "--json", **variables, **more).ok().json["settings"]
        return next(s["value"] for s in settings if s["name"] == "prefix")

    assert prefix(WHICH="env") == env.prefix and prefix() != env.prefix, "the answer of before is not kept"
    open(os.path.join(env.folder, "which-env"), "w").close()
    assert prefix() == env.prefix
    shim.write_text("#!/bin/sh\necho 'nothing set: python3' >&2\necho 'see the manual' >&2\nexit 3\n")
    assert "nothing set" in env.run("config", **variables).ok(1).err
    assert "/bin/true" in env.run("config", "--python", "/bin/true").ok(1).err
