"""The page of a release and the tab of releases: what they show and do, and who may."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import pages_parsed
import pages_rows
from ovd_saas.appcore import release_archives
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Release

ClientOf = Callable[..., Client]
AS_SCRIPT = {"accept": "application/json"}
TAB = "/applications/acme/echo/?tab=releases"
ONE, TWO = ("/applications/acme/echo/releases/1/", "/applications/acme/echo/releases/2/")
MANIFEST = 'name = "echo"\ntitle = "Echo"\nentry = "app:Echo"\n\n[execute]\ntimeout = 60\n'


def source(manifest: str = MANIFEST, **members: str) -> str:
    contents = {"ovd.toml": manifest, "app.py": "print(1)\n", "requirements.lock": "six==1.16.0\n", **members}
    return str(pages_rows.source({name.replace("__", "."): text.encode() for name, text in contents.items()}))


def stored(digest: str) -> bytes:
    with files.open(digest) as opened:
        return opened.read()


def received(answer: Any) -> bytes:
    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(all_of_it)()


@pytest.fixture
def echo(db: None) -> Application:
    """Two releases: the first is current; the second takes threshold up to 2, with another package."""
    app = pages_rows.application("echo", pages_rows.ECHO, "Echo")
    assert app.release is not None
    Release.objects.filter(pk=app.release.pk).update(digest=source(), size=len(stored(source())))
    schema = {**pages_rows.ECHO, "inputs": {**pages_rows.ECHO["inputs"]}}
    times = pages_rows.prop("integer", 1, title="Times", minimum=1, maximum=20, default=1)
    schema["inputs"]["properties"] = {**schema["inputs"]["properties"], "times": times}
    Release.objects.create(
        application=app, number=2, state="ready", schema=schema, size=2048, environment=app.release.environment,
        digest=source(app__py="print(2)\n", requirements__lock="six==1.17.0\nnumpy==2.0.0\n"),
        manifest={**app.release.manifest, "sleep": {"after": 60, "wake": "spawn"}}, created_by=pages_rows.person(),
        seconds=4.2, ready_at=timezone.now(), log="Unpacked echo.\nSample greeting passed\n",
        findings={
            "at": timezone.now().isoformat(), "by": "", "seconds": 1.5, "error": "", "python": "3.11.9",
            "environment_mb": 120.5,
            "samples": [{"name": "greeting", "status": "passed", "message": None, "seconds": 0.21}],
        },
    )  # fmt: skip
    return Application.objects.select_related("organisation", "release").get(pk=app.pk)


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return str(pages_parsed.Page(answer.content.decode()).text)


def test_the_tab_says_what_each_release_changed(echo: Application, client_of: ClientOf) -> None:
    said = text(client_of("member"), TAB)
    assert "input times: maximum 9 → 20" in said
    assert "sleep.after: 300 → 60" in said
    assert "Push a release from here" not in said
    assert "Push a release from here" in text(client_of("author"), TAB)


def test_each_part_of_a_release_is_shown(echo: Application, client_of: ClientOf) -> None:
    member = client_of("member")
    overview = text(member, TWO)
    assert "It is ready, and not the current one. Executions run release 1." in overview
    assert "greeting" in overview and "210 ms" in overview and "3.11.9" in overview
    assert "timeout = 60" in text(member, TWO + "?tab=manifest")
    changes = text(member, TWO + "?tab=changes")
    for said in (
        "input times maximum 9 → 20",
        "numpy 2.0.0",
        "six 1.16.0 → 1.17.0",
        "app.py",
        "print(2)",
        "sleep.after",
    ):
        assert said in changes
    assert "app.py" in text(member, TWO + "?tab=files")
    assert "print(2)" in text(member, TWO + "?tab=files&file=app.py")
    assert "Sample greeting passed" in text(member, TWO + "?tab=log")
    text(member, TWO + "?tab=files&file=../secret", 404)
    text(member, TWO + "?tab=changes&against=77", 404)


def test_what_files_hold_is_escaped(echo: Application, client_of: ClientOf) -> None:
    Release.objects.filter(application=echo, number=2).update(digest=source(app__py="<script>alert(1)</script>"))
    for part in ("?tab=files&file=app.py", "?tab=changes"):
        page = client_of("member").get(TWO + part).content.decode()
        assert "&lt;script&gt;alert(1)" in page
        assert pages_parsed.Page(page).inline == []


def test_a_release_whose_bytes_are_gone_says_so_on_each_part(echo: Application, client_of: ClientOf) -> None:
    Release.objects.filter(application=echo, number=2).update(digest="sha256:" + "0" * 64)
    author = client_of("author")
    for part in ("files", "changes"):
        assert "no longer stored" in text(author, f"{TWO}?tab={part}")
    assert "cannot be read" in text(author, TWO + "?tab=manifest")
    assert author.get(TWO + "archive/").status_code == 404


def test_the_archive_is_downloaded_as_it_was_pushed(echo: Application, client_of: ClientOf) -> None:
    answer = client_of("member").get(ONE + "archive/")
    row = Release.objects.get(application=echo, number=1)
    assert answer["Content-Disposition"].startswith('attachment; filename="echo-1.tar.gz"')
    assert received(answer) == stored(row.digest)


def test_making_current_says_before_what_it_will_do_and_can_be_undone(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    said = text(author, TWO)
    assert "It is asleep: the next execution wakes it with this release." in said
    assert "Callers will notice: input times: maximum 9 → 20" in said
    answer = author.post(TWO + "actions/", {"action": "use"}, headers=AS_SCRIPT).json()
    assert answer["message"] == "Release 2 is current."
    echo.refresh_from_db()
    assert echo.release is not None and echo.release.number == 2
    author.post(answer["undo"]["url"], {"action": answer["undo"]["action"]}, headers=AS_SCRIPT)
    echo.refresh_from_db()
    assert echo.release.number == 1


def test_a_release_is_withdrawn_with_a_reason_and_restored(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    answer = author.post(TWO + "actions/", {"action": "withdraw", "reason": "wrong unit"}, headers=AS_SCRIPT).json()
    said = text(author, TWO)
    assert "Withdrawn by author" in said and "wrong unit" in said
    assert "Make it current" not in said
    refused = author.post(TWO + "actions/", {"action": "use"}, headers=AS_SCRIPT)
    assert (refused.status_code, "Restore it first" in refused.json()["detail"]) == (409, True)
    assert "withdrawn" in text(author, TAB)
    author.post(answer["undo"]["url"], {"action": answer["undo"]["action"]}, headers=AS_SCRIPT)
    assert "Make it current" in text(author, TWO)


def test_the_current_release_does_not_offer_to_be_withdrawn_and_refuses_it(
    echo: Application, client_of: ClientOf
) -> None:
    author = client_of("author")
    assert "Withdraw" not in text(author, ONE)
    refused = author.post(ONE + "actions/", {"action": "withdraw"})
    assert refused.status_code == 409
    assert "is the current one. Make another one current" in refused.content.decode()


def test_a_failed_build_says_why_and_what_to_do_and_is_built_again(echo: Application, client_of: ClientOf) -> None:
    Release.objects.filter(application=echo, number=2).update(
        state="failed",
        error="environment: `uv pip sync` failed",
        log="Unpacked echo.\n",
        seconds=3,
        manifest={},
        schema={},
    )
    author = client_of("author")
    said = text(author, TWO)
    assert "It could not be built. `uv pip sync` failed" in said
    assert "If the package index was not reachable, build again." in said
    assert "Environment failed" in said
    assert author.post(TWO + "actions/", {"action": "build"}, headers=AS_SCRIPT).status_code == 200
    said = text(author, TWO)
    assert "It is being built and checked." in said
    assert "Build again" not in said
    again = author.post(TWO + "actions/", {"action": "build"}, headers=AS_SCRIPT)
    assert (again.status_code, "only a failed one" in again.json()["detail"]) == (409, True)


def test_the_log_is_told_from_where_a_page_has_it(echo: Application, client_of: ClientOf) -> None:
    member = client_of("member")
    piece = member.get(TWO + "log/", {"after": 15}).json()
    assert piece == {"text": "Sample greeting passed\n", "length": 38, "state": "ready"}
    assert member.get(TWO + "log/").content.decode().startswith("Unpacked echo.")


def test_samples_are_run_again_once_however_often_it_is_asked(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    for _ in range(2):
        assert author.post(TWO + "actions/", {"action": "check"}, headers=AS_SCRIPT).status_code == 200
    row = Release.objects.get(application=echo, number=2)
    assert row.check_asked_by == "user:author"
    assert "The samples are being run…" in text(author, TWO)


def test_a_manifest_is_checked_with_lines(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    wrong = MANIFEST + "memory = 5\n[slep]\n"
    told = author.post(ONE + "manifest/", {"action": "check", "manifest": wrong}, headers=AS_SCRIPT).json()
    assert [(one["line"], one["key"]) for one in told["problems"]] == [(7, "execute.memory"), (8, "slep")]
    page = author.post(ONE + "manifest/", {"action": "check", "manifest": wrong})
    assert "Line 7" in pages_parsed.Page(page.content.decode()).text
    fine = author.post(ONE + "manifest/", {"action": "check", "manifest": MANIFEST}, headers=AS_SCRIPT).json()
    assert fine["problems"] == []


def test_saving_a_manifest_makes_a_new_release_of_the_same_files(echo: Application, client_of: ClientOf) -> None:
    author = client_of("author")
    changed = MANIFEST.replace("60", "90")
    form = {"action": "save", "manifest": changed.replace("\n", "\r\n"), "newest": "2"}
    done = author.post(ONE + "manifest/", form, headers=AS_SCRIPT).json()
    assert done["location"] == "/applications/acme/echo/releases/3/?tab=log"
    made = Release.objects.get(application=echo, number=3)
    assert made.state == "building"
    assert release_archives.text(made.digest, "ovd.toml") == changed
    assert release_archives.text(made.digest, "app.py") == "print(1)\n"
    first = Release.objects.get(application=echo, number=1)
    assert release_archives.text(first.digest, "ovd.toml") == MANIFEST


@pytest.mark.parametrize(
    ("manifest", "newest", "status", "says"),
    [
        (MANIFEST, "2", 422, "so there is nothing to save"),
        (MANIFEST + "x = 1\n", "2", 422, None),
        (MANIFEST.replace("60", "90"), "1", 409, "Release 2 was pushed by ana while you were writing."),
        (MANIFEST.replace('"echo"', '"other"'), "2", 422, "Make them agree"),
    ],
)
def test_what_cannot_be_saved_makes_no_release(
    echo: Application, client_of: ClientOf, manifest: str, newest: str, status: int, says: str | None
) -> None:
    form = {"action": "save", "manifest": manifest, "newest": newest}
    answer = client_of("author").post(ONE + "manifest/", form, headers=AS_SCRIPT)
    assert answer.status_code == status
    assert says is None or says in answer.json()["detail"]
    assert Release.objects.filter(application=echo).count() == 2


def test_an_archive_is_pushed_from_the_page(echo: Application, client_of: ClientOf) -> None:
    upload = SimpleUploadedFile("echo.tar.gz", stored(source(MANIFEST.replace("60", "30"))))
    answer = client_of("author").post("/applications/acme/echo/releases/", {"archive": upload}, headers=AS_SCRIPT)
    assert answer.json()["location"] == "/applications/acme/echo/releases/3/?tab=log"
    nothing = client_of("author").post("/applications/acme/echo/releases/", {}, headers=AS_SCRIPT)
    assert nothing.status_code == 422
    broken = SimpleUploadedFile("echo.tar.gz", b"no tar", content_type="application/gzip")
    refused = client_of("author").post("/applications/acme/echo/releases/", {"archive": broken}, headers=AS_SCRIPT)
    assert "not a readable tar.gz" in refused.json()["detail"]


POSTS: list[tuple[str, dict[str, Any]]] = [
    (TWO + "actions/", {"action": "use"}),
    (TWO + "actions/", {"action": "withdraw"}),
    (TWO + "manifest/", {"action": "save", "manifest": MANIFEST}),
    ("/applications/acme/echo/releases/", {}),
]


@pytest.mark.parametrize(("path", "form"), POSTS)
def test_only_authors_and_owners_change_releases(
    echo: Application, client_of: ClientOf, path: str, form: dict[str, Any]
) -> None:
    for role, status in (("member", 403), ("operator", 403), (None, 404)):
        assert client_of(role).post(path, form).status_code == status


def test_others_see_nothing_of_it(echo: Application, client_of: ClientOf) -> None:
    stranger = client_of(None)
    for path in (TWO, TWO + "archive/", TWO + "log/", TWO + "?tab=manifest"):
        assert stranger.get(path).status_code == 404


def test_the_number_of_queries_does_not_depend_on_how_many_releases_there_are(
    echo: Application, client_of: ClientOf
) -> None:
    member = client_of("member")

    def queries(path: str) -> int:
        member.get(path)
        with CaptureQueriesContext(
            connection,
        ) as counted:
            assert member.get(path).status_code == 200
        return len(counted)

    paths = [TAB, *(f"{TWO}?tab={part}" for part in ("overview", "manifest", "changes", "files", "log"))]
    before = [queries(path) for path in paths]
    for number in range(3, 30):
        Release.objects.create(
            application=echo, number=number, state="ready", digest=source(), schema=pages_rows.ECHO,
            manifest={"execute": {"timeout": number}}, created_at=timezone.now() - timedelta(days=1),
        )  # fmt: skip
    assert [queries(path) for path in paths] == before
    assert max(before) <= 14
