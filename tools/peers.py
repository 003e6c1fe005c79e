"""What other people's checkers say about a rendered overlay: `tox run -e peers`.

kube-score with every check on, and Checkov. What is knowingly left as it is stands in tools/peers.toml with its reason;
any other complaint, and any entry there that no complaint needs, ends with exit code 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools" / "bin"


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One check of one peer against one object (``Kind/name``)."""

    peer: str
    check: str
    object: str
    message: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Complaints that are left as they are: of one check, against one object or (``*``) all, and why."""

    peer: str
    check: str
    object: str
    reason: str

    def covers(self, complaint: Complaint) -> bool:
        """Whether this entry is about that complaint."""
        same = (self.peer, self.check) == (complaint.peer, complaint.check)
        return same and self.object in ("*", complaint.object)


def main(arguments: Sequence[str]) -> int:
    """Check the overlays that are named."""
    entries = tomllib.loads((ROOT / "tools" / "peers.toml").read_text(encoding="utf-8"))["accepted"]
    accepted = [Accepted(**entry) for entry in entries]
    complaints: list[Complaint] = []
    for overlay in arguments:
        with tempfile.TemporaryDirectory() as folder:
            rendered = Path(folder) / "rendered.yaml"
            rendered.write_bytes(_run([str(TOOLS / "kustomize"), "build", str(ROOT / overlay)], (0,)))
            complaints += sorted({*kube_score(rendered), *checkov(rendered)})
    open_ones = [complaint for complaint in complaints if not any(entry.covers(complaint) for entry in accepted)]
    unneeded = [entry for entry in accepted if not any(map(entry.covers, complaints))]
    for complaint in open_ones:
        print(f"{complaint.peer} {complaint.check}: {complaint.object}: {complaint.message}")
    for entry in unneeded:
        print(f"tools/peers.toml: no complaint needs the entry {entry.peer} {entry.check} {entry.object}")
    print(f"{len(complaints) - len(open_ones)} complaints are accepted with a reason, {len(open_ones)} are open")
    return 1 if open_ones or unneeded else 0


def kube_score(rendered: Path) -> Iterator[Complaint]:
    """Every check that does not give the full grade, the optional ones too."""
    oldest = tomllib.loads((ROOT / "policy.toml").read_text(encoding="utf-8"))["kubernetes"]["oldest"]
    options = ["--all-default-optional", "--kubernetes-version", f"v{oldest}", "--output-format", "json"]
    answer = _run([str(TOOLS / "kube-score"), "score", *options, str(rendered)], (0, 1))
    for judged in json.loads(answer):
        name = f"{judged['type_meta']['kind']}/{judged['object_meta']['name']}"
        for result in judged["checks"]:
            if not result["skipped"] and result["grade"] < 10:
                comments: list[dict[str, Any]] = result["comments"] or [{"summary": result["check"]["comment"]}]
                yield Complaint("kube-score", result["check"]["id"], name, comments[0]["summary"])


def checkov(rendered: Path) -> Iterator[Complaint]:
    """Every failed check. Nothing is fetched: the checks are those of the pinned package."""
    options = ["--framework", "kubernetes", "--output", "json", "--compact", "--quiet", "--skip-download"]
    command = str(Path(sys.executable).parent / "checkov")
    answer = json.loads(_run([command, *options, "--file", str(rendered)], (0, 1)))
    for report in answer if isinstance(answer, list) else [answer]:
        if report["summary"]["parsing_errors"]:
            raise SystemExit("error: checkov could not read what kustomize rendered")
        for result in report["results"]["failed_checks"]:
            kind, *_, name = result["resource"].split(".")
            yield Complaint("checkov", result["check_id"], f"{kind}/{name}", result["check_name"])


def _run(command: Sequence[str], good: Sequence[int]) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in good:
        raise SystemExit(f"error: {command[0]} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
