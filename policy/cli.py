"""Arguments -> calls -> exit code; nothing else."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policy.errors import PolicyError

if TYPE_CHECKING:
    from policy.rules.rule import Rule

EXIT_CODES = "exit codes: 0 clean, 1 findings, 2 could not run"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code; errors are told in one line on stderr."""
    parsed = _parser().parse_args(arguments)
    try:
        return _explain(parsed.explain) if parsed.explain else _check(parsed)
    except PolicyError as error:
        print(f"policy: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nothing more to say
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="policy", description="Proves what must be true of Kubernetes manifests.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check overlays, kustomizations or manifests", epilog=EXIT_CODES)
    check.add_argument(
        "path",
        nargs="*",
        metavar="PATH",
        help="an environment of policy.toml, a kustomization, a folder or file of manifests, or - for standard input; "
        "without any: all environments of policy.toml",
    )
    check.add_argument("--format", choices=("text", "json"), default="text")
    check.add_argument("--strict", action="store_true", help="warnings and what was not checked fail the run too")
    check.add_argument("--only", action="append", default=[], metavar="RULE", help="run only this rule (repeatable)")
    check.add_argument("--explain", metavar="RULE", help="print the page of a rule and end")
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="the policy.toml to use, else the nearest one above PATH"
    )
    return parser


def _check(parsed: argparse.Namespace) -> int:
    from policy import engine
    from policy.rules import RULES
    from policy.settings import Settings, find_settings_file, load_settings, repository_of
    from policy.targets import targets

    start = _start(parsed.path)
    file = parsed.config or find_settings_file(start)
    settings = load_settings(file.resolve(), RULES) if file else Settings(start, repository_of(start) or Path("/"))
    rules = [_rule(rule_id) for rule_id in parsed.only] or RULES
    result = engine.check(
        targets(parsed.path, settings),
        settings,
        rules,
        today=datetime.datetime.now(datetime.UTC).date(),
        is_whole_run=not parsed.path and not parsed.only,
    )
    if parsed.format == "json":
        from policy.reports import json

        sys.stdout.write(json.render(result))
    else:
        from policy.reports import text

        sys.stdout.write(text.render(result, root=settings.repository, color=_wants_color()))
    return result.exit_code(strict=parsed.strict)


def _start(paths: Sequence[str]) -> Path:
    """Where the search for policy.toml begins: the first path given, else the working folder."""
    for path in paths:
        if path != "-" and Path(path).exists():
            found = Path(path).resolve()
            return found if found.is_dir() else found.parent
    return Path.cwd()


def _explain(rule_id: str) -> int:
    print(_rule(rule_id).page)
    return 0


def _rule(rule_id: str) -> Rule:
    from policy.rules import RULES

    for rule in RULES:
        if rule.id == rule_id:
            return rule
    import difflib

    near = difflib.get_close_matches(rule_id, [rule.id for rule in RULES], n=1)
    raise PolicyError(f"there is no rule {rule_id}" + (f"; did you mean {near[0]}?" if near else ""))


def _wants_color() -> bool:
    """Colour only on a terminal, and not where NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
