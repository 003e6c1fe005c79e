"""The catalogue: every rule there is, in one list. A rule is one module; a test proves that none is missing here."""

from __future__ import annotations

from policy.rules.probes import readiness_probe_set
from policy.rules.rule import Rule

RULES: tuple[Rule, ...] = (readiness_probe_set.RULE,)
