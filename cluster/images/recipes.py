"""What each image of the overlays is made of here: the same programs, under the same names.

An image is asked for what its pods use of the official one: the user, the environment variables, the folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.images.layout import Settings

FILES = Path(__file__).parent / "files"

BASE = ("base-files", "coreutils", "dash", "grep", "libc-bin", "netbase", "sed")
"""In the lowest layer of every image that is made of packages."""

ASSUMED = ("adduser", "debconf", "dpkg", "init-system-helpers", "lsb-base", "perl", "sysvinit-utils", "ucf")
"""What packages need only to be installed, which never happens: an image takes their files alone."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image made of packages of a Debian release, files of this package (by path in the image) and folders.

    ``tools`` are files of what tools/build.py provides (``bin/argocd``), and ``links`` what they are called by as well.
    """

    release: str
    packages: tuple[str, ...]
    settings: Settings
    assumed: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """An image that holds one static program of tools/, by its name."""

    name: str


# 17 as in the overlays.
POSTGRES = Recipe(
    release="trixie",
    packages=("postgresql-17",),
    assumed=("libllvm19", "locales", "postgresql-client-common", "postgresql-common", "ssl-cert"),
    # Compiled queries, and with them the compiler: three quarters of the image.
    without=(
        "usr/lib/postgresql/17/lib/bitcode",
        "usr/lib/postgresql/17/lib/llvmjit.so",
        "usr/lib/postgresql/17/lib/llvmjit_types.bc",
    ),
    files={"usr/local/bin/entrypoint": "postgres-entrypoint.sh"},
    folders=("run/postgresql", "var/lib/postgresql/data"),
    settings=Settings(
        entrypoint=("/usr/local/bin/entrypoint",),
        environment={
            "LANG": "C.UTF-8",
            "PATH": "/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin",
            "PGDATA": "/var/lib/postgresql/data",
        },
        # Fast shutdown: clients are disconnected. https://www.postgresql.org/docs/17/server-shutdown.html
        stop_signal="SIGINT",
    ),
)

# 8.0 where the overlays say 7.4: the nearest that one release has beside PostgreSQL 17 and Python 3.13.
REDIS = Recipe(
    release="trixie",
    packages=("redis-server",),
    folders=("data",),
    settings=Settings(
        command=("redis-server",), environment={"PATH": "/usr/local/bin:/usr/bin"}, working_folder="/data"
    ),
)

# Of the testing release: the gateway's `server … resolve` is in open-source nginx since 1.27.3, and trixie has 1.26.
# https://nginx.org/en/docs/http/ngx_http_upstream_module.html#resolve
NGINX = Recipe(
    release="forky",
    packages=("gettext-base", "nginx"),
    assumed=("iproute2",),
    files={"usr/local/bin/entrypoint": "nginx-entrypoint.sh"},
    folders=("etc/nginx/conf.d", "etc/nginx/templates"),
    settings=Settings(
        entrypoint=("/usr/local/bin/entrypoint",),
        environment={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin"},
        # Requests that are being answered are answered. https://nginx.org/en/docs/control.html
        stop_signal="SIGQUIT",
    ),
)

PYTHON = Recipe(
    release="trixie",
    packages=("libpython3.13-stdlib", "python3-minimal"),
    settings=Settings(command=("python3",), environment={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin"}),
)

RECIPES: Mapping[str, Recipe | Program] = {
    "docker.io/hashicorp/http-echo": Program("http-echo"),
    "docker.io/library/postgres": POSTGRES,
    "docker.io/library/python": PYTHON,
    "docker.io/library/redis": REDIS,
    "docker.io/nginxinc/nginx-unprivileged": NGINX,
}
"""By registry and repository. The services' own images take their place here once there are any."""

PROGRAMS = tuple(sorted(one.name for one in RECIPES.values() if isinstance(one, Program)))
"""What tools/build.py has to provide for them."""
