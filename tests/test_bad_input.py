"""Whatever cannot be checked ends with exit code 2 and one clear sentence with its file and line, never a traceback."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from policy.cli import main

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
data:
  level: info
"""
CONFLICT = CONFIG.replace("  level: info\n", "<<<<<<< HEAD\n  level: info\n=======\n  level: debug\n>>>>>>> other\n")
TABBED = CONFIG.replace("  level", "\tlevel")


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    (folder / ".git").mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run(folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that the command says in that folder, after making sure that it could not run."""
    monkeypatch.chdir(folder)
    assert main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert "Traceback" not in said
    return said


OVERLAY: dict[str, dict[str, str | bytes]] = {
    "malformed YAML": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [}\n",
    },
    "a kustomization that is no YAML": {"kustomization.yaml": "resources:\n  - a\n bad: [\n"},
    "an alias bomb": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    },
    "text that is not UTF-8": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": CONFIG.encode() + b"  name: caf\xe9\n",
    },
    "a missing resource": {"kustomization.yaml": "resources:\n  - config.yaml\n  - gone.yaml\n", "config.yaml": CONFIG},
    "a cycle of bases": {
        "kustomization.yaml": "resources:\n  - a\n",
        "a/kustomization.yaml": "resources:\n  - ../b\n",
        "b/kustomization.yaml": "resources:\n  - ../a\n",
    },
    "a patch that meets nothing": {
        "kustomization.yaml": "resources: [config.yaml]\npatches:\n  - path: patch.yaml\n",
        "config.yaml": CONFIG,
        "patch.yaml": CONFIG.replace("settings", "misspelt"),
    },
    "replicas of nothing": {
        "kustomization.yaml": "resources: [config.yaml]\nreplicas:\n  - name: gone\n    count: 2\n",
        "config.yaml": CONFIG,
    },
    "an empty kustomization": {"kustomization.yaml": ""},
    "a kustomization that renders nothing": {"kustomization.yaml": "namespace: shop\n"},
    "a missing patch file": {
        "kustomization.yaml": "resources: [config.yaml]\npatches:\n  - path: gone.yaml\n",
        "config.yaml": CONFIG,
    },
    "a remote base": {"kustomization.yaml": "resources:\n  - https://github.com/example/repository//base?ref=v1\n"},
    "a path out of the repository": {"kustomization.yaml": "resources:\n  - ../../../../etc\n"},
    "a tag that is a number": {
        "kustomization.yaml": "resources: [base]\nimages:\n  - name: other\n    newTag: '1'\n",
        "base/kustomization.yaml": "resources: [../config]\nimages:\n  - name: app\n    newTag: 1.5\n",
        "config/kustomization.yaml": "resources: [config.yaml]\n",
        "config/config.yaml": CONFIG,
    },
    "a count that is text": {
        "kustomization.yaml": "resources: [config.yaml]\nreplicas:\n  - name: web\n    count: '3'\n",
        "config.yaml": CONFIG,
    },
    "an operation on nothing": {
        "kustomization.yaml": "resources: [config.yaml]\npatches:\n  - target: {kind: ConfigMap}\n    patch: |\n"
        "      - op: replace\n        path: /data/level\n        value: debug\n"
        "      - op: replace\n        path: /spec/x\n        value: 1\n",
        "config.yaml": CONFIG,
    },
    "a removal of nothing in a file": {
        "kustomization.yaml": "resources: [config.yaml]\npatches:\n  - {path: patch.yaml, target: {kind: ConfigMap}}\n",
        "config.yaml": CONFIG,
        "patch.yaml": "- op: remove\n  path: /data/gone\n",
    },
    "a test that fails": {
        "kustomization.yaml": "resources: [config.yaml]\npatches:\n  - target: {kind: ConfigMap}\n    patch: |\n"
        "      - op: test\n        path: /data/level\n        value: debug\n",
        "config.yaml": CONFIG,
    },
    "an object that is there twice": {
        "kustomization.yaml": "resources: [config.yaml, again.yaml]\n",
        "config.yaml": CONFIG,
        "again.yaml": "# again\n" + CONFIG,
    },
    "an object that is reached in two ways": {
        "kustomization.yaml": "resources: [a, b]\n",
        "a/kustomization.yaml": "resources: [../base]\n",
        "b/kustomization.yaml": "resources: [../base]\n",
        "base/kustomization.yaml": "resources: [config.yaml]\n",
        "base/config.yaml": CONFIG,
    },
    "a chart": {
        "kustomization.yaml": "resources: [config.yaml]\nhelmCharts:\n  - name: redis\n",
        "config.yaml": CONFIG,
    },
    "a conflict in a manifest": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": f"{CONFIG}---\n{CONFLICT}",
    },
    "a conflict in a kustomization": {"kustomization.yaml": "resources:\n<<<<<<< HEAD\n- a\n=======\n- b\n>>>>>>> b\n"},
    "a tab in a manifest": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": f"{CONFIG}---\n{TABBED}",
    },
    "a tab in a kustomization": {"kustomization.yaml": "resources:\n\t- a\n"},
    "a template among manifests": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": f"{CONFIG}---\n{{{{- if .Values.web }}}}\n{CONFIG}{{{{- end }}}}\n",
    },
    "a quote that is not closed": {
        "kustomization.yaml": "resources: [config.yaml]\n",
        "config.yaml": f"{CONFIG}---\nkind: 'ConfigMap\nmetadata: {{}}\n",
    },
    "a path with a null character": {"kustomization.yaml": 'resources:\n  - "a\\0b"\n'},
    "a path that is too long": {"kustomization.yaml": f"resources:\n  - {'x' * 300}\n"},
}

EXPECTED = {
    "malformed YAML": "config.yaml:3:",
    "a kustomization that is no YAML": "kustomization.yaml:3:",
    "an alias bomb": "config.yaml:",
    "text that is not UTF-8": "config.yaml:8:",
    "a missing resource": "kustomization.yaml:3:",
    "a cycle of bases": "kustomization.yaml:2:",
    "a patch that meets nothing": "patch.yaml:4: a patch finds no object ConfigMap/misspelt.shop",
    "replicas of nothing": "kustomization.yaml:3: replicas names gone",
    "an empty kustomization": "kustomization.yaml",
    "a kustomization that renders nothing": "kustomization.yaml",
    "a missing patch file": "kustomization.yaml:3:",
    "a remote base": "kustomization.yaml:2:",
    "a path out of the repository": "kustomization.yaml:2:",
    "a tag that is a number": "base/kustomization.yaml:4: images[0].newTag must be text, not a number (quote it)",
    "a count that is text": "kustomization.yaml:4: replicas[0].count must be a whole number, not text",
    "an operation on nothing": "kustomization.yaml:9: the patch cannot replace /spec/x, for the object has nothing",
    "a removal of nothing in a file": "patch.yaml:2: the patch cannot remove /data/gone, for the object has nothing",
    "a test that fails": "kustomization.yaml:6: the patch tests /data/level, which holds another value",
    "an object that is there twice": "again.yaml:5: ConfigMap/settings.shop is there twice, first in config.yaml:4",
    "an object that is reached in two ways": "base/config.yaml:4: ConfigMap/settings.shop is there twice: this file is",
    "a chart": "kustomization.yaml:2: Helm charts are not rendered here",
    "a conflict in a manifest": "config.yaml:15: an unresolved merge conflict: <<<<<<< HEAD",
    "a conflict in a kustomization": "kustomization.yaml:2: an unresolved merge conflict: <<<<<<< HEAD",
    "a tab in a manifest": "config.yaml:15: a tab is used as indentation, where YAML takes spaces only",
    "a tab in a kustomization": "kustomization.yaml:2: a tab is used as indentation, where YAML takes spaces only",
    "a template among manifests": "config.yaml:9: a template, which becomes YAML when it is rendered",
    "a quote that is not closed": "config.yaml:9: not valid YAML: a quote that is opened here is not closed",
    "a path with a null character": "kustomization.yaml:2: resources[0] 'a\\x00b' does not exist",
    "a path that is too long": "kustomization.yaml:2:",
}


@pytest.mark.parametrize("case", OVERLAY)
def test_an_overlay_that_cannot_be_read(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, OVERLAY[case])

    said = run(tmp_path, ["."], monkeypatch, capsys)

    told = [line for line in said.splitlines() if line.startswith("could not run")]
    assert len(told) == 1, said
    assert EXPECTED[case] in told[0]
    assert len(told[0]) < 400


def test_a_broken_overlay_does_not_hide_the_findings_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        tmp_path,
        {
            "policy.toml": '[environments]\ngood = "good"\nbroken = "broken"\n',
            "good/kustomization.yaml": "resources: [config.yaml]\n",
            "good/config.yaml": CONFIG,
            "good/forgotten.yaml": CONFIG,
            "broken/kustomization.yaml": "resources: [gone.yaml]\n",
        },
    )

    said = run(tmp_path, [], monkeypatch, capsys)

    assert "broken/kustomization.yaml:1:" in said
    assert "file-listed" in said
    assert "good/forgotten.yaml:1" in said


def test_a_duplicate_key_that_kustomize_refuses_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [config.yaml]\n", "config.yaml": CONFIG + "  level: debug\n"})

    said = run(tmp_path, ["."], monkeypatch, capsys)

    assert "config.yaml:8\n" in said
    assert "level stands twice in this mapping, first in line 7" in said


EXCEPTION = '[[exception]]\nrule = "readiness-probe-set"\nobject = "Deployment/web"\nexpires = 2030-01-01\n'

SETTINGS = {
    "an unknown rule": (
        "[rules.readyness-probe-set]\nenabled = false\n",
        "policy.toml:1: there is no rule readyness-probe-set; did you mean readiness-probe-set?",
    ),
    "an unknown table": ("[rule]\n", "policy.toml:1: unknown table rule; did you mean rules?"),
    "a conflict": (
        "[tools]\n<<<<<<< HEAD\nkustomize = '1'\n=======\n>>>>>>> other\n",
        "policy.toml:2: an unresolved merge conflict: <<<<<<< HEAD",
    ),
    "no TOML": ("[rules\n", "policy.toml:1: not valid TOML"),
    "a missing environment folder": (
        '\n[environments]\nprod = "gone"\n',
        "policy.toml:3: environment prod: there is no folder gone",
    ),
    "a contract that is not there": ('[topology]\npath = "x.yaml"\n', "policy.toml:2: there is no file x.yaml"),
    "an exception without a reason": (
        EXCEPTION + 'owner = "shop"\n',
        "policy.toml:1: exception: reason is missing; it has rule, object, reason, owner and expires, and may have ",
    ),
    "an exception with an empty reason": (
        EXCEPTION + 'reason = " "\nowner = "shop"\n',
        "policy.toml:1: exception: an exception needs a reason and an owner",
    ),
    "a folder whose name is too long": (
        f'[environments]\nprod = "{"x" * 300}"\n',
        "policy.toml:2: environment prod: there is no folder xxx",
    ),
    "an exception whose rule is no text": (
        "[[exception]]\nrule = 3\n",
        "policy.toml:1: exception: rule must be text, not a",
    ),
    "a day that is none": (
        EXCEPTION.replace("2030-01-01", '"tomorrow"') + 'reason = "a"\nowner = "shop"\n',
        "policy.toml:1: exception: expires must be a date such as 2027-03-31",
    ),
    "a setting that the rule does not have": (
        "[rules.key-unique]\nminimum = 3\n",
        "policy.toml:2: key-unique: there is no minimum\n",
    ),
    "a setting that is misspelt": (
        "[rules.image-registry-allowed]\nallow = []\n",
        "policy.toml:2: image-registry-allowed: there is no allow; did you mean allowed?",
    ),
    "a setting of another type": (
        "[rules.limit-request-ratio]\ncpu = 'much'\n",
        "policy.toml:2: limit-request-ratio: cpu must be a number, not text",
    ),
    "a list with an item of another type": (
        "[rules.image-registry-allowed]\nallowed = ['a', 1]\n",
        "policy.toml:2: image-registry-allowed: allowed[1] must be text, not a whole number",
    ),
    "a severity that does not exist": ('[rules.key-unique]\nseverity = "fatal"\n', "policy.toml:2: severity must be"),
    "a severity that is a list": (
        '[rules.key-unique]\nseverity = ["error"]\n',
        'policy.toml:2: severity must be "error" or "warning", not [\'error\']',
    ),
    "environments of a rule that are no tables": (
        '[rules.key-unique]\nenvironments = "prod"\n',
        "policy.toml:2: environments must be tables, [rules.key-unique.environments.NAME]",
    ),
    "an environment of a rule that is no table": (
        '[environments]\nprod = "."\n[rules.key-unique.environments]\nprod = 5\n',
        "policy.toml:4: prod must be a table, [rules.key-unique.environments.prod]",
    ),
    "brackets without end": ("[schemas]\ncrds = " + "[" * 3000 + "]" * 3000, "policy.toml:2: nests deeper than"),
    "a version that is none": ('[kubernetes]\nnewest = "latest"\n', "policy.toml:2: newest = "),
    "an exception from a rule that allows none": (
        '[[exception]]\nrule = "exception-stale"\nobject = "x"\nreason = "y"\nowner = "z"\nexpires = 2030-01-01\n',
        "policy.toml:1: exception: exception-stale allows no exception",
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_cannot_be_understood(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = SETTINGS[case]
    write(tmp_path, {"policy.toml": text, "config.yaml": CONFIG})

    said = run(tmp_path, ["config.yaml"], monkeypatch, capsys)

    assert expected in said
    assert len(said.splitlines()) == 1


def test_a_contract_that_cannot_be_understood_does_not_hide_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: web}]}\n"
    files = {"policy.toml": '[topology]\npath = "flows.yaml"\n', "flows.yaml": "flows: []\nflow: []\n", "pod.yaml": pod}
    write(tmp_path, dict(files))
    said = run(tmp_path, ["pod.yaml"], monkeypatch, capsys)
    assert "flows.yaml:2: " in said
    assert "image-pinned" in said


def test_settings_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"policy.toml": b"[rules]\n\xff", "config.yaml": CONFIG})

    assert "policy.toml: is not UTF-8" in run(tmp_path, ["config.yaml"], monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gone"], "there is no file, folder or environment gone; environments: good"),
        (["good", "--only", "readyness"], "there is no rule readyness"),
        (["--explain", "key-uniqe"], "there is no rule key-uniqe; did you mean key-unique?"),
        (["empty"], "holds no kustomization and no manifest"),
        (["x" * 300], "there is no file, folder or environment xxx"),
        (["x.yaml"], "x.yaml is neither a file nor a folder; what a pipe holds is checked with"),
        (["/dev/null"], "/dev/null is neither a file nor a folder"),
        (["--config", "gone.toml"], "gone.toml: cannot be read: No such file or directory"),
    ],
)
def test_arguments_that_name_nothing(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(
        tmp_path,
        {
            "policy.toml": '[environments]\ngood = "good"\n',
            "good/kustomization.yaml": "resources: [config.yaml]\n",
            "good/config.yaml": CONFIG,
        },
    )
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "x.yaml")

    assert expected in run(tmp_path, arguments, monkeypatch, capsys)


def test_nothing_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"policy.toml": ""})

    assert "nothing to check: name a PATH" in run(tmp_path, [], monkeypatch, capsys)


CIRCLES = {
    "two": ({"a": "../b", "b": "../a"}, {"a"}),
    "itself": ({"x": "."}, {"x"}),
    "beside one that is none": ({"a": "../b", "b": "../a", "good": "config.yaml"}, {"a"}),
    "with one that hangs on it": ({"a": "../b", "b": "../a", "c": "../b"}, {"c"}),
}


@pytest.mark.parametrize("case", CIRCLES)
def test_kustomizations_that_name_each_other_are_not_passed_over(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resources, told = CIRCLES[case]
    write(tmp_path, {f"all/{name}/kustomization.yaml": f"resources:\n  - {each}\n" for name, each in resources.items()})
    write(tmp_path, {"all/good/config.yaml": CONFIG} if "good" in resources else {})

    said = run(tmp_path, ["all"], monkeypatch, capsys)

    lines = [line for line in said.splitlines() if "cycle" in line]
    assert len(lines) == len(told), said
    assert all(f"all/{name}" in said for name in told)
    assert all("kustomization.yaml:2: " in line for line in lines)


def test_a_pipe_in_a_folder_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"config.yaml": CONFIG})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.yaml").symlink_to("pipe")
    monkeypatch.chdir(tmp_path)

    assert main(["check", ".", "--only", "image-pinned"]) == 0

    assert "rendered 1 object" in capsys.readouterr().out


def test_nothing_is_never_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"a/kustomization.yaml": "resources: [config.yaml]\n", "a/config.yaml": CONFIG})
    monkeypatch.setattr("policy.targets.not_built_by_others", lambda _: iter(()))

    assert "nothing to check in ." in run(tmp_path, ["."], monkeypatch, capsys)


def test_a_fault_of_the_program_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("two\nlines")

    monkeypatch.setattr("policy.targets.targets", fail)

    assert run(tmp_path, ["."], monkeypatch, capsys) == (
        "policy: internal error: ValueError: two lines (please report it; POLICY_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("POLICY_DEBUG", "1")
    with pytest.raises(ValueError, match="two"):
        main(["check", "."])


def test_a_missing_tool_and_a_wrong_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [config.yaml]\n", "config.yaml": CONFIG})
    kustomize = os.environ["POLICY_KUSTOMIZE"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("POLICY_KUSTOMIZE")

    assert "kustomize is not installed" in run(tmp_path, ["."], monkeypatch, capsys)

    write(tmp_path, {"policy.toml": '[tools]\nkustomize = "4.5.7"\n'})
    monkeypatch.setenv("POLICY_KUSTOMIZE", kustomize)
    said = run(tmp_path, ["."], monkeypatch, capsys)
    assert "5.8.3" in said
    assert "want 4.5.7" in said


@pytest.mark.parametrize("metadata", ["x", "1.5", "[x]"])
def test_metadata_that_is_no_mapping(
    metadata: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"pod.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {{containers: 5}}\n"})
    monkeypatch.chdir(tmp_path)

    assert main(["check", "pod.yaml"]) == 1

    assert "pod.yaml:3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", "holds no Kubernetes object"),
        (b"kind: [\n", "<stdin>:2: not valid YAML"),
        (f"{CONFIG}---\n{CONFLICT}".encode(), "<stdin>:15: an unresolved merge conflict: <<<<<<< HEAD"),
        (f"{CONFIG}---\n{TABBED}".encode(), "<stdin>:15: a tab is used as indentation, where YAML takes spaces only"),
        (CONFIG.replace("  level", "\tlevel: a\n\tlevel").encode(), "<stdin>:7: a tab is used as indentation"),
        (b'{"kind": "Pod",\n\t"spec": {}\n\t"status": {}}', "<stdin>:3: not valid YAML: did not find expected ','"),
        (b"kind: @pod\n", "<stdin>:1: not valid YAML: a value that begins with @ has to stand in quotes"),
        (b"kind: \xff\n", "<stdin>:1: is not UTF-8"),
        (b"[" * 1000 + b"]" * 1000, "nested deeper than"),
    ],
)
def test_a_stream_that_is_no_manifest(
    stream: bytes, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream)))

    assert expected in run(tmp_path, ["-"], monkeypatch, capsys)
