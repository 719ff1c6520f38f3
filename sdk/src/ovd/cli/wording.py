"""Wording: an exception as the sentence a person reads. The cure is said in terms of `ovd`."""

from ovd.cli.refusal import Refusal
from ovd.problems import ProblemsFound


def worded(error: BaseException) -> str:
    """The sentence for `error`; several lines when several things are wrong."""
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, ProblemsFound):
        from ovd.cli.check import problem_line

        return "\n".join(problem_line(problem._asdict()) for problem in error.problems)
    if isinstance(error, ModuleNotFoundError) and error.name in ("httpx", "rich"):
        return f"The command needs the library {error.name}. Install it with: pip install 'ovd[cli]'"
    if isinstance(error, ImportError) and "ovd[cli]" in str(error):
        return str(error)
    if type(error).__module__ == "ovd.client.errors":
        return _of_the_platform(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return (
        f"ovd itself failed ({type(error).__name__}: {error}). "
        "Set OVD_TRACEBACK=1 and run it again to see where; please report it."
    )


def _of_the_platform(error: BaseException) -> str:
    from ovd.client import InvalidInput, NotSignedIn, OvdError, TooManyRequests

    if isinstance(error, NotSignedIn):
        return "The platform does not know your token, or not any more. Sign in again with: ovd login URL"
    if isinstance(error, TooManyRequests):
        when = "in a while" if error.retry_after is None else f"in {error.retry_after:.0f} s"
        return f"{_sentence(error.detail)} Try again {when}."
    if isinstance(error, InvalidInput) and error.errors:
        return "\n".join(f"{field}: {message}" if field else message for field, message in error.errors)
    if isinstance(error, OvdError):
        return str(error)
    return repr(error)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
