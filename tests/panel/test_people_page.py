"""People: owners see and change their members, staff everybody; links are shown once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import makers
from ovd_saas.store.records import Invitation, Membership, User
from pages_parsed import Page

ClientOf = Callable[..., Client]
GOOD = "sleep well, wake soon"


@pytest.fixture
def owner(client_of: ClientOf) -> Client:
    client = client_of("owner")
    makers.user("bob", "author"), makers.user("dan", "operator", "globex")
    return client


@pytest.fixture
def staff(owner: Client) -> Client:
    User.objects.filter(username="owner").update(is_staff=True)
    return owner


def text(client: Client, place: str = "/people/") -> str:
    answer = client.get(place)
    assert answer.status_code == 200
    page = Page(answer.content.decode())
    assert page.inline == []
    return page.text


def act(client: Client, name: str, action: str, **also: str) -> Any:
    body = {"action": action, "organisation": "acme", **also}
    return client.post(f"/people/users/{name}/", body, headers={"Accept": "application/json"})


def invite(client: Client, role: str = "author", email: str = "", organisation: str = "acme") -> str:
    """The link that the page shows."""
    body = {"organisation": organisation, "role": role, "email": email}
    assert client.post("/people/invite/", body).status_code == 302
    return str(client.get("/people/").context["fresh"]["link"]).removeprefix("http://testserver")


def role(name: str, slug: str = "acme") -> str:
    return Membership.objects.get(user__username=name, organisation__slug=slug).role


def test_owners_see_their_members_staff_everybody_and_others_have_no_such_page(
    owner: Client, client_of: ClientOf
) -> None:
    said = text(owner)
    assert "bob" in said and "dan" not in said
    for name in ("member", "author", "operator"):
        assert client_of(name).get("/people/").status_code == 404
        assert "/people/" not in Page(client_of(name).get("/home/").content.decode()).links
    User.objects.filter(username="owner").update(is_staff=True)
    assert "dan" in text(owner) and "dan" not in text(owner, "/people/?q=bob")
    assert "bob" not in text(owner, "/people/?org=globex")
    assert "Nobody matches" in text(owner, "/people/?q=zzz")


def test_an_owner_changes_a_role_and_removes_a_member(owner: Client) -> None:
    assert act(owner, "bob", "role", role="operator", was="author").json()["message"] == "bob is operator of acme now."
    answer = act(owner, "bob", "role", role="owner", was="author")
    assert (answer.status_code, "no longer author" in answer.json()["detail"]) == (409, True)
    act(owner, "bob", "remove")
    assert not Membership.objects.filter(user__username="bob").exists()
    assert User.objects.get(username="bob").is_active


def test_the_last_owner_stays_and_the_page_says_why(owner: Client) -> None:
    for answer in (act(owner, "owner", "role", role="member"), act(owner, "owner", "remove")):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
        assert "needs an owner. Make somebody else an owner first." in answer.json()["detail"]
    page = owner.post("/people/users/owner/", {"action": "remove", "organisation": "acme"})
    assert page.status_code == 409 and "This was not done" in page.content.decode()


def test_what_is_not_theirs_cannot_be_changed(owner: Client, client_of: ClientOf) -> None:
    assert act(owner, "dan", "remove", organisation="globex").status_code == 404
    assert act(owner, "bob", "role", role="owner", organisation="globex").status_code == 404
    assert act(owner, "bob", "nonsense").status_code == 404
    assert act(owner, "bob", "deactivate").status_code == 403
    body = {"organisation": "globex", "role": "owner"}
    assert owner.post("/people/invite/", body).status_code == 404
    assert owner.post("/people/users/dan/link/").status_code == 404
    makers.user("bob", "member", "globex")
    assert "Link for a new password" not in text(owner, "/people/?q=bob")
    assert owner.post("/people/users/bob/link/").status_code == 403
    member = client_of("member")
    assert act(member, "bob", "role", role="member").status_code == 404
    assert member.post("/people/invite/", {"organisation": "acme", "role": "owner"}).status_code == 404
    assert (role("bob"), role("dan", "globex")) == ("author", "operator")
    assert Invitation.objects.count() == 0


def test_staff_deactivates_and_lets_sign_in_again(staff: Client, client_of: ClientOf) -> None:
    bob = client_of("bob")
    bob.force_login(User.objects.get(username="bob"))
    act(staff, "bob", "deactivate")
    assert bob.get("/home/").status_code == 302
    assert "deactivated" in text(staff)
    act(staff, "bob", "reactivate")
    assert User.objects.get(username="bob").is_active
    assert act(staff, "owner", "deactivate").status_code == 403


def test_an_invitation_is_shown_once_and_makes_an_account(owner: Client) -> None:
    link = invite(owner, "operator")
    assert link not in text(owner)
    guest = Client()
    assert "owner invites you as operator" in text(guest, link)
    wrong = guest.post(link, {"username": "eve", "password": GOOD, "again": "another"})
    assert (wrong.status_code, "The two passwords differ" in wrong.content.decode()) == (422, True)
    weak = guest.post(link, {"username": "eve", "password": "short", "again": "short"})
    assert (weak.status_code, "Choose another password" in weak.content.decode()) == (422, True)
    made = guest.post(link, {"username": "eve", "password": GOOD, "again": GOOD})
    assert (made.status_code, made["Location"]) == (302, "/home/")
    assert role("eve") == "operator" and guest.get("/home/").status_code == 200
    again = Client().get(link)
    assert (again.status_code, "was used" in again.content.decode()) == (410, True)
    assert "owner" in text(owner, "/people/?q=eve")


def test_who_is_signed_in_joins_with_one_click(owner: Client) -> None:
    link = invite(owner, "member")
    dan = Client()
    dan.force_login(User.objects.get(username="dan"))
    assert "Join as dan" in text(dan, link)
    dan.post(link)
    assert role("dan") == "member"
    refused = dan.post(invite(owner, "owner"))
    assert (refused.status_code, "You are member of acme already" in refused.content.decode()) == (422, True)


def test_a_revoked_invitation_says_so(owner: Client, client_of: ClientOf) -> None:
    link = invite(owner)
    id_ = Invitation.objects.get().pk
    assert client_of("member").post(f"/people/invitations/{id_}/revoke/").status_code == 404
    owner.post(f"/people/invitations/{id_}/revoke/")
    answer = Client().get(link)
    assert (answer.status_code, "was revoked" in answer.content.decode()) == (410, True)
    assert Client().get("/invitations/guessed/").status_code == 404
    assert "Open invitations" not in text(owner)


def test_without_e_mail_a_link_for_a_new_password_is_shown_once(owner: Client) -> None:
    assert "sends no e-mail" in text(Client(), "/password/forgotten/")
    assert owner.post("/people/users/bob/link/").status_code == 302
    link = str(owner.get("/people/").context["fresh"]["link"]).removeprefix("http://testserver")
    guest = Client()
    assert "For bob" in text(guest, link)
    assert guest.post(link, {"password": GOOD, "again": GOOD + "!"}).status_code == 422
    assert guest.post(link, {"password": GOOD, "again": GOOD})["Location"] == "/login/"
    assert Client().login(username="bob", password=GOOD)
    assert Client().get(link).status_code == 410
    assert Client().get("/password/AA/x/").status_code == 404


def test_where_e_mail_is_set_up_links_are_sent_and_begin_with_the_address_of_the_platform(
    owner: Client, settings: Any
) -> None:
    settings.SENDS_LETTERS, settings.ADDRESS = True, "https://ovd.example.org"
    link = invite(owner, "author", "eve@example.org")
    assert [letter.to for letter in mail.outbox] == [["eve@example.org"]]
    assert f"https://ovd.example.org{link}" in mail.outbox[0].body
    User.objects.filter(username="bob").update(email="bob@example.org")
    said = [
        Page(Client(headers={"Host": "evil.example.org"}).post("/password/forgotten/", {"email": one}).content.decode())
        for one in ("BOB@example.org", "nobody@example.org", "")
    ]
    assert len({re.sub(r"\s", "", page.text) for page in said}) == 1, "who has an account is nobody's business"
    assert len(mail.outbox) == 2
    found = re.search(r"https://ovd\.example\.org(/password/\S+)", mail.outbox[1].body)
    assert found and "For bob" in text(Client(), found[1])


def test_a_letter_that_cannot_be_sent_leaves_the_link_to_be_copied(owner: Client, settings: Any) -> None:
    settings.SENDS_LETTERS, settings.EMAIL_BACKEND = True, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1
    owner.post("/people/invite/", {"organisation": "acme", "role": "member", "email": "eve@example.org"})
    assert "It could not be sent: The mail server did not take it" in text(owner)


def test_ones_own_password_and_address_are_changed(owner: Client) -> None:
    assert "sleep" not in text(owner, "/password/")
    from pages_rows import PASSWORD

    wrong = owner.post("/password/", {"old": "guessed", "password": GOOD, "again": GOOD})
    assert (wrong.status_code, "not your present password" in wrong.content.decode()) == (422, True)
    assert owner.post("/password/", {"old": PASSWORD, "password": GOOD, "again": GOOD})["Location"] == "/home/"
    assert owner.get("/home/").status_code == 200
    assert owner.post("/password/email/", {"email": "o@example.org"}).status_code == 302
    assert owner.post("/password/email/", {"email": "nonsense"}).status_code == 422
    me = User.objects.get(username="owner")
    assert me.check_password(GOOD) and me.email == "o@example.org"


def test_many_people_cost_as_many_questions_as_few(staff: Client) -> None:
    asked = []
    for first in (0, 15):
        for number in range(first, first + 15):
            makers.user(f"person-{number}", "member"), makers.user(f"person-{number}", "author", "globex")
        text(staff)
        with CaptureQueriesContext(connection) as seen:
            text(staff)
        asked.append(len(seen))
    assert asked[0] == asked[1] < 16


def test_an_owner_of_many_asks_no_more_for_each_person(owner: Client) -> None:
    asked = []
    for first in (0, 15):
        for number in range(first, first + 15):
            makers.user(f"person-{number}", "member"), makers.user(f"person-{number}", "author", "globex")
        text(owner)
        with CaptureQueriesContext(connection) as seen:
            text(owner)
        asked.append(len(seen))
    assert asked[0] == asked[1] < 20
