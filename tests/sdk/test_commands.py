"""Command applications: a program in its own folder, its inputs, outputs, refusals and end."""

from pathlib import Path

from sdk.processes import APPS, Start, folder_of, wait_until


def test_a_command_is_run_in_its_own_folder_with_files_and_variables(start: Start) -> None:
    client = start(APPS / "command-upper").client()
    words = {"file": "f0", "name": "mine.txt", "media_type": "text/plain", "size": 5}
    client.begin({"words": words, "suffix": "$(touch /tmp/no); 'x'"}, files={"f0": b"hello"})
    frames = client.until("result", "failed")
    assert frames[-1]["type"] == "result", frames
    upper = frames[-1]["outputs"]["upper"]
    assert client.files[upper["file"]] == b"HELLO$(touch /tmp/no); 'x'"
    assert frames[-1]["outputs"]["characters"] == len(client.files[upper["file"]])
    assert "reading 5 bytes" in "".join(f.get("text", "") for f in frames)


def test_a_command_that_writes_demo_failure_declines(start: Start) -> None:
    client = start(APPS / "command-upper").client()
    words = {"file": "f0", "name": "mine.txt", "media_type": "text/plain", "size": 0}
    final = client.execute({"words": words}, files={"f0": b""})
    assert (final["type"], final["message"]) == ("rejected", "The file is empty; send one with text in it.")


def command(where: Path, line: str) -> Path:
    head = f'name = "tried"\ntitle = "Tried"\ncommand = {line!r}\n'
    return folder_of(where, "", head=head, manifest='[outputs.n]\nkind = "integer"\n')


def test_a_command_that_fails_says_its_exit_code_and_last_words(start: Start, tmp_path: Path) -> None:
    folder = command(tmp_path / "app", "echo something is missing >&2; exit 3")
    final = start(folder).client().execute({})
    assert (final["type"], final["code"]) == ("failed", "exception")
    assert final["message"] == "The program ended with exit code 3.\nsomething is missing"


def test_a_cancelled_command_is_killed_with_all_it_started(start: Start, tmp_path: Path) -> None:
    folder = command(tmp_path / "app", "sleep 98765 & echo $!; wait")
    client = start(folder).client()
    client.begin({})
    pid = int(client.until("log")[-1]["text"])
    client.send({"type": "cancel", "id": "e1"})
    assert client.until("failed")[-1]["code"] == "cancelled"
    wait_until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_text_too_long_for_the_environment_says_so(start: Start, tmp_path: Path) -> None:
    head = 'name = "tried"\ntitle = "Tried"\ncommand = "true"\n'
    fields = '[inputs.words]\nkind = "text"\n[outputs.n]\nkind = "integer"\n'
    client = start(folder_of(tmp_path / "app", "", head=head, manifest=fields)).client()
    assert "too long for a command" in client.execute({"words": "x" * 200_000})["message"]


def test_outputs_a_program_did_not_write_or_wrote_wrongly_are_named(start: Start, tmp_path: Path) -> None:
    head = 'name = "tried"\ntitle = "Tried"\ncommand = "echo n=many > algo_info.txt"\n'
    fields = '[outputs.n]\nkind = "integer"\n[outputs.t]\nkind = "table"\nfile = "t.csv"\n'
    final = start(folder_of(tmp_path / "app", "", head=head, manifest=fields)).client().execute({})
    assert final["code"] == "output"
    assert 'Output "n"' in final["message"]
    assert 'Output "t": the program wrote no file t.csv.' in final["message"]


def test_tables_and_series_reach_a_program_as_csv(start: Start, tmp_path: Path) -> None:
    head = 'name = "tried"\ntitle = "Tried"\ncommand = "cat input_0.csv $other > all.txt"\n'
    fields = (
        '[inputs.flow]\nkind = "series"\n[inputs.other]\nkind = "table"\n'
        '[outputs.all]\nkind = "text"\nfile = "all.txt"\n'
    )
    flow = {"times": ["2022-03-01T00:00:00Z"], "values": [1.5]}
    other = {"columns": ["a", "b"], "rows": [[1, None]]}
    final = (
        start(folder_of(tmp_path / "app", "", head=head, manifest=fields))
        .client()
        .execute({"flow": flow, "other": other})
    )
    assert final["outputs"]["all"] == "time,value\n2022-03-01T00:00:00Z,1.5\na,b\n1,"
