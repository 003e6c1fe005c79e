"""`check --fix` and `check --diff`: show the diff, write it, say what was and was not mended."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TextIO

from policy.errors import PolicyError
from policy.fix.apply import apply
from policy.fix.report import diff, summary
from policy.fix.run import find_fixes
from policy.reports.plain import printable
from policy.rules.rule import Rule
from policy.settings import Settings
from policy.targets import Target, TargetKind


def mend(
    checked: Sequence[Target],
    settings: Settings,
    rules: Sequence[Rule],
    *,
    write: bool,
    shown_on: TextIO,
    talk: TextIO,
) -> int:
    """Show the diff of what mends the findings on ``shown_on``, and ``write`` it.

    Gives 0 if there is nothing to change, 1 if there is, 2 if something could not be read. Raises ``PolicyError`` if a
    file cannot be written; then none is.
    """
    if any(target.kind is TargetKind.STREAM for target in checked):
        raise PolicyError("standard input cannot be mended: there is no file to write to")
    fixes = find_fixes(checked, settings, rules, today=datetime.datetime.now(datetime.UTC).date())
    text = diff(fixes.changes)
    shown_on.write(printable(text) if shown_on.isatty() else text)
    if write:
        shown_on.flush()
        apply(fixes.changes)
    talk.write(summary(fixes, is_applied=write))
    if write:
        talk.write("\n")  # the report follows, and tells what could not be read
    else:
        talk.writelines(f"policy: {printable(str(error))}\n" for error in fixes.errors)
    talk.flush()
    return 2 if fixes.errors else int(bool(fixes.changes))
