"""The real binary: what it renders, and each way in which it refuses as one sentence."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from policy.errors import RenderError
from policy.kustomize.render import explain, render, render_all
from tests.kustomize.trees import write

OBJECT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n"
PATCH = "apiVersion: apps/v1\\nkind: Deployment\\nmetadata: {name: web}\\n"

REFUSED: dict[str, tuple[str, str]] = {
    "a missing file": ("resources: [none.yaml]", "{here}: the resource none.yaml does not exist"),
    "a cycle": ("resources: [../again]", "{root}/again: a cycle of kustomizations: it leads back to {here}"),
    "a folder above": ("resources: [..]", "{here}: a cycle of kustomizations: it leads back to {root}"),
    "malformed YAML": ("resources: [bad.yaml]", "{here}/bad.yaml:1: not valid YAML: did not find expected ',' or '}}'"),
    "an object without a name": (
        "resources: [nameless.yaml]",
        "{here}/nameless.yaml: an object is missing metadata.name",
    ),
    "a malformed kustomization": (
        "resources: [a.yaml\n",
        "{here}:1: malformed kustomization: did not find expected ',' or ']'",
    ),
    "an unknown field": ("recources: [a.yaml]", '{here}: malformed kustomization: unknown field "recources"'),
    "a field of a wrong type": (
        "namespace: [a]",
        "{here}: malformed kustomization: cannot unmarshal array into Go struct field "
        "Kustomization.namespace of type string",
    ),
    "another version": (
        "apiVersion: v2\nresources: [a.yaml]",
        "{here}: malformed kustomization: apiVersion for Kustomization should be kustomize.config.k8s.io/v1beta1",
    ),
    "an empty kustomization": ("", "{here}: the kustomization is empty"),
    "a patch without its object": (
        'resources: [a.yaml]\npatches: [{patch: "apiVersion: v1\\nkind: Service\\nmetadata: {name: x}"}]',
        "{here}: a patch finds no object Service.v1.[noGrp]/x.[noNs]",
    ),
    "a missing patch": (
        "resources: [a.yaml]\npatches: [{path: p.yaml}]",
        "{here}: the patch file p.yaml does not exist",
    ),
    "a patch that is none": (
        "resources: [a.yaml]\npatches: [{patch: foo}]",
        '{here}: a patch is neither an object nor operations: patch: "foo"',
    ),
    "a patch without a target": (
        'resources: [a.yaml]\npatches: [{patch: "- {op: remove, path: /spec}"}]',
        '{here}: a JSON patch has no target: patch: "- {{op: remove, path: /spec}}"',
    ),
    "a patch of another kind of value": (
        f'resources: [a.yaml]\npatches: [{{patch: "{PATCH}spec: []"}}]\n',
        "{here}: a Sequence stands where a Mapping is wanted",
    ),
    "a patch with an unknown directive": (
        f'resources: [a.yaml]\npatches: [{{patch: "{PATCH}$patch: forget"}}]\n',
        "{here}: a patch says $patch: forget, which is no directive",
    ),
    "an operation that does not apply": (
        'resources: [a.yaml]\npatches: [{target: {kind: Deployment}, patch: "- {op: remove, path: /status/x}"}]',
        '{here}: kustomize: remove operation does not apply: doc is missing path: "/status/x": missing value',
    ),
    "replicas of nothing": (
        "resources: [a.yaml]\nreplicas: [{name: x, count: 2}]",
        "{here}: replicas names x, which is no object with replicas",
    ),
    "an object twice": (
        "resources: [a.yaml, a.yaml]",
        "{here}: an object is there twice: Deployment.v1.apps/web.[noNs]",
    ),
    "two objects that become one": (
        "resources: [a.yaml, b.yaml]\nnamespace: x",
        "{here}: the namespace makes two objects one: Deployment/web",
    ),
    "a key twice": ("resources: [twice.yaml]", '{here}: an object holds the key "a" twice'),
    "a file outside": (
        "resources: [../outside.yaml]",
        "{here}: {root}/outside.yaml is outside of {here}, "
        "and a kustomization may only read files in or below its own folder",
    ),
    "a replacement without a source": (
        "resources: [a.yaml]\nreplacements: [{source: {kind: X}, targets: [{select: {kind: X}}]}]",
        "{here}: a replacement finds no source X.[noVer].[noGrp]/[noName].[noNs]",
    ),
    "a replacement without a field": (
        "resources: [a.yaml]\n"
        "replacements: [{source: {kind: Deployment}, targets: [{select: {}, fieldPaths: [spec.x]}]}]",
        '{here}: a replacement finds no field "spec.x" to set',
    ),
    "a generator that merges into nothing": (
        "configMapGenerator: [{name: a, behavior: merge, literals: [a=1]}]",
        "{here}: a generator is to change ConfigMap/a, which does not exist",
    ),
    "two generators of one name": (
        "configMapGenerator: [{name: a, literals: [a=1]}, {name: a, literals: [b=1]}]",
        "{here}: a generator makes ConfigMap/a, which is there already, without saying whether to merge or to replace",
    ),
    "a generator that repeats a key": (
        "configMapGenerator: [{name: a, literals: [k=1, k=2]}]",
        "{here}: a generator gives a the key k twice",
    ),
    "a component in resources": (
        "resources: [../part]",
        "{here}: {root}/part is a component, and listed in resources",
    ),
    "no component in components": (
        "components: [../again]\nresources: [a.yaml]",
        "{here}: {root}/again is listed in components, and is none",
    ),
    "a remote resource": (
        "resources: [https://example.com/a.yaml]",
        "{here}: the resource https://example.com/a.yaml is remote, and nothing is fetched",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(kustomize: Path, tmp_path: Path, name: str) -> None:
    text, wanted = REFUSED[name]
    here = tmp_path / "here"
    write(
        tmp_path,
        {
            "here/a.yaml": OBJECT,
            "here/b.yaml": OBJECT + "---\n" + OBJECT.replace("name: web", "name: web, namespace: other"),
            "here/bad.yaml": "a: {b: c\nd: e\n",
            "here/nameless.yaml": "apiVersion: v1\nkind: Service\n",
            "here/twice.yaml": OBJECT + "a: 1\na: 2\n",
            "outside.yaml": OBJECT,
            "again/kustomization.yaml": "resources: [../here]\n",
            "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamespace: x\n",
        },
    )
    if name == "two objects that become one":
        (here / "b.yaml").write_text(OBJECT.replace("name: web", "name: web, namespace: other"))
    (here / "kustomization.yaml").write_text(text)
    with pytest.raises(RenderError) as raised:
        render(kustomize, here)
    assert str(raised.value) == wanted.format(here=here, root=tmp_path)


def test_no_kustomization(kustomize: Path, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=f"there is no kustomization in {tmp_path}"):
        render(kustomize, tmp_path)
    with pytest.raises(RenderError, match="nowhere does not exist"):
        render(kustomize, tmp_path / "nowhere")


def test_a_file_outside_may_be_allowed(kustomize: Path, tmp_path: Path) -> None:
    write(tmp_path, {"here/kustomization.yaml": "resources: [../a.yaml]\n", "a.yaml": OBJECT})
    assert "name: web" in render(kustomize, tmp_path / "here", restrict_files=False)


def test_nothing_is_fetched_and_nothing_is_waited_for(kustomize: Path, tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [https://github.com/kubernetes-sigs/kustomize//examples]\n"})
    start = time.monotonic()
    with pytest.raises(RenderError, match="is remote, and nothing is fetched"):
        render(kustomize, tmp_path)
    assert time.monotonic() - start < 5


def test_a_failure_does_not_hide_the_others(kustomize: Path, tmp_path: Path) -> None:
    write(tmp_path, {"good/kustomization.yaml": "resources: [a.yaml]\n", "good/a.yaml": OBJECT, "bad/a.yaml": OBJECT})
    good, bad = tmp_path / "good", tmp_path / "bad"
    results = render_all(kustomize, [bad, good, good])
    assert list(results) == [bad, good]
    assert isinstance(results[bad], RenderError)
    assert "kind: Deployment" in str(results[good])
    assert render_all(kustomize, []) == {}


def script(folder: Path, text: str) -> Path:
    path = folder / "kustomize"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_build_that_hangs(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"did not finish within 0\.1 s"):
        render(script(tmp_path, "exec /bin/sleep 5"), tmp_path, timeout=0.1)


def test_a_build_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="kustomize: it failed without saying why"):
        render(script(tmp_path, "exit 1"), tmp_path)


def test_a_build_that_prints_no_text(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="printed what is not UTF-8"):
        render(script(tmp_path, r"printf '\377'"), tmp_path)


def test_no_binary(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="kustomize cannot be run: No such file or directory"):
        render(tmp_path / "none", tmp_path)


def test_warnings_are_no_errors(kustomize: Path, tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\ncommonLabels: {a: b}\n", "a.yaml": OBJECT})
    assert "a: b" in render(kustomize, tmp_path)
    error = explain("# Warning: 'bases' is deprecated.\nError: something\n  else\n", tmp_path)
    assert error.message == "kustomize: something else"
    assert len(explain("Error: " + "x" * 1000, tmp_path).message) < 400
    assert os.linesep not in error.message
