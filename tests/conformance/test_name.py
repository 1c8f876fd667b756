import re

from probing import lines, same
from generate import EXTRAS, NAMES, broken
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

EDGES = ["", "-", "--", "a--b", "a-_.b", "A", "-a-", "_", "__", "a_", ".a", "a.b", "ABC", "a b", "a-", "é", "Zope.Interface", "0", "a" * 200, "a" * 201]


def check(ask, texts):
    questions = [("name", text) for text in texts]
    valid = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
    expected = [[str(canonicalize_name(text)), "1" if valid.fullmatch(text) and len(text) <= 200 else "0"] for text in texts]
    same(questions, ask(questions), expected)


def test_edges(ask):
    check(ask, EDGES)


def test_generated(ask, rng):
    check(ask, [broken(rng, rng.choice(NAMES + EXTRAS), "ab-_.AZ0 ") for _ in range(5000)])


def test_real(ask):
    names = set()
    for line in lines("requirements.txt"):
        try:
            names.add(Requirement(line).name)
        except InvalidRequirement:
            pass
    check(ask, sorted(names))
