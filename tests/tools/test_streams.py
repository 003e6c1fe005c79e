"""The streams that speed is measured on hold what they say, and say the same however they are written."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from policy.manifests.load import load_documents, load_exactly
from tools.streams import manifests, stream
from tools.yaml_styles import STYLES, written


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("services", [7, 100])
def test_the_text_holds_the_objects(services: int, varied: bool) -> None:
    objects = list(manifests(services, varied=varied))
    text = stream(services, varied=varied)

    assert len(objects) == services * 4 + 20
    assert list(yaml.load_all(text, Loader=yaml.CSafeLoader)) == objects
    assert [value for _, value in load_documents(text, "stream")] == objects
    assert [value for _, value in load_exactly(text, "stream")] == objects


def test_no_two_objects_have_the_same_name() -> None:
    named = Counter(
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
        for item in manifests(100, varied=True)
    )

    assert set(named.values()) == {1}


def test_varied_streams_vary() -> None:
    kinds = Counter(item["kind"] for item in manifests(100, varied=True))
    (deployment,) = [item for item in manifests(1) if item["kind"] == "Deployment"]

    assert {"Deployment": 60, "StatefulSet": 20, "CronJob": 20, "ConfigMap": 20}.items() <= kinds.items()
    assert len({written(deployment, style) for style in STYLES}) == len(STYLES)
