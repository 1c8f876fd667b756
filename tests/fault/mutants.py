#!/usr/bin/env python3
"""What the protocol of transactions names, taken out one by one: every time the tests must notice.

    mutants.py [--list] [--every N] [NAME ...]

Each mutant is one change of one source file: it is compiled and linked with the rest of the build ($UNPIN_BUILD, else
build), and the test that is named has to fail, in the tally that is named. A text that is not in its source exactly once is a
failure too. --list prints the table of docs/reliability.md. Last line: "N passed, N failed".
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("UNPIN_BUILD") or os.path.join(ROOT, "build"))
T = "os/transaction"
LIMIT_S = 300


def torture(tally, scenario="upgrade", **more):
    """Caught by that tally of the torture program."""
    options = {"kills": 1 if "kills" in tally or "disks" in tally else 0, "doubles": 0, "errors": 20 if "errors" in tally else 0,
               "meddles": 1 if tally in ("meddling", "lies", "strangers") else 0, **more}
    return "tests/fault/torture", tally, [scenario, *(w for k, v in options.items() for w in ("--" + k, str(v)))]


UNIT = ("tests/unit/unit-apply", None, [])

# (name, what is taken out, file under src, text, replacement, what notices)
MUTANTS = [
    ("rename-commit", "the journal is renamed into place (here: copied)", T + "_journal.c",
     "    status = sys_rename(store->sys, temporary, path);\n",
     "    (void)sys_unlink(store->sys, path);\n"
     "    status = tree_file_write(store, path, bytes, 0600, true) ? 5 : sys_unlink(store->sys, temporary);\n", torture("kills")),
    ("rename-in-place", "new files are renamed over old ones (here: written into them)", T + "_apply.c",
     "    return sys_rename(store->sys, staged, step->path);\n",
     "    struct str bytes;\n    if (step->before.type != SYS_FILE) return sys_rename(store->sys, staged, step->path);\n"
     "    if (tree_file_read(store, staged, 1 << 20, &bytes) || file_overwrite(store, step->path, bytes)) return EIO;\n"
     "    return sys_unlink(store->sys, staged);\n", torture("kills")),
    ("intent", "the intent", T + "_prepare.c", '    return journal_write(store, "intent", buf_str(&buf), &named);\n',
     "    (void)named;\n    return NULL;\n", torture("kills")),
    ("intent-sides", "the directories on other mounts in the intent", T + "_prepare.c", "i = 1; journal && i < journal->sides_len",
     "i = 1; journal && i < 0", torture("kills", bin="OTHER")),
    ("intent-probes", "the probes in the intent", T + "_prepare.c", "journal && i < journal->touched_len", "journal && i < 0", torture("kills")),
    ("backup", "the backup", T + "_prepare.c", "    TRY(backup(store, journal));\n", "    (void)backup;\n", torture("errors")),
    ("ballast", "the reserve", T + "_prepare.c", "    TRY(ballast_make(store, journal));\n", "    (void)ballast_make;\n", torture("full disks")),
    ("ballast-back", "giving the reserve back to a full disk", T + "_apply.c", "    *spent = true;\n    ballast_remove(store, journal);\n",
     "    *spent = true;\n", torture("full disks")),
    ("ballast-end", "giving the reserve back to a full disk for the last rename", T + "_apply.c",
     "        ballast_remove(store, journal);\n        status = sys_rename(store->sys, from, done);\n", "", torture("full disks")),
    ("revalidation", "the look at every file right before the commit", T + ".c", "    TRY(prepare_revalidate(store, journal));\n", "", torture("meddling")),
    ("strangers", "the look at every file before recovery", T + ".c",
     "    if (way == TRANSACTION_AUTO) TRY(transaction_strangers(store, &journal, &strangers));\n", "    (void)way;\n", torture("strangers")),
    ("metadata-first", "an old METADATA goes first", T + "_steps.c", "flags & TRANSACTION_MARK ? PHASE_UNMARK : PHASE_REMOVE", "PHASE_REMOVE", torture("kills")),
    ("metadata-away", "a METADATA that is replaced goes first", T + "_apply.c", "if (!unmarked && step->phase > PHASE_EDIT)",
     "if (!unmarked && step->phase > PHASE_RMDIR)", torture("kills", "reinstall")),
    ("metadata-last", "a new METADATA comes last", T + "_steps.c", "if (op->flags & TRANSACTION_MARK) phase = PHASE_MARK;\n    else if", "if", torture("kills")),
    ("metadata-back", "going back, too, the METADATA goes first", T + "_rollback.c", "if (pass == 0) status = mark_away(store, journal, step);",
     "if (pass == 0) (void)mark_away;", torture("kills going back", "reinstall", kills=0, doubles=40)),
    ("bytecode", "byte code goes before new files come", T + "_steps.c", "else if (flags & ANY_STATE) phase = PHASE_DERIVED;",
     "else if (flags & ANY_STATE) phase = PHASE_REMOVE;", torture("kills")),
    ("redo", "a step whose staged file is gone is done", T + "_apply.c", "    if (!exists(store, staged, &status, NULL)) return status;\n    return sys_rename",
     "    status = 0;\n    return sys_rename", torture("kills")),
    ("rollback", "going back after an error", T + ".c", "    struct err *failed = err ? go_back(store, journal) : NULL;\n",
     "    struct err *failed = NULL;\n", torture("errors")),
    ("rollback-owner", "a directory that comes back gets its owner, however often", T + "_rollback.c",
     "bool same = st.type == SYS_DIR && st.mode", "bool same = st.type == SYS_DIR || st.mode", torture("kills going back", kills=0, doubles=3)),
    ("sync-stage", "what is staged is durable before the commit", T + "_prepare.c", "    return sides_sync(store, journal);\n", "    return NULL;\n",
     torture("orders of syncs")),
    ("sync-journal", "the journal's bytes are durable before its name", T + "_journal.c", "tree_file_write(store, temporary, bytes, 0600, true)",
     "tree_file_write(store, temporary, bytes, 0600, false)", torture("orders of syncs")),
    ("sync-commit", "the journal's name is durable before files change", T + "_journal.c", "    status = sys_fsync_path(store->sys, store->dir);\n", "",
     torture("orders of syncs")),
    ("sync-live", "changed files are durable before the end", T + "_apply.c", "    TRY(live_sync(store, journal));\n", "", torture("orders of syncs")),
    ("sync-done", "the end is durable before success is told", T + "_apply.c",
     "    status = sys_fsync_path(store->sys, store->dir);\n    if (status == 0) status = sys_fsync_path(store->sys, journal->sides[0].dir);\n", "",
     torture("orders of syncs")),
    ("power-stage", "as sync-stage, on a disk", T + "_prepare.c", "    return sides_sync(store, journal);\n", "    return NULL;\n", ("power", None, [])),
    ("power-none", "all syncs, on a disk", "os/sys.c",
     ("    if (status == 0) REPEAT(status, fsync(fd));\n", "        REPEAT(status, fsync(fd));\n", "        REPEAT(status, syncfs(fd));\n"),
     ("", "", ""), ("power", None, [])),
    ("check-live", "the look at every file before the end", T + "_apply.c", "    TRY(finish_check(store, journal, warnings));\n", "    (void)finish_check;\n",
     torture("lies")),
    ("check-record", "the comparison with RECORD after the commit", "stage/apply.c", "    TRY(verify_records(run, &now));\n", "    (void)verify_records;\n", UNIT),
    ("check-hash", "its hashes", "stage/integrity.c", '    if (!same) add_damage(finding, dist, looked->path, S("hash"));\n', "    (void)same;\n", UNIT),
    ("check-import", "the imports after the commit", "stage/apply.c", "    return verify_imports(run, &now);\n", "    (void)verify_imports;\n    return NULL;\n", UNIT),
    ("kept-time", "a kept file that was written to since is hashed again", "os/depot.c", " && note->mtime_ns == st->mtime_ns;\n", ";\n",
     ("tests/unit/unit-depot", None, [])),
    ("check-changed", "the look whether the environment is the planned one", "stage/apply.c",
     "    if (environment_is_still(&now, run->plan->env)) return NULL;\n", "    if (run->plan->env) return NULL;\n", UNIT),
]


def commands(target):
    done = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", target], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("ninja:")]


def edited(mutant):
    """The text of the file with the change, or None."""
    with open(os.path.join(ROOT, "src", mutant[2])) as f:
        text = f.read()
    old, new = ((m,) if isinstance(m, str) else m for m in mutant[3:5])
    for a, b in zip(old, new):
        if text.count(a) != 1:
            return None
        text = text.replace(a, b)
    return text


def build(mutant, folder):
    """The test program with the change in it."""
    target = "tests/fault/torture" if mutant[5][0] == "power" else mutant[5][0]
    lines = commands(target)
    source, program, obj = (os.path.join(folder, n) for n in ("mutant.c", "program", "mutant.o"))
    with open(source, "w") as f:
        f.write(edited(mutant))
    path = os.path.join("src", mutant[2])
    compile_ = next(shlex.split(line) for line in lines if line.endswith(path))
    keep = [w for i, w in enumerate(compile_) if w not in ("-MD", "-MQ", "-MF", "-o") and compile_[i - 1] not in ("-MQ", "-MF", "-o")]
    # Warnings are the compiler's opinion of what was taken out.
    subprocess.run([*keep[:-1], "-w", "-O1", source, "-o", obj], cwd=BUILD, check=True)
    link = shlex.split(lines[-1])
    at = link.index("-o")
    subprocess.run([*link[:at], "-o", program, obj, *link[at + 2:]], cwd=BUILD, check=True)
    return program


def noticed(mutant, program, folder):
    """(noticed, what was said)"""
    kind, tally, words = mutant[5]
    tree = os.path.join(folder, "tree")
    env = dict(os.environ)
    if kind == "power":
        argv = [sys.executable, os.path.join(HERE, "power.py"), "--subsets", "1", "upgrade"]
        env["UNPIN_TORTURE"] = program
    elif kind == "tests/fault/torture":
        os.makedirs(tree)
        with tempfile.TemporaryDirectory(prefix="unpin-other-", dir="/tmp") as other:
            argv = [program, tree, "--scenario", *(os.path.join(other, "bin") if w == "OTHER" else w for w in words)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S)
        found = re.search(rf"^  {tally} +\d+ points, (\d+) bad$", done.stdout, re.M)
        # One that is so wrong that no run succeeds is noticed too.
        return bool(found and int(found[1])) or (not found and done.returncode == 1), done.stdout + done.stderr
    else:
        argv = [program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, env=env)
    return (None if ", 1 skipped" in done.stdout else done.returncode == 1 or "[  FAILED  ]" in done.stderr), done.stdout + done.stderr


def tried(mutant):
    """(name, True, False or None for skipped, what was said)"""
    name = mutant[0]
    if edited(mutant) is None:
        return name, False, f"its text is not once in src/{mutant[2]}"
    with tempfile.TemporaryDirectory(prefix="unpin-mutant-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        try:
            return name, *noticed(mutant, build(mutant, folder), folder)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
            return name, False, str(e)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [m for i, m in enumerate(MUTANTS) if (m[0] in options.names if options.names else i % options.every == 0)]
    if options.list:
        for name, what, _, _, _, (program, tally, words) in chosen:
            print(f"| {name} | {what} | {'power.py' if program == 'power' else os.path.basename(program)}{': ' + tally if tally else ''} |")
        return 0
    passed = failed = skipped = 0
    # That the texts are there costs nothing: all are looked at, whichever are tried.
    for mutant in MUTANTS:
        if mutant not in chosen and edited(mutant) is None:
            failed += 1
            print(f"BAD {mutant[0]}: its text is not once in src/{mutant[2]}")
    for name, ok, said in map(tried, chosen):
        passed, failed, skipped = passed + (ok is True), failed + (ok is False), skipped + (ok is None)
        print(f"{name}: " + {True: "noticed", False: "NOT NOTICED", None: "skipped"}[ok] + ("\n" + said if ok is False else ""), flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
