"""The images of the pinned installation of Argo CD, made here under the names that it says: all but Dex's.

https://github.com/argoproj/argo-cd/blob/master/Dockerfile
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from cluster.commands import run
from cluster.images.layout import Settings
from cluster.images.provide import make_images
from cluster.images.recipes import REDIS, Program, Recipe

_BIN = "usr/local/bin"
_COMPONENTS = ("application-controller", "applicationset-controller", "dex", "git-ask-pass", "notifications")
_SERVERS = ("cmp-server", "repo-server", "server")
_SCRIPTS = ("git-verify-wrapper.sh", "gpg-wrapper.sh")
_ARGOCD = Recipe(
    release="trixie",
    packages=("git", "gpg", "gpg-agent"),
    folders=("app/config/gpg/keys", "app/config/gpg/source", "app/config/ssh", "app/config/tls", "home/argocd", _BIN),
    tools={
        **{f"{_BIN}/{name}": f"bin/{name}" for name in ("argocd", "kustomize")},
        **{f"{_BIN}/{name}": f"argocd-installation/hack/{name}" for name in _SCRIPTS},
    },
    links={f"{_BIN}/argocd-{name}": "argocd" for name in (*_COMPONENTS, *_SERVERS)},
    settings=Settings(
        environment={"HOME": "/home/argocd", "PATH": "/usr/local/bin:/usr/bin"}, working_folder="/home/argocd"
    ),
)
# The official one's entrypoint starts redis-server with the options that it is given.
_REDIS = dataclasses.replace(REDIS, settings=Settings(entrypoint=("redis-server",), environment={"PATH": "/usr/bin"}))
_RECIPES: dict[str, Recipe | Program] = {
    "public.ecr.aws/docker/library/redis": _REDIS,
    "quay.io/argoproj/argocd": _ARGOCD,
}


def make_installation(tools: Path) -> dict[str, Path]:
    """A folder with the image (OCI layout) of each name and tag, from the cache or made. Raises ClusterError."""
    folder = tools / "argocd-installation" / "manifests" / "cluster-install"
    rendered = yaml.load_all(run(tools / "bin" / "kustomize", "build", folder), Loader=yaml.CSafeLoader)
    specs = [one["spec"]["template"]["spec"] for one in rendered if one["kind"] in ("Deployment", "StatefulSet")]
    images = {each["image"] for spec in specs for each in (*spec["containers"], *spec.get("initContainers", ()))}
    tags = {name: tag for name, _, tag in (image.rpartition(":") for image in images) if name in _RECIPES}
    assert set(tags) == set(_RECIPES)
    return {f"{name}:{tags[name]}": made for name, made in make_images(tags, tools, _RECIPES).items()}
