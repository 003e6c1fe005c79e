"""The recording in docs/: drawn from what was recorded, of commands that exist, and it shows what it is there for."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cluster.tier import TOOLS
from policy.errors import ToolError
from tools.cast import MARKER, OUTPUT, Cast, Event, Piece, Style, read_cast, read_lines
from tools.cast_svg import LONGEST_WAIT, shown_at, svg
from tools.record import CAST, DRAWING, ROOT, SCENARIO, play, record

RECORDED = read_cast(CAST)
LINES = [line.text for line in read_lines(RECORDED)]
TABLE = [
    r"NAME +SYNC STATUS +HEALTH STATUS",
    *(rf"{name} +Synced +Healthy" for name in ("argocd", "ecommerce-dev", "ecommerce-prod", "ecommerce-staging")),
]


def shown(*texts: str) -> list[str]:
    events = tuple(Event(float(number), OUTPUT, text) for number, text in enumerate(texts))
    return [line.text for line in read_lines(Cast(10, 5, 0, "a title", events))]


def test_picture_is_drawn_from_the_recording() -> None:
    assert DRAWING.read_text(encoding="utf-8") == svg(RECORDED)


def test_recording_is_of_the_commands_that_would_be_recorded_now() -> None:
    assert RECORDED.commands == SCENARIO


@pytest.mark.parametrize("command", SCENARIO)
def test_command_of_it_exists(command: str) -> None:
    program, *arguments = shlex.split(command)
    if arguments[:3] == ["tools/tox.py", "run", "-e"]:
        environments = configparser.RawConfigParser()
        environments.read(ROOT / "tox.ini")
        assert environments.has_option(f"testenv:{arguments[3]}", "commands")
    assert program in ("cd", "export", *TOOLS) or shutil.which(program)


def test_change_of_it_is_one_line(tmp_path: Path) -> None:
    (edit,) = (shlex.split(command) for command in SCENARIO if command.startswith("sed "))
    copy = tmp_path / edit[-1]
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / edit[-1], copy)
    before = copy.read_text(encoding="utf-8").splitlines()

    subprocess.run(edit, cwd=tmp_path, check=True)

    after = copy.read_text(encoding="utf-8").splitlines()
    changed = [number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert [(before[number], after[number]) for number in changed] == [("    count: 3", "    count: 4")]


def test_it_shows_a_cluster_a_push_and_the_end() -> None:
    """In this order: all is synced and healthy, a line is pushed, all is so again as it says, nothing is left."""
    before, after = [*TABLE, r"\+    count: 4", r".*\$ git push"], [*TABLE, r"api-gateway +4/4 .*"]
    lines = iter(LINES)
    for wanted in (*before, *after, "everything is ended and deleted"):
        assert any(re.fullmatch(wanted, line) for line in lines), wanted


def test_it_says_nothing_of_the_machine_that_it_was_made_on() -> None:
    text = CAST.read_text(encoding="utf-8")
    urls = re.findall(r"https?://([^/\s:]+)", text)
    assert urls
    assert set(urls) == {"127.0.0.1"}
    paths = set(re.findall(r"(?<![\w./:])(/[a-z]\w*/[\w.-]+)", text))
    assert len(paths) == 1  # the folder that it was made in, which is a new one


def test_picture_needs_nothing_from_elsewhere() -> None:
    text = svg(RECORDED)
    assert len(text.encode()) < 60_000
    root = ElementTree.fromstring(text)
    names = {element.tag.partition("}")[2] for element in root.iter()}
    assert names == {"svg", "style", "rect", "g", "text", "tspan"}
    assert not re.search(r"url\(|@import|@font-face|href|<script", text)


def test_no_wait_is_longer_than_the_longest_and_no_line_comes_before_another() -> None:
    lines = read_lines(RECORDED)
    moments = shown_at(lines)
    waits = [after - before for before, after in zip([0.0, *moments], moments, strict=False)]
    assert max(line.seconds for line in lines) > moments[-1]
    assert 0 <= min(waits) <= max(waits) <= LONGEST_WAIT + 0.01


def test_real_seconds_stand_beside_the_lines() -> None:
    events = (Event(1.0, OUTPUT, "one\r\n"), Event(1.5, OUTPUT, "two\r\n"), Event(83.2, OUTPUT, "three < four\r\n"))
    text = svg(Cast(80, 24, 0, "a title", events))
    assert re.findall(r'class="at" x="48"[^>]*>([\d:]+)<', text) == ["0:01", "1:23"]
    assert ">three &lt; four</text>" in text


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["one\r\n", "tw", "o\r\n"], ["one", "two"]),
        (["50%\r100%"], ["100%"]),
        (["a long one\rshort\x1b[K\r\n"], ["short"]),
        (["0123456789"], ["0123456789"]),
        (["0123456789ab\r\n"], ["0123456789", "ab"]),
        (["a\tb"], ["a       b"]),
        (["above\nbelow"], ["above", "     below"]),
    ],
)
def test_lines_are_what_a_terminal_shows(texts: list[str], lines: list[str]) -> None:
    assert shown(*texts) == lines


def test_colours_are_those_of_the_terminal() -> None:
    text = "\x1b[1;31mred\x1b[22m\x1b[2mdim\x1b[39mdim\x1b[mplain"
    (line,) = read_lines(Cast(80, 24, 0, "a title", (Event(0.0, OUTPUT, text),)))
    assert list(line.pieces()) == [
        Piece("red", Style("red", bold=True)),
        Piece("dim", Style("red", dim=True)),
        Piece("dim", Style(dim=True)),
        Piece("plain", Style()),
    ]


@pytest.mark.parametrize("sequence", ["\x1b[2J", "\x1b[1K", "\x1b[5m", "\x1b[48;5;1m", "\x1b]0;title\x07"])
def test_what_cannot_be_drawn_is_refused(sequence: str) -> None:
    with pytest.raises(ToolError, match="cannot be drawn"):
        shown(f"before{sequence}after")


def test_shell_is_recorded_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    cast = play(["cd there", "printf 'one\\ntwo\\n' && sleep 0.3 && echo three", "tty -s && stty size"], tmp_path)

    lines = read_lines(cast)
    assert [line.text for line in lines] == [
        f"{tmp_path.name}$ cd there",
        "there$ printf 'one\\ntwo\\n' && sleep 0.3 && echo three",
        *("one", "two", "three"),
        "there$ tty -s && stty size",
        f"{cast.rows} {cast.columns}",
    ]
    assert lines[4].seconds - lines[3].seconds >= 0.1
    assert [event.kind for event in cast.events].count(MARKER) == 3
    assert cast.commands[0] == "cd there"
    assert list(cast.events) == sorted(cast.events, key=lambda event: event.seconds)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    RECORDED.write(tmp_path / "again.cast")
    assert read_cast(tmp_path / "again.cast") == RECORDED
    assert (tmp_path / "again.cast").read_bytes() == CAST.read_bytes()


@pytest.mark.parametrize(
    ("command", "said"), [("(exit 3)", r"`\(exit 3\)` ends with 3"), ("exit", "the shell has ended")]
)
def test_command_that_fails_ends_the_recording(command: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=said):
        play([command, "touch never"], tmp_path)
    assert not (tmp_path / "never").exists()


def test_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ToolError, match="is there already"):
        record(SCENARIO, tmp_path)
    assert (tmp_path / "mine").exists()
