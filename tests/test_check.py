"""The check as a person meets it: what is broken in a copy of this repository is told with its file and line."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policy.cli import main

REPOSITORY = Path(__file__).parent.parent

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: app:1
          livenessProbe: {tcpSocket: {port: 1}, failureThreshold: 9}
"""


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is checked, as the working folder."""
    for name in ("base", "overlays", "argocd"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for name in ("policy.toml", "topology.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / ".tools").symlink_to(REPOSITORY / ".tools")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(file: Path, old: str, new: str) -> int:
    """Replaces the one occurrence of some text; the line where it was."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    code = main(["check", "--format", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert code == (1 if document["findings"] else 0), document["errors"]
    result: list[dict[str, Any]] = document["findings"]
    return result


def test_this_repository_is_clean(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)

    assert main(["check", "--strict"]) == 0

    lines = capsys.readouterr().out.splitlines()
    for overlay in ("dev", "staging", "prod"):
        mine = next(line for line in lines if line.startswith(overlay))
        assert "schema-valid for Kubernetes 1.34 and 1.37, policy: 0 findings" in mine


def test_a_probe_removed_from_base_is_one_finding_for_all_overlays(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "base/user-service/deployment.yaml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if "readinessProbe:" in line)
    end = next(number for number, line in enumerate(lines) if "livenessProbe:" in line)
    file.write_text("".join(lines[:start] + lines[end:]), encoding="utf-8")
    container = next(number for number, line in enumerate(lines, 1) if "- name: user-service" in line)

    (finding,) = findings(capsys)

    assert finding["rule"] == "readiness-probe-set"
    assert finding["overlays"] == ["dev", "staging", "prod"]
    assert finding["place"]["file"] == "base/user-service/deployment.yaml"
    assert finding["place"]["line"] == container
    assert finding["place"]["exact"]


def test_an_autoscaler_that_outgrows_the_quota_is_told_with_the_sum_at_the_patch(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "overlays/prod/product-service-autoscaling.yaml"
    line = replace(file, "  minReplicas: 3\n", "  minReplicas: 3\n  maxReplicas: 50\n") + 1

    found = [finding for finding in findings(capsys) if finding["rule"] == "quota-fits-peak"]

    assert found
    for finding in found:
        assert finding["overlays"] == ["prod"]
        assert (finding["place"]["file"], finding["place"]["line"]) == (
            "overlays/prod/product-service-autoscaling.yaml",
            line,
        )
        assert "product-service" in finding["message"]
        assert "50 ×" in finding["message"]
    assert any("limits.cpu" in finding["message"] for finding in found)


def test_a_misspelt_container_in_a_patch_is_told_with_the_name_that_was_meant(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "overlays/prod/users-db-size.yaml"
    line = replace(file, "- name: postgres", "- name: postgress")

    found = {finding["rule"]: finding for finding in findings(capsys)}

    finding = found["patch-adds-container"]
    assert finding["message"] == "this patch adds a container postgress; did you mean postgres?"
    assert (finding["place"]["file"], finding["place"]["line"]) == ("overlays/prod/users-db-size.yaml", line)


def test_an_image_that_is_not_pinned_is_told_at_its_images_entry(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = copy / "overlays/staging/kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("images:"))
    digest = next(number for number in range(start, len(lines)) if "digest:" in lines[number])
    file.write_text("".join(lines[:digest] + lines[digest + 1 :]), encoding="utf-8")

    (finding,) = [finding for finding in findings(capsys) if finding["rule"] == "image-pinned"]

    assert finding["overlays"] == ["staging"]
    assert finding["place"]["file"] == "overlays/staging/kustomization.yaml"
    assert start < finding["place"]["line"] <= digest + 1


def test_text_quotes_the_line_and_points_to_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(["check", "web.yaml", "--only", "readiness-probe-set", "--only", "image-pinned"]) == 1

    assert capsys.readouterr().out == (
        "error  readiness-probe-set  Deployment/web  web.yaml\n"
        "  web.yaml:10\n"
        "     10 |         - name: app\n"
        "        |                 ^^^ container app has no readiness probe\n"
        "  fix: add a readinessProbe that asks what it needs to serve a request\n"
        "\n"
        "error  image-pinned  Deployment/web  web.yaml\n"
        "  web.yaml:11\n"
        "     11 |           image: app:1\n"
        "        |                  ^^^^^ container app runs app:1, which is not pinned\n"
        "  fix: append the digest: app:1@sha256:…\n"
        "\n"
        "web.yaml  rendered 1 object, schemas not compared, policy: 2 findings\n"
        "2 rules: 2 errors, 0 warnings\n"
    )


def test_a_stream_a_folder_and_hidden_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep" / ".hidden").mkdir(parents=True)
    (tmp_path / "deep" / "web.yml").write_text(DEPLOYMENT, encoding="utf-8")
    (tmp_path / "deep" / ".hidden" / ".web.json").write_text(
        json.dumps(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
        ),
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)

    found = findings(capsys, "deep", "--only", "readiness-probe-set")
    assert {finding["place"]["file"] for finding in found} == {"deep/web.yml", "deep/.hidden/.web.json"}

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DEPLOYMENT.encode())))
    (finding,) = findings(capsys, "-", "--only", "readiness-probe-set")
    assert (finding["place"]["file"], finding["place"]["line"]) == ("<stdin>", 10)


def test_a_folder_without_a_kustomization_is_searched_for_those_that_a_person_would_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, resources in {"base": "web.yaml", "overlays/a": "../../base", "overlays/b": "../../base"}.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "kustomization.yaml").write_text(f"resources: [{resources}]\n", encoding="utf-8")
    (tmp_path / "base/web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    (finding,) = findings(capsys, ".", "--only", "readiness-probe-set")

    assert finding["overlays"] == ["overlays/a", "overlays/b"]


def test_strict_fails_on_warnings_and_on_what_was_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    (tmp_path / "values.yaml").write_text("replicas: 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(["check", "web.yaml", "--only", "startup-probe-set"]) == 0
    assert main(["check", "web.yaml", "--only", "startup-probe-set", "--strict"]) == 1
    assert main(["check", ".", "--only", "host-port"]) == 2
    capsys.readouterr()
    assert main(["check", ".", "--only", "no-host-port"]) == 0
    assert "values.yaml:1 is no Kubernetes object" in capsys.readouterr().out
    assert main(["check", ".", "--only", "no-host-port", "--strict"]) == 1


def test_an_exception_accepts_until_its_day_and_then_the_finding_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def settings(expires: str, container: str) -> None:
        (tmp_path / "policy.toml").write_text(
            f'[[exception]]\nrule = "readiness-probe-set"\nobject = "Deployment/w*"\ncontainer = "{container}"\n'
            f'reason = "it serves nobody"\nowner = "team-shop"\nexpires = {expires}\n',
            encoding="utf-8",
        )

    (tmp_path / "web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    only = ("web.yaml", "--only", "readiness-probe-set")

    settings("2999-01-01", "app")
    assert main(["check", *only]) == 0
    assert "1 finding accepted by exceptions, the first until 2999-01-01" in capsys.readouterr().out

    settings("2020-01-01", "app")
    (finding,) = findings(capsys, *only)
    assert finding["note"] == "its exception expired on 2020-01-01 (team-shop)"

    settings("2999-01-01", "other")
    (finding,) = findings(capsys, *only)
    assert finding["note"] is None


def test_colour_only_on_a_terminal() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "policy", "check", "--only", "key-unique"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )

    assert b"\x1b" not in said.stdout


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured_on_a_terminal(no_color: str, is_coloured: bool) -> None:
    import os
    import pty

    primary, secondary = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    subprocess.run(
        [sys.executable, "-m", "policy", "check", "--only", "key-unique"],
        cwd=REPOSITORY,
        stdout=secondary,
        env=environment,
        check=True,
    )
    os.close(secondary)
    said = os.read(primary, 65536)
    os.close(primary)

    assert (b"\x1b[" in said) == is_coloured


def test_explain_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--explain", "key-unique"]) == 0
    assert capsys.readouterr().out.startswith("No mapping in a source file holds the same key twice.\n\nWhy: ")


def test_one_field_of_a_wrong_type_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = '      hostNetwork: true\n      hostUsers: "no"\n'
    text = DEPLOYMENT.replace("      containers:\n", f"{wrong}      containers:\n")
    (tmp_path / "web.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(["check", "web.yaml", "--only", "no-host-namespace", "--only", "image-pinned"]) == 1

    said = capsys.readouterr().out
    assert "web.yaml:9\n" in said
    assert "web.yaml:13\n" in said
    assert "spec.template.spec.hostUsers was not looked at: it must be true or false, not" in said


def test_objects_of_one_name_are_told_apart_by_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, image in {"a": "app:1@sha256:" + "0" * 64, "b": "app:1"}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "web.yaml").write_text(DEPLOYMENT.replace("app:1", image), encoding="utf-8")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    (finding,) = findings(capsys, ".", "--only", "image-pinned")

    assert finding["place"]["file"] == "b/web.yaml"


def test_items_of_a_list_that_are_no_objects_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: c}]}}"
    text = f"apiVersion: v1\nkind: List\nspec: {{}}\nitems: [null, {{a: 1}}, {pod}]\n"
    (tmp_path / "list.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert main(["check", "list.yaml", "--only", "image-pinned"]) == 1

    said = capsys.readouterr().out
    assert "Pod/p" in said
    assert "list.yaml:1 is no Kubernetes object" in said


def test_a_line_separator_that_is_no_newline_moves_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: "x\u2028y"}\n---\n'
    (tmp_path / "web.yaml").write_text(config + DEPLOYMENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    (finding,) = findings(capsys, "web.yaml", "--only", "readiness-probe-set")

    assert finding["place"]["line"] == 15


def shop(folder: Path, settings: str) -> None:
    """A base that two environments share, and a policy.toml."""
    for name, resources in {"base": "web.yaml", "dev": "../base", "prod": "../base"}.items():
        (folder / name).mkdir()
        (folder / name / "kustomization.yaml").write_text(f"resources:\n  - {resources}\n", encoding="utf-8")
    (folder / "base/web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    text = f'[environments]\ndev = "dev"\nprod = "prod"\n{settings}'
    (folder / "policy.toml").write_text(text, encoding="utf-8")


def exception(text: str) -> str:
    return f'[[exception]]\nrule = "image-pinned"\nreason = "r"\nowner = "o"\n{text}'


def test_places_outside_of_a_repository_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(tmp_path, "")
    (tmp_path / "policy.toml").unlink()
    patch = "patches:\n  - patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}'\n"
    with (tmp_path / "dev/kustomization.yaml").open("a", encoding="utf-8") as stream:
        stream.write(patch + "images: [{name: app, newTag: '2'}]\n")
    monkeypatch.chdir(tmp_path / "dev")

    found = findings(capsys, ".", "--only", "image-pinned", "--only", "readiness-probe-set")

    assert {finding["rule"]: finding["place"]["file"] for finding in found} == {
        "image-pinned": "kustomization.yaml",
        "readiness-probe-set": str(tmp_path / "base/web.yaml"),
    }


def test_the_gravest_severity_counts_where_environments_share_a_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = '[rules.image-pinned]\nseverity = "warning"\n[rules.image-pinned.environments.prod]\nseverity = "error"\n'
    shop(tmp_path, rule)
    monkeypatch.chdir(tmp_path)

    (finding,) = findings(capsys, "--only", "image-pinned")

    assert (finding["overlays"], finding["severity"]) == (["dev", "prod"], "error")


def test_an_exception_that_expired_in_one_environment_is_not_told_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(tmp_path, exception('object = "Deployment/web"\nenvironments = ["prod"]\nexpires = 2020-01-01\n'))
    monkeypatch.chdir(tmp_path)

    found = findings(capsys, "--only", "image-pinned")

    assert [(finding["overlays"], finding["note"]) for finding in found] == [
        (["dev"], None),
        (["prod"], "its exception expired on 2020-01-01 (o)"),
    ]


def test_no_exception_is_stale_while_something_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What could not be read may be what needs it."""
    shop(tmp_path, "[rules]\nimage-pinned = { enabled = false }\nschema-valid = { enabled = false }\n")
    with (tmp_path / "policy.toml").open("a", encoding="utf-8") as stream:
        stream.write(exception('object = "Deployment/gone"\nexpires = 2999-01-01\n'))
    monkeypatch.chdir(tmp_path)

    def stale() -> bool:
        main(["check", "--format", "json"])
        return "exception-stale" in {finding["rule"] for finding in json.loads(capsys.readouterr().out)["findings"]}

    assert stale()
    (tmp_path / "prod/kustomization.yaml").write_text("resources: [gone.yaml]\n", encoding="utf-8")
    assert not stale()


def test_what_git_keeps_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (".git/kept", "node_modules/kept", "own"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "web.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    found = findings(capsys, ".", "--only", "image-pinned")

    assert [finding["place"]["file"] for finding in found] == ["own/web.yaml"]
