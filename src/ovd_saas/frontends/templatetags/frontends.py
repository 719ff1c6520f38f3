"""Template tags of the applications' own pages."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ovd_saas.frontends import samples
from ovd_saas.store.records import Release

register = template.Library()


@register.simple_tag
def sample_picture(release: Release, sample: dict[str, Any]) -> SafeString | str:
    """The first picture of a sample, small; nothing when it has none."""
    files = samples.prefilled(release, sample)
    picture = next((one for one in files.values() if one.is_picture), None)
    return format_html('<img src="{}" alt="" loading="lazy">', picture.url) if picture else ""
