"""More wheels of an attacker, of the kinds that make_wheels.py has, and odd ones that have to be accepted.

VARIANTS lists them in the form of make_wheels.WHEELS.
"""
import io
import struct
import sys
import zipfile
import zlib

from make_wheels import (DATA, DEFLATED, INFO, METADATA, SCRIPTS, STORED, UTF8, WHEEL, X, Entry, Wheel, changed, deflate, digest, file, row,
                         wheel, without)

FULL, FULL16 = 0xFFFFFFFF, 0xFFFF
SITE = "lib/python%d.%d/site-packages/" % sys.version_info[:2]
A = "evil/a.py"


# --- the archive

def extra(number, data):
    return struct.pack("<HH", number, len(data)) + data


def zip64(*numbers):
    return extra(1, b"".join(struct.pack("<Q", n) for n in numbers))


def ends(data):
    """(bytes before the last record, count, size and place of the directory)."""
    count, size, place = struct.unpack("<HII", data[-12:-2])
    return data[:-22], count, size, place


def record64(count, size, place, tail=b"", length=None):
    return struct.pack("<IQHHIIQQQQ", 0x06064B50, 44 + len(tail) if length is None else length, 45, 45, 0, 0, count, count, size, place) + tail


def locator(place, disks=1):
    return struct.pack("<IIQI", 0x07064B50, 0, place, disks)


def end(count, size, place):
    return struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, place, 0)


def with_end(change):
    """A good wheel whose end is `change(bytes before it, count, size, place)`."""
    return lambda: wheel(after=lambda data: change(*ends(data)))


def all_zip64(body, count, size, place):
    return body + record64(count, size, place) + locator(len(body)) + end(FULL16, FULL, FULL)


def large_entry(data=b"y = 2\n", **other):
    """An entry whose sizes stand in the zip64 field only."""
    packed = deflate(data)
    field = {"size": FULL, "packed_size": FULL, "packed": packed, "extra": zip64(len(data), len(packed)), "local_extra": zip64(len(data), len(packed))}
    return file(A, data, **{**field, **other})


def descriptor(form, *values, method=DEFLATED):
    data = b"y = 2\n"
    packed = deflate(data) if method == DEFLATED else data
    values = values or (zlib.crc32(data), len(packed), len(data))
    return file(A, data, method=method, flags=UTF8 | 8, local_sizes=(0, 0, 0), descriptor=b"PK\x07\x08" + struct.pack(form, *values))


def stream(change, data=b"y = 2\n" * 50):
    return lambda: wheel(Entry(A, data, packed=change(deflate(data))))


def reversed_directory():
    """The directory in another order than the entries."""
    def after(data):
        body, count, size, place = ends(data)
        records, at = [], place
        while at < place + size:
            length = 46 + sum(struct.unpack("<HHH", data[at + 28:at + 34]))
            records.append(data[at:at + length])
            at += length
        return data[:place] + b"".join(reversed(records)) + end(count, size, place)
    return wheel(after=after)


def behind_directory(what):
    """`what` between the directory and its end, counted as part of it."""
    return with_end(lambda body, count, size, place: body + what + end(count, size + len(what), place))


def by_zipfile(compression, **other):
    """What Python's own zipfile writes to a stream that cannot seek."""
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += data
            return len(data)

    def after(data):
        pipe = Pipe()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(pipe, "w", compression, **other) as out:
            for info in source.infolist():
                out.writestr(zipfile.ZipInfo(info.filename), source.read(info), compression)
        return bytes(pipe.data)
    return lambda: wheel(after=after)


def nested_bomb():
    """An archive of an archive of zeros: harmless, for nobody unpacks the inner ones."""
    data = deflate(bytes(1 << 20))
    for _ in range(3):
        data = deflate(data * 100)
    return wheel(Entry("evil/bomb.zip", data))


def many_bombs(count, size):
    """`count` entries that grow to `size` zeros each."""
    data = bytes(size)
    packed, crc, rows = deflate(data), zlib.crc32(data), digest(data)
    names = [f"evil/z{i}" for i in range(count)]
    made = wheel(*[Entry(n, b"", packed=packed, size=size, crc=crc, record=False) for n in names])
    made.rows = lambda given: given + [(n, rows, str(size)) for n in names]
    return made


# --- what is in it

def metadata(text):
    return lambda: wheel(metadata=text)


def wheel_file(text):
    return lambda: wheel(wheel=text)


def points(text):
    return lambda: wheel(entry_points=text)


def record(change):
    """RECORD as text, changed."""
    def maker():
        made = wheel()
        text = "".join(",".join(r) + "\n" for r in made.rows_of())
        made.record = change(text)
        if isinstance(made.record, str):
            made.record = made.record.encode()
        return made
    return maker


def hash_of(text):
    return row(changed(X, text))


def renamed(info="evil-1.0.dist-info/", filename="evil-1.0-py3-none-any.whl", **other):
    """dist-info and the file under other names."""
    def maker():
        made = Wheel(**other)
        for entry in made.info:
            entry.name = entry.name.replace(INFO.encode(), info.encode())
        made.filename = filename
        rows = [(e.name.decode(), digest(e.data), str(len(e.data))) for e in made.entries + made.info] + [(info + "RECORD", "", "")]
        made.info.append(Entry(info + "RECORD", "".join(",".join(r) + "\n" for r in rows).encode()))
        made.record = False
        return made
    return maker


def record_first():
    made = wheel()
    text = "".join(",".join(r) + "\n" for r in made.rows_of()).encode()
    made.entries.insert(0, Entry(INFO + "RECORD", text, record=False))
    made.record = False
    return made


def signed(listed):
    made = wheel(Entry(INFO + "RECORD.jws", b"{}", record=listed), Entry(INFO + "RECORD.p7s", b"x", record=listed))
    return made


def padding(name, count):
    return lambda: wheel(*[Entry(name.format(i), b"", method=STORED, mode=0o40755 if name.endswith("/") else 0o100644) for i in range(count)])


def replaced(text, old, new):
    assert old in text
    return text.replace(old, new)


VARIANTS = [
    # The end of the archive, and zip64.
    ("ve_zip64", "zip64 end of a small archive", "accept", "", with_end(all_zip64)),
    ("ve_zip64_both", "both ends, which agree", "accept", "",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(len(body)) + end(n, size, place))),
    ("ve_zip64_count", "two ends with two counts", "refuse", "two ends that disagree",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(len(body)) + end(n - 1, size, place))),
    ("ve_zip64_place", "two ends with two directories", "refuse", "two ends that disagree",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(len(body)) + end(n, size, place - 46))),
    ("ve_locator_place", "the locator points elsewhere", "refuse", "wrong zip64 record",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(0) + end(FULL16, FULL, FULL))),
    ("ve_locator_alone", "a locator without a record", "refuse", "zip64 record",
     with_end(lambda body, n, size, place: body + locator(len(body) - 56) + end(n, size, place))),
    ("ve_locator_twice", "two locators and records", "refuse", "data before its entries",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(len(body)) + record64(n, size, place) + locator(len(body) + 76) + end(n, size, place))),
    ("ve_locator_disks", "a locator of two disks", "refuse", "several disks",
     with_end(lambda body, n, size, place: body + record64(n, size, place) + locator(len(body), 2) + end(n, size, place))),
    ("ve_zip64_tail", "a zip64 record with more behind it", "refuse", "wrong zip64 record",
     with_end(lambda body, n, size, place: body + record64(n, size, place, b"more") + locator(len(body)) + end(n, size, place))),
    ("ve_zip64_length", "a zip64 record of no length", "refuse", "wrong zip64 record",
     with_end(lambda body, n, size, place: body + record64(n, size, place, length=0) + locator(len(body)) + end(n, size, place))),
    ("ve_zip64_huge", "2^63 entries", "refuse", "more than",
     with_end(lambda body, n, size, place: body + record64(1 << 63, size, place) + locator(len(body)) + end(FULL16, size, place))),
    ("ve_zip64_wrap", "a directory whose size and place wrap around", "refuse", "",
     with_end(lambda body, n, size, place: body + record64(n, (1 << 64) - 46, place + size + 46) + locator(len(body)) + end(n, FULL, FULL))),
    ("ve_empty", "an archive of nothing", "refuse", "is empty", lambda: wheel(after=lambda data: end(0, 0, 0))),
    ("ve_end_only", "the end of an archive that is not there", "refuse", "archive is refused", lambda: wheel(after=lambda data: data[-22:])),
    ("ve_signature", "a digital signature behind the directory", "refuse", "more entries", behind_directory(b"PK\x05\x05\x04\0abcd")),
    ("ve_zeros", "zeros behind the directory", "refuse", "more entries", behind_directory(bytes(64))),
    ("ve_split_mark", "the mark of a split archive", "refuse", "data before", lambda: wheel(after=lambda data: b"PK\x07\x08" + data)),
    ("ve_comment_cut", "a comment that is not there", "refuse", "comment", lambda: wheel(after=lambda data: data[:-2] + b"\x05\0")),
    ("ve_order", "the directory in another order", "accept", "", reversed_directory),
    ("ve_zipfile_stream", "as Python writes it to a pipe", "accept", "", by_zipfile(zipfile.ZIP_DEFLATED)),
    ("ve_zipfile_stored", "as Python writes it to a pipe, stored", "accept", "", by_zipfile(zipfile.ZIP_STORED)),
    # Sizes that lie.
    ("vs_zip64", "sizes in a zip64 field", "accept", "", large_entry()),
    ("vs_zip64_twice", "two zip64 fields", "refuse", "two zip64", large_entry(extra=zip64(6, 8) + zip64(6, 8))),
    ("vs_zip64_disagrees", "a zip64 field beside other sizes", "refuse", "disagrees", file(A, extra=zip64(7, 8, 0))),
    ("vs_zip64_odd", "a zip64 field of four bytes", "refuse", "wrong zip64 field", file(A, extra=extra(1, b"1234"))),
    ("vs_zip64_local", "sizes in a zip64 field, others in the local one", "refuse", "other sizes", large_entry(local_extra=zip64(7, 8))),
    ("vs_4gib", "4 GiB declared", "refuse", "would grow", file(A, size=FULL - 1, local_sizes=None)),
    ("vs_4gib_stored", "4 GiB declared of a stored entry", "refuse", "", file(A, method=STORED, size=FULL - 1, packed_size=FULL - 1)),
    ("vs_8eib", "2^63 bytes declared", "refuse", "too large", large_entry(extra=zip64(1 << 63, 8))),
    ("vs_minus", "-1 bytes declared", "refuse", "too large", large_entry(extra=zip64((1 << 64) - 1, (1 << 64) - 1))),
    ("vs_sum", "sizes whose sum wraps around", "refuse", "",
     lambda: wheel(*[Entry(f"evil/{i}", b"y", size=FULL, packed_size=FULL, extra=zip64(1 << 35, 1 << 35)) for i in range(8)])),
    ("vs_offset", "a place behind the end", "refuse", "overlaps", file(A, central_offset=1 << 30)),
    ("vs_offset64", "a place in a zip64 field behind the end", "refuse", "overlaps", file(A, central_offset=FULL, extra=zip64(1 << 40))),
    ("vs_usize_large", "uncompressed size too large", "refuse", "size", file(A, b"0123456789" * 10, size=101)),
    ("vs_stored_crc", "stored with a wrong CRC", "refuse", "wrong CRC", file(A, method=STORED, crc=1)),
    ("vs_stored_sizes", "stored with two sizes", "refuse", "stored with two sizes", file(A, b"123456", method=STORED, size=5)),
    # Extra data.
    ("vx_unicode_path", "a second name in the extra data", "refuse", "second name", file(A, extra=extra(0x7075, b"\1" + struct.pack("<I", zlib.crc32(A.encode())) + b"../x"))),
    ("vx_unicode_local", "a second name in the local extra data", "refuse", "second name", file(A, local_extra=extra(0x7075, b"\1\0\0\0\0../x"))),
    ("vx_cut", "extra data longer than they are", "refuse", "cut extra data", file(A, extra=struct.pack("<HH", 0x5455, 500) + b"x")),
    ("vx_cut_local", "local extra data longer than they are", "refuse", "cut extra data", file(A, local_extra=struct.pack("<HH", 0x5455, 500) + b"x")),
    ("vx_tail", "two bytes of extra data", "refuse", "cut extra data", file(A, extra=b"\1\0")),
    ("vx_times", "times and owner, as zip writes them", "accept", "",
     file(A, extra=extra(0x5455, b"\3" + bytes(4)) + extra(0x7875, b"\1\4\0\0\0\0\4\0\0\0\0"), local_extra=extra(0x5455, b"\3" + bytes(8)))),
    ("vx_link", "a link in the extra data", "accept", "", file(A, extra=extra(0x756E, struct.pack("<IHIHH", 0, 0o120777, 4, 0, 0) + b"/etc"))),
    ("vx_aligned", "zeros that align the data", "accept", "", file(A, local_extra=bytes(16))),
    ("vx_aes", "AES", "refuse", "encrypted", file(A, method=99, flags=UTF8 | 1, extra=extra(0x9901, b"\2\0AE\3\x08\0"))),
    # Flags, methods, headers.
    ("vh_strong", "strong encryption", "refuse", "flags", file(A, flags=UTF8 | 0x40)),
    ("vh_masked", "a masked header", "refuse", "flags", file(A, flags=UTF8 | 0x2000)),
    ("vh_patched", "patched data", "refuse", "flags", file(A, flags=UTF8 | 0x20)),
    ("vh_local_flags", "other flags in the local header", "refuse", "other flags", file(A, local_flags=0)),
    ("vh_local_method", "another method in the local header", "refuse", "another method", file(A, local_method=STORED)),
    ("vh_local_crc", "another CRC in the local header", "refuse", "another CRC", file(A, local_sizes=(1, len(deflate(b"y = 2\n")), 6))),
    ("vh_local_longer", "a longer local name", "refuse", "another name", file(A, local_name=A.encode() + b"\0x")),
    ("vh_needs", "version 25.5 of the format needed", "refuse", "later format", file(A, needs=255)),
    ("vh_entry_comment", "a comment of an entry", "refuse", "comment", file(A, comment=b"hello")),
    ("vh_archive_data", "archive extra data before the directory", "refuse", "data behind it",
     lambda: wheel(Entry(A, b"y"), after=lambda data: (lambda body, n, size, place: body[:place] + b"PK\x06\x08" + bytes(4) + body[place:] + end(n, size, place + 8))(*ends(data)))),
    ("vh_gap", "a byte between two entries", "refuse", "data behind it", file(A, descriptor=b"x")),
    ("vh_implode", "imploded", "refuse", "compression method", file(A, method=6)),
    ("vh_deflate64", "deflate64", "refuse", "compression method", file(A, method=9)),
    ("vh_zstd", "zstd", "refuse", "compression method", file(A, method=93)),
    ("vd_wide", "a descriptor of 64 bits", "accept", "", descriptor("<IQQ")),
    ("vd_narrow", "a deflated entry with a descriptor", "accept", "", descriptor("<III")),
    ("vd_crc", "a descriptor with another CRC", "refuse", "descriptor that disagrees", descriptor("<III", 1, len(deflate(b"y = 2\n")), 6)),
    ("vd_size", "a descriptor with another size", "refuse", "descriptor that disagrees", descriptor("<III", zlib.crc32(b"y = 2\n"), len(deflate(b"y = 2\n")), 7)),
    ("vd_flag_only", "a descriptor that is not there", "refuse", "data descriptor", file(A, flags=UTF8 | 8, local_sizes=(0, 0, 0))),
    ("vd_no_flag", "a descriptor without its flag", "refuse", "data behind it", file(A, descriptor=b"PK\x07\x08" + bytes(12))),
    # The compressed data.
    ("vc_tail", "data behind the compressed data", "refuse", "does not unpack", stream(lambda packed: packed + b"tail")),
    ("vc_second", "a second stream behind the first", "refuse", "does not unpack", stream(lambda packed: packed + packed)),
    ("vc_cut", "compressed data that end early", "refuse", "does not unpack", stream(lambda packed: packed[:-2])),
    ("vc_garbage", "no compressed data", "refuse", "does not unpack", stream(lambda packed: b"\xff" * len(packed))),
    ("vc_empty_blocks", "100 000 empty blocks", "accept", "", stream(lambda packed: b"\0\0\0\xff\xff" * 100_000 + packed)),
    ("vc_distance", "a distance before the start", "refuse", "does not unpack", stream(lambda packed: b"\x4b\x04\x22\x00")),
    ("vb_nested", "an archive of archives of zeros", "accept", "", nested_bomb),
    ("vb_many", "a hundred entries of 30 MiB of zeros", "refuse", "would grow", lambda: many_bombs(100, 30 << 20)),
    ("vb_one", "60 MiB of zeros", "refuse", "would grow", lambda: many_bombs(1, 60 << 20)),
    ("vb_small", "30 MiB of zeros", "limit", "", lambda: many_bombs(1, 30 << 20)),
    # Types of entries.
    ("vt_device", "a device", "refuse", "neither a regular file", file(A, mode=0o020644)),
    ("vt_block", "a block device", "refuse", "neither a regular file", file(A, mode=0o060644)),
    ("vt_socket", "a socket", "refuse", "neither a regular file", file(A, mode=0o140755)),
    ("vt_whiteout", "a type that there is not", "refuse", "neither a regular file", file(A, mode=0o160000)),
    ("vt_no_mode", "no mode at all", "accept", "", file(A, mode=0)),
    ("vt_unreadable", "a mode of nothing", "accept", "", file(A, mode=0o100000)),
    ("vt_everybody", "a mode of everything", "warn", "set-id", file(A, mode=0o107777)),
    ("vt_file_slash", "a file with a directory's name", "refuse", "a directory by its name", file("evil/d/", b"", mode=0o100644)),
    ("vt_dir_no_slash", "a directory with a file's name", "refuse", "a directory by its mode", file("evil/d", b"", mode=0o040755)),
    ("vt_dos_dir", "a file that DOS takes for a directory", "refuse", "DOS", file(A, mode=0, attributes=0x10)),
    ("vt_dos_volume", "a file that DOS takes for a volume", "refuse", "DOS", file(A, mode=0, attributes=0x08)),
    ("vt_dos_archive", "DOS's bit for changed files", "accept", "", file(A, mode=0, attributes=0x20)),
    ("vt_dir_deflated", "a directory that is compressed", "accept", "", file("evil/d/", b"", mode=0o040755)),
    # Names.
    ("vn_mixed", "mixed slashes", "refuse", "backslash", file("evil\\..\\../x.py")),
    ("vn_unc", "a share of Windows", "refuse", "backslash", file("\\\\host\\share\\x")),
    ("vn_root", "a slash alone", "refuse", "", file("/", b"", mode=0o040755)),
    ("vn_dot", "a dot alone", "refuse", "part `.`", file(".")),
    ("vn_dotdot", "two dots alone", "refuse", "part `..`", file("..")),
    ("vn_dotdot_dir", "a directory of two dots", "refuse", "part `..`", file("../", b"", mode=0o040755)),
    ("vn_dots", "three dots", "accept", "", file("evil/.../a.py")),
    ("vn_overlong", "two dots as overlong UTF-8", "refuse", "not UTF-8", file(b"evil/\xc0\xae\xc0\xae/a.py", record=False)),
    ("vn_surrogate", "a surrogate", "refuse", "not UTF-8", file(b"evil/\xed\xa0\x80.py", record=False)),
    ("vn_beyond", "beyond Unicode", "refuse", "not UTF-8", file(b"evil/\xf4\x90\x80\x80.py", record=False)),
    ("vn_line", "a line separator", "refuse", "line separator", file("evil/a\u2028b.py")),
    ("vn_isolate", "a bidirectional isolate", "refuse", "bidirectional", file("evil/\u2066a.py")),
    ("vn_cr", "a carriage return", "refuse", "control character", file("evil/a\r.py")),
    ("vn_tab", "a tab", "refuse", "control character", file("evil/a\t.py")),
    ("vn_delete", "DEL", "refuse", "control character", file("evil/a\x7f.py")),
    ("vn_blank", "a part of blanks", "refuse", "ends with a blank", file("evil/   /a.py")),
    ("vn_deep", "two hundred directories", "refuse", "too deep", file("evil/" + "d/" * 200 + "a.py")),
    ("vn_wide_slash", "a wide slash", "accept", "", file("evil/a\uff0f..\uff0fb.py")),
    ("vn_tilde", "a tilde, a dash and a dollar", "accept", "", lambda: wheel(Entry("~/a.py", b"1"), Entry("-rf/a.py", b"1"), Entry("$HOME/a.py", b"1"))),
    ("vn_shell", "characters of a shell", "accept", "", file("evil/a;b|c&d`e`'f.py")),
    ("vn_percent", "dots with a percent sign", "accept", "", file("evil/%2e%2e/a.py")),
    ("vn_store", "unpin's own store", "refuse", ".unpin", file(".unpin/journal")),
    ("vn_store_deep", "unpin's own store by .data", "refuse", ".unpin", file(DATA + "purelib/.unpin/lock")),
    ("vn_store_data", "unpin's own store by .data/data", "refuse", ".unpin", file(DATA + "data/" + SITE + ".unpin/intent")),
    ("vn_store_side", "a side directory of unpin", "refuse", ".unpin", file(DATA + "scripts/.unpin-x/journal")),
    # RECORD.
    ("vr_dot_rows", "rows with ./", "refuse", "path in RECORD that no wheel may have", row(lambda rows: [("./" + p, h, s) for p, h, s in rows])),
    ("vr_backslash", "rows with backslashes", "refuse", "path in RECORD that no wheel may have", row(lambda rows: [(p.replace("/", "\\"), h, s) for p, h, s in rows])),
    ("vr_case", "a row in other letters", "refuse", "not in the wheel", row(lambda rows: [(p.upper() if p == X else p, h, s) for p, h, s in rows])),
    ("vr_percent", "a row with %2f", "refuse", "not in the wheel", row(lambda rows: [(p.replace("/", "%2f") if p == X else p, h, s) for p, h, s in rows])),
    ("vr_dir_row", "a row of a directory", "refuse", "", row(lambda rows: rows + [("evil/", "", "")])),
    ("vr_first", "RECORD is the first entry", "accept", "", record_first),
    ("vr_signed", "signatures that RECORD does not list", "accept", "", lambda: signed(False)),
    ("vr_signed_listed", "signatures that RECORD lists", "accept", "", lambda: signed(True)),
    ("vr_self_hash", "a hash of RECORD itself", "accept", "", row(lambda rows: [(p, digest(b"x") if p.endswith("/RECORD") else h, s) for p, h, s in rows])),
    ("vr_no_self", "no row of RECORD itself", "accept", "", row(without(INFO + "RECORD"))),
    ("vr_crlf", "line ends of DOS", "accept", "", record(lambda text: text.replace("\n", "\r\n"))),
    ("vr_cr", "line ends of old Macs", "refuse", "", record(lambda text: text.replace("\n", "\r"))),
    ("vr_bom", "a byte order mark", "refuse", "", record(lambda text: "\ufeff" + text)),
    ("vr_utf16", "UTF-16", "refuse", "", record(lambda text: text.encode("utf-16"))),
    ("vr_nul", "a NUL in a row", "refuse", "NUL", record(lambda text: text.replace("evil/__", "evil/\0__", 1))),
    ("vr_blank_lines", "blank lines", "accept", "", record(lambda text: "\n\n" + text + "\n")),
    ("vr_no_newline", "no line end at the end", "accept", "", record(lambda text: text[:-1])),
    ("vr_empty", "an empty RECORD", "refuse", "not in RECORD", record(lambda text: "")),
    ("vr_columns", "four columns", "refuse", "three fields", record(lambda text: text.replace("\n", ",\n", 1))),
    ("vr_one_column", "one column", "refuse", "no hash", record(lambda text: "".join(line.split(",")[0] + "\n" for line in text.splitlines()))),
    ("vr_quoted", "all fields quoted", "accept", "", record(lambda text: "".join(",".join(f'"{f}"' for f in line.split(",")) + "\n" for line in text.splitlines()))),
    ("vr_quoted_newline", "a quoted line end", "refuse", "quote", record(lambda text: '"evil/a\nb.py",,\n' + text)),
    ("vr_sha512", "SHA-512", "accept", "", hash_of(digest(b"x = 1\n", "sha512"))),
    ("vr_sha384", "SHA-384", "accept", "", hash_of(digest(b"x = 1\n", "sha384"))),
    ("vr_sha512_wrong", "a wrong SHA-512", "refuse", "not the hash", hash_of(digest(b"x = 2\n", "sha512"))),
    ("vr_sha224", "SHA-224", "refuse", "weaker than SHA-256", hash_of(digest(b"x = 1\n", "sha224"))),
    ("vr_blake", "BLAKE2", "refuse", "weaker than SHA-256", hash_of(digest(b"x = 1\n", "blake2b"))),
    ("vr_upper", "SHA256 in capitals", "refuse", "weaker than SHA-256", hash_of(digest(b"x = 1\n").replace("sha256", "SHA256"))),
    ("vr_padded", "a hash with padding", "accept", "", hash_of(digest(b"x = 1\n") + "=")),
    ("vr_hex", "a hash in hex digits", "refuse", "no digest", hash_of("sha256=" + "0" * 64)),
    ("vr_short", "half a hash", "refuse", "no digest", hash_of(digest(b"x = 1\n")[:30])),
    ("vr_bits", "a hash with bits too many", "refuse", "no digest", hash_of(digest(b"x = 1\n")[:-1] + "-")),
    ("vr_no_algorithm", "a hash without an algorithm", "refuse", "without an algorithm", hash_of(digest(b"x = 1\n")[7:])),
    ("vr_size_minus", "a negative size", "refuse", "no number", row(changed(X, size="-6"))),
    ("vr_size_blank", "a size with a blank", "refuse", "no number", row(changed(X, size=" 6"))),
    ("vr_size_huge", "a size beyond numbers", "refuse", "no number", row(changed(X, size="9" * 30))),
    ("vr_no_size", "no size", "accept", "", row(lambda rows: [(p, h, "") for p, h, s in rows])),
    ("vr_ghosts", "100 000 rows of files that are not there", "refuse", "not in the wheel", row(lambda rows: rows + [(f"evil/{i}", digest(b""), "0") for i in range(100_000)])),
    ("vr_long_path", "a path of 100 000 bytes", "refuse", "too long", row(lambda rows: rows + [("x" * 100_000, "", "")])),
    ("vr_is_dir", "RECORD is a directory", "refuse", "has no RECORD", lambda: wheel(Entry(INFO + "RECORD/", b"", mode=0o040755), record=False)),
    # The dist-info and .data directories.
    ("vi_normal", "dist-info in other letters", "accept", "", renamed("Evil-1.0.dist-info/")),
    ("vi_version", "dist-info with another spelling of the version", "accept", "", renamed("evil-1.0.0.dist-info/")),
    ("vi_other", "dist-info of another name", "refuse", "not the dist-info directory", renamed("good-1.0.dist-info/")),
    ("vi_other_version", "dist-info of another version", "refuse", "not the dist-info directory", renamed("evil-1.1.dist-info/")),
    ("vi_no_version", "dist-info without a version", "refuse", "not the dist-info directory", renamed("evil.dist-info/")),
    ("vi_capitals", "DIST-INFO", "refuse", "not the dist-info directory", renamed("evil-1.0.DIST-INFO/")),
    ("vi_two_case", "a second dist-info in other letters", "refuse", "second dist-info", file("EVIL-1.0.dist-info/METADATA")),
    ("vi_nested", "a dist-info below a package", "accept", "", file("evil/victim-1.0.dist-info/METADATA")),
    ("vi_file", "a file with a dist-info's name", "refuse", "dist-info directory", file("other-1.0.dist-info")),
    ("vi_by_data", "a foreign dist-info by .data", "refuse", "dist-info", file(DATA + "purelib/victim-1.0.dist-info/x")),
    ("vi_new_by_data", "a new dist-info by .data", "refuse", "dist-info", file(DATA + "purelib/other-1.0.dist-info/METADATA", METADATA.encode())),
    ("vi_data_data", "a new dist-info by .data/data", "refuse", "dist-info", file(DATA + "data/" + SITE + "other-1.0.dist-info/METADATA", METADATA.encode())),
    ("vi_egg_by_data", "an egg-info by .data", "refuse", "egg-info", file(DATA + "platlib/other.egg-info/PKG-INFO", METADATA.encode())),
    ("vi_none", "no dist-info at all", "refuse", "no dist-info", lambda: (lambda made: setattr(made, "info", []) or setattr(made, "record", False) or made)(wheel())),
    ("vi_own_record", "its own INSTALLER, REQUESTED and direct_url.json", "accept", "",
     lambda: wheel(Entry(INFO + "INSTALLER", b"\x1b[2J"), Entry(INFO + "REQUESTED", b""), Entry(INFO + "direct_url.json", b'{"url": "file:///x"}'))),
    ("va_case", ".DATA", "refuse", "another name", file("evil-1.0.DATA/scripts/x")),
    ("va_spelling", ".data with another spelling", "refuse", "another name", file("Evil-1.0.data/scripts/x")),
    ("va_version", ".data with another spelling of the version", "refuse", "another name", file("evil-1.data/scripts/x")),
    ("va_deep_data", ".data below .data", "accept", "", file(DATA + "purelib/evil/evil-1.0.data/scripts/x")),
    ("va_key_case", "Scripts", "refuse", "not known", file(DATA + "Scripts/x")),
    ("va_include", "include", "refuse", "not known", file(DATA + "include/x.h")),
    ("va_stdlib", "stdlib", "refuse", "not known", file(DATA + "stdlib/os.py")),
    ("va_activate", ".data overwrites bin/activate", "refuse", "would be lost", file(DATA + "scripts/activate")),
    ("va_scripts_dir", "a directory among the scripts", "accept", "", file(DATA + "scripts/sub/x")),
    ("va_bin_dir", "a directory where the interpreter is", "refuse", "not a directory", file(DATA + "data/bin/python/x")),
    ("va_site_file", "a file where site-packages is", "refuse", "directory is in the way", file(DATA + "data/" + SITE.rstrip("/"))),
    ("va_lib64", "by the link lib64", "refuse", "not a directory", file(DATA + "data/lib64/x.py")),
    ("va_pth", ".pth by .data", "ask", "every start", file(DATA + "purelib/evil.pth", b"import os\n")),
    ("va_pth_data", ".pth by .data/data", "ask", "every start", file(DATA + "data/" + SITE + "evil.pth", b"import os\n")),
    ("va_site_platlib", "sitecustomize by .data", "ask", "every start", file(DATA + "platlib/sitecustomize/__init__.py")),
    ("va_site_so", "sitecustomize as an extension module", "ask", "every start", file("sitecustomize.cpython-312-x86_64-linux-gnu.so")),
    ("va_site_pyc", "sitecustomize as bytecode", "ask", "every start", file("sitecustomize.pyc")),
    ("va_hidden_pth", "a hidden .pth", "ask", "every start", file(".pth", b"import os\n")),
    ("va_empty_pth", "an empty .pth", "ask", "every start", file("evil.pth", b"")),
    ("va_pth_dir", "a directory with a name of .pth", "accept", "", file("evil.pth/a.py")),
    ("va_same", "two files of one target", "refuse", "target of two files", lambda: wheel(Entry(DATA + "purelib/evil/a.py", b"1"), Entry(DATA + "platlib/evil/a.py", b"1"))),
    # What is installed.
    ("vo_file_for_dir", "a file where another has a directory", "refuse", "directory is in the way", file("victim")),
    ("vo_below_file", "a file below another's file", "refuse", "not a directory", file("victim/__init__.py/x.py")),
    ("vo_beside", "a module beside another's", "accept", "", file("victim/extra.py")),
    ("vo_unlisted", "a file that nobody owns", "refuse", "would be lost", file(DATA + "data/bin/activate.csh")),
    ("vo_victims_record", "another's RECORD", "refuse", "dist-info", file(DATA + "purelib/victim-1.0.dist-info/RECORD")),
    # METADATA.
    ("vm_two_names", "two names", "warn", "given again", metadata(METADATA + "Name: good\n")),
    ("vm_two_versions", "two versions", "warn", "given again", metadata(METADATA + "Version: 2.0\n")),
    ("vm_same_names", "the name twice", "accept", "", metadata(METADATA + "Name: evil\n")),
    ("vm_no_name", "no name", "refuse", "without a Name", metadata(replaced(METADATA, "Name: evil\n", ""))),
    ("vm_empty", "no METADATA in METADATA", "refuse", "without a Name", metadata("")),
    ("vm_spelling", "the name in another spelling", "accept", "", metadata(replaced(METADATA, "Name: evil", "Name: EVIL"))),
    ("vm_version_spelling", "the version in another spelling", "accept", "", metadata(replaced(METADATA, "1.0\nS", "v1\nS"))),
    ("vm_bom", "a byte order mark", "accept", "", metadata("\ufeff" + METADATA)),
    ("vm_crlf", "line ends of DOS", "accept", "", metadata(METADATA.replace("\n", "\r\n"))),
    ("vm_folded", "a folded name", "accept", "", metadata(replaced(METADATA, "Name: evil", "Name:\n evil"))),
    ("vm_folded_two", "a name of two lines", "refuse", "name in METADATA", metadata(replaced(METADATA, "Name: evil", "Name: evil\n good"))),
    ("vm_nul", "a NUL in the name", "refuse", "name in METADATA", metadata(replaced(METADATA, "Name: evil", "Name: evil\0"))),
    ("vm_blank_first", "an empty line first", "refuse", "without a Name", metadata("\n" + METADATA)),
    ("vm_long_line", "a line of 4 MB", "accept", "", metadata(METADATA + "Author: " + "x" * 4_000_000 + "\n")),
    ("vm_long_name", "a name of 4 MB", "refuse", "name in METADATA", metadata(replaced(METADATA, "Name: evil", "Name: " + "evil" * 1_000_000))),
    ("vm_many", "200 000 requirements", "refuse", "more than", metadata(METADATA + "Requires-Dist: a\n" * 200_000)),
    ("vm_metadata_9", "Metadata-Version 9.9", "refuse", "Metadata-Version", metadata(replaced(METADATA, "Metadata-Version: 2.1", "Metadata-Version: 9.9"))),
    ("vm_metadata_29", "Metadata-Version 2.9", "warn", "Metadata-Version", metadata(replaced(METADATA, "Metadata-Version: 2.1", "Metadata-Version: 2.9"))),
    ("vm_no_metadata_version", "no Metadata-Version", "accept", "", metadata(replaced(METADATA, "Metadata-Version: 2.1\n", ""))),
    ("vm_bad_requirement", "a requirement that is none", "warn", "problem of METADATA", metadata(METADATA + "Requires-Dist: ==\x1b[2J\n")),
    ("vm_itself", "a requirement of itself", "accept", "", metadata(METADATA + "Requires-Dist: evil>=99\n")),
    ("vm_deep_extras", "a thousand extras", "accept", "", metadata(METADATA + "".join(f"Provides-Extra: x{i}\n" for i in range(1000)))),
    ("vm_is_dir", "METADATA is a directory", "refuse", "", lambda: (lambda made: made.info.pop(0) and made)(wheel(Entry(INFO + "METADATA/", b"", mode=0o040755)))),
    # WHEEL.
    ("vw_two_versions", "two versions of the format", "refuse", "two versions", wheel_file(WHEEL + "Wheel-Version: 2.0\n")),
    ("vw_no_version", "no version of the format", "refuse", "no version", wheel_file(replaced(WHEEL, "Wheel-Version: 1.0\n", ""))),
    ("vw_version_1", "version 1", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "1"))),
    ("vw_version_three", "version 1.0.0", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "1.0.0"))),
    ("vw_version_minus", "version -1.0", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "-1.0"))),
    ("vw_version_huge", "a version beyond numbers", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "9" * 40 + ".0"))),
    ("vw_two_roots", "Root-Is-Purelib twice", "warn", "twice", wheel_file(WHEEL + "Root-Is-Purelib: false\n")),
    ("vw_root_odd", "Root-Is-Purelib: maybe", "accept", "", wheel_file(replaced(WHEEL, "true", "maybe"))),
    ("vw_root_none", "no Root-Is-Purelib", "accept", "", wheel_file(replaced(WHEEL, "Root-Is-Purelib: true\n", ""))),
    ("vw_root_false", "Root-Is-Purelib: FALSE", "accept", "", wheel_file(replaced(WHEEL, "true", "FALSE"))),
    ("vw_no_tag", "no tag", "accept", "", wheel_file(replaced(WHEEL, "Tag: py3-none-any\n", ""))),
    ("vw_bom", "a byte order mark", "refuse", "no version", wheel_file("\ufeff" + WHEEL)),
    ("vw_crlf", "line ends of DOS", "accept", "", wheel_file(WHEEL.replace("\n", "\r\n"))),
    ("vw_nul", "NULs", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "1\0.0"))),
    ("vw_folded", "a folded version", "refuse", "no version", wheel_file(replaced(WHEEL, "Wheel-Version: 1.0", "Wheel-Version:\n 1.0"))),
    ("vw_huge", "2 MB", "refuse", "more than", wheel_file(WHEEL + "X: " + "y" * 2_000_000 + "\n")),
    ("vw_escape", "escape sequences", "refuse", "no version", wheel_file(replaced(WHEEL, "1.0", "\x1b[2J\x9b"))),
    ("vw_empty", "empty", "refuse", "no version", wheel_file("")),
    # Entry points.
    ("vp_other_groups", "groups that are not ours", "accept", "", points("[evil.plugins]\n../../x = whatever\n")),
    ("vp_group_case", "CONSOLE_SCRIPTS", "accept", "", points("[CONSOLE_SCRIPTS]\n../../x = evil:main\n")),
    ("vp_group_blank", "a group with blanks", "refuse", "no script may have", points("[ console_scripts ]\n../x = evil:main\n")),
    ("vp_no_group", "a script of no group", "accept", "", points("../x = evil:main\n")),
    ("vp_open_group", "a group that does not end", "accept", "", points("[console_scripts\n../x = evil:main\n")),
    ("vp_blank", "a name with blanks", "refuse", "no script may have", points(SCRIPTS + "my script = evil:main\n")),
    ("vp_cr", "a name with a carriage return", "refuse", "no script may have", points(SCRIPTS + "a\rb = evil:main\n")),
    ("vp_dotdot", "a name of dots", "refuse", "no script may have", points(SCRIPTS + ".. = evil:main\n")),
    ("vp_dash", "a name that is an option", "refuse", "no script may have", points(SCRIPTS + "-rf = evil:main\n")),
    ("vp_empty", "no name", "refuse", "no script may have", points(SCRIPTS + " = evil:main\n")),
    ("vp_long", "a name of 5000 bytes", "refuse", "no script may have", points(SCRIPTS + "x" * 5000 + " = evil:main\n")),
    ("vp_unicode", "a name beyond ASCII", "refuse", "no script may have", points(SCRIPTS + "p\u0443thon = evil:main\n")),
    ("vp_absolute", "an absolute path", "refuse", "no script may have", points(SCRIPTS + "/bin/ls = evil:main\n")),
    ("vp_nul", "a NUL", "refuse", "no script may have", points(SCRIPTS + "a\0b = evil:main\n")),
    ("vp_no_equals", "no `=`", "refuse", "no `=`", points(SCRIPTS + "evil\n")),
    ("vp_no_function", "no function", "refuse", "names no function", points(SCRIPTS + "x = evil\n")),
    ("vp_keyword", "a call", "refuse", "no `module:function`", points(SCRIPTS + "x = evil:main(1)\n")),
    ("vp_newline_in", "a reference with a line end of Unicode", "refuse", "no `module:function`", points(SCRIPTS + "x = evil:main\u2028import os\n")),
    ("vp_form_feed", "a reference with a form feed", "refuse", "no `module:function`", points(SCRIPTS + "x = evil:ma\fin\n")),
    ("vp_digit", "a reference that begins with a digit", "refuse", "no `module:function`", points(SCRIPTS + "x = 1evil:main\n")),
    ("vp_extras", "a reference with extras", "accept", "", points(SCRIPTS + "x = evil:main [a,b]\n")),
    ("vp_crlf", "line ends of DOS", "accept", "", points(SCRIPTS.replace("\n", "\r\n") + "x = evil:main\r\n")),
    ("vp_case", "scripts that differ in case only", "accept", "", points(SCRIPTS + "evil = evil:main\nEvil = evil:main\n")),
    ("vp_twice", "one script in both groups", "accept", "", points(SCRIPTS + "x = evil:main\n[gui_scripts]\nx = evil:gui\n")),
    ("vp_and_data", "one script as entry point and in .data", "accept", "", lambda: wheel(Entry(DATA + "scripts/x", b"#!python\n"), entry_points=SCRIPTS + "x = evil:main\n")),
    ("vp_activate", "a script named activate", "refuse", "would be lost", points(SCRIPTS + "activate = evil:main\n")),
    ("vp_python_config", "a script named python3-config", "refuse", "only Python or pip", points(SCRIPTS + "python3-config = evil:main\n")),
    ("vp_python_exact", "a script named python3.12", "refuse", "only Python or pip", points(SCRIPTS + "python3.12 = evil:main\n")),
    ("vp_pip_exact", "a script named pip3.12", "refuse", "only Python or pip", points(SCRIPTS + "pip3.12 = evil:main\n")),
    ("vp_unpin", "a script named unpin", "accept", "", points(SCRIPTS + "unpin = evil:main\n")),
    ("vp_huge", "2 MB", "refuse", "", points(SCRIPTS + "# " + "x" * 2_000_000 + "\n")),
    ("vp_many", "20 000 scripts", "refuse", "", points(SCRIPTS + "".join(f"x{i} = evil:main\n" for i in range(20_000)))),
    # File names.
    ("vf_case", "a name in other letters", "accept", "", lambda: wheel(filename="Evil-1.0-py3-none-any.whl")),
    ("vf_build", "a build number", "accept", "", lambda: wheel(filename="evil-1.0-1abc-py3-none-any.whl")),
    ("vf_build_odd", "a build number that is none", "refuse", "", lambda: wheel(filename="evil-1.0-abc-py3-none-any.whl")),
    ("vf_parts", "too many parts", "refuse", "", lambda: wheel(filename="evil-1.0-1-2-py3-none-any.whl")),
    ("vf_zip", "another ending", "refuse", "", lambda: wheel(filename="evil-1.0-py3-none-any.zip")),
    ("vf_capital_end", "an ending in capitals", "refuse", "", lambda: wheel(filename="evil-1.0-py3-none-any.WHL")),
    ("vf_newline", "a line end", "refuse", "name", lambda: wheel(filename="evil-1.0-py3-none-any\n.whl")),
    ("vf_other", "another name", "refuse", "not the dist-info directory", lambda: wheel(filename="good-1.0-py3-none-any.whl")),
    ("vf_other_version", "another version", "refuse", "not the dist-info directory", lambda: wheel(filename="evil-2.0-py3-none-any.whl")),
    ("vf_version_spelling", "another spelling of the version", "accept", "", lambda: wheel(filename="evil-1-py3-none-any.whl")),
    # Many.
    ("vq_dirs", "20 000 directories", "limit", "", padding("evil/{}/", 20_000)),
    ("vq_files_in_dirs", "1 000 files, each in its directory", "limit", "", padding("evil/{0}/{0}.py", 1000)),
    ("vq_startup", "a hundred .pth", "ask", "every start", padding("evil{}.pth", 100)),
]
