"""Nobody fills the disk: what is too long is refused before it is read."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse


def send(client, url, size):
    return client.post(url, {"file": SimpleUploadedFile("x.csv", b"0" * size)})


@pytest.mark.parametrize(("size", "status"), [(5_000, 200), (20_000, 400)])
def test_a_long_file_without_signing_in(client, db, settings, size, status):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    assert send(client, reverse("account_login"), size).status_code == status


@pytest.mark.parametrize(("size", "status"), [(20_000, 200), (50_000, 400)])
def test_a_long_file_of_a_user(client_of, street, settings, size, status):
    """A little too long is answered with a sentence beside the field, far too long is not read."""
    settings.IMPORT_MAX_BYTES = 10_000
    assert send(client_of(street), reverse("import_new", args=["members"]), size).status_code == status
