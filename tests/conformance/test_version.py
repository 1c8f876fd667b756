import itertools

from probing import lines, same
from generate import broken, near, version
from packaging.version import InvalidVersion, Version

# What is at the edges of the grammar: spellings, separators that dangle, implicit numbers, zeros, epochs.
EDGES = """
1 1.0 1.0.0 1..0 .1 1. v1 V1.0 vv1 1! 1!2 1!!2 01!2 1!2!3 0!1 1.0a 1.0a. 1.0a- 1.0a_ 1.0a.. 1.0a-1 1.0a--1 1.0a.1 1.0-a1
1.0_a_1 1.0.a.1 1.0alpha1 1.0al1 1.0beta 1.0pre1 1.0preview2 1.0c3 1.0rc.4 1.0RC5 1.0cr1 1.0a1b2 1.0a1.post2 1.0a1-2
1.0-1 1.0--1 1.0-1-2 1.0_1 1.0.post 1.0post1 1.0.post-1 1.0-r4 1.0rev5 1.0.rev 1.0re1 1.0.dev 1.0dev1 1.0.dev.1 1.0-dev-1
1.0.devel1 1.0dev1a1 1.0dev1post1 1.0.post1.dev2 1.0a1.dev2 1.0a1.post1.dev2 1.0a.post.dev 1.0+ 1.0+a 1.0+A 1.0+1 1.0+01
1.0+a.b 1.0+a..b 1.0+a-b_c 1.0+.a 1.0+a. 1.0+a+b 1.0+1a 1.0+a1.02 1.0+00 1.0+0 1.0+nv 2.7.0a0+79aa17489c.nv25.4 1.0_post_1
1.0.post1- 1.0a0 1.0a00 1e5 1.0x 1,0 1:0 a1 dev1 post1 rc1 1rc 1post 1dev 1a 1b1 1c1 1-1 1r1 1.1.1.1.1.1.1.1 00.00 0 0.0 0.dev0
0a0.dev0 0.0.0.post0 9223372036854775807 1.9223372036854775807 2004d 2013b 2011k 1.0.0-final 1.0-beta-2 0.1.0.dev1+g1234567
1.0+20250101123456789012345 1.0+20250101123456789012346 1.0+9223372036854775807 1.0+9223372036854775808 1.0+00000000000000000009
20041231 2022.7.post1 0.0.0-alpha.1 1.0.0rc1.post3.dev4+local.7 3.0.0b1.dev20230101 1.2.3-SNAPSHOT 1.0.0.RELEASE 4.2.0-dev1
""".split() + ["", " ", " 1.0", "1.0 ", "\t1.0\n", "1 .0", "1. 0", "1.0 a1", "1.0a 1", "1.0+ a", "\v1.0\f"]


def theirs(text):
    try:
        parsed = Version(text)
    except InvalidVersion:
        return ["!"]
    return [str(parsed), parsed.base_version, "1" if parsed.is_prerelease else "0"]


def without_text(answer):
    """The third field is the text the base came from, which packaging has no word for."""
    return answer if answer == ["!"] else answer[:2] + answer[3:]


def check_forms(ask, texts):
    questions = [("version", text) for text in texts]
    answers = ask(questions)
    same(questions, [without_text(answer) for answer in answers], [theirs(text) for text in texts])
    for text, answer in zip(texts, answers):
        if answer != ["!"]:
            assert Version(answer[2]) == Version(Version(text).base_version) and text.strip().startswith(answer[2])


def check_order(ask, pairs):
    questions = [("cmp", a, b) for a, b in pairs]
    expected = []
    for pair in pairs:
        a, b = map(Version, pair)
        public = [Version(v.public) for v in (a, b)]
        expected.append(["<" if x < y else ">" if x > y else "=" for x, y in ((a, b), public)])
    same(questions, ask(questions), expected)


def valid(texts):
    return [text for text in texts if theirs(text) != ["!"]]


def test_edges(ask):
    check_forms(ask, EDGES)


def test_order_of_edges(ask):
    check_order(ask, list(itertools.product(valid(EDGES), repeat=2)))


def test_generated(ask, rng):
    texts = [version(rng) for _ in range(8000)]
    texts += [broken(rng, text, "0123456789.-_+!ab rcvdevpost\t") for text in texts]
    check_forms(ask, texts)
    check_order(ask, [(a, b) for a, b in ((a, near(rng, a)) for a in valid(texts)) if valid([b])])


def test_real(ask):
    texts = lines("versions.txt")
    check_forms(ask, texts)
    texts = valid(texts)
    check_order(ask, list(zip(texts, texts[1:] + texts[:1])))


def test_sorting_is_total(ask, rng):
    """Versions that do not parse are below all others, ordered by their text."""
    texts = ["", "zzz", "1.0-x", "2013q", "0.dev0", "1.0", "1.0.0", "1.0+a", "bogus"]
    answers = ask([("cmp", a, b) for a in texts for b in texts])
    key = lambda text: (1, Version(text)) if valid([text]) else (0, text.encode())
    for (a, b), answer in zip(itertools.product(texts, repeat=2), answers):
        assert answer[0] == ("<" if key(a) < key(b) else ">" if key(a) > key(b) else "="), (a, b)
