"""Large streams of plain manifests: findings are placed when a report asks for them, and nothing else depends on it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from policy import engine
from policy.cli import main
from policy.engine.merging import merged, order
from policy.findings import Field, Place
from policy.overlay import Overlay
from policy.result import Findings, Result
from policy.rules import RULES
from policy.settings import Settings
from policy.targets import Target, targets
from tools.streams import stream

TODAY = datetime.date(2026, 1, 1)
SERVICES = 30
SETTINGS = "[rules.schema-valid]\nenabled = false\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop}
spec:
  containers:
    - {name: app, image: app}
"""
GRAVE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: lasting-{number}, namespace: shop}}
spec:
  externalIPs: [198.51.100.7]
  selector: {{app: web}}
"""
"""What is deprecated, a warning; what comes after it is no longer served, an error of the same rule."""
REMOVED = """\
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {{name: removed-{number}, namespace: shop}}
spec: {{}}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Streams, and everything that puts two findings at one place: an object that is read twice, items that are one."""
    for name, varied in {"plain.yaml": False, "varied.yaml": True}.items():
        (tmp_path / name).write_text(stream(SERVICES, varied=varied), encoding="utf-8")
    (tmp_path / "again.yaml").symlink_to("varied.yaml")
    (tmp_path / "twice.yaml").write_text(f"{POD}---\n{POD}...\n---\n{POD}", encoding="utf-8")
    lasting = "".join(GRAVE.format(number=number) for number in range(3))
    removed = "".join(REMOVED.format(number=number) for number in range(3))
    (tmp_path / "grave.yaml").write_text(lasting + removed, encoding="utf-8")
    item = POD.replace("\n", "\n    ").rstrip()
    aliases = f"apiVersion: v1\nkind: List\nitems:\n  - &one\n    {item}\n  - *one\n"
    (tmp_path / "list.yaml").write_text(aliases, encoding="utf-8")
    (tmp_path / "policy.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(repository: Path, *names: str) -> tuple[Result, Sequence[Target], Settings]:
    settings = Settings(root=repository, repository=repository)
    chosen = targets([str(repository / name) for name in names], settings)
    rules = [rule for rule in RULES if rule.id != "schema-valid"]
    return engine.check(chosen, settings, rules, today=TODAY, is_whole_run=False), chosen, settings


@pytest.mark.parametrize(
    "names",
    [
        ("plain.yaml",),
        ("varied.yaml",),
        ("twice.yaml",),
        ("list.yaml",),
        ("grave.yaml",),
        (".",),
        ("varied.yaml", "plain.yaml", "again.yaml"),
        ("list.yaml", "twice.yaml", "list.yaml", "again.yaml", "varied.yaml"),
    ],
)
def test_findings_that_are_placed_late_are_those_that_are_placed_at_once(
    repository: Path, names: tuple[str, ...]
) -> None:
    rules = [rule for rule in RULES if rule.id != "schema-valid"]
    result, chosen, settings = checked(repository, *names)
    at_once = engine.examine(chosen, settings, rules, today=TODAY).findings
    expected = Findings(sorted(merged(at_once), key=order))
    assert len(expected) > 5

    counted = (len(result.findings), result.findings.tally)
    first = [result.findings.first(count) for count in (1, 3, 20, 1_000)]

    assert counted == (len(expected), expected.tally)
    assert first == [expected.first(count) for count in (1, 3, 20, 1_000)]
    assert tuple(result.findings) == tuple(expected)


@pytest.mark.usefixtures("repository")
def test_no_more_is_placed_than_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    place = Overlay.place

    def counted(self: Overlay, at: Field | Place) -> tuple[Place, bool]:
        asked.append(at)
        return place(self, at)

    monkeypatch.setattr(Overlay, "place", counted)
    assert main(["check", "plain.yaml", "--only", "image-pinned"]) == 1

    assert len(asked) == 20 < SERVICES
    text = capsys.readouterr().out
    assert text.count("  fix: ") == 20
    assert f"  … and {SERVICES - 20} more of this rule: --all shows them\n" in text


@pytest.mark.usefixtures("repository")
def test_only_text_is_cut_and_all_shows_everything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = tmp_path / "all.json"
    assert main(["check", "varied.yaml", "--output", f"json:{whole}"]) == 1
    cut = capsys.readouterr().out
    assert main(["check", "varied.yaml", "--all"]) == 1
    every = capsys.readouterr().out

    report = json.loads(whole.read_text(encoding="utf-8"))
    messages = [finding["message"].splitlines()[0] for finding in report["findings"]]
    assert all(message in every for message in messages)
    assert "--all" not in every
    assert cut.count("\n\n") < every.count("\n\n")
    assert "not shown: " in cut
    total = "{errors:,} errors, {warnings:,} warnings\n".format(**report["summary"])
    assert cut.endswith(total)
    assert every.endswith(total)


@pytest.mark.usefixtures("repository")
def test_a_stream_without_findings_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "plain.yaml", "--only", "no-host-path", "--only", "run-as-non-root"]) == 0
    assert capsys.readouterr().out.endswith("2 rules: 0 errors, 0 warnings\n")
