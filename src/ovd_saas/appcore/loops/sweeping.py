"""Sweeping: samples that were removed a while ago, and bytes that nothing refers to any more. Floor 2."""

from django.utils import timezone

from ovd_saas.appcore import loose_files, samples


def tick() -> bool:
    """True if there may be more."""
    samples.sweep(now=timezone.now())
    return loose_files.sweep(now=timezone.now()) == loose_files.AT_ONCE
