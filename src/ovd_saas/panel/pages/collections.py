"""Collections: samples that several applications of an organisation offer: list, make, fill, link. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import samples as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.panel import sample_places as places
from ovd_saas.panel.pages import samples as pages
from ovd_saas.store.queries import applications, samples
from ovd_saas.store.records import Application, Organisation


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """All collections that somebody may see; a POST makes one."""
    by = found.caller(request)
    owned = [slug for slug in by.roles if access.may(by, access.PUSH, slug)]
    organisations = Organisation.objects.order_by("slug")
    mine = organisations if by.is_staff else organisations.filter(slug__in=owned)
    if request.method == "POST":
        return _make(request, by)
    context = {
        "here": "samples",
        "collections": samples.collections(None if by.is_staff else list(by.roles)),
        "organisations": list(mine),
    }
    return shown(request, "panel/samples", context)


def _make(request: HttpRequest, by: access.Caller) -> HttpResponse:
    org = request.POST.get("organisation", "")
    organisation = Organisation.objects.filter(slug=org).first()
    if organisation is None or not access.may(by, access.SEE, org):
        raise Http404("No such organisation.")
    found.demand(by, access.PUSH, org)
    back = reverse("panel:samples")
    try:
        made = verbs.collect(
            organisation=organisation, title=request.POST.get("title", ""), by_id=by.user_id, now=timezone.now()
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    said = _("The collection “{title}” is made. Add samples to it.").format(title=made.title)
    return answers.done(request, said, back=places.of(made), leave=True)


@login_required
@require_safe
def show(request: HttpRequest, org: str, slug: str) -> HttpResponse:
    """One of them: its samples, and the applications that offer it."""
    by = found.caller(request)
    row = places.collection(by, org, slug)
    offering = _offering(row)
    schemas = [places.schema_of(one) for one in offering]
    ids = {one.pk for one in offering}
    rest = Application.objects.filter(organisation__slug=org).exclude(pk__in=ids).exclude(status="retired")
    context: dict[str, Any] = {
        "here": "samples",
        "collection": row,
        "own": places.rows(list(samples.of_collection(row)), schemas),
        "offering": offering,
        "others": rest.order_by("name")[:200],
        "may_push": access.may(by, access.PUSH, org),
        "file_inputs": places.file_inputs(schemas[0]) if schemas else [],
        "upload_to": reverse("panel:collection_upload", args=[org, slug]),
        "order_at": reverse("panel:collection_order", args=[org, slug]),
    }
    return shown(request, "panel/samples/collection", context)


def _offering(row: Any) -> list[Application]:
    return list(row.applications.select_related("organisation", "release").order_by("name"))


@login_required
@require_POST
def upload(request: HttpRequest, org: str, slug: str) -> HttpResponse:
    """Each file becomes a sample; checked by the first application that offers the collection."""
    by = found.caller(request)
    row = places.collection(by, org, slug, access.PUSH)
    offering = _offering(row)
    return pages.take_files(request, by, place=row, schema=places.schema_of(offering[0] if offering else None))


@login_required
@require_POST
def order(request: HttpRequest, org: str, slug: str) -> HttpResponse:
    return pages.take_order(request, places.collection(found.caller(request), org, slug, access.PUSH))


@login_required
@require_POST
def act(request: HttpRequest, org: str, slug: str) -> HttpResponse:
    """Link, unlink, rename, discard."""
    by = found.caller(request)
    row = places.collection(by, org, slug, access.PUSH)
    action = request.POST.get("action", "")
    back = request.POST.get("back", "")
    application = None
    if action in ("link", "unlink"):
        application = applications.by_address(org, request.POST.get("application", ""))
        if application is None:
            raise Http404("No such application.")
    page = places.of(application) if application is not None and back == "application" else places.of(row)
    also: dict[str, Any] = {}
    try:
        if application is not None and action == "link":
            verbs.link(collection=row, application=application)
            said = _("{application} offers “{title}” now.").format(application=application.name, title=row.title)
        elif application is not None:
            verbs.unlink(collection=row, application=application)
            said = _("{application} offers “{title}” no more.").format(application=application.name, title=row.title)
            again = reverse("panel:collection_link", args=[org, slug, application.name])
            also["undo"] = {"url": again, "action": "link"}
        elif action == "rename":
            verbs.rename(collection=row, title=request.POST.get("title", ""))
            said = _("It is called “{title}” now.").format(title=row.title)
        elif action == "discard":
            verbs.discard(collection=row, now=timezone.now())
            page, also["leave"] = reverse("panel:samples"), True
            said = _("The collection “{title}” and its samples are gone.").format(title=row.title)
        else:
            raise pages.UnknownAction(f"There is no action {action!r}.")
    except Refusal as refusal:
        return answers.refused(request, refusal, back=page)
    return answers.done(request, said, back=page, **also)


@login_required
@require_POST
def link(request: HttpRequest, org: str, slug: str, name: str) -> HttpResponse:
    """Takes an unlinking back."""
    by = found.caller(request)
    row = places.collection(by, org, slug, access.PUSH)
    application = found.application(by, org, name, access.PUSH)
    verbs.link(collection=row, application=application)
    said = _("{application} offers “{title}” now.").format(application=name, title=row.title)
    return answers.done(request, said, back=places.of(row))
