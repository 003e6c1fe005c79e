"""The sources of a tree: what is read, where each thing stands, and every bad input as one sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.errors import SourceError
from policy.findings import Place
from policy.kustomize.marks import Map, Node, Scalar, Source
from policy.kustomize.parse import Parsed, decode, parse
from policy.kustomize.sources import SourceCache, SourceTree, load_sources
from tests.kustomize.trees import write

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD: dict[str, tuple[dict[str, str | bytes], str]] = {
    "no kustomization": ({"o/a.yaml": OBJECT}, "o: has no kustomization.yaml or kustomization.yml or Kustomization"),
    "two kustomizations": (
        {"o/kustomization.yaml": "namespace: a\n", "o/kustomization.yml": "namespace: a\n"},
        "o: has more than one kustomization: kustomization.yaml, kustomization.yml",
    ),
    "an empty kustomization": (
        {"o/kustomization.yaml": "# nothing\n"},
        "o/kustomization.yaml: is empty: a kustomization must name resources or other fields",
    ),
    "a kustomization that says nothing": (
        {"o/kustomization.yaml": "kind: Kustomization\nresources:\n"},
        "o/kustomization.yaml: is empty: a kustomization must name resources or other fields",
    ),
    "a kustomization that is a list": (
        {"o/kustomization.yaml": "\n- a.yaml\n"},
        "o/kustomization.yaml:1: a kustomization must be one mapping",
    ),
    "an unknown field": (
        {"o/kustomization.yaml": "namespace: a\nrecources: [a.yaml]\n"},
        "o/kustomization.yaml:2: a kustomization has no field 'recources'",
    ),
    "malformed YAML": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a: {b: c\nd: e\n"},
        "o/a.yaml:2: not valid YAML: did not find expected ',' or '}'",
    ),
    "a tab": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a:\n\tb: c\n"},
        "o/a.yaml:2: a tab is used as indentation, where YAML takes spaces only",
    ),
    "a control character": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a: b\nc: \x01\n"},
        "o/a.yaml:2: not valid YAML: control characters are not allowed",
    ),
    "not UTF-8": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": b"a: b\nc: \xff\n"},
        "o/a.yaml:2: is not UTF-8: byte 0xff",
    ),
    "an alias bomb": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": BOMB},
        "o/a.yaml:6: its aliases expand without bound (an alias bomb)",
    ),
    "an alias to nothing": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a: b\nc: *x\n"},
        "o/a.yaml:2: alias *x refers to no anchor that ends above it",
    ),
    "an alias to itself": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a: b\nc: &x [*x]\n"},
        "o/a.yaml:2: alias *x refers to no anchor that ends above it",
    ),
    "deep nesting": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a:\n  " + "[" * 5000},
        "o/a.yaml:2: nests deeper than 100",
    ),
    "a mapping as a key": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a: b\n{c: d}: e\n"},
        "o/a.yaml:2: a mapping key must be a scalar",
    ),
    "a merge key with a text": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": "a:\n  <<: b\n"},
        "o/a.yaml:3: a merge key (<<) needs a mapping or a list of mappings",
    ),
    "an object without a kind": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": f"{OBJECT}---\na: b\n"},
        "o/a.yaml:5: an object has no kind",
    ),
    "an object without a name": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": f"{OBJECT}---\nkind: Service\n"},
        "o/a.yaml:5: Service has no metadata.name",
    ),
    "an object that is none": (
        {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": f"{OBJECT}---\n- a\n"},
        "o/a.yaml:5: an object must be a mapping",
    ),
    "a missing resource": (
        {"o/kustomization.yaml": "resources:\n  - a.yaml\n"},
        "o/kustomization.yaml:2: resources[0] 'a.yaml' does not exist",
    ),
    "a folder without a kustomization": (
        {"o/kustomization.yaml": "resources:\n  - sub\n", "o/sub/a.yaml": OBJECT},
        "o/kustomization.yaml:2: resources[0] 'sub' has no kustomization.yaml or kustomization.yml or Kustomization",
    ),
    "a resource that is no path": (
        {"o/kustomization.yaml": "resources:\n  - 5\n"},
        "o/kustomization.yaml:2: resources[0] must be text",
    ),
    "resources that are no list": (
        {"o/kustomization.yaml": "resources: a.yaml\n"},
        "o/kustomization.yaml:1: resources must be a list",
    ),
    "two list items that ran together": (
        {"o/kustomization.yaml": "resources:\n- ../b\n - ../c\n", "b/kustomization.yaml": OBJECT, "c/a": ""},
        "o/kustomization.yaml:2: resources[0] '../b - ../c' is no path: two list items have run together",
    ),
    "a file outside of its kustomization": (
        {"o/kustomization.yaml": "resources:\n  - ../a.yaml\n", "a.yaml": OBJECT},
        "o/kustomization.yaml:2: resources[0] '../a.yaml' is outside of o/, "
        "and a kustomization may only name files in or below its own folder",
    ),
    "a folder outside of the repository": (
        {".git/HEAD": "", "o/kustomization.yaml": "resources:\n  - ../..\n"},
        "o/kustomization.yaml:2: resources[0] '../..' is outside of {root}",
    ),
    "a cycle of bases": (
        {"o/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "namespace: x\nresources: [../o]\n"},
        "b/kustomization.yaml:2: resources[0] '../o' is a cycle: o led here",
    ),
    "a kustomization that names itself": (
        {"o/kustomization.yaml": "resources: [.]\n"},
        "o/kustomization.yaml:1: resources[0] '.' is a cycle: o led here",
    ),
    "a component in resources": (
        {"o/kustomization.yaml": "resources: [c]\n", "o/c/kustomization.yaml": "kind: Component\nnamespace: x\n"},
        "o/kustomization.yaml:1: resources[0] 'c' is a Component, which belongs into components",
    ),
    "no component in components": (
        {"o/kustomization.yaml": "components: [c]\n", "o/c/kustomization.yaml": "namespace: x\n"},
        "o/kustomization.yaml:1: components[0] 'c' is not a Component",
    ),
    "a file in components": (
        {"o/kustomization.yaml": "components: [c.yaml]\n", "o/c.yaml": "namespace: x\n"},
        "o/kustomization.yaml:1: components[0] 'c.yaml' is not a folder",
    ),
    "a missing patch": (
        {"o/kustomization.yaml": "patches:\n  - path: p.yaml\n"},
        "o/kustomization.yaml:2: patches[0] 'p.yaml' does not exist",
    ),
    "a patch of two kinds": (
        {"o/kustomization.yaml": "patches:\n  - {path: p.yaml, patch: x}\n"},
        "o/kustomization.yaml:2: patches[0] must have either a path or a patch",
    ),
    "a malformed inline patch": (
        {"o/kustomization.yaml": "patches:\n  - patch: |-\n      kind: X\n      a: [b\n"},
        "o/kustomization.yaml:5: not valid YAML: did not find expected ',' or ']'",
    ),
    "an inline patch without a name": (
        {"o/kustomization.yaml": "patches:\n  - patch: |-\n      kind: X\n"},
        "o/kustomization.yaml:3: X has no metadata.name",
    ),
    "an operation without a path": (
        {
            "o/kustomization.yaml": "patches:\n  - {target: {kind: X}, path: p.yaml}\n",
            "o/p.yaml": "- op: add\n  value: 1\n",
        },
        "o/p.yaml:1: a JSON patch operation needs an op and a path",
    ),
    "operations without a target": (
        {"o/kustomization.yaml": "patches:\n  - path: p.yaml\n", "o/p.yaml": "- {op: add, path: /a, value: 1}\n"},
        "o/kustomization.yaml:2: patches[0] is a JSON patch, which needs a target",
    ),
    "an empty patch": (
        {"o/kustomization.yaml": "patches:\n  - path: p.yaml\n", "o/p.yaml": "# nothing\n"},
        "o/p.yaml: is an empty patch",
    ),
    "a generator without a name": (
        {"o/kustomization.yaml": "configMapGenerator:\n  - literals: [a=1]\n"},
        "o/kustomization.yaml:2: configMapGenerator[0] has no name",
    ),
    "a literal without a value": (
        {"o/kustomization.yaml": "configMapGenerator:\n  - name: a\n    literals:\n      - a\n"},
        "o/kustomization.yaml:4: configMapGenerator[0]: literal 'a' must read key=value",
    ),
    "a missing file of a generator": (
        {"o/kustomization.yaml": "configMapGenerator:\n  - name: a\n    files: [k=none.txt]\n"},
        "o/kustomization.yaml:3: configMapGenerator[0] 'none.txt' does not exist",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(tmp_path: Path, name: str) -> None:
    files, wanted = BAD[name]
    root = tmp_path / "repository"
    write(root, {"o/.keep": "", **files})
    with pytest.raises(SourceError) as raised:
        load_sources(root / "o", root)
    assert str(raised.value) == wanted.replace("{root}", str(root))


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"o/kustomization.yaml": "resources: [a.yaml]\n", "o/a.yaml": OBJECT + "#" * 2000})
    monkeypatch.setattr("policy.kustomize.files.MAX_BYTES", 1000)
    with pytest.raises(SourceError, match=r"o/a\.yaml: is larger than"):
        load_sources(tmp_path / "o", tmp_path)


def test_an_unreadable_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none: is not a folder"):
        load_sources(tmp_path / "none", tmp_path)


TREE: dict[str, str | bytes] = {
    "base/kustomization.yaml": "resources: [a.yaml, more]\ncrds: [crd.json]\n",
    "base/a.yaml": OBJECT,
    "base/unused.yaml": OBJECT,
    "base/crd.json": '{"a": {"properties": {}}}',
    "base/more/kustomization.yml": "resources: [b.yml]\n",
    "base/more/b.yml": OBJECT.replace("name: a", "name: b"),
    "part/kustomization.yaml": "kind: Component\npatches: [{path: p.yaml, target: {kind: X}}]\n",
    "part/p.yaml": "- {op: add, path: /a, value: 1}\n",
    "one/kustomization.yaml": """
        resources: [../base]
        components: [../part]
        patchesStrategicMerge: [merge.yaml]
        replacements: [{path: r.yaml}]
        configMapGenerator: [{name: c, files: [data.bin, k=more.txt], envs: [e.env]}]
        secretGenerator: [{name: s, env: e.env}]
        helmCharts: [{name: x, valuesFile: values.yaml, additionalValuesFiles: [more-values.yaml]}]
        transformers: [t.yaml]
    """,
    "one/merge.yaml": OBJECT,
    "one/r.yaml": "source: {kind: X}\ntargets: []\n",
    "one/data.bin": b"\xff\xfe",
    "one/more.txt": "text",
    "one/e.env": "A=1",
    "one/values.yaml": "a: b",
    "one/more-values.yaml": "a: b",
    "one/t.yaml": OBJECT,
    "two/kustomization.yaml": "resources: [../base]\nnamespace: two\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> SourceTree:
    root = write(tmp_path_factory.mktemp("tree"), TREE)
    return load_sources(root / "one", root)


def test_every_file_that_is_named_is_listed(tree: SourceTree) -> None:
    assert {file.name for file in tree.files.values()} == set(TREE) - {"base/unused.yaml", "two/kustomization.yaml"}
    assert tree.listed_files == frozenset(tree.files)
    assert [each.file.name for each in tree.kustomizations.values()] == [
        "one/kustomization.yaml",
        "base/kustomization.yaml",
        "base/more/kustomization.yml",
        "part/kustomization.yaml",
    ]


def test_what_cannot_be_foreseen_is_told(tree: SourceTree) -> None:
    assert tree.not_understood == [
        (Place("one/kustomization.yaml", 8, 1, 13), "a transformer plugin"),
        (Place("one/kustomization.yaml", 7, 1, 11), "a Helm chart"),
        (Place("base/kustomization.yaml", 2, 1, 5), "custom resource schemas"),
    ]


def test_trees_with_one_cache_share_what_they_share(tmp_path: Path) -> None:
    root = write(tmp_path, TREE)
    cache = SourceCache()
    one, two = load_sources(root / "one", root, cache), load_sources(root / "two", root, cache)
    base = (root / "base").resolve()
    assert one.kustomizations[base] is two.kustomizations[base]
    assert one.files[base / "a.yaml"] is two.files[base / "a.yaml"]


def test_a_cycle_is_found_in_what_is_cached(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [c]\n",
            "b/c/kustomization.yaml": "resources: [../../a]\n",
        },
    )
    cache = SourceCache()
    for folder, line in (("a", "b/c"), ("b", "a"), ("b/c", "a")):
        with pytest.raises(SourceError, match=rf"{line}/kustomization\.yaml:1: .* is a cycle"):
            load_sources(root / folder, root, cache)


def test_a_link_leads_where_it_leads(tmp_path: Path) -> None:
    root = write(tmp_path, {"o/kustomization.yaml": "resources: [link.yaml]\n", "elsewhere.yaml": OBJECT})
    (root / "o" / "link.yaml").symlink_to(root / "elsewhere.yaml")
    with pytest.raises(SourceError, match=r"'link\.yaml' is outside of o/"):
        load_sources(root / "o", root)
    assert len(load_sources(root / "o", root, restrict_files=False).files) == 2


def test_duplicate_keys(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "o/kustomization.yaml": "resources: [a.yaml]\nresources: [b.yaml]\n",
            "o/a.yaml": OBJECT + "data:\n  a: 1\n  b: 2\n  a: 3\n  a: 4\n",
        },
    )
    tree = load_sources(root / "o", root)
    assert tree.duplicate_keys == [
        (Place("o/kustomization.yaml", 2, 1, 10), Place("o/kustomization.yaml", 1, 1, 10), "resources"),
        (Place("o/a.yaml", 7, 3, 4), Place("o/a.yaml", 5, 3, 4), "a"),
        (Place("o/a.yaml", 8, 3, 4), Place("o/a.yaml", 5, 3, 4), "a"),
    ]


def spans(text: str) -> dict[str, str]:
    """For each scalar the text that its mark spans, and for each mapping or list that of its own mark."""
    found: dict[str, str] = {}
    lines = text.split("\n")

    def walk(node: Node, path: str) -> None:
        mark = node.mark
        end = None if mark.end_column is None else mark.end_column - 1
        found[path] = lines[mark.line - 1][mark.column - 1 : end]
        if isinstance(node, Map):
            for key, child in node.fields.items():
                walk(child, f"{path}.{key}".lstrip("."))
        elif not isinstance(node, Scalar):
            for index, child in enumerate(node.items):
                walk(child, f"{path}[{index}]")

    for root in parse(text, Source("a.yaml")).roots:
        walk(root, "")
    return found


def test_marks() -> None:
    text = """
kind: Ä  # é
"quoted": 'it''s'
empty:
list:
  - name: one
    text: |
      two
  - {flow: [3, four]}
  - five
map: {a: {b: c}}
"""
    assert spans(text) == {
        "": "kind",
        "kind": "Ä",
        "quoted": "'it''s'",
        "empty": "empty",
        "list": "list",
        "list[0]": "name",
        "list[0].name": "one",
        "list[0].text": "|",
        "list[1]": "flow",
        "list[1].flow": "flow",
        "list[1].flow[0]": "3",
        "list[1].flow[1]": "four",
        "list[2]": "five",
        "map": "map",
        "map.a": "a",
        "map.a.b": "c",
    }


def test_a_byte_order_mark_and_carriage_returns_move_no_mark() -> None:
    text = decode(b"\xef\xbb\xbfa: b\r\nc: d\r\n", "a.yaml")
    assert text == "a: b\nc: d\n"
    assert spans(text) == {"": "a", "a": "b", "c": "d"}


def parsed(text: str) -> Parsed:
    return parse(text, Source("a.yaml"))


def test_documents() -> None:
    documents = parsed("# only a comment\n---\n---\na: 1\n---\n# nothing\n--- # b\nb: 2\n...\n").documents
    assert [(each.line, each.root is not None) for each in documents] == [(2, False), (3, True), (5, False), (7, True)]


@pytest.mark.parametrize(
    ("written", "line", "column"),
    [
        ("patch: |-\n      kind: X\n      metadata: {name: a}\n      here: 1", 6, 13),
        ("patch: |2-\n        kind: X\n        metadata: {name: a}\n        here: 1", 6, 15),
        ("patch: |-\n\n      kind: X\n      metadata: {name: a}\n      here: 1", 7, 13),
        ("patch: '{kind: X, metadata: {name: a}, here: 1}'", 3, 50),
        ("patch: >-\n      {kind: X, metadata: {name: a},\n      here: 1}", 3, 12),
        ('patch: "kind: X\\nmetadata: {name: a}\\nhere: 1"', 3, 12),
    ],
    ids=["a block", "an indented block", "a leading empty line", "one line", "folded", "escaped"],
)
def test_marks_in_an_inline_patch(tmp_path: Path, written: str, line: int, column: int) -> None:
    (tmp_path / "kustomization.yaml").write_text(f"namespace: x\npatches:\n  - {written}\n")
    (patch,) = load_sources(tmp_path, tmp_path).root.patches
    mark = patch.documents[0].fields["here"].mark
    assert (mark.line, mark.column, mark.source.entry) == (line, column, "patches[0]")
