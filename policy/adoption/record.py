"""``policy baseline``: writes down what is wrong today, and takes out what is mended. It grows only when told to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from policy.baseline import file as baseline_file
from policy.baseline.matching import Baseline, Entry
from policy.errors import PolicyError
from policy.result import Result


class Recorded(msgspec.Struct, frozen=True):
    """What was done: the sentences to show, and whether the file is (or was made) what it should be."""

    said: tuple[str, ...]
    is_current: bool


def record(file: Path, baseline: Baseline, run: Callable[[Baseline], Result], *, add: bool) -> Recorded:
    """Runs the check and writes the file: all findings where there is none yet, else what is left of it.

    ``add`` also writes the findings that are new.

    Raises:
        PolicyError: something could not run, so that nothing is known to be mended; or the file cannot be written.
    """
    is_new = not file.is_file()
    _run(baseline, run)
    after = baseline.grown() if is_new or add else baseline.left()
    others = baseline.others()
    if not after:
        file.unlink(missing_ok=True)
    elif is_new or after != baseline.entries or _text(file) != baseline_file.text_of(after):
        baseline_file.write(file, baseline_file.text_of(after))
    return Recorded(tuple(_said(_shown(file), baseline, after, others, is_new=is_new, add=add)), is_current=True)


def compare(file: Path, baseline: Baseline, run: Callable[[Baseline], Result]) -> Recorded:
    """Whether the file is what ``record`` would write; writes nothing.

    Raises:
        PolicyError: something could not run.
    """
    name = _shown(file)
    if not file.is_file():
        return Recorded((f"there is no {name}, and so nothing to remove from it",), is_current=True)
    _run(baseline, run)
    left = baseline.left()
    if baseline.mended:
        are = "finding that is" if baseline.mended == 1 else "findings that are"
        return Recorded((f"{name} lists {baseline.mended} {are} mended: run `policy baseline`",), is_current=False)
    if not left or _text(file) != baseline_file.text_of(left):
        return Recorded((f"{name} is not as `policy baseline` writes it: run it",), is_current=False)
    return Recorded((f"{name}: {_findings(left)}, none of them mended",), is_current=True)


def _run(baseline: Baseline, run: Callable[[Baseline], Result]) -> None:
    if errors := run(baseline).all_errors:
        more = f" (and {len(errors) - 1} more: `policy check` shows them)" if len(errors) > 1 else ""
        raise PolicyError(f"the baseline is left as it is, for not everything could be checked: {errors[0]}{more}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=file) from error


def _said(
    name: str, baseline: Baseline, after: Sequence[Entry], others: Sequence[Entry], *, is_new: bool, add: bool
) -> list[str]:
    if not after:
        return ["nothing is found: no baseline is needed" if is_new else f"all is mended: {name} is deleted"]
    rules = len({entry.rule for entry in after})
    if is_new:
        of = f"of {rules} rules" if rules > 1 else "of 1 rule"
        return [f"{name}: {_findings(after)} {of} written; from now on `policy check` fails on new ones only"]
    changes = [f"{baseline.mended} mended and removed" if baseline.mended else "none mended"]
    if add:
        changes.append(f"{_count(others)} added")
    said = [f"{name}: {_findings(after)}, {', '.join(changes)}"]
    if others and not add:
        said.append(f"{_findings(others)} not in it: `policy check` shows them, `policy baseline --add` adds them")
    return said


def _findings(entries: Sequence[Entry]) -> str:
    return "1 finding" if _count(entries) == 1 else f"{_count(entries)} findings"


def _count(entries: Sequence[Entry]) -> int:
    return sum(entry.count for entry in entries)


def _shown(file: Path) -> str:
    return os.path.relpath(file)
