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
from policy.invocation import settings_for
from policy.reports import FORMATS
from policy.topology import commands as topology
from policy.topology.commands import Command

if TYPE_CHECKING:
    from policy.reports.files import Output
    from policy.result import Result
    from policy.rules.rule import Rule

EXIT_CODES = "exit codes: 0 clean, 1 findings, 2 could not run"
_BESIDE = "else policy-baseline.toml beside policy.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code; errors are told in one line on stderr."""
    words = topology.joined(sys.argv[1:] if arguments is None else arguments)
    parsed = _parse(words)
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except PolicyError as error:
        print(f"policy: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nothing more to say
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("POLICY_DEBUG"):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"policy: internal error: {said} (please report it; POLICY_DEBUG=1 shows where)", file=sys.stderr)
        return 2
    return code


class _HelpFormatter(argparse.HelpFormatter):
    """As wide as the terminal, asked for here: argparse loads four modules for it, for each argument that is added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"]) or 80
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80 if sys.__stdout__ else 80
    except (ValueError, OSError):
        return 80


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments. A command that comes first needs its own parser only; to make all of them takes its time."""
    commands = _commands()
    if words and words[0] in commands:
        command = commands[words[0]]
        alone = argparse.ArgumentParser(f"policy {words[0]}", epilog=command.epilog, formatter_class=_HelpFormatter)
        command.add(alone)
        return alone.parse_args(words[1:])
    parser = argparse.ArgumentParser(
        prog="policy", description="Proves what must be true of Kubernetes manifests.", formatter_class=_HelpFormatter
    )
    parser.add_argument("--version", action=_Version, help="print the version and end")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, command in commands.items():
        command.add(
            subparsers.add_parser(name, help=command.help, epilog=command.epilog, formatter_class=_HelpFormatter)
        )
    return parser.parse_args(words)


def _commands() -> dict[str, Command]:
    return {
        "check": Command(_add_check, "check overlays, kustomizations or manifests", EXIT_CODES),
        "rules": Command(_add_rules, "list the rules, or show one"),
        "init": Command(_add_init, "write a policy.toml from what a repository holds"),
        "baseline": Command(
            _add_baseline,
            "write down today's findings, so that only new ones fail; later take out what is mended",
            "exit codes: 0 done, 1 --check found something to take out, 2 could not run",
        ),
        **topology.COMMANDS,
    }


def _add_check(check: argparse.ArgumentParser) -> None:
    check.set_defaults(run=_check)
    check.add_argument(
        "path",
        nargs="*",
        metavar="PATH",
        help="an environment of policy.toml, a kustomization, a folder or file of manifests, or - for standard input; "
        "without any: all environments of policy.toml",
    )
    check.add_argument("--format", choices=FORMATS, default="text", help="how the report on stdout is written")
    check.add_argument(
        "--output",
        action="append",
        default=[],
        type=_output,
        metavar="FORMAT:FILE",
        help="write a report to a file too (repeatable)",
    )
    check.add_argument(
        "--all", action="store_true", help="show every finding as text; without it only the first of each rule"
    )
    check.add_argument("--strict", action="store_true", help="warnings and what was not checked fail the run too")
    check.add_argument("--only", action="append", default=[], metavar="RULE", help="run only this rule (repeatable)")
    check.add_argument("--explain", metavar="RULE", help="print the page of a rule and end")
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="the policy.toml to use, else the nearest one above PATH"
    )
    check.add_argument(
        "--rule-pages",
        metavar="URL",
        default=os.environ.get("POLICY_RULE_PAGES"),
        help="where the pages of the rules are on the web, for links in reports (or POLICY_RULE_PAGES)",
    )
    mend = check.add_mutually_exclusive_group()
    mend.add_argument(
        "--fix", action="store_true", help="first write missing fields into the source files, where that is mechanical"
    )
    mend.add_argument(
        "--diff", action="store_true", help="only show what --fix would change, and fail if that is anything"
    )
    old = check.add_mutually_exclusive_group()
    old.add_argument("--baseline", type=Path, metavar="FILE", help=f"the baseline, {_BESIDE}")
    old.add_argument("--no-baseline", action="store_true", help="show the findings of the baseline like all others")


def _add_init(init: argparse.ArgumentParser) -> None:
    init.set_defaults(run=_init)
    init.add_argument(
        "path", nargs="?", default=".", type=Path, metavar="PATH", help="the repository, else this folder"
    )


def _add_baseline(baseline: argparse.ArgumentParser) -> None:
    baseline.set_defaults(run=_baseline)
    baseline.add_argument("path", nargs="*", metavar="PATH", help="what to check, as for check")
    how = baseline.add_mutually_exclusive_group()
    how.add_argument("--add", action="store_true", help="add new findings too; without it the baseline only shrinks")
    how.add_argument("--check", action="store_true", help="write nothing, and fail if there is something to take out")
    baseline.add_argument("--only", action="append", default=[], metavar="RULE", help="only this rule (repeatable)")
    baseline.add_argument("--baseline", type=Path, metavar="FILE", help=f"the baseline, {_BESIDE}")
    baseline.add_argument("--config", type=Path, metavar="FILE", help="the policy.toml to use, else the nearest one")


def _add_rules(rules: argparse.ArgumentParser) -> None:
    rules.set_defaults(run=_list_rules)
    actions = rules.add_subparsers(dest="action", metavar="show | docs")
    show = actions.add_parser("show", help="print the page of a rule")
    show.set_defaults(run=_show_rule)
    show.add_argument("rule", metavar="RULE")
    docs = actions.add_parser("docs", help="write a page for each rule into a folder")
    docs.set_defaults(run=_write_pages)
    docs.add_argument("folder", type=Path, metavar="FOLDER")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from policy.reports import program_version

        print(f"policy {program_version() or 'of unknown version: it is not installed'}")
        parser.exit()


def _output(text: str) -> Output:
    from policy.reports.files import parse_output

    try:
        return parse_output(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _check(parsed: argparse.Namespace) -> int:
    if parsed.explain:
        print(_rule(parsed.explain).page)
        return 0
    from policy import engine
    from policy.baseline import file as baseline_file
    from policy.reports.delivery import deliver, run_of
    from policy.rules import RULES
    from policy.targets import targets

    if parsed.output:
        from policy.reports.files import check_outputs

        check_outputs(parsed.output)
    settings = settings_for(parsed.path, parsed.config)
    listed = None if parsed.no_baseline else baseline_file.find(settings, parsed.baseline)
    has_baseline = listed is not None and (parsed.baseline or listed.is_file())
    rules = [_rule(rule_id) for rule_id in parsed.only] or RULES
    checked = targets(parsed.path, settings)
    is_whole = not parsed.path and not parsed.only
    if parsed.fix or parsed.diff:
        from policy.fix.command import mend

        # The diff goes where it does no harm: a report of another format has stdout for itself.
        is_text = parsed.format == "text"
        shown_on = sys.stdout if parsed.diff or is_text else sys.stderr
        talk = sys.stdout if parsed.fix and is_text else sys.stderr
        code = mend(checked, settings, rules, write=parsed.fix, shown_on=shown_on, talk=talk)
        if parsed.diff:
            return code
    result = engine.check(
        checked,
        settings,
        rules,
        today=datetime.datetime.now(datetime.UTC).date(),
        is_whole_run=is_whole,
        baseline=baseline_file.baseline_of(settings, listed) if has_baseline else None,
    )
    run = run_of(
        result,
        settings=settings,
        rules=rules,
        targets=checked,
        is_whole=is_whole,
        strict=parsed.strict,
        shows_all=parsed.all,
        rule_pages=parsed.rule_pages,
    )
    deliver(parsed.format, parsed.output, run)
    return result.exit_code(strict=parsed.strict)


def _baseline(parsed: argparse.Namespace) -> int:
    from policy import engine
    from policy.adoption.record import compare, record
    from policy.baseline import file as baseline_file
    from policy.baseline.matching import Baseline
    from policy.rules import RULES
    from policy.targets import targets

    settings = settings_for(parsed.path, parsed.config)
    file = baseline_file.find(settings, parsed.baseline)
    if file is None:
        raise PolicyError("a baseline lies beside policy.toml, and there is none: `policy init` writes it")

    def run(baseline: Baseline) -> Result:
        rules = [_rule(rule_id) for rule_id in parsed.only] or RULES
        today = datetime.datetime.now(datetime.UTC).date()
        chosen = targets(parsed.path, settings)
        return engine.check(chosen, settings, rules, today=today, is_whole_run=False, baseline=baseline)

    baseline = baseline_file.baseline_of(settings, file if file.is_file() else None)
    done = compare(file, baseline, run) if parsed.check else record(file, baseline, run, add=parsed.add)
    print(*done.said, sep="\n")
    return 0 if done.is_current else 1


def _init(parsed: argparse.Namespace) -> int:
    from policy.adoption.init import init

    today = datetime.datetime.now(datetime.UTC).date()
    sys.stdout.write(init(parsed.path, today=today))
    return 0


def _list_rules(_: argparse.Namespace) -> int:
    from policy.reports.pages import table
    from policy.rules import RULES

    sys.stdout.write(table(RULES))
    return 0


def _show_rule(parsed: argparse.Namespace) -> int:
    from policy.reports.pages import page

    sys.stdout.write(page(_rule(parsed.rule)))
    return 0


def _write_pages(parsed: argparse.Namespace) -> int:
    from policy.reports.pages import write
    from policy.rules import RULES

    try:
        write(RULES, parsed.folder)
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror}", file=error.filename or parsed.folder) from error
    return 0


def _rule(rule_id: str) -> Rule:
    from policy.rules import RULES

    for rule in RULES:
        if rule.id == rule_id:
            return rule
    import difflib

    near = difflib.get_close_matches(rule_id, [rule.id for rule in RULES], n=1)
    raise PolicyError(f"there is no rule {rule_id}" + (f"; did you mean {near[0]}?" if near else ""))
