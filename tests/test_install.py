"""scripts/install makes the environment, says what is wrong with a Python, and clears nothing but its own folder."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.checkout import copy_checkout
from tests.processes import ROOT, clean_environment


def install(
    python: object, venv: Path, *django: str, root: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "scripts" / "install", str(python), venv, "run", *django],
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fake_python(directory: Path, script: str) -> Path:
    python = directory / "python-of-a-kind"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy this checkout, with one package to install that is made here: wheels by the name of django."""
    checkout = copy_checkout(tmp_path / "argos")
    for requirements, version in (("run", "5.2.0"), ("django-6.1", "6.1.0")):
        wheel = django_wheel(tmp_path, version)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        pinned = f"django @ {wheel.as_uri()} --hash=sha256:{digest}\n"
        (checkout / "requirements" / f"{requirements}.txt").write_text(pinned)
    return checkout


def django_wheel(directory: Path, version: str) -> Path:
    wheel = directory / f"django-{version}-py3-none-any.whl"
    about = f"django-{version}.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("django/__init__.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: django\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def test_pips_own_variables_and_files_send_nothing_elsewhere(checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "pip.conf").write_text(f"[install]\nuser = true\nroot = {elsewhere}\n")
    hostile = {"PIP_TARGET": str(elsewhere), "PIP_USER": "1", "PIP_DRY_RUN": "1", "PIP_REQUIRE_VIRTUALENV": "1"}
    hostile |= {"PYTHONHOME": "/nowhere", "PYTHONPATH": str(elsewhere), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    venv = checkout / ".venv"

    done = install(sys.executable, venv, root=checkout, PIP_NO_INDEX="1", **hostile)

    assert done.returncode == 0, done.stderr
    assert list(venv.glob("lib/python*/site-packages/django/__init__.py"))
    assert not elsewhere.exists()
    assert (venv / "bin" / "installed-run").read_text() == (checkout / "requirements" / "run.txt").read_text()
    assert install(sys.executable, venv, root=checkout).stdout == ""  # nothing to do


def test_another_django_takes_the_place_of_the_pinned_one(checkout: Path) -> None:
    venv = checkout / ".venv"

    done = install(sys.executable, venv, "6.1", root=checkout, PIP_NO_INDEX="1")

    assert done.returncode == 0, done.stderr
    assert [path.name for path in venv.glob("lib/python*/site-packages/django-*")] == ["django-6.1.0.dist-info"]
    assert install(sys.executable, venv, "6.1", root=checkout).stdout == ""  # nothing to do


def test_an_installation_that_was_broken_off_is_begun_again(checkout: Path) -> None:
    requirements = checkout / "requirements" / "run.txt"
    sound = requirements.read_text()
    requirements.write_text(sound.replace("sha256:", "sha256:0"))
    venv = checkout / ".venv"

    broken = install(sys.executable, venv, root=checkout, PIP_NO_INDEX="1")
    requirements.write_text(sound)
    mended = install(sys.executable, venv, root=checkout, PIP_NO_INDEX="1")

    assert broken.returncode != 0
    assert mended.returncode == 0, mended.stderr


def test_a_folder_that_it_did_not_make_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "env" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("years of work")

    asked = install(sys.executable, precious.parent)

    assert asked.returncode == 1
    assert "holds something that Argos did not install" in asked.stderr
    assert precious.read_text() == "years of work"


def test_a_python_that_cannot_make_environments_is_a_clear_message(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f'case "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"')

    asked = install(python, tmp_path / "venv")

    assert asked.returncode == 1
    assert "apt-get install python3-venv" in asked.stderr


def test_an_old_python_is_a_clear_message(tmp_path: Path) -> None:
    asked = install(fake_python(tmp_path, "echo 3.10"), tmp_path / "venv")

    assert asked.returncode == 1
    assert "needs Python 3.11 or newer" in asked.stderr
    assert "is 3.10" in asked.stderr


def test_a_python_that_is_not_there_is_not_called_old(tmp_path: Path) -> None:
    asked = install("python3.99", tmp_path / "venv")

    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr == "There is no 'python3.99' here. Choose a Python: make run PYTHON=python3.13\n"


def test_a_pyenv_shim_without_its_version_says_so_itself(tmp_path: Path) -> None:
    shim = fake_python(tmp_path, 'echo "pyenv: version 3.12.1 is not installed" >&2; exit 1')

    asked = install(shim, tmp_path / "venv")

    assert asked.returncode == 1
    assert asked.stderr == f"'{shim}' does not start:\npyenv: version 3.12.1 is not installed\n"
