"""Samples: the tab of an application; one sample as a form; many files at once; order, removal and undo. Floor 3."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import samples as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, form, found, posted
from ovd_saas.assets.fragments import show as shown
from ovd_saas.assets.kinds import PICTURES
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.panel import sample_places as places
from ovd_saas.panel.pages.files import chunks, disposition
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import samples
from ovd_saas.store.records import Application, Sample

MOST_FILES = 200  # of one upload


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    schema = places.schema_of(row)
    linked = list(samples.linked(row))
    theirs = places.rows(list(samples.shared(row)), [schema])
    listed = places.rows(list(samples.own(row)), [schema])
    ids = {one.pk for one in linked}
    others = [one for one in samples.collections([row.organisation.slug]) if one.pk not in ids]
    return {
        "brought": row.release.schema.get("samples", []) if row.release else [],
        "own": listed,
        "linked": [(one, [each for each in theirs if each.sample.collection_id == one.pk]) for one in linked],
        "others": others,
        "file_inputs": places.file_inputs(schema),
        "upload_to": reverse("panel:samples_upload", args=[row.organisation.slug, row.name]),
        "order_at": reverse("panel:samples_order", args=[row.organisation.slug, row.name]),
    }


TAB = Tab(
    "samples", gettext_lazy("Samples"), "photo", tab, below="panel/application/samples_add.html",
    scripts="panel/application/samples_scripts.html",
)  # fmt: skip


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """One sample by the form of the inputs."""
    by = found.caller(request)
    application = found.application(by, org, name, access.PUSH)
    return edit_form(request, by, place=application, application=application, sample=None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, id_: int) -> HttpResponse:
    """One that is there; of a collection, by the form of an application that offers it (`?for=org/name`)."""
    by = found.caller(request)
    row = places.sample(by, id_, access.PUSH)
    if row.removed_at is not None:
        raise Http404("It was removed.")
    application = row.application
    if row.collection is not None:
        offering = row.collection.applications.select_related("organisation", "release").order_by("name")
        wanted = request.GET.get("for", "")
        application = next((one for one in offering if one.name == wanted), offering.first())
    return edit_form(request, by, place=verbs.place_of(row), application=application, sample=row)


def edit_form(
    request: HttpRequest, by: access.Caller, *, place: verbs.Place, application: Application | None,
    sample: Sample | None,
) -> HttpResponse:  # fmt: skip
    """The page with the form; a POST of it saves, and goes back to the list."""
    schema = places.schema_of(application)
    inputs = (verbs.fitted(sample.inputs, schema) if schema else None) if sample else {}
    files_ = places.prefilled(sample, inputs) if sample and inputs is not None else {}
    fields = form.asked(schema, inputs or {}, files_) if inputs is not None or sample is None else []
    if sample is not None and inputs is None and schema:  # it fitted an earlier release: filled anew
        fields = form.asked(schema, {}, {})
    context: dict[str, Any] = {
        "here": "applications" if isinstance(place, Application) else "samples",
        "application": application,
        "collection": place if not isinstance(place, Application) else None,
        "offering": place.applications.order_by("name") if not isinstance(place, Application) else [],
        "sample": sample,
        "back": places.of(place),
        "fields": fields,
        "misfits": bool(sample and inputs is None and schema),
        "title": sample.title if sample else "",
        "credit": sample.credit if sample else "",
        "licence": sample.licence if sample else "",
    }
    if request.method != "POST":
        return shown(request, "panel/samples/edit", context)
    texts = {name: request.POST.get(f"about:{name}", "") for name in ("title", "credit", "licence")}
    taken = posted.read(request, fields, lambda field, _origin: (inputs or {}).get(field))
    try:
        made = verbs.checked(schema, {**taken.values, **taken.files}) if fields and not taken.errors else None
        if not taken.errors:
            _save(place, sample, texts, made, by)
            return redirect(places.of(place))
    except Refusal as refusal:
        for error in refusal.errors:
            taken.refuse(error.field, error.message)
        context["refusal"] = refusal.detail
    again = form.asked(schema, {**request.POST.dict(), **taken.values}, files_) if schema else []
    context |= texts | {"errors": taken.errors, "fields": form.with_errors(again, taken.errors)}
    answer = shown(request, "panel/samples/edit", context)
    answer.status_code = 422
    return answer


def _save(
    place: verbs.Place, sample: Sample | None, texts: dict[str, str], made: dict[str, Any] | None, by: access.Caller
) -> None:
    now = timezone.now()
    if sample is None:
        verbs.add(place=place, inputs=made or {}, by_id=by.user_id, now=now, **texts)
    else:
        verbs.change(sample=sample, inputs=made, now=now, **texts)


@login_required
@require_POST
def upload(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Each file becomes a sample."""
    by = found.caller(request)
    application = found.application(by, org, name, access.PUSH)
    return take_files(request, by, place=application, schema=places.schema_of(application))


def take_files(request: HttpRequest, by: access.Caller, *, place: verbs.Place, schema: dict[str, Any]) -> HttpResponse:
    """What fits becomes a sample, with a title from its name; what does not is told, file by file."""
    named = request.POST.get("input", "") or next((one for one, _label in places.file_inputs(schema)), "")
    refused: list[tuple[str, str]] = []
    made = 0
    for one in request.FILES.getlist("files")[:MOST_FILES]:
        about = posted.stored(one)
        try:
            inputs = verbs.from_file(schema, named, about) if schema else {"file": about}
            verbs.add(
                place=place, title=verbs.title_of(about["name"]), inputs=inputs,
                credit=request.POST.get("credit", ""), licence=request.POST.get("licence", ""),
                by_id=by.user_id, now=timezone.now(),
            )  # fmt: skip
            made += 1
        except Refusal as refusal:
            verbs.let_go(about, now=timezone.now())
            refused.append((about["name"], refusal.detail))
    said = ngettext("{n} sample was added.", "{n} samples were added.", made).format(n=made)
    if answers.wants_json(request):
        told = [{"name": name, "why": why} for name, why in refused]
        body = {"made": made, "refused": told, "message": said}
        return JsonResponse(body, status=422 if refused and not made else 200)
    if refused or not made:
        why = "; ".join(f"{name}: {why}" for name, why in refused) or _("No file came. Choose at least one.")
        return answers.refused(request, verbs.BadSample(f"{said} {why}"), back=places.of(place))
    return answers.done(request, said, back=places.of(place))


@login_required
@require_POST
def order(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """All of them in the order in which they were dragged."""
    application = found.application(found.caller(request), org, name, access.PUSH)
    return take_order(request, application)


def take_order(request: HttpRequest, place: verbs.Place) -> HttpResponse:
    ids = [int(one) for one in request.POST.getlist("id") if one.isdecimal() and len(one) < 12]
    verbs.reorder(place=place, ids=ids)
    return answers.done(request, _("The order is saved."), back=places.of(place))


@login_required
@require_POST
def act(request: HttpRequest, id_: int) -> HttpResponse:
    """Up, down, remove, restore."""
    row = places.sample(found.caller(request), id_, access.PUSH)
    back = places.of(verbs.place_of(row))
    action = request.POST.get("action", "")
    try:
        if action not in _ACTIONS:
            raise UnknownAction(f"There is no action {action!r}. There are: {', '.join(_ACTIONS)}.")
        said = _ACTIONS[action](row)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    also: dict[str, Any] = {"undo": {"url": request.path, "action": "restore"}} if action == "remove" else {}
    return answers.done(request, said, back=back, **also)


class UnknownAction(Refusal):
    """A form that was not ours."""

    code = "unknown_action"
    http = 400


def _up(row: Sample) -> str:
    verbs.move(sample=row, by=-1)
    return _("“{title}” moved up.").format(title=row.title)


def _down(row: Sample) -> str:
    verbs.move(sample=row, by=1)
    return _("“{title}” moved down.").format(title=row.title)


def _remove(row: Sample) -> str:
    verbs.remove(sample=row, now=timezone.now())
    return _("“{title}” was removed.").format(title=row.title)


def _restore(row: Sample) -> str:
    verbs.restore(sample=row)
    return _("“{title}” is there again.").format(title=row.title)


_ACTIONS: dict[str, Callable[[Sample], str]] = {"up": _up, "down": _down, "remove": _remove, "restore": _restore}


@login_required
@require_safe
def file(request: HttpRequest, id_: int, digest: str) -> HttpResponseBase:
    """The bytes of a file of a sample. Only pictures open in the page; the rest is saved."""
    row = places.sample(found.caller(request), id_)
    about = next((one for one in row.inputs.values() if verbs.is_file(one) and one["digest"] == digest), None)
    if about is None:
        raise Http404("This sample has no such file.")
    try:
        opened = files.open(digest)
    except Missing:
        raise Http404("The file is no longer stored.") from None
    is_inline = about["media_type"] in PICTURES and "download" not in request.GET
    kind = about["media_type"] if is_inline else "application/octet-stream"
    answer = StreamingHttpResponse(chunks(opened, about["size"]), content_type=kind)
    answer["Content-Length"] = str(about["size"])
    answer["Content-Disposition"] = disposition(about["name"], is_inline)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer
