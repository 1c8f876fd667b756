import pytest
from known import DIFFERENCES
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from test_marker import ENVIRONMENTS

REFUSALS = (InvalidMarker, InvalidRequirement, InvalidSpecifier, InvalidWheelFilename, InvalidVersion)


def marker(text):
    """The normal form of a marker that can be evaluated."""
    found = Marker(text)
    found.evaluate(ENVIRONMENTS[0])
    return str(found)


THEIRS = {
    "version": lambda text: str(Version(text)),
    "match": lambda text, item: "1" if SpecifierSet(text).contains(item, prereleases=True) else "0",
    "requirement": lambda text: str(Requirement(text)),
    "wheel": lambda text: str(parse_wheel_filename(text)[0]),
    "marker": marker,
    "eval": lambda text, extra: "1" if Marker(text).evaluate({**ENVIRONMENTS[0], "extra": extra}) else "0",
}


def theirs(verb, *fields):
    try:
        return THEIRS[verb](*fields)
    except REFUSALS:
        return "!"
    except (ValueError, KeyError):
        return "raises"


@pytest.mark.parametrize("question, said, reason", DIFFERENCES, ids=[d[2] for d in DIFFERENCES])
def test_still_differs(ask, question, said, reason):
    found = theirs(*question)
    if said is not None:
        assert found == said
    ours = ask([("env", *ENVIRONMENTS[0].values()), question])[1][0]
    assert ours != found
