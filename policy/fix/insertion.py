"""Writing fields between the lines of a YAML text: what is there stays as it is, byte for byte.

Fields go where people expect them (``_ORDER``), behind what stands before them there; indentation, the place of list
dashes and line breaks are those of the text around.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from policy.fix import layout
from policy.fix.layout import Entry, Located
from policy.kustomize.scalars import STR, tag_of

Value = bool | int | str | tuple[str, ...]
"""What is written: a scalar or a list of texts."""

Fields = dict[str, "Value | Fields"]
"""What goes into one mapping: values, or further mappings that are not there yet."""

_ORDER = (
    *("apiVersion", "kind", "metadata"),
    *("serviceAccountName", "serviceAccount", "automountServiceAccountToken", "enableServiceLinks"),
    *("restartPolicy", "terminationGracePeriodSeconds"),
    *("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "supplementalGroups"),
    *("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "seccompProfile"),
    *("add", "drop"),
    *("name", "image", "imagePullPolicy", "command", "args", "workingDir", "ports", "envFrom", "env"),
    *("requests", "limits", "cpu", "memory", "ephemeral-storage"),
    *("resources", "resizePolicy", "restartPolicy", "volumeMounts", "volumeDevices"),
    *("startupProbe", "readinessProbe", "livenessProbe", "lifecycle"),
    *("terminationMessagePath", "terminationMessagePolicy", "securityContext"),
)
"""Which field comes first where two stand in one mapping."""
_RANK = {name: rank for rank, name in reversed(list(enumerate(_ORDER)))}

_COMMENT = re.compile(r"( *)#")
_EMPTY = re.compile(r"[ \t]*(?=[\r\n\x85\u2028\u2029]|$)")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


class Holder(msgspec.Struct, frozen=True):
    """What fields go into: a block mapping, or a key that has no value yet. ``offset`` tells it from all others."""

    offset: int
    column: int
    entries: tuple[Entry, ...]
    head: int | None
    """Where the line ends below which its first field may go; None where that is the line of its first field."""
    step: int
    dash: int


def holder_of(text: str, located: Located) -> Holder:
    """The holder for a block mapping."""
    node = located.node
    assert isinstance(node, layout.Mapping)
    parent, head = located.parent, None
    if parent is not None and isinstance(parent.node, layout.Mapping):
        key = next(each.key for each in parent.node.entries if each.value is node)
        if key.line < node.entries[0].key.line:
            head = layout.end_of_line(text, key.end)
    return Holder(node.start, node.column, tuple(node.entries), head, *_indentation(located.root))


def empty_holder(text: str, located: Located, entry: Entry) -> Holder:
    """The holder for a key of the mapping ``located`` that has no value."""
    node = located.node
    assert isinstance(node, layout.Mapping)
    step, dash = _indentation(located.root)
    return Holder(entry.key.end, node.column + step, (), layout.end_of_line(text, entry.key.end), step, dash)


def insert(text: str, wanted: Iterable[tuple[Holder, Fields]]) -> str:
    """The text with fields written into their holders, none of which may have such a field yet."""
    lines: defaultdict[int, list[str]] = defaultdict(list)
    inner_first = sorted(wanted, key=lambda each: -each[0].column)  # which counts where both go below the same line
    for holder, fields in inner_first:
        for name in sorted(fields, key=_rank):
            offset = _offset(text, holder, name)
            lines[offset].extend(_written({name: fields[name]}, holder.column, holder))
    parts, start = [], 0
    for offset in sorted(lines):
        ends = layout.line_break(text, offset)
        parts += [text[start:offset], *(ends + line for line in lines[offset])]
        start = offset
    return "".join([*parts, text[start:]])


def _rank(name: str) -> int:
    return _RANK.get(name, len(_ORDER))


def _offset(text: str, holder: Holder, name: str) -> int:
    """The end of the line below which a field goes."""
    before = [entry for entry in holder.entries if _rank(entry.name) <= _rank(name)]
    if not before and holder.head is not None:
        return holder.head
    entry = before[-1] if before else holder.entries[0]
    offset = layout.end_of_line(text, layout.end_of(text, entry.value))
    return _below_comments(text, offset, holder.column)


def _below_comments(text: str, offset: int, column: int) -> int:
    """Behind the comments that follow and are indented further than the keys: they belong to what is above them."""
    end, start = offset, layout.next_line(text, offset)
    while start is not None:
        comment = _COMMENT.match(text, start)
        if comment is not None and len(comment[1]) > column:
            end = layout.end_of_line(text, start)
        elif not _EMPTY.match(text, start):
            break
        start = layout.next_line(text, layout.end_of_line(text, start))
    return end


def _written(fields: Fields, column: int, style: Holder) -> Iterable[str]:
    """The lines of the fields, without line breaks."""
    for name in sorted(fields, key=_rank):
        value = fields[name]
        if isinstance(value, dict):
            yield f"{' ' * column}{name}:"
            yield from _written(value, column + style.step, style)
        elif isinstance(value, tuple):
            yield f"{' ' * column}{name}:"
            yield from (f"{' ' * (column + style.dash)}- {scalar(item)}" for item in value)
        else:
            yield f"{' ' * column}{name}: {scalar(value)}"


def scalar(value: bool | int | str) -> str:
    """A value as YAML, in quotes only where it would else be read as something that it is not."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and tag_of(value, yaml_1_1=True) == tag_of(value) == STR:
        return value
    import json  # a text in double quotes is the same in both

    return json.dumps(value)


def _indentation(root: layout.Node) -> tuple[int, int]:
    """How many columns a document indents mappings, and dashes, below their key; what it does most often."""
    steps: Counter[int] = Counter()
    dashes: Counter[int] = Counter()
    for each in layout.walk(root):
        if not isinstance(each.node, layout.Mapping) or each.node.is_flow:
            continue
        for entry in each.node.entries:
            value = entry.value
            if isinstance(value, layout.Mapping) and not value.is_flow:
                steps[value.column - each.node.column] += 1
            elif isinstance(value, layout.Sequence) and not value.is_flow:
                dashes[value.column - each.node.column] += 1
    step = _most(steps, 2)
    return step, _most(dashes, step)


def _most(counted: Mapping[int, int], otherwise: int) -> int:
    return max(counted, key=lambda width: (counted[width], -width), default=otherwise)
