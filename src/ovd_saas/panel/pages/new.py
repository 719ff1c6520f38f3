"""New: an application from a folder, from a starter, or by adopting another one. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access, adoptions, applications, newcomers, starters
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.files import store as files
from ovd_saas.store.queries import applications as queries
from ovd_saas.store.queries import panel, people
from ovd_saas.store.records import Organisation, Release

LARGEST = 512 << 20  # bytes of an archive, as by the API
MOST_ADOPTABLE = 50  # shown at once; a search finds the others
WAYS = ("starter", "upload", "adopt")


class NoArchive(Refusal):
    """The form came without a file, or with one too large."""

    code = "bad_archive"
    http = 422


@login_required
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The three ways, one of them open."""
    by = found.caller(request)
    way = request.GET.get("way", "")
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    return render(request, "panel/applications/new.html", _context(by, way=way, text=text, said=request.GET))


@login_required
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """From a tar.gz, which the page makes of a dropped folder."""
    by = found.caller(request)
    organisation = _organisation(by, request)
    archive = request.FILES.get("archive")
    back = reverse("panel:new_application") + "?way=upload"
    try:
        release = newcomers.publish(
            organisation=organisation, archive=_stored(archive), by=by.actor, by_id=by.user_id, now=timezone.now()
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return _built(request, release)


@login_required
@require_POST
def from_starter(request: HttpRequest) -> HttpResponse:
    """A starter under a name of one's own."""
    by = found.caller(request)
    organisation = _organisation(by, request)
    name, title = request.POST.get("name", "").strip(), request.POST.get("title", "").replace("\0", "").strip()[:200]
    back = reverse("panel:new_application") + "?way=starter"
    try:
        applications.check_name(name)
        archive = starters.pack(starters.by_key(request.POST.get("starter", "")), name=name, title=title)
        release = newcomers.publish(
            organisation=organisation, archive=archive, by=by.actor, by_id=by.user_id, now=timezone.now()
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return _built(request, release)


@login_required
@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    """Another application's release, on one's own data."""
    by = found.caller(request)
    organisation = _organisation(by, request)
    org, _slash, upstream_name = request.POST.get("upstream", "").partition("/")
    upstream = found.application(by, org, upstream_name)
    name = request.POST.get("name", "").strip() or upstream_name
    try:
        made = adoptions.adopt(
            upstream=upstream, organisation=organisation, name=name,
            title=request.POST.get("title", "").replace("\0", "").strip()[:200],
            by=by.actor, by_id=by.user_id, now=timezone.now(),
        )  # fmt: skip
    except Refusal as refusal:
        return answers.refused(request, refusal, back=reverse("panel:new_application") + "?way=adopt")
    said = _("{name} is adopted: it runs release {number} of {upstream}, on data of its own.").format(
        name=made.address, number=upstream.release.number if upstream.release else "", upstream=upstream.address
    )
    back = reverse("panel:application", args=[organisation.slug, made.name])
    return answers.done(request, said, back=back, leave=True)


def _built(request: HttpRequest, release: Release) -> HttpResponse:
    address = release.application.address
    back = reverse("panel:release", args=[*address.split("/"), release.number])
    said = _("{name} is here. It is being built now; it opens by itself when that is done.").format(name=address)
    return answers.done(request, said, back=back, leave=True)


def _organisation(by: access.Caller, request: HttpRequest) -> Organisation:
    """Of the form. Raises Http404, PermissionDenied."""
    slug = request.POST.get("organisation", "").replace("\0", "")
    organisation = people.organisation(slug)
    if organisation is None or not access.may(by, access.SEE, slug):
        raise Http404("No such organisation.")
    found.demand(by, access.PUSH, slug)
    return organisation


def _stored(archive: UploadedFile | None) -> Any:  # type: ignore[type-arg]
    """Its bytes in the file store. Raises NoArchive."""
    if archive is None:
        raise NoArchive(_("No file came. Choose a folder, or a .tar.gz of one."))
    if (archive.size or 0) > LARGEST:
        raise NoArchive(_("The archive is over 512 MiB. Leave data and caches out of the folder."))
    writer = files.Writer()
    try:
        for chunk in archive.chunks():
            writer.write(chunk)
        return writer.commit()
    except BaseException:
        writer.abort()
        raise


def _context(by: access.Caller, *, way: str, text: str, said: Any) -> dict[str, Any]:
    allowed = [row.slug for row in people.organisations_of(by) if access.may(by, access.PUSH, row.slug)]
    adoptable = panel.adoptable(by, text=text)[:MOST_ADOPTABLE]
    upstream = said.get("upstream", "")
    return {
        "here": "applications",
        "organisations": allowed,
        "organisation": said.get("organisation", ""),
        "way": way if way in WAYS else "adopt" if upstream else "starter",
        "starters": starters.all_(),
        "adoptable": queries.listed(list(adoptable.values_list("pk", flat=True))),
        "upstream": upstream,
        "text": text,
    }
