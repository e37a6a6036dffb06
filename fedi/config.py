"""Settings: one TOML file, then ``FEDI_SECTION__KEY`` variables, then flags, into frozen values.

A key nobody knows, a value of the wrong shape or a combination that cannot work stops the start with a
:class:`ConfigError` that names file, line and key. Nothing here is read as a global: ``app.py`` hands it down.
``config.example.toml`` is the operator's reference; a test keeps its keys and the fields below the same.
"""

import hashlib
import hmac
import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import idna
import msgspec

VERSION = "0.1.0"
EXAMPLE = Path(__file__).with_name("config.example.toml")

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ConfigError(Exception):
    """The settings cannot be used; the text says where and what to change, one finding a line."""


class Secret:
    """Text that prints as stars, so that it cannot reach a log by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(other._text.encode(), self._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "********"


class ByteSize(int):
    """A number of bytes, written ``16 MB``, ``512 KiB`` or as a bare number."""

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value).strip(), re.ASCII)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError('expected a size such as "16 MB"')
        return cls(float(match[1]) * _UNITS[match[2].lower()])


class Rate(msgspec.Struct, frozen=True):
    """At most ``count`` in any ``per_s`` seconds, written ``300/5m``."""

    count: int
    per_s: int

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"([1-9]\d*)\s*/\s*([1-9]\d*)?\s*([smhd])", str(value).strip(), re.ASCII)
        if match is None:
            raise ValueError('expected a rate such as "300/5m" (units s, m, h, d)')
        return cls(int(match[1]), int(match[2] or 1) * _SECONDS[match[3]])


class Domain(str):
    """``host`` or ``host:port``, lower case, ASCII (an international name is turned into its A-label)."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@?#\[\]]+)(?::(\d{1,5}))?", str(value).strip().lower())
        if match is None or (match[2] is not None and not 0 < int(match[2]) < 65536):
            raise ValueError('expected a host name such as "social.example", without https:// or a path')
        host, port = match[1], match[2]
        try:
            if not _is_address(host):
                host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"{host!r} is not a host name: {error}") from None
        return cls(host if port is None else f"{host}:{int(port)}")

    @property
    def host(self) -> str:
        """The name alone; an IPv6 address keeps its brackets."""
        return re.sub(r":\d+$", "", self)

    @property
    def port(self) -> int | None:
        match = re.search(r":(\d+)$", self)
        return int(match[1]) if match and not self.endswith("]") else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def is_loopback_name(host: str) -> bool:
    """Whether an http test instance may have, and may reach by http, this name: nothing else stays on the machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name) and ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class InstanceConfig(Section, frozen=True):
    domain: Domain
    handle_domain: Domain = Domain()
    http: bool = False
    title: str = "fedi"
    description: str = ""
    languages: tuple[str, ...] = ("en",)
    contact_email: str = ""
    contact_account: str = ""
    rules: tuple[str, ...] = ()
    reported_version: str = f"4.2.0 (compatible; fedi {VERSION})"


class ServerConfig(Section, frozen=True):
    listen: str = "127.0.0.1"
    port: int = 8080
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    secret: Secret = Secret()
    secret_file: str = ""

    @property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.trusted_proxies)


class DatabaseConfig(Section, frozen=True):
    url: str = "sqlite:fedi.db"
    password: Secret = Secret()
    password_file: str = ""


class MediaConfig(Section, frozen=True):
    folder: str = "media"
    max_image_size: ByteSize = ByteSize(16 * 10**6)
    max_image_pixels: int = 33_177_600
    max_description_characters: int = 1500
    max_remote_size: ByteSize = ByteSize(40 * 10**6)
    remote_cache_max: ByteSize = ByteSize(10 * 10**9)


class FederationConfig(Section, frozen=True):
    authorized_fetch: bool = False
    inbox_rate: Rate = Rate(300, 60)
    inbox_burst: int = 600
    new_actors_rate: Rate = Rate(400, 3600)
    fetches_per_activity: int = 20
    relays: tuple[str, ...] = ()


class PostsConfig(Section, frozen=True):
    max_characters: int = 5000
    max_media: int = 4
    max_pinned: int = 5
    max_poll_options: int = 10
    max_poll_option_characters: int = 100
    min_poll_duration_s: int = 300
    max_poll_duration_s: int = 2_629_746


class LimitsConfig(Section, frozen=True):
    user_requests: Rate = Rate(1500, 300)
    client_requests: Rate = Rate(300, 300)
    uploads: Rate = Rate(30, 1800)
    deletions: Rate = Rate(30, 1800)
    sign_ins: Rate = Rate(10, 300)


class RegistrationsConfig(Section, frozen=True):
    mode: Literal["closed"] = "closed"


class PoliciesConfig(Section, frozen=True):
    order: tuple[str, ...] = ("noop",)
    settings: dict[str, dict[str, Any]] = {}


class LogConfig(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["logfmt", "json"] = "logfmt"


class MetricsConfig(Section, frozen=True):
    listen: str = "127.0.0.1"
    port: int = 9464


SECTIONS: dict[str, type[Section]] = {
    "instance": InstanceConfig,
    "server": ServerConfig,
    "database": DatabaseConfig,
    "media": MediaConfig,
    "federation": FederationConfig,
    "posts": PostsConfig,
    "limits": LimitsConfig,
    "registrations": RegistrationsConfig,
    "policies": PoliciesConfig,
    "log": LogConfig,
    "metrics": MetricsConfig,
}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting. ``state_dir`` is the folder of the file: relative paths start there, keys and database lie there."""

    state_dir: Path
    instance: InstanceConfig
    server: ServerConfig = ServerConfig()
    database: DatabaseConfig = DatabaseConfig()
    media: MediaConfig = MediaConfig()
    federation: FederationConfig = FederationConfig()
    posts: PostsConfig = PostsConfig()
    limits: LimitsConfig = LimitsConfig()
    registrations: RegistrationsConfig = RegistrationsConfig()
    policies: PoliciesConfig = PoliciesConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()

    @property
    def origin(self) -> str:
        """``https://host[:port]`` without a slash: the start of every id and URL of ours."""
        return f"{'http' if self.instance.http else 'https'}://{self.instance.domain}"

    @property
    def public_host(self) -> str:
        """``host[:port]`` as it stands in our URLs and in the Host header."""
        return str(self.instance.domain)

    @property
    def handle_domain(self) -> str:
        """What follows the second @ of our handles."""
        return str(self.instance.handle_domain or self.instance.domain)

    @property
    def rates_lifted(self) -> bool:
        """A loopback test instance counts requests but refuses none."""
        return self.instance.http

    @property
    def user_agent(self) -> str:
        return f"fedi/{VERSION} (+{self.origin}/)"

    @property
    def database_path(self) -> Path | None:
        """The SQLite file, or None where the database is PostgreSQL."""
        if not self.database.url.startswith("sqlite:"):
            return None
        return self.state_dir / self.database.url.removeprefix("sqlite:")

    @property
    def database_dsn(self) -> Secret:
        """The PostgreSQL URL with its password put in; empty where the database is SQLite."""
        if self.database_path is not None:
            return Secret()
        if not self.database.password:
            return Secret(self.database.url)
        scheme, _, rest = self.database.url.partition("://")
        authority, slash, path = rest.partition("/")
        user, _, host = authority.rpartition("@")
        password = quote(self.database.password.reveal(), safe="")
        return Secret(f"{scheme}://{user.removesuffix(':')}:{password}@{host}{slash}{path}")

    @property
    def media_dir(self) -> Path:
        return self.state_dir / self.media.folder

    def derived_key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same after every start; raises ConfigError where no secret is set."""
        if not self.server.secret:
            raise ConfigError("server.secret_file is not set; `fedi init` writes one, or point it at 32 random bytes")
        return hmac.digest(self.server.secret.reveal().encode(), purpose.encode(), hashlib.sha256)


def load_config(
    path: Path, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Config:
    """Reads the file, the ``FEDI_SECTION__KEY`` variables of ``env``, then ``overrides`` (``{"server.port": 9}``).

    Raises ConfigError with every finding, each with its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    reader = _Reader(path, text)
    for section, table in tables.items():
        if not isinstance(table, dict):
            reader.refuse(reader.place(section), f"{section} stands outside a section")
            continue
        for key, value in table.items():
            reader.take(reader.place(section, key), section, key, value)
        if section not in SECTIONS and not table:
            reader.refuse(reader.place(section), f"[{section}] is not a section{_nearest(section, SECTIONS)}")
    for name, raw in (env or {}).items():
        if name.startswith("FEDI_") and "__" in name:
            section, _, key = name.removeprefix("FEDI_").lower().partition("__")
            reader.take(name, section, key, raw, is_text=True)
    for dotted, value in (overrides or {}).items():
        section, _, key = dotted.partition(".")
        reader.take(f"flag for {dotted}", section, key, value)
    return reader.finish()


def example_with(values: Mapping[str, str | int | bool | list[str]]) -> str:
    """The text of ``config.example.toml`` with other values at the given ``section.key``; comments stay."""
    lines, section, open_keys = [], "", dict(values)
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        key = re.match(r"#?(\w+) = ", line)
        if key and (dotted := f"{section}.{key[1]}") in open_keys:
            # JSON's strings, numbers, booleans and lists of strings are TOML as well.
            lines.append(f"{key[1]} = {json.dumps(open_keys.pop(dotted), ensure_ascii=False)}")
        else:
            lines.append(line)
    if open_keys:
        raise KeyError(f"not in the example: {', '.join(open_keys)}")
    return "\n".join(lines) + "\n"


def _nearest(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _convert(value: object, kind: Any, *, is_text: bool) -> object:
    if is_text and isinstance(value, str) and str(kind).startswith("tuple"):
        value = (
            json.loads(value) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]
        )
    return msgspec.convert(value, kind, strict=not is_text, dec_hook=_parse_own)


def _parse_own(kind: type, value: object) -> object:
    if kind is ByteSize and isinstance(value, int | str) and not isinstance(value, bool):
        return ByteSize.parse(value)
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")  # noqa: TRY004 - msgspec turns ValueError into its own
    if kind is Domain:
        return Domain.parse(value) if value else Domain()
    return Secret(value)


class _Reader:
    """Collects values and findings; the last value of a key wins."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.values: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
        self.places: dict[str, str] = {}
        self.findings: list[str] = []

    def refuse(self, place: str, reason: str) -> None:
        self.findings.append(f"{place}: {reason}")

    def place(self, section: str, key: str = "") -> str:
        """``file:line`` of a key; tomllib keeps no lines, so they are found again by header and name."""
        current = ""
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[+\s*\"?([\w-]+)\"?(?:\.\"?([\w-]+))?", line)
            if header:
                current = header[1]
            name = re.match(r"\s*\"?([\w-]+)\"?\s*[.=]", line)
            if (header and header[1] == section and key in {"", header[2]}) or (
                name and ((current == section and name[1] == key) or (not current and name[1] == section))
            ):
                return f"{self.path}:{number}"
        return str(self.path)

    def take(self, place: str, section: str, key: str, value: object, *, is_text: bool = False) -> None:
        if section not in SECTIONS:
            self.refuse(place, f"[{section}] is not a section{_nearest(section, SECTIONS)}")
            return
        fields = {field.name: field.type for field in msgspec.structs.fields(SECTIONS[section])}
        if key not in fields:
            self.refuse(place, f"{section}.{key} is not a setting{_nearest(key, fields)}")
            return
        try:
            self.values[section][key] = (
                Rate.parse(value) if fields[key] is Rate else _convert(value, fields[key], is_text=is_text)
            )
            self.places[f"{section}.{key}"] = place
        except ValueError as error:  # msgspec.ValidationError is one
            self.refuse(place, f"{section}.{key}: {error}")

    def finish(self) -> Config:
        self._read_secret_files()
        if "domain" not in self.values["instance"] and not any("instance.domain" in text for text in self.findings):
            self.refuse(str(self.path), "instance.domain is missing")
        if not self.findings:
            sections: dict[str, Any] = {name: kind(**self.values[name]) for name, kind in SECTIONS.items()}
            config = Config(state_dir=self.path.resolve().parent, **sections)
            for dotted, reason in _contradictions(config):
                self.refuse(self.places.get(dotted, str(self.path)), f"{dotted}: {reason}")
        if self.findings:
            raise ConfigError("\n".join(self.findings))
        return config

    def _read_secret_files(self) -> None:
        for section, values in self.values.items():
            for key in [key for key in values if key.endswith("_file") and values[key]]:
                target, place = key.removesuffix("_file"), self.places[f"{section}.{key}"]
                if values.get(target):
                    self.refuse(place, f"{section}.{key}: {section}.{target} is set too; keep one of them")
                    continue
                try:
                    text = (self.path.parent / str(values[key])).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    self.refuse(place, f"{section}.{key}: cannot be read: {error}")
                    continue
                if not text:
                    self.refuse(place, f"{section}.{key}: the file is empty")
                values[target] = Secret(text)


def _contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """What each value alone does not show."""
    instance = config.instance
    for key, domain in (("domain", instance.domain), ("handle_domain", instance.handle_domain or instance.domain)):
        if not domain:
            yield f"instance.{key}", "is empty"
        elif instance.http and not is_loopback_name(domain.host):
            yield (
                f"instance.{key}",
                (f"http is for tests on this machine: localhost, *.localhost, 127.0.0.0/8 or [::1], not {domain.host}"),
            )
        elif not instance.http and _is_address(domain.host):
            yield f"instance.{key}", "a public instance needs a name, not an address"
        if domain.port == (80 if instance.http else 443):
            yield f"instance.{key}", f"leave out :{domain.port}, it is the default"
    for key, port in (("server.port", config.server.port), ("metrics.port", config.metrics.port)):
        if not 0 <= port < 65536:
            yield key, "expected a port from 0 to 65535"
    try:
        _ = config.server.proxy_networks
    except ValueError as error:
        yield "server.trusted_proxies", str(error)
    url = urlsplit(config.database.url)
    if url.scheme not in {"sqlite", "postgresql", "postgres"} or config.database.url in {"sqlite:", "sqlite://"}:
        yield "database.url", 'expected "sqlite:FILE" or "postgresql://user@host/name"'
    elif url.scheme == "sqlite" and url.netloc:
        yield "database.url", 'write "sqlite:FILE" or "sqlite:/folder/FILE"'
    elif url.password:
        yield "database.url", "put the password into database.password_file, not into the URL"
    for relay in config.federation.relays:
        if urlsplit(relay).scheme not in ({"http", "https"} if instance.http else {"https"}):
            yield "federation.relays", f"expected an https URL, not {relay!r}"
    if not instance.languages:
        yield "instance.languages", "name at least one language"
    if config.posts.min_poll_duration_s > config.posts.max_poll_duration_s:
        yield "posts.min_poll_duration_s", "is greater than posts.max_poll_duration_s"
    for section in ("media", "federation", "posts"):
        for key, value in msgspec.structs.asdict(getattr(config, section)).items():
            if isinstance(value, int) and not isinstance(value, bool) and value < 1:
                yield f"{section}.{key}", "expected at least 1"
