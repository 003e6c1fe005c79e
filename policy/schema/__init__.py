"""Every rendered object is what the API server of each target Kubernetes version accepts: kubeconform, strict, offline.

The schemas come from the installed package ``kubernetes-validate`` and from CustomResourceDefinitions that the
repository names. Nothing is fetched, and nothing is left out: a kind without a schema is a problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from policy.findings import FieldPath

__all__ = ["REPEATED_KEY", "SchemaProblem", "validate"]

REPEATED_KEY = "a key stands twice in a mapping"
"""What is said of a document, without the place, for kubeconform names one line only and counts in the document."""


class SchemaProblem(msgspec.Struct, frozen=True):
    """What a schema says against a document.

    ``index`` is the document's place in what was validated. ``path`` is the field: one that is there and wrong, or one
    that is required and absent; empty if the problem is the document itself. ``versions`` are the Kubernetes versions,
    as they were asked for, that say so. ``fix`` says what to write instead, where that can be told.
    """

    index: int
    path: FieldPath
    message: str
    versions: tuple[str, ...]
    fix: str | None = None


def validate(
    documents: Sequence[str],
    *,
    versions: Sequence[str],
    crds: Sequence[Path],
    kubeconform: Path,
    cache: Path | None = None,
) -> list[SchemaProblem]:
    """Validate YAML or JSON texts of one object each against every Kubernetes version of ``versions`` (``"1.34"``).

    ``crds`` are YAML files, or folders of them, that hold CustomResourceDefinitions. ``cache`` is where converted
    schemas and verdicts are kept (the user's cache folder by default); if it cannot be written, nothing is kept.
    The problems are ordered by document and field.

    Raises SettingsError if a version or a definition is not to be had, ToolError if kubeconform breaks.
    """
    import tempfile

    from policy.errors import ToolError
    from policy.schema import schemas
    from policy.schema.kubeconform import run
    from policy.schema.verdicts import Verdicts, identity
    from policy.tools import cache_folder

    if not documents:
        return []
    with tempfile.TemporaryDirectory(prefix="schema-") as work:
        library = schemas.prepare(versions, crds, cache=cache or cache_folder(), spare=Path(work))
        try:
            verdicts = Verdicts(library.root, f"{identity(kubeconform)}\n{library.folders}")
        except OSError as error:
            raise ToolError(f"{kubeconform} cannot be run: {error.strerror}") from error
        asked = verdicts.unknown(dict.fromkeys(documents))
        said = run(asked, library=library, kubeconform=kubeconform, work=Path(work)) if asked else {}
        refused = {text for problems in said.values() for text, *_ in problems}
        verdicts.remember([text for text in asked if text not in refused])
    joined: dict[tuple[str, FieldPath, str, str | None], list[str]] = {}
    for version, problems in said.items():
        for problem in dict.fromkeys(problems):
            joined.setdefault(problem, []).append(version)
    by_text: dict[str, list[tuple[FieldPath, str, str | None, tuple[str, ...]]]] = {}
    for (text, path, message, fix), spoken in joined.items():
        by_text.setdefault(text, []).append((path, message, fix, tuple(spoken)))
    return [
        SchemaProblem(index, path, message, spoken, fix)
        for index, text in enumerate(documents)
        for path, message, fix, spoken in sorted(by_text.get(text, ()), key=_reading_order)
    ]


def _reading_order(said: tuple[FieldPath, str, str | None, tuple[str, ...]]) -> tuple[object, ...]:
    path, message, *_ = said
    return [(str(step), 0) if isinstance(step, str) else ("", step) for step in path], message
