"""LineSegments: finds the straight segments in a picture, draws them and lists them."""

import math

import numpy as np
from detect import Segment, detect
from PIL import Image as Pictures
from PIL import ImageDraw, ImageOps, UnidentifiedImageError

from ovd import App, Context, Image, Outputs, Rejected, Table, image, integer, number, table

LARGEST = 40_000_000  # pixels that are read
TOO_LARGE = f"Pictures of up to {LARGEST // 1_000_000} megapixels are read. Send a smaller one."
SIDE = 1200  # pixels; longer sides are scaled down before detection
SMALLEST = 16  # pixels; shorter sides hold no segment
COLOUR = (225, 29, 72)


class Drawing(Outputs):
    """What a user gets."""

    drawing: Image = image(label="Segments over the picture")
    count: int = integer(label="Number of segments")
    total_length: float = number(unit="px", label="Length of all together")
    segments: Table = table(
        label="Segments",
        help="The longest first. Ends in pixels from the upper left corner; angle in degrees, 0 horizontal, "
        "90 vertical; certainty = -log10 of the expected number of false alarms.",
    )


class LineSegments(App):
    """Straight segments in a picture."""

    def execute(
        self,
        context: Context,
        picture: Image = image(label="Picture", help="Grey or colour, up to 40 megapixels."),
        minimum_length: int = integer(
            default=10, minimum=2, maximum=5000, unit="px", label="Shortest segment", help="Shorter ones are left out."
        ),
        certainty: float = number(
            default=0.0,
            minimum=0,
            maximum=300,
            label="Certainty",
            help="0 expects one false alarm in a picture of noise, 1 one in ten such pictures, and so on.",
            advanced=True,
        ),
    ) -> Drawing:
        """Detects and draws. Raises Rejected when the file is not a picture that can be read."""
        original = read(picture)
        scale = min(1.0, SIDE / max(original.size))
        small = original.resize([max(1, round(side * scale)) for side in original.size]) if scale < 1 else original
        found = detect(np.asarray(small.convert("L")), certainty=certainty, tell=context.progress)
        found = [enlarged(segment, 1 / scale) for segment in found]
        found = [segment for segment in found if segment.length >= minimum_length]
        path = context.scratch / "segments.png"
        draw(original, found).save(path, optimize=True)
        return Drawing(
            drawing=Image(path),
            count=len(found),
            total_length=round(math.fsum(segment.length for segment in found), 1),
            segments=listed(found),
        )


def read(picture: Image) -> Pictures.Image:
    """The picture upright and in RGB, its transparent parts white. Raises Rejected."""
    try:
        opened = Pictures.open(picture.path)
        width, height = opened.size
        if width * height > LARGEST:
            raise Rejected(f"The picture has {width} × {height} pixels. {TOO_LARGE}")
        upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith(("I", "F")):
            upright = to_eight_bits(upright)
        has_transparency = "transparency" in upright.info or upright.mode in ("RGBA", "LA", "PA")
        rgba = (upright if has_transparency else upright.convert("RGB")).convert("RGBA")
    except UnidentifiedImageError as unknown:
        raise Rejected("This is not a picture that can be read. Send PNG, JPEG, TIFF, WebP, GIF or BMP.") from unknown
    except Pictures.DecompressionBombError as bomb:
        raise Rejected(TOO_LARGE) from bomb
    except (OSError, SyntaxError, ValueError) as broken:
        raise Rejected(f"The picture is damaged or incomplete ({broken}). Send it again.") from broken
    if min(rgba.size) < SMALLEST:
        raise Rejected(f"The picture has {rgba.width} × {rgba.height} pixels; each side must have at least {SMALLEST}.")
    white = Pictures.new("RGBA", rgba.size, "white")
    return Pictures.alpha_composite(white, rgba).convert("RGB")


def to_eight_bits(deep: Pictures.Image) -> Pictures.Image:
    """A picture of 16 bits or more, stretched from its darkest to its brightest pixel."""
    values = np.nan_to_num(np.asarray(deep, dtype=np.float64))
    low, high = values.min(), values.max()
    return Pictures.fromarray(((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8))


def enlarged(segment: Segment, factor: float) -> Segment:
    """In the pixels of the picture as it was sent."""
    ends = (segment.x1, segment.y1, segment.x2, segment.y2)
    return Segment(*(value * factor for value in ends), segment.width * factor, segment.certainty)


def draw(picture: Pictures.Image, segments: list[Segment]) -> Pictures.Image:
    """The segments over the picture in pale grey."""
    pale = ImageOps.grayscale(picture).point(lambda value: 128 + value // 2).convert("RGB")
    pen = ImageDraw.Draw(pale)
    thickness = max(1, round(max(picture.size) / 500))
    for segment in segments:
        pen.line((segment.x1, segment.y1, segment.x2, segment.y2), fill=COLOUR, width=thickness)
    return pale


def listed(segments: list[Segment]) -> Table:
    """One row per segment."""
    return Table(
        ["x1", "y1", "x2", "y2", "length", "angle", "width", "certainty"],
        [
            [
                *(round(value, 1) for value in (s.x1, s.y1, s.x2, s.y2, s.length, s.angle, s.width)),
                round(s.certainty, 1),
            ]
            for s in segments
        ],
    )
