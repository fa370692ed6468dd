"""docker-compose.yml, Dockerfile and .env.example held against the settings, the lock and the bootstrap.

No container engine runs where the tests do: what can be wrong without one is looked up here.
"""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from celery.bin.celery import celery
from django.conf import settings
from django.core.management import get_commands
from gunicorn.config import Config
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from config import bootstrap

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OURS = {"migrate", "web", "worker", "beat"}
# Read by the images of PostgreSQL and by the C library, not by our settings.
NOT_OURS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "TZ"}


def instructions():
    """Return [(keyword, arguments)] of the Dockerfile, continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


DOCKERFILE = instructions()


def names_the_settings_read():
    """Return the environment names of every `env.…("NAME")` and `required("NAME")` in the settings."""
    tree = ast.parse((ROOT / "config" / "settings.py").read_text(encoding="utf-8"))
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
        if re.fullmatch(r"env\.\w+|required", ast.unparse(call.func))
    }


def lock(name):
    """Return {package: version} of a lock file."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_services_are_the_parts_of_the_portal():
    assert set(COMPOSE["services"]) == {"db", "redis"} | OURS


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_sets_only_names_that_the_settings_read(name):
    service = COMPOSE["services"][name]
    assert set(service["environment"]) - NOT_OURS <= names_the_settings_read()
    assert service["env_file"] == ".env"
    assert service["environment"]["TZ"] == settings.TIME_ZONE


def test_database_and_broker_are_those_that_compose_starts():
    environment = COMPOSE["services"]["web"]["environment"]
    assert re.fullmatch(
        r"postgres://portal:\$\{POSTGRES_PASSWORD:\?[^}]+\}@db:5432/portal", environment["DATABASE_URL"]
    )
    assert environment["REDIS_URL"] == "redis://redis:6379/0"
    database = COMPOSE["services"]["db"]
    assert (database["environment"]["POSTGRES_USER"], database["environment"]["POSTGRES_DB"]) == ("portal", "portal")
    assert int(database["image"].removeprefix("postgres:")) >= 15


def test_no_secret_stands_in_the_files():
    for name in ("SECRET_KEY", "FIELD_KEYS", "INDEX_KEYS", "AUDIT_KEY"):
        assert name not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert {arguments.split("=")[0] for keyword, arguments in DOCKERFILE if keyword == "ENV"} == {"PYTHONUNBUFFERED"}


def test_all_but_the_one_time_migrate_have_a_health_check_and_wait_for_it():
    assert {name for name, service in COMPOSE["services"].items() if "healthcheck" not in service} == {"migrate"}
    for name in OURS - {"migrate"}:
        assert COMPOSE["services"][name]["depends_on"] == {
            "db": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        }


def test_volumes_are_declared_and_papers_are_kept_on_one():
    used = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["volumes"] == [f"files:{service['environment']['FILES_ROOT']}"]


def test_migrate_runs_a_command_that_is_there():
    assert COMPOSE["services"]["migrate"]["command"] == ["python", "manage.py", "migrate"]
    assert "migrate" in get_commands()


def test_web_serves_our_application_with_a_server_of_the_lock():
    command = COMPOSE["services"]["web"]["command"]
    assert command[:4] == ["python", "-m", "gunicorn", "config.wsgi"]
    assert callable(importlib.import_module(command[3]).application)
    assert "gunicorn" in lock("requirements.txt")
    Config().parser().parse_args(command[3:])  # ends the test on an option it does not know


@pytest.mark.parametrize(("service", "part"), [("worker", "worker"), ("beat", "beat")])
def test_worker_and_beat_run_our_celery_application(service, part):
    command = COMPOSE["services"][service]["command"]
    assert command[:6] == ["python", "-m", "celery", "--app", "config", part]
    assert importlib.import_module("config").celery_app.main == "portal"
    known = celery.commands[part]
    known.make_parser(click.Context(known)).parse_args(command[6:])  # raises on an option it does not know


def test_the_image_copies_what_is_there_and_all_that_runs():
    sources = [arguments.split()[:-1] for keyword, arguments in DOCKERFILE if keyword == "COPY"]
    names = {Path(source) for line in sources for source in line}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    apps = {Path(app.split(".")[0]) for app in settings.INSTALLED_APPS if (ROOT / app.split(".")[0]).is_dir()}
    assert names == apps | {
        Path("manage.py"),
        Path("requirements.txt"),
        Path("templates"),
        Path("static"),
        Path("locale"),
    }


def test_the_image_has_a_python_that_the_portal_runs_on():
    (image,) = [arguments for keyword, arguments in DOCKERFILE if keyword == "FROM"]
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-bookworm", image).group(1)
    wanted = SpecifierSet(pyproject()["project"]["requires-python"])
    assert wanted.contains(version)
    assert wanted == SpecifierSet(">={}.{}".format(*bootstrap.OLDEST_PYTHON))


def test_the_image_brings_the_same_pango_as_the_bootstrap():
    (line,) = [arguments for _keyword, arguments in DOCKERFILE if "apt-get install" in arguments]
    words = shlex.split(line.split("&&")[1])
    assert [word for word in words[2:] if not word.startswith("-")] == list(bootstrap.PANGO.values())


def test_the_image_installs_the_hashed_lock_and_runs_as_nobody_special():
    assert ("RUN", "pip install --require-hashes -r requirements.txt") in DOCKERFILE
    assert [arguments for keyword, arguments in DOCKERFILE if keyword == "USER"] == ["portal"]
    assert DOCKERFILE.index(("USER", "portal")) > max(
        index for index, (keyword, _arguments) in enumerate(DOCKERFILE) if keyword == "RUN"
    )


def test_the_example_lists_every_setting_and_no_other():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(listed) == sorted(
        names_the_settings_read() - {"ENV_FILE", "TEST_DB_SUFFIX"} | {"POSTGRES_PASSWORD", "PORT"}
    )
    assert set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)) == set(bootstrap.fresh_secrets())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_holds_names_versions_and_hashes_and_no_address(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"\w+://|^-|(?:^|[\s=])/\w+", text, re.MULTILINE) == []
    blocks = re.split(r"^(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(lock(name))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_lock_is_what_pyproject_asks_for():
    project = pyproject()["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted_dev = [Requirement(text) for text in project["optional-dependencies"]["dev"]]
    for requirements, versions in ((wanted, lock("requirements.txt")), (wanted_dev, lock("requirements-dev.txt"))):
        assert [
            str(requirement)
            for requirement in requirements
            if not requirement.specifier.contains(versions.get(requirement.name, "0"))
        ] == []


def test_the_development_lock_is_the_other_one_and_more():
    assert lock("requirements.txt").items() <= lock("requirements-dev.txt").items()
