"""Break it as a person would, in a copy of this repository: each mistake ends in one finding, at its line, with its fix.

The whole check runs, so that nothing else is said of the same mistake.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from policy.cli import main
from policy.rules import RULES

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = ["dev", "staging", "prod"]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is checked, as the working folder."""
    for each in ("base", "overlays", "argocd"):
        shutil.copytree(REPOSITORY / each, tmp_path / each)
    for each in ("policy.toml", "topology.yaml"):
        shutil.copy(REPOSITORY / each, tmp_path / each)
    (tmp_path / ".tools").symlink_to(REPOSITORY / ".tools")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new), encoding="utf-8")


DNS_RULE = """\
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
"""
INTERNET_RULE = """\
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
        - ipBlock:
            cidr: ::/0
      ports:
        - protocol: TCP
          port: 443
"""
AS_ONE_ITEM = """\
              kubernetes.io/metadata.name: ingress-nginx
          podSelector:
"""
AS_TWO_ITEMS = """\
              kubernetes.io/metadata.name: ingress-nginx
        - podSelector:
"""


def _service_port(copy: Path) -> None:
    """The Service gets port 80, and so does the policy; its pods still listen on 8080."""
    replace(copy / "base/frontend/service.yaml", "      port: 8080\n", "      port: 80\n")
    replace(copy / "base/frontend/network-policy.yaml", "          port: 8080\n", "          port: 80\n")


def _dns_forgotten(copy: Path) -> None:
    replace(copy / "base/order-service/network-policy.yaml", DNS_RULE, "")


def _two_items(copy: Path) -> None:
    replace(copy / "base/frontend/network-policy.yaml", AS_ONE_ITEM, AS_TWO_ITEMS)


def _label_typo_of_a_peer(copy: Path) -> None:
    name = "app.kubernetes.io/name: "
    replace(copy / "base/users-db/network-policy.yaml", f"              {name}user-service", f"              {name}user-servce")


def _label_typo_of_the_policy(copy: Path) -> None:
    replace(
        copy / "base/users-db/network-policy.yaml",
        "      app.kubernetes.io/name: users-db\n  policyTypes",
        "      app.kubernetes.io/name: user-db\n  policyTypes",
    )


def _new_service(copy: Path) -> None:
    """A copy of a service under a new name, with its policy, that the diagram does not show."""
    folder = copy / "base/search-service"
    shutil.copytree(copy / "base/user-service", folder)
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8").replace("user-service", "search-service")
        file.write_text(text, encoding="utf-8")
    replace(copy / "base/kustomization.yaml", "  - user-service\n", "  - user-service\n  - search-service\n")
    for environment in ENVIRONMENTS:
        overlay = copy / "overlays" / environment / "kustomization.yaml"
        text = overlay.read_text(encoding="utf-8")
        for part in re.findall(r"  - name: user-service\n(?:    .*\n)+", text):
            text = text.replace(part, part + part.replace("user-service", "search-service"))
        overlay.write_text(text, encoding="utf-8")


def _internet_with_the_pods(copy: Path) -> None:
    """A payment provider on the internet, stated in the diagram too."""
    replace(copy / "base/order-service/network-policy.yaml", DNS_RULE, DNS_RULE + INTERNET_RULE)
    flow = '  - "order-service -> orders-db : TCP 5432"\n'
    replace(copy / "topology.yaml", flow, '  - "order-service -> internet : TCP 443"\n' + flow)


PLAIN = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: app:1}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache, namespace: shop}
spec:
  selector: {matchLabels: {app: cache}}
  template: {metadata: {labels: {app: cache}}, spec: {containers: [{name: app, image: app:1}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: cache}}}]
      ports: [{protocol: TCP, port: 6379}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cache, namespace: default}
spec:
  podSelector: {matchLabels: {app: cache}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}]
      ports: [{protocol: TCP, port: 6379}]
"""


def test_show2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yaml").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "topology.yaml").write_text('flows:\n  - "web -> cache : TCP 6379"\n', encoding="utf-8")
    (tmp_path / "policy.toml").write_text('[environments]\nshop = "shop.yaml"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    main(["check", *(f"--only={rule.id}" for rule in RULES if rule.family == "isolation")])
    print(capsys.readouterr().out)
    assert 0


@pytest.mark.parametrize("mistake", [_service_port, _dns_forgotten, _two_items, _label_typo_of_a_peer, _label_typo_of_the_policy, _new_service, _internet_with_the_pods])
def test_show(mistake: Callable[[Path], None], copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mistake(copy)
    main(["check", "--format", "text"])
    print(capsys.readouterr().out)
    assert 0
