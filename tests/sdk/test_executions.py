"""Executions: what an author may write as `execute`, and what each execution has of its own."""

from pathlib import Path

from sdk.processes import Start, folder_of, wait_until


def test_executions_are_seeded(start: Start, tmp_path: Path) -> None:
    code = """
        import random
        from ovd import App
        class Tried(App):
            def execute(self, context) -> float:
                return random.random()
    """
    client = start(folder_of(tmp_path / "app", code)).client()
    drawn = [client.execute({}, seed=seed)["outputs"]["result"] for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_async_and_streaming_executes_are_served(start: Start, tmp_path: Path) -> None:
    code = """
        import asyncio
        from typing import AsyncIterator, Iterator
        from ovd import App, Outputs, choice
        class Both(Outputs):
            a: int
            b: int
        class Tried(App):
            async def execute(self, context, wait: bool = False) -> AsyncIterator[Both]:
                yield Both(a=1)
                if wait:
                    await asyncio.sleep(60)
                yield Both(b=2)
    """
    client = start(folder_of(tmp_path / "app", code)).client()
    client.begin({})
    frames = client.until("result", "failed")
    assert [(f["name"], f["value"]) for f in frames if f["type"] == "output"] == [("a", 1), ("b", 2)]
    assert frames[-1]["outputs"] == {"a": 1, "b": 2}
    client.begin({"wait": True})
    client.until("output")
    client.send({"type": "cancel", "id": "e1"})
    assert client.until("failed")[-1]["code"] == "cancelled"


def test_a_generator_streams_and_a_forgotten_output_is_named(start: Start, tmp_path: Path) -> None:
    code = """
        from typing import Iterator
        from ovd import App, Outputs
        class Both(Outputs):
            a: int
            b: int
        class Tried(App):
            def execute(self, context, whole: bool) -> Iterator[Both]:
                yield Both(a=1)
                if whole:
                    yield Both(a=3, b=2)
    """
    client = start(folder_of(tmp_path / "app", code)).client()
    assert client.execute({"whole": True})["outputs"] == {"a": 3, "b": 2}
    final = client.execute({"whole": False})
    assert (final["code"], final["message"]) == ("output", 'Output "b" is declared but was not given.')


def test_each_execution_has_a_scratch_folder_of_its_own_removed_afterwards(start: Start, tmp_path: Path) -> None:
    code = """
        from ovd import App
        class Tried(App):
            def execute(self, context) -> str:
                assert not list(context.scratch.iterdir())
                (context.scratch / "left").write_text("x")
                return str(context.scratch)
    """
    client = start(folder_of(tmp_path / "app", code)).client()
    first, second = (client.execute({})["outputs"]["result"] for _ in range(2))
    assert first != second
    wait_until(lambda: not Path(first).exists() and not Path(second).exists())


def test_results_too_large_for_a_frame_fail_clearly(start: Start, tmp_path: Path) -> None:
    code = """
        from ovd import App
        class Tried(App):
            def execute(self, context) -> str:
                return "x" * (17 << 20)
    """
    final = start(folder_of(tmp_path / "app", code)).client().execute({})
    assert (final["type"], final["code"]) == ("failed", "output")
    assert "Give large outputs as files." in final["message"]


def test_lines_of_an_authors_threads_belong_to_the_only_running_execution(start: Start, tmp_path: Path) -> None:
    code = """
        import threading
        from ovd import App
        class Tried(App):
            def execute(self, context) -> int:
                thread = threading.Thread(target=print, args=("from a thread",))
                thread.start(); thread.join()
                print("no end", end="")
                return 1
    """
    process = start(folder_of(tmp_path / "app", code))
    client = process.client()
    client.begin({})
    assert "".join(f.get("text", "") for f in client.until("result")) == "from a thread\nno end"
    assert "from a thread" in process.end()
