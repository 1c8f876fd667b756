from unittest import mock

from probing import same
from packaging import _manylinux, tags

PLATFORMS = ["linux_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
# Implementation, version, ABIs as the interpreter tells them.
INTERPRETERS = [
    ("cp", (3, 12), ["cp312"]),
    ("cp", (3, 8), ["cp38"]),
    ("cp", (3, 7), ["cp37m"]),
    ("cp", (3, 2), ["cp32mu"]),
    ("cp", (3, 1), ["cp31"]),
    ("cp", (3, 13), ["cp313t"]),
    ("cp", (3, 13), ["cp313td", "cp313t"]),
    ("cp", (3, 13), ["cp313d", "cp313"]),
    ("cp", (3, 15), ["cp315t", "abi3t", "none"]),
    ("cp", (3, 12), ["cp312", "abi3", "none"]),
    ("cp", (3, 12), []),
    ("cp", (2, 7), ["cp27mu"]),
    ("cp", (4, 1), ["cp41"]),
    ("pp", (3, 10), ["pypy310_pp73"]),
    ("pp", (3, 9), ["pypy39_pp73", "none"]),
    ("graalpy", (3, 11), ["graalpy311_native"]),
]


def theirs(implementation, version, abis, platforms):
    nodot = "".join(map(str, version))
    if implementation == "cp":
        found = list(tags.cpython_tags(version, list(abis), platforms))
        interpreter = "cp" + nodot
    else:
        found = list(tags.generic_tags(implementation + nodot, list(abis), platforms))
        interpreter = "pp3" if implementation == "pp" else None
    return [str(tag) for tag in found + list(tags.compatible_tags(version, interpreter, platforms))]


def test_order(ask):
    questions, expected = [], []
    for implementation, version, abis in INTERPRETERS:
        for platforms in (PLATFORMS, PLATFORMS[:1], ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64"]):
            questions.append(("tags", implementation, *map(str, version), str(len(abis)), *abis, *platforms))
            expected.append(theirs(implementation, version, abis, platforms))
    same(questions, ask(questions), expected)


def their_platforms(machine, glibc):
    _manylinux._get_glibc_version.cache_clear()
    with (
        mock.patch.object(tags.sysconfig, "get_platform", return_value=f"linux-{machine}"),
        mock.patch.object(_manylinux, "_glibc_version_string", return_value=glibc),
        mock.patch.object(_manylinux, "_have_compatible_abi", return_value=machine not in ("mips", "sparc64")),
    ):
        found = list(tags._linux_platforms(is_32bit=False))
    _manylinux._get_glibc_version.cache_clear()
    return found


def test_platforms(ask):
    machines = ["x86_64", "i686", "aarch64", "armv7l", "armv8l", "ppc64le", "ppc64", "s390x", "riscv64", "loongarch64", "mips"]
    questions = [("platforms", f"linux_{machine}", str(minor)) for machine in machines for minor in (4, 5, 12, 17, 28, 39)]
    expected = [their_platforms(machine, f"2.{minor}") for machine in machines for minor in (4, 5, 12, 17, 28, 39)]
    same(questions, ask(questions), expected)


def test_platforms_by_name(ask):
    def of(platform):
        return ask([("platforms", platform, "39")])[0]

    assert of("manylinux2014_x86_64") == of("manylinux_2_17_x86_64") == their_platforms("x86_64", "2.17")[1:]
    assert of("manylinux_2_28_aarch64") == their_platforms("aarch64", "2.28")[1:]
    assert of("manylinux1_i686") == ["manylinux_2_5_i686", "manylinux1_i686"]
    assert of("musllinux_1_2_x86_64") == ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64"]
    assert of("linux-x86_64") == of("linux_x86_64")
    for wrong in ("", "linux", "linux_", "win_amd64", "manylinux_2_x86_64", "manylinux_3_1_x86_64", "manylinux_2_28_", "any", "manylinux2014_", "macosx_11_0_arm64"):
        assert of(wrong) == ["!"], wrong
    assert ask([("platforms", "linux_x86_64", "none")]) == [["linux_x86_64"]]
