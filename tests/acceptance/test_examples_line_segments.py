"""The line segments: pictures drawn on purpose, and files that are no pictures."""

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from acceptance.examples_at_work import Example, example

SIDE = 200


@pytest.fixture(scope="module")
def line_segments(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return example("line-segments", tmp_path_factory.mktemp("line-segments"))


def png(path: Path, rows: list[bytes], *, colour: int = 0, depth: int = 8) -> Path:
    """Writes a PNG by hand: a test of pictures should not need the library it tests."""
    channels = {0: 1, 2: 3}[colour]
    width = len(rows[0]) * 8 // depth // channels

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def rectangle(path: Path, *, left: int = 40, right: int = 160, top: int = 60, bottom: int = 130) -> Path:
    """A white rectangle on black."""
    return png(
        path,
        [bytes(255 if left <= x < right and top <= y < bottom else 0 for x in range(SIDE)) for y in range(SIDE)],
    )


def rows_of(table: dict[str, Any]) -> list[dict[str, float]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_its_check_passes(line_segments: Example) -> None:
    done = line_segments.check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rectangle_has_four_sides_where_they_were_drawn(line_segments: Example, tmp_path: Path) -> None:
    outputs = line_segments.outputs({}, files={"picture": rectangle(tmp_path / "rectangle.png")})
    found = rows_of(outputs["segments"])
    assert outputs["count"] == len(found) == 4
    level = [segment for segment in found if min(segment["angle"], 180 - segment["angle"]) < 1]
    upright = [segment for segment in found if abs(segment["angle"] - 90) < 1]
    assert sorted(round(segment["y1"]) for segment in level) == [60, 130]
    assert sorted(round(segment["x1"]) for segment in upright) == [40, 160]
    assert all(segment["length"] == pytest.approx(120, abs=6) for segment in level)
    assert all(segment["length"] == pytest.approx(70, abs=6) for segment in upright)


def test_a_slanting_edge_has_its_angle(line_segments: Example, tmp_path: Path) -> None:
    picture = png(
        tmp_path / "slope.png", [bytes(255 if y > SIDE - 20 - x / 2 else 0 for x in range(SIDE)) for y in range(SIDE)]
    )
    longest = rows_of(line_segments.outputs({}, files={"picture": picture})["segments"])[0]
    assert longest["angle"] == pytest.approx(26.6, abs=1)
    assert longest["length"] == pytest.approx(224, abs=10)


def test_noise_and_flat_pictures_have_no_segments(line_segments: Example, tmp_path: Path) -> None:
    number, rows = 1, []
    for _ in range(SIDE):
        row = bytearray()
        for _ in range(SIDE):
            number = number * 1103515245 + 12345 & 0x7FFFFFFF
            row.append(number >> 16 & 255)
        rows.append(bytes(row))
    noise, flat = png(tmp_path / "noise.png", rows), png(tmp_path / "flat.png", [bytes([90]) * SIDE] * SIDE)
    assert line_segments.outputs({}, files={"picture": flat})["count"] == 0
    assert line_segments.outputs({"certainty": 1}, files={"picture": noise})["count"] == 0


def test_short_segments_can_be_left_out(line_segments: Example, tmp_path: Path) -> None:
    picture = rectangle(tmp_path / "rectangle.png")
    assert line_segments.outputs({"minimum_length": 100}, files={"picture": picture})["count"] == 2


def test_the_drawing_is_a_picture_of_the_same_size(line_segments: Example, tmp_path: Path) -> None:
    outputs = line_segments.outputs({}, files={"picture": rectangle(tmp_path / "rectangle.png")})
    assert outputs["drawing"]["media_type"] == "image/png"
    drawn = (line_segments.scratch / outputs["drawing"]["file"]).read_bytes()
    assert struct.unpack(">II", drawn[16:24]) == (SIDE, SIDE)


def test_large_pictures_are_answered_in_their_own_pixels(line_segments: Example, tmp_path: Path) -> None:
    row = bytes(255 if 1000 <= x < 2000 else 0 for x in range(3000))
    picture = png(tmp_path / "large.png", [row] * 1500)
    found = rows_of(line_segments.outputs({}, files={"picture": picture})["segments"])
    assert sorted(round(segment["x1"], -1) for segment in found) == [1000, 2000]


def test_sixteen_bits_are_read(line_segments: Example, tmp_path: Path) -> None:
    rows = [b"".join(struct.pack(">H", 3000 if x > 100 else 1000) for x in range(SIDE)) for _ in range(SIDE)]
    picture = png(tmp_path / "deep.png", rows, depth=16)
    assert line_segments.outputs({}, files={"picture": picture})["count"] == 1


def test_the_same_picture_gives_the_same_segments(line_segments: Example) -> None:
    camera = {"picture": line_segments.folder / "samples" / "camera.png"}
    first, second = (line_segments.outputs({}, files=camera, seed=seed)["segments"] for seed in (1, 2))
    assert first == second


def test_a_damaged_picture_is_declined(line_segments: Example, tmp_path: Path) -> None:
    whole = (line_segments.folder / "samples" / "camera.png").read_bytes()
    path = tmp_path / "half.png"
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in line_segments.refusal({}, files={"picture": path})


def test_a_tiny_picture_is_declined(line_segments: Example, tmp_path: Path) -> None:
    assert "at least 16" in line_segments.refusal({}, files={"picture": png(tmp_path / "tiny.png", [b"\0"])})


def test_a_huge_picture_is_declined_before_it_is_unpacked(line_segments: Example, tmp_path: Path) -> None:
    picture = png(tmp_path / "huge.png", [bytes(20_000)] * 10)
    content = bytearray(picture.read_bytes())
    content[20:24] = struct.pack(">I", 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    picture.write_bytes(content)
    assert "megapixels" in line_segments.refusal({}, files={"picture": picture})


def test_a_text_sent_as_a_picture_is_refused(line_segments: Example, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("not a picture at all")
    assert line_segments.refusal({}, files={"picture": path}).startswith("picture ")


def test_a_missing_picture_is_refused(line_segments: Example) -> None:
    assert line_segments.refusal({}).startswith("picture ")
