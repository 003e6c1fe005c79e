"""Every format for one small repository, as people and programs get it: wording is reviewed here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from policy.reports import Run, render, sarif
from policy.reports import json as json_report

EXTENSIONS = {"text": "txt", "json": "json", "sarif": "sarif", "junit": "xml", "github": "txt", "markdown": "md"}


def same(snapshot: SnapshotAssertion, text: str, run: Run, extension: str) -> bool:
    class Extension(SingleFileSnapshotExtension):
        _write_mode = WriteMode.TEXT
        file_extension = extension

    return bool(text.replace(str(run.root), "<root>") == snapshot(extension_class=Extension))


@pytest.mark.parametrize("width", [80, 120, None])
def test_text(run: Run, snapshot: SnapshotAssertion, width: int | None) -> None:
    text = render("text", replace(run, width=width))

    assert width is None or max(map(len, text.splitlines())) <= width
    assert same(snapshot, text, run, "txt")


@pytest.mark.parametrize("format_name", ["junit", "github", "markdown"])
def test_format(run: Run, snapshot: SnapshotAssertion, format_name: str) -> None:
    assert same(snapshot, render(format_name, run), run, EXTENSIONS[format_name])


def test_json(run: Run, snapshot: SnapshotAssertion) -> None:
    assert same(snapshot, json_report.render(run.result, version="1.2.3"), run, "json")


def test_sarif(run: Run, snapshot: SnapshotAssertion) -> None:
    """Without the pages of the rules: they are reviewed where they are written."""
    log: dict[str, Any] = json.loads(sarif.render(run, version="1.2.3"))
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        rule["help"] = dict.fromkeys(rule["help"], "…")
        rule["fullDescription"] = {"text": "…"}

    assert same(snapshot, json.dumps(log, indent=2, ensure_ascii=False) + "\n", run, "sarif")
