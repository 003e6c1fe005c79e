"""Sums worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.capacity.manifests import demand_of, index_of

TABLES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "tables.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLES, ids=[case["name"] for case in TABLES])
def test_a_table(case: dict[str, Any]) -> None:
    quota = f"apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: all}}\nspec: {{hard: {{'{case['key']}': 1}}}}\n"

    demand = demand_of(index_of(f"{quota}---\n{case['manifests']}"), case["key"], case.get("nodes"))

    assert demand.table() == case["table"]
    assert not demand.gaps
