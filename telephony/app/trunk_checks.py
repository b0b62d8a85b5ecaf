"""What a trunk's own file can't tell: certificates, ports, and other trunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from telephony.app.files import display_name, read_file
from telephony.app.settings_mapping import to_tls_config
from telephony.app.settings_sources import LoadedSettings
from telephony.app.trunks import LoadedTrunk
from telephony.base.errors import Problem
from telephony.dialplan import Dialplan
from telephony.net.tls import CertificateProblem, TlsContexts
from telephony.sip.identity import Verifier, VerifierConfig
from telephony.sip.location import fallback_transport, read_destination
from telephony.stacks.trunk import Trunk


def check_tls(loaded: LoadedSettings) -> Iterator[Problem]:
    """Find files of the ``tls`` section that can't be used, or are needed and missing."""
    sip, tls = loaded.settings.sip, loaded.settings.tls
    if sip.tls_port is not None and tls.certificate is None:
        message, fix = "TLS needs a certificate", "name its file in tls.certificate"
        yield loaded.problem(("sip", "tls_port"), message, fix)
    if tls.certificate is not None and tls.private_key is None:
        message = "a certificate is of no use without its key"
        yield loaded.problem(("tls", "certificate"), message, "name its file in tls.private_key")
        return
    if tls.verify_client != "no" and tls.ca is None:
        message = "clients can't be verified without the authorities that sign them"
        yield loaded.problem(("tls", "verify_client"), message, "name their file in tls.ca")
        return
    try:
        TlsContexts(to_tls_config(tls))
    except CertificateProblem as error:
        keys = {tls.certificate: "certificate", tls.private_key: "private_key", tls.ca: "ca"}
        key = keys.get(error.file or None, "certificate")
        name = display_name(Path(error.file)) if error.file else ""
        yield loaded.problem(("tls", key), f"{name}: {error.reason}".removeprefix(": "))


def check_identity(loaded: LoadedSettings, trunks: Sequence[LoadedTrunk]) -> Iterator[Problem]:
    """Find trunks whose callers' signatures can't be verified."""
    roots = loaded.settings.identity.roots
    if roots is not None:
        yield from _check_roots(loaded, Path(roots))
    for trunk in _trunks(trunks):
        if trunk.attestation.mode != "off" and roots is None:
            message = f"trunk {trunk.name!r} verifies attestations: nobody is trusted to sign them"
            fix = "name a PEM file of the authorities"
            yield loaded.problem(("identity", "roots"), message, fix)


def _check_roots(loaded: LoadedSettings, file: Path) -> Iterator[Problem]:
    content = read_file(file)
    message = ""
    if isinstance(content, Problem):
        message = f"{content.file} {content.message}"
    else:
        try:
            Verifier(VerifierConfig(roots_pem=content))
        except ValueError as error:
            message = f"{display_name(file)} holds no certificates: {error}"
    if message:
        yield loaded.problem(("identity", "roots"), message, "name a PEM file")


def check_trunks(loaded: LoadedSettings, trunks: Sequence[LoadedTrunk]) -> Iterator[Problem]:
    """Find what makes two trunks, or a trunk and the settings, contradict each other."""
    logins: dict[str, str] = {}
    certificates: dict[str, str] = {}
    for item in trunks:
        trunk = item.trunk
        if trunk is None:
            continue
        login = trunk.inbound.credentials
        if login is not None:
            first = logins.setdefault(login.username, item.name)
            yield from _twice(item, "inbound.authenticate.username", login.username, first)
        for name in trunk.inbound.certificate_names:
            first = certificates.setdefault(name, item.name)
            yield from _twice(item, "inbound.certificate_names", name, first)
        if trunk.inbound.certificate_names and loaded.settings.tls.verify_client == "no":
            message = f"trunk {item.name!r} knows its calls by certificates that nobody looks at"
            fix = "write optional, or required"
            yield loaded.problem(("tls", "verify_client"), message, fix)


def _twice(item: LoadedTrunk, key: str, value: str, first: str) -> Iterator[Problem]:
    if first != item.name:
        message = f"{value!r} is how the calls of trunk {first!r} are known already"
        yield Problem(item.file, 0, 0, key, message, "give each trunk its own")


def doubts(
    loaded: LoadedSettings, trunks: Sequence[LoadedTrunk], dialplan: Dialplan | None
) -> Iterator[Problem]:
    """Find what is allowed and probably not meant."""
    sip = loaded.settings.sip
    ports = {"udp": sip.udp_port, "tcp": sip.tcp_port}
    for item in trunks:
        yield from item.warnings
        for uri in item.trunk.next_hops if item.trunk else ():
            transport = fallback_transport(read_destination(uri))
            if ports.get(transport, 0) is None and transport == "udp":
                message = f"{uri} is reached over UDP, and sip.udp_port is null"
                yield Problem(item.file, 0, 0, "servers", message, "write transport: tcp")
    off = {item.name for item in trunks if not item.enabled}
    for reference in dialplan.trunks if dialplan is not None else ():
        if reference.name in off:
            message = f"trunk {reference.name!r} is not enabled"
            yield reference.problem(message, "write enabled: true in its file")


def _trunks(trunks: Sequence[LoadedTrunk]) -> list[Trunk]:
    return [item.trunk for item in trunks if item.trunk is not None]
