"""`ovd appcore`: the orchestrator's process. Floor 4."""

import os
import signal
import sys

SWITCH_SECONDS = 0.0005  # between threads: whoever wakes an application waits for no other loop to pause by itself


def serve() -> None:
    """Until SIGTERM or SIGINT."""
    from ovd_saas.wiring import logs

    os.umask(0o077)
    logs.configure("appcore")

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovd_saas.wiring.settings")
    django.setup()
    from django.conf import settings

    from ovd_saas.appcore.supervisor import AppCore
    from ovd_saas.engines.local import Local

    sys.setswitchinterval(SWITCH_SECONDS)
    core = AppCore(Local(settings.RUN), settings.DATABASE_URL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: core.stop())
    core.run()
