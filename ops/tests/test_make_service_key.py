"""make_service_key makes a pair: the private key for one service, the public one for all."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ops.management.commands.make_service_key import Command
from ops.tests.run_command import run
from ops.tests.settings import PlainConfig


def made(*options: Any) -> tuple[object, str, str]:
    return run(Command(), *map(str, options))


def test_the_files_are_sound_variables_and_the_private_one_is_its_owners(tmp_path: Path) -> None:
    private, public = tmp_path / "service_key", tmp_path / "service_keys"

    code, said, _ = made("--to", private, "--add-to", public)

    key = json.loads(private.read_text())
    assert (code, said) == (0, f"Key {key['kid']} of plain-service is in {private}.\n")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert key["d"] not in said + public.read_text()
    files = {"SERVICE_KEY_FILE": str(private), "SERVICE_KEYS_FILE": str(public)}
    assert PlainConfig.read(files).faults == {}


def test_without_a_file_the_private_key_is_all_of_standard_output(tmp_path: Path) -> None:
    public = tmp_path / "service_keys"

    first, second = (made("--add-to", public)[1] for _ in range(2))

    for private in (first, second):  # the second key was added to the first one
        assert PlainConfig.read({"SERVICE_KEY": private, "SERVICE_KEYS": public.read_text()}).faults == {}


def test_one_file_for_both_halves_is_refused(tmp_path: Path) -> None:
    code, _, errors = made("--to", tmp_path / "key", "--add-to", tmp_path / "key")

    assert (code, "name the same file" in errors, list(tmp_path.iterdir())) == (2, True, [])


def test_json_has_both_keys_or_the_public_one_alone(tmp_path: Path) -> None:
    shown = json.loads(made("--json")[1])
    hidden = json.loads(made("--json", "--to", tmp_path / "key")[1])

    pair = {"SERVICE_KEY": shown["privateKey"], "SERVICE_KEYS": {"keys": [shown["publicKey"]]}}
    assert PlainConfig.read({name: json.dumps(value) for name, value in pair.items()}).faults == {}
    assert "privateKey" not in hidden
    assert "d" not in hidden["publicKey"]


def test_a_private_key_is_never_overwritten_and_the_public_ones_stay(tmp_path: Path) -> None:
    private, public = tmp_path / "key", tmp_path / "keys"
    made("--to", private, "--add-to", public)
    before = private.read_text(), public.read_text()

    code, _, said = made("--to", private, "--add-to", public)

    assert (code, said) == (2, f"{private} cannot be written: File exists.\n")
    assert (private.read_text(), public.read_text()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "keys"]


@pytest.mark.parametrize("text", ["", "{}", '{"keys": [{}]}', "\0"])
def test_a_file_that_is_not_a_key_set_stays_as_it_is(tmp_path: Path, text: str) -> None:
    public = tmp_path / "keys"
    public.write_text(text)

    code, _, said = made("--to", tmp_path / "key", "--add-to", public)

    assert code == 2
    assert said.startswith(f"{public} ")
    assert public.read_text() == text
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(("to", "add_to"), [("loop", "keys"), ("key", "loop")])
def test_a_loop_of_symbolic_links_is_named(tmp_path: Path, to: str, add_to: str) -> None:
    (tmp_path / "loop").symlink_to("loop")

    code, _, said = made("--to", tmp_path / to, "--add-to", tmp_path / add_to)

    assert code == 2
    assert said.startswith(f"{tmp_path / 'loop'} cannot be written: ")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("option", ["--to", "--add-to"])
def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, option: str) -> None:
    file = tmp_path / "missing" / "file"

    code, _, said = made(option, file)

    assert code == 2
    assert said.startswith(f"{file} cannot be written: No such file")
