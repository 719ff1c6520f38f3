"""Formats: what Django's formats of a language are changed in for our templates."""
