"""Tokens open what their user may do, until they are revoked; roles say what that is."""

import re
from datetime import UTC, datetime

import pytest

from ovd_saas.appcore import access
from ovd_saas.store import notices
from ovd_saas.store.records import Membership, Organisation, Token, User

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def ana(db: None) -> User:
    user = User.objects.create_user("ana")
    organisation = Organisation.objects.create(slug="acme", title="Acme")
    Membership.objects.create(user=user, organisation=organisation, role="author")
    return user


def test_a_token_stands_for_its_user_with_her_roles(ana: User) -> None:
    _, secret = access.issue(ana, "night import")
    caller = access.authenticate(secret)
    assert caller == access.Caller(ana.pk, "ana", False, {"acme": "author"})
    assert caller.key == f"user:{ana.pk}"
    assert caller.actor == "user:ana"


def test_a_secret_is_long_url_safe_and_never_kept(ana: User) -> None:
    token, secret = access.issue(ana, "laptop")
    assert re.fullmatch(r"ovd_[A-Za-z0-9_-]{40}", secret)
    row = Token.objects.filter(pk=token.pk).values().get()
    assert secret not in str(row)
    assert row["digest"] == access.digest(secret)
    assert secret.startswith(row["hint"])


def test_a_wrong_or_foreign_secret_opens_nothing(ana: User) -> None:
    _, secret = access.issue(ana, "laptop")
    for wrong in (
        "",
        "ovd_",
        secret[:-1],
        secret + "x",
        secret.removeprefix("ovd_"),
        access.digest(secret),
        "ovd_\udcff",
    ):
        assert access.authenticate(wrong) is None


def test_a_revoked_token_opens_nothing_and_keeps_its_moment(ana: User) -> None:
    token, secret = access.issue(ana, "laptop")
    access.revoke(token, NOW)
    assert access.authenticate(secret) is None
    access.revoke(token, datetime(2027, 1, 1, tzinfo=UTC))
    assert token.revoked_at == NOW


def test_revoking_tells_everybody_who_keeps_callers_in_memory(ana: User, database_url: str) -> None:
    token, _ = access.issue(ana, "laptop")
    listening = notices.listen(database_url, timeout=0.2)
    assert next(listening) is None
    access.revoke(token, NOW)
    assert next(listening) == {"about": "access"}
    listening.close()


def test_the_tokens_of_a_user_who_left_open_nothing(ana: User) -> None:
    _, secret = access.issue(ana, "laptop")
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert access.authenticate(secret) is None


@pytest.mark.parametrize("name", ["", "   ", "n" * 101])
def test_a_token_needs_a_name(ana: User, name: str) -> None:
    with pytest.raises(access.UnnamedToken):
        access.issue(ana, name)
    assert not Token.objects.exists()


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("owner", {"see", "execute", "push", "operate", "manage"}),
        ("author", {"see", "execute", "push"}),
        ("operator", {"see", "execute", "operate"}),
        ("member", {"see", "execute"}),
        (None, set()),
    ],
)
def test_each_role_may_do_exactly_its_part(role: str | None, allowed: set[str]) -> None:
    caller = access.Caller(1, "ana", False, {"acme": role} if role else {"other": "owner"})
    assert {verb for verb in access.PERMISSIONS if access.may(caller, verb, "acme")} == allowed


def test_staff_may_everything_everywhere() -> None:
    caller = access.Caller(1, "root", True, {})
    assert all(access.may(caller, verb, "anywhere") for verb in access.PERMISSIONS)


def test_an_unknown_verb_is_a_mistake_in_the_code() -> None:
    with pytest.raises(KeyError):
        access.may(access.Caller(1, "ana", False, {}), "destroy", "acme")
