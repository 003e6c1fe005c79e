"""What is installed and built is pinned by checksum, for every platform, and names no place to fetch it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools.lock import in_order
from tools.pins import VERSION_VARIABLES, programs, read_lock, read_pin

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "tools" / "python").glob("*.txt"))
MODULES = sorted((ROOT / "tools").glob("*/go.mod"))


def pinned(lock: Path) -> dict[str, str]:
    """The version of each package; a lock that holds anything else than pins and comments is refused."""
    versions = {}
    for entry in re.sub(r"\s*\\\n\s*", " ", lock.read_text()).splitlines():
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+)( ; [^#]+?)?((?: --hash=sha256:[0-9a-f]{64})+)", entry)
        assert match, f"{lock.name}: neither a pin with hashes nor a comment: {entry}"
        versions[match[1]] = match[2]
    return versions


def requirements(source: Path) -> dict[str, str | None]:
    """The packages that a source asks for itself and through `-r`, each with the version it insists on."""
    wanted: dict[str, str | None] = {}
    for line in source.read_text().splitlines():
        if line.startswith("-r "):
            wanted |= requirements(source.parent / line.removeprefix("-r "))
        elif line and not line.startswith(("#", "-c ")):
            name, _, version = line.partition("==")
            wanted[name.lower().replace(".", "-").replace("_", "-")] = version or None
    return wanted


def test_every_source_has_its_lock() -> None:
    assert [lock.stem for lock in LOCKS] == sorted(path.stem for path in (ROOT / "tools" / "python").glob("*.in"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_pins_by_hash_what_its_source_asks_for(lock: Path) -> None:
    versions = pinned(lock)
    for name, version in requirements(lock.with_suffix(".in")).items():
        assert name in versions
        assert version in (None, versions[name])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_names_no_host(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert not re.search(r"^\s*-", lock.read_text().replace("    --hash=", "hash="), re.MULTILINE)


def test_packages_of_the_runtime_are_the_same_in_every_lock_that_builds_on_it() -> None:
    runtime = pinned(ROOT / "tools" / "python" / "runtime.txt")
    for name in ("test", "types"):
        assert pinned(ROOT / "tools" / "python" / f"{name}.txt").items() >= runtime.items()


def test_package_metadata_asks_for_what_the_locks_pin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {name.lower() for name in project["dependencies"]}
    assert asked == set(requirements(ROOT / "tools" / "python" / "runtime.in"))
    (schemas,) = project["optional-dependencies"]["schemas"]
    assert schemas == f"kubernetes-validate=={read_lock(ROOT, 'schemas', 'kubernetes-validate').version}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.parent.name)
def test_tool_is_pinned_by_checksum(module: Path) -> None:
    name = module.parent.name
    pins = [read_pin(ROOT, program) for program in programs(module)]
    if any(pin.is_own for pin in pins):
        assert "require" not in module.read_text()
    else:
        sums = "\n" + (module.parent / "go.sum").read_text()
        assert [pin for pin in pins if f"\n{pin.module} v{pin.version} h1:" not in sums] == []
    assert {pin.folder for pin in pins} == {module.parent}
    assert module.read_text().startswith(f"module gitops/tools/{name}\n")
    # What stands in for another module is all here, and decides over the program as its own source does.
    for folder in re.findall(r"=> (\..*)", module.read_text()):
        assert re.fullmatch(r"\./[a-z]+", folder)
        assert "require" not in (module.parent / folder / "go.mod").read_text()


def test_versions_that_are_set_at_link_time_belong_to_pinned_tools() -> None:
    pins = [read_pin(ROOT, program) for module in MODULES for program in programs(module)]
    assert set(VERSION_VARIABLES) <= {name for pin in pins for name in (pin.module, pin.package)}


def test_settings_want_the_pinned_versions() -> None:
    wanted = tomllib.loads((ROOT / "policy.toml").read_text())["tools"]
    assert wanted == {name: read_pin(ROOT, name).version for name in wanted}


def test_locks_are_written_in_the_order_of_their_constraints(tmp_path: Path) -> None:
    for name, text in {"a": "-c b.txt\nx", "b": "-c c.txt\n", "c": "y", "d": "z"}.items():
        (tmp_path / f"{name}.in").write_text(text)
    ordered = [path.stem for path in in_order(sorted(tmp_path.glob("*.in")))]
    assert ordered.index("c") < ordered.index("b") < ordered.index("a")
    (tmp_path / "c.in").write_text("-c a.txt\n")
    with pytest.raises(SystemExit, match="constrain each other"):
        in_order(sorted(tmp_path.glob("*.in")))
