"""Writes what README.md shows: the output of the checks, and the picture of the system.

`python tools/readme.py` writes it anew, `python tools/readme.py --check` says whether it is fresh.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fresh(text: str) -> str:
    """The README with every generated block made anew."""
    makers = {"check": _check_output, "broken": _broken_output, "topology": _picture}
    return _BLOCK.sub(lambda block: block[1] + makers[block[2]]() + block[3], text)


def _check_output() -> str:
    return _fenced("text", _policy_check(ROOT))


def _broken_output() -> str:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("base", "overlays", "argocd"):
            shutil.copytree(ROOT / name, copy / name)
        for name in ("policy.toml", "topology.yaml"):
            shutil.copy(ROOT / name, copy / name)
        (copy / ".tools").symlink_to(ROOT / ".tools")
        (copy / ".git").mkdir()
        deployment = copy / "base/user-service/deployment.yaml"
        deployment.write_text(_without_readiness_probe(deployment.read_text(encoding="utf-8")), encoding="utf-8")
        return _fenced("text", _policy_check(copy))


def _without_readiness_probe(text: str) -> str:
    removed = re.sub(r"^( *)readinessProbe:\n(?:\1 +.*\n)+", "", text, flags=re.MULTILINE)
    if removed == text:
        raise SystemExit("base/user-service/deployment.yaml has no readiness probe to remove")
    return removed


def _policy_check(folder: Path) -> str:
    command = [sys.executable, "-m", "policy", "check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def _picture() -> str:
    """The flows of topology.yaml as a Mermaid flowchart; DNS, which everyone asks, is left out."""
    flows = yaml.safe_load((ROOT / "topology.yaml").read_text(encoding="utf-8"))["flows"]
    outside = yaml.safe_load((ROOT / "topology.yaml").read_text(encoding="utf-8"))["outside"]
    lines = ["flowchart LR"]
    drawn: set[str] = set()
    for source, target, port in _arrows(flows):
        drawn.update((source, target))
        lines.append(f"  {source} -- {port} --> {target}")
    lines.extend(f"  {name}([{name}])" for name in outside if name in drawn)
    return _fenced("mermaid", "\n".join(lines) + "\n")


def _arrows(flows: list[str]) -> Iterator[tuple[str, str, str]]:
    for flow in flows:
        ends, _, ports = flow.partition(" : ")
        source, _, targets = ends.partition(" -> ")
        if targets != "dns":
            yield from ((source, target, ports) for target in targets.split(", "))


def _fenced(language: str, text: str) -> str:
    return f"\n```{language}\n{text.rstrip()}\n```\n\n"


def main() -> int:
    """Writes README.md, or with ``--check`` compares it."""
    before = README.read_text(encoding="utf-8")
    after = fresh(before)
    if "--check" in sys.argv[1:]:
        if before != after:
            print("README.md is not fresh: run `python tools/readme.py`", file=sys.stderr)
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
