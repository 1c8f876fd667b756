"""A second opinion on plans, by the `packaging` library: what a plan leads to, and what it breaks."""
import email.parser
import functools
import os
import re
import zipfile

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import world as worlds


def metadata_parse(text):
    head = email.parser.HeaderParser().parsestr(text)
    return {"name": worlds.normalize(head["Name"]), "version": head["Version"], "python": head["Requires-Python"],
            "requires": [Requirement(r) for r in head.get_all("Requires-Dist") or []]}


@functools.lru_cache(None)
def wheel_metadata(path):
    with zipfile.ZipFile(path) as z:
        member = next(n for n in z.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        return metadata_parse(z.read(member).decode())


def installed_metadata(site):
    found = {}
    for name in os.listdir(site):
        path = os.path.join(site, name, "METADATA")
        if name.endswith(".dist-info") and os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                dist = metadata_parse(f.read())
            found[dist["name"]] = dist
    return found


def breaks(dists, requests, version):
    """{(name, requirement)} of active requirements that `dists` do not meet; extras count where somebody asks for them."""
    python = "%d.%d" % version
    markers = {**default_environment(), "python_version": python, "python_full_version": python + ".99"}
    extras, bad, todo = {name: set() for name in dists}, set(), list(dists)
    for r in requests:
        extras.get(worlds.normalize(r.name), set()).update(r.extras)
    while todo:
        name = todo.pop()
        for r in dists[name]["requires"]:
            if r.marker and not any(r.marker.evaluate({**markers, "extra": e}) for e in ["", *extras[name]]):
                continue
            needed = worlds.normalize(r.name)
            if needed not in dists or not r.specifier.contains(Version(dists[needed]["version"]), prereleases=True):
                bad.add((name, str(r)))
            elif r.extras - extras[needed]:
                extras[needed] |= r.extras
                todo.append(needed)
    for name, dist in dists.items():
        if dist["python"] and python not in SpecifierSet(dist["python"]):
            bad.add((name, "Requires-Python"))
    return bad


def result_of(env, plan):
    """The distributions that the plan leads to, with the metadata of the very files it names."""
    dists = installed_metadata(env.site)
    for change in plan["changes"]:
        name = change["name"]
        if change["action"] == "remove":
            del dists[name]
            continue
        assert dists.get(name, {}).get("version") == change.get("from") or name not in dists, change
        filename = change["artifact"]["filename"]
        folder = next(d for d in (env.world.wheels, env.world.stubs, env.folder) if os.path.exists(os.path.join(d, filename)))
        dists[name] = wheel_metadata(os.path.join(folder, filename))
        assert Version(dists[name]["version"]) == Version(change["to"]), change
    return dists


def assert_sound(env, plan, requests):
    """The plan meets `requests`, breaks nothing that holds but what it declares as an allowance, and keeps vendor builds."""
    requests = [Requirement(r) for r in requests]
    before = breaks(installed_metadata(env.site), [], env.world.version)
    dists = result_of(env, plan)
    after = breaks(dists, requests, env.world.version)
    allowed = {a["for"].split(": ", 1)[1] for a in plan["allowances"]}
    new = {b for b in after - before if not any(Requirement(b[1]) == Requirement(a) for a in allowed)}
    assert not new, f"new breaks: {sorted(new)}"
    for r in requests:
        dist = dists.get(worlds.normalize(r.name))
        assert dist and r.specifier.contains(Version(dist["version"]), prereleases=True), f"{r} is not met"
    held = {worlds.normalize(n) for n, _, _, on_index in worlds.INSTALLED_STUBS if not on_index}
    assert not held & {c["name"] for c in plan["changes"]}, "a vendor build changes"
    assert plan["breaks"]["new"] == []


def lifted(plan):
    """{name: (from, to)} of the lifted locks."""
    return {lift["name"]: (lift["from"], lift["to"]) for lift in plan["lifts"]}


def changed(plan):
    """{name: (action, to)} of the changes."""
    return {c["name"]: (c["action"], c.get("to") or None) for c in plan["changes"]}
