"""Results made by hand, for what one small repository does not have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from policy.findings import ObjectRef, Place, Severity
from policy.reports import Run
from policy.result import Findings, LocatedFinding, OverlayResult, Result
from policy.rules import RULES

HOSTILE = (
    "``` ````\n```",
    "`",
    "|a|b|",
    "<script>alert(1)</script><!-- -->",
    "@octocat #1 https://evil.example www.evil.example octo/cat#2",
    "[link](https://evil.example) ![image](x) **bold** _em_",
    "</details>\n\n# heading",
    "::error file=a::b\n::stop-commands::x",
    "##[add-mask]x",
    "%0A%25\r\n",
    "\x1b[2J\x07\x00\x9b",
    "\u202eright to left\u2066",
    "a,b:c",
    "]]>&amp;<![CDATA[",
    "\ud800 half a pair",
    "買い物かご\u0301",
    "\tindented",
)
"""What a manifest may hold to be more than text in some format."""

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=60)).map(lambda text: text or "x")


def finding(**given: Any) -> LocatedFinding:
    fields: dict[str, Any] = {
        "rule": "image-pinned",
        "severity": Severity.ERROR,
        "overlays": ("prod",),
        "objects": (ObjectRef("Deployment", "shop", "prod", "apps/v1"),),
        "path": ("spec", "replicas"),
        "named_path": ("spec", "replicas"),
        "message": "it is wrong",
        "fix": "make it right",
        "place": Place("base/shop.yaml", 3, 5, 9),
    }
    return LocatedFinding(**{**fields, **given})


def result(findings: Sequence[LocatedFinding] = (), **given: Any) -> Result:
    fields: dict[str, Any] = {
        "overlays": (OverlayResult("prod", "overlays/prod", 3, ("1.34",)),),
        "findings": Findings(findings),
        "skipped": (),
        "accepted": (),
        "rules": len(RULES),
    }
    return Result(**{**fields, **given})


def always(*_: object) -> bool:
    return True


def run_of(findings: Sequence[LocatedFinding] = (), root: Path = Path("/nowhere"), **given: Any) -> Run:
    """A run of all rules, all switched on."""
    options = {key: given.pop(key) for key in set(given) & set(Run.__struct_fields__)}
    options = {"rules": RULES, "kustomizations": frozenset({"prod"}), "is_enabled": always, **options}
    return Run(result=result(findings, **given), root=root, **options)


findings = st.builds(
    finding,
    severity=st.sampled_from(Severity),
    overlays=st.lists(texts, max_size=2, unique=True).map(tuple),
    objects=st.lists(st.builds(ObjectRef, texts, texts, texts, texts), max_size=2).map(tuple),
    message=texts,
    fix=st.none() | texts,
    note=st.none() | texts,
    place=st.builds(Place, texts, st.integers(1, 9), st.integers(1, 9)),
    related=st.lists(st.builds(Place, texts, st.integers(1, 9)), max_size=2).map(tuple),
)
