"""Label selectors as the API machinery evaluates them.

Source: ``metav1.LabelSelector`` (API reference): matchLabels AND every matchExpression; ``NotIn`` is true when the
key is absent; the empty selector matches everything; an absent one matches nothing, where its field says so.
"""

# Not `from __future__ import annotations`: msgspec would have to evaluate the text of each type when it first decodes.

from collections.abc import Mapping

import msgspec


class LabelSelectorRequirement(msgspec.Struct, frozen=True):
    """One matchExpression."""

    key: str
    operator: str
    values: tuple[str, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy this requirement; an unknown operator matches nothing."""
        values = self.values or ()
        if self.operator == "In":
            return self.key in labels and labels[self.key] in values
        if self.operator == "NotIn":
            return labels.get(self.key) not in values
        if self.operator == "Exists":
            return self.key in labels
        if self.operator == "DoesNotExist":
            return self.key not in labels
        return False


class LabelSelector(msgspec.Struct, frozen=True, rename="camel"):
    """``metav1.LabelSelector``."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy every part of the selector."""
        for key, value in (self.match_labels or {}).items():
            if labels.get(key) != value:
                return False
        return not self.match_expressions or all(each.matches(labels) for each in self.match_expressions)

    @property
    def is_empty(self) -> bool:
        """The empty selector, which selects everything."""
        return not self.match_labels and not self.match_expressions

    def __str__(self) -> str:
        parts = [f"{key}={value}" for key, value in (self.match_labels or {}).items()]
        for expression in self.match_expressions or ():
            values = f" ({', '.join(expression.values)})" if expression.values else ""
            parts.append(f"{expression.key} {expression.operator}{values}")
        return ", ".join(parts) or "everything"
