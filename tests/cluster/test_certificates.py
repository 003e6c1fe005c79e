"""Certificates that the API server believes, and that only their owner can read."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import stat
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.certificates import Authority


def test_user_groups_and_hosts_stand_in_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.issue("admin", user="me", groups=["system:masters", "others"], hosts=["127.0.0.1", "localhost"])
    certificate = x509.load_pem_x509_certificate((tmp_path / "pki" / "admin.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.read_bytes()))
    names = [(one.oid, one.value) for one in certificate.subject]
    groups = [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.ORGANIZATION_NAME, "others")]
    assert names == [*groups, (NameOID.COMMON_NAME, "me")]
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in alternatives.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    ssl.create_default_context(cafile=authority.certificate).load_cert_chain(
        tmp_path / "pki" / "admin.crt", tmp_path / "pki" / "admin.key"
    )


def test_strict_verification_accepts_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.issue("server", user="server", hosts=["localhost"])
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(tmp_path / "pki" / "server.crt", tmp_path / "pki" / "server.key")
    theirs = ssl.create_default_context(cafile=authority.certificate)
    theirs.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = theirs.wrap_bio(back, there, server_hostname="localhost")
    server = ours.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version() is not None


def test_what_was_issued_stays(tmp_path: Path) -> None:
    def issued() -> dict[str, bytes]:
        authority = Authority(tmp_path / "pki")
        authority.issue("admin", user="me")
        authority.make_signing_key("tokens")
        return {file.name: file.read_bytes() for file in (tmp_path / "pki").iterdir()}

    assert issued() == issued()


def test_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.issue("admin", user="me")
    authority.make_signing_key("tokens")
    authority.write_kubeconfig(tmp_path / "kubeconfig", "admin", "https://127.0.0.1:6443", namespace="argocd")
    for file in (*(tmp_path / "pki").glob("*.key"), tmp_path / "kubeconfig"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    config = json.loads((tmp_path / "kubeconfig").read_text())
    assert config["contexts"][0]["context"] == {"cluster": "local", "user": "admin", "namespace": "argocd"}
    key = base64.b64decode(config["users"][0]["user"]["client-key-data"])
    assert key == (tmp_path / "pki" / "admin.key").read_bytes()
