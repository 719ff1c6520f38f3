"""Settings, from the environment. Floor 4.

`OVD_HOME` data folder · `OVD_RUN` folder of sockets · `DATABASE_URL` · `OVD_DEBUG=1` · `OVD_HOSTS` host names served
· `OVD_FILES` file store · `OVD_LARGEST_BATCH` bytes of the largest delivery of samples · `OVD_SOURCES` beginnings of
addresses, comma separated, from which applications may have data pulled whoever pushed them · `OVD_ADDRESS` where
people find the platform · `OVD_EMAIL_URL` how e-mail is sent (smtp://user:password@host:587) · `OVD_EMAIL_FROM` sender.
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import SELF
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from ovd_saas.wiring import home, mail

HOME = home.folder()
RUN = home.run_folder(HOME)
FILES = os.environ.get("OVD_FILES") or str(HOME / "files")  # a folder or an fsspec address
INTAKE_LARGEST = int(os.environ.get("OVD_LARGEST_BATCH") or 8 << 30)  # bytes
SOURCES = [prefix.strip() for prefix in os.environ.get("OVD_SOURCES", "").split(",") if prefix.strip()]
ASSETS = Path(__file__).resolve().parent.parent / "assets"

DEBUG = os.environ.get("OVD_DEBUG") == "1"
SECRET_KEY = home.secret(HOME)
ALLOWED_HOSTS = os.environ.get("OVD_HOSTS", "*").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("OVD_ORIGINS", "").split(",") if origin]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # for the files of its documentation page
    "ovd_saas.store",
    "ovd_saas.assets",
    "ovd_saas.panel",
    "ovd_saas.frontends",
]
MIDDLEWARE = [
    "ovd_saas.api.problems.middleware",
    "django.middleware.security.SecurityMiddleware",
    "ovd_saas.assets.compression.middleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ovd_saas.assets.languages.middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "ovd_saas.wiring.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ASSETS / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def database(url: str) -> dict[str, Any]:
    """Django's settings for a libpq address, with bounds so that a vanished client holds no lock for long."""
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        why = str(error).strip()
        raise ImproperlyConfigured(f"DATABASE_URL is not the address of a PostgreSQL database: {why}.") from None
    if "dbname" not in parts:
        raise ImproperlyConfigured("DATABASE_URL names no database: it ends with …/NAME.")
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 8000,
        "options": "-c idle_in_transaction_session_timeout=15s -c lock_timeout=10s -c statement_timeout=60s"
        " -c plan_cache_mode=force_generic_plan",  # what is prepared (store/statements.py) is planned once
    }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options | parts,
    }


DATABASE_URL = os.environ.get("DATABASE_URL") or home.embedded_database_url(RUN)
DATABASES = {"default": database(DATABASE_URL)}

AUTH_USER_MODEL = "store.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("MinimumLength", "CommonPassword", "NumericPassword", "UserAttributeSimilarity")
]
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/home/"
ADDRESS = os.environ.get("OVD_ADDRESS", "").rstrip("/")
SENDS_LETTERS = False
globals().update(mail.settings(os.environ.get("OVD_EMAIL_URL", ""), os.environ.get("OVD_EMAIL_FROM", ""), ADDRESS))
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],
        "object-src": ["'none'"],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
LANGUAGES = [("en-gb", "English"), ("fr", "Français")]
LOCALE_PATHS = [ASSETS / "locale"]
LANGUAGE_COOKIE_NAME = "ovd_language"
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # seconds; browsers keep none longer
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
FORMAT_MODULE_PATH = "ovd_saas.assets.formats"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [ASSETS / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": []},
    "loggers": {"django.db.backends": {"level": "WARNING"}},
}
