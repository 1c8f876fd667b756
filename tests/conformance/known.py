"""Every known difference between unpin and packaging, with its reason. test_known.py asserts that each still exists.

A difference is (question, what packaging says, reason). "!" means that the text is refused; "raises" that packaging
takes it and raises when it is used.
"""

TOO_LARGE = "9223372036854775808"  # 2**63

DIFFERENCES = [
    (("version", f"{TOO_LARGE}.0"), f"{TOO_LARGE}.0", "numbers are kept in 63 bits; no release has a larger one"),
    (("version", f"1.0a{TOO_LARGE}"), f"1.0a{TOO_LARGE}", "the same for the number of a pre-release"),
    (("version", f"1.0.dev{TOO_LARGE}"), f"1.0.dev{TOO_LARGE}", "the same for the number of a development release"),
    (("version", "1." * 1024 + "0"), "1." * 1024 + "0", "versions are bounded: 1,024 parts, 1,024 bytes"),
    (("version", "1.0" + "0" * 1100), "1.0", "versions are bounded: 1,024 bytes"),
    (("version", "\u00a01.0"), "1.0", "only ASCII blanks may surround a version"),
    (("version", "\x1f1.0"), "1.0", "information separators are no blanks"),
    (("match", "===\u00c4", "\u00e4"), "1", "only ASCII letters are compared without case"),
    (("match", "==1.0," * 1001, "1.0"), "1", "sets of specifiers are bounded: 1,000"),
    (("requirement", "foo_"), "foo_", "PEP 508: a name ends with a letter or digit"),
    (("requirement", "foo[a_]"), "foo[a_]", "PEP 508: an extra ends with a letter or digit"),
    (("requirement", "foo[A_b]"), "foo[A_b]", "PEP 685: extras are kept in their normal form"),
    (("requirement", "foo\n"), "!", "line breaks around a requirement are dropped"),
    (("requirement", "foo @ http://x\x01y"), "foo @ http://x\x01y", "a URL has no control characters"),
    (("requirement", "f" * 201), "f" * 201, "names are bounded: 200 bytes"),
    (("requirement", "foo[" + ",".join(f"a{n:03}" for n in range(101)) + "]"), "foo[" + ",".join(f"a{n:03}" for n in range(101)) + "]", "extras are bounded: 100"),
    (("requirement", "foo" + " " * 70000 + "==1"), "foo==1", "requirements are bounded: 64 KiB"),
    (("marker", "'a' == 'b'"), "raises", "a comparison of two literals cannot be evaluated"),
    (("marker", "'a' == 'os_name'"), '"a" == "os_name"', "the same, where packaging takes the right literal for a variable"),
    (("marker", "extras == 'a'"), "raises", "PEP 751: sets are for `in` and `not in` only"),
    (("marker", "'a' == extras"), "raises", "PEP 751: sets are for `in` and `not in` only"),
    (("marker", r"os_name == 'a\\b'"), 'os_name == "a\\b"', "a backslash is written as it must be read again"),
    (("marker", r"os_name == 'a\x22\x27'"), "raises", "a literal with both quotes is written with an escape"),
    (("marker", r"os_name == '\N{BULLET}'"), 'os_name == "\u2022"', "names of characters are not known"),
    (("marker", r"os_name == '\ud800'"), None, "surrogates are no characters"),
    (("marker", "extra == '\u00c4'"), 'extra == "\u00e4"', "only ASCII letters are normalized"),
    (("marker", "(" * 65 + "os_name == 'a'" + ")" * 65), 'os_name == "a"', "markers are bounded: 64 levels"),
    (("marker", " or ".join(["os_name == 'a'"] * 4097)), " or ".join(['os_name == "a"'] * 4097), "markers are bounded: 4,096 comparisons"),
    (("eval", "os_name ~= 'x'", ""), "raises", "what is not defined for texts is false, as a resolver must go on"),
    (("eval", "os_name === 'posix'", ""), "raises", "what is not defined for texts is false"),
    (("eval", "'a' in extras", ""), "raises", "outside of a lock file the set of extras is empty"),
    (("eval", "'a' not in dependency_groups", ""), "raises", "outside of a lock file the set of groups is empty"),
    (("wheel", "_foo-1.0-py3-none-any.whl"), "-foo", "a project's name begins with a letter or digit"),
    (("wheel", "\u00e4-1.0-py3-none-any.whl"), "\u00e4", "file names are ASCII"),
    (("wheel", "foo-1.0-py3-none-any/x.whl"), "foo", "a file name holds no directory"),
    (("wheel", "foo-1.0-py3-none-any x.whl"), "foo", "a file name holds no blank"),
    (("wheel", "foo-1.0-" + ".".join(f"py{n}" for n in range(40)) + "-" + ".".join(f"a{n}" for n in range(40)) + "-any.whl"), "foo", "tags are bounded: 1,024"),
]
