"""Break it as a person would, in a copy of this repository: each mistake is one finding, at its line, with its fix.

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


def _label_typo_of_the_dns(copy: Path) -> None:
    replace(copy / "base/order-service/network-policy.yaml", "k8s-app: kube-dns", "k8s-app: kubedns")


def _two_items(copy: Path) -> None:
    replace(copy / "base/frontend/network-policy.yaml", AS_ONE_ITEM, AS_TWO_ITEMS)


def _label_typo_of_a_peer(copy: Path) -> None:
    name = "app.kubernetes.io/name: "
    file = copy / "base/users-db/network-policy.yaml"
    replace(file, f"              {name}user-service", f"              {name}user-servce")


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
    - to:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
          podSelector: {matchLabels: {k8s-app: kube-dns}}
      ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
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

PLAIN_TOPOLOGY = """\
outside:
  dns: {namespace: kube-system, labels: {k8s-app: kube-dns}}
flows:
  - "web -> cache : TCP 6379"
  - "web -> dns : UDP 53, TCP 53"
"""

TOLD: dict[Callable[[Path], None], tuple[str, str, str]] = {
    _service_port: (
        "error policy-port-served base/frontend/network-policy.yaml:28",
        "TCP 80 is the port of Service/frontend, but a policy sees the port of the pods: "
        "Deployment/frontend listens on 8080",
        "write port: 8080",
    ),
    _dns_forgotten: (
        "error dns-allowed base/order-service/network-policy.yaml:26",
        "Deployment/order-service cannot resolve names: its egress does not allow TCP 53, UDP 53 to the DNS pods, "
        "so what else it allows is found by nobody",
        "add to spec.egress: {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, "
        "podSelector: {matchLabels: {k8s-app: kube-dns}}}], "
        "ports: [{protocol: TCP, port: 53}, {protocol: UDP, port: 53}]}",
    ),
    _label_typo_of_the_dns: (
        "error policy-peer-exists base/order-service/network-policy.yaml:52",
        "this peer admits nobody but whoever makes such a pod: no pod of namespace kube-system that is declared has "
        "k8s-app=kubedns; did you mean k8s-app=kube-dns?",
        "select labels that the pods have, or remove the peer",
    ),
    _two_items: (
        "error policy-peer-exists base/frontend/network-policy.yaml:23",
        "NetworkPolicy/frontend means pods with app.kubernetes.io/name=ingress-nginx of the other namespace, but two "
        "items mean either: the item before admits the whole namespace, and this one nobody in the namespace",
        "join the two items: podSelector without its dash, under the namespaceSelector",
    ),
    _label_typo_of_a_peer: (
        "error policy-peer-exists base/users-db/network-policy.yaml:20",
        "this peer admits nobody: no pod of the namespace has app.kubernetes.io/name=user-servce; "
        "did you mean app.kubernetes.io/name=user-service?",
        "select labels that the pods have, or remove the peer",
    ),
    _label_typo_of_the_policy: (
        "error policy-selects-pods base/users-db/network-policy.yaml:12",
        "NetworkPolicy/users-db selects no pod: none of the namespace has app.kubernetes.io/name=user-db; "
        "did you mean app.kubernetes.io/name=users-db?",
        "select labels that the pods have, or remove the policy",
    ),
    _new_service: (
        "error topology-complete base/search-service/deployment.yaml:4",
        "Deployment/search-service is in no flow of topology.yaml",
        'state whom it talks to, as in "search-service -> dns : UDP 53, TCP 53", and who talks to it; or name '
        "it under silent",
    ),
    _internet_with_the_pods: (
        "error topology-leak base/order-service/network-policy.yaml:64",
        "0.0.0.0/0 also holds the network of the pods, 10.244.0.0/16: order-service may reach every pod there on "
        "TCP 443, which no flow states",
        "add except: [10.244.0.0/16] to this ipBlock",
    ),
}


@pytest.mark.parametrize("mistake", TOLD, ids=lambda mistake: mistake.__name__.strip("_"))
def test_a_mistake_is_told_once(
    mistake: Callable[[Path], None], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake(copy)
    assert main(["check", "--format", "json"]) == 1
    assert told(capsys.readouterr().out, ENVIRONMENTS) == TOLD[mistake]


def test_a_policy_in_the_wrong_namespace_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("shop.yaml", PLAIN), ("topology.yaml", PLAIN_TOPOLOGY), ("policy.toml", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    isolation = [f"--only={rule.id}" for rule in RULES if rule.family == "isolation"]
    assert main(["check", "--format", "json", "shop.yaml", *isolation]) == 1
    assert told(capsys.readouterr().out, ["shop.yaml"]) == (
        "error policy-selects-pods shop.yaml:40",
        "NetworkPolicy/cache selects no pod in namespace default; Deployment/cache is in shop, and a policy holds in "
        "its own namespace only",
        "move it to namespace shop",
    )


def told(output: str, overlays: list[str]) -> tuple[str, str, str]:
    """The one finding, which is the same in all overlays: what and where, why, and what to do."""
    document = json.loads(output)
    assert not document["errors"]
    (found,) = document["findings"]
    assert found["overlays"] == overlays
    place = found["place"]
    return f"{found['severity']} {found['rule']} {place['file']}:{place['line']}", found["message"], found["fix"]
