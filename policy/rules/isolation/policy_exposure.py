"""No rule of a NetworkPolicy admits pods of namespaces that it does not name.

Pods that are not in Git count: a namespaceSelector by labels, or an empty one, admits whoever runs a pod in a namespace
with those labels, and pod labels prove nothing there, since whoever makes a pod chooses them. Only
`kubernetes.io/metadata.name` cannot be claimed by another namespace.

Where topology.yaml states the flows, topology-leak reports the same as an error, and this rule is silent on it.

With the setting `same-namespace` also rules that admit pods of the policy's own namespace by labels are reported, for
namespaces in which not everybody who may create pods is trusted.

Why: "only the ingress controller reaches the frontend" holds for the pods of today, not for the pod that somebody
starts tomorrow with the same label.

Fix: name the namespace.

Bad:

```yaml
from:
  - namespaceSelector: {}
    podSelector:
      matchLabels:
        app: prometheus
```

Good:

```yaml
from:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: monitoring
    podSelector:
      matchLabels:
        app: prometheus
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.policies import PEERS
from policy.connectivity.validity import is_valid
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicy, NetworkPolicyPeer
from policy.manifests.selectors import LabelSelector
from policy.rules.rule import Context, Options, Rule

_NAME = "kubernetes.io/metadata.name"


class PolicyExposureOptions(Options, frozen=True):
    same_namespace: bool = False
    """Whether a pod of the policy's own namespace with the labels of a peer is an exposure too."""


def check(index: Index, context: Context) -> Iterator[Finding]:
    options = context.options(PolicyExposureOptions)
    is_proven = context.isolation.proof is not None
    for policy in index.all(NetworkPolicy):
        if "Ingress" not in policy.spec.directions:
            continue
        for position, rule in enumerate(policy.spec.ingress or ()):
            for number, peer in enumerate(rule.peers or ()):
                at = policy.field("spec", "ingress", position, PEERS["ingress"], number)
                labels = peer.pod_selector
                if not is_valid(labels) or not is_valid(peer.namespace_selector) or peer.ip_block is not None:
                    continue
                if peer.namespace_selector is not None and not is_proven and not _names(peer.namespace_selector):
                    yield Finding(
                        at=at,
                        message=f"any pod {_with(peer)}may get in, whoever made it",
                        fix=f"name the namespace: namespaceSelector with {_NAME}",
                    )
                elif peer.namespace_selector is None and options.same_namespace and labels is not None:
                    whose = f"with {labels} " if not labels.is_empty else ""
                    yield Finding(
                        at=at,
                        message=f"any pod {whose}of {index.named_namespace(policy.namespace)} may get in, also one "
                        "that is not in Git",
                        fix="keep those who may create pods to those who are trusted, or use a namespace of its own",
                    )


def _names(selector: LabelSelector) -> bool:
    """Whether it asks for namespaces by the label that the API server sets."""
    return _NAME in (selector.match_labels or {}) or any(
        each.key == _NAME and each.operator == "In" for each in selector.match_expressions or ()
    )


def _with(peer: NetworkPolicyPeer) -> str:
    """The labels that let a pod through, of itself and of its namespace."""
    pods, namespaces = peer.pod_selector, peer.namespace_selector
    parts = f"with {pods} " if pods is not None and not pods.is_empty else ""
    whose = f"with {namespaces} " if namespaces is not None and not namespaces.is_empty else ""
    return f"{parts}of any namespace {whose}"


RULE = Rule(
    id="policy-exposure",
    applies_to=Index,
    severity=Severity.WARNING,
    check=check,
    options=PolicyExposureOptions,
)
