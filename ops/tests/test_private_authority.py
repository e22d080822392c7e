"""PEER_CA_BUNDLE and PEER_CLIENT_CERTIFICATE hold for every peer, against a real TLS server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ops.cli.run_metrics import record_run
from ops.config.validators import client_certificate
from ops.diagnosis.surroundings import ask_url
from ops.tests.raw_peer import CERTIFICATE, RawPeer, raw_peer
from ops.tests.settings import PlainConfig

ENCRYPTED_KEY = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAicQ5i0RpzQjgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEMKVfOX8MbM62jNSyE9I7QgEgZD5
CxamHBKT48QCSW3G62hA3hWspdmg07yQs++mUPLcNA7oMcE7VoDVgAsllHR/5EO4
MERpDz4qJKQeI9qPSGR/3MDFqKiRMTEDJGWiHoXufaTGsxAuaP5PY1LkRLMnS79O
PvxvK/QoHcTyrV3sgv1GMekW7LD0Rmc/5fuELdVxrU448B4EYincgLkcknY3v2I=
-----END ENCRYPTED PRIVATE KEY-----
"""


def config(**variables: str) -> PlainConfig:
    reading = PlainConfig.read(variables)
    assert reading.config is not None, reading.faults
    return reading.config


def trusting(**variables: str) -> PlainConfig:
    return config(PEER_CA_BUNDLE=str(CERTIFICATE), **variables)


def test_a_probe_trusts_it() -> None:
    with raw_peer(RawPeer.answer_forever, tls=True) as peer:
        ask_url(trusting(), url=peer.url("https"), timeout=5)

        with pytest.raises(OSError, match="SSLCertVerificationError"):
            ask_url(config(), url=peer.url("https"), timeout=5)


def test_the_pushgateway_is_trusted() -> None:
    def answer(peer: RawPeer, sock: socket.socket) -> None:
        peer.requests.append(sock.recv(65_536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with raw_peer(answer, tls=True) as peer, capture_logs() as logs:
        record_run(trusting(PUSHGATEWAY_URL=peer.url("https")), command="purge", outcome="done", seconds=1.5)

    assert logs == []
    assert peer.requests[0].startswith(b"POST /metrics/job/plain-service/command/purge HTTP/1.1\r\n")


def test_a_peer_that_asks_for_a_certificate_gets_it() -> None:
    with raw_peer(RawPeer.answer_forever, tls=True, asks_for_certificate=True) as peer:
        ask_url(trusting(PEER_CLIENT_CERTIFICATE=str(CERTIFICATE)), url=peer.url("https"), timeout=5)

        with pytest.raises(OSError, match=r"^(SSL.*|ConnectionResetError|BrokenPipeError|RemoteDisconnected)$"):
            ask_url(trusting(), url=peer.url("https"), timeout=5)


@pytest.mark.parametrize("variable", ["PEER_CA_BUNDLE", "PEER_CLIENT_CERTIFICATE"])
def test_a_file_that_holds_no_certificate_is_a_fault(variable: str, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("canary")

    for path in (text, tmp_path / "missing.pem", tmp_path):
        found = PlainConfig.read({variable: str(path)}).faults

        assert set(found) == {variable}
        assert "PEM" in found[variable]


def test_a_key_with_a_password_is_a_fault_and_asks_nobody(tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.pem"
    certificate = CERTIFICATE.read_text().partition("-----BEGIN CERTIFICATE-----")
    encrypted.write_text(ENCRYPTED_KEY + "".join(certificate[1:]))

    with pytest.raises(ValueError, match="without a password"):
        client_certificate(str(encrypted))
