"""Development takes .env into its environment by one reader, names what it cannot take; production reads none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.config.env_file import read_env_file
from ops.config.service import ServiceConfig
from ops.tests.settings import PlainConfig

LINES = """\
# a comment
LOG_LEVEL=debug
export LOG_FORMAT = "json"
SECRET_KEY='it is # quoted, $HOME and all'
COMMAND_METRICS_DIR=ab#cd
SERVICE_VERSION=shop.7 # a comment
DATABASE_URL="postgres://guest:guest@localhost:5432/shop"
"""


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a file of its own, in an environment without any variable of a service; leave no trace of it."""
    file = tmp_path / ".env"
    for name in PlainConfig.variables():
        monkeypatch.setenv(name, "")  # so that it is put back, whatever the test has read
        monkeypatch.delenv(name)
    monkeypatch.setattr("ops.config.env_file.taken", set())
    monkeypatch.setenv("ARGOS_ENV_FILE", str(file))
    return file


def read() -> ServiceConfig:
    read_env_file()
    return PlainConfig.load()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quotes_export_blanks_and_comments_are_read_as_docker_compose_does(
    env_file: Path, encoding: str, newline: str
) -> None:
    env_file.write_text(LINES, encoding=encoding, newline=newline)

    config = read()

    assert (config.log_level, config.log_format, config.service_version) == ("debug", "json", "shop.7")
    assert config.command_metrics_dir == "ab#cd"
    assert config.secret_key.get_secret_value() == "it is # quoted, $HOME and all"
    assert config.database_url.get_secret_value() == "postgres://guest:guest@localhost:5432/shop"
    assert PlainConfig.read().origins["LOG_LEVEL"] == ".env"


def test_the_environment_is_above_the_file_and_an_empty_variable_is_unset(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("LOG_LEVEL=debug\nPORT=4000\n")
    monkeypatch.setenv("LOG_LEVEL", "error")
    monkeypatch.setenv("PORT", "")

    config = read()

    assert (config.log_level, config.port) == ("error", 4000)
    assert PlainConfig.read().origins["LOG_LEVEL"] == "environment"


def test_each_line_that_cannot_be_taken_is_named_and_its_value_is_not(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text('LOG_LEVEL=debug\n\n\nSECRET canary\nLOG FORMAT=canary\n2FA=canary\nPORT\nX="canary\n')

    with pytest.raises(SystemExit) as ended:
        read_env_file()

    assert ended.value.code == 2
    assert capsys.readouterr().err == "".join(f"{env_file}: line {n} is not NAME=value\n" for n in (4, 5, 6, 7, 8))


def test_a_file_in_another_encoding_is_refused(env_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env_file.write_text("LOG_LEVEL=debug\n", encoding="utf-16")

    with pytest.raises(SystemExit):
        read_env_file()

    assert capsys.readouterr().err == f"{env_file}: is not UTF-8\n"


@pytest.mark.parametrize("production", [{"DJANGO_ENV": "production"}, {"DJANGO_ENV_FILE": "/run/secrets/django_env"}])
def test_production_reads_no_file(env_file: Path, monkeypatch: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    env_file.write_text("PORT=4000\nnonsense\n")
    for name, value in production.items():
        monkeypatch.setenv(name, value)

    read_env_file()

    assert PlainConfig.read({}).config == PlainConfig(port=3000)


def test_a_file_cannot_turn_production_on(env_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env_file.write_text("DJANGO_ENV=production\n")

    with pytest.raises(SystemExit):
        read_env_file()

    assert "line 1 sets DJANGO_ENV=production" in capsys.readouterr().err
