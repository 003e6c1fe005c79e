"""The baseline file: what is written is read back, and what cannot be read is one sentence with its line."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.baseline.file import read, text_of, write
from policy.baseline.matching import Baseline, Coverage, Entry, key_of, merged
from policy.cli import main
from policy.errors import SettingsError
from policy.findings import ObjectRef, Place, Severity
from policy.result import LocatedFinding

ENVIRONMENTS = ("dev", "staging", "prod")
FILES = ("a.yaml", "b.yaml")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.lists(
    st.builds(
        Entry,
        file=texts,
        object=texts,
        field=texts,
        rule=texts,
        message=texts,
        environments=st.lists(texts, max_size=2).map(tuple),
        count=st.integers(1, 3),
    ),
    max_size=5,
)


@given(entries)
def test_what_is_written_is_read_back(written: list[Entry]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = Path(folder) / "policy-baseline.toml"
        write(file, text_of(written))
        assert read(file) == merged(written)
        assert text_of(read(file)) == text_of(written)
    lines = text_of(written).split("\n")
    assert sum(line.startswith("  {") for line in lines) == len(merged(written))


@st.composite
def found(draw: st.DrawFn) -> list[LocatedFinding]:
    """What a run found, overlay by overlay, before the same cause is taken together."""
    findings = st.builds(
        lambda overlay, rule, name, step, file: LocatedFinding(
            rule,
            Severity.ERROR,
            (overlay,),
            (ObjectRef("Pod", name),),
            (),
            "said",
            None,
            Place(file, 1),
            named_path=(step,),
        ),
        st.sampled_from(ENVIRONMENTS),
        st.sampled_from(["rule", "other"]),
        st.sampled_from(["web", "api"]),
        st.sampled_from(["image", "[name=app]"]),
        st.sampled_from(FILES),
    )
    return draw(st.lists(findings, max_size=12))


def run(listed: tuple[Entry, ...], findings: list[LocatedFinding]) -> tuple[Baseline, list[LocatedFinding]]:
    baseline = Baseline(listed, ENVIRONMENTS, lambda _: True)
    new = [finding for finding in findings if not baseline.takes(finding)]
    baseline.coverage = Coverage({"rule", "other"}, set(ENVIRONMENTS), set(FILES))
    return baseline, new


def size(listed: tuple[Entry, ...]) -> Counter[object]:
    """How many findings each environment may have, by what they are."""
    return Counter({(entry.key, name): entry.count for entry in listed for name in entry.environments})


@given(found(), found())
def test_new_is_what_was_not_there_and_the_rest_never_grows(
    before: list[LocatedFinding], after: list[LocatedFinding]
) -> None:
    listed = run((), before)[0].others()

    baseline, new = run(listed, after)

    assert run(listed, before)[1] == []
    there, now = (Counter((key_of(one), one.overlays) for one in findings) for findings in (before, after))
    # The highest count of any environment is what each may have: what an entry says fits on one line.
    highest = {key: max(count for (other, _), count in there.items() if other == key) for key, _ in there}
    allowed = Counter({name: min(count, highest[name[0]]) for name, count in now.items() if name in there})
    assert Counter((key_of(one), one.overlays) for one in new) == now - allowed
    left = baseline.left()
    assert size(left) <= size(listed)
    assert run(left, after)[1] == new
    assert (baseline.mended == 0) == (left == listed)
    assert run(baseline.grown(), after)[1] == []


@given(found())
def test_fewer_findings_are_never_new(before: list[LocatedFinding]) -> None:
    listed = run((), before)[0].others()
    assert run(listed, before[::2])[1] == []


HEAD = "version = 1\nfindings = [\n"
GOOD = '  { file = "a", rule = "image-pinned" },\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "policy-baseline.toml:1: version must be 1, which this policy reads"),
        ("version = 2\nfindings = []\n", "policy-baseline.toml:1: version must be 1, which this policy reads"),
        ("version = true\nfindings = []\n", "policy-baseline.toml:1: version must be 1, which this policy reads"),
        ("version = 1\n", "policy-baseline.toml:1: findings must be a list"),
        ("version = 1\nfindings = 3\n", "policy-baseline.toml:2: findings must be a list"),
        (
            "version = 1\nfindings = []\nfound = 1\n",
            "policy-baseline.toml:3: unknown key found: a baseline has version and findings",
        ),
        (f"{HEAD}{GOOD}  3,\n]\n", "policy-baseline.toml:2: findings: must be a mapping, not a whole number"),
        (
            f'{HEAD}{GOOD}  {{ file = "b" }},\n]\n',
            "policy-baseline.toml:4: findings: rule is missing",
        ),
        (
            f'{HEAD}{GOOD}\n# why\n  {{ file = "b", rule = "c", lines = 3 }},\n]\n',
            "policy-baseline.toml:6: findings: there is no lines",
        ),
        (
            f'{HEAD}{GOOD}  {{ file = "b", rule = "c", environments = "dev" }},\n]\n',
            "policy-baseline.toml:4: findings: environments must be a list, not text",
        ),
        (
            f'{HEAD}{GOOD}  {{ file = "b", rule = "c", count = 0 }},\n]\n',
            "policy-baseline.toml:4: findings: count must be at least 1",
        ),
        (f"{HEAD}{GOOD}  {{ file = ,\n]\n", "policy-baseline.toml:4: not valid TOML: Invalid value"),
        (f"{HEAD}{GOOD}", "policy-baseline.toml:4: not valid TOML: Invalid value"),
        (
            f"{HEAD}<<<<<<< ours\n{GOOD}=======\n>>>>>>> theirs\n]\n",
            "policy-baseline.toml:3: not valid TOML: it has the marks of a merge conflict; "
            "keep the lines of both sides, then run `policy baseline`",
        ),
        ("a = " + "[" * 5000, "policy-baseline.toml: is nested too deep"),
    ],
)
def test_what_is_no_baseline_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "policy-baseline.toml"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "web.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n", encoding="utf-8")

    for command in ("check", "baseline"):
        assert main([command, "web.yaml", "--baseline", "policy-baseline.toml"]) == 2
        assert capsys.readouterr().err == f"policy: {sentence}\n"
    assert file.read_text(encoding="utf-8") == text


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "policy-baseline.toml"
    file.write_bytes(b"version = 1\n# \xff\n")
    with pytest.raises(SettingsError, match=r"policy-baseline\.toml:2: is not UTF-8"):
        read(file)
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_entries_that_a_merge_doubled_are_one(tmp_path: Path) -> None:
    file = tmp_path / "policy-baseline.toml"
    other = GOOD.replace(" },", ', environments = ["dev"], count = 2 },')
    file.write_text(f"{HEAD}{other}{GOOD}{GOOD}]\n", encoding="utf-8")

    assert read(file) == (Entry(file="a", rule="image-pinned", environments=("dev",), count=2),)


def test_the_text_is_toml_of_this_shape() -> None:
    entry = Entry(file='ü"\\\x7f\n.yaml', rule="key-unique", message="a\tb", count=2)

    document = tomllib.loads(text_of([entry]))

    assert document["findings"] == [{"file": 'ü"\\\x7f\n.yaml', "rule": "key-unique", "message": "a\tb", "count": 2}]
    assert msgspec.convert(document["findings"][0], Entry) == entry
