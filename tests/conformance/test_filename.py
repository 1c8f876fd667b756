import itertools
import re

from probing import lines, same
from generate import broken, version
from packaging import tags
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

TAGS = [str(tag) for tag in itertools.chain(
    tags.cpython_tags((3, 12), ["cp312"], ["linux_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"]),
    tags.compatible_tags((3, 12), "cp312", ["linux_x86_64", "manylinux_2_17_x86_64"]))]
WHEELS = """
foo-1.0-py3-none-any.whl foo-1.0-1-py3-none-any.whl foo-1.0-1a_b-py2.py3-none-any.whl Foo.Bar_baz-1.0-py3-none-any.whl foo-1.0-py3-none-any.zip
foo-1.0-py3-none-any.WHL foo-1.0-py3-none.whl foo-1.0.whl foo.whl .whl foo-bar-1.0-py3-none-any.whl foo-1.0-a-py3-none-any.whl
foo-1.0-1-2-py3-none-any.whl foo__bar-1.0-py3-none-any.whl -1.0-py3-none-any.whl foo--py3-none-any.whl foo-x-py3-none-any.whl
foo-1.0--py3-none-any.whl foo-1.0-py3--any.whl foo-1.0-py3-none-.whl foo-1.0--none-any.whl foo-1.0-py2.-none-any.whl foo-1.0-.py3-none-any.whl
foo-1.0-py2..py3-none-any.whl foo-1.0-3py-none-any.whl foo-1.0-py3-none-any.none.whl foo-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
foo-1.0-cp312.cp39-abi3-linux_x86_64.whl foo-1.0-cp39-abi3-manylinux1_x86_64.whl foo-1.0-PY3-None-ANY.whl foo-1.0+nv.1-py3-none-any.whl
foo-2.7.0a0+79aa17489c.nv25.4-cp312-cp312-linux_x86_64.whl foo-1.0_post1-py3-none-any.whl foo-1.0_1-py3-none-any.whl foo-1!1.0-py3-none-any.whl
foo-1.0.post1-01-py3-none-any.whl foo-1.0-1-py3-none-any-x.whl foo-1.0-py+3-none-any.whl f-1-a-b-c.whl foo-1.0-2-a-b-c.whl foo-1.0-cp313-cp313t-linux_x86_64.whl
""".split()


def theirs(name):
    try:
        project, parsed, build, found = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return ["!"]
    ranks = [TAGS.index(str(tag)) for tag in found if str(tag) in TAGS]
    part = name[:-4].split("-")
    return [str(project), str(parsed), part[2] if build else "", *part[-3:], str(min(ranks, default=-1))]


def is_listed(name):
    """Names whose difference known.py lists: they are refused here."""
    project = name.split("-")[0]
    return not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", project) or re.search(r"[\x00-\x20\x7f-\xff/\\]", name)


def check(ask, names):
    names = [name for name in names if not (theirs(name) != ["!"] and is_listed(name))]
    questions = [("wheel", name, *TAGS) for name in names]
    answers = ask(questions)
    same([name for name in names], answers, [theirs(name) for name in names])


def test_edges(ask):
    check(ask, WHEELS)


def test_generated(ask, rng):
    names = []
    for _ in range(800):
        tag = ".".join(rng.sample(["py2", "py3", "cp312", "cp39"], rng.randint(1, 2)))
        tag += "-" + rng.choice(["none", "abi3", "cp312"]) + "-" + rng.choice(["any", "linux_x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64"])
        build = rng.choice(["", "", "-1", "-2b"])
        names.append(f"{rng.choice(['foo', 'Foo_Bar', 'a.b'])}-{version(rng)}{build}-{tag}.whl")
    check(ask, names + [broken(rng, name, "-._ap3+x") for name in names])


def test_real(ask):
    names = [line.split()[1] for line in lines("files.txt")]
    wheels = [name for name in names if name.endswith(".whl")]
    assert len(wheels) > 300
    check(ask, wheels)


def test_build_tags(ask, rng):
    builds = ["", "0", "1", "01", "2", "10", "1a", "1b", "01a", "2_x", "99999999999999999999", "100000000000000000000"]
    key = lambda build: (int(re.match(r"\d+", build)[0]), re.sub(r"^\d+", "", build)) if build else ()
    questions = [("build", a, b) for a in builds for b in builds]
    same(questions, ask(questions), [["<" if key(a) < key(b) else ">" if key(a) > key(b) else "="] for _, a, b in questions])


def their_sdist(project, name):
    """packaging does not know the project; pip does: it looks for the dash behind the project's name."""
    for suffix in (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz"):
        if name.endswith(suffix):
            stem = name[: -len(suffix)]
            for at, c in enumerate(stem):
                if c == "-" and canonicalize_name(stem[:at]) == project:
                    try:
                        return str(Version(stem[at + 1 :]))
                    except InvalidVersion:
                        pass
    return "!"


def test_sdists(ask):
    cases = [line.split() for line in lines("files.txt")]
    cases += [("foo", name) for name in (
        "foo-1.0.tar.gz", "foo-1.0.zip", "foo-1.0-1.tar.gz", "foo-bar-1.0.tar.gz", "foo-1.0.tar", "foo.tar.gz", "foo-.tar.gz", "-1.0.tar.gz",
        "Foo-1.0.tgz", "foo-1.0.tar.bz2", "foo-1.0.tar.xz", "foo-1.0.whl", "foo-x.tar.gz", "foo--1.0.tar.gz", "foo_-1.0.tar.gz", ".tar.gz", "")]
    cases += [("foo-bar", name) for name in ("foo-bar-1.0.tar.gz", "foo_bar-1.0.tar.gz", "foo.bar-1.0.zip", "Foo--Bar-1.0-rc1.zip", "foo-1.0.tar.gz", "foobar-1.tar.gz")]
    questions = [("sdist", name, project) for project, name in cases]
    answers = ask(questions)
    same(questions, answers, [[their_sdist(project, name)] for project, name in cases])
    agreed = 0
    for (project, name), answer in zip(cases, answers):
        try:
            found, parsed = parse_sdist_filename(name)
        except InvalidSdistFilename:
            continue
        if found == project:
            assert answer == [str(parsed)]
            agreed += 1
    assert agreed > 100
