"""An origin is the entry that makes the difference: leave the entry out, render again, and see what changes.

The values of the drawn trees are all different, so that no entry can repeat what is there without it. Two directions:

- Every field that changes when an entry is left out has that entry as its origin, or another one that makes a
  difference to it too (a name has a prefix, a suffix and a hash, but one origin). A JSON patch reaches list items by
  position: without a patch that moves them it reaches another one, which it does not in the whole tree.
- Every field whose origin is an entry changes when that entry is left out.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings

from policy.errors import RenderError
from policy.findings import FieldPath
from policy.kustomize.origin import Origins, equal
from policy.kustomize.render import render_all
from policy.kustomize.sources import SourceTree, load_sources
from policy.manifests.load import load_documents
from tests.kustomize.strategies import Tree, show, trees
from tests.kustomize.trees import DERANDOMIZE, EXAMPLES, dump, write

Entry = tuple[str, str]
"""The kustomization file and the entry."""

Changed = tuple[int, FieldPath]
"""The position of the object and the path of a field of the whole render."""

_KEYS = ("name", "containerPort", "containerPort protocol", "port", "mountPath", "topologyKey", "ip")
_UNIQUE = re.compile(r"v\d+|nginx:\d+|\S*image\d+\S*|\S*t\d+\S*|\S*sha256:d\d+")


def _documents(text: str) -> list[dict[str, Any]]:
    return [value for _, value in load_documents(text, "render") if isinstance(value, dict)]


def _keyed(*lists: list[Any]) -> list[dict[Any, int]] | None:
    """For each list the positions of its items by what names them; None if they have no such names."""
    for keys in _KEYS:
        named = [
            [tuple(item.get(key) for key in keys.split()) for item in items if isinstance(item, dict)]
            for items in lists
        ]
        if all(
            len(names) == len(items) and all(name[0] is not None for name in names) and len(set(names)) == len(names)
            for names, items in zip(named, lists, strict=True)
        ):
            return [{name: index for index, name in enumerate(names)} for names in named]
    return None


def _is_reference(path: FieldPath) -> bool:
    """Whether the field names another object: in which namespace that is decides whether the name follows it."""
    return (
        path[0] in ("subjects", "roleRef")
        or path[-1] in ("serviceName", "serviceAccountName", "secretName")
        or (path[-1] == "name" and path[-2] in ("configMapRef", "configMap", "service", "scaleTargetRef"))
    )


def _reached_by_position(sources: SourceTree) -> set[tuple[str, tuple[str, ...]]]:
    """The kinds of objects, and the paths of their lists, of which JSON patches reach an item by its position."""
    return {
        (patch.target.text("kind"), tuple(steps[:depth]))
        for kustomization in sources.kustomizations.values()
        for patch in kustomization.patches
        for operation in patch.operations
        if patch.target is not None
        for steps in [operation.text("path").split("/")[1:]]
        for depth, step in enumerate(steps)
        if step.isdecimal()
    }


def leaves(value: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    else:
        yield path


def changes(whole: Any, without: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """The fields of ``whole`` that are others in ``without``, and those that only that has."""
    if isinstance(whole, dict) and isinstance(without, dict):
        for key in whole.keys() | without.keys():
            if key not in without:
                yield from leaves(whole[key], (*path, key))
            elif key not in whole:
                yield from leaves(without[key], (*path, key))
            else:
                yield from changes(whole[key], without[key], (*path, key))
    elif isinstance(whole, list) and isinstance(without, list):
        yield from _list_changes(whole, without, path)
    elif not equal(whole, without):
        yield from leaves(whole, path)


def _list_changes(whole: list[Any], without: list[Any], path: FieldPath) -> Iterator[FieldPath]:
    keyed = _keyed(whole, without)
    if path[-1:] == ("subjects",):
        keyed = None  # their names are references, which change with what they refer to
    elif path[-1:] == ("finalizers",):
        keyed = [{each: index for index, each in enumerate(side)} for side in (whole, without)]
    if keyed is not None:
        ours, others = keyed
        for name, index in ours.items():
            if name in others:
                yield from changes(whole[index], without[others[name]], (*path, index))
            else:
                yield from leaves(whole[index], (*path, index))
    elif not whole:
        yield path
    else:
        for index, one in enumerate(whole):
            if any(equal(one, other) for other in without):
                continue  # values are unique: it is the same item, which may have moved
            if len(whole) == len(without):
                yield from changes(one, without[index], (*path, index))
            else:
                yield from leaves(one, (*path, index))


class Renders:
    """A tree rendered whole and without each of its entries."""

    def __init__(self, kustomize: Path, root: Path, tree: Tree) -> None:
        folders = {root / "whole": tree}
        entries: dict[Path, Entry] = {}
        for number, (folder, name, index) in enumerate(tree.entries()):
            path = root / str(number)
            folders[path] = tree.without(folder, name, index)
            entries[path / "overlay"] = (f"{folder}/kustomization.yaml", name if index is None else f"{name}[{index}]")
        for path, each in folders.items():
            write(path, each.written())
        results = render_all(kustomize, [path / "overlay" for path in folders])
        text = results[root / "whole" / "overlay"]
        if isinstance(text, RenderError):
            raise text
        self.documents = _documents(text)
        sources = load_sources(root / "whole" / "overlay", root / "whole")
        self.origins = Origins(sources)
        self.by_position = _reached_by_position(sources)
        self.changed: dict[Entry, set[Changed]] = {}
        for path, entry in entries.items():
            other = results[path]
            if isinstance(other, str) and len(without := _documents(other)) == len(self.documents):
                self.changed[entry] = {
                    (number, field)
                    for number, (one, two) in enumerate(zip(self.documents, without, strict=True))
                    for field in changes(one, two)
                }

    def origin(self, changed: Changed) -> Entry | None:
        number, path = changed
        found = self.origins.place(self.documents[number], path)
        assert found.exact, f"{self.name(changed)} is inexact"
        return None if found.entry is None or found.kustomization is None else (found.kustomization, found.entry)

    def name(self, changed: Changed) -> str:
        number, path = changed
        return f"{self.documents[number]['kind']} {'.'.join(map(str, path))}"

    def is_movable(self, changed: Changed) -> bool:
        """Whether the field is in a list of which a JSON patch reaches an item by its position."""
        number, path = changed
        return any(
            isinstance(step, int)
            and (self.documents[number]["kind"], tuple(map(str, path[:depth]))) in self.by_position
            for depth, step in enumerate(path)
        )

    def is_absent(self, changed: Changed) -> bool:
        try:
            self.value(changed)
        except (KeyError, IndexError, TypeError):
            return True
        return False

    def value(self, changed: Changed) -> Any:
        number, path = changed
        value: Any = self.documents[number]
        for step in path:
            value = value[step]
        return value

    def check_changed_have_their_origin(self) -> None:
        for entry, fields in self.changed.items():
            for field in fields:
                found = self.origin(field)
                if found == entry or (entry[1] == "namespace" and _is_reference(field[1])):
                    continue
                assert found is not None, self.name(field)
                if found[1].startswith("patches") and self.is_absent(field):
                    continue  # in a list item that was deleted, and added again by another patch
                if entry[1].startswith("patches") and found[1].startswith("resources") and self.is_movable(field):
                    continue  # in a list item that only without the entry is where a JSON patch reaches
                is_unjudged = found not in self.changed and not found[1].startswith("resources")
                also = is_unjudged or field in self.changed.get(found, ())
                assert also, f"{self.name(field)} changes without {entry}, but belongs to {found}"

    def check_origins_change(self) -> None:
        for number, document in enumerate(self.documents):
            for path in leaves(document):
                field = (number, path)
                value = self.value(field)
                is_unique = isinstance(value, str) and _UNIQUE.fullmatch(value)
                if not is_unique and not (isinstance(value, int) and value > 100 and path[-1] != "containerPort"):
                    continue
                found = self.origin(field)
                if found in self.changed:
                    assert field in self.changed[found], f"{self.name(field)} stays the same without {found}"


@settings(
    max_examples=max(EXAMPLES // 2, 1), derandomize=DERANDOMIZE, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(tree=trees(unique=True))
def test_what_changes_without_an_entry_belongs_to_it(kustomize: Path, tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        note(show(tree))
        try:
            renders = Renders(kustomize, Path(folder), tree)
        except RenderError as error:
            note(str(error))
            assume(False)
        renders.check_changed_have_their_origin()
        renders.check_origins_change()


_ENV = "/spec/template/spec/containers/0/env"
_DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {
            "spec": {
                "tolerations": [{"key": "v1"}, {"key": "v2"}],
                "containers": [
                    {"name": "app", "env": [{"name": name, "value": f"v{name}"} for name in ("A", "B", "C")]}
                ],
            }
        }
    },
}
_C_FIRST = {
    **{key: _DEPLOYMENT[key] for key in ("apiVersion", "kind", "metadata")},
    "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "C", "value": "v3"}]}]}}},
}


@pytest.mark.parametrize(
    ("in_base", "in_overlay", "unchanged"),
    [
        pytest.param(
            _C_FIRST,
            [{"op": "replace", "path": f"{_ENV}/0/value", "value": "v4"}],
            None,
            id="a merged item comes first, where an operation reaches it",
        ),
        pytest.param(
            [{"op": "remove", "path": f"{_ENV}/0"}],
            [{"op": "replace", "path": f"{_ENV}/1/value", "value": "v4"}],
            None,
            id="another item is where an operation reaches, after one was removed",
        ),
        pytest.param(
            [{"op": "remove", "path": "/spec/template/spec/tolerations/0"}],
            [{"op": "add", "path": "/spec/paused", "value": "v4"}],
            ("spec", "template", "spec", "tolerations", 0, "key"),
            id="an item without a name moves, and is the same",
        ),
    ],
)
def test_items_that_patches_move(
    kustomize: Path, tmp_path: Path, in_base: Any, in_overlay: Any, unchanged: FieldPath | None
) -> None:
    """Shapes that random trees have seldom."""

    def patched(patch: Any) -> dict[str, Any]:
        return {"patches": [{"patch": dump(patch), "target": {"kind": "Deployment"}}]}

    tree = Tree(
        {"base/web.yaml": [_DEPLOYMENT]},
        {
            "base": {"resources": ["web.yaml"], **patched(in_base)},
            "overlay": {"resources": ["../base"], **patched(in_overlay)},
        },
    )
    renders = Renders(kustomize, tmp_path, tree)
    renders.check_changed_have_their_origin()
    renders.check_origins_change()
    assert set(renders.changed) == {
        ("base/kustomization.yaml", "patches[0]"),
        ("overlay/kustomization.yaml", "patches[0]"),
    }
    assert all((0, unchanged) not in fields for fields in renders.changed.values())
