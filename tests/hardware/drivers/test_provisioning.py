"""What may be typed at a device's command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.drivers.provisioning import cli_text, cli_word


@pytest.mark.parametrize(
    "value", ["10", "line-profile_100M", "HWTC9A000FFF", "UP-100M(1)", "user@isp.example", "_x", "a" * 64]
)
def test_a_word_passes_unchanged(value):
    assert cli_word(value) == value


@pytest.mark.parametrize("value", ["Mill St 4", "Mill St 4, flat #2", "a"])
def test_a_text_passes_unchanged(value):
    assert cli_text(value) == value


@pytest.mark.parametrize(
    "value",

    ["", " ", "a b", "a\nreboot", "a\r", "a\n", "a;b", "a?", 'a"', "a'b", "a|b", "a\\", "!a", "a!", "-x", "a\x00",
     "a\x1b[A", "a\x7f", "a\u2028b", "a\u00a0b", "Ñ", "١", "a`b", "a$b", "a&b", "a>b", "{a}", "a" * 65],
)  # fmt: skip
def test_what_means_something_to_a_command_line_is_no_word(value):
    with pytest.raises(ValueError, match="command line"):
        cli_word(value)


@pytest.mark.parametrize(
    "value",
    ["", " a", "a ", "a  b", "a\tb", "a\nreboot", "a b\n", "a; b", "a ?", 'a "b', "a 'b", "a \\", "a | b", "a " * 40],
)  # fmt: skip
def test_what_means_something_to_a_command_line_is_no_text(value):
    with pytest.raises(ValueError, match="command line"):
        cli_text(value)


@pytest.mark.parametrize("check", [cli_word, cli_text])
@given(value=st.text(max_size=100))
def test_what_passes_is_harmless(check, value):
    try:
        passed = check(value)
    except ValueError:
        return
    assert passed == value
    assert passed.isascii()
    assert passed.isprintable()
    assert not set(passed) & set("\"'?;|!\\`$&<>{}\n\r")
