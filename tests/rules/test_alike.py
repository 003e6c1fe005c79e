"""Of workloads that are alike in their settings one is asked: that must say what asking each of them says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from policy.findings import Finding, Skipped
from policy.manifests import workloads
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.manifests.workloads import Workload
from policy.rules import RULES
from policy.rules.rule import Context, Rule
from policy.rules.subjects import answers
from tests.rules.harness import Case, cases_of

Document = dict[str, Any]
BY_ID = {rule.id: rule for rule in RULES}
ASKED_OF_ONE = [rule for rule in RULES if rule.by_settings or rule.applies_to is Index]
OTHERS = {
    "name": "other",
    "image": "registry.example/other:latest",
    "command": ["other"],
    "args": ["--other"],
    "env": [{"name": "OTHER", "value": "other"}],
    "envFrom": [{"secretRef": {"name": "other"}}],
    "serviceAccountName": "other",
}
SECCOMP = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: v1.18}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations: {container.seccomp.security.alpha.kubernetes.io/web: unconfined}
spec:
  containers:
    - {name: web, image: web}
"""


def twin(workload: Workload) -> Document:
    """The same settings (the very same objects, as ``load`` gives them), and everything else different or gone."""
    pod = with_others(workload.pod_raw, workloads._OWN_OF_POD)
    for key in workloads._CONTAINERS:
        if isinstance(workload.pod_raw.get(key), list):
            pod[key] = [other_container(one, f"other-{number}") for number, one in enumerate(workload.pod_raw[key])]
    annotations = {key: value for key, value in workload.pod_annotations.items() if ".kubernetes.io/" in key}
    about = {"labels": {"other": "other"}, "annotations": {**annotations, "example.org/other": "other"}}
    template: Document = {"metadata": about, "spec": pod}
    for step in reversed(workload.template_path):
        template = {str(step): template}
    identity = {"name": f"{workload.name}-other", "namespace": workload.namespace}
    ref = workload.ref
    metadata: Document = {**template.get("metadata", {}), **identity}
    return {"apiVersion": ref.api_version, "kind": ref.kind, **template, "metadata": metadata}


def other_container(raw: Any, name: str) -> Any:
    return with_others(raw, workloads._OWN_OF_CONTAINER) | {"name": name} if isinstance(raw, dict) else raw


def with_others(raw: Mapping[str, Any], own: frozenset[str]) -> Document:
    shared = {key: value for key, value in raw.items() if key not in own}
    return {**shared, **{key: OTHERS[key] for key in sorted(own) if key in OTHERS and key != "name"}}


def indexes(manifests: str) -> Iterator[Index]:
    """The objects with the twins of their workloads, which come after them, and before them."""
    documents = [document for _, document in load_documents(manifests, "case")]
    original = Index(one for number, document in enumerate(documents) for one in resources_of(document, number))
    twins = [twin(workload) for workload in original.workloads]
    for order in ([*documents, *twins], [*twins, *documents]):
        yield Index(one for number, document in enumerate(order) for one in resources_of(document, number))


def said(rule: Rule, index: Index, case: Case) -> list[Finding | Skipped]:
    chosen = msgspec.convert(case.options, rule.options)
    return list(answers(rule, Context(index, case.environment, case.kubernetes, chosen), None))


def said_of_each(rule: Rule, index: Index, case: Case) -> list[Finding | Skipped]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workload, "settings", property(lambda workload: (id(workload),)))
        return said(rule, Index(index.resources), case)


def differences(rule: Rule, cases: list[Case]) -> list[str]:
    return [
        case.name
        for case in cases
        for index in indexes(case.manifests)
        if said(rule, index, case) != said_of_each(rule, index, case)
    ]


@pytest.mark.parametrize("rule", ASKED_OF_ONE, ids=lambda rule: rule.id)
def test_asking_one_of_those_that_are_alike_says_what_asking_each_says(rule: Rule) -> None:
    assert differences(rule, cases_of(rule)) == []


def test_an_annotation_may_be_for_the_container_of_a_name() -> None:
    assert differences(BY_ID["pod-security-level"], [Case("seccomp by annotation", [], SECCOMP)]) == []


@pytest.mark.parametrize("wrong", ["env-unique", "image-pinned", "labels-recommended"])
def test_a_rule_that_reads_more_than_settings_is_found_out(wrong: str) -> None:
    rule = BY_ID[wrong]
    assert differences(replace(rule, by_settings=True), cases_of(rule)) != []


def test_twins_are_alike() -> None:
    rules = [rule for rule in ASKED_OF_ONE if rule.by_settings]
    for rule in rules:
        workloads_of_each = [index.workloads for case in cases_of(rule) for index in indexes(case.manifests)]
        alike = [len(each) - len({(item.namespace, item.settings) for item in each}) for each in workloads_of_each]
        assert sum(alike) >= len(cases_of(rule)), rule.id
