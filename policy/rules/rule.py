"""What a rule is: one sentence, what it looks at, how much it matters, and a pure function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from policy.connectivity.isolation import Isolation
from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index

if TYPE_CHECKING:
    from policy.kustomize.origin import Origins

T = TypeVar("T")


class Options(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """What policy.toml may set for a rule under ``[rules.ID]``; a rule with settings has a subclass with defaults."""


class Context(msgspec.Struct, frozen=True, dict=True):
    """What a rule may know besides its subject: the whole overlay and its own settings."""

    index: Index
    environment: str = ""
    kubernetes: tuple[str, ...] = ()
    """The Kubernetes minor versions that must hold, oldest first, e.g. ``("1.34", "1.37")``."""
    chosen: Options = msgspec.field(default_factory=Options)
    origins: Callable[[], Origins | None] = lambda: None
    """Where rendered fields come from; None where the input is no kustomization. Worked out when first asked."""
    shared: Isolation | None = None

    @cached_property
    def isolation(self) -> Isolation:
        """Who may reach whom in the overlay, and what topology.yaml says of it; the same for every rule."""
        return self.shared or Isolation(self.index)

    def options(self, kind: type[T]) -> T:
        """The rule's settings, of the type that the rule names in ``Rule.options``."""
        if not isinstance(self.chosen, kind):
            raise TypeError(f"the rule did not declare options={kind.__name__}")
        return self.chosen


class Sources:
    """What a rule applies to that looks at the sources of a kustomization: it is called with their ``SourceTree``.

    A name for it that costs nothing to import, since plain manifests need nothing of Kustomize.
    """


Check = Callable[[Any, Context], Iterable[Finding | Skipped]]


class Rule(msgspec.Struct, frozen=True, dict=True):
    """A rule. Its module's docstring is its page: one sentence, ``Why:`` and ``Fix:``, a bad and a good snippet.

    ``applies_to`` is what ``check`` is called with, once for each: ``Workload``, ``Container``, a typed object such as
    ``Service``, ``Resource`` (every object), ``Index`` (once an overlay) or ``Sources`` (once an overlay, only
    where the input is a kustomization).

    ``by_settings``, for workloads and containers: it looks at nothing of a workload but its kind, its ``settings`` and
    what holds for its namespace; so of workloads that have them in common it asks one, and all only if it is wrong.
    """

    id: str
    applies_to: type[Any]
    severity: Severity
    check: Check
    options: type[Options] = Options
    enabled: bool = True
    exceptable: bool = True
    by_settings: bool = False

    @cached_property
    def page(self) -> str:
        """The documentation page, Markdown."""
        import inspect  # only who reads a page needs it

        return inspect.cleandoc(sys.modules[self.check.__module__].__doc__ or "")

    @property
    def summary(self) -> str:
        """What must be true, in one sentence."""
        return self.page.partition("\n")[0]

    @property
    def family(self) -> str:
        """The folder that the rule's module is in."""
        return self.check.__module__.split(".")[-2]
