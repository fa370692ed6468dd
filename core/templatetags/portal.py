"""Tags and filters of the portal's templates."""

from django import template

register = template.Library()
