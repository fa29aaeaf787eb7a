"""Two spellings of one thing become equal, and of two things do not."""

import pytest

from subscribers import normal


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("José ÁLVAREZ", "jose alvarez"),
        ("Straße", "strasse"),
        ("Łódź", "lodz"),
        ("Ｊａｎｅ", "jane"),
        ("İstanbul", "istanbul"),
        ("Søren", "soren"),
        ("", ""),
    ],
)
def test_fold(text, folded):
    assert normal.fold(text) == folded


def test_words_are_different_and_bounded():
    assert normal.words_of("Jane Doe", "doe-Smith", "jane@example.com") == [
        "jane", "doe", "smith", "example", "com",
    ]  # fmt: skip
    assert normal.words_of("x" * 200) == ["x" * 60]
    assert len(normal.words_of(" ".join(f"w{n}" for n in range(500)))) == 60
    assert normal.words_of("", "  --  ") == []


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("+1 (555) 000-1234", "US", "+15550001234"),
        ("555 000 1234", "US", "+15550001234"),
        ("0044 20 7946 0018", "PT", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("912 345 678", "PT", "+351912345678"),
        ("12", "US", ""),
        ("call me", "US", ""),
        ("", "US", ""),
        ("555 000 1234", "XX", ""),
    ],
)
def test_phone(text, region, e164):
    assert normal.phone_to_e164(text, region=region) == e164


@pytest.mark.parametrize(
    ("e164", "digits"),
    [
        ("+15550001234", "5550001234"),
        ("+351912345678", "912345678"),
        ("+390612345678", "0612345678"),
        ("", ""),
    ],
)
def test_national_digits(e164, digits):
    assert normal.national_digits(e164) == digits


@pytest.mark.parametrize(
    ("text", "form"), [("ab-12.3 4", "AB1234"), ("  V-09.876 ", "V09876"), ("ñ1", "N1"), ("-.", "")]
)
def test_document(text, form):
    assert normal.document_normal(text) == form


def test_email_is_compared_in_lower_case():
    assert normal.email_lower(" Jane@Example.COM ") == "jane@example.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("101 Fiber Street", "101  FIBER st."),
        ("5 Fifth Avenue, Apt. 3", "5 fifth ave apartment 3"),
        ("Long Road No. 7", "long rd nº 7"),
        ("Long Road #7", "Long Rd. number 7"),
        ("Calle Mayor 1", "C. Mayor 1"),
    ],
)
def test_spellings_of_one_address(one, other):
    assert normal.address_key(one) == normal.address_key(other)


def test_another_address_differs():
    assert normal.address_key("101 Fiber Street") != normal.address_key("102 Fiber Street")
    assert normal.address_key("101 Fiber Street") != normal.address_key("101 Fiber Avenue")


def test_an_address_may_leave_out_all_but_its_first_line():
    keys = normal.address_keys("101 Fiber Street", "", "Austin", "TX")

    assert keys == {"101 fiber st", "101 fiber st austin", "101 fiber st tx", "101 fiber st austin tx"}
    assert normal.address_keys("", "Austin") == set()
