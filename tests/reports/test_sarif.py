"""SARIF that code scanning takes: valid, within its limits, and with alerts that stay the same when lines move."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policy.engine import check
from policy.findings import Field, ObjectRef, Place, Severity
from policy.manifests.paths import by_name
from policy.reports import Run
from policy.reports.plain import printable
from policy.reports.sarif import MAX_RESULTS, render
from policy.result import LocatedFinding, LocatedSkip, fingerprints
from policy.rules import RULES
from policy.settings import load_settings
from policy.targets import targets
from tests.reports.builders import always, finding, findings, run_of
from tests.reports.conftest import TODAY, rules
from tests.reports.sarif_model import Result, SarifRun, decode


def sarif(run: Run) -> SarifRun:
    return decode(render(run, version="1.2.3"))


def test_the_log_is_valid_and_says_what_the_run_found(run: Run) -> None:
    log = sarif(run)

    assert [(each.rule_id, each.level) for each in log.results] == [
        (each.rule, each.severity.value) for each in run.result.findings
    ]
    for each in log.results:
        assert isinstance(each.rule_index, int)
        assert log.tool.driver.rules[each.rule_index].id == each.rule_id
    assert not log.invocations[0].execution_successful
    assert log.invocations[0].exit_code == 2
    levels = [note.level for note in log.invocations[0].tool_execution_notifications]
    assert levels == ["error", "note"]
    assert run.result.accepted, "the repository has an accepted finding, which is no result"
    assert not any(each.rule_id == "read-only-root" for each in log.results)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version": "2.1.0"', '"version": "2.0.0"'),
        ('"startLine": 14', '"startLine": 0'),
        ('"level": "warning"', '"level": "fatal"'),
        ('"executionSuccessful"', '"executionSucceeded"'),
    ],
)
def test_the_model_refuses_what_is_not_sarif(run: Run, old: str, new: str) -> None:
    text = render(run, version=None)
    assert old in text

    with pytest.raises(msgspec.ValidationError):
        decode(text.replace(old, new))


def test_every_rule_has_what_code_scanning_shows() -> None:
    log = sarif(run_of(rule_pages="https://policy.example/rules/"))
    shown = log.tool.driver.rules

    assert [rule.id for rule in shown] == sorted(rule.id for rule in RULES)
    assert len({rule.name for rule in shown}) == len(RULES)
    for rule in shown:
        assert rule.help_uri == f"https://policy.example/rules/{rule.id}.md"
        assert rule.help.markdown.startswith(rule.short_description.text)
        assert len(rule.full_description.text) > len(rule.short_description.text), "it says why"


@given(st.lists(findings, max_size=3))
def test_whatever_manifests_hold_is_valid(found: list[LocatedFinding]) -> None:
    log = sarif(run_of(found))

    assert len(log.results) == len(found)


def test_results_beyond_the_limit_are_counted_and_the_errors_stay() -> None:
    errors = [finding(message=f"{number} is wrong") for number in range(MAX_RESULTS)]
    warning = finding(severity=Severity.WARNING)

    text = render(run_of([*errors, warning, warning]), version=None)
    log = decode(text)

    assert len(log.results) == MAX_RESULTS
    assert {each.level for each in log.results} == {"error"}
    (note,) = log.invocations[0].tool_execution_notifications
    assert note.message.text == "2 findings left out: code scanning takes 25000 at most"
    assert len(gzip.compress(text.encode())) < 10_000_000, "GitHub takes 10 MB"


def test_a_skip_of_a_rule_that_did_not_run_is_told_too() -> None:
    log = sarif(run_of(rules=[RULES[0]], skipped=(LocatedSkip("schema-valid", (), None, "no object"),)))

    (note,) = log.invocations[0].tool_execution_notifications
    assert note.message.text == "not checked: no object"


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("base/a b/ü#?.yaml", "base/a%20b/%C3%BC%23%3F.yaml"),
        ("/outside/a.yaml", "file:///outside/a.yaml"),
        ("<stdin>", "%3Cstdin%3E"),
    ],
)
def test_a_file_is_a_uri(file: str, uri: str) -> None:
    (shown,) = sarif(run_of([finding(place=Place(file, 1))])).results

    location = shown.locations[0].physical_location.artifact_location
    assert location.uri == uri
    assert unquote(uri).endswith(file)
    assert (location.uri_base_id == "%SRCROOT%") == (not file.startswith("/"))


def plain_text(result: Result) -> str:
    """A message as SARIF means it: escapes resolved, links as their text (section 3.11.6)."""
    text = re.sub(r"(?<!\\)\[((?:\\.|[^\\\]])*)\]\((\d+)\)", r"\1", result.message.text)
    return re.sub(r"\\([\\\[\]])", r"\1", text)


@given(st.text(min_size=1))
def test_a_message_is_no_link(message: str) -> None:
    (shown,) = sarif(run_of([finding(message=message, fix=None, overlays=())])).results

    assert not re.search(r"(?<!\\)(\\\\)*\[", shown.message.text)
    assert re.sub(r"[.\n]", "", plain_text(shown)) == re.sub(r"[.\n]", "", printable(message))


def test_related_places_are_linked_by_their_ids() -> None:
    places = (Place("a[1].yaml", 7), Place("b.yaml", 9, 2, 5))

    (shown,) = sarif(run_of([finding(related=places)])).results

    assert isinstance(shown.related_locations, list)
    assert [location.id for location in shown.related_locations] == [1, 2]
    assert "See [a\\[1\\].yaml:7](1)." in shown.message.text
    assert "See [b.yaml:9](2)." in shown.message.text
    assert (
        plain_text(shown)
        == "it is wrong.\n\nFix: make it right.\n\nSee a[1].yaml:7.\n\nSee b.yaml:9.\n\nOverlays: prod"
    )


def found_in(root: Path) -> set[str]:
    settings = load_settings(root / "policy.toml", RULES)
    result = check(targets((), settings), settings, rules(), today=TODAY)
    log = sarif(Run(result, rules(), root, always))
    found = [each.partial_fingerprints.primary_location_line_hash for each in log.results]
    assert len(set(found)) == len(found) > 5
    return set(found)


def test_alerts_stay_the_same_when_lines_move_and_lists_are_reordered(repository: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    before = found_in(root)

    for file in (root / "base/shop.yaml", root / "overlays/prod/quota.yaml"):
        file.write_text(f"# a comment\n\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    shop = root / "base/shop.yaml"
    head, first, second = re.split(r"(?m)^        - ", shop.read_text(encoding="utf-8"))
    shop.write_text(f"{head}        - {second}        - {first}", encoding="utf-8")

    assert found_in(root) == before

    shop.write_text(shop.read_text(encoding="utf-8").replace("name: app", "name: other"), encoding="utf-8")
    assert found_in(root) != before


def test_a_fingerprint_tells_apart_what_is_not_the_same() -> None:
    one = finding()
    others = [
        one,
        replace(one, rule="key-unique"),
        replace(one, objects=(ObjectRef("Deployment", "other"),)),
        replace(one, named_path=("spec", "paused")),
        replace(one, message="it is otherwise wrong"),
        replace(one, place=Place("other.yaml", 3)),
    ]
    assert len(set(fingerprints(others))) == len(others)
    assert len(set(fingerprints([one, one, one]))) == 3

    same = [
        one,
        replace(one, place=Place("base/shop.yaml", 30)),
        replace(one, path=("spec", 3)),
        replace(one, overlays=("dev", "prod")),
        replace(one, objects=(ObjectRef("Deployment", "shop", "dev"), *one.objects)),
    ]
    assert {each for item in same for each in fingerprints([item])} == set(fingerprints([one]))


@pytest.mark.parametrize("words", ["first in line {}", "see base/shop.yaml:{}"])
def test_a_line_number_in_the_message_does_not_count(words: str) -> None:
    assert fingerprints([finding(message=words.format(7))]) == fingerprints([finding(message=words.format(12))])


def test_the_hash_in_the_name_of_a_generated_object_does_not_count() -> None:
    def of(kind: str, suffix: str) -> list[str]:
        return fingerprints([finding(objects=(ObjectRef(kind, f"settings-{suffix}"),))])

    assert of("ConfigMap", "2bc4df6ghk") == of("ConfigMap", "mt2bc4df6g")
    assert of("Deployment", "2bc4df6ghk") != of("Deployment", "mt2bc4df6g")
    assert of("ConfigMap", "production") != of("ConfigMap", "somewhere1")


def test_a_field_is_named_by_what_names_its_items() -> None:
    pod = {
        "containers": [
            {"name": "app", "ports": [{"containerPort": 80}], "args": ["-v", "-v"]},
            {"name": "app"},
            {"image": "x"},
        ]
    }

    def named(*path: str | int) -> str:
        return "/".join(by_name(pod, Field(ObjectRef("Pod", "p"), path).path))

    assert named("containers", 0, "ports", 0, "protocol") == "containers/[name=app]/ports/[containerPort=80]/protocol"
    assert named("containers", 0, "args", 0) == "containers/[name=app]/args/[-v]"
    assert named("containers", 0, "args", 1) == "containers/[name=app]/args/[1]"
    assert named("containers", 1, "image") == "containers/[1]/image"
    assert named("containers", 2, "image") == "containers/[2]/image"
    assert named("containers", 9, "image") == "containers/[9]/image"
    assert named("absent", 0, "x") == "absent/[0]/x"


def test_columns_are_those_of_the_place(run: Run) -> None:
    text = json.loads(render(run, version=None))
    found = next(each for each in run.result.findings if each.rule == "key-unique")
    region = next(
        each["locations"][0]["physicalLocation"]["region"]
        for each in text["runs"][0]["results"]
        if each["ruleId"] == "key-unique"
    )
    assert region == {
        "startLine": found.place.line,
        "startColumn": found.place.column,
        "endLine": found.place.line,
        "endColumn": found.place.end_column,
    }
