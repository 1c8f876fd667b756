"""docs/unpin.1 against the program: every command, option and exit status is in both, and every example is taken."""
import os
import re
import shlex
import subprocess

import pytest

import world as worlds

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("UNPIN") or os.path.join(ROOT, "build", "unpin")


def output(*words):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def manual():
    """The manual without its markup."""
    with open(os.path.join(ROOT, "docs", "unpin.1"), encoding="utf-8") as f:
        return re.sub(r"\\f[BIR]", "", f.read()).replace(r"\-", "-")


def section(name):
    return re.search(rf"^\.SH {name}\n(.*?)(?=^\.SH )", manual(), re.M | re.S)[1]


def commands():
    return re.findall(r"^  ([a-z]+)  ", output("--help"), re.M)


def help_options():
    """{long option: (letter or "", name of the value or "")} over the help of all commands."""
    found = {}
    for command in commands():
        for letter, name, value in re.findall(r"^  (?:-(\w), |    )--([a-z-]+)(?: (\S+))?  ", output(command, "--help"), re.M):
            found[name] = (letter, value)
    return found


def manual_options():
    return {name: (letter, value) for letter, name, value in re.findall(r"^\.TP\n(?:-(\w), )?--([a-z-]+)(?: (\S+))?\n", section("OPTIONS"), re.M)}


def examples():
    lines = [line for line in section("EXAMPLES").splitlines() if line.startswith("unpin ")]
    for command in commands():
        part = re.search(r"^Examples\n(.*?)\n\n", output(command, "--help"), re.M | re.S)[1]
        lines += [line.strip() for line in part.splitlines()]
    return sorted(set(lines))


def test_every_command_is_in_the_manual():
    found = section("COMMANDS")
    assert len(commands()) > 10
    assert [c for c in commands() if not re.search(rf"\b{c}\b", found)] == []


def test_help_and_manual_have_the_same_options():
    assert len(help_options()) > 30
    assert help_options() == manual_options()


def test_every_exit_status_is_in_the_manual():
    told = set(re.findall(r"\d+", "\n".join(line.split("\t")[0] for line in section("EXIT STATUS").splitlines())))
    assert set(re.findall(r"exit status (\d+)", output("explain"))) <= told


@pytest.mark.parametrize("line", examples())
def test_every_example_is_taken(line, tmp_path):
    """Run where there is neither an environment nor an index: what fails may fail for that, not for its words."""
    words = shlex.split(line)
    assert words[0] == "unpin" and words[1] in commands()
    (tmp_path / "freeze.txt").write_text("click==8.1.7\n")
    env = worlds.clean_environment(HOME=str(tmp_path), VIRTUAL_ENV=str(tmp_path / "none"), PIP_INDEX_URL="http://127.0.0.1:1/simple/", PIP_CONFIG_FILE=os.devnull)
    done = subprocess.run([BINARY, *words[1:]], cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert not re.search(r"\[U(001|002|099)\]", done.stderr) and done.returncode in (0, 1, 2, 3, 5, 7), done.stderr
