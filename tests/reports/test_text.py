"""The report for a terminal: nothing is cut, the caret stands below what is wrong, and nothing is obeyed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.findings import Place, Severity
from policy.reports.excerpt import display_width, excerpt
from policy.reports.plain import one_line
from policy.reports.text import render
from policy.result import LocatedFinding, LocatedSkip, OverlayResult
from tests.reports.builders import finding, findings, result

NOWHERE = Path("/nowhere")
severities = st.sampled_from(Severity)
places = st.builds(Place, st.sampled_from(["a.yaml", "b.yaml"]), st.integers(1, 9))
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shop.yaml"


def quoted(source: Path, line: str, column: int, end: int | None, *, width: int | None = None) -> list[str]:
    """The quoted line, and the line of the caret."""
    source.write_text(f"first: line\n{line}\n", encoding="utf-8")
    found = finding(place=Place("shop.yaml", 2, column, end), message="wrong")
    lines = render(result([found]), root=source.parent, color=False, width=width).splitlines()
    assert lines[1] == "  shop.yaml:2"
    return [each.removeprefix("      2 | ").removeprefix("        | ") for each in lines[2:4]]


@pytest.mark.parametrize(
    ("line", "column", "end", "shown"),
    [
        ("key: value", 6, 11, ["key: value", "     ^^^^^ wrong"]),
        ("key:", 1, None, ["key:", "^ wrong"]),
        ("key:\tvalue", 6, 11, ["key: value", "     ^^^^^ wrong"]),
        ("買い: かご", 5, 7, ["買い: かご", "      ^^^^ wrong"]),
        ("e\u0301: x", 5, 6, ["e\u0301: x", "   ^ wrong"]),
        ("a: \x1b[2Jx", 4, 8, ["a: \\x1b[2Jx", "   ^^^^^^^ wrong"]),
        ("key: value", 6, 99, ["key: value", "     ^^^^^ wrong"]),
        ("key: value", 50, 60, ["key: value", "          ^ wrong"]),
        ("a: b\u2028c", 4, 5, ["a: b\\u2028c", "   ^ wrong"]),
    ],
)
def test_the_caret_stands_below_what_is_wrong(
    source: Path, line: str, column: int, end: int | None, shown: list[str]
) -> None:
    assert quoted(source, line, column, end) == shown


@pytest.mark.parametrize("column", [1, 150, 297])
def test_a_long_line_is_shown_around_what_is_wrong(source: Path, column: int) -> None:
    line = "".join(chr(ord("a") + number % 26) for number in range(300))

    shown, caret = quoted(source, line, column, column + 3, width=80)

    assert len(shown) <= 70
    start = caret.index("^")
    assert shown[start : start + 3] == line[column - 1 : column + 2]
    assert shown.strip("…") in line


def test_a_huge_value_is_not_shown_whole(source: Path) -> None:
    shown, caret = quoted(source, f"key: {'x' * 1_000_000}", 6, 1_000_006)

    assert len(shown) < 300
    assert len(caret) < 300


def test_a_place_that_cannot_be_quoted_has_its_message(source: Path) -> None:
    source.write_bytes(b"\xff\xfe not UTF-8")
    for place in (Place("shop.yaml", 1), Place("absent.yaml", 1), Place("<stdin>", 4), Place("null\0", 1)):
        lines = render(result([finding(place=place)]), root=source.parent, color=False).splitlines()
        assert lines[1] == f"  {one_line(str(place))}"
        assert lines[2] == "        | it is wrong"


def test_a_file_that_changes_between_two_reports_is_quoted_as_it_is(source: Path) -> None:
    source.write_text("old: 1\n" * 10_000, encoding="utf-8")
    place = Place(source.name, 9_000)
    quote = excerpt(place, source.parent, columns=80)
    assert quote is not None
    assert quote.source == "old: 1"

    source.write_text("newer: 22\n" * 10_000, encoding="utf-8")

    quote = excerpt(place, source.parent, columns=80)
    assert quote is not None
    assert quote.source == "newer: 22"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_line_of_a_long_file_can_be_quoted(source: Path, end: bytes) -> None:
    lines = [f"{number}: {'x' * (number % 97 + 1)}" for number in range(3_000)]
    lines[1_000] = "y" * 40_000
    lines[2_000] = "a\u2028b"
    source.write_bytes(b"\xef\xbb\xbf" + b"".join(line.encode() + end for line in lines))

    quotes = [excerpt(Place("shop.yaml", number), source.parent, columns=50_000) for number in range(1, 3_003)]

    assert [quote.source if quote else None for quote in quotes] == [
        *(line.replace("\u2028", "\\u2028") for line in lines),
        "",
        None,
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("message", [LONG, f"{LONG}\n  {LONG}\n  total", f"wrong {'x' * 500}"])
def test_no_word_of_a_message_is_lost(source: Path, width: int, message: str) -> None:
    source.write_text("key: value\n", encoding="utf-8")
    found = finding(place=Place("shop.yaml", 1, 6, 11), message=message, fix=message, note=message)
    skip = LocatedSkip("image-pinned", ("prod",), None, message)
    text = render(
        result([found], skipped=(skip,), errors=(PolicyError(message),)), root=source.parent, color=False, width=width
    )

    words = re.sub(r"[|^]|\b(fix|note):", " ", text).split()
    assert all(words.count(word) >= 5 for word in set(message.split()))
    longest = max(map(len, message.split())) + 12
    assert max(map(display_width, text.splitlines())) <= max(width, longest)


def test_findings_of_one_cause_are_told_together(source: Path) -> None:
    source.write_text("key: value\n", encoding="utf-8")
    place = Place("shop.yaml", 1, 6, 11)
    found = [finding(place=place, message=f"no {name}", fix="state both") for name in ("cpu", "memory")]

    lines = render(result(found), root=source.parent, color=False).splitlines()

    assert lines[:7] == [
        "error  image-pinned  Deployment/shop  prod",
        "  shop.yaml:1",
        "      1 | key: value",
        "        |      ^^^^^",
        "        | no cpu",
        "        | no memory",
        "  fix: state both",
    ]


@given(st.lists(findings, max_size=3), st.text(min_size=1), st.sampled_from([None, 60]))
def test_nothing_that_a_manifest_holds_is_obeyed(found: list[LocatedFinding], said: str, width: int | None) -> None:
    whole = result(
        found,
        skipped=(LocatedSkip("image-pinned", (said,), None, said),),
        errors=(PolicyError(said),),
        overlays=(OverlayResult(said, said, 1, ()),),
    )
    text = render(whole, root=NOWHERE, color=False, width=width)

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    for line in re.split("[\n\v\f\x1c-\x1e\x85\u2028\u2029]", text):
        assert not line.lstrip().startswith("::"), "a workflow command"
        assert "##[" not in line


def test_many_findings_end_with_a_table_of_rules() -> None:
    found = [
        finding(message=str(number), rule=rule) for rule, count in (("a", 3), ("b", 17)) for number in range(count)
    ]

    few = render(result(found[1:]), root=NOWHERE, color=False)
    many = render(result(found), root=NOWHERE, color=False)

    assert "\n\n17  b\n 3  a\n\n" in many
    assert "17  b" not in few


def test_of_many_findings_the_first_are_shown_and_the_others_counted() -> None:
    lines = [("error", "a", number) for number in range(23)] + [("warning", "b", number) for number in range(1_025)]
    found = [
        finding(severity=Severity(level), rule=rule, place=Place("shop.yaml", number + 1), message=f"{rule}{number}")
        for level, rule, number in lines
    ]
    skips = [LocatedSkip("c", ("prod",), None, f"c{number}") for number in range(22)]
    whole = result(found, skipped=tuple(skips), accepted=(), rules=3)

    text = render(whole, root=NOWHERE, color=False, first=20)

    assert re.findall(r"\| (\w+)$", text, re.MULTILINE) == [f"{rule}{number}" for rule in "ab" for number in range(20)]
    assert re.findall(r"why: (\w+)$", text, re.MULTILINE) == [f"c{number}" for number in range(20)]
    assert re.findall(r"(\w+)\n(?:  fix: .*\n)?  … and (.*)\n", text) == [
        ("a19", "3 more of this rule: --all shows them"),
        ("b19", "1,005 more of this rule: --all shows them"),
        ("c19", "2 more of this rule: --all shows them"),
    ]
    assert text.endswith(
        "\n\n1,025  b\n   23  a\n\n"
        "prod  rendered 3 objects, schema-valid for Kubernetes 1.34, policy: 1,048 findings\n"
        "not shown: 1,008 findings, 2 not checked; --all shows everything\n"
        "3 rules: 23 errors, 1,025 warnings, 22 not checked\n"
    )


def test_findings_of_one_cause_are_all_shown_or_none() -> None:
    place = Place("shop.yaml", 1)
    found = [finding(place=place, message=f"m{number}") for number in range(5)]
    other = finding(place=Place("shop.yaml", 2), message="other")

    text = render(result([*found, other]), root=NOWHERE, color=False, first=2)

    assert re.findall(r"\| (\w+)$", text, re.MULTILINE) == ["m0", "m1", "m2", "m3", "m4"]
    assert "… and 1 more of this rule" in text


@given(st.lists(st.builds(finding, rule=st.sampled_from("abc"), place=places, severity=severities), max_size=40))
def test_what_is_shown_is_the_same_when_all_is_shown(found: list[LocatedFinding]) -> None:
    found.sort(key=lambda each: (each.severity is Severity.WARNING, each.place, each.rule))

    def blocks(first: int | None) -> list[str]:
        text = render(result(found), root=NOWHERE, color=False, first=first)
        return re.sub(r"  … and .*\n|not shown: .*\n", "", f"{text}\n").split("\n\n")

    every = iter(blocks(None))
    assert all(block in every for block in blocks(3))
    assert blocks(40) == blocks(None)
