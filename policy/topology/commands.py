"""The command line of ``policy topology`` and ``policy explain``: arguments -> calls -> exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

_SUBCOMMANDS = frozenset({"diff", "init", "synthesize"})
FORMATS = ("text", "json", "mermaid", "dot", "svg", "np-guard")
_PATH = (
    "an environment of policy.toml, a kustomization, a folder or file of manifests, or - for standard input; "
    "without any: all environments of policy.toml"
)


class Command(NamedTuple):
    """A command of the program: what adds its arguments to its parser, what it is for, and what its help ends with."""

    add: Callable[[argparse.ArgumentParser], None]
    help: str
    epilog: str | None = None


def joined(arguments: Sequence[str]) -> list[str]:
    """``topology diff`` as one word, so that ``topology`` can take a path as well; ``./diff`` is a path."""
    words = list(arguments)
    if words[:1] == ["topology"] and len(words) > 1 and words[1] in _SUBCOMMANDS:
        words[:2] = [f"topology {words[1]}"]
    return words


def _add_show(show: argparse.ArgumentParser) -> None:
    show.set_defaults(run=_show)
    show.add_argument("path", nargs="*", metavar="PATH", help=_PATH)
    show.add_argument("--format", choices=FORMATS, default="text", help="how it is written")
    _add_files(show)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topology", type=Path, metavar="FILE", help="the contract, else topology.yaml by policy.toml")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the policy.toml to use, else the nearest one")


def _add_diff(diff: argparse.ArgumentParser) -> None:
    diff.set_defaults(run=_diff)
    what = "an environment, a kustomization, a folder or file; or one of these in a commit: main:prod"
    diff.add_argument("before", metavar="A", help=what)
    diff.add_argument("after", metavar="B", help="the same, for what it is compared with")
    diff.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")


def _add_init(init: argparse.ArgumentParser) -> None:
    init.set_defaults(run=_init)
    init.add_argument("path", nargs="*", metavar="PATH", help=_PATH)
    init.add_argument("--stdout", action="store_true", help="print the draft, and write no file")
    init.add_argument("--config", type=Path, metavar="FILE", help="the policy.toml to use, else the nearest one")


def _add_synthesize(synthesize: argparse.ArgumentParser) -> None:
    synthesize.set_defaults(run=_synthesize)
    synthesize.add_argument("path", nargs="*", metavar="PATH", help=_PATH)
    synthesize.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write files below this folder; without it they are printed"
    )
    synthesize.add_argument("--overwrite", action="store_true", help="replace files that hold something else")
    _add_files(synthesize)


def _add_explain(explain: argparse.ArgumentParser) -> None:
    explain.set_defaults(run=_explain)
    explain.add_argument("path", metavar="PATH", help="an environment, a kustomization, a folder or file of manifests")
    explain.add_argument(
        "source", metavar="SRC", help="a workload or what topology.yaml calls outside; a prefix will do"
    )
    explain.add_argument("destination", metavar="DST", help="the same")
    # Without a default argparse would say that it is required.
    explain.add_argument(
        "port", nargs="*", default=[], metavar="PORT", help="http, 8080, UDP 53; without it: every port"
    )
    _add_files(explain)


def _show(parsed: argparse.Namespace) -> int:
    from policy.topology.reading import read
    from policy.topology.show import notes, show

    sides = read(parsed.path, config=parsed.config, file=parsed.topology)
    _say(notes(sides))
    sys.stdout.write(show(sides, parsed.format))
    return 0


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"policy: {note}", file=sys.stderr)


def _diff(parsed: argparse.Namespace) -> int:
    from policy.topology import diff
    from policy.topology.reading import one_side
    from policy.topology.show import notes

    with one_side(parsed.before) as before, one_side(parsed.after) as after:
        _say(notes((before, after)))
        found = diff.compare(before, after)
    sys.stdout.write(diff.json(found) if parsed.format == "json" else diff.text(found))
    return int(found.is_any)


def _init(parsed: argparse.Namespace) -> int:
    from policy.topology.draft import draft

    sys.stdout.write(draft(parsed.path, config=parsed.config, to_stdout=parsed.stdout))
    return 0


def _synthesize(parsed: argparse.Namespace) -> int:
    from policy.topology.reading import read
    from policy.topology.synthesis import synthesize

    sides = read(parsed.path, config=parsed.config, file=parsed.topology)
    sys.stdout.write(synthesize(sides, parsed.output, overwrite=parsed.overwrite))
    return 0


def _explain(parsed: argparse.Namespace) -> int:
    from policy.topology.explain import explain
    from policy.topology.reading import read

    sides = read([parsed.path], config=parsed.config, file=parsed.topology)
    can, text = explain(sides, parsed.source, parsed.destination, " ".join(parsed.port) or None)
    sys.stdout.write(text)
    return 0 if can else 1


COMMANDS = {
    "topology": Command(_add_show, "show who can really reach whom", "exit codes: 0 shown, 2 could not run"),
    "topology diff": Command(
        _add_diff,
        "show what two overlays or commits allow differently",
        "exit codes: 0 the same, 1 different, 2 could not run",
    ),
    "topology init": Command(_add_init, "draft a topology.yaml from what the manifests hold"),
    "topology synthesize": Command(_add_synthesize, "write the NetworkPolicies that topology.yaml needs"),
    "explain": Command(
        _add_explain,
        "say why a workload can reach another, or why not",
        "exit codes: 0 it can, 1 it cannot, 2 could not run",
    ),
}
