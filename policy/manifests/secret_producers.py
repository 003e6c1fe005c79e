"""Where Secrets come from: objects that are Secrets or make them, with the keys they will have.

Sources: the API references of Sealed Secrets (``template.metadata.name``), External Secrets (``target``: name,
creationPolicy, template with mergePolicy) and cert-manager (``tls.crt``, ``tls.key``, ``ca.crt``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.manifests.index import Index
from policy.manifests.resources import Secret
from policy.manifests.secret_kinds import Certificate, ExternalSecret, SealedSecret

Keys = frozenset[str] | None
"""The keys of a Secret; None where only its producer knows them."""

_TOKEN_TYPE = "kubernetes.io/service-account-token"
_TOKEN_KEYS = frozenset({"token", "ca.crt", "namespace"})
_CERTIFICATE_KEYS = frozenset({"tls.crt", "tls.key", "ca.crt"})


def produced_secrets(index: Index) -> Mapping[tuple[str, str], Keys]:
    """The keys of every Secret that the objects make, by namespace and name."""
    found: dict[tuple[str, str], Keys] = {}
    for namespace, name, keys in _produced(index):
        known = found.get((namespace, name), frozenset())
        found[namespace, name] = None if keys is None or known is None else known | keys
    return found


def _produced(index: Index) -> Iterator[tuple[str, str, Keys]]:
    for secret in index.all(Secret):
        keys = frozenset((*(secret.spec.data or ()), *(secret.spec.string_data or ())))
        yield secret.namespace, secret.name, keys | _TOKEN_KEYS if secret.spec.type == _TOKEN_TYPE else keys
    for sealed in index.all(SealedSecret):
        yield sealed.namespace, *_sealed(sealed)
    for external in index.all(ExternalSecret):
        target = external.spec.target
        if target is None or target.creation_policy != "None":
            yield external.namespace, (target.name if target else None) or external.name, _external_keys(external)
    for certificate in index.all(Certificate):
        more = certificate.spec.keystores or certificate.spec.additional_output_formats
        yield certificate.namespace, certificate.spec.secret_name, None if more else _CERTIFICATE_KEYS


def _sealed(sealed: SealedSecret) -> tuple[str, Keys]:
    template = sealed.spec.template
    named = (template.metadata or {}).get("name") if template is not None else None
    keys = frozenset((*(sealed.spec.encrypted_data or ()), *((template.data or ()) if template is not None else ())))
    return named if isinstance(named, str) else sealed.name, keys


def _external_keys(external: ExternalSecret) -> Keys:
    spec = external.spec
    template = spec.target.template if spec.target is not None else None
    fetched: Keys = None if spec.data_from else frozenset(item.secret_key for item in spec.data or ())
    if template is None or not (template.data or template.template_from):
        return fetched
    if template.template_from or (template.merge_policy == "Merge" and fetched is None):
        return None
    made = frozenset(template.data or ())
    return made | fetched if template.merge_policy == "Merge" and fetched is not None else made
