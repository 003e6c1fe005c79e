"""One certificate authority for a cluster that lives for a day: who a client is stands in its certificate.

https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 30


class Authority:
    """Issues certificates into one folder: ``<name>.crt`` and ``<name>.key``, and its own as ``ca``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not (folder / "ca.crt").exists():
            self._make_own()
        self._key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        self._certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, name: str, *, user: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> None:
        """A certificate for a client (its user and groups, as Kubernetes reads them) and for a server of these hosts.

        What was issued before stays.
        """
        if (self.folder / f"{name}.crt").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        builder = _builder(_subject(user, groups), self._certificate.subject, key).add_extension(usage, critical=False)
        # Who verifies strictly, as Python does since 3.13, asks which key signed it (RFC 5280, 4.2.1.1).
        own = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        builder = builder.add_extension(signed_by, critical=False)
        if hosts:
            alternatives = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(alternatives, critical=False)
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def make_signing_key(self, name: str) -> None:
        """A key pair for service account tokens: ``<name>.key`` and ``<name>.pub``."""
        if (self.folder / f"{name}.pub").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        _write_secret(self.folder / f"{name}.key", _private(key))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / f"{name}.pub").write_bytes(public)

    def write_kubeconfig(self, file: Path, name: str, server: str, *, namespace: str = "default") -> None:
        """How the client with the certificate ``name`` reaches the API server, as kubectl and client-go read it."""

        def data(path: Path) -> str:
            return base64.b64encode(path.read_bytes()).decode()

        user = {
            "client-certificate-data": data(self.folder / f"{name}.crt"),
            "client-key-data": data(self.folder / f"{name}.key"),
        }
        cluster = {"server": server, "certificate-authority-data": data(self.certificate)}
        context = {"cluster": "local", "user": name, "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "local", "context": context}],
            "current-context": "local",
        }
        _write_secret(file, json.dumps(config, indent=1).encode())

    def _make_own(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _subject("cluster on this machine", ())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
        self._write("ca", key, builder.sign(key, hashes.SHA256()))

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        _write_secret(self.folder / f"{name}.key", _private(key))
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(minutes=5),
        not_valid_after=now + datetime.timedelta(days=_DAYS),
    )


def _subject(user: str, groups: Sequence[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_secret(file: Path, content: bytes) -> None:
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    part.replace(file)
