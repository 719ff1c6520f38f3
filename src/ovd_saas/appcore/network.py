"""Network: which hosts an application may reach: what its release asks for, and an operator allows. Floor 2."""

import re
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ovd import reach
from ovd.schema import FieldError
from ovd_saas.appcore import editions
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import processes as states
from ovd_saas.domain import status
from ovd_saas.store import claims, transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Process, Release

MOST = 100  # hosts


class BadHosts(Refusal):
    """Not hosts that can be allowed; each error names one of them."""

    code = "bad_hosts"
    http = 422


class Retired(Refusal):
    """A retired application starts nothing."""

    code = "not_allowed"


def wished(release: Release | None) -> list[str]:
    """What a release asks for, as `host:port`. Releases of before it was obeyed may hold any text; that is no host."""
    hosts = (release.manifest.get("network") or {}).get("hosts") if release else None
    return reach.normal(host for host in map(str, hosts or []) if re.fullmatch(reach.PATTERN, host))


def granted(application: Application, release: Release) -> list[str]:
    """What a process that starts now may reach: asked for by its release, and allowed at this moment, whatever
    `application` said when it was read. Ask after the row of the process is there: then `allow` sees either."""
    asked = wished(release)
    if not asked:
        return []
    allowed = Application.objects.values_list("network_allowed", flat=True).get(pk=application.pk)
    return reach.granted(asked, allowed)


def allow(*, application: Application, hosts: Sequence[str], by: str, now: datetime) -> Application:
    """Afterwards it may reach these hosts (`host:port`, or `host` for port 443) as far as its release asks for them,
    and no others; the timeline says who decided it.

    More is reached from the next start on. What is taken away is gone at once: a process that could reach it is ended,
    and what it did begins again without. Raises BadHosts, Retired.
    """
    wanted = _checked(hosts)
    with transaction.atomic():
        application = editions.locked(application.pk)
        if application.status == status.RETIRED:
            raise Retired(f"{application.address} is retired: nothing of it starts, and nothing can be allowed.")
        before = reach.normal(application.network_allowed)
        if set(before) != set(wanted):
            Application.objects.filter(pk=application.pk).update(network_allowed=wanted)
            ended = _end_what_reaches(application, [host for host in before if host not in wanted])
            transitions.record(
                application.pk, "network", _amount(before), _amount(wanted), "allow",
                reason=_reason(before, wanted, by.removeprefix("user:"), ended), now=now, actor=by,
            )  # fmt: skip
    application.refresh_from_db()
    return application


def _checked(hosts: Sequence[str]) -> list[str]:
    if len(hosts) > MOST:
        raise BadHosts(f"{len(hosts)} hosts are more than the {MOST} that can be allowed. Allow what is needed.")
    wrong = [host for host in hosts if not re.fullmatch(reach.PATTERN, host)]
    if wrong:
        raise BadHosts(
            f"{_shown(wrong[0])} cannot be allowed. Write {reach.SAID}.",
            errors=[FieldError("network_allowed", f"{_shown(host)} is not {reach.SAID}.") for host in wrong],
        )
    return reach.normal(hosts)


def _shown(host: str) -> str:
    return repr(host if len(host) <= 60 else host[:59] + "…")


def _end_what_reaches(application: Application, gone: list[str]) -> int:
    """How many processes had to go, because their release asks for what is no longer allowed."""
    living = Process.objects.filter(application=application, condemned="").exclude(state=states.ENDED)
    concerned = [
        process for process in living.select_related("release") if set(gone).intersection(wished(process.release))
    ]
    for process in concerned:
        claims.condemn(process.pk, "A host that it could reach is no longer allowed.")
    if concerned:
        notify("processes", application=application.pk)
    return len(concerned)


def _amount(hosts: Sequence[str]) -> str:
    return f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}"


def _reason(before: Sequence[str], after: Sequence[str], who: str, ended: int) -> str:
    more, less = [host for host in after if host not in before], [host for host in before if host not in after]
    said = []
    if more:
        said.append(f"{who} allowed {', '.join(more)}, from the next start on.")
    if less:
        said.append(f"{who} took back {', '.join(less)}.")
    if ended:
        said.append(f"{ended} process{' was' if ended == 1 else 'es were'} ended for that; what ran begins again.")
    return " ".join(said)
