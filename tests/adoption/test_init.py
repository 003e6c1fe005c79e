"""policy init on repositories of the usual shapes: what it writes is what a person would have written, and it works."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.adoption.names import named
from policy.cli import main
from policy.rules import RULES
from policy.settings import load_settings
from policy.tools import find_tool, tool_version
from tests.adoption import trees

TODAY = datetime.datetime.now(datetime.UTC).date()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(root: Path) -> dict[str, Any]:
    assert main(["init"]) == 0
    load_settings(root / "policy.toml", RULES)
    return tomllib.loads((root / "policy.toml").read_text(encoding="utf-8"))


def test_overlays_are_environments_in_the_order_of_promotion(root: Path) -> None:
    trees.overlays(root)

    environments = settings(root)["environments"]

    assert list(environments.items()) == [
        ("dev", "overlays/dev"),
        ("qa", "overlays/qa"),
        ("staging", "overlays/staging"),
        ("prod", "overlays/prod"),
    ]


def test_overlays_of_the_same_name_are_told_apart_by_their_application(root: Path) -> None:
    trees.applications(root)

    environments = settings(root)["environments"]

    assert list(environments.items()) == [
        ("blog-dev", "apps/blog/overlays/dev"),
        ("blog-production", "apps/blog/overlays/production"),
        ("shop-dev", "apps/shop/overlays/dev"),
        ("shop-production", "apps/shop/overlays/production"),
    ]


def test_argocd_and_definitions_are_found_once_and_only_those_with_a_schema(root: Path) -> None:
    trees.applications(root)

    document = settings(root)

    assert document["argocd"] == {"path": "argocd"}
    assert document["schemas"] == {"crds": ["crds/widget.yaml", "definitions"]}


def test_the_tools_are_the_versions_that_run_here(root: Path) -> None:
    trees.overlays(root)

    assert settings(root)["tools"] == {
        name: tool_version(name, find_tool(name, wanted=None, root=root)) for name in ("kustomize", "kubeconform")
    }


def test_a_folder_of_plain_manifests_is_an_environment(root: Path) -> None:
    trees.flat(root)

    assert settings(root)["environments"] == {"k8s": "k8s"}


def test_folders_of_plain_manifests_are_environments_where_they_are_named_so(root: Path) -> None:
    trees.write(
        root,
        {
            "deploy/prod/eu/web.yaml": trees.deployment("web"),
            "deploy/dev/web.yaml": trees.deployment("web"),
            "deploy/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n",
        },
    )

    assert list(settings(root)["environments"].items()) == [("dev", "deploy/dev"), ("prod", "deploy/prod")]


def test_the_folder_itself_may_be_what_is_built(root: Path) -> None:
    trees.write(root, {"kustomization.yaml": trees.kustomization("web.yaml"), "web.yaml": trees.deployment("web")})

    assert settings(root)["environments"] == {"default": "."}


def test_noise_is_not_followed_and_what_is_not_checked_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.monorepo(root)

    document = settings(root)

    assert document["environments"] == {"prod": "deploy/overlays/prod"}
    assert document["schemas"] == {"crds": ["charts/web/crds"]}  # Helm does not template those
    said = capsys.readouterr().out
    assert re.search(r"^Helm charts +charts/web: not checked; check what they render$", said, re.MULTILINE)
    assert re.search(r"^also here +k8s: manifests that no kustomization builds$", said, re.MULTILINE)
    assert '\n# k8s = "k8s"\n' in (root / "policy.toml").read_text(encoding="utf-8")


def test_what_cannot_be_built_is_left_out_with_the_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.overlays(root)
    trees.write(
        root,
        {
            "overlays/qa/kustomization.yaml": trees.kustomization("../../bsae"),
            "overlays/staging/kustomization.yaml": trees.kustomization("https://git.example.org/base?ref=v1"),
        },
    )

    assert settings(root)["environments"] == {"dev": "overlays/dev", "prod": "overlays/prod"}

    text = (root / "policy.toml").read_text(encoding="utf-8")
    reason = "overlays/qa/kustomization.yaml:2: resources[0] '../../bsae' does not exist"
    assert f'# Cannot be checked: {reason}\n# qa = "overlays/qa"\n' in text
    assert '# staging = "overlays/staging"\n' in text
    said = capsys.readouterr().out
    assert f"left out      qa: {reason}\n" in said
    assert main(["check", "--only", "image-pinned"]) == 1


def test_where_nothing_can_be_built_the_first_step_is_to_mend_that(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.write(root, {"overlays/dev/kustomization.yaml": trees.kustomization("../../base")})

    assert settings(root)["environments"] == {}

    assert capsys.readouterr().out.endswith("Next:\n  mend what is left out, and name it there\n")


def test_a_component_is_no_environment(root: Path) -> None:
    trees.overlays(root)
    trees.write(
        root,
        {
            "components/tls/kustomization.yaml": "kind: Component\nresources: [tls.yaml]\n",
            "components/tls/tls.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tls}\n",
        },
    )

    assert sorted(settings(root)["environments"]) == ["dev", "prod", "qa", "staging"]


def test_the_hints_can_be_taken_as_they_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.applications(root)
    assert main(["init"]) == 0
    file = root / "policy.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    counts = [re.fullmatch(r"# +(\d+)  ([a-z-]+)", line) for line in lines]
    numbers = {found[2]: int(found[1]) for found in counts if found}
    assert list(numbers.values()) == sorted(numbers.values(), reverse=True)
    assert {rule.id for rule in RULES} >= set(numbers)

    first = next(number for number, line in enumerate(lines) if line.startswith("# [rules."))
    taken = [
        line.removeprefix("# ") if not line.startswith(("# Where", "# A finding")) else line for line in lines[first:]
    ]
    file.write_text("\n".join([*lines[:first], *taken, ""]), encoding="utf-8")

    loaded = load_settings(file, RULES)
    (exception,) = loaded.exceptions
    assert exception.accepted.rule == next(iter(numbers))
    assert exception.accepted.expires == TODAY + datetime.timedelta(days=90)
    rule = next(rule for rule in RULES if rule.id == "image-registry-allowed")
    assert loaded.rule(rule, "shop-dev").options.allowed == (  # type: ignore[attr-defined]
        "registry.example.org:5000/blog",
        "registry.example.org:5000/shop",
    )
    capsys.readouterr()
    main(["check", "--only", "image-registry-allowed"])
    assert "0 errors, 0 warnings" in capsys.readouterr().out


@pytest.mark.parametrize("tree", [trees.overlays, trees.applications, trees.flat, trees.monorepo])
def test_what_it_counts_is_what_the_check_then_finds(
    tree: Callable[[Path], Path], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(root)
    assert main(["init"]) == 0
    found = re.search(r"^found today +(\d+) findings", capsys.readouterr().out, re.MULTILINE)
    assert found

    assert main(["check"]) == 1

    total = capsys.readouterr().out.splitlines()[-1]
    counts = re.search(r"(\d+) errors, (\d+) warnings", total)
    assert counts
    assert int(counts[1]) + int(counts[2]) == int(found[1]) > 0
    assert "could not run" not in total


def test_a_missing_tool_is_said_and_leaves_no_environment_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.overlays(root)
    monkeypatch.setenv("POLICY_KUSTOMIZE", str(root / "nowhere"))

    document = settings(root)

    assert len(document["environments"]) == 4
    assert "kustomize" not in document["tools"]
    said = capsys.readouterr().out
    assert said.count("\ncould not run  ") == 1
    assert "found today" not in said
    assert "  mend what could not run\n" in said


def test_nothing_is_overwritten(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.overlays(root)
    (root / "policy.toml").write_text("# mine\n", encoding="utf-8")

    assert main(["init"]) == 2

    assert capsys.readouterr().err == "policy: policy.toml: exists already, and is left as it is\n"
    assert (root / "policy.toml").read_text(encoding="utf-8") == "# mine\n"


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (lambda root: root, "there is nothing to check in .: no kustomization and no manifest"),
        (
            trees.chart,
            "there is nothing to check in .: no kustomization and no manifest, only Helm charts; "
            "check what they render: `helm template charts/web | policy check -`",
        ),
    ],
)
def test_where_there_is_nothing_to_check_nothing_is_written(
    tree: Callable[[Path], Path], sentence: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(root)

    assert main(["init"]) == 2

    assert capsys.readouterr().err == f"policy: {sentence}\n"
    assert not (root / "policy.toml").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "nowhere"]) == 2
    assert capsys.readouterr().err == "policy: there is no folder nowhere\n"

    trees.overlays(root / "repo")
    (root / "repo" / "policy.toml").symlink_to("elsewhere/policy.toml")
    assert main(["init", "repo"]) == 2
    assert capsys.readouterr().err == "policy: repo/policy.toml: exists already, and is left as it is\n"


def test_the_file_is_written_whole_and_for_all_to_read(root: Path) -> None:
    trees.overlays(root)
    before = {path.name for path in root.iterdir()}

    assert main(["init", str(root)]) == 0

    assert {path.name for path in root.iterdir()} == before | {"policy.toml"}
    (root / "other").touch()
    assert (root / "policy.toml").stat().st_mode == (root / "other").stat().st_mode


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["a/dev", "b/prod", "c/test"], ["dev", "prod", "test"]),
        (["shop/overlays/prod", "blog/overlays/prod"], ["blog-prod", "shop-prod"]),
        (["shop/k8s/envs/prod", "shop/k8s/envs/uat", "blog/prod"], ["blog-prod", "shop-uat", "shop-prod"]),
        (["apps/eu/prod", "apps/us/prod", "apps/us/dev"], ["eu-prod", "us-dev", "us-prod"]),
        (["overlays/prod-eu", "overlays/stg-eu", "overlays/dev"], ["dev", "stg-eu", "prod-eu"]),
        (["overlays/prod", "apps/prod"], ["prod", "prod-2"]),
        (["argocd"], ["argocd-objects"]),
        (["größe.1/x y"], ["x-y"]),
        (["环境"], ["default"]),
        ([""], ["default"]),
    ],
)
def test_names_are_short_unique_and_ordered(folders: list[str], names: list[str]) -> None:
    assert [name for name, _ in named(map(Path, folders))] == names
