"""Make a service of the frame of products (settings, configuration, Dockerfile) and the app of template/."""

from __future__ import annotations

import keyword
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from scripts.blocks import Rename

ROOT = Path(__file__).resolve().parent.parent
PATHS = {"docs", "events", "metrics"}  # of every service
LABELS = """
import os, django
from django.apps import apps
os.environ["DJANGO_SETTINGS_MODULE"] = "products_project.settings"
django.setup()
print(*(app.label for app in apps.get_app_configs()))
"""
# The files of a service that are not its app.
FRAME = ("__init__.py", "manage.py", "settings.py", "urls.py", "wsgi.py", "config.py", "Dockerfile", "pytest.ini")
CONSUMERS = ("consumer:", "[consumer]", "[consumer,", "name: consumer", ", consumer,")  # the name, not the word
GENERATORS = ("prometheus.make_slo_rules", "kubernetes.make_prometheus_rule", "grafana.make_dashboards")


def fault_of(name: str, taken: set[str]) -> str:
    """Return what is wrong with the name of a service, or nothing."""
    if not re.fullmatch(r"[a-z]{2,20}s", name):
        return f"{name!r} is not a plural of 3 to 21 letters a-z that ends with s"
    return f"the name {name} is taken" if name in taken else ""


def taken_names() -> set[str]:
    """Return the names of Python, of the apps of products, of the paths, folders and services here."""
    labels = python("-c", LABELS, output=subprocess.PIPE).split()
    folders = [path.name.removesuffix("_project") for path in ROOT.iterdir() if path.is_dir()]
    return {*keyword.kwlist, *keyword.softkwlist, *labels, *folders, *PATHS}


def renaming(name: str, port: int) -> Rename:
    """Return the function that turns the text of products, or of template/, into that of the new service."""
    single = name.removesuffix("s")
    words = {
        "products-seed": f"{name}-migrate",
        "purge_reservations": f"purge_{name}",
        '"/reservations", ': "",
        "products.services.sales.count_sale": f"{name}.services.record_{single}",
        "The catalogue of products": f"The {name} of confirmed orders",
        "3001": str(port),
        ", products-seed": "",
        **{word: word.replace("consumer", f"{name}-consumer") for word in CONSUMERS},
    }
    for old, new in (("products", name), ("invoices", name), ("invoice", single)):
        words |= {old: new, old.capitalize(): new.capitalize(), old.upper(): new.upper()}
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda found: words[found[0]], text)


def write_service(root: Path, name: str, rename: Rename) -> None:
    """Write the folder of the service and its requirements; copies keep the rights of their sources."""
    project = root / f"{name}_project"
    sources = {path: path.relative_to(ROOT / "template") for path in (ROOT / "template").glob("*_project/**/*")}
    sources |= {ROOT / "products_project" / file: Path(project.name) / file for file in FRAME}
    for source, target in sources.items():
        if source.is_file() and "__pycache__" not in source.parts:
            copy = root / rename(str(target))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(rename(source.read_text(encoding="utf-8")), encoding="utf-8")
            copy.chmod(source.stat().st_mode)
    for suffix in ("in", "txt"):
        source = ROOT / "requirements" / f"products.{suffix}"
        (root / "requirements" / f"{name}.{suffix}").write_bytes(source.read_bytes())


def generate(root: Path, name: str) -> None:
    """Write what scripts make of the rest: the migration, rules, dashboards and documents."""
    project = f"{name}_project"
    python(f"{project}/manage.py", "makemigrations", name, "--name", "initial", "--verbosity", "0", root=root)
    for module in GENERATORS:
        python("-m", module, root=root)
    python("scripts/document-config", root=root)
    python("scripts/document-commands", root=root)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # a new folder has no .venv yet
    subprocess.run(["scripts/document-openapi"], cwd=root, env={"PATH": path}, check=True)  # noqa: S607 - our own
    if find_spec("ruff"):  # the order of imports and the breaks of lines depend on the name
        python("-m", "ruff", "check", "--quiet", "--no-cache", "--select", "I,F401", "--fix", ".", root=root)
        python("-m", "ruff", "format", "--quiet", "--no-cache", ".", root=root)


def python(*arguments: str, root: Path = ROOT, output: int | None = None) -> str:
    """Run a program of a repository, without the variables of this shell."""
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": "sqlite://:memory:", "ARGOS_ENV_FILE": os.devnull}
    done = subprocess.run(  # noqa: S603 - our own programs
        [sys.executable, *arguments], cwd=root, env=env, check=True, stdout=output, text=True
    )
    return done.stdout or ""
