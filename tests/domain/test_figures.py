"""Figures: numbers as people read them, and as they compare."""

import pytest

from ovd_saas.domain import figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.41234, "0.412"), (1260.4, "1,260"), (-0.00213, "-0.00213"), (0, "0"), (100, "100"), (12_345_678, "12,345,678"),
     (3e-9, "3e-09"), (0.5, "0.5"), (1.0, "1")],
)  # fmt: skip
def test_a_number_is_shown_in_as_many_digits_as_matter(value: float, shown: str) -> None:
    assert figures.short(value) == shown


def test_two_numbers_are_shown_so_that_one_can_tell_them_apart() -> None:
    assert figures.between(0.4491, 0.4492) == ("0.4491", "0.4492")
    assert figures.between(2.0, 2.0) == ("2", "2")
    assert figures.between(2.0, 2.0000000000001) == ("2.0", "2.0000000000001")


def test_a_comparison_names_share_and_direction() -> None:
    assert figures.compared(0.412, 0.449, "version 3") == "0.412, 8.2 % lower than version 3 (0.449)"
    assert figures.compared(1, 0, "version 3") == "1, 1 higher than version 3 (0)"
    assert figures.compared(-2, -1, "version 3") == "-2, 100 % lower than version 3 (-1)"


def test_rounding_leaves_no_trace_in_a_difference() -> None:
    assert figures.without_noise(0.45 - 0.4, 0.45) == 0.05
    assert figures.without_noise(0.1 + 0.2 - 0.3, 0.3) == 0.0
    assert figures.without_noise(1e-9, 0.3) == 1e-9
