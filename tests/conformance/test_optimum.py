"""The levels of the objective against another encoding and another solver, on made-up cases and on recorded real ones."""
import glob
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(os.path.dirname(HERE), "cases")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))

from optimum import LEVELS, optimum  # noqa: E402

# Where the encoding leaves out what the case is about, its costs are lower bounds only.
RELAXED = {"advisory-on-change", "floor-no-excuse-by-adding", "lock-url-lifted"}
# A version that `packaging` refuses; admission of builds by unreadable wheels, which the encoding does not have.
OUTSIDE = {"environment-invalid-version", "build-where-there-is-no-other-plan"}


def planned(path):
    """The costs that unpin proves; None where it finds no plan."""
    program = os.path.join(os.environ["UNPIN_BUILD"], "tests", "cases", "run_cases")
    done = subprocess.run([program, "--costs", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    found = {level: re.search(rf", {level} (\d+)", done.stdout) for level in LEVELS}
    return {level: int(number[1]) for level, number in found.items()} if all(found.values()) else None


def cases(*folders):
    for path in sorted(p for f in folders for p in glob.glob(os.path.join(CASES, f, "*.case"))):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if os.path.basename(path)[:-5] in OUTSIDE:
            continue
        if re.search(r"^expect: (plan|satisfied)", text, re.M) and not re.search(r"^options:.*(-U|--upgrade|--remove)", text, re.M):
            yield pytest.param(path, id=os.path.basename(path)[:-5])


@pytest.mark.parametrize("path", cases(".", "real"))
def test_levels_are_optimal(path):
    ours, other = planned(path), optimum(path)
    assert ours is not None and other is not None
    if os.path.basename(path)[:-5] in RELAXED:
        assert list(other.values()) <= list(ours.values())
    else:
        assert other == ours
