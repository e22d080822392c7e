"""The environment: origins and faults of values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.config.faults import ConfigurationError
from ops.config.service import HttpUrl, Seconds
from ops.config.sources import likely_typos
from ops.tests.service_tokens import key_pair
from ops.tests.settings import PlainConfig

GOOD_KEY = "k8Jw2xQm-Zr5Tn0Lc7Vb3Hs9Df4Gp6Ya1Ee"
GOOD_TOKEN = "Qd4Vt8Yb2Nf6Kx0Ws5Mh9Rj3Lp7Zc1Ga"
PRODUCTION = {
    "DJANGO_ENV": "production",
    "SECRET_KEY": GOOD_KEY,
    **key_pair("plain-service"),
    "ALLOWED_HOSTS": "shop.internal",
    "DATABASE_URL": "sqlite:////srv/shop.sqlite3",
}


class CallingConfig(PlainConfig):
    """A service that calls another one."""

    products_service_url: HttpUrl = "http://localhost:3001"
    products_deadline: Seconds = 2.5


def faults(**environ: str) -> dict[str, str]:
    return dict(PlainConfig.read(environ).faults)


def config(**environ: str) -> PlainConfig:
    reading = PlainConfig.read(environ)
    assert reading.config is not None, reading.faults
    return reading.config


def test_an_empty_environment_is_sound_in_development() -> None:
    reading = PlainConfig.read({})

    assert reading.config is not None
    assert set(reading.origins.values()) == {"default"}


def test_an_empty_variable_counts_as_unset() -> None:
    reading = PlainConfig.read({"PORT": "", "PORT_FILE": ""})

    assert reading.config is not None
    assert reading.config.port == 3000
    assert reading.origins["PORT"] == "default"


def test_all_faults_are_reported_together_each_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "70000")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("WEB_THREADS", "many")

    with pytest.raises(ConfigurationError) as raised:
        PlainConfig.load()

    assert set(raised.value.faults) == {"PORT", "LOG_LEVEL", "WEB_THREADS"}
    assert str(raised.value).splitlines() == [
        "plain-service: the environment has 3 faults:",
        "  LOG_LEVEL: must be 'debug', 'info', 'warning' or 'error'",
        "  PORT: must be less than or equal to 65535",
        "  WEB_THREADS: must be a valid integer",
    ]


def test_a_default_that_depends_on_a_faulty_variable_is_no_fault_of_its_own() -> None:
    assert set(faults(DJANGO_ENV="staging")) == {"DJANGO_ENV"}


def test_a_file_holds_a_variable_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")

    reading = PlainConfig.read({"SECRET_KEY_FILE": str(tmp_path / "key")})

    assert reading.config is not None
    assert reading.config.secret_key.get_secret_value() == "from a file"
    assert reading.origins["SECRET_KEY"] == "file"


def test_a_file_that_can_be_read_only_once_is_enough(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"4000\n")
    os.close(writer)

    try:
        assert config(PORT_FILE=f"/proc/self/fd/{reader}").port == 4000
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "cannot be read: is not UTF-8"),
    ],
)
def test_a_file_that_gives_no_value_is_a_fault(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "port"
    if content is not None:
        path.write_bytes(content)

    assert faults(PORT_FILE=str(path)) == {"PORT": f"PORT_FILE={path} {fault}"}


def test_a_variable_that_is_set_twice_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("4000")

    assert faults(PORT="3000", PORT_FILE=str(tmp_path / "port")) == {"PORT": "is set twice: by PORT and by PORT_FILE"}


def test_a_fault_of_a_secret_never_quotes_it() -> None:
    found = faults(
        **PRODUCTION | {"SECRET_KEY": "changeme-canary", "DATABASE_URL": "mysql://me:canary@db:notaport/x?a=canary"}
    )

    assert set(found) == {"SECRET_KEY", "DATABASE_URL"}
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", f"django-insecure-{GOOD_KEY}"),
        ("SECRET_KEY", f"{GOOD_KEY}-changeme"),
        ("SERVICE_KEY", ""),
        ("SERVICE_TOKEN", "short"),
        ("SERVICE_TOKEN", "a" * 64),
        ("SERVICE_TOKEN", f"{GOOD_TOKEN}-changeme"),
        ("SECRET_KEY_FALLBACKS", f"{GOOD_KEY},short"),
        ("SECRET_KEY_FALLBACKS", "a" * 64),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "shop.internal, *"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgres://argos:postgres@db/argos"),
        ("DATABASE_URL", "postgres://argos:123456@db/argos"),
        ("DATABASE_URL", "postgres://argos:Qwertyuiop@db/argos"),
        ("DATABASE_URL", "postgres://shopkeeper7:shopkeeper7@db/argos"),
        ("DATABASE_URL", "postgres://argos@db/argos"),
        ("DATABASE_URL", "postgres://argos@/argos?host=db"),
        ("DATABASE_URL", "postgres://argos@db/argos?password=123456"),
        ("DATABASE_DIRECT_URL", "postgres://argos@db/argos"),
        ("DATABASE_URL", "postgres://argos:ChangeMe@db/argos"),
        ("DEVELOPMENT_RECORDING", "/tmp/recording.sqlite3"),
    ],
)
def test_production_refuses_what_development_allows(variable: str, value: str) -> None:
    assert set(faults(**PRODUCTION | {variable: value})) == {variable}
    assert faults(**{variable: value}) == {}


def test_a_sound_production_environment_is_accepted() -> None:
    found = config(**PRODUCTION | {"DATABASE_URL": "postgres://argos:x9-Kd_2qPw@db:5432/argos"})

    assert found.is_production
    assert found.log_format == "json"


@pytest.mark.parametrize(
    "url",
    [
        "postgres:///argos",
        "postgres://argos@%2Fvar%2Frun%2Fpostgresql/argos",
        "postgres://argos@/argos?host=/var/run/postgresql",
        "postgres://argos@db/argos?sslcert=/run/client.pem&sslkey=/run/client.key",
        "postgres://argos@db/argos?passfile=/run/secrets/pgpass",
    ],
)
def test_production_needs_no_password_where_another_proof_stands_for_it(url: str) -> None:
    assert faults(**PRODUCTION | {"DATABASE_URL": url}) == {}


@pytest.mark.parametrize(
    ("hosts", "named"),
    [
        ("shop.example 127.0.0.1", "'shop.example 127.0.0.1'"),
        ('["a"]', "'[\"a\"]'"),
        ("shop.example,a:3001", "'a:3001'"),
        ("http://a", "'http://a'"),
        ("http://me:canary@a", "'a'"),
        ("a/b", "'a/b'"),
        ("*.shop.example", "'*.shop.example'"),
        ("shop.example.", "'shop.example.'"),
        ("shop_example", "'shop_example'"),
        ("::1", "'::1'"),
        ("b\xfccher.example", "'b\xfccher.example'"),
    ],
)
def test_a_host_that_no_request_can_have_is_a_fault_and_is_named(hosts: str, named: str) -> None:
    found = faults(ALLOWED_HOSTS=hosts)

    assert found["ALLOWED_HOSTS"].startswith(f"holds {named}, which matches no Host header")


def test_names_addresses_and_subdomains_are_hosts() -> None:
    hosts = ("*", "localhost", "Shop.Example", ".shop.example", "127.0.0.1", "[::1]", "xn--bcher-kva.example")

    assert config(ALLOWED_HOSTS=",".join(hosts)).allowed_hosts == hosts


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://Shop.example",
        "https://.shop.example",
        "ftp://shop.example",
        "https://*",
        "https://a https://b",
        '["https://a"]',
        "https://",
    ],
)
def test_an_origin_that_no_form_can_have_is_a_fault_and_is_named(origin: str) -> None:
    found = faults(CSRF_TRUSTED_ORIGINS=f"https://shop.example,{origin}")

    assert found["CSRF_TRUSTED_ORIGINS"].startswith(f"holds '{origin}', which matches no Origin header")


def test_schemes_ports_and_subdomains_are_origins() -> None:
    origins = ("https://shop.example", "http://localhost:3001", "https://*.shop.example", "http://[::1]:3001")

    assert config(CSRF_TRUSTED_ORIGINS=",".join(origins)).csrf_trusted_origins == origins


@pytest.mark.parametrize("token", ["two words", "tökén", "a\nb", "a=b", '"quoted"'])
def test_a_token_that_no_header_carries_is_a_fault_and_is_not_quoted(token: str) -> None:
    found = faults(SERVICE_TOKEN=token)

    assert set(found) == {"SERVICE_TOKEN"}
    assert token not in found["SERVICE_TOKEN"]


@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_a_variable_that_this_release_has_removed_is_a_fault_that_says_what_to_do(suffix: str) -> None:
    found = faults(**PRODUCTION | {f"SERVICE_TOKEN_PREVIOUS{suffix}": "canary"})

    assert set(found) == {"SERVICE_TOKEN_PREVIOUS"}
    assert "unset it" in found["SERVICE_TOKEN_PREVIOUS"]
    assert faults(**PRODUCTION | {f"SERVICE_TOKEN_PREVIOUS{suffix}": ""}) == {}


@pytest.mark.parametrize("url", ["mysql://h/d", "postgres://h", "postgres://h/", "h/d", "postgres://u:p@h:x/d"])
def test_a_database_url_that_leads_nowhere_is_a_fault(url: str) -> None:
    assert set(faults(DATABASE_URL=url)) == {"DATABASE_URL"}


@pytest.mark.parametrize(
    "url",
    [
        *(
            "products:3001",
            "//products",
            "ftp://products",
            "http://",
            "http://h:0",
            "http://h:99999",
            "http://me:pw@h/",
        ),
        *("http://h?x=1", "http://h/?", "http://h/#f", "http://h#", "http://bücher.example"),
    ],
)
def test_a_peers_url_must_be_absolute_and_without_credentials_query_and_fragment(url: str) -> None:
    assert set(CallingConfig.read({"PRODUCTS_SERVICE_URL": url}).faults) == {"PRODUCTS_SERVICE_URL"}


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "301"])
def test_a_time_must_be_a_finite_number_of_seconds(seconds: str) -> None:
    assert set(CallingConfig.read({"PRODUCTS_DEADLINE": seconds}).faults) == {"PRODUCTS_DEADLINE"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("LOGLEVEL", "LOG_LEVEL"),
        ("LOG_LEVAL", "LOG_LEVEL"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("LOG_LEVELS", "LOG_LEVEL"),
        ("log_level", "LOG_LEVEL"),
        ("LOG-LEVEL", "LOG_LEVEL"),
        ("DATABASE_ULR", "DATABASE_URL"),
        ("DATABASEURL", "DATABASE_URL"),
        ("SECRETKEY_FILE", "SECRET_KEY_FILE"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("PRODUCT_SERVICE_URL", "PRODUCTS_SERVICE_URL"),
    ],
)
def test_a_likely_typo_is_named_with_what_it_means(written: str, meant: str) -> None:
    assert likely_typos(CallingConfig.variables(), {written: "x"}) == {written: meant}


SHELL = """SHELL PWD LOGNAME HOME LANG LS_COLORS LESSCLOSE TERM USER DISPLAY SHLVL PATH MAIL _ EDITOR PROFILE VISUAL
HOSTNAME VIRTUAL_ENV VIRTUAL_ENV_PROMPT PYTHONPATH PYTHONUNBUFFERED PYENV_ROOT NVM_DIR SSH_AUTH_SOCK SSH_CONNECTION
TMPDIR XDG_RUNTIME_DIR XDG_SESSION_TYPE DBUS_SESSION_BUS_ADDRESS COLORTERM GPG_AGENT_INFO http_proxy no_proxy LC_ALL TZ
AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SECRET_KEY RUST_LOG LOG_FILE NODE_ENV DOCKER_HOST"""
DJANGO = """DJANGO_SETTINGS_MODULE DJANGO_LOG_LEVEL TEST_DATABASE_URL DATABASE_HOST DATABASE_PORT DATABASE_NAME
GUNICORN_CMD_ARGS WEB_PORT PROMETHEUS_MULTIPROC_DIR OTEL_SERVICE_NAME OTEL_LOG_LEVEL OTEL_EXPORTER_OTLP_ENDPOINT
OTEL_SERVICE_VERSION SECRET_KEY_BASE POSTGRES_PASSWORD PGHOST COVERAGE_PROCESS_START PYTEST_CURRENT_TEST"""
CI = """CI GITHUB_ACTIONS GITHUB_REF GITHUB_SHA GITHUB_TOKEN GITHUB_WORKFLOW RUNNER_OS RUNNER_TEMP ACTIONS_CACHE_URL
ImageVersion ImageOS GITLAB_CI CI_COMMIT_SHA CI_JOB_ID CI_SERVICE_VERSION BUILD_NUMBER JENKINS_URL JOB_NAME"""
SERVICES = "KUBERNETES PRODUCTS ORDERS PRODUCTS_SERVICE ORDERS_SERVICE JAEGER DATABASE WEB"
SUFFIXES = """SERVICE_HOST SERVICE_PORT SERVICE_PORT_HTTP SERVICE_PORT_HTTPS PORT PORT_3001_TCP PORT_3001_TCP_ADDR
PORT_3001_TCP_PORT PORT_3001_TCP_PROTO PORT_5432_TCP"""
KUBERNETES = [f"{service}_{suffix}" for service in SERVICES.split() for suffix in SUFFIXES.split()]


def test_an_ordinary_environment_has_no_likely_typos() -> None:
    names = [*SHELL.split(), *DJANGO.split(), *CI.split(), *KUBERNETES]
    known = [name.upper() for name in CallingConfig.model_fields]

    assert (
        likely_typos(
            CallingConfig.variables(), dict.fromkeys([*names, *known, *(f"{name}_FILE" for name in known)], "x")
        )
        == {}
    )
