"""Image size: a PNG in; the same PNG and its width and height out."""

import struct

from ovd import App, Context, Image, Outputs, Rejected, image, integer


class Measured(Outputs):
    copy: Image = image(label="The same picture")
    width: int = integer(label="Width", unit="px")
    height: int = integer(label="Height", unit="px")


class ImageSize(App):
    def execute(
        self,
        context: Context,
        photo: Image = image(label="Picture", max_bytes=2 * 1024 * 1024),
    ) -> Measured:
        data = photo.bytes
        if not data.startswith(b"\x89PNG"):
            raise Rejected("Only PNG pictures can be measured here.")
        width, height = struct.unpack(">II", data[16:24])
        return Measured(copy=photo.save_as(context.scratch / "copy.png"), width=width, height=height)
