"""policy baseline as a person meets it: old findings fail nothing, new ones do, mended ones leave, nothing slips in."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from policy import engine
from policy.baseline.matching import Baseline, Coverage, Entry, key_of
from policy.cli import main
from policy.findings import Place, Severity
from policy.result import LocatedFinding
from policy.rules import RULES
from policy.settings import load_settings
from policy.targets import targets
from tests.adoption import trees

ONLY = ("--only", "image-pinned", "--only", "readiness-probe-set")
PROBE = "readinessProbe: {httpGet: {port: 80}}\n"
PINNED = f"ghcr.io/acme/web:1@sha256:{'0' * 64}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    trees.overlays(tmp_path)
    (tmp_path / "policy.toml").write_text(
        '[environments]\ndev = "overlays/dev"\nprod = "overlays/prod"\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def baseline(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["baseline", *ONLY, *arguments]) == code
    said = capsys.readouterr()
    return said.out if code < 2 else said.err


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    code = main(["check", *ONLY, "--format", "json", *arguments])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == (1 if document["findings"] else 0), document["errors"]
    return document


def rules(findings: list[dict[str, Any]]) -> list[str]:
    return sorted(finding["rule"] for finding in findings)


def write(root: Path, **deployment: str) -> None:
    (root / "base/web.yaml").write_text(trees.deployment("web", **deployment), encoding="utf-8")


def test_it_writes_one_line_a_finding_and_the_check_passes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [finding["rule"] for finding in check(capsys)["findings"]] == ["readiness-probe-set", "image-pinned"]

    said = baseline(capsys)

    assert said == (
        "policy-baseline.toml: 2 findings of 2 rules written; from now on `policy check` fails on new ones only\n"
    )
    assert (root / "policy-baseline.toml").read_text(encoding="utf-8") == (
        "# Findings that were there before the checks: they fail no run, new ones do. One line each, by file.\n"
        "# `policy baseline` removes what is mended; nothing is added without `policy baseline --add`.\n"
        "version = 1\n"
        "findings = [\n"
        '  { file = "base/web.yaml", object = "Deployment/web",'
        ' field = "spec.template.spec.containers[name=app].image", rule = "image-pinned",'
        ' environments = ["dev", "prod"] },\n'
        '  { file = "base/web.yaml", object = "Deployment/web",'
        ' field = "spec.template.spec.containers[name=app].readinessProbe", rule = "readiness-probe-set",'
        ' environments = ["dev", "prod"] },\n'
        "]\n"
    )
    result = check(capsys)
    assert result["findings"] == []
    assert rules(result["baselined"]) == ["image-pinned", "readiness-probe-set"]
    assert all(finding["overlays"] == ["dev", "prod"] for finding in result["baselined"])
    assert (result["summary"]["baselined"], result["summary"]["mended"]) == (2, 0)


def test_the_summary_counts_what_is_old_and_what_is_mended(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    assert main(["check", *ONLY, "--strict"]) == 0
    assert "\n2 findings in the baseline\n2 rules: 0 errors, 0 warnings\n" in capsys.readouterr().out

    write(root, extra=PROBE)

    assert main(["check", *ONLY, "--strict"]) == 0
    assert (
        "\n1 finding in the baseline, 1 that it lists is mended: `policy baseline` takes it out\n"
        in capsys.readouterr().out
    )


@pytest.mark.usefixtures("root")
def test_without_the_baseline_everything_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)

    assert rules(check(capsys, "--no-baseline")["findings"]) == ["image-pinned", "readiness-probe-set"]


def test_lines_values_and_order_may_change(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    (root / "base/web.yaml").write_text(
        "# moved down, reformatted, with a container before it and another image\n\n"
        + trees.deployment("web", image="ghcr.io/acme/web:2")
        .replace(
            "        - name: app\n",
            f"        - {{name: log, image: '{PINNED}', {PROBE.strip()}}}\n        - name: app\n",
        )
        .replace("metadata:\n  name: web", 'metadata: {name: "web"}'),
        encoding="utf-8",
    )

    result = check(capsys)

    assert result["findings"] == []
    assert result["summary"]["baselined"] == 2


def test_a_new_finding_fails_beside_the_old_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    write(
        root, extra=f"- name: log\n  image: {PINNED}\n".replace("\n  ", "\n").replace("- name", "resources: {}\n- name")
    )
    text = (root / "base/web.yaml").read_text(encoding="utf-8")
    (root / "base/web.yaml").write_text(
        re.sub(r"          - name: log\n          image", "        - name: log\n          image", text),
        encoding="utf-8",
    )

    (finding,) = check(capsys)["findings"]

    assert (finding["rule"], finding["message"]) == ("readiness-probe-set", "container log has no readiness probe")


def test_an_old_finding_of_one_environment_is_new_in_another(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinned = "images: [{name: ghcr.io/acme/web, digest: 'sha256:" + "0" * 64 + "'}]\n"
    (root / "overlays/prod/kustomization.yaml").write_text(trees.kustomization("../../base", more=pinned), "utf-8")
    baseline(capsys)
    (root / "overlays/prod/kustomization.yaml").write_text(trees.kustomization("../../base"), encoding="utf-8")

    (finding,) = check(capsys)["findings"]

    assert (finding["rule"], finding["overlays"]) == ("image-pinned", ["prod"])


def test_it_only_shrinks_unless_told_to_grow(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    write(root, extra=PROBE)
    trees.write(root, {"base/kustomization.yaml": trees.kustomization("web.yaml", "api.yaml")})
    trees.write(root, {"base/api.yaml": trees.deployment("api", extra=PROBE)})

    assert baseline(capsys, "--check", code=1) == (
        "policy-baseline.toml lists 1 finding that is mended: run `policy baseline`\n"
    )
    assert baseline(capsys) == (
        "policy-baseline.toml: 1 finding, 1 mended and removed\n"
        "1 finding not in it: `policy check` shows them, `policy baseline --add` adds them\n"
    )
    (finding,) = check(capsys)["findings"]
    assert finding["objects"][0]["name"] == "api"
    assert baseline(capsys, "--check") == "policy-baseline.toml: 1 finding, none of them mended\n"

    assert baseline(capsys, "--add") == "policy-baseline.toml: 2 findings, none mended, 1 added\n"
    assert check(capsys)["findings"] == []

    write(root, extra=PROBE, image=PINNED)
    trees.write(root, {"base/api.yaml": trees.deployment("api", extra=PROBE, image=PINNED)})
    assert baseline(capsys) == "all is mended: policy-baseline.toml is deleted\n"
    assert not (root / "policy-baseline.toml").exists()
    assert baseline(capsys, "--check") == "there is no policy-baseline.toml, and so nothing to remove from it\n"
    assert baseline(capsys) == "nothing is found: no baseline is needed\n"
    assert not (root / "policy-baseline.toml").exists()


def test_what_is_mended_in_one_environment_leaves_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    pinned = "images: [{name: ghcr.io/acme/web, digest: 'sha256:" + "0" * 64 + "'}]\n"
    (root / "overlays/prod/kustomization.yaml").write_text(trees.kustomization("../../base", more=pinned), "utf-8")

    assert baseline(capsys) == "policy-baseline.toml: 2 findings, 1 mended and removed\n"

    text = (root / "policy-baseline.toml").read_text(encoding="utf-8")
    assert 'rule = "image-pinned", environments = ["dev"] },\n' in text
    assert 'rule = "readiness-probe-set", environments = ["dev", "prod"] },\n' in text


def test_a_moved_file_is_followed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    (root / "base/web").mkdir()
    (root / "base/web.yaml").rename(root / "base/web/deployment.yaml")
    trees.write(root, {"base/kustomization.yaml": trees.kustomization("web/deployment.yaml")})

    result = check(capsys)
    assert result["findings"] == []
    assert (result["summary"]["baselined"], result["summary"]["mended"]) == (2, 0)
    assert baseline(capsys, "--check", code=1) == (
        "policy-baseline.toml is not as `policy baseline` writes it: run it\n"
    )
    assert baseline(capsys) == "policy-baseline.toml: 2 findings, none mended\n"
    assert (root / "policy-baseline.toml").read_text(encoding="utf-8").count("base/web/deployment.yaml") == 2


def test_a_copy_of_what_is_old_is_new(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the file is still there, the same object in another file has not moved."""
    baseline(capsys)
    other = trees.deployment("web").replace("metadata:\n  name: web\n", "metadata:\n  name: web\n  namespace: other\n")
    trees.write(
        root, {"base/other.yaml": other, "base/kustomization.yaml": trees.kustomization("web.yaml", "other.yaml")}
    )

    assert {finding["place"]["file"] for finding in check(capsys)["findings"]} == {"base/other.yaml"}


def test_exceptions_come_first_and_an_expired_one_is_not_covered(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline(capsys)
    settings = (root / "policy.toml").read_text(encoding="utf-8")

    def accept(expires: str) -> None:
        exception = '[[exception]]\nrule = "image-pinned"\nobject = "Deployment/*"\nreason = "why"\nowner = "who"\n'
        (root / "policy.toml").write_text(f"{settings}{exception}expires = {expires}\n", encoding="utf-8")

    accept("2999-01-01")
    result = check(capsys)
    assert (len(result["accepted"]), result["summary"]["baselined"], result["summary"]["mended"]) == (1, 1, 1)

    accept("2020-01-01")
    result = check(capsys)
    (finding,) = result["findings"]
    assert finding["note"] == "its exception expired on 2020-01-01 (who)"
    assert result["summary"]["baselined"] == 1

    baseline(capsys, "--add")
    (finding,) = check(capsys)["findings"]
    assert finding["rule"] == "image-pinned"


def test_a_part_of_the_repository_says_nothing_of_the_rest(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    before = (root / "policy-baseline.toml").read_bytes()
    write(root, extra=PROBE, image=PINNED)

    assert check(capsys, "overlays/qa")["summary"]["mended"] == 0
    assert baseline(capsys, "overlays/qa") == "policy-baseline.toml: 2 findings, none mended\n"
    assert (root / "policy-baseline.toml").read_bytes() == before
    assert check(capsys, "dev")["summary"]["mended"] == 2
    baseline(capsys, "dev")
    assert (root / "policy-baseline.toml").read_text(encoding="utf-8").count('environments = ["prod"] },') == 2


@pytest.mark.usefixtures("root")
def test_a_single_file_is_checked_against_what_its_environments_have(capsys: pytest.CaptureFixture[str]) -> None:
    """As a hook does that is given the changed files."""
    baseline(capsys)

    result = check(capsys, "base/web.yaml")

    assert result["findings"] == []
    assert (result["summary"]["baselined"], result["summary"]["mended"]) == (2, 0)


def test_plain_manifests_outside_of_environments(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.write(root, {"k8s/api.yaml": trees.deployment("api"), "k8s/job.yaml": trees.deployment("job")})
    baseline(capsys, "k8s")
    assert "environments" not in (root / "policy-baseline.toml").read_text(encoding="utf-8")

    assert check(capsys, "k8s")["findings"] == []
    trees.write(root, {"k8s/api.yaml": trees.deployment("api", extra=PROBE)})
    (root / "k8s/job.yaml").unlink()
    assert check(capsys)["summary"]["mended"] == 2  # the file that is gone; the other was not looked at
    assert check(capsys, "k8s")["summary"]["mended"] == 3
    baseline(capsys, "k8s")
    text = (root / "policy-baseline.toml").read_text(encoding="utf-8")
    assert [line.strip() for line in text.splitlines() if "{" in line] == [
        '{ file = "k8s/api.yaml", object = "Deployment/api",'
        ' field = "spec.template.spec.containers[name=app].image", rule = "image-pinned" },'
    ]


def test_what_could_not_run_leaves_the_baseline_as_it_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    before = (root / "policy-baseline.toml").read_bytes()
    write(root, extra=PROBE)
    trees.write(root, {"overlays/prod/kustomization.yaml": trees.kustomization("../../bsae")})

    for arguments in ((), ("--add",), ("--check",)):
        assert baseline(capsys, *arguments, code=2) == (
            "policy: the baseline is left as it is, for not everything could be checked: "
            "overlays/prod/kustomization.yaml:2: resources[0] '../../bsae' does not exist\n"
        )
    assert (root / "policy-baseline.toml").read_bytes() == before
    assert main(["check", *ONLY, "--format", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["summary"]["mended"] == 1  # in dev


def test_what_a_rule_skips_is_not_mended() -> None:
    """A rule that cannot judge an object any longer leaves what the baseline lists of it."""
    entry = Entry(
        file="base/web.yaml", object="Deployment/web", field="spec", rule="image-pinned", environments=("dev",)
    )
    for skipped, mended in (
        (set(), 1),
        ({("image-pinned", "dev", "Deployment/web")}, 0),
        ({("image-pinned", "", "")}, 0),
        ({("image-pinned", "dev", "Deployment/api")}, 1),
        ({("image-pinned", "prod", "Deployment/web")}, 1),
        ({("readiness-probe-set", "dev", "Deployment/web")}, 1),
    ):
        run = Baseline((entry,), {"dev", "prod"}, lambda _: True)
        run.coverage = Coverage({"image-pinned"}, {"dev", "prod"}, set(), frozenset(skipped))
        assert run.mended == mended, skipped


def test_a_rule_that_is_switched_off_has_nothing_left(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    with (root / "policy.toml").open("a", encoding="utf-8") as file:
        file.write("[rules.image-pinned]\nenabled = false\n")

    assert baseline(capsys) == "policy-baseline.toml: 1 finding, 1 mended and removed\n"


def test_an_environment_that_is_gone_leaves(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(capsys)
    (root / "policy.toml").write_text('[environments]\ndev = "overlays/dev"\n', encoding="utf-8")

    assert check(capsys)["findings"] == []
    baseline(capsys)
    assert (root / "policy-baseline.toml").read_text(encoding="utf-8").count('environments = ["dev"] },') == 2


def test_generated_names_count_without_their_hash(root: Path) -> None:
    def generate(value: str) -> None:
        generator = f"configMapGenerator: [{{name: settings, literals: ['DB_PASSWORD={value}']}}]\n"
        trees.write(root, {"base/kustomization.yaml": trees.kustomization("web.yaml", more=generator)})

    only = ("--only", "no-secret-in-git")
    generate("Gx7Kp2Qm9Wz4")
    assert main(["baseline", *only]) == 0
    assert 'object = "ConfigMap/settings"' in (root / "policy-baseline.toml").read_text(encoding="utf-8")
    generate("Zt5Rb8Nc3Vy6")
    assert main(["check", *only]) == 0
    assert main(["baseline", *only, "--check"]) == 0


def test_another_file_can_be_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "policy.toml").unlink()
    assert baseline(capsys, "base", code=2) == (
        "policy: a baseline lies beside policy.toml, and there is none: `policy init` writes it\n"
    )

    baseline(capsys, "base", "--baseline", "old.toml")

    assert len(check(capsys, "base")["findings"]) == 2
    assert check(capsys, "base", "--baseline", "old.toml")["findings"] == []
    assert main(["check", "base", "--baseline", "older.toml"]) == 2
    assert capsys.readouterr().err == "policy: older.toml: cannot be read: No such file or directory\n"


def test_it_is_written_in_the_order_of_files_whatever_the_machine(root: Path) -> None:
    trees.write(root, {"base/kustomization.yaml": trees.kustomization("web.yaml", "api.yaml")})
    trees.write(root, {"base/api.yaml": trees.deployment("api")})
    texts = set()
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "policy", "baseline", *ONLY],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
            capture_output=True,
        )
        texts.add((root / "policy-baseline.toml").read_text(encoding="utf-8"))
        (root / "policy-baseline.toml").unlink()
    (text,) = texts
    lines = [line for line in text.splitlines() if line.startswith("  {")]
    assert lines == sorted(lines)
    assert len(lines) == 4


def test_what_is_wrong_with_a_file_is_told_by_its_message(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an object there is no field, so another message is another finding."""
    only = ("--only", "kustomization-current")
    old = {"base/kustomization.yaml": trees.kustomization("web.yaml", more="commonLabels: {team: shop}\n")}
    trees.write(root, old)
    assert main(["baseline", *only]) == 0
    (line,) = (line for line in (root / "policy-baseline.toml").read_text("utf-8").splitlines() if "{" in line)
    assert "message = " in line
    assert "object" not in line

    trees.write(root, {"base/kustomization.yaml": "# moved\n" + old["base/kustomization.yaml"]})
    assert main(["check", *only]) == 0
    assert main(["baseline", *only, "--check"]) == 0

    more = "patchesStrategicMerge: [replicas.yaml]\n"
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n"
    trees.write(
        root, {"base/kustomization.yaml": trees.kustomization("web.yaml", more=more), "base/replicas.yaml": patch}
    )
    capsys.readouterr()
    assert main(["check", *only]) == 1
    assert "1 that it lists is mended" in capsys.readouterr().out


def test_numbers_in_messages_do_not_count() -> None:
    """A message may name a line, or a sum."""
    known, moved, other = (
        LocatedFinding("key-unique", Severity.ERROR, (), (), (), message, None, Place("web.yaml", 1))
        for message in ("a stands twice, first in line 3", "a stands twice, first in line 12", "b stands twice")
    )

    assert key_of(known) == key_of(moved) != key_of(other)


def test_a_rule_that_compares_environments_is_judged_on_all_of_them(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ("--only", "environments-same-files")
    trees.write(
        root,
        {
            "overlays/prod/kustomization.yaml": trees.kustomization("../../base", "settings.yaml"),
            "overlays/prod/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
        },
    )
    assert main(["baseline", *only]) == 0
    capsys.readouterr()

    for arguments in (["prod"], ["dev"]):
        assert main(["check", *only, *arguments]) == 0
        assert "mended" not in capsys.readouterr().out
    (root / "overlays/prod/settings.yaml").unlink()
    trees.write(root, {"overlays/prod/kustomization.yaml": trees.kustomization("../../base")})
    assert main(["check", *only]) == 0
    assert "1 that it lists is mended" in capsys.readouterr().out


def test_a_rule_that_allows_no_exception_is_in_no_baseline(root: Path) -> None:
    strict = replace(next(rule for rule in RULES if rule.id == "image-pinned"), exceptable=False)
    settings = load_settings(root / "policy.toml", RULES)
    run = Baseline((), settings.environments, lambda _: True)
    today = datetime.date(2026, 1, 1)

    first = engine.check(targets([], settings), settings, [strict], today=today, baseline=run)

    assert (len(first.findings), run.others()) == (1, ())


def test_where_schemas_could_not_be_compared_none_of_their_findings_is_mended(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, extra="imagePullPolicie: Never\n")
    only = ("--only", "schema-valid")
    assert main(["baseline", *only]) == 0
    monkeypatch.setenv("POLICY_KUBECONFORM", str(root / "nowhere"))
    capsys.readouterr()

    assert main(["check", *only, "--format", "json"]) == 2

    assert json.loads(capsys.readouterr().out)["summary"]["mended"] == 0
