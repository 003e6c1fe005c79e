"""Several reports at once: each file is written whole or not at all, and what goes wrong is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from policy.cli import main
from policy.errors import PolicyError
from policy.findings import Place
from policy.reports import FORMATS, render
from policy.reports.files import write_report
from tests.reports.builders import finding, run_of

REPOSITORY = Path(__file__).parents[2]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: 'app:1'}]}\n"
ONLY = ("--only", "image-pinned")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "web.yaml").write_text(POD, encoding="utf-8")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> int:
    return main(["check", "web.yaml", *ONLY, *arguments])


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_goes_to_stdout_and_to_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], format_name: str
) -> None:
    assert check("--format", format_name, "--output", f"{format_name}:report") == 1

    said = capsys.readouterr()
    assert said.err == ""
    assert (folder / "report").read_text(encoding="utf-8") == said.out
    assert "app:1" in said.out
    assert said.out.endswith("\n")


def test_several_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = {"json": "a.json", "sarif": "a.sarif", "junit": "a.xml", "markdown": "a.md"}

    assert check(*(part for name, file in outputs.items() for part in ("--output", f"{name}:{file}"))) == 1

    assert capsys.readouterr().out.startswith("error  image-pinned  Pod/web  web.yaml\n")
    assert json.loads((folder / "a.json").read_bytes())["summary"]["errors"] == 1
    assert len(json.loads((folder / "a.sarif").read_bytes())["runs"][0]["results"]) == 1
    assert ElementTree.parse(folder / "a.xml").getroot().attrib["failures"] == "1"
    assert (folder / "a.md").read_bytes().startswith(b"<!-- policy report -->")
    assert sorted(os.listdir(folder)) == [".git", "a.json", "a.md", "a.sarif", "a.xml", "web.yaml"]


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        (["json:absent/a.json"], "absent/a.json: cannot be written: its folder does not exist"),
        (["json:."], ".: cannot be written: it is a folder"),
        (["json:a", "sarif:./a"], "a: two reports cannot be written to the same file"),
        (["json:web.yaml/a"], "web.yaml/a: cannot be written: its folder does not exist"),
    ],
)
def test_what_can_never_be_written_is_told_before_anything_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], outputs: list[str], sentence: str
) -> None:
    before = sorted(os.listdir(folder))

    assert check(*(part for output in outputs for part in ("--output", output))) == 2

    assert capsys.readouterr() == ("", f"policy: {sentence}\n")
    assert sorted(os.listdir(folder)) == before


def test_a_file_that_cannot_be_written_hides_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "x" * 300

    assert check("--output", f"json:{name}") == 2

    said = capsys.readouterr()
    assert said.err == f"policy: {name}: cannot be written: File name too long\n"
    assert "1 error" in said.out
    assert sorted(os.listdir(folder)) == [".git", "web.yaml"]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("report.json", "'report.json' is not FORMAT:FILE, e.g. sarif:policy.sarif"),
        ("json:", "'json:' is not FORMAT:FILE, e.g. sarif:policy.sarif"),
        ("html:a", f"there is no format html; formats: {', '.join(FORMATS)}"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_output_that_is_none_is_a_wrong_argument(
    capsys: pytest.CaptureFixture[str], output: str, sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        check("--output", output)

    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: argument --output: {sentence}\n")


def test_a_file_is_replaced_whole_or_left_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "report"
    file.write_text("before", encoding="utf-8")
    file.chmod(0o640)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(PolicyError, match="cannot be written: No space left on device"):
            write_report(file, "after")
    assert file.read_text(encoding="utf-8") == "before"
    assert sorted(os.listdir(folder)) == [".git", "report", "web.yaml"]

    write_report(file, "after")
    assert file.read_text(encoding="utf-8") == "after"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_mode_that_new_files_have(folder: Path) -> None:
    (folder / "other").touch()

    write_report(folder / "report", "text")

    assert (folder / "report").stat().st_mode == (folder / "other").stat().st_mode


def test_a_link_stays_one(folder: Path) -> None:
    (folder / "target").touch()
    (folder / "link").symlink_to("target")

    write_report(folder / "link", "text")

    assert (folder / "link").is_symlink()
    assert (folder / "target").read_text(encoding="utf-8") == "text"


def test_a_pipe_is_written_to_and_stays(folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()

    write_report(pipe, "text")

    reader.join(10)
    assert read == ["text"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_locale_without_unicode_and_a_file_name_that_is_not_utf8(folder: Path, format_name: str) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    (folder / name).write_text(POD.replace("app:1", "買い:1"), encoding="utf-8")
    command = [sys.executable, "-m", "policy", "check", ".", *ONLY, "--format", format_name]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}

    done = subprocess.run(command, capture_output=True, env=environment, check=False)

    assert done.stderr == b""
    assert done.returncode == 1
    assert "買い" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_of_many_findings_takes_little_time(format_name: str) -> None:
    found = [finding(message=f"{number} is wrong", place=Place("a.yaml", number + 1)) for number in range(20_000)]
    started = time.process_time()

    render(format_name, run_of(found))

    assert time.process_time() - started < 3, "half a second is usual; what compares each with each takes minutes"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("format_name", FORMATS)
def test_only_the_format_that_is_asked_for_is_imported(format_name: str) -> None:
    program = (
        "import sys; from policy.cli import main; main(sys.argv[1:]); "
        "print(*sorted(name for name in sys.modules if name.startswith('policy.reports.')), file=sys.stderr); "
        "print(*({'xml', 'rich', 'importlib.metadata', 'unicodedata'} & set(sys.modules)), file=sys.stderr)"
    )
    arguments = ["check", "web.yaml", *ONLY, "--format", format_name]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment, check=False
    )

    ours, others = done.stderr.split("\n")[:2]
    imported = {name.removeprefix("policy.reports.") for name in ours.split()}
    assert imported & set(FORMATS) == {format_name}
    if format_name == "text":
        assert imported == {"delivery", "excerpt", "plain", "text"}
        assert others == ""
