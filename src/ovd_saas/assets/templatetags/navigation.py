"""Template tags of the main menu and of lists over everything."""

from typing import Any

from django import template

from ovd_saas.assets import navigation as places
from ovd_saas.assets.templatetags.ovd import chip

register = template.Library()
register.simple_tag(chip, name="look_chip")  # `{% look_chip look %}`: of a look that the page has found


@register.simple_tag(takes_context=True)
def navigation(context: dict[str, Any]) -> list[places.Place]:
    """Where this person may go to."""
    return places.of(context["request"])
