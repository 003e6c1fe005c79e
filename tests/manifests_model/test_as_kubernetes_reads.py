"""No value is read differently from Kubernetes: its own YAML library, as a program, is the reference."""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from policy.errors import SourceError
from policy.manifests import blocks
from policy.manifests.load import load_documents, load_exactly
from policy.tools import find_tool
from tools.streams import stream

REPOSITORY = Path(__file__).parent.parent.parent
SCALARS = 60_000
REFUSED = "refused"

WORDS = (Path(__file__).parent / "scalars.txt").read_text(encoding="utf-8").split()
"""What YAML 1.1, YAML 1.2 and Go read as numbers, booleans, nulls and dates, and what only looks like it."""
PIECES = "0123456789_+-.eExXoObB:/,=#'\"~ynNYfF iI"


@cache
def reference() -> Path:
    return find_tool("yaml-reference", wanted=None, root=REPOSITORY)


def as_kubernetes_reads(texts: Sequence[str]) -> list[Any]:
    """What the API machinery's library makes of each text."""
    done = subprocess.run(
        [reference()], input="".join(f"{text}\0" for text in texts), capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts)
    return [REFUSED if "error" in answer else answer.get("json") for answer in answers]


def as_we_read(text: str, *, exactly: bool) -> Any:
    try:
        read = list((load_exactly if exactly else load_documents)(text, "text"))
    except SourceError:
        return REFUSED
    return read[0][1] if read else None


def scalars() -> Iterator[str]:
    """Every word above, and random ones made of what numbers, dates and booleans are made of; always the same."""
    yield from WORDS
    chance = random.Random(20260101)
    while True:
        yield "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))


def same(ours: Any, theirs: Any) -> bool:
    """Equal as JSON: 1.0 and 1 are the same number there, true and 1 are not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, bool) or isinstance(theirs, bool) or isinstance(ours, str) or isinstance(theirs, str):
        return type(ours) is type(theirs) and ours == theirs
    if ours is None or theirs is None:
        return ours is theirs
    return (
        isinstance(ours, int | float) and isinstance(theirs, int | float) and math.isclose(ours, theirs, rel_tol=1e-15)
    )


Difference = tuple[str, Any, Any, Any]


def differences(texts: Sequence[str], *, may_refuse: bool = False) -> list[Difference]:
    """Texts that we read, by the fast or the exact way, as something else than Kubernetes; what it refuses is left out.

    ``may_refuse`` leaves out what we refuse as well.
    """
    found = []
    for text, theirs in zip(texts, as_kubernetes_reads(texts), strict=True):
        fast, exact = as_we_read(text, exactly=False), as_we_read(text, exactly=True)
        ours = [each for each in (fast, exact) if not (may_refuse and each is REFUSED)]
        if theirs is not REFUSED and not all(same(each, theirs) for each in ours):
            found.append((text, fast, exact, theirs))
    return found


def test_every_scalar_is_read_alike() -> None:
    some = scalars()

    assert differences([f"a: {next(some)}\n" for _ in range(SCALARS)])[:20] == []


def test_keys_and_items_are_read_alike() -> None:
    some = scalars()
    texts = [f"{next(some)}: 1\n" for _ in range(5_000)] + [
        f"a:\n- {next(some)}\n- b: {next(some)}\n" for _ in range(5_000)
    ]

    assert differences(texts)[:20] == []


CONTEXTS = (
    "a:\n  b: {}\n",
    "a:\n  b:\n    c: {}\n  d: {}\n",
    "a:\n- {}\n- x\n",
    "a:\n  - {}\n",
    "a:\n- b: {}\n  c: {}\n",
    "a:\n- b:\n  - {}\n",
    "a: [{}, x]\n",
    "a: [x, {}]\n",
    "a: '{}'\n",
    'a: "{}"\n',
    "a: {}  \n",
    "a: {} # b\n",
    "a:   {}\n",
    "a:\n  {}: x\n",
    "# {}\na: {}\n",
    "a: {}\nb: {}",
    "a: x {}\n",
    "a: {}\n  {}\n",
)
"""Where a scalar may stand in a manifest; each place of one text holds the same scalar."""


def test_scalars_are_read_alike_wherever_they_stand() -> None:
    some = scalars()
    texts = [context.replace("{}", next(some)) for _ in range(700) for context in CONTEXTS]

    assert differences(texts, may_refuse=True)[:20] == []
    assert sum(as_we_read(text, exactly=False) is not REFUSED for text in texts) > len(texts) // 2


def test_streams_are_read_alike() -> None:
    """Whole manifests, in all styles of ``tools.yaml_styles``."""
    documents = stream(100, varied=True).split("---\n")

    assert differences(documents) == []


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: web
    tier: "1"
  name: web
spec:
  replicas: 3
  template:
    spec:
      containers:
      - args:
        - serve
        - --quiet
        env:
        - name: A
          value: '0644'
        - name: B
        image: web:1
        ports:
          - containerPort: 8080
          - containerPort: 9090
            name: x
      hostNetwork: no
    empty: {}
  last:
  - [a, b]
"""


def test_documents_that_are_alike_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that differ in one to three lines, in values or in anything else, read after each other."""
    some, chance = scalars(), random.Random(11)
    lines = MANIFEST.splitlines()
    texts = []
    for _ in range(15_000):
        changed = list(lines)
        for number in chance.sample(range(len(lines)), chance.randint(1, 3)):
            before, separator, _ = lines[number].partition(": " if ": " in lines[number] else "- ")
            line = before + separator + (next(some) if separator else "")
            wild = (f"{line} ", f"{line} # x", f" {line}", f"{before}:", f"{before}- x", f"{line}\n")
            changed[number] = line if chance.random() < 0.8 else chance.choice(wild)
        texts.append("\n".join(changed) + "\n")

    assert differences(texts, may_refuse=True)[:5] == []
    good = [text for text in texts if as_we_read(text, exactly=False) is not REFUSED]
    whole = Mock(wraps=blocks.read_normalized)
    monkeypatch.setattr(blocks, "read_normalized", whole)
    for text in good:
        as_we_read(text, exactly=False)
    assert len(good) > len(texts) // 2
    assert whole.call_count < len(good) * 3 // 4, "many are made of what is alike, or this proves nothing"


def test_block_scalars_are_read_alike() -> None:
    chance = random.Random(13)
    heads = (
        *("a: |", "a: |-", "b:\n  a: |", "b:\n- |", "b:\n- |-", "b:\n- a: |-", "b:\n  - a: |", "a: |+", "a: |2"),
        *("a: >", "b:\n- - |"),
    )
    words = (
        *("x", "x: y", "# x", "- x", "", "", "", "x # y", "x ", "\tx", "x\ty", "|", "a: |", "{{ x }}", "'", '"', "\\n"),
        *("---", "a: |-", "é", "   ", "\x01", "x\x02y", "\x7f", "\u2028"),
    )
    texts = []
    for _ in range(12_000):
        head, depth = chance.choice(heads), chance.choice((1, 2, 2, 2, 4, 4, 4, 6))
        some = words[:17] if chance.random() < 0.8 else words
        lines = [
            " " * chance.choice((depth,) * 9 + (depth + 2, depth - 1, 0)) + word if word else ""
            for word in chance.choices(some, k=chance.randint(0, 5))
        ]
        after = chance.choice(("", "", "c: 1\n", "# c\nc: 1\n", "  c: 1\n", "- d\n", "    c: |\n      x\n"))
        texts.append("\n".join((head, *lines)) + chance.choice(("\n", "\n", "\n\n", "")) + after)

    assert differences(texts, may_refuse=True)[:5] == []
    quick = [text for text in texts if is_quick(text)]
    assert len(quick) > len(texts) // 6
    assert sum("\n\n" in text for text in quick) > 100


def is_quick(text: str) -> bool:
    try:
        blocks.read(text)
    except blocks.Unfamiliar:
        return False
    return True


def test_what_people_write_in_one_line_is_read_alike() -> None:
    """Escapes, braces and comments, as they are and with pieces taken out, doubled or put elsewhere."""
    chance = random.Random(17)
    lines = (
        *("'it''s'", '"a \\"b\\" c"', '"a\\n\\tb\\\\"', "{a: b}", "{a: /b, c: '0644'}", '{a: "x y", b: 1}'),
        *("b # c", "'b # c' # d", '"b" # c', "b#c # d", "[a, b] # c", "{} # c", "{a: b} # c", "1 # 2", "~ # x", "b  #"),
        *('"\\x41"', '"\\/"', "{a: b, a: c}", "{a:b}", "{ a: b }", "{a: [b]}", "{1: 2}", "{a: }", "{a: b: c}", "''''"),
        "{a: yes, on: 1}",
    )
    texts = [f"k: {line}\n" for line in lines]
    for _ in range(12_000):
        line = chance.choice(lines)
        at, until = sorted(chance.choices(range(len(line) + 1), k=2))
        changed = (line[:at] + line[until:], line[:until] + line[at:], line[at:until], line + line[at:])
        texts.append(f"k: {chance.choice(changed)}\n")

    assert differences(texts, may_refuse=True)[:5] == []
    assert sum(map(is_quick, texts)) > len(texts) // 4


def test_a_key_that_stands_twice_is_read_alike() -> None:
    pairs = [(a, b, c) for a in "123" for b in "123" for c in ("", "  d: 1\n", "  d: 2\n")]

    assert differences([f"k: 1\na: {a}\na: {b}\n{'a:' if c else 'c: 1'}\n{c}" for a, b, c in pairs]) == []
    assert differences([f"k: 1\na:\n{c or '  b: 1'}\na: {a}\nc: {b}\n" for a, b, c in pairs]) == []


def test_indentation_is_read_alike() -> None:
    """Shapes that are one space or one dash away from a block inside of another."""
    texts = [
        *("k:\n-x: 1\n", "a:\n  k:\n  -x: 1\n", "a:\n  k:\n b: 1\n", "a:\n   b: 1\n  c: 2\n", "a:\n  k:\nb: 1\n"),
        *("a:\n- b:\n  c: 1\n", "a:\n- b:\n   c: 1\n", "a:\n  - b: 1\n - c: 2\n", "a:\n- b:\n - c\n", "a:\n-  b: 1\n"),
        *("a:\n- b:\n  - c\n", "a:\n  b:\n  - c\n  d: 1\n", "a:\n  b: 1\n   c: 2\n", "a:\n    b:\n  - c\n"),
    ]

    assert differences(texts, may_refuse=True) == []


def test_shapes_are_read_alike() -> None:
    """Where the indentation breaks off, Kubernetes reads what stands before it and drops the rest: refused here."""
    chance = random.Random(7)
    lines = [
        *("a: 1", "- a", "- b: 2", "k:", "x: y", "- - a", "'q': 1", "a: 'b'", 'a: "b c"', 'a: "\\x41\\n"', "a: {}"),
        *("a: [x, y]", "a: b # c", "# c", "", "  ", "a: |", "a: >-", "text", "a: &x {b: 1}", "b: *x", "<<: *x"),
        *("a: !!str 1", "1: 2", "a: ~", "a: {b: c, d: [1, 2]}", "? a", "a: 'it''s'", "é: ü", "a: '' # x"),
        *("a: -", "-x: 1", "-y", "a:\tb", "a: 0644", "yes: no", 'a: ""'),
    ]
    texts = [
        "".join(
            " " * chance.choice((0, 0, 2, 2, 4, 1)) + chance.choice(lines) + "\n" for _ in range(chance.randint(1, 6))
        )
        for _ in range(15_000)
    ]

    assert differences(texts, may_refuse=True)[:20] == []


def test_characters_that_stand_for_block_scalars_are_refused_where_they_are_written() -> None:
    texts = [f"k: {text}\n" for text in ("\1x", "\1x\2y", "a\2b")] + ["k:\n- \1x\n", "a: |\n  x\nk: \1y\n"]

    assert [as_we_read(text, exactly=False) for text in texts] == [REFUSED] * len(texts)
