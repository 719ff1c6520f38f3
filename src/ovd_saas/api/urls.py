"""Addresses of the API. Floor 3."""

from django.urls import path, re_path

from ovd_saas.api.metrics import metrics
from ovd_saas.api.problems import nothing_there
from ovd_saas.api.v1 import door

urlpatterns = [
    path("api/v1/", door.build().urls),
    re_path(r"^api(?:/.*)?$", nothing_there),
    path("metrics", metrics),
]
