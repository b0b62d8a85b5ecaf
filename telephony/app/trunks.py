"""Trunks: one file of ``config/trunks/`` each, read into what calls are routed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from telephony.app.codec_checks import codec_problems
from telephony.app.files import display_name, load_each, read_file
from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings import Settings
from telephony.app.settings_mapping import to_processing_config
from telephony.app.trunk_schema import (
    SERVERS,
    InboundKeys,
    NumberKeys,
    TrunkFile,
    network_of,
)
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml, read_yaml
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import schema_problems, without_wrong
from telephony.sip.credentials import Credentials
from telephony.sip.values import read_uri
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.trunk import (
    AttestationPolicy,
    CallerIdPolicy,
    InboundPolicy,
    KeepalivePolicy,
    NumberPolicy,
    ReferPolicy,
    RegisterPolicy,
    Trunk,
    TrunkLimits,
)

# No other key is read with an eye to these.
_APART = frozenset(
    (
        *("attestation", "caller_id", "codecs", "dtmf", "follow_redirects", "keepalive", "limits"),
        *("numbers", "outbound", "processing", "realm", "refer", "srtp"),
    )
)


@dataclass(frozen=True, slots=True)
class LoadedTrunk:
    """One file: ``trunk`` is None when it has ``problems`` or is not ``enabled``."""

    name: str
    file: str
    trunk: Trunk | None
    enabled: bool = True
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    document: LocatedYaml | None = None

    def problem(self, path: YamlPath, message: str, fix: str = "") -> Problem:
        """Return a Problem at the value of a key of the file."""
        document = self.document or LocatedYaml(self.file)
        return document.problem(path, message, fix)


def load_trunks(
    settings: Settings, environ: Mapping[str, str], *, required: bool = True
) -> tuple[list[LoadedTrunk], list[Problem]]:
    """Read every trunk of ``trunks.dir``; return them, and the problems of the directory.

    A directory that is missing is no problem unless it is ``required``.
    """
    directory = Path(settings.trunks.dir)
    if not required and not directory.is_dir():
        return [], []
    return load_each(
        directory, "trunks.dir", "trunk", lambda path: load_trunk(path, settings, environ)
    )


def load_trunk(path: Path, settings: Settings, environ: Mapping[str, str]) -> LoadedTrunk:
    """Read one trunk's file; never raises, see ``problems``."""
    content = read_file(path)
    if isinstance(content, Problem):
        return LoadedTrunk(path.stem, content.file, None, problems=(content,))
    document = read_yaml(content, display_name(path))
    return _TrunkReader(document, path.stem, settings, environ).read()


class _TrunkReader:
    """Turns one document into a trunk, collecting everything that is wrong with it."""

    def __init__(
        self, document: LocatedYaml, stem: str, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self._document = document
        self._stem = stem
        self._settings = settings
        self._environ = environ
        self._problems: list[Problem] = list(document.problems)
        self._warnings: list[Problem] = []

    def read(self) -> LoadedTrunk:
        data = self._document.data
        if data is None and not self._problems:
            # Everything in the file is commented out.
            return LoadedTrunk(self._stem, self._document.file, None, enabled=False)
        name, enabled, trunk = self._stem, True, None
        if isinstance(data, dict):
            # A key whose values are all commented out keeps its default.
            data = {key: value for key, value in data.items() if value is not None}
            name = str(data.get("name", name))
            enabled = data.get("enabled") is not False
        if data is not None:
            part = self._validate(data)
            trunk = self._trunk(name, part) if part is not None else None
        ordered = tuple(sorted(self._problems, key=lambda p: (p.line, p.column)))
        return LoadedTrunk(
            name,
            self._document.file,
            trunk if enabled and not ordered else None,
            enabled,
            ordered,
            tuple(self._warnings),
            self._document,
        )

    def _validate(self, data: object) -> TrunkFile | None:
        """Return what the file says, without keys that are wrong but that others do not need."""
        try:
            return TrunkFile.model_validate(data)
        except ValidationError as error:
            self._problems.extend(schema_problems(error, self._document, TrunkFile))
            return without_wrong(error, data, TrunkFile, _APART)

    def _trunk(self, name: str, part: TrunkFile) -> Trunk:
        self._check_servers(part)
        self._check_digits(part)
        for message, fix in codec_problems(part.codecs or (), self._settings.media.ptime_ms):
            self._problems.append(self._document.problem(("codecs",), message, fix))
        register = part.registration
        media = self._settings.media
        return Trunk(
            name=name,
            servers=tuple(_with_transport(uri, part.transport) for uri in part.servers),
            outbound_proxy=_with_transport(part.outbound_proxy or "", part.transport),
            domain=part.domain or "",
            username=part.username or "",
            credentials=self._credentials(part),
            outbound=part.outbound and bool(part.servers or part.outbound_proxy),
            register=RegisterPolicy(**register.model_dump()) if register else None,
            inbound=self._inbound(part),
            media=MediaPolicy(
                codecs=tuple(part.codecs) if part.codecs else None,
                srtp=part.srtp or media.srtp,
                dtmf=part.dtmf,
                processing=to_processing_config(media.processing, part.processing.model_dump()),
            ),
            caller_id=_caller_id(part),
            limits=TrunkLimits(**part.limits.model_dump()),
            keepalive=KeepalivePolicy(**part.keepalive.model_dump()) if part.keepalive else None,
            numbers=_numbers(part.numbers),
            attestation=AttestationPolicy(**part.attestation.model_dump()),
            refer=ReferPolicy(part.refer.accept, tuple(part.refer.targets)),
            follow_redirects=part.follow_redirects,
        )

    def _check_servers(self, part: TrunkFile) -> None:
        reachable = part.servers or part.outbound_proxy
        if part.registration is not None and not reachable:
            self._report(("register",), "there is no server to register with", "add servers")
        if part.registration is not None and not part.username:
            self._report(("register",), "nobody is named to register", "add username")
        if part.password and not (part.auth_username or part.username):
            self._report(("password",), "a password without a user", "add username")
        if part.caller_id.from_user == "username" and not part.username:
            self._report(("caller_id", "from_user"), "there is no username", "add username")
        if part.outbound_proxy and not (part.domain or part.servers):
            fix = "add domain: that of your provider"
            self._report(("outbound_proxy",), "the calls behind the proxy have no domain", fix)
        inbound = part.inbound
        silent = inbound is None or not (
            inbound.addresses or inbound.certificate_names or inbound.authenticate
        )
        if not reachable and silent:
            self._report((), "neither servers nor inbound peers are named", "add servers")

    def _check_digits(self, part: TrunkFile) -> None:
        if part.dtmf == "rfc4733" and not self._settings.media.telephone_event:
            message = "rfc4733 is not negotiated while media.telephone_event is false"
            self._report(("dtmf",), message, "write auto, info or inband")

    def _credentials(self, part: TrunkFile) -> Credentials | None:
        if part.password is None:
            return None
        username = part.auth_username or part.username or ""
        password = self._secret(part.password, ("password",), part.enabled)
        return Credentials(username, password, part.realm or "")

    def _inbound(self, part: TrunkFile) -> InboundPolicy:
        keys = part.inbound
        if keys is None:
            return InboundPolicy(from_servers=False)
        addresses = keys.addresses
        if addresses is None:
            # Who must prove itself otherwise is not let in for its address as well.
            addresses = [] if keys.certificate_names or keys.authenticate else [SERVERS]
        networks = [network for text in addresses if (network := network_of(text)) is not None]
        names = [text for text in addresses if text != SERVERS and network_of(text) is None]
        self._check_networks(addresses)
        return InboundPolicy(
            networks=tuple(networks),
            hosts=tuple(names),
            from_servers=SERVERS in addresses,
            certificate_names=tuple(name.lower() for name in keys.certificate_names),
            credentials=self._login(keys, part.enabled),
            challenge_always=keys.challenge_always,
            trust_identity=tuple(keys.trust_identity),
        )

    def _check_networks(self, addresses: Sequence[str]) -> None:
        for number, text in enumerate(addresses):
            network = network_of(text)
            if network is not None and network.prefixlen == 0:
                message = "everybody on the internet is let in as this trunk"
                fix = "list the addresses of the carrier"
                path = ("inbound", "addresses", number)
                self._warnings.append(self._document.problem(path, message, fix))

    def _login(self, keys: InboundKeys, enabled: bool) -> Credentials | None:
        login = keys.authenticate
        if login is None:
            return None
        path = ("inbound", "authenticate", "password")
        return Credentials(login.username, self._secret(login.password, path, enabled))

    def _secret(self, text: str, path: YamlPath, enabled: bool) -> str:
        variable = referred_variable(text)
        if variable is None:
            # The text is not repeated: it may be the secret itself.
            fix = "set an environment variable and write ${ITS_NAME}"
            self._report(path, "a secret must not be written into a file", fix)
            return ""
        value = look_up(variable, self._environ)
        if value is None and enabled:
            message = f"the environment variable {variable} is not set"
            self._report(path, message, f"export {variable}=..., or write enabled: false")
        return value or ""

    def _report(self, path: YamlPath, message: str, fix: str) -> None:
        self._problems.append(self._document.problem(path, message, fix))


def _with_transport(uri: str, transport: str | None) -> str:
    """Return the URI with the trunk's transport unless it says its own."""
    parsed = read_uri(uri)
    if transport is None or parsed is None or parsed.scheme == "sips":
        return uri
    return uri if "transport" in parsed.parameters else f"{uri};transport={transport}"


def _caller_id(part: TrunkFile) -> CallerIdPolicy:
    keys = part.caller_id
    return CallerIdPolicy(
        number=keys.number or "",
        name=keys.name or "",
        header=keys.header,
        from_user=keys.from_user,
        withheld=keys.privacy,
        pass_through=keys.pass_through,
    )


def _numbers(keys: NumberKeys) -> NumberPolicy:
    return NumberPolicy(**keys.model_dump())
