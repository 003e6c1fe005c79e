"""``cached_property`` without its lock, which Python has dropped in 3.12: half of what a first look costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property:  # noqa: N801 - it stands for the other one
        """A value that is worked out when it is first asked for, and then stands in the object's ``__dict__``."""

        def __init__(self, work_out: Callable[[Any], Any]) -> None:
            self._work_out = work_out
            self._name = work_out.__name__
            self.__doc__ = work_out.__doc__

        def __get__(self, owner: Any, _: type[Any] | None = None) -> Any:
            if owner is None:
                return self
            value = owner.__dict__[self._name] = self._work_out(owner)
            return value


__all__ = ["cached_property"]
