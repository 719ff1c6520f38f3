"""Elsewhere: names files as its outputs that lie outside its scratch folder, or are no files."""

import os
from pathlib import Path

from ovd import App, Context, File, Outputs, file, text


class Given(Outputs):
    one: File = file()


class Elsewhere(App):
    def execute(self, context: Context, act: str = text(), path: str = text(default="/etc/passwd")) -> Given:
        place = context.scratch / "one"
        if act == "path":
            return Given(one=File(path))
        if act == "symlink":
            place.symlink_to(path)
        if act == "links":
            (context.scratch / "two").symlink_to(path)
            place.symlink_to(context.scratch / "two")
        if act == "hard link":
            os.link(path, place)
        if act == "fifo":
            os.mkfifo(place)
        if act == "folder":
            place.mkdir()
        if act == "device":
            return Given(one=File(Path("/dev/zero")))
        if act == "proc":
            return Given(one=File(Path("/proc/self/environ"), name="environ"))
        if act == "name":
            place.write_text("x")
            return Given(
                one=File(place, name="../../../etc/cron.d/x\r\nSet-Cookie: a=b<script>", media_type="text/html")
            )
        return Given(one=File(place))
