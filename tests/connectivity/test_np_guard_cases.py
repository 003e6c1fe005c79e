"""The listing in np-guard's format, against what is expected: small cases here, that tool's own beside the repository.

Listings are compared by what they say: which addresses, pods and ports, however the lines divide them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy.cli import main

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("POLICY_CASES", REPOSITORY.parent / "shared/cases")) / "np-guard"
FOLDERS = [*Path(__file__).parent.glob("np_guard/*"), *SHARED.glob("*")]
CASES = sorted(folder for folder in FOLDERS if (folder / "expected.txt").is_file())

LINE = re.compile(r"(?P<source>\S+) => (?P<destination>\S+) : (?P<ports>.+)")
RANGE = re.compile(r"([\d.]+)-([\d.]+)\[External\]")
PART = re.compile(r"(?:(?P<protocol>[A-Z]+) )?(?P<first>\d+)(?:-(?P<last>\d+))?")

Ports = frozenset[tuple[str, int, int]]
Listing = dict[tuple[str, str], object]
"""Between pods: the ports. Between a pod and addresses: ranges and their ports, joined where they touch."""


def read(text: str) -> Listing:
    found: Listing = {}
    ranges: dict[tuple[str, str], list[tuple[int, int, Ports]]] = {}
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        source, destination, ports = match["source"], match["destination"], frozenset(_ports(match["ports"]))
        outside = RANGE.fullmatch(source) or RANGE.fullmatch(destination)
        if outside:
            first, last = (int(ipaddress.IPv4Address(text)) for text in outside.groups())
            key = ("addresses", destination) if RANGE.fullmatch(source) else (source, "addresses")
            ranges.setdefault(key, []).append((first, last, ports))
        else:
            assert (source, destination) not in found, line
            found[source, destination] = ports
    found.update({key: _joined(parts) for key, parts in ranges.items()})
    return found


def _ports(text: str) -> Iterator[tuple[str, int, int]]:
    if text == "All Connections":
        yield from ((protocol, 1, 65535) for protocol in ("TCP", "UDP", "SCTP"))
        return
    protocol = ""
    for part in text.split(","):
        match = PART.fullmatch(part)
        assert match, text
        protocol = match["protocol"] or protocol
        yield protocol, int(match["first"]), int(match["last"] or match["first"])


def _joined(parts: list[tuple[int, int, Ports]]) -> list[tuple[int, int, Ports]]:
    joined: list[tuple[int, int, Ports]] = []
    for first, last, ports in sorted(parts, key=lambda part: part[:2]):
        assert not joined or joined[-1][1] < first, "ranges overlap"
        if joined and joined[-1][1] + 1 == first and joined[-1][2] == ports:
            joined[-1] = (joined[-1][0], last, ports)
        else:
            joined.append((first, last, ports))
    return joined


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_listing_is_the_expected_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topology", str(folder / "manifests"), "--format", "np-guard"]) == 0
    ours, expected = read(capsys.readouterr().out), read((folder / "expected.txt").read_text(encoding="utf-8"))
    assert expected
    assert {key: ours.get(key) for key in ours.keys() | expected.keys()} == {
        key: expected.get(key) for key in ours.keys() | expected.keys()
    }
