"""Connection: one request, tried again where that cannot do it twice; refusals become exceptions."""

import email.utils
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple, Optional, Union

try:
    import httpx
except ImportError as missing:  # pragma: no cover
    raise ImportError("ovd.client needs httpx. Install it with: pip install 'ovd[cli]'") from missing

from ovd.client.errors import NotFound, OvdError, PlatformFailed, Silent, Unreachable, from_problem

BUSY = frozenset({429, 503})  # refused before anything was done: asking again is always safe
BROKEN = frozenset({502, 504})  # a part in between failed: nobody knows whether it was done
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_PAUSE = 5.0  # s between two tries, when the platform does not say how long


class FilePart(NamedTuple):
    """One file of a multipart request."""

    name: str
    content: Union[bytes, IO[bytes]]  # a file that can seek: it is read again when the request is tried again
    media_type: str


class Connection:
    """Requests below `url` with a token; it is sent there and nowhere else.

    `patience` is how many seconds a request that may be repeated is tried again after the first failure.
    """

    def __init__(self, url: str, token: str, *, patience: float, timeout: float) -> None:
        parsed = httpx.URL(url.rstrip("/"))
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise OvdError(f"{url} is not the address of a platform. Write it with http:// or https://.")
        self.url = parsed
        self._token = token
        self._patience = patience
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=10.0),
            follow_redirects=False,
            trust_env=parsed.host not in LOOPBACK,  # a proxy cannot reach this machine's own platform
        )

    def close(self) -> None:
        self._http.close()

    def address(self, path: str) -> httpx.URL:
        """The full address of `path`: below /api/v1, unless it is absolute or begins with /api."""
        if path.startswith(("http://", "https://")):
            return httpx.URL(path)
        prefix = "" if path.startswith("/api/") else "/api/v1"
        return httpx.URL(str(self.url) + prefix + path)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        files: "Union[Mapping[str, FilePart], Sequence[tuple[str, FilePart]], None]" = None,
        content: "Optional[Callable[[], Iterator[bytes]]]" = None,
        headers: "Optional[Mapping[str, str]]" = None,
        timeout: Optional[float] = None,
    ) -> httpx.Response:
        """The answer, which is a success. Raises OvdError for everything else. `content` gives the body piece by piece,
        from its beginning each time it is sent.

        GET, and requests with an Idempotency-Key, are sent again after any failure that may pass; others only
        when the platform cannot have seen them, or said that it did nothing.
        """
        address = self.address(path)
        all_headers = {**self._headers(address), **(headers or {})}
        is_repeatable = method == "GET" or "Idempotency-Key" in all_headers
        tries = _Tries(self._patience)
        while True:
            pause: Optional[float]
            try:
                response = self._http.request(
                    method,
                    address,
                    json=json,
                    files=files,
                    content=content() if content is not None else None,
                    headers=all_headers,
                    timeout=httpx.USE_CLIENT_DEFAULT if timeout is None else timeout,
                )
            except httpx.TransportError as broken:
                error: OvdError = self._unreachable(broken)
                pause = None
                is_again = is_repeatable or isinstance(broken, (httpx.ConnectError, httpx.ConnectTimeout))
            else:
                if response.is_success:
                    return response
                error = _refusal(response, subject=f"{method} {address.path}")
                pause = error.retry_after
                is_again = response.status_code in BUSY or (is_repeatable and response.status_code in BROKEN)
            if not (is_again and tries.again(pause)):
                raise error

    @contextmanager
    def stream(
        self, path: str, *, headers: "Optional[Mapping[str, str]]" = None, timeout: Optional[float] = None
    ) -> "Iterator[httpx.Response]":
        """An open GET whose body is read in pieces; one try. Raises OvdError when it is refused or breaks."""
        address = self.address(path)
        try:
            with self._http.stream(
                "GET",
                address,
                headers={**self._headers(address), **(headers or {})},
                timeout=httpx.USE_CLIENT_DEFAULT if timeout is None else timeout,
            ) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(response, subject=f"GET {address.path}")
                yield response
        except httpx.TransportError as broken:
            raise self._unreachable(broken) from broken

    def _headers(self, address: httpx.URL) -> "dict[str, str]":
        is_ours = (address.scheme, address.host, address.port) == (
            self.url.scheme,
            self.url.host,
            self.url.port,
        )
        return {"Authorization": f"Bearer {self._token}"} if is_ours and self._token else {}

    def _unreachable(self, broken: httpx.TransportError) -> Unreachable:
        if isinstance(broken, httpx.TimeoutException):
            return Silent(f"{self.url} did not answer in time. Try again, or ask whether the platform is healthy.")
        if isinstance(broken, httpx.ConnectError):
            return Unreachable(
                f"Nothing answers at {self.url} ({broken}). Does the platform run? Is the address right?"
            )
        return Unreachable(f"The connection to {self.url} broke ({broken}). Try again.")


class _Tries:
    """How long to go on after the first failure, and how long to wait between two tries."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._until: Optional[float] = None  # set by the first failure
        self._pause = 0.1

    def again(self, pause: Optional[float]) -> bool:
        """Wait and say True, or say False at once when the patience does not reach that far."""
        if self._until is None:
            self._until = time.monotonic() + self._patience
        wait = pause if pause is not None else self._pause * random.uniform(0.7, 1.3)
        if time.monotonic() + wait > self._until:
            return False
        time.sleep(wait)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return True


def _refusal(response: httpx.Response, *, subject: str) -> OvdError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if response.is_redirect:
        return PlatformFailed(
            f"{subject}: the platform sends us to {response.headers.get('location')}. Use that address.",
            status=response.status_code,
        )
    if not isinstance(problem, dict):
        if response.status_code == 404:
            return NotFound(f"{subject}: there is no such thing here. Is this the address of a platform?", status=404)
        problem = {}
    return from_problem(
        response.status_code,
        problem,
        subject=subject,
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def _seconds(retry_after: Optional[str]) -> Optional[float]:
    """Retry-After as seconds from now: a number, or a moment (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
