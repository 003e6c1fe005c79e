"""The pages of the rules: in docs/rules/, in the terminal, and what they say of settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec.structs import replace

from policy.cli import main
from policy.reports.pages import GENERATED, INDEX, files, markdown_page, page, table, toml, type_name
from policy.rules import RULES
from policy.rules.rule import Rule
from policy.settings import load_settings

DOCS = Path(__file__).parents[2] / "docs/rules"
WITH_SETTINGS = [rule for rule in RULES if msgspec.structs.fields(rule.options)]


def test_docs_are_fresh() -> None:
    found = {file.name: file.read_text(encoding="utf-8") for file in DOCS.iterdir()}

    assert found == files(RULES), "run `python -m policy rules docs docs/rules`"


def test_every_link_of_the_index_leads_to_a_page() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / INDEX).read_text(encoding="utf-8"))

    assert sorted(links) == sorted(f"{rule.id}.md" for rule in RULES)
    assert all((DOCS / link).is_file() for link in links)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_says_what_the_rule_is(rule: Rule) -> None:
    text = page(rule)

    facts = text.split("\n\n")[2]
    assert text.startswith(f"# {rule.id}\n\n{rule.summary}\n\n")
    assert facts.startswith(f"**{rule.severity.value}** · {rule.family} · {'on' if rule.enabled else 'off'} by default")
    assert facts.endswith("an exception can accept it" if rule.exceptable else "no exception can accept it")
    assert "**Why:** " in text
    assert "**Fix:** " in text
    assert text.count("```") % 2 == 0


def test_a_rule_that_is_off_or_final_says_so() -> None:
    rule = replace(RULES[0], enabled=False, exceptable=False)

    assert page(rule).split("\n\n")[2].endswith(" · off by default · no exception can accept it")
    assert table([rule]).split()[1:3] == [f"{rule.severity.value},", "off"]


@pytest.mark.parametrize("rule", WITH_SETTINGS, ids=lambda rule: rule.id)
def test_every_setting_is_explained(rule: Rule) -> None:
    prose = re.sub(r"## Settings\n\n(\|.*\n)+", "", markdown_page(rule)).split("```toml")[0]

    for field in msgspec.structs.fields(rule.options):
        assert re.search(rf"`{re.escape(field.encode_name)}\b", prose), f"what does {field.encode_name} set?"


@pytest.mark.parametrize("rule", WITH_SETTINGS, ids=lambda rule: rule.id)
def test_the_settings_that_a_page_shows_are_the_defaults(rule: Rule, tmp_path: Path) -> None:
    example = markdown_page(rule).rsplit("```toml\n", 1)[1].split("```")[0]
    file = tmp_path / "policy.toml"
    file.write_text(example, encoding="utf-8")

    shown = load_settings(file, RULES).rule(rule, "")

    assert shown.options == rule.options()
    assert all(f"{field.encode_name} = " in example for field in msgspec.structs.fields(rule.options))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (str, "string"),
        (bool, "true or false"),
        (int | None, "whole number"),
        (float, "number"),
        (tuple[str, ...], "list of strings"),
        (frozenset[str], "list of strings"),
        (list[int], "list of whole numbers"),
        (dict[str, float], "table of numbers"),
        (Mapping[str, tuple[str, ...]], "table of list of strings"),
        (Literal["a", "b"], '`"a"` or `"b"`'),
        (Annotated[int, msgspec.Meta(ge=1)], "whole number"),
        (str | int, "string or whole number"),
    ],
)
def test_a_type_in_words(kind: Any, words: str) -> None:
    assert type_name(kind) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (10.0, "10"),
        (0.25, "0.25"),
        ('a "b"', '"a \\"b\\""'),
        (("a", "b"), '["a", "b"]'),
        (frozenset({"b", "a"}), '["a", "b"]'),
        ({"a": 1}, '{"a" = 1}'),
        ((), "[]"),
    ],
)
def test_a_value_as_toml(value: Any, text: str) -> None:
    assert toml(value) == text


def test_pages_are_written_and_those_of_rules_that_are_gone_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "rules"
    assert main(["rules", "docs", str(folder)]) == 0
    (folder / "gone.md").write_text(f"{GENERATED}\n", encoding="utf-8")
    (folder / "by-hand.md").write_text("# mine\n", encoding="utf-8")
    (folder / INDEX).write_text("old", encoding="utf-8")

    assert main(["rules", "docs", str(folder)]) == 0

    assert {file.name for file in folder.iterdir()} == {*files(RULES), "by-hand.md"}
    assert (folder / INDEX).read_text(encoding="utf-8") == files(RULES)[INDEX]


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    assert main(["rules", "docs", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"policy: {tmp_path / 'file'}: cannot be written: File exists\n"


def test_the_list_of_rules_is_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(RULES)
    starts = {line.index(rule.summary) for line, rule in zip(lines, RULES, strict=True)}
    assert len(starts) == 1
    for line, rule in zip(lines, RULES, strict=True):
        words = line.split()
        assert words[:2] == [rule.id, f"{rule.severity.value}{'' if rule.enabled else ','}"]
        assert rule.family in words[2:4]


def test_a_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", "image-pinned"]) == 0
    assert capsys.readouterr().out == page(next(rule for rule in RULES if rule.id == "image-pinned"))

    assert main(["rules", "show", "image-pined"]) == 2
    assert capsys.readouterr().err == "policy: there is no rule image-pined; did you mean image-pinned?\n"
