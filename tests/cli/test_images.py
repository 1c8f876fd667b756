"""Plans for the images of the catalog, from recorded answers of an index and without a network, judged by `packaging`."""
import json
import os
import subprocess

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import judge
import world as worlds
from conftest import LIMIT_S, ROOT, Run

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "recorded")
CATALOG = os.path.join(ROOT, "catalog")

# image, arguments, requirements, {lifted: version}, {added: version}
FEASIBLE = [
    ("ngc-pytorch:25.04", ["protobuf>=5"], ["protobuf>=5"], {"protobuf": "7.36.2"}, {}),
    ("ngc-pytorch:25.04", ["jsonschema<4.20"], ["jsonschema<4.20"], {"jsonschema": "4.19.2"}, {}),
    ("ngc-pytorch:25.04", ["black==25.9.0"], ["black==25.9.0"], {"black": "25.9.0"}, {"pytokens": "0.4.1"}),
    ("ngc-pytorch:25.04", ["pybind11==3.0.1"], ["pybind11==3.0.1"], {"pybind11": "3.0.1"}, {}),
    # Locked, though not installed: the image's own version is taken, whatever is newer.
    ("ngc-pytorch:25.04", ["tomli"], ["tomli"], {}, {"tomli": "2.0.1"}),
    ("ngc-pytorch:25.04", ["importlib-metadata<8"], ["importlib-metadata<8"], {"importlib-metadata": "7.2.1"},
     {"importlib-metadata": "7.2.1", "zipp": "3.19.2"}),
    ("ngc-pytorch:25.04", ["black>=25.9", "protobuf>=5", "pybind11>=3"], ["black>=25.9", "protobuf>=5", "pybind11>=3"],
     {"black": "25.12.0", "protobuf": "7.36.2", "pybind11": "3.1.0"}, {"pytokens": "0.4.1"}),
    ("ngc-tensorflow:25.02", ["protobuf>=5"], ["protobuf>=5"], None, None),
    ("ngc-pytorch:23.07", ["jsonschema<4.18"], ["jsonschema<4.18"], None, None),
]


def image_of(name):
    for file in sorted(os.listdir(os.path.join(CATALOG, "images"))):
        with open(os.path.join(CATALOG, "images", file), encoding="utf-8") as f:
            image = json.load(f)
        if image["name"] == name:
            return image
    raise AssertionError(f"no image {name}")


def installed_of(image):
    """What is installed in the image, as judge.py has it; of unknown builds nothing is known to be required."""
    return {worlds.normalize(d["name"]): {"name": worlds.normalize(d["name"]), "version": d["version"], "python": d.get("requires_python"),
                                          "requires": [Requirement(r) for r in d.get("requires_dist", [])]}
            for d in image["dists"] if d.get("installed", True)}


def result_of(installed, plan):
    dists = dict(installed)
    for change in plan["changes"]:
        assert dists.get(change["name"], {}).get("version") == (change["from"] or None), change
        with open(os.path.join(RECORDED, "metadata", change["artifact"]["filename"] + ".metadata"), encoding="utf-8") as f:
            dists[change["name"]] = judge.metadata_parse(f.read())
        assert Version(dists[change["name"]]["version"]) == Version(change["to"]), change
    return dists


@pytest.fixture
def plan_for(unpin_binary, tmp_path):
    """Runs `unpin plan --json` for an image, on recorded answers only."""
    def run(image, *args):
        argv = [unpin_binary, "plan", "--json", "--image", image, "--offline", "--recorded", RECORDED, *args]
        variables = worlds.clean_environment(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), UNPIN_CATALOG=CATALOG, PIP_CONFIG_FILE=os.devnull)
        return Run(argv, subprocess.run(argv, env=variables, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S))
    return run


@pytest.mark.parametrize("image, args, requirements, lifted, added", FEASIBLE, ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_plan_for_an_image_is_sound(plan_for, image, args, requirements, lifted, added):
    plan = plan_for(image, *args).ok().json
    entry = image_of(image)
    installed = installed_of(entry)
    version = tuple(map(int, entry["python"].split(".")))
    dists = result_of(installed, plan)
    asked = [Requirement(r) for r in requirements]
    new = judge.breaks(dists, asked, version) - judge.breaks(installed, [], version)
    assert not new, f"new breaks: {sorted(new)}"
    for r in asked:
        assert r.specifier.contains(Version(dists[worlds.normalize(r.name)]["version"]), prereleases=True)
    vendor = {worlds.normalize(d["name"]) for d in entry["dists"] if d.get("vendor")}
    assert not vendor & {c["name"] for c in plan["changes"]}
    lock = {worlds.normalize(d["name"]): d["version"] for d in entry["dists"]}
    left = {n for n, v in lock.items() if n in dists and Version(dists[n]["version"]) != Version(v)}
    assert left == {lift["name"] for lift in plan["lifts"]}
    if lifted is not None:
        assert {n: to for n, (_, to) in judge.lifted(plan).items()} == lifted
        assert {c["name"]: c["to"] for c in plan["changes"] if c["action"] == "add"} == added


def test_version_that_never_was(plan_for):
    doc = plan_for("ngc-pytorch:25.04", "black==25.2.0").ok(3).json
    assert doc["status"] == "infeasible"
    assert any("25.1.0 and 25.9.0" in fact["sentence"] for fact in doc["reason"])
    assert ["plan", "black==25.9.0"] in [s["argv"][1:3] for s in doc["suggestions"]]
