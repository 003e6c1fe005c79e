"""The comment on a pull request: never too long, nothing lost without being counted, and nobody's markup but ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policy.errors import PolicyError
from policy.findings import ObjectRef, Place, Severity
from policy.reports import Run
from policy.reports.markdown import MARKER, MAX_BYTES, code, fenced, render
from policy.result import Accepted, LocatedFinding, LocatedSkip, OverlayResult
from tests.reports.builders import HOSTILE, finding, findings, run_of, texts
from tests.reports.conftest import TODAY

FENCE = re.compile(r"(`{3,})(\w*)$")


def outside_code(text: str) -> str:
    """What GitHub reads as Markdown: the text without fenced blocks and inline code, by the rules of CommonMark."""
    kept: list[str] = []
    fence = None
    for line in text.split("\n"):
        if fence is None:
            opening = FENCE.fullmatch(line)
            if opening:
                fence = opening[1]
            else:
                kept.append(without_spans(line))
        elif re.fullmatch(rf"{fence}`*\s*", line):
            fence = None
    assert fence is None, "a fenced block never ends"
    return "\n".join(kept)


def without_spans(line: str) -> str:
    """A backtick string opens a span that the next one of the same length ends."""
    rest, kept = line, ""
    while opening := re.search("`+", rest):
        kept += rest[: opening.start()]
        closing = re.search(rf"(?<!`){opening[0]}(?!`)", rest[opening.end() :])
        assert closing, f"inline code never ends: {line!r}"
        rest = rest[opening.end() + closing.end() :]
    return kept + rest


MARKUP = re.compile(
    r"<!-- policy report -->|<br>|</?details>|</?summary>|^### |\[\]\(https://[A-Za-z0-9./%_~-]*(?:#L\d+)?\)",
    re.MULTILINE,
)
WORD = re.compile(r"[^\W\d]+")
WORDS = frozenset(
    WORD.findall(
        "policy error errors warning warnings not checked could run no findings finding overlay overlays objects "
        "schemas schema valid compared for Kubernetes and none be read accepted by exceptions the first until more did "
        "fit here rules rule nearest known place see line lines in baseline"
    )
)


def only_ours(text: str) -> bool:
    """Whether all that stands outside of code is the report's own markup and words, and figures."""
    rest = MARKUP.sub("", outside_code(text))
    return set(WORD.findall(rest)) <= WORDS and not re.search(r"[^\w \n.,;:()·*|-]", rest)


def comment(run: Run) -> str:
    text = render(run)
    assert len(text.encode()) <= MAX_BYTES
    assert text.startswith(f"{MARKER}\n")
    return text


def test_the_findings_come_right_after_the_summary(run: Run) -> None:
    text = comment(run)
    order = ("### policy: 6 errors, 1 warning", "| `prod` | 3 |", "**error**", "**warning**", "<details>")

    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert text.count("\n**error** ") + text.count("\n**warning** ") == len(run.result.findings)
    assert only_ours(text), outside_code(text)


def test_a_clean_run_is_short() -> None:
    assert comment(run_of()) == (
        f"{MARKER}\n\n### policy: no findings\n\n"
        "| overlay | objects | schemas | findings |\n|---|--:|---|---|\n"
        "| `prod` | 3 | schema-valid for Kubernetes 1.34 | none |\n"
    )


def test_links_lead_to_the_rule_and_the_line() -> None:
    run = run_of(
        [finding(place=Place("a b/ü.yaml", 7), related=(Place("c.yaml", 8),))],
        rule_pages="https://x.example/rules/",
        source="https://x.example/blob/main/",
    )

    text = comment(run)

    assert "[`image-pinned`](https://x.example/rules/image-pinned.md)" in text
    assert "[`a b/ü.yaml:7`](https://x.example/blob/main/a%20b/%C3%BC.yaml#L7)" in text
    assert "see [`c.yaml:8`](https://x.example/blob/main/c.yaml#L8)" in text


@pytest.mark.parametrize("file", ["<stdin>", "/outside/a.yaml"])
def test_what_is_not_in_the_repository_has_no_link(file: str) -> None:
    text = comment(run_of([finding(place=Place(file, 7))], source="https://x.example/blob/main/"))

    assert f"<br>\n`{file}:7`\n" in text


def hostile_run(found: Sequence[LocatedFinding], said: str) -> Run:
    return run_of(
        found,
        overlays=(OverlayResult(said, said, 1, ()), OverlayResult("b", "b", 0, (), (PolicyError(said),))),
        skipped=(LocatedSkip("image-pinned", (said,), ObjectRef(said, said), said),),
        accepted=(Accepted(finding(message=said), said, said, TODAY),),
        rule_pages="https://policy.example/rules/",
        source="https://github.example/blob/",
    )


@given(st.lists(findings, min_size=1, max_size=3), texts)
def test_nothing_that_a_manifest_holds_is_markup(found: list[LocatedFinding], said: str) -> None:
    text = comment(hostile_run(found, said))

    assert only_ours(text), outside_code(text)


@pytest.mark.parametrize("said", HOSTILE)
def test_a_table_keeps_its_columns(said: str) -> None:
    rows = comment(hostile_run([], said)).split("\n\n")[2].split("\n")

    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


@pytest.mark.parametrize("text", [*HOSTILE, " ", "a` `` b", "``"])
def test_code_is_read_back(text: str) -> None:
    assert without_spans(code(text)) == ""
    assert outside_code(fenced([text])) == ""


def test_what_does_not_fit_is_counted() -> None:
    errors = [
        finding(message=f"{number} is wrong", rule="image-pinned", place=Place("a.yaml", number + 1))
        for number in range(900)
    ]
    warnings = [
        finding(message="meh", rule="user-id-high", severity=Severity.WARNING, place=Place("b.yaml", number + 1))
        for number in range(100)
    ]

    text = comment(run_of([*errors, *warnings]))

    shown = text.count("\n**error** ")
    assert shown > 100
    assert text.endswith(
        f"\n\n**{1000 - shown} more findings** did not fit here ({900 - shown} errors, 100 warnings): "
        f"`image-pinned` {900 - shown}, `user-id-high` 100.\n"
    )
    assert only_ours(text), outside_code(text)


def test_what_does_not_fit_below_is_counted_too() -> None:
    skips = tuple(LocatedSkip("image-pinned", ("prod",), None, f"reason {number}") for number in range(MANY))

    text = comment(run_of(skipped=skips, errors=tuple(PolicyError(f"{number}") for number in range(25))))

    shown = text.count("\n- `image-pinned` · `prod`: `reason ")
    assert 500 < shown < MANY
    assert f"\n\n**{MANY - shown:,} more lines** did not fit here.\n\n</details>\n" in text
    assert "\n\n**5 more errors** did not fit here.\n\n" in text


MANY = 3000
HUGE = "買" * 100_000


@pytest.mark.parametrize(
    "changes",
    [
        {"overlays": tuple(OverlayResult(f"{number}{HUGE}", "", 1, ("1.34",)) for number in range(MANY))},
        {"errors": tuple(PolicyError(f"{number}{HUGE}") for number in range(MANY))},
        {"skipped": tuple(LocatedSkip("image-pinned", ("a",), None, f"{number}") for number in range(MANY))},
        {"skipped": (LocatedSkip("image-pinned", ("a" * 99_999,) * 9, ObjectRef(HUGE, HUGE), HUGE),)},
        {"accepted": (Accepted(finding(), HUGE, HUGE, TODAY),) * MANY},
        {"findings": [finding(message=HUGE, fix=HUGE, note=HUGE)] * 9},
        {"findings": [finding(message="`" * 100_000)]},
        {"findings": [finding(overlays=(HUGE,) * 99, objects=(ObjectRef(HUGE, HUGE),) * 99)]},
        {"findings": [finding(place=Place(HUGE, 1), related=(Place(HUGE, 1),) * 99)]},
    ],
    ids=["overlays", "errors", "skips", "huge skip", "accepted", "huge findings", "fence", "names", "places"],
)
def test_it_is_never_too_long(changes: dict[str, object]) -> None:
    all_of_it = run_of(changes.pop("findings", ()), **changes)  # type: ignore[arg-type]

    text = comment(replace(all_of_it, source="https://github.example/blob/"))

    assert "### policy:" in text
    assert only_ours(text), outside_code(text)
    assert text.count("<details>") == text.count("</details>")
