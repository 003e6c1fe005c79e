"""What the API server would refuse is told as a sentence at its field; what it accepts is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from policy.errors import SettingsError, ToolError
from policy.schema import SchemaProblem, validate
from tests.schema.conftest import Validate

BOTH = ("1.34", "1.37")

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {mode: fast}\n"
MISSPELT = CONFIG_MAP.replace("data: {mode", "dat: {mode")

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{containerPort: 8080, name: http}]
          readinessProbe: {httpGet: {path: /, port: http}}
          resources: {limits: {cpu: 1, memory: 64Mi}}
"""


def test_valid_documents_have_no_problem(check: Validate) -> None:
    assert check(CONFIG_MAP, DEPLOYMENT, json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {}})) == []


def test_no_document_is_no_problem(check: Validate) -> None:
    assert check() == []


CONTAINER = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("old", "new", "path", "message", "fix"),
    [
        pytest.param(
            "readinessProbe:",
            "readinesProbe:",
            (*CONTAINER, "readinesProbe"),
            "unknown field readinesProbe, did you mean readinessProbe?",
            "write readinessProbe",
            id="misspelt field",
        ),
        pytest.param(
            "          readinessProbe:",
            "          readinesProbe: {}\n          readinessProbe:",
            (*CONTAINER, "readinesProbe"),
            "unknown field readinesProbe, did you mean readinessProbe?",
            "delete it: readinessProbe is there",
            id="misspelt field beside the one that is meant",
        ),
        pytest.param(
            "name: web}\nspec",
            "name: web, a/b~c: x}\nspec",
            ("metadata", "a/b~c"),
            "unknown field a/b~c",
            "delete it, or move it to where it belongs",
            id="field with characters that a JSON pointer escapes",
        ),
        pytest.param(
            "name: web}\nspec",
            "name: web, \"it's - at '/x': \\n\": x}\nspec",
            ("metadata", "it's - at '/x': \n"),
            "unknown field it's - at '/x': \n",
            "delete it, or move it to where it belongs",
            id="field that looks like kubeconform's own message",
        ),
        pytest.param(
            "containerPort: 8080",
            'containerPort: "8080"',
            (*CONTAINER, "ports", 0, "containerPort"),
            "is a string, must be an integer",
            "write a whole number, without quotes",
            id="wrong type",
        ),
        pytest.param(
            "port: http}",
            "port: true}",
            (*CONTAINER, "readinessProbe", "httpGet", "port"),
            "is a boolean, must be an integer or a string",
            "write an integer or a string in its place",
            id="neither integer nor string",
        ),
        pytest.param(
            "cpu: 1",
            "cpu: [1]",
            (*CONTAINER, "resources", "limits", "cpu"),
            "is an array, must be a number or a string",
            "write a number or a string in its place",
            id="not a quantity",
        ),
        pytest.param(
            "selector: {matchLabels: {app: web}}",
            "replicas: 1",
            ("spec", "selector"),
            "required field selector is missing",
            "add selector",
            id="missing field",
        ),
        pytest.param(
            "containerPort: 8080, ",
            "",
            (*CONTAINER, "ports", 0, "containerPort"),
            "required field containerPort is missing",
            "add containerPort, an integer",
            id="missing field in a list",
        ),
        pytest.param(
            "resources:",
            "args: [a, null]\n          resources:",
            (*CONTAINER, "args", 1),
            "is empty, must be a string",
            "give it a value, or delete it",
            id="dash with nothing behind it",
        ),
        pytest.param(
            "resources:",
            "env: [null]\n          resources:",
            (*CONTAINER, "env", 0),
            "is empty, must be an object",
            "give it a value, or delete it",
            id="dash with nothing behind it, in a list of objects",
        ),
        pytest.param(
            "labels: {app: web}",
            'labels: {app: web, "a/b~c": 1}',
            ("spec", "template", "metadata", "labels", "a/b~c"),
            "is a number, must be a string",
            "put it in quotes",
            id="key with characters that a JSON pointer escapes",
        ),
        pytest.param(
            "selector:",
            "replicas: 3000000000\n  selector:",
            ("spec", "replicas"),
            "must be at most 2147483647",
            None,
            id="number that is no int32",
        ),
        pytest.param(
            "labels: {app: web}",
            'labels: {app: web, "1": 1}',
            ("spec", "template", "metadata", "labels", "1"),
            "is a number, must be a string",
            "put it in quotes",
            id="key that looks like a list index",
        ),
        pytest.param(
            "kind: Deployment",
            "kind: deployment",
            ("kind",),
            "must be Deployment",
            "write Deployment",
            id="kind in the wrong case",
        ),
    ],
)
def test_problem_is_told_at_its_field(
    check: Validate, old: str, new: str, path: tuple[str | int, ...], message: str, fix: str | None
) -> None:
    assert old in DEPLOYMENT
    assert check(DEPLOYMENT.replace(old, new)) == [SchemaProblem(0, path, message, BOTH, fix)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpu: 1", "cpu: null"),
        ("cpu: 1", "cpu: 0.5"),
        ("port: http}", "port: 8080}"),
        ("readinessProbe: {httpGet: {path: /, port: http}}", "readinessProbe: null"),
    ],
)
def test_what_the_api_server_accepts_is_valid(check: Validate, old: str, new: str) -> None:
    assert old in DEPLOYMENT
    assert check(DEPLOYMENT.replace(old, new)) == []


@pytest.mark.parametrize(
    ("field", "fix"),
    [
        ("image: web:1, command: run", "write a list, each item behind a dash"),
        ("image: [web]", "write a string in its place"),
        ("securityContext: {privileged: no-thanks}", "write true or false, without quotes"),
        ("securityContext: []", "write a mapping, each key on a line of its own below it"),
        ("ports: {a: b}", "write a list, each item behind a dash"),
        ("livenessProbe: {exec: {cmd: [a]}}", "delete it, or write one of command"),
    ],
)
def test_what_is_to_be_written_instead(check: Validate, field: str, fix: str) -> None:
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, {field}}}]}}\n"
    (problem,) = check(pod)
    assert problem.fix == fix


def test_secret_data_is_base64_and_is_not_shown(check: Validate) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {good: aGVsbG8=, bad: swordfish!}\n"
    (problem,) = check(secret)
    assert problem.path == ("data", "bad")
    assert problem.message == "is not base64"
    assert problem.fix == "encode it as base64"


def test_every_problem_of_a_document_is_told_in_reading_order(check: Validate) -> None:
    broken = DEPLOYMENT.replace("containerPort: 8080", "containerPort: x").replace("image: web:1", "image: 1")
    assert [problem.path for problem in check(broken)] == [
        (*CONTAINER, "image"),
        (*CONTAINER, "ports", 0, "containerPort"),
    ]


def test_problem_names_its_document_and_equal_documents_each(check: Validate) -> None:
    problems = check(MISSPELT, DEPLOYMENT, MISSPELT)
    assert [(problem.index, problem.path) for problem in problems] == [(0, ("dat",)), (2, ("dat",))]


def test_problem_names_the_versions_that_see_it(check: Validate) -> None:
    # Pods have resources of their own since 1.32: https://kep.k8s.io/2837
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}], resources: {limits: {}}}\n"
    assert check(pod, versions=["1.31", "1.34"]) == [
        SchemaProblem(
            0, ("spec", "resources"), "unknown field resources", ("1.31",), "delete it, or move it to where it belongs"
        )
    ]


def test_unknown_kind_is_a_problem(check: Validate) -> None:
    (problem,) = check("apiVersion: shop.example/v1\nkind: Basket\nmetadata: {name: b}\n")
    assert problem.path == ("kind",)
    assert problem.message == "no schema for kind Basket in apiVersion shop.example/v1"
    assert problem.fix is not None
    assert "CustomResourceDefinition" in problem.fix


def test_removed_version_of_a_kind_names_the_served_ones(check: Validate) -> None:
    budget = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n"
    expected = "PodDisruptionBudget is not served in policy/v1beta1, only in policy/v1"
    assert check(budget) == [
        SchemaProblem(0, ("apiVersion",), expected, BOTH, "write apiVersion: policy/v1, and its fields")
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("# nothing\n", "there is no object in this document"),
        ("just words\n", "cannot unmarshal string"),
        ("kind: ConfigMap\n", "missing 'apiVersion' key"),
        (CONFIG_MAP + "data: {}\n", "a key stands twice in a mapping"),
        ("a: b: c\n", "mapping values are not allowed"),
    ],
)
def test_what_is_no_object_is_a_problem(check: Validate, document: str, expected: str) -> None:
    (problem,) = check(CONFIG_MAP, document)
    assert (problem.index, problem.path, problem.versions) == (1, (), BOTH)
    assert expected in problem.message


def test_version_that_is_not_carried_is_an_error(check: Validate) -> None:
    with pytest.raises(SettingsError, match=r"no schemas for Kubernetes 1\.99: .* carries 1\.25 to 1\.37"):
        check(CONFIG_MAP, versions=["1.99"])


def test_version_may_be_written_in_full(check: Validate) -> None:
    (problem,) = check(MISSPELT, versions=["v1.34.2"])
    assert problem.versions == ("v1.34.2",)


def test_valid_document_is_asked_about_once(check: Validate, tmp_path: Path) -> None:
    assert check(CONFIG_MAP, cache=tmp_path) == []
    with pytest.raises(ToolError):  # a binary of another identity has to be asked again, and this one cannot answer
        validate([CONFIG_MAP], versions=BOTH, crds=[], kubeconform=Path("/bin/false"), cache=tmp_path)
    os.utime(tmp_path, (0, 0))
    assert check(CONFIG_MAP, cache=tmp_path) == []


def test_remembered_verdict_spares_the_process(tmp_path: Path, kubeconform: Path) -> None:
    log = tmp_path / "asked"
    binary = tmp_path / "kubeconform"
    binary.write_text(f'#!/bin/sh\necho asked >> "{log}"\nexec "{kubeconform}" "$@"\n')
    binary.chmod(0o755)

    def asked(*documents: str) -> int:
        log.write_text("")
        validate(documents, versions=["1.34"], crds=[], kubeconform=binary, cache=tmp_path / "cache")
        return len(log.read_text().splitlines())

    assert asked(CONFIG_MAP) == 1
    assert asked(CONFIG_MAP) == 0
    assert asked(CONFIG_MAP, CONFIG_MAP + "# changed\n") == 1
    assert asked(MISSPELT) == 1
    assert asked(MISSPELT) == 1  # a problem is never remembered
    (kept,) = (tmp_path / "cache" / "schemas").glob("valid-*")
    kept.write_bytes(b"torn" + kept.read_bytes()[:-7])
    assert asked(CONFIG_MAP) == 1


def test_cache_that_cannot_be_written_is_no_hindrance(check: Validate, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    assert [problem.path for problem in check(MISSPELT, cache=blocked)] == [("dat",)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'cannot do that' >&2; exit 3", "kubeconform ended with 3: cannot do that"),
        ("echo '{}'", "kubeconform ended with 0: it said nothing"),
        ("echo '{\"resources\": []}'", "gave no answer about document 1 of 1"),
    ],
)
def test_kubeconform_that_breaks_is_an_error(tmp_path: Path, schema_cache: Path, script: str, expected: str) -> None:
    binary = tmp_path / "kubeconform"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    with pytest.raises(ToolError, match=expected):
        validate([CONFIG_MAP], versions=["1.34"], crds=[], kubeconform=binary, cache=schema_cache)


def test_kubeconform_that_is_not_there_is_an_error(tmp_path: Path, schema_cache: Path) -> None:
    with pytest.raises(ToolError, match="cannot be run"):
        validate([CONFIG_MAP], versions=["1.34"], crds=[], kubeconform=tmp_path / "none", cache=schema_cache)


def test_folder_names_with_odd_characters_are_no_hindrance(check: Validate, tmp_path: Path) -> None:
    cache = tmp_path / "50% {{of}} #1 ? café"
    cache.mkdir()
    assert check(CONFIG_MAP, cache=cache) == []
    assert [problem.path for problem in check(MISSPELT, cache=cache)] == [("dat",)]
