"""One execution: call the author's code and tell its story as frames, ending in exactly one result, rejected
or failed."""

import collections.abc
import inspect
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ovd import awaiting, conversion, failures
from ovd.app import OutputError, Rejected
from ovd.context import Cancelled, Context
from ovd.data import File
from ovd.loading import Loaded
from ovd.printed import Printed
from ovd.protocol import CHUNK, ProtocolError
from ovd.seeds import seed_everything
from ovd.tracebacks import storable

Send = Callable[[Dict[str, Any], bytes], None]  # may raise ProtocolError or ValueError for what is no frame


class Execution:
    """One execution in this process. `folder` is made only when something needs it, and removed by
    `clean`."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        id: Any,
        inputs: Mapping[str, Any],
        seed: int,
        timeout: Optional[float],
        files: Mapping[str, Path],
        folder: Path,
        model: Optional[Path],
        send: Send,
        before_the_end: Callable[[], object] = lambda: None,
    ) -> None:
        self.id = id
        self.folder = folder
        self._loaded = loaded
        self._inputs = inputs
        self._seed = seed
        self._timeout = timeout
        self._files = files
        self._has_folder = bool(files)
        self._model = model
        self._send = send
        self._before_the_end = before_the_end  # called once, just before the final frame
        self._files_sent = 0
        self._context: Optional[Context] = None
        self._is_cancelled = False
        self._interrupt: Optional[Callable[[], None]] = None  # ends what waits, such as an asyncio task or a child
        self._lock = threading.Lock()
        self._printed = Printed(self.log)
        self.print = self._printed.add  # what the author's code printed, and the stream
        self._kinds = {field.name: field for field in loaded.outputs}

    def cancel(self) -> None:
        """Ask the author's code to stop; may be called from any thread, and twice."""
        with self._lock:
            self._is_cancelled = True
            context, interrupt = self._context, self._interrupt
        if context is not None:
            context.cancel()
        if interrupt is not None:
            interrupt()

    def interruptible(self, interrupt: Optional[Callable[[], None]]) -> None:
        """What `cancel` shall do from now on beside telling the context."""
        with self._lock:
            self._interrupt = interrupt
            is_late = self._is_cancelled and interrupt is not None
        if is_late and interrupt is not None:
            interrupt()

    def log(self, text: str, stream: str = "stdout") -> None:
        self._tell({"type": "log", "id": self.id, "stream": stream, "text": storable(text)})

    def run(self) -> None:
        """Execute, and send everything up to and with the final frame."""
        started = time.perf_counter()
        final = self._final()
        self._printed.finish()
        final["id"] = self.id
        final["seconds"] = round(time.perf_counter() - started, 6)
        self._before_the_end()
        try:
            self._send(final, b"")
        except (ProtocolError, ValueError) as error:
            message = f"The outputs cannot be sent: {error} Give large outputs as files."
            self._send(
                {
                    "type": "failed",
                    "id": self.id,
                    "code": "output",
                    "message": message,
                    "traceback": "",
                    "seconds": final["seconds"],
                },
                b"",
            )

    def clean(self) -> None:
        """Remove the folder of this execution, if it was made."""
        if self._has_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _final(self) -> Dict[str, Any]:
        try:
            outputs = self._outputs()
        except Rejected as rejection:
            return self._ended_early() or {"type": "rejected", "message": storable(str(rejection)[:10_000])}
        except BaseException as error:  # whatever it is, it is the author's
            early = None if isinstance(error, (MemoryError, SystemExit)) else self._ended_early()
            return early or {"type": "failed", **failures.of(error, self._loaded.folder)}
        return self._ended_early() or {"type": "result", "outputs": outputs}

    def _ended_early(self) -> Optional[Dict[str, Any]]:
        if self._is_cancelled:
            return {"type": "failed", **failures.told("cancelled", "It was cancelled.")}
        if self._context is not None and self._context.is_late:
            message = f"It took longer than its time limit of {self._timeout:g} s."
            return {"type": "failed", **failures.told("timeout", message)}
        return None

    def _outputs(self) -> Dict[str, Any]:
        loaded = self._loaded
        context = self._new_context()
        arguments = conversion.inputs(loaded.inputs, self._inputs, self._files)
        seed_everything(self._seed)
        if self._is_cancelled:
            raise Cancelled
        execute = loaded.app.execute
        result = execute(context, **arguments) if loaded.takes_context else execute(**arguments)
        if inspect.isawaitable(result):
            result = awaiting.run(result, self.interruptible)
        if isinstance(result, collections.abc.AsyncIterator):
            streamed: Dict[str, Any] = awaiting.run(self._stream_async(result), self.interruptible)
            return streamed
        if isinstance(result, collections.abc.Iterator):
            return self._stream(result)
        made, files = self._encode(conversion.named(result, loaded.is_single), partial=False)
        self._send_files(files)
        return made

    def _new_context(self) -> Context:
        deadline = time.monotonic() + self._timeout if self._timeout is not None else None
        context = Context(
            seed=self._seed,
            model=self._model,
            scratch=self._scratch,
            deadline=deadline,
            on_progress=self._on_progress,
            on_log=lambda text: self.log(text if text.endswith("\n") else text + "\n"),
            on_metric=self._on_metric,
        )
        context.execution = self
        with self._lock:
            self._context = context
            if self._is_cancelled:
                context.cancel()
        return context

    def _scratch(self) -> Path:
        folder = self.folder / "scratch"
        if not folder.is_dir():
            self._has_folder = True
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _on_progress(self, fraction: float, message: str) -> None:
        message = storable(message[:1000])
        self._tell({"type": "progress", "id": self.id, "fraction": fraction, "message": message})

    def _on_metric(self, name: str, value: float, step: Optional[int]) -> None:
        at = "" if step is None else f" at step {step}"
        self.log(f"{name} = {value:g}{at}\n")

    def _tell(self, header: Dict[str, Any]) -> None:
        self._send(header, b"")

    def _stream(self, results: Any) -> Dict[str, Any]:
        """Send what a generator yields as it comes; what it yields or returns last for a name counts."""
        made: Dict[str, Any] = {}
        while True:
            try:
                partial = next(results)
            except StopIteration as stop:
                return self._streamed(made, stop.value)
            if self._context is not None and self._context.is_cancelled:
                close = getattr(results, "close", None)
                if close is not None:
                    close()
                raise Cancelled
            made.update(self._send_partial(partial))

    async def _stream_async(self, results: Any) -> Dict[str, Any]:
        made: Dict[str, Any] = {}
        async for partial in results:
            if self._context is not None and self._context.is_cancelled:
                await results.aclose()
                raise Cancelled
            made.update(self._send_partial(partial))
        return self._streamed(made, None)

    def _streamed(self, made: Dict[str, Any], last: Any) -> Dict[str, Any]:
        if last is not None:
            made.update(self._send_partial(last))
        missing = [name for name, field in self._kinds.items() if field.is_required and name not in made]
        if missing:
            raise OutputError(f'Output "{missing[0]}" is declared but was not given.')
        return made

    def _send_partial(self, partial: Any) -> Dict[str, Any]:
        made, files = self._encode(conversion.named(partial, self._loaded.is_single), partial=True)
        self._send_files(files)
        for name, value in made.items():
            try:
                self._tell({"type": "output", "id": self.id, "name": name, "value": value})
            except (ProtocolError, ValueError) as error:
                raise OutputError(f'Output "{name}" cannot be sent: {error} Give it as a file.') from None
        return made

    def _encode(self, given: Dict[str, Any], *, partial: bool) -> Tuple[Dict[str, Any], List[Tuple[str, File]]]:
        made, files = conversion.outputs(self._kinds, self._loaded.schema["outputs"], given, partial=partial)
        keyed: List[Tuple[str, File]] = []
        if files:
            keys = [f"f{self._files_sent + place}" for place in range(len(files))]
            self._files_sent += len(files)
            keyed = list(zip(keys, files))
            for value in made.values():
                if isinstance(value, dict) and isinstance(value.get("file"), int):
                    value["file"] = keys[value["file"]]
        return made, keyed

    def _send_files(self, files: List[Tuple[str, File]]) -> None:
        for key, file in files:
            with file.path.open("rb") as opened:
                piece = opened.read(CHUNK)
                while True:
                    following = opened.read(CHUNK)
                    self._send({"type": "file", "id": self.id, "file": key, "last": not following}, piece)
                    if not following:
                        break
                    piece = following
