"""The web process's application: executions on bare ASGI, everything else on Django. Floor 4."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovd_saas.wiring.settings")

from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from ovd_saas.api.bodies import Bounded  # noqa: E402 - needs Django to be set up
from ovd_saas.gateway.app import Gateway  # noqa: E402 - likewise

application = Gateway(Bounded(_django))
