"""Addresses of everything on the Django side. Floor 4."""

from django.urls import include, path

urlpatterns = [
    path("", include("ovd_saas.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("a/", include("ovd_saas.frontends.urls")),
    path("", include("ovd_saas.panel.urls")),
]
handler400 = "ovd_saas.panel.pages.errors.bad_request"
handler403 = "ovd_saas.panel.pages.errors.forbidden"
handler404 = "ovd_saas.panel.pages.errors.not_found"
handler500 = "ovd_saas.panel.pages.errors.server_error"
