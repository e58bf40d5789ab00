# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's certificate authority and the certificates it gives.

The authority has no keyUsage on purpose. Python 3.13 refuses such a chain with its default flags, many clusters in the
field have one (kubernetes-client/python#2394), and so a client that cannot cope is found here.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .settings import API_SERVICE_ADDRESS, LOOPBACK, NODE, NODE_ADDRESS, PKI

LIFETIME = datetime.timedelta(days=365)
CLIENTS = {
    "admin": ("cluster-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "apiserver-kubelet-client": ("apiserver-kubelet-client", "system:masters"),
}


def create() -> None:
    """Writes a new authority, NAME.crt and NAME.key for the API server and each client, and the service account key."""
    PKI.mkdir(mode=0o700, parents=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("ai-aas-vllm test cluster", None)
    certificate = (
        _builder(authority, authority, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write_certificate("ca", certificate)
    _issue_server(authority, authority_key)
    for file, (user, group) in CLIENTS.items():
        _issue(file, _name(user, group), ExtendedKeyUsageOID.CLIENT_AUTH, None, authority, authority_key)
    service_account_key = ec.generate_private_key(ec.SECP256R1())
    _write_key(PKI / "service-account.key", service_account_key)
    (PKI / "service-account.pub").write_bytes(
        service_account_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def create_for_loopback(path: Path) -> Path:
    """Writes a certificate for the loopback that is its own authority, and its key, into one file; returns its path.

    This one has all extensions that strict clients ask for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name, public = _name("loopback", None), key.public_key()
    usage = {"digital_signature": True, "key_cert_sign": True}
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    certificate = (
        _builder(name, name, public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(**usage, **dict.fromkeys(others, False), encipher_only=False, decipher_only=False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(path, key)
    with path.open("ab") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _issue_server(authority: x509.Name, authority_key: ec.EllipticCurvePrivateKey) -> None:
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = [LOOPBACK, NODE_ADDRESS, API_SERVICE_ADDRESS]
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    subject = _name("kube-apiserver", None)
    _issue("apiserver", subject, ExtendedKeyUsageOID.SERVER_AUTH, alternatives, authority, authority_key)


def _issue(
    file: str,
    subject: x509.Name,
    usage: x509.ObjectIdentifier,
    alternatives: list[x509.GeneralName] | None,
    authority: x509.Name,
    authority_key: ec.EllipticCurvePrivateKey,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, authority, key.public_key())
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    _write_certificate(file, builder.sign(authority_key, hashes.SHA256()))
    _write_key(PKI / f"{file}.key", key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _name(user: str, group: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _write_certificate(file: str, certificate: x509.Certificate) -> None:
    (PKI / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
