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

# A version that `packaging` refuses.
OUTSIDE = {"environment-invalid-version"}


def planned(path, strict=True):
    """The costs that unpin proves; None where it proves that there is no plan."""
    program = os.path.join(os.environ["UNPIN_BUILD"], "tests", "cases", "run_cases")
    done = subprocess.run([program, "--costs", path], capture_output=True, text=True)
    assert done.returncode == 0 or not strict, done.stdout
    found = {level: re.search(rf", {level} (\d+)", done.stdout) for level in LEVELS}
    assert all(found.values()) or "infeasible" in done.stdout or strict, done.stdout
    return {level: int(number[1]) for level, number in found.items()} if all(found.values()) else None


def proven_levels(text):
    """With -U the newest version comes before the lifts."""
    return LEVELS[:2] if re.search(r"^options:.*(-U|--upgrade)", text, re.M) else LEVELS


def cases(*folders):
    for path in sorted(p for f in folders for p in glob.glob(os.path.join(CASES, f, "*.case"))):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if os.path.basename(path)[:-5] in OUTSIDE:
            continue
        if re.search(r"^expect: (plan|satisfied|infeasible)", text, re.M):
            yield pytest.param(path, proven_levels(text), id=os.path.basename(path)[:-5])


@pytest.mark.parametrize("path,levels", cases(".", "real"))
def test_levels_are_optimal(path, levels):
    """The same costs, or both say that there is no plan."""
    ours, other = planned(path), optimum(path)
    assert (ours is None) == (other is None)
    assert ours is None or [ours[level] for level in levels] == [other[level] for level in levels]


WORLDS = 80


def test_random_worlds(tmp_path):
    """Worlds that the generator of the oracle draws; each is named by its seed."""
    program = os.path.join(os.environ["UNPIN_BUILD"], "tests", "oracle", "oracle")
    path = str(tmp_path / "world.case")
    for seed in range(100001, 100001 + WORLDS):
        drawn = subprocess.run([program, "--seed", str(seed), "--count", "1", "--show"], capture_output=True, text=True)
        text = re.sub(r"^\d+ .*\n", "", drawn.stdout, flags=re.M)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "expect: plan\n")
        ours, other, levels = planned(path, strict=False), optimum(path), proven_levels(text)
        assert (ours is None) == (other is None), f"seed {seed}\n{text}"
        assert ours is None or [ours[level] for level in levels] == [other[level] for level in levels], f"seed {seed}\n{text}"
