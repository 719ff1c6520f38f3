"""Pictures of every page at two widths in both colour schemes: `make screenshots`.

Starts a platform of its own with a life to look at (tools/stage.py), or takes one that runs (`--at URL --user ana
--password …`). Pages are found by following links, some of each kind; `--only WORD` takes those whose address has it.
Complaints of the browser and pages that scroll sideways are printed beside the name of the picture.
"""

import argparse
import re
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import stage
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from ovd.client import Client

FLAGS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
FIRST = (
    "/home/", "/applications/", "/applications/new/", "/timeline/", "/machines/", "/samples/", "/people/", "/system/",
    "/search/?q=wa", "/tokens/", "/password/", "/applications/?q=nothing-of-this-name", "/nowhere/",
)  # fmt: skip
FRENCH = ("/home/", "/applications/", "/applications/new/", "/timeline/", "/machines/", "/people/", "/system/", "?tab=")
SIGNED_OUT = ["/login/", "/password/forgotten/", "/invitations/nothing/", "/shared/nothing/"]
NOT_PAGES = re.compile(r"/(static|api|events|logout|i18n)/|/files/|\.csv$|/archive/$|/log/$|^/a/.*\?(from|sample)=")
EACH = 3  # pages of one kind
CHARTS = "() => [...document.querySelectorAll('[data-chart]')].every(one => one.dataset.drawn || !one.offsetParent)"


def sign_in(page: Page, base: str, user: str, password: str) -> None:
    page.goto(f"{base}/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("form button[type=submit]:not([name=language])")
    page.wait_for_url(lambda url: "/login/" not in url)


def kind(place: str) -> str:
    """What kind of page an address is of: tabs of every application count by themselves."""
    bare = re.sub(r"^/(applications|a)/(?!new/|bulk/)[\w-]+/[\w-]+/", r"/\1/ONE/", place)
    bare = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "N", bare)
    return re.sub(r"=[^&]*", "=", bare) if "tab=" not in bare else bare


def places(page: Page, base: str) -> list[str]:
    """Addresses of every kind of page, the nearest first."""
    found, seen, counts = [*FIRST], set(FIRST), Counter(map(kind, FIRST))
    for place in found:
        answer = page.goto(base + place, wait_until="domcontentloaded")
        if answer is None or "text/html" not in (answer.header_value("content-type") or ""):
            continue
        links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
        for link in links:
            target = link if link.startswith("/") else place.split("?")[0] + link if link.startswith("?") else ""
            if not target or "#" in target or NOT_PAGES.search(target) or target in seen or target == "/":
                continue
            if "tab=" not in target and "?" in target:
                continue
            seen.add(target)
            if counts[kind(target)] < EACH:
                counts[kind(target)] += 1
                found.append(target)
    return found


def run_samples(page: Page, base: str) -> None:
    """Press Run with the first sample of each application that has one."""
    page.goto(f"{base}/applications/")
    page.wait_for_selector("a[href^='/applications/']")
    links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    for link in dict.fromkeys(one for one in links if re.fullmatch(r"/applications/(?!new/)[\w-]+/[\w-]+/", one)):
        page.goto(base + link.replace("/applications/", "/a/"))
        sample = page.locator("[data-sample]").first
        if not sample.count():
            continue
        sample.click()
        button = page.locator("[data-run-button]:not([disabled])")
        if button.count():
            try:
                button.click()
                page.wait_for_url(re.compile(r"/executions/"), timeout=60_000, wait_until="commit")
            except Error as error:
                print(f"  {link}: {error.message.splitlines()[0]}", flush=True)


def shoot(context: BrowserContext, base: str, place: str, path: Path) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        page.goto(base + place, wait_until="load")
        page.wait_for_function(CHARTS)
        page.wait_for_timeout(150)  # of what moves in once
    except Error as error:
        complaints.append(error.message.splitlines()[0])
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.screenshot(path=path, full_page=True)
    print(path.name, place, *complaints, *(["scrolls sideways"] if wide else []), flush=True)
    page.close()


def name(place: str) -> str:
    bare = re.sub(r"([0-9a-f]{8})-[0-9a-f-]{23}([0-9a-f]{4})", r"\2", place)
    return re.sub(r"\W+", "-", bare).strip("-") or "front"


def take(browser: Browser, base: str, user: str, password: str, out: Path, only: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=base)
    page = context.new_page()
    sign_in(page, base, user, password)
    run_samples(page, base)
    wanted = [place for place in places(page, base) if only in place]
    cookies = [{**cookie} for cookie in context.cookies()]
    for width in WIDTHS:
        for scheme in SCHEMES:
            view = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for place in (one for one in SIGNED_OUT if only in one):
                shoot(view, base, place, out / f"{name(place)}-{width}-{scheme}.png")
            view.add_cookies(cookies)
            for place in wanted:
                shoot(view, base, place, out / f"{name(place)}-{width}-{scheme}.png")
            view.close()
    for width in WIDTHS:
        view = browser.new_context(viewport={"width": width, "height": 900}, locale="fr-FR")
        view.add_cookies(cookies)
        for place in wanted:
            if place.startswith("/a/") or any(one in place for one in FRENCH):
                shoot(view, base, place, out / f"{name(place)}-{width}-french.png")
        view.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--at", help="address of a platform that runs; else one is started")
    options.add_argument("--user", default="")
    options.add_argument("--password", default="")
    options.add_argument("--out", type=Path, help="folder of the pictures")
    options.add_argument("--only", default="", help="pages whose address contains this")
    given = options.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="ovd-screenshots-"))
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if given.at:
            base, user, password = given.at.rstrip("/"), given.user, given.password
        else:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ovd-stage-")))
            up = stack.enter_context(stage.platform(home / "home"))
            base, user, password = up["url"], up["user"], up["password"]
            print(f"A platform at {base} begins its life …", flush=True)
            stage.play(Client(base, up["token"]), home)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        take(browser, base, user, password, out, given.only)
        browser.close()
    print(f"Pictures are in {out}")


if __name__ == "__main__":
    main()
