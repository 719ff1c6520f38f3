"""An application that is awake executes at once, and the result is archived before it is answered."""

from concurrent.futures import ThreadPoolExecutor

from gateway.stage import Stage, path, row, until
from ovd_saas.store.records import Execution, ExecutionEvent


def test_a_warm_execution_answers_201_with_the_archived_result(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    answer = stage.post("echo", {"message": "hi", "times": 2})
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert answer.headers["Location"] == f"/api/v1/executions/{said['id']}"
    assert said["outputs"] == {"result": "hihi"}
    assert (said["status"], said["application"], said["release"]) == ("succeeded", "acme/echo", 1)
    archived = row(answer)
    assert archived.outputs == {"result": "hihi"}
    assert archived.digests == said["digests"]
    assert archived.seed == said["seed"]


def test_the_record_says_everything_that_is_needed_to_run_it_again(stage: Stage) -> None:
    application = stage.application("echo")
    played = stage.process(application)
    archived = row(stage.post("echo", {"message": "hi"}, {"seed": 7}))
    assert application.release is not None
    assert archived.seed == 7
    assert archived.inputs == {"message": "hi", "times": 1}
    assert archived.digests["release"] == application.release.digest
    assert archived.digests["inputs"].startswith("sha256:")
    assert archived.digests["outputs"].startswith("sha256:")
    assert archived.process == played.row.pk
    assert archived.hardware["machine"] and archived.hardware["cpus"] == 2
    assert archived.cause == {"kind": "api"}
    assert archived.seconds is not None and archived.started_at is not None and archived.finished_at is not None


def test_equal_inputs_have_equal_digests_however_they_were_written(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    first = row(stage.post("echo", {"message": "hi", "times": 1}))
    second = row(stage.post("echo", {"times": 1.0, "message": "hi"}))
    assert first.digests["inputs"] == second.digests["inputs"]


def test_a_quick_execution_leaves_no_events_behind(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    answer = stage.post("echo", {"message": "hi"})
    assert not ExecutionEvent.objects.filter(execution_id=answer.json()["id"]).exists()


def test_an_authors_mistake_is_a_failed_execution_with_its_traceback(stage: Stage) -> None:
    stage.process(stage.application("crasher"))
    answer = stage.post("crasher", {"way": "raise"})
    assert answer.status_code == 201
    error = answer.json()["error"]
    assert answer.json()["status"] == "failed"
    assert "the author made a mistake" in error["message"]
    assert "app.py" in error["traceback"]


def test_a_polite_refusal_is_rejected_with_its_words(stage: Stage) -> None:
    stage.process(stage.application("crasher"))
    said = stage.post("crasher", {"way": "reject"}).json()
    assert (said["status"], said["error"]["message"]) == ("rejected", "This input is not for me, sorry.")


def test_outputs_that_were_not_declared_fail_the_execution(stage: Stage) -> None:
    stage.process(stage.application("crasher"))
    said = stage.post("crasher", {"way": "undeclared"}).json()
    assert (said["status"], said["error"]["code"]) == ("failed", "output")


def test_a_log_that_is_too_long_says_where_it_is_cut(stage: Stage) -> None:
    stage.process(stage.application("crasher"))
    archived = row(stage.post("crasher", {"way": "flood"}))
    assert archived.status == "succeeded"
    assert archived.log.startswith("line 0 ")
    assert "cut here" in archived.log
    assert len(archived.log.encode()) < 300_000


def test_what_takes_longer_is_visible_as_running_with_its_progress(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 2.0, "steps": 20})
        running = until(lambda: Execution.objects.filter(status="running").exclude(progress=None).first())
        assert running.progress["fraction"] < 1
        assert running.lease == 1 and running.lease_until is not None
        answer = answering.result()
    assert answer.status_code == 201
    assert answer.json()["id"] == str(running.pk)
    assert answer.json()["status"] == "succeeded"
    kinds = set(ExecutionEvent.objects.filter(execution=running).values_list("kind", flat=True))
    assert kinds == {"status", "progress", "log"}
    assert "step 20 of 20" in row(answer).log


def test_a_client_that_waits_less_gets_202_and_finds_the_result_later(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    answer = stage.post("slow", {"seconds": 1.6, "steps": 8}, Prefer="wait=1")
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.json()["status"] == "running"
    until(lambda: row(answer).status == "succeeded")


def test_a_client_that_hangs_up_does_not_stop_its_execution(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    with stage.client() as client, ThreadPoolExecutor() as pool:
        body = {"inputs": {"seconds": 1.0, "steps": 10}}
        sending = pool.submit(client.post, path("slow"), json=body)
        running = until(lambda: Execution.objects.filter(status="running").first())
        client.close()
        sending.exception()
    until(lambda: Execution.objects.get(pk=running.pk).status == "succeeded")


def test_200_requests_at_once_are_all_answered_and_all_archived(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    with stage.client() as client, ThreadPoolExecutor(200) as pool:
        bodies = [{"inputs": {"message": f"number {number}"}} for number in range(200)]
        answers = list(pool.map(lambda body: client.post(path("echo"), json=body), bodies))
    assert {answer.status_code for answer in answers} == {201}
    said = {answer.json()["id"]: answer.json()["outputs"] for answer in answers}
    assert sorted(outputs["result"] for outputs in said.values()) == sorted(f"number {n}" for n in range(200))
    archived = dict(Execution.objects.filter(status="succeeded").values_list("pk", "outputs"))
    assert {str(id_): outputs for id_, outputs in archived.items()} == said


def test_everything_else_goes_to_django(stage: Stage) -> None:
    with stage.client() as client:
        assert client.get(path("echo")).status_code == 418
        assert client.post("/api/v1/applications/acme/echo/executions/more").status_code == 418
