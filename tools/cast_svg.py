"""A recorded session as a picture: every line with its second, and lines that appear one after the other.

All of it is CSS: what does not know the animation, or is asked for less motion, shows all lines at once. The picture
has colours of its own on a dark ground, so it can be read on a light page and on a dark one.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from tools.cast import Cast, Line, Piece, read_lines

LONGEST_WAIT = 2.0
"""Seconds: more than that nobody waits for the next line; what it really took stands beside it."""
_HOLD = 20.0
"""For so long all of it is shown, also at the very first; then it begins anew."""

_CHARACTER, _HEIGHT = 7.8, 18
_MARGIN, _GUTTER, _TOP = 14, 48, 44
_COLOURS = {
    "black": "#6e7681",
    "red": "#ff7b72",
    "green": "#7ee787",
    "yellow": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#a5d6ff",
    "white": "#ffffff",
}
_STYLE = (
    'text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}'
    "text{fill:#e6edf3;white-space:pre}"
    "rect{fill:#0d1117;stroke:#30363d}.at,.dim{fill:#9198a1}.at{text-anchor:end}.bold{font-weight:bold}"
)


def svg(cast: Cast) -> str:
    """One SVG document, the same for the same session."""
    lines = read_lines(cast)
    moments = shown_at(lines)
    whole = moments[-1] + _HOLD
    width = 2 * _MARGIN + _GUTTER + round(cast.columns * _CHARACTER)
    height = _TOP + len(lines) * _HEIGHT + _MARGIN
    title = escape(cast.title)
    note = f"minutes and seconds on the left are real; waits of more than {LONGEST_WAIT:g} s are cut short"
    groups = [
        (moment, [line for _, line in group])
        for moment, group in groupby(zip(moments, enumerate(lines), strict=True), key=lambda one: one[0])
    ]
    seconds = _labels(lines)
    drawn = (
        f'<g class="l" id="l{number}">'
        + "".join(_drawn(line, seconds[row], _TOP + row * _HEIGHT) for row, line in group)
        + "</g>"
        for number, (_, group) in enumerate(groups)
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{title}" xml:space="preserve">',
        f"<style>{_STYLE}{_colours(lines)}{_animation([moment for moment, _ in groups], whole)}</style>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="bold" x="{_MARGIN}" y="22">{title}</text>'
        f'<text class="at" x="{width - _MARGIN}" y="22">{note}</text>',
        *drawn,
    ]
    return "\n".join(parts) + "\n</svg>\n"


def shown_at(lines: Sequence[Line]) -> list[float]:
    """When each line appears, in seconds after the start of the picture: no wait is longer than LONGEST_WAIT."""
    moments: list[float] = []
    last = 0.0
    for line in lines:
        waited = min(line.seconds - last, LONGEST_WAIT)
        moments.append(round((moments[-1] if moments else 0.0) + waited, 2))
        last = line.seconds
    return moments


def _labels(lines: Sequence[Line]) -> list[str]:
    """The second beside each line; none where it is that of the line above."""
    said = [f"{int(line.seconds) // 60}:{int(line.seconds) % 60:02}" for line in lines]
    return [one if number == 0 or said[number - 1] != one else "" for number, one in enumerate(said)]


def _drawn(line: Line, label: str, y: int) -> str:
    """The line is as wide as its characters are many, whatever the font."""
    x = _MARGIN + _GUTTER
    at = f'<text class="at" x="{x - 14}" y="{y + 13}">{label}</text>' if label else ""
    if not line.text.strip():
        return at
    length = f"{len(line.text) * _CHARACTER:.1f}".removesuffix(".0")
    pieces = "".join(_span(piece) for piece in line.pieces())
    return f'{at}<text x="{x}" y="{y + 13}" textLength="{length}">{pieces}</text>'


def _span(piece: Piece) -> str:
    style = piece.style
    classes = [style.colour, "bold" if style.bold else "", "dim" if style.dim and not style.colour else ""]
    named = " ".join(filter(None, classes))
    text = escape(piece.text, quote=False)
    return f'<tspan class="{named}">{text}</tspan>' if named else text


def _colours(lines: Sequence[Line]) -> str:
    used = {piece.style.colour for line in lines for piece in line.pieces()}
    return "".join(f".{name}{{fill:{colour}}}" for name, colour in _COLOURS.items() if name in used)


def _animation(moments: Sequence[float], whole: float) -> str:
    """Each group is hidden in every round, from the end of the hold until its own moment."""
    hidden = f"0%{{opacity:1}}{100 * _HOLD / whole:.2f}%{{opacity:0}}"
    frames = "".join(
        f"@keyframes l{number}{{{hidden}{100 * (_HOLD + moment) / whole:.2f}%{{opacity:1}}}}"
        for number, moment in enumerate(moments)
    )
    names = "".join(f"#l{number}{{animation-name:l{number}}}" for number, _ in enumerate(moments))
    motion = f".l{{animation:{whole:.1f}s step-end infinite}}{names}"
    return f"{frames}@media (prefers-reduced-motion:no-preference){{{motion}}}"
