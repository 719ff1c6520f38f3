"""Settings under test: as in production, with a data folder that is made for the run and removed after it. Floor 4."""

import atexit
import os
import shutil
import tempfile

_SCRATCH = tempfile.mkdtemp(prefix="ovd-t-")
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
os.environ["OVD_HOME"] = _SCRATCH
for name in ("OVD_RUN", "DATABASE_URL", "OVD_SECRET_KEY"):
    os.environ.pop(name, None)

from ovd_saas.wiring.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
