"""Letters: e-mails to people, where the platform was told how to send them. Floor 2."""

from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import send_mail

log = structlog.get_logger()


def can_send() -> bool:
    """Whether e-mail is set up (`OVD_EMAIL_URL`)."""
    return bool(settings.SENDS_LETTERS)


def address(path: str) -> str:
    """A link for a letter: it begins with `OVD_ADDRESS`, never with what a request says that its host is."""
    return f"{settings.ADDRESS}{path}"


def send(to: str, subject: str, text: str) -> str:
    """Sends it; why it could not be sent, or nothing."""
    try:
        send_mail(subject, text, None, [to])
    except (SMTPException, OSError) as error:
        log.warning("a letter was not sent", error=str(error))
        return f"The mail server did not take it ({type(error).__name__})."
    return ""
