"""What a person or CI renders with is what Argo CD deploys with."""

from __future__ import annotations

import re
import tomllib

from tests.argocd.conftest import ROOT
from tools.pins import read_pin


def test_kustomize_is_the_version_that_the_pinned_argo_cd_bundles() -> None:
    versions = ROOT / ".tools" / "crds" / "argo-cd" / "tool-versions.sh"
    assert versions.is_file(), "what Argo CD bundles is not known: python3 tools/build.py crds"
    bundled = re.search(r"^KUSTOMIZE_VERSION=(\S+)$", versions.read_text(encoding="utf-8"), re.MULTILINE)
    assert bundled, f"{versions} names no kustomize"
    argocd = read_pin(ROOT, "argocd").version
    assert read_pin(ROOT, "kustomize").version == bundled[1], f"Argo CD {argocd} renders with kustomize {bundled[1]}"
    settings = tomllib.loads((ROOT / "policy.toml").read_text(encoding="utf-8"))
    assert settings["tools"]["kustomize"] == bundled[1]
    assert settings["rules"]["kustomize-version-matches"]["bundled"] == bundled[1]
