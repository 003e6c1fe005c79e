"""What was found valid before is not validated again: kubeconform would say the same about the same bytes.

A verdict is kept for exactly one document text, set of schemas, kubeconform binary and way of asking. Only "valid" is
kept, so a problem is always reported by the tool itself. The file is a row of SHA-256 sums: a torn or foreign one can
hold no sum that matches, and without a writable cache everything is simply validated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from policy.tools import write_atomically

_SIZE = hashlib.sha256().digest_size
_KEPT = 20_000


class Verdicts:
    """The texts that one way of asking, described by ``question``, has found valid."""

    def __init__(self, folder: Path, question: str) -> None:
        self._salt = hashlib.sha256(question.encode()).digest()
        self._file = folder / f"valid-{self._salt.hex()[:24]}"
        try:
            content = self._file.read_bytes()
        except OSError:
            content = b""
        self._valid = dict.fromkeys(content[start : start + _SIZE] for start in range(0, len(content), _SIZE))

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """The texts of which it is not known that they are valid."""
        return [text for text in texts if self._sum(text) not in self._valid]

    def remember(self, texts: Sequence[str]) -> None:
        """Keep that these are valid, the newest if there are too many."""
        if not texts:
            return
        self._valid.update(dict.fromkeys(map(self._sum, texts)))
        try:
            write_atomically(self._file, b"".join(list(self._valid)[-_KEPT:]))
        except OSError:
            return

    def _sum(self, text: str) -> bytes:
        return hashlib.sha256(self._salt + text.encode()).digest()


def identity(binary: Path) -> str:
    """What changes when a binary is replaced; cheaper than to ask or to read it. Raises OSError."""
    status = binary.stat()
    return f"{binary.resolve()} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
