"""Figures: numbers as people read them, and as they compare. Floor 0: pure."""

import math

DIGITS = 12  # significant ones, of the numbers that a difference was taken of; beyond them is rounding


def short(value: float, digits: int = 3) -> str:
    """`0.412`, `1,260`, `-0.0021`: so many significant digits, never fewer than all of a whole number below 10^15."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 <= magnitude < 15:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(0, digits - 1 - magnitude)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def between(first: float, second: float) -> tuple[str, str]:
    """Both in as many digits as it takes to tell them apart."""
    for digits in (3, 4, 5, 6, 9):
        if first == second or short(first, digits) != short(second, digits):
            return short(first, digits), short(second, digits)
    return repr(first), repr(second)


def compared(value: float, other: float, name: str) -> str:
    """`0.412, 8.3 % lower than version 3 (0.449)`"""
    ours, theirs = between(value, other)
    if value == other:
        return f"{ours}, the same as {name}"
    way = "lower" if value < other else "higher"
    share = abs(value - other) / abs(other) * 100 if other else math.inf
    far = f"{short(share, 2)} %" if share < 1000 else short(abs(value - other))
    return f"{ours}, {far} {way} than {name} ({theirs})"


def without_noise(difference: float, scale: float) -> float:
    """A difference of numbers as large as `scale`, without the digits that only rounding made: 0.45 - 0.4 is 0.05."""
    if scale == 0 or difference == 0:
        return 0.0
    return round(difference, DIGITS - 1 - math.floor(math.log10(scale))) + 0.0
