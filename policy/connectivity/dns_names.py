"""What the pods of well-known DNS servers are called, and what is nearly that: a typo, where no DNS is declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from policy.connectivity.selections import pinned
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicyPeer

_LABEL_KEY = "k8s-app"
_NAMESPACES = ("kube-system", "openshift-dns")
_SERVERS = ("kube-dns", "coredns", "core-dns", "node-local-dns", "nodelocaldns", "dns-default")
"""What CoreDNS, its predecessor, the caches on nodes and OpenShift's DNS call themselves in labels."""
_NEAR = 0.87
"""Of difflib's ratio: two letters turned round in ``kube-dns`` are 0.875; ``kube-proxy`` is 0.56."""


def misspelled_dns(peer: NetworkPolicyPeer, index: Index) -> str | None:
    """What a peer of a rule for DNS says, and what it was meant to say: ``X; did you mean Y?``, or None.

    Namespaces that are in Git, and labels in other namespaces than those of DNS, mean what they say.
    """
    selector = peer.namespace_selector
    if selector is None:
        return None
    for name in pinned(selector) or ():
        meant = _nearly(name, _NAMESPACES)
        if meant is not None and name not in index.namespaces and name not in index.names("Namespace", ""):
            return f"namespace {name}; did you mean {meant}?"
    if not (selector.is_empty or any(name in _NAMESPACES for name in pinned(selector) or ())):
        return None
    labels = (peer.pod_selector.match_labels if peer.pod_selector else None) or {}
    return None if _names_a_server(labels) else next(_misspelled(labels), None)


def _names_a_server(labels: Mapping[str, str]) -> bool:
    keys_meant = {key for key in labels if _nearly(key, (_LABEL_KEY,))}
    return any(value in _SERVERS and key not in keys_meant for key, value in labels.items())


def _misspelled(labels: Mapping[str, str]) -> Iterator[str]:
    for key, value in labels.items():
        key_meant, value_meant = _nearly(key, (_LABEL_KEY,)), _nearly(value, _SERVERS)
        if value_meant or (key_meant and value in _SERVERS):
            yield f"pods with {key}={value}; did you mean {key_meant or key}={value_meant or value}?"


def _nearly(word: str, known: Collection[str]) -> str | None:
    """The known word that another is a misspelling of; a longer one that holds it is a name of its own."""
    import difflib  # only a rule for DNS that is not the usual one needs it

    if word in known or any(each in word for each in known):
        return None
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=_NEAR)), None)
