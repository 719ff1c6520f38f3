"""Addresses of the applications' own pages, below `/a/`. Floor 3."""

from django.urls import path

from ovd_saas.frontends import feedback, page, run, samples

app_name = "frontends"
urlpatterns = [
    path("<slug:org>/<slug:name>/", page.show, name="page"),
    path("<slug:org>/<slug:name>/executions/<uuid:id_>/", run.show, name="run"),
    path("<slug:org>/<slug:name>/executions/<uuid:id_>/feedback/", feedback.give, name="feedback"),
    path("<slug:org>/<slug:name>/samples/<int:number>/<str:sample>/<str:field>", samples.file, name="sample_file"),
]
