"""Metadata against the header parser of Python and the requirements of packaging."""

from probing import lines, same
from generate import EXTRAS, requirement, specifiers
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from test_requirement import is_listed, theirs as normal_requirement


def theirs(text):
    """Name, version, Requires-Python, number of problems, extras, requirements."""
    raw, _ = parse_email(text)
    if "name" not in raw or "version" not in raw:
        return ["!"]
    requires = [normal_requirement(line)[0] for line in raw.get("requires_dist", [])]
    problems = requires.count("!")
    try:
        SpecifierSet(raw.get("requires_python", ""))
    except InvalidSpecifier:
        problems += 1
    extras = list(dict.fromkeys(str(canonicalize_name(extra)) for extra in raw.get("provides_extra", [])))
    return [raw["name"], raw["version"], raw.get("requires_python", "").strip(), str(problems), ",".join(extras), *(r for r in requires if r != "!")]


def check(ask, texts):
    questions = [("metadata", text, "") for text in texts]
    same(questions, ask(questions), [theirs(text) for text in texts])


def test_edges(ask):
    head = "Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\n"
    check(ask, [
        head, head + "\n", "Name: x\n", "Version: 1\n", "", "\n" + head, head + "Requires-Dist: a>=1\n\nRequires-Dist: b\n",
        head.replace("\n", "\r\n") + "Requires-Dist: a\r\n\r\nRequires-Dist: b\r\n", head + "requires-dist: a\nREQUIRES-DIST: b\n",
        head + "Requires-Dist: a ; extra == 'x'\nProvides-Extra: x\nProvides-Extra: Y_z\nProvides-Extra: y-z\n", head + "Requires-Dist: ???\n",
        head + "Requires-Python: >=3.8\n", head + "Requires-Python: nonsense\n", head + "Requires-Python:\n", head + "Requires-Python:   >=3.8,<4  \n",
        head + "Classifier: a\n  folded: b\nRequires-Dist: a\n", head + "Description: x\n        Requires-Dist: b\n        |y\nRequires-Dist: a\n",
        head + "X:\nRequires-Dist: a\n", head + "Requires-Dist:a\n", head + "Summary: ümlaut\nRequires-Dist: a\n", "Name: x\nVersion: 1\n",
        head + "Requires-Dist: a", "Name:x\nVersion:1",
    ])


def test_generated(ask, rng):
    texts = []
    for number in range(700):
        fields = [f"Name: {rng.choice(['foo', 'Foo.Bar', 'x_y'])}", f"Version: {rng.choice(['1.0', '2.7.0a0+nv', '1!2'])}", "Metadata-Version: 2.1"]
        fields += [f"Requires-Dist: {text}" for text in (requirement(rng) for _ in range(rng.randint(0, 6))) if not is_listed(text)]
        fields += [f"Provides-Extra: {extra}" for extra in rng.sample(EXTRAS, rng.randint(0, 3))]
        fields += rng.choice([[], [f"Requires-Python: {specifiers(rng)}".strip()]])
        fields += ["Classifier: Foo :: Bar", "License: a\n  b\n   c", "Keywords: x,y"]
        rng.shuffle(fields)
        end = rng.choice(["\n", "\r\n"])
        texts.append(end.join(fields + ["", "Requires-Dist: not-this-one", ""]).replace("\n", end).replace("\r\r", "\r"))
    check(ask, texts)


def test_real_requirements(ask):
    texts = ["Name: x\nVersion: 1\n" + "\n".join(f"Requires-Dist: {line}" for line in lines("requirements.txt"))]
    check(ask, texts)


def test_requires_txt(ask):
    """As importlib.metadata turns requires.txt into requirements, but a line with a marker of its own keeps it."""
    text = "a>=1\n\n# comment\nb[x]\n[dev]\nc\nd==2\n[:python_version<'3']\ne\n[Te_st:os_name=='nt' or extra=='q']\nf @ http://h/f\ng; python_version>'3'\n[broken\nh\n[ok]\ni\n"
    answer = ask([("metadata", "Name: x\nVersion: 1\n", text)])[0]
    assert answer[3:5] == ["1", "dev,te-st,ok"]
    expected = ["a>=1", "b[x]", "c; extra == 'dev'", "d==2; extra == 'dev'", "e; (python_version<'3')",
                "f @ http://h/f ; (os_name=='nt' or extra=='q') and extra == 'te-st'",
                "g ; (python_version>'3') and (os_name=='nt' or extra=='q') and extra=='te-st'", "i; extra=='ok'"]
    assert answer[5:] == [str(Requirement(line)) for line in expected]
