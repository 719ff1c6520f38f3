"""Takes every page of a running platform at two widths in both colour schemes.

`screenshots.py http://127.0.0.1:8000 ana PASSWORD OUT [--only WORD]`: pages are found by following the links of the
Control Panel, one of each kind; what is ugly, empty or confusing is then seen by whoever looks at OUT/*.png.
"""

import argparse
import re
import shutil
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

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
PLACES = ["/", "/?show=faulty", "/?q=nothing-of-this-name", "/machines/", "/tokens/", "/nowhere/"]
TABS = ("overview", "data", "learning", "models", "executions", "releases", "timeline", "processes", "about")


def sign_in(page: Page, base: str, user: str, password: str) -> None:
    page.goto(f"{base}/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"/$"))


def links(page: Page, address: str, pattern: str) -> list[str]:
    page.goto(address)
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    return list(dict.fromkeys(one for one in found if re.fullmatch(pattern, one)))


def places(page: Page, base: str) -> list[str]:
    """One address of each kind of page, and of each application and latest execution."""
    found = list(PLACES)
    for application in links(page, f"{base}/", r"/applications/[\w-]+/[\w-]+/"):
        found += [f"{application}?tab={tab}" for tab in TABS]
        own = application.replace("/applications/", "/a/")
        found += [own, *(own + sample for sample in links(page, base + own, r"\?sample=.*")[:1])]
        found += links(page, f"{base}{application}?tab=releases", r"/applications/[\w-]+/[\w-]+/releases/\d+/")
        found += links(page, f"{base}{application}?tab=data", r"/applications/[\w-]+/[\w-]+/batches/\d+/")[:2]
        found += links(page, f"{base}{application}?tab=learning", r"/learning-runs/[0-9a-f-]+/")
        executions = links(page, f"{base}{application}?tab=executions", r"/executions/[0-9a-f-]+/")
        found += executions + [own + execution.lstrip("/") for execution in executions]
    return list(dict.fromkeys(found))


def shoot(context: BrowserContext, base: str, place: str, path: Path) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(base + place, wait_until="load")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-chart]')].every(one => one.dataset.drawn || !one.offsetParent)"
    )
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.screenshot(path=path, full_page=True)
    notes = [*complaints, *(["scrolls sideways"] if wide else [])]
    print(path.name, place, *notes)
    page.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("base")
    options.add_argument("user")
    options.add_argument("password")
    options.add_argument("out", type=Path)
    options.add_argument("--only", default="", help="pages whose address contains this")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        sign_in(page, given.base, given.user, given.password)
        wanted = [place for place in places(page, given.base) if given.only in place]
        cookies = context.cookies()
        for width in WIDTHS:
            for scheme in SCHEMES:
                view = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                if not given.only:
                    shoot(view, given.base, "/login/", given.out / f"login-{width}-{scheme}.png")
                view.add_cookies([{**cookie} for cookie in cookies])
                for place in wanted:
                    name = re.sub(r"\W+", "-", place).strip("-") or "home"
                    shoot(view, given.base, place, given.out / f"{name}-{width}-{scheme}.png")
                view.close()
        browser.close()


if __name__ == "__main__":
    main()
