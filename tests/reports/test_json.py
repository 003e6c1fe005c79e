"""The JSON report is what its schema says, all of it and no more."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.reports import Run
from policy.reports.json import VERSION, render
from tests.reports.builders import findings, result

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/json-report.schema.json").read_text(encoding="utf-8"))
validate: Callable[[Any], Any] = fastjsonschema.compile(SCHEMA)


@pytest.fixture
def document(run: Run) -> Any:
    return json.loads(render(run.result, version="1.2.3"))


def objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every object inside."""
    if isinstance(value, dict):
        yield path
        for key, each in value.items():
            yield from objects(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from objects(each, (*path, index))


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_the_report_is_valid(document: Any) -> None:
    validate(document)
    assert document["version"] == VERSION == SCHEMA["properties"]["version"]["const"]


def test_the_schema_names_every_field_and_asks_for_it(document: Any) -> None:
    paths = list(objects(document))
    assert len(paths) > 30
    for path in paths:
        changed = copy.deepcopy(document)
        at(changed, path)["surprise"] = 1
        with pytest.raises(fastjsonschema.JsonSchemaException):
            validate(changed)
        for key in at(document, path):
            changed = copy.deepcopy(document)
            del at(changed, path)[key]
            with pytest.raises(fastjsonschema.JsonSchemaException):
                validate(changed)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("version",), 2),
        (("findings", 0, "severity"), "fatal"),
        (("findings", 0, "place", "line"), 0),
        (("findings", 0, "path"), [None]),
        (("findings", 0, "fingerprint"), "0"),
        (("accepted", 0, "expires"), "soon"),
        (("notChecked", 0, "rule"), "R08"),
        (("summary", "errors"), -1),
    ],
)
def test_the_schema_refuses_wrong_values(document: Any, path: tuple[str | int, ...], wrong: Any) -> None:
    at(document, path[:-1])[path[-1]] = wrong

    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(document)


def test_the_summary_counts_what_is_there(document: Any, run: Run) -> None:
    severities = [finding["severity"] for finding in document["findings"]]

    assert document["summary"] == {
        "rules": len(run.rules),
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "accepted": len(document["accepted"]),
        "baselined": 0,
        "mended": 0,
        "notChecked": len(document["notChecked"]),
        "couldNotRun": len(document["errors"]) + sum(len(overlay["errors"]) for overlay in document["overlays"]),
    }
    assert all(document["summary"][key] for key in ("errors", "warnings", "accepted", "notChecked", "couldNotRun"))


def readable(text: str) -> str:
    """Without halves of surrogate pairs, which strict parsers refuse."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


@given(st.lists(findings, max_size=3))
def test_whatever_manifests_hold_comes_back(found: list[Any]) -> None:
    text = render(result(found), version=None)
    document = json.loads(text)

    validate(document)
    assert msgspec.json.decode(text) == document
    assert [each["message"] for each in document["findings"]] == [readable(each.message) for each in found]
    assert [each["place"]["file"] for each in document["findings"]] == [readable(each.place.file) for each in found]
