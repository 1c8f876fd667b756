"""Copies of an environment that tests take turns with.

Making one takes longer than most tests. So it is made once, moved into the folder of a test, and moved back after it;
what the test changed, and no more, is put right there. What changed, the system says: whatever is done to a file, the
time of its last change is another one afterwards, and nobody can set that. A copy that cannot be put right is thrown away.
"""
import os
import shutil
import stat
import subprocess


def look(prefix):
    """{path: what no change leaves as it is} of everything below `prefix`, and of itself as "."."""
    found, folders = {}, ["."]
    while folders:
        folder = folders.pop()
        for entry in os.scandir(os.path.join(prefix, folder)):
            path = entry.name if folder == "." else f"{folder}/{entry.name}"
            s = entry.stat(follow_symlinks=False)
            found[path] = (s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_size, s.st_ino, s.st_ctime_ns)
            if stat.S_ISDIR(s.st_mode):
                folders.append(path)
    return found


def same(row, other):
    """Whether two of `look` tell of equal things, in other places. The size of a directory is the file system's business."""
    return row[:4] == other[:4] and (row[4] == other[4] or stat.S_ISDIR(row[0]))


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


class Copies:
    def __init__(self, original, folder):
        self.original, self.folder, self.number = original, str(folder), 0
        self.truth = look(original)
        self.free, self.taken = [], {}  # (path, what `look` found), {path: what it found}

    def take(self, target):
        """A copy at `target`, on the file system of the folder."""
        if self.free:
            path, seen = self.free.pop()
            os.rename(path, target)
        else:
            subprocess.run(["cp", "-a", self.original, target], check=True)
            seen = look(target)
        self.taken[target] = seen

    def give(self, target):
        """The copy comes back."""
        seen = self.taken.pop(target)
        self.number += 1
        path = os.path.join(self.folder, str(self.number))
        try:
            os.rename(target, path)
            self.mend(path, seen)
            self.free.append((path, seen))
        except (OSError, shutil.Error):
            shutil.rmtree(path, ignore_errors=True)

    def mend(self, path, seen):
        """Makes everything as it is in the original, and `seen` what is found then."""
        now = look(path)
        added = [p for p in now if p not in seen]
        changed = sorted(p for p in seen if now.get(p) != seen[p])
        for p in added:
            remove(os.path.join(path, p))
        for p in changed:
            place, source, is_folder = os.path.join(path, p), os.path.join(self.original, p), stat.S_ISDIR(self.truth[p][0])
            if is_folder and os.path.isdir(place) and not os.path.islink(place):
                continue
            remove(place)
            if is_folder:
                os.mkdir(place)
            else:
                shutil.copy2(source, place, follow_symlinks=False)
                os.lchown(place, *self.truth[p][1:3])
        for p in sorted({p for p in changed if stat.S_ISDIR(self.truth[p][0])} | {os.path.dirname(p) for p in (*added, *changed)} - {""}, reverse=True):
            if p not in self.truth:
                continue
            mode, owner, group, mtime = self.truth[p][:4]
            place = os.path.join(path, p)
            if sorted(os.listxattr(place)) != sorted(os.listxattr(os.path.join(self.original, p))):
                raise OSError(f"{place} has other attributes")
            os.chown(place, owner, group)
            os.chmod(place, stat.S_IMODE(mode))
            os.utime(place, ns=(mtime, mtime))
        shutil.copystat(self.original, path)
        seen.clear()
        seen.update(look(path))
        if len(seen) != len(self.truth) or not all(p in seen and same(row, seen[p]) for p, row in self.truth.items()):
            raise OSError(f"{path} is not as it was")
