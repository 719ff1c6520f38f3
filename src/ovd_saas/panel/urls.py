"""Addresses of the Control Panel. Floor 3."""

from django.contrib.auth import views as auth
from django.urls import path

from ovd_saas.panel.pages import (
    actions,
    application,
    applications,
    data,
    events,
    executions,
    files,
    home,
    learning,
    machines,
    models,
    network,
    releases,
    search,
    system,
    tokens,
)

APPLICATION = "applications/<slug:org>/<slug:name>/"

app_name = "panel"
urlpatterns = [
    path("", home.front, name="front"),
    path("home/", home.index, name="home"),
    path("home/example/", home.example, name="example"),
    path("home/guide/", home.guide, name="guide"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(next_page="/login/"), name="logout"),
    path("events/", events.stream, name="events"),
    path("applications/", applications.index, name="applications"),
    path(APPLICATION, application.show, name="application"),
    path(f"{APPLICATION}actions/", actions.act, name="act"),
    path(f"{APPLICATION}network/", network.change, name="network"),
    path(f"{APPLICATION}releases/<int:number>/", releases.show, name="release"),
    path(f"{APPLICATION}releases/<int:number>/use/", releases.use, name="use_release"),
    path(f"{APPLICATION}batches/<int:number>/", data.show, name="batch"),
    path(f"{APPLICATION}batches/<int:number>/take-down/", data.take_down, name="take_down_batch"),
    path(f"{APPLICATION}batches/<int:number>/files/<str:digest>", data.file, name="batch_file"),
    path(f"{APPLICATION}learning-runs/", learning.begin, name="learn"),
    path(f"{APPLICATION}learning-runs/<int:number>/", learning.numbered, name="learning_run_numbered"),
    path(f"{APPLICATION}models/rollback/", models.rollback, name="rollback"),
    path(f"{APPLICATION}models/<int:number>/promote/", models.promote, name="promote"),
    path(f"{APPLICATION}models/<int:number>/reject/", models.reject, name="reject"),
    path("learning-runs/<uuid:id_>/", learning.show, name="learning_run"),
    path("learning-runs/<uuid:id_>/cancel/", learning.cancel, name="cancel_learning"),
    path("executions/<uuid:id_>/", executions.show, name="execution"),
    path("executions/<uuid:id_>/cancel/", executions.cancel, name="cancel"),
    path("executions/<uuid:id_>/take-down/", executions.take_down, name="take_down"),
    path("executions/<uuid:id_>/files/<str:digest>", files.download, name="file"),
    path("executions/<uuid:id_>/<str:side>/<str:name>.csv", files.values, name="values"),
    path("machines/", machines.index, name="machines"),
    path("machines/<int:id_>/drain/", machines.drain, name="drain"),
    path("machines/<int:id_>/take-back/", machines.take_back, name="take_back"),
    path("machines/processes/<uuid:id_>/evict/", machines.evict, name="evict"),
    path("search/", search.index, name="search"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/<int:id_>/revoke/", tokens.revoke, name="revoke_token"),
    path("system/", system.index, name="system"),
]
