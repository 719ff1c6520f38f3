"""Echo: the smallest application; it answers what it was given."""

from ovd import App, Context, integer, text


class Echo(App):
    def execute(
        self,
        context: Context,
        message: str = text(label="Message", maximum_length=100_000),
        times: int = integer(default=1, minimum=1, maximum=10, label="Times", advanced=True),
    ) -> str:
        return message * times
