"""Who belongs to an organisation: invited, joined, promoted, removed; and never without an owner."""

from datetime import timedelta

import pytest
from django.utils import timezone

import makers
from ovd_saas.appcore import access, invitations, passwords, people
from ovd_saas.appcore.refusals import Forbidden, NotFound
from ovd_saas.store.records import Invitation, Membership, User

NOW = timezone.now()
GOOD = "sleep well, wake soon"


def invited(role: str = "author", email: str = "", slug: str = "acme") -> tuple[Invitation, str]:
    return invitations.invite(
        organisation=makers.organisation(slug), role=role, email=email, by="user:ana", by_id=None, now=NOW
    )


def role(name: str, slug: str = "acme") -> str:
    return Membership.objects.get(user__username=name, organisation__slug=slug).role


def test_an_invitation_makes_an_account_with_its_role_once(db: None) -> None:
    _, secret = invited("author")
    user = invitations.enrol(secret=secret, username="eve", password=GOOD, email="eve@example.org", now=NOW)
    assert (user.check_password(GOOD), role("eve"), user.email) == (True, "author", "eve@example.org")
    with pytest.raises(invitations.Over, match="was used"):
        invitations.enrol(secret=secret, username="mallory", password=GOOD, now=NOW)
    assert not User.objects.filter(username="mallory").exists()


def test_only_the_digest_of_a_secret_is_kept(db: None) -> None:
    made, secret = invited()
    assert secret not in str(Invitation.objects.filter(pk=made.pk).values().get())
    assert made.digest == access.digest(secret)


def test_an_invitation_that_is_revoked_too_old_or_unknown_opens_nothing(db: None) -> None:
    made, secret = invited()
    with pytest.raises(invitations.Over, match="older than 7 days"):
        invitations.look(secret, now=NOW + timedelta(days=7))
    invitations.revoke(invitation=made, by="user:ana", now=NOW)
    invitations.revoke(invitation=made, by="user:ana", now=NOW)
    with pytest.raises(invitations.Over, match="was revoked"):
        invitations.look(secret, now=NOW)
    with pytest.raises(NotFound):
        invitations.look("guessed", now=NOW)


def test_who_has_an_account_joins_with_it_and_nobody_joins_twice(db: None) -> None:
    dan = makers.user("dan", "member", "globex")
    _, secret = invited("operator")
    invitations.accept(secret=secret, user=dan, now=NOW)
    assert (role("dan"), role("dan", "globex")) == ("operator", "member")
    _, another = invited("owner")
    with pytest.raises(invitations.MemberAlready):
        invitations.accept(secret=another, user=dan, now=NOW)
    assert invitations.look(another, now=NOW)


def test_an_invitation_for_a_member_says_that_they_are_one(db: None) -> None:
    User.objects.filter(pk=makers.user("bob", "member").pk).update(email="bob@example.org")
    with pytest.raises(invitations.MemberAlready, match="member of acme already"):
        invited(email="BOB@example.org")


@pytest.mark.parametrize(
    ("name", "password", "refusal"),
    [
        ("ana", GOOD, invitations.NameTaken),
        ("ANA", GOOD, invitations.NameTaken),
        ("a b", GOOD, invitations.BadName),
        ("", GOOD, invitations.BadName),
        ("x" * 151, GOOD, invitations.BadName),
        ("eve", "short", passwords.Weak),
        ("eve", "password1", passwords.Weak),
        ("evelyn-anderson", "evelyn-anderson", passwords.Weak),
    ],
)
def test_an_account_needs_a_name_of_its_own_and_a_good_password(
    db: None, name: str, password: str, refusal: type[Exception]
) -> None:
    makers.user("ana")
    _, secret = invited()
    with pytest.raises(refusal):
        invitations.enrol(secret=secret, username=name, password=password, now=NOW)
    assert invitations.look(secret, now=NOW)


def test_nonsense_is_no_role_and_no_address(db: None) -> None:
    with pytest.raises(people.UnknownRole):
        invited("emperor")
    with pytest.raises(people.BadAddress):
        invited(email="nobody at home")


def test_a_role_changes_unless_somebody_else_changed_it_meanwhile(db: None) -> None:
    acme, bob = makers.organisation(), makers.user("bob", "member")
    people.change_role(organisation=acme, user=bob, to="operator", was="member", by="user:ana")
    with pytest.raises(people.ChangedMeanwhile, match="bob is operator of acme by now, no longer member"):
        people.change_role(organisation=acme, user=bob, to="owner", was="member", by="user:eve")
    assert role("bob") == "operator"


def test_the_last_owner_is_neither_demoted_nor_removed(db: None) -> None:
    acme, ana = makers.organisation(), makers.user("ana", "owner")
    gone = makers.user("gone", "owner")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    with pytest.raises(people.LastOwner, match="ana cannot become member: nobody else who can sign in owns acme"):
        people.change_role(organisation=acme, user=ana, to="member", by="user:ana")
    with pytest.raises(people.LastOwner):
        people.remove(organisation=acme, user=ana, by="user:ana")
    makers.user("eve", "owner")
    people.remove(organisation=acme, user=ana, by="user:eve")
    with pytest.raises(people.ChangedMeanwhile):
        people.remove(organisation=acme, user=ana, by="user:eve")


def test_who_is_deactivated_opens_nothing_and_keeps_the_roles(db: None) -> None:
    boss, bob = makers.user("boss"), makers.user("bob", "author")
    User.objects.filter(pk=boss.pk).update(is_staff=True)
    staff = access.of_user(User.objects.get(pk=boss.pk))
    _, secret = access.issue(bob, "night import")
    people.deactivate(user=bob, by=staff)
    assert access.authenticate(secret) is None
    people.reactivate(user=bob, by=staff)
    caller = access.authenticate(secret)
    assert caller is not None and caller.roles == {"acme": "author"}
    with pytest.raises(Forbidden, match="yourself"):
        people.deactivate(user=boss, by=staff)
    with pytest.raises(Forbidden):
        people.deactivate(user=boss, by=access.of_user(bob))


def test_somebody_always_operates_the_platform(db: None) -> None:
    first, second = makers.user("first"), makers.user("second")
    User.objects.update(is_staff=True)
    caller = access.of_user(User.objects.get(pk=second.pk))
    people.deactivate(user=User.objects.get(pk=first.pk), by=caller)
    ghost = access.Caller(0, "ghost", True)
    with pytest.raises(people.LastStaff):
        people.deactivate(user=User.objects.get(pk=second.pk), by=ghost)


def test_an_owner_makes_a_link_only_for_who_has_no_rights_elsewhere(db: None) -> None:
    owner = access.of_user(makers.user("ana", "owner"))
    bob, dan, boss = makers.user("bob", "author"), makers.user("dan", "member"), makers.user("boss", "member")
    makers.user("dan", "owner", "globex")
    User.objects.filter(pk=boss.pk).update(is_staff=True)
    boss.refresh_from_db()
    passwords.link(user=bob, by=owner)
    for user in (dan, boss, User.objects.create(username="nobody")):
        with pytest.raises(Forbidden):
            passwords.link(user=user, by=owner)
    with pytest.raises(Forbidden):
        passwords.link(user=bob, by=access.of_user(makers.user("carl", "operator")))
    passwords.link(user=dan, by=access.of_user(boss))


def test_a_link_sets_a_new_password_once(db: None) -> None:
    bob = makers.user("bob")
    uid, token = passwords.parts(bob)
    with pytest.raises(passwords.Weak):
        passwords.reset(uid=uid, token=token, password="12345678")
    passwords.reset(uid=uid, token=token, password=GOOD)
    assert User.objects.get(pk=bob.pk).check_password(GOOD)
    with pytest.raises(passwords.LinkOver):
        passwords.reset(uid=uid, token=token, password=GOOD + "!")
    for wrong in ("", "AA", "!!", "OTk5OTk5"):
        with pytest.raises(NotFound):
            passwords.whose(wrong, token)


def test_a_password_changes_only_for_who_knows_the_present_one(db: None) -> None:
    bob = makers.user("bob")
    bob.set_password("the old one")
    with pytest.raises(passwords.Wrong):
        passwords.change(user=bob, old="guessed", new=GOOD)
    passwords.change(user=bob, old="the old one", new=GOOD)
    assert User.objects.get(pk=bob.pk).check_password(GOOD)
