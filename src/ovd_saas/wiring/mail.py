"""How e-mail is sent, from one address: `smtp://user:password@host:587`, `smtps://…`. Floor 4."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"smtp": 587, "smtps": 465}
PATIENCE_SECONDS = 10  # a mail server that does not answer holds up nobody for longer


def settings(url: str, sender: str, address: str) -> dict[str, Any]:
    """Django's settings. `smtp` talks TLS after a greeting (STARTTLS) unless the address ends with `?tls=no`.

    `address` is where people find the platform: links in letters begin with it. Raises ImproperlyConfigured.
    """
    if not url:
        return {"SENDS_LETTERS": False}
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise ImproperlyConfigured("OVD_EMAIL_URL is not smtp://user:password@host:port nor smtps://….")
    if not address.startswith(("http://", "https://")):
        raise ImproperlyConfigured(
            "OVD_EMAIL_URL needs OVD_ADDRESS, where people find this platform (https://ovd.example.org): links in "
            "e-mails begin with it."
        )
    is_plain = parse_qs(parts.query).get("tls") == ["no"]
    return {
        "SENDS_LETTERS": True,
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and not is_plain,
        "EMAIL_TIMEOUT": PATIENCE_SECONDS,
        "DEFAULT_FROM_EMAIL": sender or f"OVD-SaaS <ovd@{urlsplit(address).hostname}>",
    }
