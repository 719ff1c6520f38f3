"""Addresses of the Control Panel. Floor 3."""

from django.contrib.auth import views as auth
from django.urls import path

from ovd_saas.panel.pages import applications, events, executions, files, machines, releases, tokens

app_name = "panel"
urlpatterns = [
    path("", applications.index, name="applications"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(next_page="/login/"), name="logout"),
    path("events/", events.stream, name="events"),
    path("applications/", applications.index),
    path("applications/<slug:org>/<slug:name>/", applications.show, name="application"),
    path("applications/<slug:org>/<slug:name>/actions/", applications.act, name="act"),
    path("applications/<slug:org>/<slug:name>/releases/<int:number>/", releases.show, name="release"),
    path("applications/<slug:org>/<slug:name>/releases/<int:number>/use/", releases.use, name="use_release"),
    path("executions/<uuid:id_>/", executions.show, name="execution"),
    path("executions/<uuid:id_>/cancel/", executions.cancel, name="cancel"),
    path("executions/<uuid:id_>/take-down/", executions.take_down, name="take_down"),
    path("executions/<uuid:id_>/files/<str:digest>", files.download, name="file"),
    path("executions/<uuid:id_>/<str:side>/<str:name>.csv", files.values, name="values"),
    path("machines/", machines.index, name="machines"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/<int:id_>/revoke/", tokens.revoke, name="revoke_token"),
]
