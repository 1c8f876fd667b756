import re

from probing import lines, same
from generate import broken, requirement
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from test_marker import is_known

EDGES = [
    "foo", " foo ", "\tfoo\t", "foo==1", "foo == 1", "foo(==1)", "foo (==1,<2)", "foo ( ==1 , <2 )", "foo ()", "foo (", "foo )", "foo (==1",
    "foo ==1)", "foo [a]", "foo[]", "foo[ ]", "foo[a,]", "foo[,a]", "foo[a b]", "foo[a,b]", "foo[ a , b ]", "foo[a", "foo]", "foo[a][b]",
    "foo[b,a,b]", "foo[A_b,a.B]", "foo>=1,", "foo>=1,,<2", "foo,>=1", "foo;os_name=='x'", "foo ; os_name=='x'", "foo;", "foo ;", "foo==1;",
    "foo os_name=='x'", "foo@http://x", "foo @ http://x", "foo @http://x/y z", "foo @", "foo @ ", "foo @ http://x;os_name=='x'",
    "foo @ http://x ;os_name=='x'", "foo @ http://x ; os_name=='x'", "foo @ http://x ;", "foo[a]@http://x", "foo @ x>=1", "foo@", "@x",
    "foo>=1 @ http://x", "foo @ file:///a%20b ; extra == 'x'", "foo===1.0", "foo===1.0,>=2", "foo===a,b", "foo===x;os_name=='y'",
    "foo (===x)", "foo===", "foo>=1.*", "foo==1.*", "foo~=1", "foo~=1.0", "foo>=1+x", "foo==1+x", "foo==1+x.*", "foo==1.*.*", "foo =1", "foo>1 <2",
    "foo>1<2", "foo 1", "foo-bar", "foo.bar", "foo-", ".foo", "-foo", "3foo", "foo bar", "foo\\bar", "foo/bar", "", " ", "foo#x", "foo # x",
    "foo>=1 # x", "foo==1;python_version<'3'", "foo==1;python_version<'3';os_name=='x'", "foo>=1 ; (os_name=='x')", "foo==1and os_name=='x'",
    "foo >= 1 , != 1.5", "foo>=\t1", "f", "F.-_o", "foo!=1,!=1.0,>=1,>=1.0.0", "foo~=1.0,~=1.0.0", "foo[extra] ; extra == 'A_b' or extra=='c'",
    "foo==2.7.0a0+79aa17489c.nv25.4", "foo @ git+ssh://git@h/x.git@v1#egg=foo", "foo ; extra == 'a' ", "foo>=1.0a.", "foo>=1.0-1,<1.0-2",
    "foo>1.0.dev", "foo<v2", "foo==1!2.*", "foo=>1", "foo>=1;python_version>='3' # c", "foo; python_version", "foo (>=1) [a]", "foo>=1 [a]",
]


def theirs(text):
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return ["!"]
    # Extras are kept in their normal form, which packaging leaves to who compares them.
    found.extras = {str(canonicalize_name(extra)) for extra in found.extras}
    return [str(found), str(canonicalize_name(found.name)), found.url or ""]


def is_listed(text):
    """Requirements whose difference known.py lists."""
    try:
        found = Requirement(text)
    except InvalidRequirement:
        # Line breaks around a requirement are dropped here.
        return text.strip() != text.strip(" \t")
    names = [found.name, *found.extras]
    return any(not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name) for name in names) or (
        found.marker is not None and is_known(str(found.marker)) or "\\" in text
    )


def check(ask, texts):
    texts = [text for text in texts if not is_listed(text)]
    questions = [("requirement", text) for text in texts]
    answers = [answer[:1] if answer[0] == "!" else answer for answer in ask(questions)]
    same(questions, answers, [theirs(text) for text in texts])


def test_edges(ask):
    check(ask, EDGES)


def test_generated(ask, rng):
    check(ask, [requirement(rng) for _ in range(5000)])


def test_generated_broken(ask, rng):
    check(ask, [broken(rng, requirement(rng)) for _ in range(8000)])


def test_real(ask):
    texts = lines("requirements.txt")
    assert len(texts) > 500
    check(ask, texts)


def test_normal_form_is_a_fixed_point(ask, rng):
    texts = [requirement(rng) for _ in range(3000)] + lines("requirements.txt")
    once = [answer for answer in ask([("requirement", text) for text in texts]) if answer[0] != "!"]
    assert len(once) > 2000
    assert ask([("requirement", answer[0]) for answer in once]) == once
