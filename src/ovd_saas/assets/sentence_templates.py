"""Sentence templates: each sentence that the platform writes down, with its places; `{why}` may be another sentence."""

from django.utils.translation import gettext_noop as _

TEMPLATES = (_("Nothing is planned."),)
