"""CustomResourceDefinitions: what the API server would prune or refuse is a problem, what it keeps is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.errors import SettingsError
from tests.schema.conftest import ROOT, Validate

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: baskets.shop.example}
spec:
  group: shop.example
  names: {kind: Basket, plural: baskets}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 1}
                colour: {type: string, enum: [red, green], nullable: true}
                port: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                labels: {type: object, additionalProperties: {type: string}}
                empty: {type: object}
                template:
                  type: object
                  x-kubernetes-embedded-resource: true
                  properties: {spec: {type: object, properties: {a: {type: string}}}}
                either:
                  type: object
                  properties: {a: {type: string}, b: {type: string}}
                  oneOf: [{required: [a]}, {required: [b]}]
                wait: {type: string, format: duration}
    - name: v1alpha1
      served: false
      storage: false
      schema: {openAPIV3Schema: {type: object}}
"""


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    file = tmp_path / "basket-crd.yaml"
    file.write_text(CRD)
    return file


def basket(spec: str, version: str = "v1") -> str:
    return f"apiVersion: shop.example/{version}\nkind: Basket\nmetadata: {{name: b, labels: {{a: b}}}}\nspec: {spec}\n"


@pytest.mark.parametrize(
    "spec",
    [
        "{size: 1}",
        "{size: 1, colour: null}",
        "{size: 1, port: http}",
        "{size: 1, port: 80}",
        "{size: 1, free: {any: [thing]}}",
        "{size: 1, labels: {any: thing}}",
        "{size: 1, template: {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {a: b}}}",
        "{size: 1, either: {a: x}}",
        "{size: 1, wait: 1h30m}",
    ],
)
def test_what_the_definition_allows_is_valid(check: Validate, definitions: Path, spec: str) -> None:
    assert check(basket(spec), crds=[definitions]) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ("{}", ("spec", "size"), "required field size is missing"),
        ("{size: 0}", ("spec", "size"), "must be at least 1"),
        ("{size: null}", ("spec", "size"), "is empty, must be an integer"),
        ("{size: 1, colour: blue}", ("spec", "colour"), "must be red or green"),
        ("{size: 1, color: red}", ("spec", "color"), "unknown field color, did you mean colour?"),
        ("{size: 1, port: [80]}", ("spec", "port"), "is an array, must be an integer or a string"),
        ("{size: 1, labels: {a: 1}}", ("spec", "labels", "a"), "is a number, must be a string"),
        ("{size: 1, empty: {a: 1}}", ("spec", "empty", "a"), "unknown field a"),
        ("{size: 1, template: {spec: {b: c}}}", ("spec", "template", "spec", "b"), "unknown field b"),
        ("{size: 1, either: {}}", ("spec", "either"), "has none of the forms that are allowed here"),
        (
            "{size: 1, either: {a: x, b: z}}",
            ("spec", "either"),
            "has more than one of the forms of which exactly one is allowed",
        ),
        ("{size: 1, wait: soon}", ("spec", "wait"), "is not a valid duration"),
    ],
)
def test_what_the_definition_refuses_is_a_problem(
    check: Validate, definitions: Path, spec: str, path: tuple[str, ...], message: str
) -> None:
    assert [(problem.path, problem.message) for problem in check(basket(spec), crds=[definitions])] == [(path, message)]


def test_metadata_is_that_of_every_object(check: Validate, definitions: Path) -> None:
    document = basket("{size: 1}").replace("labels:", "lables:")
    assert [problem.message for problem in check(document, crds=[definitions])] == [
        "unknown field lables, did you mean labels?"
    ]


def test_version_that_is_not_served_is_a_problem(check: Validate, definitions: Path) -> None:
    (problem,) = check(basket("{size: 1}", version="v1alpha1"), crds=[definitions])
    assert problem.message == "Basket is not served in shop.example/v1alpha1, only in shop.example/v1"


def test_edited_definition_counts_at_once(check: Validate, definitions: Path) -> None:
    assert check(basket("{size: 1}"), crds=[definitions]) == []
    definitions.write_text(CRD.replace("minimum: 1", "minimum: 2"))
    assert [problem.message for problem in check(basket("{size: 1}"), crds=[definitions])] == ["must be at least 2"]


def test_list_of_definitions_and_folders_are_read(check: Validate, definitions: Path) -> None:
    items = "\n".join("    " + line for line in CRD.strip().splitlines()).replace("    ", "  - ", 1)
    definitions.write_text("apiVersion: v1\nkind: List\nitems:\n" + items)
    assert check(basket("{size: 1}"), crds=[definitions.parent]) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "not valid YAML"),
        ("kind: ConfigMap\n", "holds no CustomResourceDefinition"),
        ("kind: CustomResourceDefinition\nspec: {group: g}\n", "holds a CustomResourceDefinition without 'names'"),
        ("\0", "not valid YAML"),
    ],
)
def test_file_that_is_no_definition_is_an_error(
    check: Validate, definitions: Path, content: str, expected: str
) -> None:
    definitions.write_text(content)
    with pytest.raises(SettingsError, match=expected) as raised:
        check(basket("{size: 1}"), crds=[definitions])
    assert raised.value.file == str(definitions)


def test_path_that_does_not_exist_is_an_error(check: Validate, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        check(basket("{size: 1}"), crds=[tmp_path / "none"])
    with pytest.raises(SettingsError, match="holds no CustomResourceDefinition files"):
        check(basket("{size: 1}"), crds=[tmp_path])


APPLICATION = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  project: shop
  destination: {name: in-cluster, namespace: shop}
  source: {repoURL: "https://git.example/shop", path: overlays/prod}
  syncPolicy: {automated: {prune: true}, retry: {limit: 3, backoff: {duration: 5s}}}
"""


def test_definitions_of_the_pinned_argo_cd(check: Validate) -> None:
    crds = [ROOT / ".tools" / "crds" / "argo-cd"]
    assert check(APPLICATION, crds=crds) == []
    assert [
        (problem.path, problem.message)
        for problem in check(APPLICATION.replace("prune: true", "prone: true"), crds=crds)
    ] == [(("spec", "syncPolicy", "automated", "prone"), "unknown field prone, did you mean prune?")]
