"""Loops: each tick does one small thing, found by asking the database; dying in the middle costs nothing. Floor 2."""
