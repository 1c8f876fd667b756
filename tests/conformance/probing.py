"""Questions for the probe, and the comparison of its answers with others."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def probe_path():
    if path := os.environ.get("UNPIN_PROBE"):
        return path
    for build in (os.environ.get("UNPIN_BUILD_SAN"), ROOT / "build-san", ROOT / "build"):
        path = pathlib.Path(build or "/nowhere") / "tests" / "conformance" / "probe"
        if path.exists():
            return str(path)
    pytest.exit("no probe: build first, or name it in UNPIN_PROBE", returncode=2)


def encode(field):
    data = field if isinstance(field, bytes) else field.encode("utf-8", "surrogateescape")
    return b"".join(b"%%%02X" % c if c <= 0x20 or c in (0x7F, 0x25) else bytes([c]) for c in data)


def decode(field):
    parts = field.split(b"%")
    data = parts[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts[1:])
    return data.decode("utf-8", "surrogateescape")


def put(questions):
    text = b"".join(b"\t".join(encode(field) for field in question) + b"\n" for question in questions)
    run = subprocess.run([probe_path()], input=text, capture_output=True, timeout=50)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    answers = [[decode(field) for field in line.split(b"\t")] for line in run.stdout.split(b"\n")[:-1]]
    assert len(answers) == len(questions)
    return answers


def lines(name):
    """The lines of a file of real data; those that begin with `# ` say where they come from."""
    path = pathlib.Path(__file__).parent / "data" / name
    return [line for line in path.read_text().splitlines() if line and not line.startswith("# ")]


def same(questions, ours, theirs, limit=20):
    """Fails with the first differences."""
    wrong = [(q, a, b) for q, a, b in zip(questions, ours, theirs, strict=True) if a != b]
    text = "\n".join(f"  {q}\n    ours   {a}\n    theirs {b}" for q, a, b in wrong[:limit])
    assert not wrong, f"{len(wrong)} of {len(questions)} differ\n{text}"
