"""``python -m policy``, and the installed command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from policy.cli import main


def run() -> NoReturn:
    """Ends the process at once: to take apart what a check of many objects has read would cost as much as reading it.

    Nothing is left for Python to do then; files are written, and what was started has ended.
    """
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
