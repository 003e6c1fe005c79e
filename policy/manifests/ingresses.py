"""What an Ingress states: hosts, paths, backends and certificates, as ``networking.k8s.io/v1`` and the versions before.

Source: API reference of Ingress v1; v1beta1 for ``serviceName``, ``servicePort`` and ``spec.backend``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from policy.findings import Field
from policy.manifests.pod_spec import IntOrString
from policy.manifests.resources import Ingress

_CLASS = "kubernetes.io/ingress.class"


class Backend(msgspec.Struct, frozen=True):
    """Where requests go: a Service and its port, or an object of another kind."""

    at: Field
    service: str | None
    service_at: Field
    port: IntOrString | None
    port_at: Field
    object: tuple[str, str] | None = None
    """Kind and name of a ``resource`` backend."""


class Path(msgspec.Struct, frozen=True):
    """A path of a host; "" is any host, and "/" where no path is given. An exact path is not a prefix of others."""

    host: str
    path: str
    is_exact: bool
    at: Field

    @property
    def key(self) -> tuple[str, str, bool]:
        """What two paths have in common that claim the same requests; a slash at the end of a prefix means nothing."""
        return self.host, self.path if self.is_exact else self.path.rstrip("/"), self.is_exact


class Certificate(msgspec.Struct, frozen=True):
    """An entry of ``tls``; without hosts it is for whatever the controller makes of that."""

    hosts: tuple[str, ...]
    secret: str | None
    at: Field

    def covers(self, host: str) -> bool:
        """Whether it is for that host; a wildcard stands for exactly one label."""
        if not self.hosts or not host:
            return True
        parent = host.partition(".")[2]
        return any(name in (host, f"*.{parent}") for name in self.hosts)


def class_of(ingress: Ingress) -> str:
    """The name of its class, "" for the cluster's default."""
    annotated = ingress.resource.annotations.get(_CLASS)
    return ingress.spec.ingress_class_name or (annotated if isinstance(annotated, str) else "")


def hosts(ingress: Ingress) -> Iterator[tuple[str, Field]]:
    """The host of each rule and where it stands; "" for any host, which is also what a default backend alone means."""
    rules = ingress.spec.rules or ()
    for number, rule in enumerate(rules):
        yield _text(rule.get("host")) or "", ingress.field("spec", "rules", number, "host")
    if not rules and _default_backend(ingress)[1]:
        yield "", ingress.field("spec", "rules")


def paths(ingress: Ingress) -> Iterator[Path]:
    """Every path of every host."""
    for number, rule in enumerate(ingress.spec.rules or ()):
        host = _text(rule.get("host")) or ""
        at = ingress.field("spec", "rules", number)
        written = _items(_mapping(rule.get("http")).get("paths"))
        for index, path in enumerate(written):
            is_exact = path.get("pathType") == "Exact"
            yield Path(host, _text(path.get("path")) or "/", is_exact, at["http"]["paths"][index]["path"])


def certificates(ingress: Ingress) -> tuple[Certificate, ...]:
    return tuple(
        Certificate(
            tuple(host for host in _list(entry.get("hosts")) if isinstance(host, str)),
            _text(entry.get("secretName")),
            ingress.field("spec", "tls", number),
        )
        for number, entry in enumerate(ingress.spec.tls or ())
    )


def backends(ingress: Ingress) -> Iterator[Backend]:
    """The default backend and that of every path."""
    name, default = _default_backend(ingress)
    if default:
        yield _backend(default, ingress.field("spec", name))
    for number, rule in enumerate(ingress.spec.rules or ()):
        at = ingress.field("spec", "rules", number, "http", "paths")
        for index, path in enumerate(_items(_mapping(rule.get("http")).get("paths"))):
            yield _backend(_mapping(path.get("backend")), at[index]["backend"])


def _default_backend(ingress: Ingress) -> tuple[str, Mapping[str, Any]]:
    old = _mapping(_mapping(ingress.resource.raw.get("spec")).get("backend"))
    return ("backend", old) if old else ("defaultBackend", _mapping(ingress.spec.default_backend))


def _backend(raw: Mapping[str, Any], at: Field) -> Backend:
    other = _mapping(raw.get("resource"))
    if other:
        return Backend(at, None, at, None, at, (str(other.get("kind")), str(other.get("name"))))
    if "serviceName" in raw:
        return Backend(
            at, _text(raw["serviceName"]), at["serviceName"], _port(raw.get("servicePort")), at["servicePort"]
        )
    service = _mapping(raw.get("service"))
    port = _mapping(service.get("port"))
    key = "number" if "number" in port else "name"
    port_at = at["service"]["port"]
    return Backend(
        at,
        _text(service.get("name")),
        at["service"]["name"],
        _port(port.get(key)),
        port_at[key] if key in port else port_at,
    )


def _port(value: object) -> IntOrString | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) and value != "" else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _items(raw: object) -> list[Mapping[str, Any]]:
    return [_mapping(item) for item in _list(raw)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
