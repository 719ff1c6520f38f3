"""How e-mail is sent is said by one address; what is missing or wrong is said at the start."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from ovd_saas.wiring import mail

HERE = "https://ovd.example.org"


def test_without_an_address_no_letter_is_sent() -> None:
    assert mail.settings("", "", "") == {"SENDS_LETTERS": False}


def test_smtp_talks_tls_unless_told_otherwise() -> None:
    found = mail.settings("smtp://ana%40acme:p%3Aw@mail.example.org", "", HERE)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.org", 587)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("ana@acme", "p:w")
    assert found["EMAIL_USE_TLS"] and not found["EMAIL_USE_SSL"]
    assert found["DEFAULT_FROM_EMAIL"] == "OVD-SaaS <ovd@ovd.example.org>"
    assert not mail.settings("smtp://localhost:25?tls=no", "", HERE)["EMAIL_USE_TLS"]
    whole = mail.settings("smtps://mail.example.org", "us@example.org", HERE)
    assert (whole["EMAIL_PORT"], whole["EMAIL_USE_SSL"], whole["EMAIL_USE_TLS"]) == (465, True, False)
    assert whole["DEFAULT_FROM_EMAIL"] == "us@example.org"


@pytest.mark.parametrize("url", ["mail.example.org", "http://mail", "smtp://", "smtp://mail:port", "smtp://mail:99999"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="OVD_EMAIL_URL is not"):
        mail.settings(url, "", HERE)


def test_links_in_letters_need_the_address_of_the_platform() -> None:
    with pytest.raises(ImproperlyConfigured, match="needs OVD_ADDRESS"):
        mail.settings("smtp://mail.example.org", "", "")
