"""A registry of images on the loopback address, which containerd asks instead of every other one.

https://distribution.github.io/distribution/about/configuration/
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cluster.state import HOST, State
from cluster.waiting import answers, until

NAME = "registry"


def start_registry(state: State, tools: Path) -> None:
    """Until it answers. Raises ClusterError with its last words if it does not."""
    address = f"{HOST}:{state.port(NAME)}"
    settings = state.folder / "registry.json"
    storage = {"filesystem": {"rootdirectory": str(state.folder / NAME)}}
    log = {"level": "warn", "accesslog": {"disabled": True}}
    settings.write_text(json.dumps({"version": 0.1, "log": log, "storage": storage, "http": {"addr": address}}))
    registry = state.process(NAME)
    environment = os.environ | {"OTEL_TRACES_EXPORTER": "none"}  # nobody listens for them
    registry.start([tools / "bin" / "registry", "serve", settings], env=environment)
    until("the registry answers", lambda: answers(f"http://{address}/v2/"), seconds=30, by=registry)
