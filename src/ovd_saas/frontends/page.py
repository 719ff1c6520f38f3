"""The page of an application for its end users: what it does, its inputs as a form, its samples. Floor 3."""

import hashlib
import json
import secrets
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from ovd_saas.appcore import access, executions
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import form, found, posted, sentences
from ovd_saas.assets.form import Prefilled
from ovd_saas.assets.fragments import show as shown
from ovd_saas.assets.kinds import PICTURES
from ovd_saas.assets.words import markdown, numeral
from ovd_saas.domain import health, service, status
from ovd_saas.frontends import samples
from ovd_saas.store.queries import executions as archive
from ovd_saas.store.queries import models, panel
from ovd_saas.store.records import Application, ModelVersion, Release

SEEDS = 2**31


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """The form; a POST of it (without JavaScript) makes an execution and goes to its page."""
    by = found.caller(request)
    application = found.application(by, org, name)
    release = application.release
    context = _context(request, by, application)
    if request.method == "POST" and release is not None:
        found.demand(by, access.EXECUTE, org)
        taken = posted.read(request, context["fields"], partial(samples.again, application))
        inputs = posted.accepted(taken, release.schema["inputs"])
        try:
            if not taken.errors:
                return HttpResponseRedirect(_run(application, inputs, by, request.POST.get("consent") == "yes"))
            context["fields"] = form.with_errors(_typed_again(release, taken, request), taken.errors)
        except Refusal as refusal:
            context["refusal"] = refusal.detail
        answer = shown(request, "frontends/page", context | {"errors": taken.errors})
        answer.status_code = 422
        return answer
    return shown(request, "frontends/page", context)


def _run(application: Application, inputs: dict[str, Any], by: access.Caller, consent: bool) -> str:
    """The address of the new execution."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    execution, _is_new = executions.submit(
        application=application,
        inputs=inputs,
        seed=secrets.randbelow(SEEDS),
        deadline_at=None,
        caller=by.key,
        by_id=by.user_id,
        cause={"kind": "page"},
        idempotency_key=None,
        request_digest=f"sha256:{digest}",
        consent=consent,
        now=timezone.now(),
    )
    return reverse("frontends:run", args=[application.organisation.slug, application.name, execution.pk])


def _typed_again(release: Release, taken: posted.Posted, request: HttpRequest) -> list[form.Asked]:
    """The form as it was sent, so that nothing has to be typed twice."""
    raw = {key: value for key, value in request.POST.items() if key not in taken.values and value}
    return form.asked(release.schema["inputs"], {**raw, **taken.values}, {})


def _context(request: HttpRequest, by: access.Caller, application: Application) -> dict[str, Any]:
    release = application.release
    schema = release.schema if release else {}
    offered = samples.offered(application)
    values, files, origin = _filled(request, application, offered)
    fields = form.asked(schema.get("inputs", {}), values, files)
    return {
        "application": application,
        "release": release,
        "manifest": release.manifest if release else {},
        "description": markdown(release.description) if release else "",
        "fields": fields,
        "has_advanced": any(field.hints.get("advanced") for field in fields),
        "samples": offered,
        "origin": origin,
        "outlook": outlook(application),
        "api": f"/api/v1/applications/{application.organisation.slug}/{application.name}/executions",
        "address": request.build_absolute_uri("/").rstrip("/"),
        "may_learn": bool((release.manifest.get("learn") or {}).get("from_executions")) if release else False,
        "consent": request.POST.get("consent") == "yes",
        "learned": learned(application),
        "recent": archive.all_of(application).filter(caller=by.key)[:5],
    }


def _filled(
    request: HttpRequest, application: Application, offered: list[samples.Offered]
) -> tuple[dict[str, Any], dict[str, Prefilled], str]:
    """What the form is filled with: the inputs of a sample, of an earlier execution, or nothing but defaults."""
    if application.release is None:
        return {}, {}, ""
    wanted = request.GET.get("sample", "")
    sample = next((one for one in offered if one.key == wanted), None)
    if sample is not None:
        return sample.inputs, sample.files, f"sample:{wanted}"
    earlier = _earlier(request.GET.get("from", ""), application)
    if earlier is not None:
        files = {
            field: Prefilled(
                value["name"],
                reverse("panel:file", args=[earlier.pk, value["digest"]]),
                f"execution:{earlier.pk}",
                value["media_type"] in PICTURES,
                value["media_type"],
            )
            for field, value in earlier.inputs.items()
            if isinstance(value, dict) and "digest" in value and "media_type" in value
        }
        return earlier.inputs, files, f"execution:{earlier.pk}"
    return {}, {}, ""


def _earlier(text: str, application: Application) -> Any:
    try:
        earlier = archive.by_id(UUID(text)) if text else None
    except ValueError:
        return None
    return earlier if earlier and earlier.application_id == application.pk and not earlier.taken_down_at else None


def learned(application: Application) -> ModelVersion | None:
    """The version that answers, where one was learned."""
    return models.live(application) if application.model_id else None


def outlook(application: Application) -> dict[str, Any]:
    """An honest sentence about what pressing Run will do, and whether it can be pressed."""
    refused = {
        status.DRAFT: _("Not open yet: its author has not published a release that is ready."),
        status.SUSPENDED: _("Suspended by its operators: it takes no runs now."),
        status.RETIRED: _("Retired: it takes no runs any more. Earlier results stay readable."),
    }.get(application.status)
    if refused or application.release is None:
        return {"can_run": False, "words": refused or _("No release is ready yet.")}
    waiting = archive.all_of(application).filter(status="queued").count()
    said = [_what_run_does(application, waiting)]
    if waiting:
        ahead = ngettext("{count} run waits before yours.", "{count} runs wait before yours.", waiting)
        said.append(ahead.format(count=waiting))
    return {"can_run": True, "words": " ".join(said)}


def _what_run_does(application: Application, waiting: int) -> str:
    if application.health == health.FAULTY:
        return _("It had trouble starting: {reason} Run may fail.").format(reason=sentences.said(application.reason)[0])
    if application.service == service.AWAKE:
        return _("Awake: it runs in turn.") if waiting else _("Awake: it runs at once.")
    if application.service == service.WAKING:
        return _("Waking up right now.")
    seconds = panel.last_waking_seconds(application)
    if seconds is None:
        return _("Asleep; wakes when you press Run.")
    return _("Asleep; wakes when you press Run. The last time that took {seconds} s.").format(
        seconds=numeral(f"{seconds:.1f}")
    )
