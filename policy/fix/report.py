"""What fixes are, for a person: a diff that `git apply` and `patch` take, and what was and was not mended."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator

from policy.fix.plan import Refused
from policy.fix.remedies import remedy_for
from policy.fix.run import FileChange, Fixes
from policy.reports.plain import plural, printable
from policy.result import LocatedFinding


def diff(changes: Iterable[FileChange]) -> str:
    """The unified diff of all changes."""
    return "".join(line for change in changes for line in _lines(change))


def _lines(change: FileChange) -> Iterator[str]:
    before, after = (_split(data.decode("utf-8")) for data in (change.before, change.after))
    for line in difflib.unified_diff(before, after, f"a/{change.name}", f"b/{change.name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _split(text: str) -> list[str]:
    """Lines as diff and patch see them: only a line feed ends one."""
    return [line + "\n" for line in text.split("\n")[:-1]] + [last for last in [text.rpartition("\n")[2]] if last]


def summary(fixes: Fixes, *, is_applied: bool) -> str:
    """What was mended (or would be), what to look at because of it, and what was not and why."""
    lines = [*_mended(fixes, is_applied), *_cautions(fixes.mended), *_refused(fixes.refused)]
    return "".join(f"{line}\n" for line in lines)


def _mended(fixes: Fixes, is_applied: bool) -> Iterator[str]:
    causes = dict.fromkeys((finding.rule, finding.place, finding.message) for finding in fixes.mended)
    if causes:
        word = "mended" if is_applied else "would mend"
        counted = Counter(rule for rule, _, _ in causes)
        rules = ", ".join(f"{rule} ({count})" for rule, count in sorted(counted.items()))
        yield f"{word} {plural(len(causes), 'finding')} in {plural(len(fixes.changes), 'file')}: {rules}"
    else:
        yield "nothing mended" if fixes.refused else "nothing to mend"


def _cautions(mended: Iterable[LocatedFinding]) -> Iterator[str]:
    remedies = (remedy_for(finding.rule, finding.path) for finding in mended)
    for remedy in dict.fromkeys(each for each in remedies if each is not None and each.caution):
        yield f"look at {remedy.says.replace('`', '')}: {remedy.caution}"


def _refused(refused: Iterable[Refused]) -> Iterator[str]:
    causes = dict.fromkeys((each.finding.rule, each.finding.place, each.reason) for each in refused)
    for rule, place, reason in causes:
        yield f"not mended  {rule}  {place}: {printable(reason)}"
