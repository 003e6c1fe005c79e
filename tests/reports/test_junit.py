"""JUnit XML: a red case names its overlay and its rule, and what was not judged is never green."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policy.errors import PolicyError
from policy.findings import Severity
from policy.reports import Run
from policy.reports.junit import RAN, WHOLE, render
from policy.reports.plain import printable
from policy.result import LocatedFinding, LocatedSkip, OverlayResult
from policy.rules import RULES
from tests.reports.builders import finding, findings, run_of

PROD = OverlayResult("prod", "overlays/prod", 3, ("1.34",))


def parse(run: Run) -> Element:
    """The document, with its counts compared with what is there."""
    root = ElementTree.fromstring(render(run).encode("utf-8"))
    assert root.tag == "testsuites"
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        kinds = Counter(child.tag for case in cases for child in case)
        assert {key: int(element.attrib[key]) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": len(cases),
            "failures": kinds["failure"],
            "errors": kinds["error"],
            "skipped": kinds["skipped"],
        }
    return root


def case(root: Element, suite: str, name: str) -> Element:
    (found,) = root.findall(f"testsuite[@name='{suite}']/testcase[@name='{name}']")
    assert found.attrib["classname"] == suite
    return found


def kind(element: Element) -> str:
    """How a test report shows the case."""
    return next((child.tag for child in element if child.tag != "system-out"), "passed")


def test_every_overlay_is_a_suite_and_every_rule_a_case(run: Run) -> None:
    root = parse(run)

    assert [suite.attrib["name"] for suite in root] == ["dev", "prod", "broken", WHOLE]
    for suite in list(root)[:3]:
        names = [each.attrib["name"] for each in suite]
        assert names == [RAN, *(rule.id for rule in run.rules if rule.id != "exception-stale")]


def test_what_each_case_says(run: Run) -> None:
    root = parse(run)
    shown = {
        (suite, name): kind(case(root, suite, name))
        for suite in ("dev", "prod", "broken")
        for name in (RAN, "image-pinned", "startup-probe-set", "quota-fits-peak", "read-only-root", "schema-valid")
    }

    assert shown == {
        ("dev", RAN): "passed",
        ("dev", "image-pinned"): "failure",
        ("dev", "startup-probe-set"): "passed",
        ("dev", "quota-fits-peak"): "skipped",
        ("dev", "read-only-root"): "passed",
        ("dev", "schema-valid"): "passed",
        ("prod", RAN): "passed",
        ("prod", "image-pinned"): "failure",
        ("prod", "startup-probe-set"): "passed",
        ("prod", "quota-fits-peak"): "failure",
        ("prod", "read-only-root"): "passed",
        ("prod", "schema-valid"): "passed",
        ("broken", RAN): "error",
        ("broken", "image-pinned"): "skipped",
        ("broken", "startup-probe-set"): "skipped",
        ("broken", "quota-fits-peak"): "skipped",
        ("broken", "read-only-root"): "skipped",
        ("broken", "schema-valid"): "skipped",
    }


def test_strict_turns_warnings_and_skips_into_failures(run: Run) -> None:
    root = parse(replace(run, strict=True))

    assert kind(case(root, "dev", "startup-probe-set")) == "failure"
    assert kind(case(root, "dev", "quota-fits-peak")) == "failure"


@pytest.mark.parametrize(
    ("rule", "changes", "reason"),
    [
        ("image-pinned", {"is_enabled": lambda rule, _: rule.id != "image-pinned"}, "switched off"),
        ("key-unique", {"kustomizations": frozenset[str]()}, "the overlay is no kustomization"),
        ("schema-valid", {"overlays": (replace(PROD, schema_versions=()),)}, "schemas were not compared"),
        (
            "image-pinned",
            {"overlays": (replace(PROD, objects=0, errors=(PolicyError("x"),)),)},
            "the overlay could not be read",
        ),
    ],
)
def test_a_rule_that_did_not_look_has_not_passed(rule: str, changes: dict[str, Any], reason: str) -> None:
    (skipped,) = case(parse(run_of(**changes)), "prod", rule)

    assert (skipped.tag, skipped.attrib["message"]) == ("skipped", reason)
    assert kind(case(parse(run_of()), "prod", rule)) == "passed"


@pytest.mark.parametrize("changes", [{"is_whole": False}, {"errors": (PolicyError("no kubeconform"),)}])
def test_exceptions_are_judged_only_when_everything_is(changes: dict[str, Any]) -> None:
    root = parse(run_of(**changes))

    assert kind(case(root, WHOLE, "exception-stale")) == "skipped"
    assert kind(case(root, WHOLE, RAN)) == ("error" if "errors" in changes else "passed")
    assert kind(case(parse(run_of()), WHOLE, "exception-stale")) == "passed"


def test_what_is_of_no_overlay_is_told_once() -> None:
    stale = finding(rule="exception-stale", overlays=(), objects=())

    root = parse(run_of([stale]))

    assert kind(case(root, WHOLE, "exception-stale")) == "failure"
    assert root.attrib["failures"] == "1"


def test_a_skip_of_no_single_overlay_is_told_of_all() -> None:
    overlays = (PROD, replace(PROD, name="dev"))

    root = parse(run_of(overlays=overlays, skipped=(LocatedSkip("image-pinned", (), None, "why"),)))

    assert [kind(case(root, name, "image-pinned")) for name in ("prod", "dev")] == ["skipped", "skipped"]


def test_a_baselined_finding_passes_and_is_told() -> None:
    (output,) = case(parse(run_of(baselined=(finding(),))), "prod", "image-pinned")

    assert output.tag == "system-out"
    assert output.text == "in the baseline: base/shop.yaml:3: it is wrong"


@given(st.lists(findings, min_size=1, max_size=3))
def test_whatever_manifests_hold_is_read_back(found: list[LocatedFinding]) -> None:
    found = [replace(each, overlays=("prod",), severity=Severity.ERROR) for each in found]

    failure = case(parse(run_of(found)), "prod", "image-pinned").find("failure")

    assert failure is not None
    for each in found:
        assert printable(each.message) in (failure.text or "")


@given(st.text(min_size=1))
def test_a_reason_is_read_back_with_its_line_ends(reason: str) -> None:
    root = parse(run_of(skipped=(LocatedSkip("image-pinned", ("prod",), None, reason),)))

    (skipped,) = case(root, "prod", "image-pinned")
    assert skipped.attrib["message"] == f"not checked: {printable(reason)}"


def test_all_rules_have_a_case() -> None:
    assert {each.attrib["name"] for each in parse(run_of()).iter("testcase")} == {RAN, *(rule.id for rule in RULES)}
