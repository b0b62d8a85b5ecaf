"""A certificate for this machine."""

from __future__ import annotations

from cryptography import x509

from telephony.rehearsal.gemini.certificate import LocalCertificate


def test_it_is_for_localhost_and_its_key_is_private() -> None:
    made = LocalCertificate()
    certificate = x509.load_pem_x509_certificate(made.path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert made.path.with_suffix(".key").stat().st_mode & 0o077 == 0
    made.remove()
    assert not made.path.exists()
