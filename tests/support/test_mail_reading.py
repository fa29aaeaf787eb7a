"""What a message says, whatever it is made of."""

import random

import pytest

from support.services.mail_in import reading
from support.services.mail_in.reading import Unreadable, own_words, read, text_of_html
from tests.support.mailing import letter

ATTRIBUTION = "On Mon, 2 Mar 2026 at 10:00, Fibra <help@isp.example> wrote:"


def source(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


class TestTheSender:
    @pytest.mark.parametrize(
        "given",
        [
            "jane@customer.example",
            "Jane@Customer.example",
            "<jane@customer.example>",
            "Jane Doe <jane@customer.example>",
            '"Doe, Jane" <jane@customer.example>',
            '"jane@customer.example" <jane@customer.example>',
            "jane@customer.example <jane@customer.example>",
            "jane@customer.example (Jane Doe)",
            "=?utf-8?q?Zo=C3=AB?= <jane@customer.example>",
        ],
    )
    def test_is_one_address_in_lower_case(self, given):
        assert read(source(f"From: {given}\n\nHello")).sender == "jane@customer.example"

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "Jane Doe",
            "jane@customer.example, joe@customer.example",
            "jane@customer.example <joe@evil.example> <jane@customer.example>",
            "joe@evil.example, Jane <jane@customer.example>",
            "jane@customer.example)joe@evil.example",
            "Group: jane@customer.example;",
            "undisclosed-recipients:;",
            "jane@" + "x" * 250,
        ],
    )
    def test_is_nobody_where_there_is_not_one(self, given):
        assert read(source(f"From: {given}\n\nHello")).sender == ""

    def test_is_nobody_with_two_headers(self):
        raw = source("From: jane@customer.example\nFrom: joe@evil.example\n\nHello")

        assert read(raw).sender == ""


class TestTheText:
    def test_is_the_plain_one(self):
        assert read(letter("Plain", html="<p>Marked <b>up</b></p>").as_bytes()).text == "Plain"

    def test_is_what_html_says_where_there_is_no_other(self):
        html = (
            "<html><head><title>x</title><style>p {}</style></head><body><p>It is&nbsp;slow &amp; <b>red</b>.<br>"
            "<script>steal()</script>Since <i>Monday</i></p><img src='http://spy.example/1.gif'>"
            f"<div>{ATTRIBUTION}</div><blockquote><p>How are you?</p></blockquote></body></html>"
        )
        raw = source(f"From: a@b.example\nContent-Type: text/html; charset=utf-8\n\n{html}")

        assert read(raw).text == "It is slow & red.\nSince Monday"

    def test_is_that_of_all_its_parts(self):
        raw = source(
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nAbove\n--x\nContent-Type: image/png\n"
            "Content-Transfer-Encoding: base64\n\naGk=\n--x\nContent-Type: text/plain\n\nBelow\n--x--\n"
        )

        found = read(raw)

        assert found.text == "Above\n\nBelow"
        assert [(file.name, file.content) for file in found.files] == [("", b"hi")]

    @pytest.mark.parametrize(
        "charset", ["iso-8859-1", "unknown-8bit", "rot13", "punycode", "utf-16", "\ud800"]
    )
    def test_is_read_in_any_character_set(self, charset):
        raw = (
            b"Content-Type: text/plain; charset=" + charset.encode(errors="replace") + b"\n\nol\xe1 \x00\x07!"
        )

        found = read(raw).text

        assert "\x00" not in found
        assert found.encode()

    def test_of_a_header_is_decoded_as_far_as_it_can_be(self):
        raw = source("Subject: =?utf-8?q?Ol=C3=A1?=\n =?nonsense?b?!!!?= =?utf-8?b?4p?=\n\nx")

        assert read(raw).title.startswith("Olá")

    def test_of_a_message_inside_is_none_of_its_own(self):
        inner = letter("Inner").as_bytes()
        raw = (
            source(
                "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nOuter\n--x\nContent-Type: message/rfc822\n\n"
            )
            + inner
            + source("\n--x--\n")
        )

        found = read(raw)

        assert found.text == "Outer"
        assert len(found.files) == 1


class TestOwnWords:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (f"Still slow.\n\n{ATTRIBUTION}\n> How is it?\n>\n> Ada\n", "Still slow."),
            (
                "Still slow.\n\nEl lun, 2 mar 2026 a las 10:00, Fibra\n<help@isp.example> escribió:\n> ?\n",
                "Still slow.",
            ),
            ("Still slow.\n> How is it?", "Still slow."),
            (f"Slow since 10:00.\n{ATTRIBUTION}\n> How is it?", "Slow since 10:00."),
            ("This is what I see:\n> error 691", "This is what I see:"),
            (f"{ATTRIBUTION}\n> Is it slow?\nYes.\n> Since when?\nMonday.", None),
            ("> only a quotation", None),
            ("No quotation: none.", None),
        ],
    )
    def test_end_where_the_quotation_begins(self, given, kept):
        assert own_words(given) == (given.strip() if kept is None else kept)


class TestAMachine:
    @pytest.mark.parametrize(
        "header",
        [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated (by a robot)",
            "Return-Path: <>",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
            "Precedence: Bulk",
            "Precedence: list",
            "List-Id: <news.example>",
        ],
    )
    def test_is_known_by_its_mark(self, header):
        assert read(source(f"From: a@b.example\n{header}\n\nI am away")).automatic

    @pytest.mark.parametrize(
        "header", ["Auto-Submitted: no", "Precedence: first-class", "Return-Path: <a@b.example>"]
    )
    def test_is_no_person(self, header):
        assert read(source(f"From: a@b.example\n{header}\n\nHello")).automatic == ""


class TestWhatNobodyForesaw:
    def test_too_many_parts_are_refused(self):
        raw = source("Content-Type: multipart/mixed; boundary=x\n\n" + "--x\n\nx\n" * 201 + "--x--\n")

        with pytest.raises(Unreadable):
            read(raw)

    def test_parts_without_end_in_one_another_are_refused_or_read(self):
        raw = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2000)
        )

        with pytest.raises(Unreadable):
            read(raw)

    def test_what_is_broken_is_read_or_refused(self):
        draw = random.Random(3)
        whole = letter("Olá", html="<p>Olá</p>", files=(("a.png", "image/png", b"\x89PNG" * 9),)).as_bytes()

        for _ in range(500):
            broken = bytearray(whole)
            for _ in range(draw.randint(1, 30)):
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            try:
                found = read(bytes(broken[: draw.randint(0, len(broken))]))
            except Unreadable:
                continue
            (found.key + found.sender + found.title + found.text).encode()

    @pytest.mark.parametrize(
        "raw",
        [
            b"Content-Type: text/plain" + b';"' + b";" * 20_000 + b"\n\nx",
            b"Content-Type: text/plain;\n" + b" ;\n" * 6000 + b"\n\nx",
            b"Subject: x\n" * 30_000 + b"\nx",
            b"Subject: x\n\n" + b"\n" * 1_000_001,
            b"Subject: x\n\n" + b"\r" * 1_000_001,
            b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 10_001,
        ],
        ids=["header", "folded header", "headers", "lines", "returns", "parts"],
    )
    def test_what_is_made_to_be_slow_is_refused(self, raw):
        with pytest.raises(Unreadable, match="slow"):
            read(raw)

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("a<!-- b", "a"),
            ("a<!-- b --><!x>c", "ac"),
            ("a<b <i>c", "a<b c"),
            ("1 < 2 &amp;&lt;b&gt;", "1 < 2 &<b>"),
            ("<head><title>x<body>a<script>b", "a"),
            ("</blockquote>a<blockquote>b<p>c</blockquote>d", "a\n> b\n> c\nd"),
            ("<![CDATA[a]]>b", "b"),
        ],
    )
    def test_html_that_is_none_is_read_for_what_it_shows(self, html, text):
        assert text_of_html(html) == text

    def test_html_is_read_up_to_a_bound(self):
        found = text_of_html("<div>a" * 500_000)

        assert len(found) < reading.MOST_TEXT

    def test_the_key_is_the_message_s_own_or_a_digest_of_it(self):
        named = read(source("Message-ID:  <1@b.example>\n\nx"))
        nameless, same, other = (read(source(f"\n{text}")) for text in ("x", "x", "y"))
        endless = read(source(f"Message-ID: <{'1' * 900}@b.example>\n\nx"))

        assert named.key == "<1@b.example>"
        assert nameless.key == same.key != other.key
        assert len(endless.key) == len(nameless.key) == len("sha256:") + 64

    def test_what_it_answers_comes_newest_first(self):
        found = read(source("References: <1@a> <2@a>\n <3@a>\nIn-Reply-To: <3@a>\n\nx"))

        assert found.references == ("<3@a>", "<2@a>", "<1@a>")
