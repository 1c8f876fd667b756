#!/usr/bin/env python3
"""Makes the wheels of an attacker, and a few that only look like it.

    make_wheels.py FOLDER

WHEELS lists them: id, what is wrong with it, what has to happen, and a part of the text that says so. Each is made from a
good wheel, bit by bit below what the zipfile module would let through.
"""
import base64
import hashlib
import os
import struct
import sys
import zlib

STORED, DEFLATED = 0, 8
UTF8 = 1 << 11
REGULAR = 0o100644


class Entry:
    """One entry; what is None is computed, the rest is written as it is."""

    def __init__(self, name, data=b"", method=DEFLATED, mode=REGULAR, flags=UTF8, record=True, **other):
        self.name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
        self.data, self.method, self.mode, self.flags, self.record = data, method, mode, flags, record
        self.crc = self.size = self.packed_size = self.local_name = self.local_sizes = self.offset = None
        self.packed = self.local_data = self.descriptor = self.in_directory = None
        self.before = self.extra = self.local_extra = self.comment = b""
        self.local_flags = self.local_method = self.central_offset = None
        self.disk = 0
        self.attributes = 0  # of DOS
        self.needs = 20  # version of the format
        for key, value in other.items():
            assert hasattr(self, key), key
            setattr(self, key, value)


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def archive(entries, comment=b"", count=None, disk=0, shift=0):
    out, directory, listed, places = bytearray(), bytearray(), 0, {}
    for e in entries:
        out += e.before
        packed = e.packed if e.packed is not None else deflate(e.data) if e.method == DEFLATED else e.data
        crc = zlib.crc32(e.data) if e.crc is None else e.crc
        size = len(e.data) if e.size is None else e.size
        packed_size = len(packed) if e.packed_size is None else e.packed_size
        offset = len(out) + shift if e.offset is None else places[e.offset]
        places[e.name] = offset
        local = e.name if e.local_name is None else e.local_name
        sizes = (crc, packed_size, size) if e.local_sizes is None else e.local_sizes
        if e.offset is None:
            flags, method = (e.flags if e.local_flags is None else e.local_flags), (e.method if e.local_method is None else e.local_method)
            out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, method, 0, 0x5821, *sizes, len(local), len(e.local_extra)) + local
            out += e.local_extra + packed + (e.descriptor or b"")
        if e.in_directory is False:
            continue
        listed += 1
        offset = offset if e.central_offset is None else e.central_offset
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0x0314, e.needs, e.flags, e.method, 0, 0x5821, crc, packed_size,
                                 size, len(e.name), len(e.extra), len(e.comment), e.disk, 0, e.mode << 16 | e.attributes, offset)
        directory += e.name + e.extra + e.comment
    place, listed = len(out) + shift, listed if count is None else count
    out += directory
    if listed > 0xFFFF:
        record = len(out) + shift
        out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, listed, listed, len(directory), place)
        out += struct.pack("<IIQI", 0x07064B50, 0, record, 1)
        listed = 0xFFFF
    out += struct.pack("<IHHHHIIH", 0x06054B50, disk, disk, listed, listed, len(directory), place, len(comment)) + comment
    return bytes(out)


def digest(data, algorithm="sha256"):
    return algorithm + "=" + base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()


def quoted(path):
    return '"' + path.replace('"', '""') + '"' if "," in path or '"' in path else path


METADATA = "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\nSummary: a wheel\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
INFO = "evil-1.0.dist-info/"
DATA = "evil-1.0.data/"


class Wheel:
    """A good wheel, to be spoilt."""

    def __init__(self, *entries, metadata=METADATA, wheel=WHEEL, entry_points=None):
        self.entries = [Entry("evil/__init__.py", b"x = 1\n"), *entries]
        self.info = [Entry(INFO + "METADATA", metadata if isinstance(metadata, bytes) else metadata.encode())]
        if wheel is not None:
            self.info.append(Entry(INFO + "WHEEL", wheel.encode()))
        if entry_points is not None:
            self.info.append(Entry(INFO + "entry_points.txt", entry_points.encode()))
        self.filename = "evil-1.0-py3-none-any.whl"
        self.rows = lambda rows: rows
        self.record = None
        self.options = {}
        self.after = lambda data: data

    def rows_of(self):
        rows = [(e.name.decode("utf-8", "replace"), digest(e.data), str(len(e.data)))
                for e in self.entries + self.info if e.record and not e.name.endswith(b"/")]
        return self.rows(rows + [(INFO + "RECORD", "", "")])

    def data(self):
        text = self.record
        if text is None:
            text = "".join(f"{quoted(path)},{h},{size}\n" for path, h, size in self.rows_of()).encode("utf-8", "replace")
        record = [] if text is False else [Entry(INFO + "RECORD", text)]
        return self.after(archive(self.entries + self.info + record, **self.options))


def wheel(*entries, **other):
    spoilt = {k: other.pop(k) for k in ("filename", "rows", "record", "options", "after") if k in other}
    made = Wheel(*entries, **other)
    for key, value in spoilt.items():
        setattr(made, key, value)
    return made


def file(name, data=b"y = 2\n", **other):
    return lambda **more: wheel(Entry(name, data, **other), **more)


def row(change):
    return lambda: wheel(rows=change)


def z06():
    made = wheel()
    made.after = lambda data: b"#!/bin/sh\nexit\n" + data
    return made


def z11():
    data = b"0123456789" * 10
    return wheel(Entry("evil/a.py", data, size=50))


def z12():
    return wheel(Entry("evil/a.py", b"y", local_sizes=(0, 0, 0)))


def z18(signature=True):
    data = b"y = 2\n"
    tail = struct.pack("<III", zlib.crc32(data), len(data), len(data))
    return wheel(Entry("evil/a.py", data, method=STORED, flags=UTF8 | 8, local_sizes=(0, 0, 0),
                       descriptor=(b"PK\x07\x08" if signature else b"") + tail))


def z19():
    return wheel(Entry("evil/link", b"/tmp", mode=0o120777, method=STORED), Entry("evil/link/x.py", b"y"))


def z08():
    inner = wheel().data()
    return wheel(options={"comment": inner[:60000]})


def zeros(size, entry):
    """Makes of an entry one that grows to `size` zeros, without packing them all: its CRC is not right."""
    part = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    entry.packed, entry.size, entry.crc = packed * (size // part) + packer.flush(), size // part * part, 1
    return entry


def b01():
    made = wheel(zeros(1_500_000_000, Entry("evil/zeros", b"", record=False)))
    made.rows = lambda rows: rows + [("evil/zeros", digest(b"?"), "1500000000")]
    return made


def b02(count):
    return lambda: wheel(*[Entry(f"evil/{i:06d}", b"", method=STORED) for i in range(count)])


def m03():
    made = wheel()
    zeros(300_000_000, made.info[0])
    return made


def deep():
    return METADATA + "Requires-Dist: a; " + "(" * 100_000 + "python_version>'3'" + ")" * 100_000 + "\n"


def without(path):
    return lambda rows: [r for r in rows if r[0] != path]


def changed(path, h=None, size=None):
    return lambda rows: [(p, (h if h is not None else a) if p == path else a, (size or b) if p == path else b) for p, a, b in rows]


X = "evil/__init__.py"
NFC, NFD = "evil/caf\u00e9.py", "evil/cafe\u0301.py"
SCRIPTS = "[console_scripts]\n"

# (id, attack, expected, part of the text, maker). Expected: accept, warn (accepted with a warning), refuse, limit
# (refused by a limit, or accepted within the test's bounds of time and memory), ask (refused until it is allowed).
WHEELS = [
    ("ok", "control", "accept", "", lambda: wheel()),
    ("n01_dotdot", "zip slip", "refuse", "part `..`", file("../outside.py")),
    ("n02_abs", "absolute path", "refuse", "absolute path", file("/tmp/outside.py")),
    ("n03_backslash", "backslash traversal", "refuse", "backslash", file("..\\outside.py")),
    ("n04_drive", "drive letter", "refuse", "colon", file("C:/outside.py")),
    ("n05_esc", "terminal escape in name", "refuse", "control character", file("evil/\x1b[31m.py")),
    ("n06_nl", "newline in name", "refuse", "control character", file("evil/a\nb.py")),
    ("n07_inner_dotdot", "inner ..", "refuse", "part `..`", file("evil/../../outside.py")),
    ("n08_dot", "leading ./", "refuse", "part `.`", file("./evil/a.py")),
    ("n09_dslash", "double slash", "refuse", "empty part", file("evil//a.py")),
    ("n10_long", "component > 255", "refuse", "too long", file("evil/" + "a" * 256 + ".py")),
    ("n11_deep", "path > 4096", "refuse", "name that is too long", file("evil/" + "abcdefg/" * 600 + "a.py")),
    ("n12_colon", "colon (alternate data stream)", "refuse", "colon", file("evil/a.py:b")),
    ("n13_con", "Windows device name", "accept", "", file("evil/con.py")),
    ("n14_trail", "trailing space", "refuse", "ends with a blank", file("evil/a.py ")),
    ("n14_traildot", "trailing dot, as wheels mended by auditwheel have", "accept", "", file("evil./a.py")),
    ("n15_bidi", "bidi override", "refuse", "bidirectional", file("evil/\u202eyp.a")),
    ("n16_empty", "directory entry with data", "refuse", "directory with data", file("evil/d/", mode=0o40755)),
    ("n17_c1", "C1 control character", "refuse", "control character", file("evil/a\u009b.py")),
    ("z01_dup_cd", "duplicate entry, different content", "refuse", "there twice", file(X, b"z = 3\n", record=False)),
    ("z02_lfh_name", "local name != central name", "refuse", "another name in its local header", file("evil/a.py", local_name=b"evil/b.py")),
    ("z03_local_only", "local file not in the directory", "refuse", "data behind it", file("evil/a.py", in_directory=False, record=False)),
    ("z04_overlap", "two entries share one local header", "refuse", "overlaps", file("evil/b.py", b"x = 1\n", offset=X.encode(), local_name=b"")),
    ("z05_prefix", "data before the first header, offsets adjusted", "refuse", "data before it",
     lambda: wheel(options={"shift": 15}, after=lambda data: b"#!/bin/sh\nexit\n" + data)),
    ("z06_prefix_shift", "prepended data, offsets not adjusted", "refuse", "data before its entries", z06),
    ("z07_trailing", "data after the end", "refuse", "behind its end", lambda: wheel(after=lambda data: data + b"more")),
    ("z08_zip_in_comment", "comment contains a zip", "refuse", "data before its entries", z08),
    ("z08_comment", "archive comment", "refuse", "comment", lambda: wheel(options={"comment": b"hello"})),
    ("z09_two_archives", "two concatenated archives", "refuse", "data before its entries", lambda: wheel(after=lambda data: data + data)),
    ("z10_crc", "CRC wrong", "refuse", "wrong CRC", file("evil/a.py", crc=12345)),
    ("z11_usize_small", "uncompressed size too small", "refuse", "size", z11),
    ("z12_local_sizes", "local sizes 0 without data-descriptor flag", "refuse", "in its local header", z12),
    ("z13_encrypted", "encrypted flag", "refuse", "encrypted", file("evil/a.py", flags=UTF8 | 1)),
    ("z14_method99", "unknown method", "refuse", "compression method", file("evil/a.py", method=99)),
    ("z15_bzip2", "bzip2", "refuse", "compression method", file("evil/a.py", method=12)),
    ("z16_lzma", "lzma", "refuse", "compression method", file("evil/a.py", method=14)),
    ("z17_eocd_count", "entry count too small", "refuse", "more entries in its directory", lambda: wheel(options={"count": 2})),
    ("z17_eocd_more", "entry count too large", "refuse", "directory", lambda: wheel(options={"count": 9})),
    ("z18_data_descriptor", "stored entry with a data descriptor", "accept", "", z18),
    ("z18_nosignature", "data descriptor without signature", "refuse", "data descriptor", lambda: z18(False)),
    ("z19_symlink", "symlink entry then write through it", "refuse", "neither a regular file nor a directory", z19),
    ("z20_setuid", "setuid bit", "warn", "set-id", file("evil/a.py", mode=0o104755)),
    ("z21_fifo", "fifo mode", "refuse", "neither a regular file nor a directory", file("evil/a.py", mode=0o010644)),
    ("z22_file_and_dir", "same path as file and directory", "refuse", "there twice", file(X + "/", b"", mode=0o40755)),
    ("z22_below_file", "file below a file", "refuse", "lies below a file", file(X + "/a.py")),
    ("z23_case", "names differing in case only", "accept", "", file("evil/__INIT__.py")),
    ("z24_nfc_nfd", "NFC/NFD twins", "warn", "combining", lambda: wheel(Entry(NFC, b"1"), Entry(NFD, b"2"))),
    ("z25_nul", "NUL in name", "refuse", "NUL", file("evil/a.py\0.txt", record=False)),
    ("z26_nonutf8", "UTF-8 flag, invalid bytes", "refuse", "not UTF-8", file(b"evil/\xff\xfe.py", record=False)),
    ("z27_cp437", "cp437 name without UTF-8 flag", "refuse", "without the UTF-8 flag", file(b"evil/caf\x82.py", flags=0, record=False)),
    ("z28_empty_name", "empty name", "refuse", "empty name", file("", record=False)),
    ("z29_norm_dup", "same path after normalisation", "refuse", "part `.`", file("evil/./__init__.py", b"z")),
    ("z30_truncated", "truncated", "refuse", "no zip archive", lambda: wheel(after=lambda data: data[:-40])),
    ("z31_notzip", "not a zip", "refuse", "no zip archive", lambda: wheel(after=lambda data: b"<html>not found</html>" * 10)),
    ("z31_empty", "empty file", "refuse", "no zip archive", lambda: wheel(after=lambda data: b"")),
    ("z32_disk", "multi-disk numbers", "refuse", "several disks", lambda: wheel(options={"disk": 1})),
    ("z33_entry_disk", "entry on another disk", "refuse", "another disk", file("evil/a.py", disk=3)),
    ("b01_ratio", "1.5 GB of zeros in 1.5 MB", "refuse", "would grow", b01),
    ("b02_entries", "70 000 empty files (zip64 count)", "refuse", "more than 65535", b02(70_000)),
    ("b03_entries", "20 000 empty files", "accept", "", b02(20_000)),
    ("r01_missing", "no RECORD", "refuse", "has no RECORD", lambda: wheel(record=False)),
    ("r02_unlisted", "file not in RECORD", "record", "is not in RECORD", row(without(X))),
    ("r03_hash", "RECORD hash wrong", "refuse", "not the hash", row(changed(X, digest(b"other")))),
    ("r03_size", "RECORD size wrong", "record", "another size", row(changed(X, size="7"))),
    ("r04_ghost", "RECORD lists a file that is not there", "record", "not in the wheel", row(lambda rows: rows + [("evil/no.py", digest(b""), "0")])),
    ("r05_traverse", "RECORD path outside", "refuse", "path in RECORD that no wheel may have", row(lambda rows: rows + [("../../victim.py", "", "")])),
    ("r06_md5", "md5 in RECORD", "record", "weaker than SHA-256", row(changed(X, digest(b"x = 1\n", "md5")))),
    ("r07_nohash", "no hash for a file", "record", "no hash in RECORD", lambda: wheel(rows=changed(X, ""))),
    ("r08_duprow", "two rows for one path", "record", "twice in RECORD", row(lambda rows: rows + [(X, digest(b"q"), "1")])),
    ("r09_two_distinfo", "two dist-info directories", "refuse", "second dist-info", file("evil-1.0.0.dist-info/METADATA", METADATA.encode())),
    ("r10_badcsv", "unterminated quote", "refuse", "quote that does not end", lambda: wheel(record=b'"evil/__init__.py,x\n')),
    ("r11_abs", "absolute path in RECORD", "refuse", "path in RECORD that no wheel may have", row(lambda rows: rows + [("/etc/passwd", "", "")])),
    ("m01_name", "METADATA name != file name", "refuse", "name in METADATA", lambda: wheel(metadata=METADATA.replace("Name: evil", "Name: good"))),
    ("m02_version", "METADATA version != file name", "refuse", "version in METADATA", lambda: wheel(metadata=METADATA.replace("1.0\nS", "2.0\nS"))),
    ("m03_huge", "300 MB METADATA", "refuse", "would grow", m03),
    ("m03_large", "9 MB METADATA", "refuse", "bytes, more than", lambda: wheel(metadata=METADATA + "\n" + "x y z" * 1_900_000)),
    ("m04_esc", "escape sequences in METADATA", "accept", "", lambda: wheel(metadata=METADATA + "Author: \x1b]0;owned\x07\n")),
    ("m05_wheel2", "Wheel-Version 2.0", "refuse", "not known", lambda: wheel(wheel=WHEEL.replace("1.0", "2.0"))),
    ("m06_wheel19", "Wheel-Version 1.9", "warn", "newer version", lambda: wheel(wheel=WHEEL.replace("1.0", "1.9"))),
    ("m07_nowheel", "no WHEEL", "refuse", "has no WHEEL", lambda: wheel(wheel=None)),
    ("m08_ep_path", "entry point name with path", "refuse", "name that no script may have", lambda: wheel(entry_points=SCRIPTS + "../../x = evil:main\n")),
    ("m09_ep_inject", "code in entry point object reference", "refuse", "no `module:function`",
     lambda: wheel(entry_points=SCRIPTS + "x = evil:main();import os;os.system('id')#\n")),
    ("m10_ep_overwrite", "console script named python", "refuse", "only Python or pip", lambda: wheel(entry_points=SCRIPTS + "python3 = evil:main\n")),
    ("m10_ep_pip", "console script named pip", "refuse", "only Python or pip", lambda: wheel(entry_points=SCRIPTS + "pip = evil:main\n")),
    ("m11_badutf8", "invalid UTF-8 in an unimportant field", "accept", "", lambda: wheel(metadata=METADATA.encode() + b"Author: \xff\xfe\n")),
    ("m12_deep_marker", "100 000 nested parentheses", "limit", "", lambda: wheel(metadata=deep())),
    ("m13_longver", "version of 1 MB", "refuse", "version", lambda: wheel(metadata=METADATA.replace("1.0\nS", "1." + "0." * 500_000 + "0\nS"))),
    ("m15_purelib_twice", "WHEEL says twice where its files go", "warn", "the first counts",
     lambda: wheel(wheel=WHEEL + "Root-Is-Purelib: false\n")),
    ("m14_purelib_tag", "WHEEL tag != file name tag", "warn", "not in WHEEL", lambda: wheel(wheel=WHEEL.replace("py3-none-any", "cp312-cp312-linux_x86_64"))),
    ("d01_data_trav", ".data traversal", "refuse", "part `..`", file(DATA + "data/../../../outside")),
    ("d02_unknown", "unknown scheme key", "refuse", "not known", file(DATA + "evil/x")),
    ("d02_other", ".data of another name", "refuse", "another name", file("good-1.0.data/scripts/x")),
    ("d03_scripts_sub", "scripts traversal", "refuse", "part `..`", file(DATA + "scripts/../x")),
    ("d04_data_overwrite", ".data overwrites bin/python", "refuse", "only Python or pip", file(DATA + "data/bin/python")),
    ("d04_script_python", ".data script python3", "refuse", "only Python or pip", file(DATA + "scripts/python3")),
    ("d04_cfg", ".data overwrites pyvenv.cfg", "refuse", "would be lost", file(DATA + "data/pyvenv.cfg")),
    ("d05_data_site", ".data overwrites another dist's file", "refuse", "would overwrite", file(DATA + "purelib/victim/__init__.py")),
    ("d06_overwrite", "overwrites a file owned by another dist", "refuse", "would overwrite", file("victim/__init__.py")),
    ("d06_same", "brings the very file of another dist", "accept", "", file("victim/__init__.py", b"victim = True\n")),
    ("d07_pth", ".pth with code", "ask", "every start", file("evil.pth", b"import os\n")),
    ("d08_sitecustomize", "sitecustomize.py", "ask", "every start", file("sitecustomize.py")),
    ("d08_usercustomize", "usercustomize package", "ask", "every start", file("usercustomize/__init__.py")),
    ("d09_data_file", ".data/data is a file", "refuse", "file where .data has a directory", file(DATA + "data")),
    ("d10_other_distinfo", "writes a foreign dist-info", "refuse", "not the dist-info directory", file("victim-1.0.dist-info/RECORD")),
    ("d10_egg_info", "writes an egg-info", "refuse", "does not belong", file("victim.egg-info/PKG-INFO")),
    ("d11_headers_abs", "headers double slash", "refuse", "empty part", file(DATA + "headers//etc/x.h")),
    ("d12_duplicate", ".data and the body have one target", "refuse", "target of two files", file(DATA + "purelib/evil/__init__.py")),
    ("f01_escname", "wheel file name with escape", "refuse", "name", lambda: wheel(filename="ev\x1b[31mil-1.0-py3-none-any.whl")),
    ("f02_badver", "bad version in file name", "refuse", "version", lambda: wheel(filename="evil-one-py3-none-any.whl")),
    ("f03_parts", "too few parts", "refuse", "", lambda: wheel(filename="evil-1.0.whl")),
]


def make(folder, only=None, wheels=WHEELS):
    """Writes the wheels, each in a folder of its id; gives {id: path}."""
    paths = {}
    for name, _, _, _, maker in wheels:
        if only and name not in only:
            continue
        made = maker()
        paths[name] = os.path.join(folder, name, made.filename)
        os.makedirs(os.path.dirname(paths[name]), exist_ok=True)
        with open(paths[name], "wb") as out:
            out.write(made.data())
    return paths


if __name__ == "__main__":
    print(len(make(sys.argv[1])), "wheels")
