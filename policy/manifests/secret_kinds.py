"""Objects of other projects that make Secrets, typed: the fields that say which, and with which keys."""

# Not `from __future__ import annotations`: msgspec would have to evaluate the text of each type when it first decodes.

from policy.manifests.pod_spec import Raw, Struct
from policy.manifests.resources import Object


class SealedSecretTemplate(Struct, frozen=True):
    metadata: Raw | None = None
    data: Raw | None = None


class SealedSecretSpec(Struct, frozen=True):
    encrypted_data: Raw | None = None
    template: SealedSecretTemplate | None = None


class ExternalSecretTemplate(Struct, frozen=True):
    data: Raw | None = None
    template_from: tuple[Raw, ...] | None = None
    merge_policy: str | None = None


class ExternalSecretTarget(Struct, frozen=True):
    name: str | None = None
    creation_policy: str | None = None
    template: ExternalSecretTemplate | None = None


class ExternalSecretData(Struct, frozen=True):
    secret_key: str = ""


class ExternalSecretSpec(Struct, frozen=True):
    target: ExternalSecretTarget | None = None
    data: tuple[ExternalSecretData, ...] | None = None
    data_from: tuple[Raw, ...] | None = None


class CertificateSpec(Struct, frozen=True):
    secret_name: str = ""
    keystores: Raw | None = None
    additional_output_formats: tuple[Raw, ...] | None = None


class SealedSecret(Object[SealedSecretSpec], frozen=True):
    """``bitnami.com`` SealedSecret: a controller decrypts it to a Secret."""


class ExternalSecret(Object[ExternalSecretSpec], frozen=True):
    """``external-secrets.io`` ExternalSecret: an operator fills a Secret from a store."""


class Certificate(Object[CertificateSpec], frozen=True):
    """``cert-manager.io`` Certificate: a controller keeps it in a Secret."""
