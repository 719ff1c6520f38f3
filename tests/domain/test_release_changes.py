"""What differs between two releases, in words."""

from typing import Any

from ovd_saas.domain import release_changes as changes


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"inputs": {"properties": properties, "required": list(required)}, "outputs": {"properties": {}}}


def number(**also: Any) -> dict[str, Any]:
    return {"type": "number", **also, "x-ovd": {"kind": "number", "order": 0}}


def test_a_bound_that_moved_is_told_with_both_values() -> None:
    found = changes.of_schemas(schema(threshold=number(maximum=1)), schema(threshold=number(maximum=2)))
    assert [one.sentence for one in found] == ["input threshold: maximum 1 → 2"]


def test_inputs_that_came_went_or_must_be_given_are_told() -> None:
    found = changes.of_schemas(schema(a=number(), b=number()), schema(("b",), b=number(), c=number(default=3)))
    assert [one.sentence for one in found] == [
        "input a removed",
        "input c added",
        "input b: is required now",
    ]


def test_the_place_of_an_input_in_the_form_is_no_change() -> None:
    moved = {**number(), "x-ovd": {"kind": "number", "order": 5}}
    assert changes.of_schemas(schema(a=number()), schema(a=moved)) == []


def test_settings_are_named_with_their_table() -> None:
    before = {"title": "A", "sleep": {"after": 300, "predict": False}, "inputs": {"x": 1}}
    after = {"title": "A", "sleep": {"after": 60, "predict": True}, "learn": {"quiet": 5, "sample": {"x": {}}}}
    assert [one.sentence for one in changes.of_manifests(before, after)] == [
        "sleep.after: 300 → 60",
        "sleep.predict: no → yes",
        "learn.quiet: 5",
    ]


def test_packages_of_a_lock_are_read_with_extras_markers_and_hashes() -> None:
    lock = 'Uvicorn[standard]==0.30.1 ; python_version >= "3.9" \\\n    --hash=sha256:ab\n# six==1.0\nnumpy==2.0.0\n'
    assert changes.locked(lock) == {"uvicorn": "0.30.1", "numpy": "2.0.0"}
    found = changes.of_locks(lock, "numpy==2.1.0\nsix==1.17.0\n")
    assert [(one.kind, one.sentence) for one in found] == [
        ("changed", "numpy: 2.0.0 → 2.1.0"),
        ("added", "six: 1.17.0"),
        ("removed", "uvicorn: 0.30.1"),
    ]


def test_lines_that_differ_stand_with_a_few_around_them() -> None:
    before = "".join(f"{number}\n" for number in range(1, 21))
    found = changes.of_texts(before, before.replace("\n10\n", "\nten\n"))
    assert found is not None
    assert [(line.kind, line.text) for line in found if line.kind in ("added", "removed")] == [
        ("removed", "10"),
        ("added", "ten"),
    ]
    assert (found[0].kind, len(found)) == ("gap", 9)


def test_texts_that_are_too_long_are_not_compared() -> None:
    assert changes.of_texts("x\n" * (changes.LONGEST_COMPARED + 1), "y\n") is None


def test_many_changes_are_told_by_the_first_few() -> None:
    many = [changes.Change("added", name) for name in "abcde"]
    assert changes.in_short(many) == "a added; b added; c added; 2 more"
    assert changes.in_short([]) == ""
