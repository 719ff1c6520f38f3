"""Releases and samples in a real browser: the editor, the growing log, files dropped, the order by keyboard."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

import pages_rows
from ovd_saas.appcore import release_archives
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Release, Sample
from pages_browser import connected, scrolls_sideways

MANIFEST = 'name = "lines"\ntitle = "Line segments"\nentry = "app:Lines"\n\n[execute]\ntimeout = 60\n'
PLACE = "/applications/acme/lines/"


@pytest.fixture
def lines(live: str) -> Application:
    pages_rows.person()
    made = pages_rows.application("lines", pages_rows.LINES, "Line segments")
    members = {"ovd.toml": MANIFEST.encode(), "app.py": b"print(1)\n", "requirements.lock": b"six==1.16.0\n"}
    Release.objects.filter(application=made).update(digest=pages_rows.source(members))
    return made


def write(page: Page, text: str) -> None:
    """In the editor, after what is there."""
    page.locator("[data-editor] .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)


def test_a_manifest_is_corrected_where_it_is_wrong_and_saved_as_a_new_release(
    lines: Application, open_page: Any
) -> None:
    page = open_page(f"{PLACE}releases/1/?tab=manifest")
    write(page, "memory = 5\n")
    page.keyboard.press("Control+s")
    expect(page.locator("[data-problems]")).to_contain_text("Line 7")
    expect(page.locator("[data-editor] .cm-lint-marker-error")).to_have_count(1)
    page.get_by_role("button", name="Save as a new release").click()
    expect(page.locator("[data-problems]")).to_contain_text("Unknown key")
    assert Release.objects.filter(application=lines).count() == 1
    page.locator("[data-editor] .cm-content").click()
    page.keyboard.press("Control+End")
    for _ in range(len("memory = 5\n")):
        page.keyboard.press("Backspace")
    page.keyboard.type("conc")
    page.locator("[data-editor] .cm-tooltip-autocomplete li", has_text="concurrency").click()
    page.get_by_role("button", name="Save as a new release").click()
    page.wait_for_url(re.compile(r"/releases/2/\?tab=log$"))
    made = Release.objects.get(application=lines, number=2)
    assert release_archives.text(made.digest, "ovd.toml") == MANIFEST + "concurrency = 1"


def test_what_is_not_saved_is_guarded(lines: Application, open_page: Any) -> None:
    page = open_page(f"{PLACE}releases/1/?tab=manifest")
    write(page, "# a thought\n")
    expect(page.locator("[data-editor-state]")).to_have_text("Not saved yet")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Files").click()
    page.wait_for_timeout(0)
    expect(page).to_have_url(re.compile(r"tab=manifest$"))
    assert asked == ["beforeunload"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Files").click()
    expect(page).to_have_url(re.compile(r"tab=files$"))


def test_the_log_grows_while_it_is_built_and_the_page_says_when_it_is_over(lines: Application, open_page: Any) -> None:
    row = Release.objects.create(
        application=lines, number=2, digest=lines.release.digest, begun_at=timezone.now(), log="Unpacked lines.\n"
    )
    page = connected(open_page(f"{PLACE}releases/2/?tab=log"))
    expect(page.locator("#log")).to_have_text("Unpacked lines.\n")
    expect(page.locator("[aria-current=step]")).to_contain_text("Environment")
    told = {"id": row.pk, "application": lines.pk}
    Release.objects.filter(pk=row.pk).update(log="Unpacked lines.\nThe application imports, and its schema is known.\n")
    notify("release", **told)
    expect(page.locator("#log")).to_contain_text("its schema is known")
    expect(page.locator("[aria-current=step]")).to_contain_text("Samples")
    Release.objects.filter(pk=row.pk).update(state="failed", error="samples: Sample stairs: it is wrong")
    notify("release", **told)
    expect(page.locator("[data-story]")).to_contain_text("It could not be built. Sample stairs: it is wrong")
    page.get_by_role("button", name="Build again").click()
    expect(page.locator("[data-story]")).to_contain_text("It is being built and checked.")
    expect(page.locator("#log")).to_have_text("")


def test_many_pictures_become_samples_and_are_ordered_with_the_keyboard(
    lines: Application, open_page: Any, tmp_path: Path
) -> None:
    paths = []
    for name in ("one.png", "two.png", "three.png"):
        (tmp_path / name).write_bytes(pages_rows.png())
        paths.append(str(tmp_path / name))
    (tmp_path / "notes.txt").write_text("no picture")
    page = connected(open_page(f"{PLACE}?tab=samples"))
    page.locator("[data-samples-upload] input[type=file]").set_input_files([*paths, str(tmp_path / "notes.txt")])
    page.get_by_role("button", name="Add them").click()
    expect(page.locator("[data-sample-row]")).to_have_count(3)
    expect(page.locator("[data-samples-answer]")).to_contain_text("notes.txt")
    button = page.get_by_role("button", name="Move up: Three")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-sample-row] strong")).to_have_text(["One", "Three", "Two"])
    page.locator("[data-sample-row]", has_text="One").drag_to(page.locator("[data-sample-row]", has_text="Two"))
    expect(page.locator("[data-messages]")).to_contain_text("The order is saved.")
    assert Sample.objects.order_by("position").first().title != "One"  # type: ignore[union-attr]
    page.get_by_role("button", name="Remove: Two").click()
    expect(page.locator("[data-sample-row]")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-sample-row]")).to_have_count(3)


def test_an_archive_is_dropped_on_the_tab_and_its_build_is_followed(
    lines: Application, open_page: Any, tmp_path: Path
) -> None:
    members = {"ovd.toml": MANIFEST.replace("60", "30").encode(), "requirements.lock": b""}
    from ovd_saas.files import store as files

    with files.open(pages_rows.source(members)) as stored:
        (tmp_path / "lines.tar.gz").write_bytes(stored.read())
    page = open_page(f"{PLACE}?tab=releases")
    page.locator("[data-push] input[type=file]").set_input_files(str(tmp_path / "lines.tar.gz"))
    page.get_by_role("button", name="Push", exact=True).click()
    page.wait_for_url(re.compile(r"/releases/2/\?tab=log$"))


@pytest.mark.parametrize("path", ["releases/1/", "releases/1/?tab=manifest", "releases/1/?tab=files", "?tab=samples",
                                  "?tab=releases"])  # fmt: skip
def test_nothing_scrolls_sideways_on_a_narrow_screen(lines: Application, open_page: Any, path: str) -> None:
    assert not scrolls_sideways(open_page(PLACE + path, width=390))
