"""Templates: an undefined variable fails a test, and every template of ours can be compiled."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.template.loader import get_template, render_to_string

FOLDER = Path(settings.BASE_DIR) / "templates"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))


def test_undefined_variable_fails():
    with pytest.raises(pytest.fail.Exception, match=r"parts/why\.html names deadline\.derivation"):
        render_to_string("parts/why.html", {})


@pytest.mark.parametrize("name", NAMES)
def test_template_compiles_and_says_nothing_inline(name):
    source = get_template(name).template.source
    for inline in ("style=", "<style", "onclick=", "onchange=", "javascript:"):  # the content policy forbids them
        assert inline not in source or name.startswith("papers/")


def test_static_files_are_collected_with_every_address_resolved(settings, tmp_path):
    """The manifest storage renames files by content: an address in a style sheet that leads nowhere fails here."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    sheet = next((tmp_path / "css").glob("portal.*.css")).read_text()
    for part in (Path(settings.BASE_DIR) / "static/css").glob("*.css"):
        if part.name not in ("portal.css", "admin.css"):
            assert f'url("{part.stem}.' in sheet
            assert f'url("{part.name}")' not in sheet
