"""Links that show one execution to strangers: made, opened, revoked."""

from datetime import UTC, datetime
from typing import Any

import pytest

import makers
import pages_rows
from ovd_saas.appcore import executions, shares
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.records import Execution, Share, User

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ana(db: None) -> User:
    return makers.user()


@pytest.fixture
def done(ana: User) -> Execution:
    return pages_rows.execution(makers.application(), ana)


def test_a_link_opens_exactly_its_execution(done: Execution, ana: User) -> None:
    share = shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
    assert len(share.secret) >= 43
    assert shares.opened(share.secret) == done


@pytest.mark.parametrize("secret", ["", "x", "a\0b", "É" * 43, "x" * 5000])
def test_an_unknown_link_opens_nothing(db: None, secret: str) -> None:
    with pytest.raises(NotFound, match="shows nothing"):
        shares.opened(secret)


def test_a_revoked_link_opens_nothing_and_the_slower_is_told(done: Execution, ana: User) -> None:
    first, second = (shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW) for _ in range(2))
    shares.revoke(execution_id=done.pk, share_id=first.pk, now=NOW)
    with pytest.raises(NotFound):
        shares.opened(first.secret)
    assert shares.opened(second.secret) == done
    with pytest.raises(shares.Revoked, match="already"):
        shares.revoke(execution_id=done.pk, share_id=first.pk, now=NOW)


def test_a_link_of_another_execution_cannot_be_revoked_here(done: Execution, ana: User) -> None:
    share = shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
    with pytest.raises(NotFound):
        shares.revoke(execution_id=executions.new_id(), share_id=share.pk, now=NOW)
    assert shares.opened(share.secret) == done


def test_what_was_taken_down_is_shown_by_no_link(done: Execution, ana: User) -> None:
    share = shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
    executions.take_down(execution_id=done.pk, by="user:ana", now=NOW)
    with pytest.raises(NotFound):
        shares.opened(share.secret)
    with pytest.raises(shares.NotShareable, match="taken down"):
        shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)


@pytest.mark.parametrize("status", ["queued", "running", "failed", "rejected", "cancelled", "expired"])
def test_only_a_result_can_be_shared(done: Execution, ana: User, status: str) -> None:
    Execution.objects.filter(pk=done.pk).update(status=status)
    with pytest.raises(shares.NotShareable, match=status):
        shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
    assert not Share.objects.exists()


def test_links_are_not_made_without_end(done: Execution, ana: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(shares, "MOST", 2)
    links = [shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW) for _ in range(2)]
    with pytest.raises(shares.TooManyShares, match="Revoke one"):
        shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
    shares.revoke(execution_id=done.pk, share_id=links[0].pk, now=NOW)
    shares.make(execution_id=done.pk, by_id=ana.pk, now=NOW)
