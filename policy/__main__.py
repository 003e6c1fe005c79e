"""``python -m policy``, and the installed command."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Without a search for garbage, and the process ends at once: what a check has read lives until its end.

    To take apart what was read of many objects costs as much as reading it. Nothing else is left for Python to do at
    the end; files are written, and what was started has ended.
    """
    gc.disable()
    from policy.cli import main  # its modules make no garbage either

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
