"""Fixtures: the tree, the cast, and a signed-in client for each of them."""

import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as portal_settings
from django.core.cache import caches
from django.template import Node, engines
from django.test import Client, TransactionTestCase

from core import deadlines, triggers
from core.models import User
from tests import cast

# One quick hasher for the whole suite: the strength of a hash is Django's business, not ours.
FAST_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = FAST_HASHERS


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    """Uploads and papers go to the test's own folder."""
    settings.MEDIA_ROOT = str(tmp_path / "files")


@pytest.fixture(autouse=True)
def _late_duties_are_counted_anew():
    """What another test left in the cache says nothing here: a page costs the same queries in any order of tests."""
    caches["default"].set(deadlines.WRITTEN, uuid4().hex)


@pytest.fixture(autouse=True)
def _plain_static_files(settings):
    """Static addresses without the manifest that `collectstatic` writes."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


TEMPLATES = Path(portal_settings.BASE_DIR) / "templates"


class Undefined(str):
    """Stands for a variable that a template names and nobody gave: an error in a template of ours, else nothing."""

    def __contains__(self, key):
        return key == "%s"

    def __mod__(self, variable):
        frame = sys._getframe(1)
        while not isinstance(frame.f_locals.get("self"), Node):
            frame = frame.f_back
        name = Path(frame.f_locals["self"].origin.name)
        # allauth hands its elements no more than they need.
        if name.is_relative_to(TEMPLATES) and name.relative_to(TEMPLATES).parts[0] != "allauth":
            pytest.fail(f"{name.relative_to(TEMPLATES)} names {variable}, which nobody gave.")
        return ""


@pytest.fixture(autouse=True)
def _undefined_variables_fail(monkeypatch):
    """For each test anew: one that changes a setting of templates leaves another engine behind."""
    monkeypatch.setattr(engines["django"].engine, "string_if_invalid", Undefined("undefined"))


@pytest.fixture(autouse=True, scope="session")
def _flush_past_the_triggers():
    """Let the flush after a transactional test empty the trail; its post_migrate creates the triggers again."""
    flush = TransactionTestCase._fixture_teardown

    def drop_and_flush(case):
        triggers.drop()
        caches["limits"].clear()
        flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", drop_and_flush)
        yield


@pytest.fixture
def tree(db):
    return cast.plant_tree()


def _person(key):
    @pytest.fixture(name=key)
    def person(tree):
        return cast.invite(key, tree)

    return person


city = _person("city")
approver = _person("approver")
district = _person("district")
street = _person("street")
enterprise = _person("enterprise")
neighbour = _person("neighbour")
auditor = _person("auditor")
sysadmin = _person("sysadmin")
secadmin = _person("secadmin")
auditadmin = _person("auditadmin")
district_staff = _person("district_staff")
nobody = _person("nobody")


@pytest.fixture
def root(db):
    """The user of `createsuperuser`: break-glass, reaches everything."""
    return User.objects.create_superuser("root", "root@example.test", cast.PASSWORD)


@pytest.fixture
def client_of():
    """Return a client signed in as the given user."""

    def signed_in(user):
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What asks no database says the same on each of them: `once`."""
    for item in items:
        if item.get_closest_marker("django_db") is None and not {"db", "transactional_db"} & set(item.fixturenames):
            item.add_marker(pytest.mark.once)
