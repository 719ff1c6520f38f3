"""How long the Control Panel's pages take with 1,000 applications, and a million executions and rows of the timeline.

    .venv/bin/python bench/panel.py [--applications 1000] [--rows 1000000] [--looks 15] [--tabs 100] [--quiet 30]

Starts a platform of its own in a temporary folder, publishes one application with a life, makes the rest as rows, and
asks each page as a browser with a session does, by turns. Prints medians beside the target of 200 ms, and the bytes of
each page as they go over the wire. Then opens so many event streams, as many browser tabs do, and tells what web takes
of a core while nothing happens.
"""

import argparse
import http.client
import json
import re
import socket
import statistics
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from stage import Stage, cpu_seconds, load, stage

TARGET_MS = 200.0
TARGET_PERCENT = 5.0
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "water-flow"
TABS = ("overview", "executions", "data", "learning", "models", "releases", "samples", "timeline", "settings")
CLONES = """
    INSERT INTO store_{table}
    SELECT (jsonb_populate_record(one.pattern, jsonb_build_object({changes}))).*
    FROM generate_series(1, {count}) AS n,
        (SELECT pattern FROM store_{table} AS pattern WHERE {where} ORDER BY id LIMIT 1) AS one"""


class Browser:
    """One kept connection with a session."""

    def __init__(self, up: Stage, password: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(up.url).netloc, timeout=120)
        self._cookies: dict[str, str] = {}
        self.get("/login/")
        form = {"username": "demo", "password": password, "csrfmiddlewaretoken": self._cookies["csrftoken"]}
        status, _ = self._ask("POST", "/login/", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 302, status

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def get(self, path: str) -> tuple[float, int]:
        """Milliseconds, and bytes over the wire."""
        began = time.perf_counter()
        status, body = self._ask("GET", path, None, {"Accept": "text/html"})
        took = 1000 * (time.perf_counter() - began)
        assert status in (200, 302), (path, status, body[:500])
        return took, len(body)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        headers |= {"Accept-Encoding": "gzip", "Cookie": self.cookie}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie" and (found := re.match(r"(\w+)=([^;]*)", value)):
                self._cookies[found[1]] = found[2]
        return answer.status, answer.read()


def fill(applications: int, rows: int) -> None:
    """The first application is the pattern of all; its executions and transitions are spread over the rest and time."""
    from django.db import connection

    clones = {
        "application": (applications - 1, "name = 'water-flow'",
            "'id', (one.pattern).id + 1000 + n, 'name', 'flow-' || n, 'title', 'Flow ' || n"),
        "transition": (rows, "region = 'service'",
            "'id', 100000 + n, 'application_id', (SELECT min(id) FROM store_application) + CASE WHEN n % 4 = 0 THEN 0 "
            f"ELSE 1000 + 1 + n % {applications - 1} END, 'at', now() - n * interval '20 seconds'"),
        "execution": (rows, "status = 'succeeded'",
            "'id', (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n::bigint * 20000), 12, '0') || '7' || "
            "lpad(to_hex(n), 19, '0'))::uuid, 'application_id', (SELECT min(id) FROM store_application) + "
            f"CASE WHEN n % 4 = 0 THEN 0 ELSE 1000 + 1 + n % {applications - 1} END, "
            "'created_at', now() - n * interval '20 seconds', 'idempotency_key', NULL, 'log', ''"),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        for table, (count, where, changes) in clones.items():
            began = time.monotonic()
            cursor.execute(CLONES.format(table=table, changes=changes, count=count, where=where))
            print(f"  {count} rows of {table}: {time.monotonic() - began:.0f} s", flush=True)
        cursor.execute("VACUUM ANALYZE")


def pages() -> dict[str, str]:
    from ovd_saas.store.records import Execution, LearningRun

    execution, run = Execution.objects.order_by("-id")[10:11].get(), LearningRun.objects.latest("created_at")
    of_one = {f"application, {tab}": f"/applications/demo/water-flow/?tab={tab}" for tab in TABS}
    return {
        "Home": "/home/",
        "applications": "/applications/",
        "applications, searched": "/applications/?q=flow+77",
        **of_one,
        "release": "/applications/demo/water-flow/releases/1/",
        "execution": f"/executions/{execution.pk}/",
        "learning run": f"/learning-runs/{run.pk}/",
        "batch": "/applications/demo/water-flow/batches/1/",
        "timeline": "/timeline/",
        "timeline of one": "/timeline/?application=demo/water-flow",
        "machines": "/machines/",
        "samples": "/samples/",
        "people": "/people/",
        "system": "/system/",
        "search": "/search/?q=flow+77",
        "its own page": "/a/demo/water-flow/",
    }


def listen(up: Stage, browser: Browser, tabs: int) -> list[socket.socket]:
    """So many open streams of events."""
    place = urlsplit(up.url)
    streams = []
    for _ in range(tabs):
        stream = socket.create_connection((str(place.hostname), place.port or 80))
        stream.sendall(f"GET /events/ HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {browser.cookie}\r\n\r\n".encode())
        assert b"200" in stream.recv(4096).split(b"\r\n")[0]
        streams.append(stream)
    return streams


def main() -> None:
    parser = argparse.ArgumentParser(description="The Control Panel's pages with a million rows.")
    parser.add_argument("--applications", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=15)
    parser.add_argument("--tabs", type=int, default=100)
    parser.add_argument("--quiet", type=float, default=30.0, help="seconds in which nothing happens")
    asked = parser.parse_args()
    with stage() as up:
        from ovd.client import Client
        from ovd_saas.store.records import Release

        up.push(EXAMPLE)
        client = Client(up.url, up.token)
        client.execute("demo/water-flow", Release.objects.latest("id").schema["samples"][0]["inputs"], wait=60)
        live(up)
        fill(asked.applications, asked.rows)
        browser = Browser(up, json.loads((up.home / "up.json").read_text())["password"])
        found = pages()
        took: dict[str, list[float]] = {name: [] for name in found}
        wire = {name: browser.get(path)[1] for name, path in found.items()}
        for _ in range(asked.looks):
            for name, path in found.items():
                took[name].append(browser.get(path)[0])
        print(f"\n{'ms, p50':28}{'ms, most':>10}{'KiB':>8}   target {TARGET_MS:g}")
        for name, times in took.items():
            p50 = statistics.median(times)
            mark = "" if p50 <= TARGET_MS else "  over"
            print(f"{name:20}{p50:8.1f}{max(times):10.1f}{wire[name] / 1024:8.1f}{mark}")
        streams = listen(up, browser, asked.tabs)
        time.sleep(5)
        before = cpu_seconds(up.pids["web"])
        time.sleep(asked.quiet)
        share = 100 * (cpu_seconds(up.pids["web"]) - before) / asked.quiet
        print(f"\n{len(streams)} open pages, nothing happens: web takes {share:.2f} % of a core "
              f"(target {TARGET_PERCENT:g})")  # fmt: skip
        for stream in streams:
            stream.close()
        print(load())


def live(up: Stage) -> None:
    """It learns once, so that each page has something to show."""
    from ovd_saas.store.records import LearningRun

    door = up.door()
    status, body = door.feed(
        "/api/v1/applications/demo/water-flow/intake", (EXAMPLE / "feed" / "1-march.jsonl").read_bytes()
    )
    assert status == 201, body
    until = time.monotonic() + 300
    while not LearningRun.objects.exclude(finished_at=None).exists():
        assert time.monotonic() < until
        time.sleep(0.2)


if __name__ == "__main__":
    main()
