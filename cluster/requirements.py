"""What this machine must have for real pods: root, namespaces and cgroups of the kernel, a few of Debian's programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from cluster.cgroups import MOUNT, NEEDED, controllers
from cluster.commands import run
from cluster.errors import ClusterError
from tools.commands import run_shown

PACKAGES = {
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "runc": "runc",
}
"""Debian's package of each program."""
_FILE_SYSTEMS = ("overlay", "tmpfs")


def require() -> None:
    """All of it; on Debian, what is missing of the programs is installed. Raises ClusterError or ToolError."""
    without = "with --no-pods it starts without"
    if os.geteuid() != 0:
        raise ClusterError(f"real pods need root; {without}")
    if missing := missing_programs():
        install(missing)
    known = Path("/proc/filesystems").read_text().split()
    for one in _FILE_SYSTEMS:
        if one not in known:
            raise ClusterError(f"the kernel has no file system `{one}`; {without}")
    if absent := sorted(set(NEEDED) - controllers()):
        raise ClusterError(f"{MOUNT} has no controller {', '.join(absent)}; {without}")
    try:
        run("unshare", "--net", "--mount", "--pid", "--fork", "ip", "link", "add", "one", "type", "bridge")
        run("unshare", "--net", "nft", "add", "table", "ip", "one")
    except ClusterError as error:
        raise ClusterError(f"a machine of its own cannot be made here ({error}); {without}") from error


def missing_programs() -> list[str]:
    """Those that are not on the PATH."""
    return [program for program in PACKAGES if shutil.which(program) is None]


def install(programs: Iterable[str]) -> None:
    """By apt-get, saying so. Raises ClusterError where there is none, ToolError with its words if it fails."""
    packages = sorted({PACKAGES[program] for program in programs})
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        raise ClusterError(f"not on the PATH: {', '.join(sorted(programs))}; on Debian: {' '.join(command)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run_shown(["apt-get", "update"], "apt-get update", env=environment)
    run_shown(command, " ".join(command), env=environment)
