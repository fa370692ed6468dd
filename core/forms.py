"""Forms: how they are drawn, and the version that guards an edit."""

from django.forms.renderers import TemplatesSetting


class PortalRenderer(TemplatesSetting):
    """Draw forms from our own templates."""
