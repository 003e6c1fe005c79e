"""Whatever lies in a repository, the commands end with findings, skips or one sentence: never with a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from policy.cli import main
from tests.adoption import trees


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_monorepo_is_checked_from_its_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.monorepo(root)

    code, out, err = said(capsys, "check", ".", "--only", "readiness-probe-set", "--format", "json")

    document = json.loads(out)
    assert (code, err, document["errors"]) == (1, "", [])
    files = {finding["place"]["file"] for finding in document["findings"]}
    assert files == {"deploy/base/web.yaml", "k8s/job.yaml", ".venv/lib/site.yaml"}
    assert [skip["reason"] for skip in document["notChecked"]] == [
        "charts/web is a Helm chart: check what it renders",
        "package.json:1 and 2 more are no Kubernetes objects: they have no apiVersion and kind",
    ]


def test_the_contract_among_the_manifests_is_not_told_as_no_object(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: []}\n")
    (root / "topology.yaml").write_text("flows: []\nsilent: [web]\n")
    (root / "notes.yaml").write_text("notes: []\n")

    _, out, _ = said(capsys, "check", ".", "--only", "schema-valid", "--format", "json")

    document = json.loads(out)
    assert [skip["reason"] for skip in document["notChecked"]] == [
        "notes.yaml:1 is no Kubernetes object: it has no apiVersion and kind"
    ]
    assert document["errors"] == []


def test_charts_beside_overlays_stop_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.chart(trees.overlays(root))

    code, out, err = said(capsys, "check", ".", "--only", "readiness-probe-set")

    assert (code, err) == (1, "")
    assert "charts/web is a Helm chart: check what it renders" in out
    assert out.endswith("1 rule: 1 error, 0 warnings, 1 not checked\n")


def test_a_chart_that_kustomize_inflates_is_not_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.chart(trees.overlays(root), "overlays/prod/charts/web")

    code, out, err = said(capsys, "check", ".", "--only", "readiness-probe-set")

    assert (code, err) == (1, "")
    assert "Helm" not in out


def test_only_charts_is_one_sentence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.chart(root)

    assert said(capsys, "check", ".") == (
        2,
        "",
        "policy: . holds no kustomization and no manifest (.yaml, .yml, .json), but Helm charts; "
        "check what they render: `helm template charts/web | policy check -`\n",
    )


def test_an_environment_of_plain_manifests(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.flat(root)
    (root / "policy.toml").write_text('[environments]\nprod = "k8s"\n', encoding="utf-8")

    for arguments in ((), ("prod",), ("k8s",)):
        code, out, _ = said(capsys, "check", *arguments, "--only", "readiness-probe-set", "--format", "json")
        document = json.loads(out)
        assert code == 1
        assert [overlay["name"] for overlay in document["overlays"]] == ["prod"]
        (finding,) = document["findings"]
        assert (finding["overlays"], finding["place"]["file"]) == (["prod"], "k8s/web.yaml")


def test_an_environment_that_holds_kustomizations_is_none_itself(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.overlays(root)
    (root / "policy.toml").write_text('[environments]\nall = "overlays"\n', encoding="utf-8")

    code, out, _ = said(capsys, "check", "--only", "readiness-probe-set")

    assert code == 2
    assert "could not run  overlays: has no kustomization.yaml or kustomization.yml or Kustomization\n" in out


def odd_kustomizations(root: Path) -> None:
    for number, text in enumerate(
        (
            "resources: 5\n",
            "resources: {a: b}\n",
            'resources: ["a\\0b", 3, null, [x]]\n',
            "a: 2001-99-99\n",
            "[" * 3000,
            "? [a]\n: b\n",
            "resources: [.]\n",
            "resources: [..]\n",
            "&a [*a]\n",
            "",
            "kind: Component\n",
            "\ufeffresources: []\n",
        )
    ):
        trees.write(root, {f"k/{number}/kustomization.yaml": text})
    (root / "k/utf16").mkdir()
    (root / "k/utf16/kustomization.yaml").write_bytes("resources: []\n".encode("utf-16"))


def odd_files(root: Path) -> None:
    odd = {
        "empty.yaml": "",
        "comment.yaml": "# apiVersion: v1\n# kind: Pod\n",
        "list.yaml": "apiVersion: v1\nkind: List\nitems: 3\n",
        "nested.yaml": "a:\n" + "".join(f"{' ' * depth}b:\n" for depth in range(1, 400)) + "kind: Pod\n",
        "flow.json": '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":3}',
        "array.json": '[{"apiVersion": "v1", "kind": "Pod"}]',
        "template.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n",
        "types.yaml": "apiVersion: [v1]\nkind: {a: b}\nmetadata: 7\n",
        "bomb.yaml": "apiVersion: v1\nkind: Pod\na: &a [1,1]\n" + "".join(f"k{n}: &b{n} [*a, *a]\n" for n in range(9)),
        "tabs.yaml": "apiVersion: v1\n\tkind: Pod\n",
        "lines.yaml": "kind: Pod\n" + "\n" * 5000,
        "dir.yaml/inner.yml": "kind: 7\napiVersion: 8\n",
    }
    trees.write(root, {f"m/{name}": text for name, text in odd.items()})
    (root / "m/binary.yaml").write_bytes(b"\x00\xff\xfekind: Pod")
    (root / "m/utf16.yaml").write_bytes("apiVersion: v1\nkind: Pod\n".encode("utf-16"))
    (root / "m/latin.yaml").write_bytes("apiVersion: v1\nkind: Pod\nmetadata: {name: ü}\n".encode("latin-1"))
    (root / "m/broken.yaml").symlink_to("nowhere.yaml")
    (root / "m/loop").symlink_to(".")
    os.mkfifo(root / "m/pipe.yaml")


def odd_names(root: Path) -> None:
    for folder in ("a b", "ü", 'q"uote', "new\nline", "tab\tbed", "#hash", "a=b", "[x]", "--flag", "esc\x1b[31m"):
        trees.write(
            root,
            {f"{folder}/kustomization.yaml": trees.kustomization("w.yaml"), f"{folder}/w.yaml": trees.deployment("w")},
        )
    not_text = root / os.fsdecode(b"not-\xff-text")
    trees.write(not_text, {"kustomization.yaml": trees.kustomization("w.yaml"), "w.yaml": trees.deployment("w")})


@pytest.mark.parametrize("make", [odd_kustomizations, odd_files, odd_names])
def test_no_traceback_ever(make: Callable[[Path], None], root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".git").mkdir()
    make(root)

    for arguments in (["check", "."], ["check", ".", "--format", "json"], ["init"], ["check"], ["baseline"], ["check"]):
        code, out, err = said(capsys, *arguments)
        assert code in (0, 1, 2), arguments
        assert "Traceback" not in out + err
        assert err.count("\n") <= 1
        assert "\x1b" not in out + err


def test_folders_of_any_name_can_be_environments(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd_names(root)

    assert said(capsys, "init")[0] == 0
    code, out, err = said(capsys, "check", "--only", "readiness-probe-set", "--format", "json")

    document = json.loads(out)
    assert (code, err) == (1, "")
    assert sorted(overlay["path"].rpartition("/")[2] for overlay in document["overlays"]) == sorted(
        ["a b", "ü", 'q"uote', "#hash", "a=b", "[x]", "--flag"]
    )
    assert said(capsys, "baseline", "--only", "readiness-probe-set")[0] == 0
    assert said(capsys, "check", "--only", "readiness-probe-set")[0] == 0
