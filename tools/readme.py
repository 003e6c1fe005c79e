"""Writes what README.md and docs/ show of the program: its output, and pictures of the system that it has proven.

`python tools/readme.py` writes it anew, `python tools/readme.py --check` says whether it is fresh.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "docs/isolation.md", ROOT / "docs/topology.md")
DRAWING = ROOT / "docs/topology.svg"
_BLOCK = re.compile(r"(<!-- generated: ([^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fresh(text: str) -> str:
    """A document with every generated block made anew; a block named like a command shows its output."""
    makers = {
        "check": _check_output,
        "broken": _broken_output,
        "widened": _widened_output,
        "topology": _picture,
        "flows": _proven_flows,
    }

    def made(block: re.Match[str]) -> str:
        name = block[2]
        return block[1] + (_command(name) if name.startswith("policy ") else makers[name]()) + block[3]

    return _BLOCK.sub(made, text)


def _check_output() -> str:
    return _fenced("text", _policy("check"))


def _command(command: str) -> str:
    return _fenced("text", f"$ {command}\n{_policy(*shlex.split(command)[1:])}")


def _broken_output() -> str:
    with _copy() as copy:
        _change(copy / "base/user-service/deployment.yaml", r"^( *)readinessProbe:\n(?:\1 +.*\n)+", "")
        return _fenced("text", _policy("check", folder=copy))


def _widened_output() -> str:
    """What the check and the comparison say of two peers where one with two selectors was meant."""
    with _copy() as copy:
        _change(copy / "base/frontend/network-policy.yaml", r"^ {10}podSelector:", "        - podSelector:")
        found = _policy("check", "prod", folder=copy).rpartition("\n\n")[0]
        compared = _policy("topology", "diff", str(ROOT / "overlays/prod"), "prod", folder=copy)
    return _fenced("text", f"$ policy check prod\n{found}\n\n$ policy topology diff main:prod prod\n{compared}")


@contextmanager
def _copy() -> Iterator[Path]:
    """A copy of what is checked, to be changed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("base", "overlays", "argocd"):
            shutil.copytree(ROOT / name, copy / name)
        for name in ("policy.toml", "topology.yaml"):
            shutil.copy(ROOT / name, copy / name)
        (copy / ".tools").symlink_to(ROOT / ".tools")
        (copy / ".git").mkdir()
        yield copy


def _change(file: Path, pattern: str, replacement: str) -> None:
    text = file.read_text(encoding="utf-8")
    changed = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
    if changed == text:
        raise SystemExit(f"{file.name} has nothing like {pattern} to change")
    file.write_text(changed, encoding="utf-8")


def _policy(*arguments: str, folder: Path = ROOT) -> str:
    command = [sys.executable, "-m", "policy", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"policy {shlex.join(arguments)} could not run:\n{done.stdout}{done.stderr}")
    return done.stdout


def _prove() -> None:
    """Ends with what is wrong, unless every overlay allows exactly what topology.yaml states."""
    from policy.connectivity.contract import Proof
    from policy.connectivity.ports import described
    from policy.topology.reading import read
    from policy.topology.show import connectivity_of

    for side in read([str(ROOT / "overlays")]):
        proof = Proof(connectivity_of(side), side.topology)
        wrong = [f"{leak.source} -> {leak.destination} : {described(leak.ports)} is not stated" for leak in proof.leaks]
        wrong += [f"{broken.source} -> {broken.destination} does not work" for broken in proof.broken]
        wrong += [f"{workload.ref} is in no flow" for workload in proof.stated.unknown_workloads]
        wrong += [f"there is no {unknown.end}" for unknown in proof.stated.unknown_ends]
        wrong += [f"{unknown.destination} has no port {unknown.port}" for unknown in proof.stated.unknown_ports]
        if wrong:
            raise SystemExit(f"{side.overlay.name} is not proven, so nothing is drawn: {'; '.join(wrong)}")


def _picture() -> str:
    """What the policies of every environment let through; DNS, which everyone asks, is left out."""
    lines = _policy("topology", "--format", "mermaid").splitlines(keepends=True)
    return _fenced("mermaid", "".join(line for line in lines if not re.search(r"--> dns$|^  dns\(", line)))


def _proven_flows() -> str:
    """A row for each connection, with the lines of the two rules that let it through, in prod."""
    from policy.topology.explain import Questions
    from policy.topology.reading import read

    (side,) = read([str(ROOT / "overlays/prod")])
    questions = Questions(side)
    rows = ["| from | to | on | leaves by | enters by |", "|---|---|---|---|---|"]
    for line in _policy("topology", "prod").splitlines():
        source, _, destination, _, ports = line.split(" ", 4)
        _, said = questions.answer(source, destination, None)
        leaves, enters = (", ".join(_admitting(said, way)) or "not in Git" for way in ("egress", "ingress"))
        rows.append(f"| {source} | {destination} | {ports} | {leaves} | {enters} |")
    return "\n" + "\n".join(rows) + "\n\n"


def _admitting(said: str, direction: str) -> Iterator[str]:
    """Links to the rules of one direction that let the connection through."""
    section = re.search(rf"^{direction} of .*\n((?: .*\n)*)", said, re.MULTILINE)
    for file, line in re.findall(r"^ +(\S+):(\d+): lets it through", section[1] if section else "", re.MULTILINE):
        yield f"[{file}:{line}](../{file}#L{line})"


def _fenced(language: str, text: str) -> str:
    return f"\n```{language}\n{text.rstrip()}\n```\n\n"


def main() -> int:
    """Writes the documents and the drawing, or with ``--check`` compares them."""
    _prove()
    made: dict[Path, Callable[[str], str]] = {
        **dict.fromkeys(DOCUMENTS, fresh),
        DRAWING: lambda _: _policy("topology", "--format", "svg"),
    }
    stale = []
    for file, maker in made.items():
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after = maker(before)
        if before != after:
            stale.append(file)
            if "--check" not in sys.argv[1:]:
                file.write_text(after, encoding="utf-8")
    if "--check" in sys.argv[1:]:
        for file in stale:
            print(f"{file.relative_to(ROOT)} is not fresh: run `python tools/readme.py`", file=sys.stderr)
        return int(bool(stale))
    return 0


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # run as a file: imports are looked up from the project's root, not from this folder
    sys.exit(main())
