from unittest import mock

import packaging.markers
from probing import lines, same
from generate import STRINGS, broken, marker
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement

FIELDS = """os_name sys_platform platform_machine platform_python_implementation platform_release platform_system
platform_version python_version python_full_version implementation_name implementation_version""".split()
ENVIRONMENTS = [
    dict(zip(FIELDS, values.split("|")))
    for values in (
        "posix|linux|x86_64|CPython|5.15.0-1019-aws|Linux|#1 SMP|3.12|3.12.0|cpython|3.12.0",
        "posix|linux|aarch64|PyPy|6.1|Linux|#1 SMP|3.10|3.10.14|pypy|7.3.13",
        "nt|win32|AMD64|CPython|10|Windows|10.0.19041|3.8|3.8.0|cpython|3.8.0",
        "posix|linux|x86_64|CPython|6.1|Linux|1.0|3.13|3.13.0+|cpython|3.13.0a1",
    )
]
EDGES = [
    "python_version == '3.12'", "'3.12' == python_version", "python_version=='3.12'and os_name=='posix'", "(((python_version>='3')))",
    "python_version == '3.*'", "python_version ~= '3.8'", "python_version ~= '3'", "python_version === '3.12'", "os_name ~= 'x'",
    "os_name === 'posix'", "os_name < 'zzz'", "os_name >= 'posix'", "platform_release >= '5'", "platform_release < '5.15.0-1019-aws'",
    "'5.0' < platform_release", "'linux' in sys_platform", "sys_platform in 'linux,win32'", "sys_platform not  in 'linux'",
    "sys_platform notin 'linux'", "python_version in '3.12, 3.13'", "python_version not in '3.8'", "extra == 'Dev_Tools'",
    "extra == ''", "'dev' == extra", "extra != 'dev'", "extra in 'dev,test'", "'dev' in extra", "os.name == 'posix'",
    "sys.platform == 'linux'", "platform.version == '1.0'", "platform.machine == 'x86_64'", "platform.python_implementation == 'CPython'",
    "python_implementation == 'CPython'", "platform.release == 'x'", "platform.system == 'x'", "os_nam == 'x'", "os_namex == 'x'",
    "python_version == os_name", "os_name == 'a' or os_name == 'b' and os_name == 'c'", "(os_name == 'a' or os_name == 'b') and os_name == 'c'",
    "os_name == 'posix' or extra == 'a' and extra == 'b'", "os_name == 'a' and (extra == 'b')", "", " ", "()", "(", ")", "os_name",
    "os_name ==", "== 'x'", "os_name == 'x", 'os_name == "x\'', "os_name == 'x' and", "os_name == 'x' or or os_name == 'y'",
    "and os_name == 'x'", "os_name == 'x' os_name == 'y'", "(os_name == 'x'", "os_name == 'x')", "os_name = 'x'", "os_name => 'x'",
    "os_name == x", "os_name == 'it\"s'", "os_name == \"it's\"", "os_name == 'x' ", " os_name == 'x'", "\tos_name\t==\t'x'\t",
    "os_name == 'x' AND os_name == 'x'", "os_name IN 'x'", "Os_name == 'x'", "os_name not 'x'", "os_name == 'x'\n", "os_name ==\n'x'",
    "os_name == 'a\nb'", r"os_name == 'a\'", r"os_name == 'a\x'", r"os_name == 'a\u12'", "python_full_version >= '3.13.0'",
    "python_full_version == '3.13.0+local'", "implementation_version < '3.13'", "implementation_version >= '3.12.0a1'",
    "python_version > '3.9,<4'", "python_version >= ' 3.8 '", "python_version >= ''", "python_version == 'abc'", "python_version < 'abc'",
    "python_version in ''", "'' in python_version", "platform_version in '1.0 #1 SMP'", "('a' in os_name)", "extra == 'a' and(extra == 'b')or(os_name == 'c')",
    "os_name == 'x'and'y' == os_name", "'x'==os_name or'y'==os_name", "python_version<'3'or python_version>'3.1'", "extra == 'A..b--C'",
    "extra == 'ä'", "os_name == 'ü'", "((os_name == 'a') and (os_name == 'b'))", "((os_name == 'a') or (os_name == 'b')) and (extra == 'c')",
]


def theirs(text):
    try:
        return Marker(text)
    except InvalidMarker:
        return None


def evaluate(found, env, extra):
    # known.py: what is not defined is false, where packaging raises UndefinedComparison.
    undefined = {"~=": lambda left, right: False, "===": lambda left, right: False}
    with mock.patch.dict(packaging.markers._operators, undefined):
        return "1" if found.evaluate({**env, "extra": extra}) else "0"


def is_known(text):
    """Markers whose difference known.py lists: two literals, sets, escapes."""
    found = theirs(text)
    if found is None:
        return False
    flat, items = [found._markers], []
    while flat:
        top = flat.pop()
        flat.extend(item for item in top if isinstance(item, list))
        items.extend(item for item in top if isinstance(item, tuple))
    return "\\" in text or any(
        all(type(side).__name__ == "Value" for side in (left, right))
        or any(side.value in ("extras", "dependency_groups") and type(side).__name__ == "Variable" for side in (left, right))
        for left, _, right in items
    )


def check(ask, texts, extras=("", "dev", "dev-tools")):
    texts = [text for text in texts if not is_known(text)]
    questions = [("marker", text) for text in texts]
    found = [theirs(text) for text in texts]
    same(questions, [answer[:1] for answer in ask(questions)], [["!"] if m is None else [str(m)] for m in found])
    for env in ENVIRONMENTS:
        questions = [("env", *env.values())]
        expected = [["1"]]
        for text, m in zip(texts, found):
            for extra in extras:
                if m is None:
                    continue
                questions.append(("eval", text, extra))
                expected.append([evaluate(m, env, extra)])
        same(questions, ask(questions), expected)


def test_edges(ask):
    check(ask, EDGES)


def test_every_value(ask):
    texts = [f"{name} {op} '{value}'" for name, values in STRINGS.items() for value in values for op in ("==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in")]
    texts += [f"'{value}' {op} {name}" for name, values in STRINGS.items() for value in values for op in ("==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in")]
    check(ask, texts)


def test_generated(ask, rng):
    check(ask, [marker(rng) for _ in range(1500)])


def test_generated_broken(ask, rng):
    check(ask, [broken(rng, marker(rng)) for _ in range(3000)], extras=("dev",))


def test_real(ask):
    texts = []
    for line in lines("requirements.txt"):
        try:
            found = Requirement(line)
        except InvalidRequirement:
            continue
        if found.marker:
            texts.append(str(found.marker))
    assert len(texts) > 100
    check(ask, sorted(set(texts)))


def test_has_extra(ask):
    cases = {"extra == 'a'": "1", "os_name == 'x'": "0", "os_name == 'x' and (os_name == 'y' or 'a' == extra)": "1", "os_name == 'extra'": "0"}
    answers = ask([("marker", text) for text in cases])
    assert [answer[1] for answer in answers] == list(cases.values())
