"""Templates of ApplicationSets, filled in as Go and Argo CD do."""

from __future__ import annotations

from typing import Any

import pytest

from policy.argocd.template import NotUnderstood, TemplateError, is_unfilled, normalized, render, unfilled

PARAMETERS: dict[str, Any] = {
    "name": "Shop",
    "count": 3,
    "on": True,
    "labels": {"team": "core"},
    "path": {"path": "overlays/prod_eu", "basename": "prod_eu", "segments": ["overlays", "prod_eu"]},
}

GO = {
    "plain": "plain",
    "{{ .name }}": "Shop",
    "{{.name}}-{{.count}}-{{.on}}": "Shop-3-true",
    "{{ $.path.basename }}": "prod_eu",
    "a {{- .name -}} b": "aShopb",
    "a {{- .name }} b": "aShop b",
    "a {{ .name -}} b": "a Shopb",
    "a {{- .name }} {{ .count -}} b": "aShop 3b",
    "a {{- /* trimmed */ -}} b": "ab",
    "{{/* a comment */}}x": "x",
    "{{-3}}": "-3",
    "a {{ .count -}} {{- .name }} b": "a 3Shop b",
    " " * 200_000 + "{{- .name }}": "Shop",
    "{{ index .path.segments 1 }}": "prod_eu",
    '{{ index . "name" }}': "Shop",
    '{{ replace "_" "-" .path.basename | upper }}': "PROD-EU",
    '{{ (index .path.segments 0) | trimSuffix "s" }}': "overlay",
    '{{ `raw` }}-{{ "quo\\"ted" }}': 'raw-quo"ted',
    "{{ .path.basename | normalize }}": "prod-eu",
    '{{ default "none" .name }}': "Shop",
    '{{ join "/" .path.segments }}': "overlays/prod_eu",
    '{{ last (splitList "/" .path.path) }}': "prod_eu",
    "{{ base .path.path }} in {{ dir .path.path }}": "prod_eu in overlays",
    "{{ trunc 3 .name | lower | quote }}": '"sho"',
    "{{ .path.segments }} {{ .labels }}": "[overlays prod_eu] map[team:core]",
}


@pytest.mark.parametrize("template", GO, ids=lambda template: template[-60:])
def test_go(template: str) -> None:
    assert render(template, PARAMETERS, is_go=True, is_strict=True) == GO[template]


def test_every_text_of_a_value_is_filled_in_also_the_keys() -> None:
    template = {"{{ .name }}": ["{{ .count }}", {"replicas": 2, "on": None}]}
    filled = render(template, PARAMETERS, is_go=True, is_strict=True)
    assert filled == {"Shop": ["3", {"replicas": 2, "on": None}]}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ .nothing }}", "there is no .nothing"),
        ("{{ .path.nothing }}", "there is no .path.nothing"),
        ("{{ .name.first }}", ".name has no field first"),
        ("{{ index .path.segments 7 }}", "index 7 leads nowhere"),
    ],
)
def test_what_go_refuses(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=f"^{message}$"):
        render(template, PARAMETERS, is_go=True, is_strict=True)


def test_without_missingkey_error_a_missing_field_leaves_its_trace() -> None:
    filled = render({"a": ["x-{{ .nothing }}"]}, PARAMETERS, is_go=True, is_strict=False)
    assert filled == {"a": ["x-<no value>"]}
    assert list(unfilled(filled)) == [(("a", 0), "<no value>")]
    assert is_unfilled("x-<no value>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ if .on }}x{{ end }}",
        "{{ range .path.segments }}{{ . }}{{ end }}",
        "{{ $x := .name }}{{ $x }}",
        "{{ sha256sum .name }}",
        "{{ .name-}}",
        "{{ }}",
        "{{ .name .count }}",
        "{{ lower (.name }}",
        "{{ trunc .name }}",
        '{{ .name | replace "o" "oooooooooo" ' + '| replace "o" "oooooooooo" ' * 9 + "}}",
    ],
)
def test_what_is_not_done_over_is_said(template: str) -> None:
    with pytest.raises(NotUnderstood):
        render(template, PARAMETERS, is_go=True, is_strict=True)


def test_the_older_templates() -> None:
    parameters = {"path": "overlays/prod", "path.basename": "prod", "path[0]": "overlays", "values": {"team": "core"}}
    template = "{{path}} {{ path.basename }} {{path[0]}} {{values.team}} {{nothing}} {{ .path }}"
    filled = render(template, parameters, is_go=False, is_strict=False)
    assert filled == "overlays/prod prod overlays core {{nothing}} {{ .path }}"
    assert [left for _, left in unfilled(filled)] == ["{{nothing}}"]


def test_names_are_made_fit_for_dns() -> None:
    assert normalized("Feature/One_Two.") == "feature-one-two"
