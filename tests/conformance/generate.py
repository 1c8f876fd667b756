"""Random texts of the shapes that versions, specifiers, markers and requirements have, right and wrong ones."""

PRE = ["a", "b", "rc", "c", "alpha", "beta", "pre", "preview", "A", "RC", "Beta"]
POST = ["post", "rev", "r", "POST"]
SEPARATORS = ["", "", ".", "-", "_"]
NUMBERS = ["", "0", "1", "2", "3", "10", "01", "2024"]
LOCALS = ["nv", "nv25.04", "cu118", "1", "2", "ubuntu.1", "abc-1", "001", "g1a2b3c", "NV.5", "20250101", "79aa17489c.nv25.4"]


def release(rng, least=1):
    parts = [rng.choice(["0", "0", "1", "1", "2", "3", "10", "2.0", "00", "1.0"]) for _ in range(rng.randint(least, 3))]
    return ".".join(parts)


def version(rng, local=True):
    text = release(rng)
    if rng.random() < 0.06:
        text = rng.choice(["0!", "1!", "2!"]) + text
    if rng.random() < 0.05:
        text = rng.choice("vV") + text
    if rng.random() < 0.35:
        text += rng.choice(SEPARATORS) + rng.choice(PRE) + rng.choice(SEPARATORS) + rng.choice(NUMBERS)
    if rng.random() < 0.25:
        if rng.random() < 0.3:
            text += "-" + rng.choice(NUMBERS[1:])
        else:
            text += rng.choice(SEPARATORS) + rng.choice(POST) + rng.choice(SEPARATORS) + rng.choice(NUMBERS)
    if rng.random() < 0.25:
        text += rng.choice(SEPARATORS) + rng.choice(["dev", "DEV"]) + rng.choice(SEPARATORS) + rng.choice(NUMBERS)
    if local and rng.random() < 0.2:
        text += "+" + rng.choice(LOCALS)
    return text


def broken(rng, text, alphabet="0123456789.-_+!*ab rc<>=~,;()[]'\"\\vdevpost\t@#/"):
    """The text with one to three bytes added, dropped, changed or doubled."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        kind = rng.randint(0, 3)
        if kind == 0:
            text = text[:at] + rng.choice(alphabet) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + rng.choice(alphabet) + text[at + 1 :]
        else:
            text = text[:at] + text[max(0, at - 3) : at] + text[at:]
    return text


def near(rng, text):
    """A version close to `text`, so that comparisons are not all decided by the first number."""
    choice = rng.random()
    if choice < 0.3:
        return text
    if choice < 0.4:
        return text + ".0"
    if choice < 0.6:
        return text + rng.choice([".post1", ".dev0", ".dev1", "a1", "rc1", "+nv", "+1", ".post1.dev2", "a0.dev1", ".post0"])
    if choice < 0.8:
        head = text.split("+")[0].rstrip("abcdefghijklmnopqrstuvwxyz.-_")
        return (head or "1") + rng.choice(["", ".1", ".0.1", "a0+nv", "b2", ".post2", ".dev3", "+abc"])
    return version(rng)


def specifier(rng, base=None):
    op = rng.choice(["==", "==", "!=", "<=", ">=", "<", ">", "~=", "==="])
    text = base if base is not None and rng.random() < 0.7 else version(rng, local=op in ("==", "!=", "==="))
    if op not in ("==", "!=", "==="):
        text = text.split("+")[0]
    if op == "~=" and "." not in text:
        text += ".0"
    if op in ("==", "!=") and rng.random() < 0.25:
        text = release(rng) + ".*"
    return op + rng.choice(["", "", " ", "  "]) + text


def specifiers(rng, base=None):
    parts = [specifier(rng, base) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]
    return rng.choice([",", ", ", " , "]).join(parts)


NAMES = ["foo", "Foo.Bar", "zope.interface", "a", "A-b_c", "numpy", "ruamel.yaml.clib", "x--y", "Q3", "backports.zoneinfo"]
EXTRAS = ["dev", "test", "Dev_Tools", "all", "s3", "a.b", "security"]
STRINGS = {
    "os_name": ["posix", "nt", "java"],
    "sys_platform": ["linux", "win32", "darwin", "linux2", "cygwin"],
    "platform_machine": ["x86_64", "aarch64", "arm64", "x86_64 aarch64"],
    "platform_python_implementation": ["CPython", "PyPy"],
    "platform_release": ["5.15.0-1019-aws", "6.1", "22.6.0", "4.0"],
    "platform_system": ["Linux", "Windows", "Darwin", ""],
    "platform_version": ["#1 SMP", "1.0", "10.0.19041"],
    "python_version": ["3.8", "3.9", "3.10", "3.12", "3", "3.*", "2.7, 3.8", "3.12.0"],
    "python_full_version": ["3.8.0", "3.12.0", "3.12.0rc1", "3.12.*", "3.12"],
    "implementation_name": ["cpython", "pypy"],
    "implementation_version": ["3.12.0", "7.3.13", "3.8"],
    "extra": ["dev", "test", "Dev_Tools", "dev-tools", "", "a.b"],
}
ALIASES = {
    "os_name": ["os.name"],
    "sys_platform": ["sys.platform"],
    "platform_version": ["platform.version"],
    "platform_machine": ["platform.machine"],
    "platform_python_implementation": ["platform.python_implementation", "python_implementation"],
}
MARKER_OPS = ["==", "==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in"]


def comparison(rng):
    variable = rng.choice(list(STRINGS) + ["python_version", "extra", "sys_platform"])
    value = rng.choice(STRINGS[variable])
    name = rng.choice([variable] * 4 + ALIASES.get(variable, []))
    quote = rng.choice("'\"")
    left, right = name, quote + value + quote
    if rng.random() < 0.2:
        left, right = right, left
    op = rng.choice(MARKER_OPS)
    blank = " " if op in ("in", "not in") else rng.choice(["", " "])
    return f"{left}{blank}{op}{blank}{right}"


def marker(rng, depth=0):
    parts = [comparison(rng) if depth > 2 or rng.random() < 0.75 else f"({marker(rng, depth + 1)})" for _ in range(rng.choice([1, 1, 2, 2, 3]))]
    text = parts[0]
    for part in parts[1:]:
        text += f" {rng.choice(['and', 'or'])} {part}"
    return text


def requirement(rng):
    text = rng.choice(NAMES)
    if rng.random() < 0.3:
        text += rng.choice(["", " "]) + "[" + rng.choice([",", ", ", " ,"]).join(rng.sample(EXTRAS, rng.randint(0, 3))) + "]"
    if rng.random() < 0.12:
        text += rng.choice([" @ ", "@", " @"]) + rng.choice(["https://example.org/a-1.0.tar.gz#sha256=00", "file:///x/y", "git+https://h/r.git@v1"])
        if rng.random() < 0.5:
            text += " ; " + marker(rng)
        return text
    inner = specifiers(rng)
    if rng.random() < 0.2:
        inner = f"({inner})"
    text += rng.choice(["", " "]) + inner
    if rng.random() < 0.5:
        text += rng.choice([";", " ; ", "; "]) + marker(rng)
    return text
