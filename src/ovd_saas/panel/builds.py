"""Builds: how far the build of a release is, and what to do about one that failed; read from its log. Floor 3."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ovd_saas.domain import releases as states
from ovd_saas.store.records import Release

DONE, NOW, FAILED, AHEAD = "done", "now", "failed", "ahead"
STEPS: tuple[tuple[str, str | Promise, tuple[str, ...]], ...] = (  # stage of the runner, word, how its end is logged
    ("unpack", _("Unpack"), ("Unpacked ",)),
    ("environment", _("Environment"), ("The application imports", "Sample ")),
    ("import", _("Import"), ("The application imports", "Sample ")),
    ("samples", _("Samples"), ()),
)
_MEANT = {"manifest": "unpack"}  # other names that the runner has for a stage
CURES: dict[str, str | Promise] = {
    "unpack": _("Pack the folder anew with ovd push; it leaves out caches and data."),
    "manifest": _("Correct the line of ovd.toml that is named; the editor of the manifest shows it, too."),
    "environment": _(
        "If the package index was not reachable, build again. Else correct requirements.lock: make it anew with "
        "uv pip compile --universal --generate-hashes, and push."
    ),
    "import": _("Run ovd check in the folder: it imports the application the same way. Correct the code, and push."),
    "samples": _("Run ovd check: it runs the samples the same way. Correct the code or the sample, and push."),
    "platform": _("This is not the application's fault. Build again; if it stays, ask the operators of the platform."),
}


@dataclass(frozen=True)
class Step:
    """One of the parts of a build."""

    word: str | Promise
    state: str  # done | now | failed | ahead


def steps(release: Release) -> list[Step]:
    """The parts of a build, in order, each with how it fared."""
    if release.state == states.READY:
        return [Step(word, DONE) for _stage, word, _said in STEPS]
    lines = release.log.splitlines()
    ends = [any(line.startswith(said) for line in lines) if said else False for _stage, _word, said in STEPS]
    at = ends.index(False)
    if release.state == states.FAILED:
        stage = _MEANT.get(cause(release)[0], cause(release)[0])
        at = next((place for place, step in enumerate(STEPS) if step[0] == stage), at)
    here = FAILED if release.state == states.FAILED else NOW if lines or release.begun_at else AHEAD
    return [Step(step[1], DONE if place < at else here if place == at else AHEAD) for place, step in enumerate(STEPS)]


def cause(release: Release) -> tuple[str, str]:
    """Stage and words of the error of a failed one."""
    stage, colon, words = release.error.partition(": ")
    return (stage, words) if colon and stage in CURES else ("", release.error)


def cure(release: Release) -> str | Promise:
    return CURES.get(cause(release)[0], _("Cure it, run ovd check, and push again."))
