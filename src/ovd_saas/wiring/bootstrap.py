"""Before the doors open: the schema is current, and the demo organisation, user and token exist. Floor 4.

`python -m ovd_saas.wiring.bootstrap CREDENTIALS_FILE` prints one JSON object: the addresses of all applications.
"""

import json
import os
import secrets
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError

ORGANISATION = "demo"
USER = "demo"


def credentials(path: Path) -> dict[str, str]:
    """The demo login and token, made once and kept readable by the owner only."""
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    made = {"user": USER, "password": secrets.token_urlsafe(9), "token": f"ovd_{secrets.token_urlsafe(30)}"}
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(made, file)
    return made


def migrate() -> None:
    call_command("migrate", verbosity=0, interactive=False)


def people(known: dict[str, str]) -> None:
    """Afterwards the demo user owns the demo organisation, with this password and token, if they were new; and operates
    the platform, if nobody else does."""
    from ovd_saas.appcore import access
    from ovd_saas.store.records import Membership, Organisation, Token, User

    organisation, _ = Organisation.objects.get_or_create(slug=ORGANISATION, defaults={"title": "Demonstration"})
    user, is_new = User.objects.get_or_create(username=known["user"])
    if is_new:
        user.set_password(known["password"])
        user.save()
    if not User.objects.filter(is_staff=True, is_active=True).exists():
        User.objects.filter(pk=user.pk).update(is_staff=True)
    Membership.objects.get_or_create(organisation=organisation, user=user, defaults={"role": Membership.Role.OWNER})
    Token.objects.get_or_create(
        digest=access.digest(known["token"]),
        defaults={"user": user, "name": "made by ovd up", "hint": known["token"][:8]},
    )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovd_saas.wiring.settings")
    try:
        django.setup()
        migrate()
    except (ImproperlyConfigured, OperationalError) as error:
        raise SystemExit(f"The database cannot be used: {str(error).strip()}") from None
    from ovd_saas.store.records import Application

    people(credentials(Path(sys.argv[1])))
    ready = Application.objects.filter(release__isnull=False).select_related("organisation")
    print(json.dumps({"applications": [application.address for application in ready]}))  # noqa: T201


if __name__ == "__main__":
    main()
