import itertools

from probing import lines, same
from generate import broken, near, specifier, specifiers, version
from packaging.specifiers import InvalidSpecifier, SpecifierSet

VERSIONS = """
2.8 2.8.0 2.8a1 2.8rc1 2.8.dev1 2.8.dev0 2.8.post1 2.8.post1.dev2 2.8.post2 2.8+nv 2.8a0+nv 2.8.post1+nv 2.7 2.7.9 2.9 2.8.1 2.8.1a1 2 2.0 3
3.0a1 1!2.8 0!2.8 2.8a1.post1 2.8a1.dev1 2.8rc1.post0.dev1 2.8.0.0 2.7.0a0+79aa17489c.nv25.4 2.7.0 0 0.dev0 2.8+1 2.8+01 2.8+NV
bogus 2013b
""".split()
SPECIFIERS = """
==2.8 ==2.8.0 ==2.8+nv ==2.8+1 !=2.8 !=2.8+nv <2.8 <=2.8 >2.8 >=2.8 ~=2.8 ~=2.8.0 ~=2.8a1 ~=2.8.post1 ==2.* ==2.8.* !=2.8.* ==2.8.0.*
<2.8a1 <=2.8a1 >2.8a1 >=2.8a1 <2.8.post1 >2.8.post1 >2.8.dev1 <2.8.dev1 >2.8.post1.dev2 ===2.8 ===2.8.0 ===2.8+NV ===bogus ===BOGUS ===
>=2.7.0 ==2.7.0 >=2.0.0 ==1!2.8 ==1!2.* >1!0 ==0!2.8 ==v2.8 >=V2.8 ==2.8a1 ==2.8.a.1 <0 <0.dev0 >0 >=0.dev0 ~=2.8.0.0 ~=1!2.8
==2.8.dev0 ==2.8-1 ~=2.8-1 ==2.08
""".split() + ["", ">=2.0,<3", ">=2.8 , !=2.8.post1", ",", ">=2,,<3", "== 2.8", "=== 2.8", ">=\t2.8", "===2.8,>=2", "~= 2.8"]
WRONG = """
2.8 =2.8 >< >=2.8.* ~=2 ~=2.8.* ~=2.8+nv >=2.8+nv <2.8+nv ==2.8a1.* ==2.8+nv.* ==2.8.*.* ==2.8.*+x !=* ==* ~=* >=2.8;x ==2..8 >=2.8a1b2
<=>2 ====2.8 ~==2 !2 >=v ==2.8.post1.* ==2.8.dev1.* ==. >=2.8) ===a;b ===a)b
""".split() + [">= 2 8", "===a b", ">=2.8 <3", ">=2,foo"]


def theirs(text):
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def check_match(ask, pairs):
    sets = {text: theirs(text) for text, _ in pairs}
    questions = [("match", text, item) for text, item in pairs]
    expected = []
    for text, item in pairs:
        found = sets[text]
        expected.append(["!"] if found is None else ["1" if found.contains(item, prereleases=True) else "0"])
    same(questions, ask(questions), expected)


def check_forms(ask, texts):
    questions = [("set", text) for text in texts]
    expected = []
    for text in texts:
        found = theirs(text)
        expected.append(["!"] if found is None else [str(found), "1" if found.prereleases else "0"])
    same(questions, ask(questions), expected)


def test_edges(ask):
    check_match(ask, list(itertools.product(SPECIFIERS + WRONG, VERSIONS)))
    check_forms(ask, SPECIFIERS + WRONG)


def test_generated_single(ask, rng):
    pairs = []
    for _ in range(15000):
        base = version(rng)
        pairs.append((specifier(rng, base), near(rng, base)))
    check_match(ask, pairs)


def test_generated_sets(ask, rng):
    pairs = []
    for _ in range(8000):
        base = version(rng)
        text = specifiers(rng, base)
        pairs.append((text if rng.random() < 0.8 else broken(rng, text), near(rng, base)))
    check_match(ask, pairs)
    check_forms(ask, [text for text, _ in pairs])


def test_real(ask, rng):
    versions = lines("versions.txt")
    texts = lines("specifiers.txt")
    check_forms(ask, texts)
    check_match(ask, [(text, rng.choice(versions)) for text in texts for _ in range(10)])
