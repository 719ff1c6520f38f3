"""Digits: reads a handwritten digit, and learns from pictures with labels."""

from pathlib import Path

import network
import numpy as np
import pixels

from ovd import App, Context, Evaluation, Image, Outputs, Rejected, Samples, Table, image, table, text

SAVE_EVERY = 10  # epochs
MODEL = "network.npz"


class Reading(Outputs):
    """What a user gets."""

    digit: str = text(label="Digit")
    confidences: Table = table(label="How sure it is", columns=["digit", "probability"])
    note: str = text(label="How this was made")


class Digits(App):
    """One digit in a picture."""

    weights: network.Weights | None = None

    def setup(self, model: Path | None) -> None:
        """Reads the live model, if there is one."""
        self.weights = network.load(model / MODEL).weights if model is not None else None

    def execute(
        self,
        context: Context,
        image: Image = image(label="Picture", help="One digit, dark on light or light on dark.", max_bytes=1_000_000),
    ) -> Reading:
        """Raises Rejected when the picture cannot be opened or is empty."""
        try:
            ink = pixels.read(image.path)
        except (OSError, ValueError) as error:
            raise Rejected(f"The picture cannot be opened: {error}. Send a PNG or JPEG.") from None
        if ink.max() - ink.min() < 0.2:
            raise Rejected("The picture shows nothing: all of it is about equally dark. Write a digit.")
        sure = self.probabilities(ink[np.newaxis])[0]
        rows = [[str(digit), round(float(sure[digit]), 4)] for digit in np.argsort(-sure, kind="stable")]
        if self.weights is None:
            return Reading(
                digit="?", confidences=Table(["digit", "probability"], rows),
                note="Nothing has been learned yet: each digit is equally likely.",
            )  # fmt: skip
        return Reading(
            digit=rows[0][0],
            confidences=Table(["digit", "probability"], rows),
            note="If this is wrong, say which digit it was: the application learns from that.",
        )

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """pictures × 10; all equal without a model."""
        if self.weights is None:
            return np.full((len(x), network.CLASSES), 1 / network.CLASSES)
        return network.probabilities(self.weights, x)

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict[str, float]:
        """Learns from all pictures anew. Goes on from the checkpoint when it had to give way."""
        x, y = seen(data)
        half_done = context.checkpoint / MODEL
        lesson = network.load(half_done) if half_done.exists() else network.begin(context.seed)
        context.log(f"{len(y)} pictures; begins after epoch {lesson.epoch} of {network.EPOCHS}")
        loss = 0.0
        for loss in lesson.go_on(x, y, context.seed):
            context.metric("loss", loss, step=lesson.epoch)
            context.progress(lesson.epoch / network.EPOCHS, f"epoch {lesson.epoch} of {network.EPOCHS}")
            if lesson.epoch % SAVE_EVERY == 0 or context.should_yield:
                lesson.save(half_done)
                context.save()
        lesson.save(target / MODEL)
        found = network.probabilities(lesson.weights, x).argmax(axis=1)
        return {"pictures": float(len(y)), "loss": loss, "accuracy_on_learned": float((found == y).mean())}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        """1 for each picture that is read rightly, else 0. Without a model, a guess is right one time in ten."""
        x, y = seen(data)
        if self.weights is None:
            scores = [1 / network.CLASSES] * len(y)
        else:
            scores = [float(hit) for hit in self.probabilities(x).argmax(axis=1) == y]
        context.progress(1.0, f"judged {len(y)} pictures")
        return Evaluation(metrics={"accuracy": sum(scores) / len(scores)}, scores=scores)


def seen(data: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Pictures × 64, and their digits."""
    rows = [(pixels.read(sample["image"].path), int(sample["label"])) for sample in data]
    return np.array([ink for ink, _ in rows]), np.array([digit for _, digit in rows])
