"""Kubernetes quantities, exactly.

Source: ``k8s.io/apimachinery/pkg/api/resource`` (Quantity): a decimal with a binary suffix (Ki … Ei), a decimal
suffix (n, u, m, k, M … E) or an exponent. Finer than nano is rounded up. Amounts here are integers in nano-units.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

NANO = 10**9
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]+)?")
_SUFFIXES: dict[str, Decimal] = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}
_BINARY = (("Ei", 1024**6), ("Pi", 1024**5), ("Ti", 1024**4), ("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024))


@lru_cache(maxsize=4096)
def parse_quantity(text: str | int | float) -> int:
    """The amount in nano-units (``"100m"`` is 100_000_000).

    Raises:
        ValueError: the text is no quantity.
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    number, suffix = match[1], match[2] or ""
    if suffix[:1] in ("e", "E") and suffix not in _SUFFIXES:
        if len(suffix) > 4:
            raise ValueError(f"{text!r} is out of range for a quantity")
        scale = Decimal(10) ** int(suffix[1:])
    else:
        scale = _SUFFIXES[suffix]
    return int((Decimal(number) * scale * NANO).to_integral_value(rounding=ROUND_CEILING))


def format_quantity(amount: int, resource: str) -> str:
    """An amount in nano-units as people write it for that resource: cpu in cores or milli, bytes in binary units."""
    if _counts_bytes(resource):
        whole = -(-amount // NANO)
        for suffix, size in _BINARY:
            if whole and whole % size == 0:
                return f"{whole // size}{suffix}"
        return str(whole)
    if amount % NANO == 0:
        return str(amount // NANO)
    return f"{-(-amount * 1000 // NANO)}m"


def _counts_bytes(resource: str) -> bool:
    return resource.rpartition(".")[2] in ("memory", "storage", "ephemeral-storage") or "hugepages-" in resource
