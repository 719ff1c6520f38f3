"""The word count: a command application, by hand-counted texts."""

from pathlib import Path

import pytest

from acceptance.examples_at_work import Example, example


@pytest.fixture(scope="module")
def word_count(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return example("word-count", tmp_path_factory.mktemp("word-count"))


def test_its_check_passes(word_count: Example) -> None:
    done = word_count.check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_text_is_counted_exactly(word_count: Example) -> None:
    outputs = word_count.outputs({"text": "To be, or not to be:\nthat is the question.\n", "top": 2})
    assert (outputs["words"], outputs["distinct"], outputs["lines"], outputs["characters"]) == (10, 8, 2, 43)
    assert outputs["frequent"] == {"columns": ["word", "count"], "rows": [["be", 2], ["to", 2]]}


def test_a_file_is_counted_like_the_same_text(word_count: Example, tmp_path: Path) -> None:
    text = "uno dos\ndos tres"
    path = tmp_path / "text.txt"
    path.write_text(text)
    from_file, from_text = word_count.outputs({}, files={"document": path}), word_count.outputs({"text": text})
    for name in ("words", "distinct", "lines", "characters", "frequent"):
        assert from_file[name] == from_text[name]


def test_accents_quotes_and_dashes_are_understood(word_count: Example) -> None:
    outputs = word_count.outputs({"text": "«Él» — ¿él? “Don’t” DON'T naïve…"})
    assert outputs["frequent"]["rows"] == [["don't", 2], ["él", 2], ["naïve", 1]]
    assert outputs["characters"] == 32


def test_words_that_mean_something_to_a_shell_are_only_words(word_count: Example) -> None:
    outputs = word_count.outputs({"text": "$(touch hacked) `ls` $bin ; rm -rf / && 'x' \\n %s"})
    words = {row[0] for row in outputs["frequent"]["rows"]}
    assert words == {"touch", "hacked", "ls", "bin", "rm", "rf", "x", "n", "s"}


def test_all_words_come_as_a_file(word_count: Example) -> None:
    outputs = word_count.outputs({"text": "a b b c c c", "top": 1})
    assert len(outputs["frequent"]["rows"]) == 1
    given = (word_count.scratch / outputs["all_words"]["file"]).read_text()
    assert given == "word,count\nc,3\nb,2\na,1\n"


def test_nothing_to_count_is_declined(word_count: Example) -> None:
    for nothing in ("", "  \n\t\n", "?! — …"):
        assert "no words" in word_count.refusal({"text": nothing})


def test_text_and_file_together_are_declined(word_count: Example, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("words")
    assert "one of them" in word_count.refusal({"text": "words"}, files={"document": path})


def test_text_in_another_encoding_is_declined(word_count: Example, tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("mañana será".encode("latin-1"))
    assert "UTF-8" in word_count.refusal({}, files={"document": path})


def test_a_picture_is_refused_before_anything_runs(word_count: Example, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    assert "document" in word_count.refusal({}, files={"document": path})


@pytest.mark.parametrize("top", [0, 1001, "10", 2.5, None])
def test_a_number_of_words_out_of_range_is_refused(word_count: Example, top: object) -> None:
    assert word_count.refusal({"text": "words", "top": top}).startswith("top ")
