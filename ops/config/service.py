"""The environment as one typed, documented class (https://12factor.net/config)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

import dj_database_url
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ops.config import service_keys, validators
from ops.config.faults import ConfigurationError, faults_of
from ops.config.sources import EnvironmentSource, Origin

ROOT = Path(__file__).resolve().parent.parent.parent
DEVELOPMENT_KEY = "development-only-key-that-production-refuses"
REMOVED = {  # variables of earlier releases, which would be ignored silently
    "SERVICE_TOKEN_PREVIOUS": "is not read any more: unset it; SERVICE_KEY and SERVICE_KEYS replace SERVICE_TOKEN"
}
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # characters that a header can carry unchanged (RFC 6750, section 2.1)
WHOLE = re.compile(r"[0-9]+")  # gunicorn reads WEB_CONCURRENCY too, and takes no 2.0, as pydantic does


Words = Annotated[tuple[str, ...], BeforeValidator(validators.words)]
Hosts = Annotated[Words, AfterValidator(validators.allowed_hosts)]
Origins = Annotated[Words, AfterValidator(validators.trusted_origins)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(validators.words)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(validators.words)]
HttpUrl = Annotated[str, AfterValidator(validators.http_url)]
Links = Annotated[tuple[HttpUrl, ...], BeforeValidator(validators.words)]
Issuer = Annotated[str, Field(min_length=1, max_length=255)]
KeySet = Annotated[str, AfterValidator(validators.key_set)]
Port = Annotated[int, Field(ge=1, le=65535)]
Authorities = Annotated[str, AfterValidator(validators.certificate_authorities)]
ClientCertificate = Annotated[str, AfterValidator(validators.client_certificate)]
Seconds = Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)]
Config_co = TypeVar("Config_co", bound="ServiceConfig", covariant=True)


def database_default(file: str) -> Any:
    """Return the field DATABASE_URL of a service: a SQLite file in development, no default in production.

    Not by a default factory: the library calls none once another variable is faulty, and this fault would be left out.
    """
    return Field(SecretStr(""), json_schema_extra={"default": f"sqlite:///{file}", "file": str(ROOT / file)})


@dataclass(frozen=True)
class Reading(Generic[Config_co]):
    """The content of an environment: values by field, origins and faults by variable; no config if there is a fault."""

    config: Config_co | None
    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    faults: Mapping[str, str]


class ServiceConfig(BaseSettings):
    """The variables of every service, documented by the docstrings below them; a service's subclass adds its own."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    service: ClassVar[str]

    django_env: Literal["development", "production"] = "development"
    """`production` turns every guard on"""
    secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_KEY), json_schema_extra={"default": "for development only"})
    """signs sessions and CSRF tokens, and encrypts the private keys of access tokens; at least 32 characters in
    production"""
    secret_key_fallbacks: Secrets = Field((), json_schema_extra={"default": "unset: none"})
    """other values of `SECRET_KEY`, comma-separated, whose sessions and keys stay valid while it is being replaced"""
    service_token: SecretStr | None = Field(None, json_schema_extra={"default": "unset: none"})
    """deprecated, the next release does without: one token for all services, which is sent instead of a signed one, and
    accepted beside those"""
    service_key: SecretStr | None = Field(
        None,
        validate_default=True,
        json_schema_extra={"default": "for development only", "probes": "ops.identity.reachable.token_probes"},
    )
    """the private key of this service alone, a JWK of `make_service_key`: it signs the tokens for other services"""
    service_keys: SecretStr | None = Field(
        None, validate_default=True, json_schema_extra={"default": "for development only"}
    )
    """the public keys of all services, this one included (JWKS), the same for each of them; hidden, as it could hold a
    private key by mistake"""
    jwt_issuer: Issuer | None = Field(
        None, json_schema_extra={"default": "unset: the service accepts the tokens of its own `issue_token`"}
    )
    """the issuer of the clients' access tokens, exactly as their `iss` names it, such as `https://id.shop.example`"""
    jwt_keys: KeySet | None = Field(
        None,
        validate_default=True,
        json_schema_extra={"default": "unset: none", "probes": "ops.identity.reachable.probes"},
    )
    """the public keys of `JWT_ISSUER` (JWKS): a URL, in production `https://` only, or the path of a file"""
    jwt_audience: str | None = Field(None, max_length=255, json_schema_extra={"default": "unset: the service's name"})
    """the `aud` that an access token must name"""
    port: Port
    """the port that the web process binds, also `runserver`'s"""
    allowed_hosts: Hosts = ("localhost", "127.0.0.1", "[::1]")
    """Host headers that are answered, comma-separated"""
    csrf_trusted_origins: Origins = ()
    """origins, such as `https://shop.example`, whose forms are accepted behind a TLS proxy"""
    trust_forwarded_proto: bool = False
    """take `X-Forwarded-Proto` for the scheme; only behind a proxy that overwrites it"""
    trusted_proxies: Networks = ()
    """addresses and networks, comma-separated, of the proxies whose `X-Forwarded-For` is believed; they must overwrite
    it or add to its end"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """least severe level that is logged"""
    log_format: Literal["json", "console"] = Field(
        default_factory=lambda data: "json" if data.get("django_env") == "production" else "console",
        json_schema_extra={"default": "`json` in production, else `console`"},
    )
    """`json`: one object a line; `console`: for people"""
    database_url: SecretStr  # each service has its own: `database_default`
    """`postgres://user:password@host:5432/name` or `sqlite:////path`, which production requires; a secret because of
    its password"""
    database_direct_url: SecretStr | None = Field(
        None, json_schema_extra={"default": "unset: `DATABASE_URL` is the server"}
    )
    """the PostgreSQL server itself, for commands, where `DATABASE_URL` is a pooler in transaction mode"""
    database_connect_timeout: int = Field(2, ge=1, le=60)
    """seconds to connect to PostgreSQL, and to wait for a pooled connection"""
    database_statement_timeout: Seconds = 5.0
    """seconds that one SQL statement may take (PostgreSQL)"""
    peer_ca_bundle: Authorities | None = Field(None, json_schema_extra={"default": "unset: the public authorities"})
    """PEM file of the certificate authorities that `https://` and `amqps://` peers are checked against: products,
    `EVENTS_URL`, `PUSHGATEWAY_URL`"""
    peer_client_certificate: ClientCertificate | None = Field(None, json_schema_extra={"default": "unset: none"})
    """PEM file of the certificate, with its key, that this service shows those peers"""
    jaeger_endpoint: HttpUrl | None = Field(None, json_schema_extra={"default": "unset: no tracing, no cost"})
    """OTLP/HTTP traces URL, such as `http://jaeger:4318/v1/traces`; `OTEL_*` works too"""
    web_concurrency: int = Field(1, ge=1, le=64)
    """web processes; more replicas of one process scale as well and keep exemplars"""
    web_threads: int = Field(4, ge=1, le=128)
    """threads of each web process"""
    web_queue_timeout: Seconds = 1.5
    """seconds that a request may wait for a thread; then it is answered 503 `busy`"""
    request_max_bytes: int = Field(1_048_576, ge=1024, le=104_857_600)
    """largest request body; more is answered 413"""
    shutdown_delay: float = Field(0.0, ge=0, le=60)
    """seconds between SIGTERM and the drain, during which /readyz already answers 503"""
    pushgateway_url: HttpUrl | None = Field(
        None, json_schema_extra={"default": "unset: nowhere", "probe": "/-/healthy"}
    )
    """where commands push the gauges of their last run (Prometheus' Pushgateway)"""
    command_metrics_dir: str | None = Field(None, json_schema_extra={"default": "unset: nowhere"})
    """folder where commands write these gauges, for the node exporter's textfile collector"""
    worker_metrics_port: Port | None = Field(None, json_schema_extra={"default": "unset: none"})
    """port where a command that loops, such as `relay_events`, serves its own `/metrics`"""
    service_version: str = Field("dev", max_length=100, pattern=r"^[A-Za-z0-9._+-]+$")
    """in logs, traces and `argos_build_info`; images get `git describe` at build"""
    development_recording: str | None = Field(None, json_schema_extra={"default": "unset: none; `make run` sets it"})
    """production refuses it: a file where all services of a machine keep their last spans and log lines, for the page
    `/dev`"""
    development_links: Links = ()
    """URLs, comma-separated, that `/dev` links: Jaeger, Prometheus, Grafana"""
    fault_point: str | None = Field(None, json_schema_extra={"default": "unset: nothing is broken"})
    """for tests only, production refuses it: a file that has one step crash, raise or hang"""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `read` gives it what EnvironmentSource found, so that each file is read once

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Reading[Self]:
        """Return every variable of the environment, by default this process's."""
        source = EnvironmentSource(cls, environ)
        values = source()
        config, faults = None, source.faults
        try:
            config = cls(**values)
        except ValidationError as error:
            faults = faults_of(error, values) | faults
        faults = {name: fault for name, fault in REMOVED.items() if source.has(name)} | faults
        return Reading(config if not faults else None, values, source.origins, faults)

    @classmethod
    def load(cls) -> Self:
        """Return the configuration of this process; raise ConfigurationError, naming each faulty variable."""
        reading = cls.read()
        if reading.config is None:
            raise ConfigurationError(cls.service, reading.faults)
        return reading.config

    @classmethod
    def variables(cls) -> list[str]:
        """Return the names of all variables."""
        return [name.upper() for name in cls.model_fields]

    @property
    def is_production(self) -> bool:
        return self.django_env == "production"

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_what_only_looks_whole(cls, value: object, info: ValidationInfo) -> object:
        is_whole = cls.model_fields[str(info.field_name)].annotation is int
        if is_whole and isinstance(value, str) and not WHOLE.fullmatch(value):
            raise ValueError("must be a valid integer")
        return value

    @field_validator("service_token")
    @classmethod
    def _refuse_what_no_header_carries(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("must be ASCII letters, digits and . _ ~ + / - only, with = at the end if need be")
        return token

    @field_validator("secret_key", "secret_key_fallbacks", "service_token")
    @classmethod
    def _refuse_a_weak_key(cls, given: Any, info: ValidationInfo) -> Any:
        if info.data.get("django_env") != "production":
            return given
        keys = given if isinstance(given, tuple) else (given,)
        for secret in (key.get_secret_value() for key in keys if key is not None):
            if secret == DEVELOPMENT_KEY:
                raise ValueError("must be set in production")
            if validators.is_placeholder(secret):
                raise ValueError("looks like a placeholder, which production refuses")
            if len(secret) < 32 or len(set(secret)) < 8:
                raise ValueError("is too weak for production: at least 32 characters, 8 of them different")
        return given

    @field_validator("service_key", "service_keys")
    @classmethod
    def _refuse_unusable_service_keys(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        service_keys.check(cls.service, str(info.field_name), given, info.data)
        return given

    @field_validator("jwt_keys")
    @classmethod
    def _refuse_an_issuer_without_keys(cls, keys: str | None, info: ValidationInfo) -> str | None:
        if "jwt_issuer" in info.data and (keys is None) is not (info.data["jwt_issuer"] is None):
            raise ValueError("must be set together with JWT_ISSUER, or not at all")
        if keys and keys.startswith("http://") and info.data.get("django_env") == "production":
            raise ValueError("must be https:// or a file in production: a forged answer would open the service")
        return keys

    @field_validator("allowed_hosts")
    @classmethod
    def _refuse_any_host(cls, hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("django_env") == "production" and "*" in hosts:
            raise ValueError("must not hold * in production")
        return hosts

    @field_validator("fault_point", "development_recording")
    @classmethod
    def _refuse_in_production(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file and info.data.get("django_env") == "production":
            raise ValueError("must not be set in production")
        return file

    @classmethod
    def _development_database(cls, info: ValidationInfo) -> SecretStr:
        if info.data.get("django_env") == "production":
            raise ValueError("must be set in production: postgres://…, or sqlite:////path for a file on purpose")
        extra: Any = cls.model_fields["database_url"].json_schema_extra
        return SecretStr(f"sqlite:///{extra['file']}")

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _refuse_an_unusable_database(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None:
            return None
        if not url.get_secret_value():  # only the default can be empty
            url = cls._development_database(info)
        try:
            parsed = dj_database_url.parse(url.get_secret_value())
        except Exception:  # noqa: BLE001 - its errors quote the URL with its password
            raise ValueError("is not a database URL that Django knows") from None
        if not parsed["ENGINE"].endswith((".postgresql", ".sqlite3")):
            raise ValueError("must be postgres://… or sqlite:///…")
        if not parsed.get("NAME"):
            raise ValueError("names no database")
        if info.data.get("django_env") == "production":
            validators.strong_database_password(parsed)
        return url
