"""Both services match their OpenAPI documents for all requests that schemathesis generates, through the gateway too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.gateway import Gateway, gateway, skip_without_nginx
from tests.processes import ROOT, Service, Stack, manage, running_stack
from tests.staff import csrf_cookie, staff_session

SEED = "20261120"
SHARED = "a-token-for-tests-only-0123456789-abcdefgh"  # a signed one would not live as long as a run
EXAMPLES = "4"  # for each operation and phase; about 200 requests a run

CONFIGURATION = """
{login}
[generation]
# Unknown headers are ignored, as everywhere on the web.
allow-extra-parameters = false

[checks]
# Well-formed may still be wrong: a product that does not exist, a cursor of another list, a name of blanks, an id that
# was used otherwise, the tag of another product.
positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "401", "403", "404", "409", "412", "422"]
"""
LOGIN = """
hooks = "tests.schemathesis_hooks"
[auth.openapi.cookieAuth]
api_key = "{session}"
"""
BEARER = """
[auth.openapi.accessToken]
bearer = "{token}"
"""
TOKEN = f"""
[auth.openapi.serviceToken]
bearer = "{SHARED}"
"""
SCOPES = {"products": ["products:write"], "orders": ["orders:write", "orders:read"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("schemathesis")
    with running_stack(directory, TRUSTED_PROXIES="127.0.0.1", SERVICE_TOKEN=SHARED) as running:
        yield running


@pytest.fixture(scope="module")
def door(stack: Stack) -> Iterator[Gateway]:
    skip_without_nginx()
    behind = {f"GATEWAY_{name.upper()}": f"127.0.0.1:{getattr(stack, name).port}" for name in ("products", "orders")}
    limits = ("GATEWAY_RATE", "GATEWAY_BURST", "GATEWAY_ADDRESS_RATE", "GATEWAY_ADDRESS_BURST")
    with gateway(**behind, **dict.fromkeys(limits, "10000")) as running:  # else nearly every answer is a 429
        yield running


def explore(
    service: Service, directory: Path, contract: str, *arguments: str, login: str = "", token: str = ""
) -> None:
    configuration = directory / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(login=login))

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={configuration}",
            "run",
            contract,
            *arguments,
            f"--seed={SEED}",
            f"--max-examples={EXAMPLES}",
            "--checks=all",
            "--continue-on-failure",
            "--generation-database=none",
            "--no-color",
        ],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)}  # without coverage, which measures the service only
        | {"PYTHONPATH": str(ROOT), "CSRF_TOKEN": token, "CSRF_COOKIE": csrf_cookie(service)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    print(done.stdout, done.stderr)  # names the seed; shown when the test fails
    assert done.returncode == 0
    assert " passed" in done.stdout
    failed = [line for line in service.log_lines() if line.get("status", 0) >= 500 or "exception" in line]
    assert failed == []


def access_token(service: Service, name: str) -> str:
    """Return a token that opens every operation, made as an operator does."""
    for arguments in (["rotate_keys"], ["create_client", "explorer", "--scope", *SCOPES[name]]):
        assert manage(service.project, *arguments, env=service.env).returncode == 0
    return manage(service.project, "issue_token", "explorer", env=service.env).stdout.strip()


@pytest.mark.parametrize("name", ["products", "orders"])
@pytest.mark.parametrize("has_token", [False, True], ids=["anonymous", "token"])
def test_clients_of_the_gateway_get_only_what_is_documented(
    stack: Stack, door: Gateway, name: str, has_token: bool, tmp_path: Path
) -> None:
    service: Service = getattr(stack, name)
    login = BEARER.format(token=access_token(service, name)) if has_token else ""
    closed = ["--exclude-path-regex=^/(events|reservations)"] if name == "products" else []

    url = f"http://127.0.0.1:{door.port}"
    explore(service, tmp_path, f"{url}/{name}-service/openapi.json", f"--url={url}", *closed, login=login)


@pytest.mark.parametrize("name", ["products", "orders"])
def test_staff_and_services_get_only_what_is_documented(stack: Stack, name: str, tmp_path: Path) -> None:
    service: Service = getattr(stack, name)
    session = staff_session(service)
    login = LOGIN.format(session=session.cookies[f"{name}_session"])
    if name == "products":  # only its document contains it
        login += TOKEN

    explore(
        service,
        tmp_path,
        f"{service.url}/openapi.json",
        login=login,
        token=session.cookies[csrf_cookie(service)],
    )


@pytest.mark.parametrize("name", ["products", "orders"])
def test_the_page_of_the_document_needs_nothing_from_elsewhere(stack: Stack, name: str) -> None:
    service: Service = getattr(stack, name)

    page = requests.get(f"{service.url}/docs", timeout=30)

    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) >= 4
    for asset in assets:
        assert asset.startswith(("/", "docs?")), asset
        answer = requests.get(urljoin(f"{service.url}/docs", asset), timeout=30)
        assert answer.status_code == 200, asset
        assert answer.content, asset
