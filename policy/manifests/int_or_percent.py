"""Fields that hold a number of pods or a percentage of them (``intstr.GetScaledValueFromIntOrPercent``)."""

from __future__ import annotations

from policy.manifests.pod_spec import IntOrString
from policy.patterns import Pattern

_PERCENT = Pattern(r"([0-9]+)%")


def scaled(value: IntOrString, total: int, *, round_up: bool) -> int | None:
    """The number of pods that is meant, of ``total``; None where the text is neither a number nor a percentage."""
    if isinstance(value, int):
        return value if value >= 0 else None
    match = _PERCENT.fullmatch(value)
    if match is None:
        return None
    share = int(match[1]) * total
    return -(-share // 100) if round_up else share // 100
