"""Small sets are told one by one and others are bits: in the small clusters of tests, both are tried."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest.mock import patch

from hypothesis import strategies as st

from policy.connectivity import bits

FEW = st.sampled_from([0, 2, 64])
"""Up to how many numbers are few."""


def few_are(count: int) -> AbstractContextManager[int]:
    """So many numbers are told one by one."""
    return patch.object(bits, "FEW", count)
