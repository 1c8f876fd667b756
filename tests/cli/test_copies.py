"""The copies that tests take turns with are as the original after whatever a test did."""
import os

import pytest

import world as worlds
from copies import Copies


@pytest.fixture
def copies(tmp_path):
    original = tmp_path / "original"
    for path in ("bin/run", "lib/a/one.py", "lib/a/two.py", "lib/b/c/three.py", "lib/link"):
        (original / path).parent.mkdir(parents=True, exist_ok=True)
        if path == "lib/link":
            (original / path).symlink_to("a/one.py")
        else:
            (original / path).write_text(path)
    (original / "bin" / "run").chmod(0o755)
    os.utime(original / "lib" / "a", ns=(10**18, 10**18))
    (tmp_path / "copies").mkdir()
    return Copies(str(original), tmp_path / "copies")


def in_place(env):
    """Same size, and the time put back."""
    path = env / "lib/a/one.py"
    before = path.stat()
    path.write_text("LIB/A/ONE.PY")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


DEEDS = {
    "nothing": lambda env: None,
    "in place": in_place,
    "replaced": lambda env: (env / "lib/a/one.py").rename(env / "lib/a/two.py"),
    "mode": lambda env: (env / "bin/run").chmod(0o600),
    "mode of a folder": lambda env: (env / "lib/a").chmod(0o700),
    "attribute": lambda env: os.setxattr(env / "bin/run", "user.x", b"1"),
    "attribute of a folder": lambda env: os.setxattr(env / "lib/b", "user.x", b"1"),
    "second name": lambda env: os.link(env / "bin/run", env / "bin/walk"),
    "link": lambda env: ((env / "lib/link").unlink(), (env / "lib/link").symlink_to("a/two.py")),
    "link to a folder": lambda env: ((env / "lib/a").rename(env / "lib/d"), (env / "lib/a").symlink_to("d")),
    "folder for a file": lambda env: ((env / "bin/run").unlink(), (env / "bin/run/x").mkdir(parents=True)),
    "file for a folder": lambda env: ((env / "lib/b").rename(env / "b"), (env / "lib/b").write_text("")),
    "gone": lambda env: (env / "lib").rename(env.parent / "lib"),
    "all gone": lambda env: env.rename(env.parent / "elsewhere"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_copy_is_put_right(copies, tmp_path, deed):
    place = tmp_path / "env"

    def found():
        return worlds.tree(place), sorted((p, os.stat(os.path.join(place, p)).st_mtime_ns, os.listxattr(os.path.join(place, p))) for p in copies.truth)

    copies.take(str(place))
    before = found()
    assert before[0] == worlds.tree(copies.original)
    DEEDS[deed](place)
    copies.give(str(place))
    assert bool(copies.free) == (deed not in ("attribute of a folder", "all gone")), "what cannot be put right is thrown away"
    copies.take(str(place))
    assert found() == before
