"""Whatever is checked: findings, skips or one-line errors, and never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.cli import main
from policy.reports import FORMATS
from tests.fuzz.inputs import DERANDOMIZE, EXAMPLES, folders, manifests, yaml_texts

FUZZ = settings(
    deadline=None,
    derandomize=DERANDOMIZE,
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
NO_SCHEMAS = "[rules.schema-valid]\nenabled = false\n"
"""kubeconform is a process of its own: most inputs are tried without it."""


@pytest.fixture(autouse=True)
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error is raised and not told, so that no test can overlook it."""
    monkeypatch.setenv("POLICY_DEBUG", "1")


@FUZZ
@given(text=yaml_texts(), report=st.sampled_from(sorted(FORMATS)))
def test_any_text(text: str, report: str) -> None:
    check({"file.yaml": text}, report)


@FUZZ
@given(text=manifests(), report=st.sampled_from(sorted(FORMATS)), with_schemas=st.integers(0, 9).map(lambda n: n == 0))
def test_damaged_manifests(text: str, report: str, with_schemas: bool) -> None:
    check({"file.yaml": text, **({} if with_schemas else {"policy.toml": NO_SCHEMAS})}, report)


@FUZZ
@given(text=yaml_texts())
def test_any_text_as_a_kustomization(text: str) -> None:
    check({"kustomization.yaml": text, "a": "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n"}, "json")


@FUZZ
@given(files=folders(), report=st.sampled_from(sorted(FORMATS)))
def test_damaged_folders(files: dict[str, str], report: str) -> None:
    check(files if "policy.toml" in files else {**files, "policy.toml": NO_SCHEMAS}, report)


@FUZZ
@given(text=manifests())
def test_fixing_damaged_manifests(text: str) -> None:
    check({"file.yaml": text, "policy.toml": NO_SCHEMAS}, "text", "--diff")


def check(files: Mapping[str, str], report: str, *options: str) -> None:
    """Checks a folder as the command does, and judges the exit code and what was said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".git").mkdir()
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode("utf-8", "surrogatepass"))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["check", "--format", report, *options, *_paths(files)])
    assert code in (0, 1, 2), code
    assert "Traceback" not in out.getvalue() + err.getvalue()
    errors = [line for line in err.getvalue().splitlines() if line != "nothing to mend"]
    if code == 2 and not out.getvalue():
        assert len(errors) == 1, err.getvalue()
    if out.getvalue() and report in ("json", "sarif") and not options:
        json.loads(out.getvalue())


def _paths(files: Mapping[str, str]) -> list[str]:
    """The folder, unless policy.toml says what is to be checked."""
    named = "[environments]" in files.get("policy.toml", "")
    return [] if named else [os.curdir]
