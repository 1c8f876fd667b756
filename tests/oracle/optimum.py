"""The optimum of a case, found in another way: one boolean for each release, MaxSAT, the semantics of `packaging`.

    optimum.py FILE.case …     prints the cost of each level that is modelled

Modelled are below-floor-or-lax, allowances, lifts, changes and downgrades, in this order. What is left out (who may name a
pre-release) only makes more plans possible or cheaper: the costs are lower bounds, and a plan that reaches them is optimal
in these levels. Where it finds no plan there is none. The code shares nothing with the solver in C.
"""
import datetime
import re
import sys

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pysat.card import CardEnc, EncType
from pysat.examples.rc2 import RC2
from pysat.formula import IDPool, WCNF

SUPPORT_DEPTH = 12  # steps from what is there, or was asked for, to what excuses a release below its floor
FLOOR_GRACE_DAYS = 90  # what was overtaken so short a time before the image is not stale
LEVELS = ("below-floor-or-lax", "allowances", "lifts", "changes", "downgrades")
UNKNOWN = "?"


def logical_lines(text):
    """The lines of a case, with continuations joined."""
    lines = []
    for line in text.splitlines():
        if line[:1] == " " and line.strip().startswith("& ") and lines:
            joint = " " if lines[-1].rstrip().endswith(":") else " & "
            lines[-1] += joint + line.strip()[2:]
        elif line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
    return lines


def full(date):
    return date if "T" in date else date + "T00:00:00"


def requirements(text):
    return [Requirement(part.strip()) for part in text.split(" & ") if part.strip()]


class Release:
    def __init__(self, version, flags, requires):
        self.version, self.flags, self.requires, self.installed = version, set(flags), requires, False
        self.date = next((f for f in flags if re.match(r"\d{4}-\d\d-\d\d", f)), None)


class Case:
    def __init__(self, text):
        self.python, self.machine, self.date, self.implied = "3.12.3", "x86_64", None, False
        self.lock_all, self.lock_except = False, set()
        self.installed, self.pages, self.locks, self.requests, self.constraints = {}, {}, [], [], []
        self.advisories, self.options, self.expect = [], {}, None
        part = ""
        for line in logical_lines(text):
            if line[0] != " ":
                part, rest = re.match(r"([a-z]+):?\s*(.*)", line).groups()
                self.top(part, rest.strip())
            else:
                self.entry(part, line.strip())
        self.options.setdefault("flags", set())
        for name, (_, release) in self.installed.items():
            if self.lock_all and name not in self.lock_except:
                self.locks.append(Requirement(f"{name}=={release.version}"))
        if not self.date:
            self.date = max((r.date for n, (_, mine) in self.installed.items() for r in self.pages.get(n, ())
                             if r != UNKNOWN and r.date and r.version == mine.version), default=None)

    def top(self, part, rest):
        if part == "python":
            self.python = rest
        elif part == "machine":
            self.machine = rest
        elif part == "date":
            self.date = rest
        elif part == "lock":
            self.implied = rest == "implied"
            self.lock_all, self.lock_except = rest.startswith("all"), set(rest.replace(",", " ").split()[2:])
        elif part == "request":
            self.requests += requirements(rest)
        elif part == "constraint":
            self.constraints += requirements(rest)
        elif part == "advisory":
            head, _, when = rest.partition(": ")
            self.advisories.append((head.split(), requirements(when)))
        elif part == "options":
            words = rest.split()
            for at, word in enumerate(words):
                if not word.startswith("-"):
                    self.options.setdefault(words[at - 1], set()).add(word)
                elif at + 1 == len(words) or words[at + 1].startswith("-"):
                    self.options.setdefault("flags", set()).add(word)
        elif part == "expect":
            self.expect = rest

    def entry(self, part, line):
        head, _, requires = re.sub(r" :$", " : ", line).partition(" : ")
        words = head.split()
        if part == "installed":
            name = canonicalize_name(words[0])
            release = Release(Version(words[1]), words[2:], requirements(requires))
            release.installed = True
            site = int(next((f[5:] for f in words if f.startswith("site=")), 0))
            if name not in self.installed or site < self.installed[name][0]:
                self.installed[name] = (site, release)
        elif part == "lock":
            self.locks += requirements(line)
        elif part == "index":
            name = canonicalize_name(words[0])
            if words[1:] == [UNKNOWN]:
                self.pages[name] = UNKNOWN
                return
            page, versions = self.pages.setdefault(name, []), words[1:]
            end = next((i for i, w in enumerate(versions) if not w.endswith(",")), len(versions) - 1) + 1
            page += [Release(Version(v.rstrip(",")), versions[end:], requirements(requires)) for v in versions[:end]]

    def environment(self):
        short = ".".join(self.python.split(".")[:2])
        return {**default_environment(), "os_name": "posix", "sys_platform": "linux", "platform_machine": self.machine,
                "platform_python_implementation": "CPython", "platform_release": "6.1.0", "platform_system": "Linux",
                "platform_version": "#1 SMP", "python_version": short, "python_full_version": self.python,
                "implementation_name": "cpython", "implementation_version": self.python}


def holds(requirement, version):
    return requirement.specifier.contains(version, prereleases=True)


def allows(requirement, version):
    """A held pre-release may count as its release, never for an equality."""
    if not version.is_prerelease or any(s.operator in ("==", "===") for s in requirement.specifier):
        return False
    return not holds(requirement, version) and holds(requirement, Version(version.base_version))


def is_upper(requirement):
    return any(s.operator in ("<", "<=", "==", "~=", "===") for s in requirement.specifier)


class Problem:
    def __init__(self, case):
        self.case, self.env, self.pool, self.wcnf = case, case.environment(), IDPool(), WCNF()
        self.soft = {level: set() for level in LEVELS}
        self.candidates, self.met, self.done, self.todo = {}, {}, set(), []
        self.asked_before = self.extras_before()
        self.mentions = {(canonicalize_name(r.name), Version(s.version)) for r in self.all_requirements()
                         for s in r.specifier if s.operator == "==" and not s.version.endswith(".*")}
        for name in case.installed:
            self.project(name)
        self.add_constraints()
        for request in case.requests:
            if self.active(request):
                self.wcnf.append([self.requirement(request)])
                name = canonicalize_name(request.name)
                for other in self.project(name):
                    if self.by_allowance(name, request, other):
                        self.wcnf.append([-self.variable(name, other), self.cost("allowances", "", str(request))])
        while self.todo:
            self.rules(*self.todo.pop())
        self.add_advisories()
        self.add_lacking()
        if "--stale" not in case.options["flags"]:
            self.add_lax()
            self.add_floors()

    def all_requirements(self):
        for _, release in self.case.installed.values():
            yield from release.requires
        for page in self.case.pages.values():
            for release in page if page != UNKNOWN else ():
                yield from release.requires
        yield from self.case.locks

    def active(self, requirement, extra=""):
        return requirement.marker is None or requirement.marker.evaluate({**self.env, "extra": extra})

    def only_extra(self, requirement):
        """The extras under which it is active, where it is not without."""
        if requirement.marker is None or self.active(requirement):
            return []
        found = re.findall(r"extra\s*==\s*[\"']([^\"']+)", str(requirement.marker))
        return sorted({canonicalize_name(e) for e in found if self.active(requirement, e)})

    def extras_before(self):
        asked, todo = set(), [(release, "") for _, release in self.case.installed.values()]
        while todo:
            release, extra = todo.pop()
            for requirement in release.requires:
                if not (extra in self.only_extra(requirement) if extra else self.active(requirement)):
                    continue
                for name in requirement.extras:
                    key = (canonicalize_name(requirement.name), canonicalize_name(name))
                    if key not in asked and key[0] in self.case.installed:
                        asked.add(key)
                        todo.append((self.case.installed[key[0]][1], key[1]))
        return asked

    def options(self, name):
        """The releases that may be chosen, ascending."""
        mine = self.case.installed.get(name, (0, None))[1]
        page = self.case.pages.get(name, [])
        flags, named = self.case.options["flags"], [r for r in self.case.requests if canonicalize_name(r.name) == name]
        page = [] if page == UNKNOWN else page
        usable = [r for r in page if not r.flags & {"other-platform", "other-python", "quarantined", "unreadable"}  # "other-python" takes --build
                  and all(SpecifierSet(f.split("python", 1)[1]).contains(self.case.python) for f in r.flags if re.match(r"(hidden-)?python\W", f))
                  and not any(r.date and r.date > d for d in self.case.options.get("--exclude-newer", ()))]
        pins = {s.version for r in named for s in r.specifier if s.operator == "=="}
        usable = [r for r in usable if "yanked" not in r.flags or str(r.version) in pins]
        pre = "--pre" in flags or all(r.version.is_prerelease for r in usable) or any(r.specifier.prereleases for r in named)
        usable = [r for r in usable if pre or not r.version.is_prerelease or (name, r.version) in self.mentions]
        wheels = [r for r in usable if "sdist" not in r.flags and all(holds(n, r.version) for n in named)]
        if "--only-binary" in flags or (mine and wheels and "--builds" not in flags):
            usable = [r for r in usable if "sdist" not in r.flags]
        usable = [r for r in usable if not mine or r.version != mine.version] + ([mine] if mine else [])
        return sorted(usable, key=lambda r: r.version)

    def held(self, name):
        if name in self.case.options.get("--keep", ()):
            return True
        release = self.case.installed.get(name, (0, None))[1]
        page = self.case.pages.get(name, [])
        gone = "off-index" in release.flags and page != UNKNOWN and all(r.version != release.version for r in page) if release else False
        return bool(release and ("vendor" in release.flags or gone) and name not in self.case.options.get("--replace", ()))

    def variable(self, name, release):
        return self.pool.id(("release", name, str(release.version) if release != UNKNOWN else UNKNOWN))

    def cost(self, level, *key):
        literal = self.pool.id((level, *key))
        self.soft[level].add(literal)
        return literal

    def project(self, name):
        """The variables of a project, made where they are new."""
        if name in self.candidates:
            return self.candidates[name]
        options = self.options(name)
        if self.case.pages.get(name) == UNKNOWN:
            options = [*options, UNKNOWN]
        self.candidates[name] = options
        literals = [self.variable(name, r) for r in options]
        if len(literals) > 1:
            amo = CardEnc.atmost(literals, 1, vpool=self.pool, encoding=EncType.seqcounter if len(literals) > 4 else EncType.pairwise)
            self.wcnf.extend(amo.clauses)
        if name in self.case.options.get("--remove", ()):
            self.wcnf.extend([-literal] for literal in literals)
        elif name in self.case.installed:
            self.wcnf.append(literals)
        for constraint in self.case.constraints:
            for r in options:
                if canonicalize_name(constraint.name) == name and r != UNKNOWN and not r.installed and not holds(constraint, r.version):
                    self.wcnf.append([-self.variable(name, r)])
        self.add_costs(name, options)
        self.todo += [(name, r) for r in options if r != UNKNOWN]
        return options

    def add_constraints(self):
        """What is installed is bound only where it is asked for as well."""
        asked = {canonicalize_name(r.name) for r in self.case.requests if self.active(r)}
        for constraint in self.case.constraints:
            name = canonicalize_name(constraint.name)
            for r in self.candidates.get(name, ()):
                if name in asked and r != UNKNOWN and r.installed and not holds(constraint, r.version):
                    self.wcnf.append([-self.variable(name, r)])

    def add_costs(self, name, options):
        mine = self.case.installed.get(name, (0, None))[1]
        locks = [l for l in self.case.locks if canonicalize_name(l.name) == name and self.active(l)]
        frozen = "--no-lifts" in self.case.options["flags"] or name in self.case.options.get("--no-lift", ())
        for release in options:
            literal = -self.variable(name, release)
            if release == UNKNOWN or not release.installed:
                if mine and self.held(name):
                    self.wcnf.append([literal])
                if mine:
                    self.wcnf.append([literal, self.cost("changes", name)])
                broken = mine and self.case.implied or any(l.url or (mine if release == UNKNOWN else not holds(l, release.version)) for l in locks)
                if broken:
                    self.wcnf.append([literal] if frozen else [literal, self.cost("lifts", name)])
            if release != UNKNOWN and mine and release.version < mine.version:
                self.wcnf.append([literal, self.cost("downgrades", name)])

    def requirement(self, requirement):
        """A literal that implies that the requirement is met."""
        key = str(requirement)
        if key in self.met:
            return self.met[key]
        literal = self.met[key] = self.pool.id(("met", key))
        name = canonicalize_name(requirement.name)
        good = [r for r in self.project(name) if r == UNKNOWN or holds(requirement, r.version) or self.by_allowance(name, requirement, r)]
        self.wcnf.append([-literal, *(self.variable(name, r) for r in good)])
        for extra in requirement.extras:
            self.wcnf.append([-literal, self.pool.id(("extra", name, canonicalize_name(extra)))])
        return literal

    def by_allowance(self, name, requirement, release):
        return (release != UNKNOWN and release.installed and self.held(name) and "--no-allowances" not in self.case.options["flags"]
                and allows(requirement, release.version))

    def broken_before(self, requirement):
        release = self.case.installed.get(canonicalize_name(requirement.name), (0, None))[1]
        if not release:
            return True
        allowed = "vendor" in release.flags and allows(requirement, release.version)
        return not (holds(requirement, release.version) or allowed)

    def rules(self, name, release):
        if release.flags & {"unrecorded", "no-metadata"}:
            return
        chosen = self.variable(name, release)
        for requirement in release.requires:
            for extra in [""] if self.active(requirement) else self.only_extra(requirement):
                condition = [-chosen] + ([-self.pool.id(("extra", name, extra))] if extra else [])
                before = release.installed and (not extra or (name, extra) in self.asked_before)
                if before and self.broken_before(requirement):
                    continue
                self.wcnf.append([*condition, self.requirement(requirement)])
                target = canonicalize_name(requirement.name)
                for other in self.project(target):
                    if not before and self.by_allowance(target, requirement, other):
                        self.wcnf.append([*condition, -self.variable(target, other), self.cost("allowances", name, str(requirement))])

    def add_lacking(self):
        """Releases of what was asked for that do not have the extra yet, though the newest that is allowed has it."""
        for request in self.case.requests:
            name = canonicalize_name(request.name)
            named = [r for r in self.case.requests + self.case.constraints if canonicalize_name(r.name) == name]
            options = [r for r in self.project(name) if r != UNKNOWN]
            allowed = [r for r in options if all(holds(n, r.version) for n in named)]
            for extra in map(canonicalize_name, request.extras):
                having = [r for r in options if any(extra in self.only_extra(q) for q in r.requires)]
                if not allowed or allowed[-1] not in having:
                    continue
                for release in options:
                    if release not in having and release.version < allowed[-1].version and "no-metadata" not in release.flags:
                        self.wcnf.append([-self.variable(name, release), self.cost(LEVELS[0], "extra", name, extra)])

    def floor(self, name):
        """The newest final release on or before the image's date less the grace; None where dates lack."""
        page = [r for r in self.candidates[name] if r != UNKNOWN]
        if not self.case.date or any(r.date is None for r in page if not r.installed):
            return None
        date = (datetime.datetime.fromisoformat(self.case.date) - datetime.timedelta(days=FLOOR_GRACE_DAYS)).isoformat()
        fit = [r for r in page if not r.version.is_prerelease and r.date and full(r.date) <= date and "yanked" not in r.flags]
        locks = [l for l in self.case.locks if canonicalize_name(l.name) == name]
        pins = [Version(s.version) for l in locks for s in l.specifier if s.operator == "=="]
        fit = [r for r in fit if all(r.version <= pin for pin in pins)]
        if not pins:
            fit = [r for r in fit if all(holds(l, r.version) for l in locks)] or fit
        return fit[-1] if fit else None

    def bounds(self, release, target):
        return [r for r in release.requires if canonicalize_name(r.name) == target and self.active(r) and is_upper(r)]

    def above(self, bound, target):
        """The releases above all that the bound allows."""
        options = [r for r in self.candidates[target] if r != UNKNOWN]
        good = [i for i, r in enumerate(options) if holds(bound, r.version)]
        return options[good[-1] + 1:] if good else []

    def add_lax(self):
        """An older release that merely does not state the bound of the installed one, where the result leaves it."""
        references = {name: self.case.installed[name][1] if name in self.case.installed else self.floor(name) for name in self.candidates}
        given = {canonicalize_name(r.name) for r in self.case.requests + self.case.constraints if r.specifier or r.url}
        asked = {canonicalize_name(r.name) for r in self.case.requests if self.active(r)}
        away = {canonicalize_name(r.name) for r in self.case.requests + self.case.constraints if self.active(r) and canonicalize_name(r.name) in self.case.installed
                and not holds(r, self.case.installed[canonicalize_name(r.name)][1].version)} & asked
        for name, mine in references.items():
            if mine is None or not mine.installed and name in given:
                continue
            older = [r for r in self.candidates[name] if r != UNKNOWN and r.version < mine.version and "unrecorded" not in r.flags]
            for target in {canonicalize_name(r.name) for r in mine.requires} & self.candidates.keys():
                was = self.case.installed.get(target, (0, None))[1] if mine.installed else None
                for bound in self.bounds(mine, target):
                    above = self.above(bound, target)
                    if not above or was in above or target == name:
                        continue
                    for release in older:
                        if self.bounds(release, target):
                            continue
                        refused = mine.installed and name not in away
                        for other in above:
                            pair = [-self.variable(name, release), -self.variable(target, other)]
                            # What is added counts once, however many bounds it lacks and however old it is.
                            self.wcnf.append(pair if refused else [*pair, self.cost(LEVELS[0], name, *([target] if mine.installed else []))])

    def add_floors(self):
        """A release below its floor that nothing in the result keeps there."""
        stated, asked = {}, {}
        for request in self.case.requests:
            asked.setdefault(canonicalize_name(request.name), []).extend(map(canonicalize_name, request.extras))
        for name, options in self.candidates.items():
            for release in options:
                for requirement in release.requires if release != UNKNOWN else ():
                    if any(self.active(requirement, extra) for extra in ["", *asked.get(name, ())]):
                        stated.setdefault(canonicalize_name(requirement.name), []).append((name, release, requirement))
        given = {canonicalize_name(r.name) for r in self.case.requests + self.case.constraints if r.specifier or r.url}
        for name, options in self.candidates.items():
            floor = None if name in self.case.installed or name in given else self.floor(name)
            if not floor:
                continue
            current = [r for r in options if r != UNKNOWN and r.version >= floor.version and not r.version.is_prerelease]
            excuses = [self.excuse(owner, r, requirement, stated) for owner, r, requirement in stated.get(name, ())
                       if owner != name and not any(holds(requirement, c.version) for c in current)]
            excuses = [e for e in excuses if e]
            for release in options:
                if release != UNKNOWN and release.version < floor.version:
                    self.wcnf.append([-self.variable(name, release), *excuses, self.cost(LEVELS[0], name)])

    def excuse(self, owner, release, requirement, stated):
        """A literal that may be true where the release is in the result for a reason and is no museum piece itself, or pins; 0: never."""
        floor = None if owner in self.case.installed else self.floor(owner)
        pins = any(s.operator == "===" or (s.operator == "==" and not s.version.endswith(".*")) for s in requirement.specifier)
        if floor and release.version < floor.version and not pins:
            return 0
        literal = self.pool.id(("excuse", owner, str(release.version)))
        self.wcnf.append([-literal, self.variable(owner, release)])
        self.wcnf.append([-literal, self.support(owner, SUPPORT_DEPTH, stated)])
        return literal

    def support(self, name, depth, stated):
        """A literal that is true only where the project is in the result for a reason: it stays as it is, was asked for, or is
        required, in so many steps at most, by one that is."""
        literal = self.pool.id(("support", name, depth))
        if ("support", name, depth) in self.done:
            return literal
        self.done.add(("support", name, depth))
        reasons = []
        if name in {canonicalize_name(r.name) for r in self.case.requests if self.active(r)}:
            return literal
        if name in self.case.installed:
            reasons.append(self.variable(name, self.case.installed[name][1]))
        elif depth:
            for owner, release, requirement in stated.get(name, ()):
                if release.installed and self.broken_before(requirement):
                    continue
                reason = self.pool.id(("required", name, depth, owner, str(release.version)))
                self.wcnf.append([-reason, self.variable(owner, release)])
                self.wcnf.append([-reason, self.support(owner, depth - 1, stated)])
                reasons.append(reason)
        self.wcnf.append([-literal, *reasons])
        return literal

    def moved(self, name):
        """The variables of the releases that an installed project may move to."""
        return [self.variable(name, r) for r in self.candidates.get(name, ()) if r == UNKNOWN or not r.installed]

    def add_advisories(self):
        for head, when in self.case.advisories:
            if head[1] in ("info", "warn") or head[0] in self.case.options.get("--ignore-advisory", ()):
                continue
            parts = []
            for part in when:
                name = canonicalize_name(part.name)
                literal = self.pool.id(("when", str(part)))
                for r in self.candidates.get(name, ()):
                    if r != UNKNOWN and holds(part, r.version):
                        self.wcnf.append([-self.variable(name, r), literal])
                parts.append((literal, name in self.case.installed and holds(part, self.case.installed[name][1].version)))
            combination = [-literal for literal, _ in parts]
            if "on-change" in head:
                for changed in map(canonicalize_name, head[head.index("on-change") + 1:]):
                    others = {canonicalize_name(p.name) for p in when} - {changed}
                    along = [v for o in others if o in self.case.installed for v in self.moved(o)]
                    for literal in self.moved(changed) if changed in self.case.installed else ():
                        self.wcnf.append([-literal, *along, *combination])
            elif not all(before for _, before in parts):
                self.wcnf.append(combination)

    def optimum(self):
        """Costs of the levels, each proven before the next; None where there is no plan."""
        costs = {}
        hard = list(self.wcnf.hard)
        for level in LEVELS:
            literals = sorted(self.soft[level])
            formula = WCNF()
            formula.extend(hard)
            for literal in literals:
                formula.append([-literal], weight=1)
            with RC2(formula) as solver:
                if solver.compute() is None:
                    return None
                costs[level] = solver.cost
            if literals and costs[level] == 0:
                hard += [[-literal] for literal in literals]
            elif literals and costs[level] < len(literals):
                hard += CardEnc.atmost(literals, costs[level], vpool=self.pool, encoding=EncType.seqcounter).clauses
        return costs


def optimum(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = Problem(Case(text)).optimum()
    if found is None and not re.search(r"^options:.*(--only-binary|--builds)", text, re.M):
        case = Case(text)
        case.options["flags"].add("--builds")  # the last resort
        found = Problem(case).optimum()
    return found


if __name__ == "__main__":
    for file in sys.argv[1:]:
        print(file, optimum(file))
