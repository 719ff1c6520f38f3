"""Refusal: what a command will not do, as a sentence: subject, cause, cure."""


class Refusal(Exception):
    """Printed on stderr as it is; the exit code is then 1."""
