"""Forms: how they are drawn, and the version that guards an edit."""

from django.forms.renderers import TemplatesSetting


class PortalRenderer(TemplatesSetting):
    """Draw forms from our own templates."""


def add_refusal(form, refusal):
    """Show a ValidationError raised by an action in `form`: under the field it blames if the form has it, else on top."""
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for field, errors in refusal.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)
