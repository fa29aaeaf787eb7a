"""What a message says. Pure; whatever comes, it is read or Unreadable: everybody on the net may write to a helpdesk."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message as Parsed
from html.parser import HTMLParser

MOST_PARTS = 200
MOST_TEXT = 100_000  # Characters of a text that are looked at; a comment keeps fewer.
MOST_REFERENCES = 20
LONGEST_KEY = 250
LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets.

MESSAGE_ID = re.compile(r"<[^<>\s]{1,998}>")
QUOTED_NAME = re.compile(r'"(?:[^"\\]|\\.)*"')
COMMENT = re.compile(r"\([^()]*\)")
# One mailbox (RFC 5322 section 3.4) and nothing that two readers could take for two.
NAMED_ADDRESS = re.compile(r"[^<>@,;:]*<\s*([^<>\s@,;:()]+@[^<>\s@,;:()]+)\s*>\s*\Z")
BARE_ADDRESS = re.compile(r"\s*([^<>\s@,;:()]+@[^<>\s@,;:()]+)\s*\Z")
UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
WHO_AND_WHEN = re.compile(r"@|[0-9]{4}|[0-9]:[0-9]{2}")
LISTS = frozenset({"bulk", "junk", "list"})


class Unreadable(Exception):
    """It is no message that can be taken apart."""


@dataclass(frozen=True)
class File:
    """Something attached: the name its sender gave it, and its content."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What a message says. `key` tells it from all others, `references` are the messages it answers, newest first;
    `automatic` says why no person wrote it, empty when one did."""

    key: str
    sender: str = ""
    title: str = ""
    text: str = ""
    references: tuple[str, ...] = ()
    automatic: str = ""
    files: list[File] = field(default_factory=list)


def key_of(raw: bytes) -> str:
    """Return what stands for a message that has no name of its own."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def read(raw: bytes) -> Letter:
    """Take a message apart. Raises Unreadable."""
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
        return Letter(
            key=_key(message, raw),
            sender=_sender(message),
            title=_header(message, "Subject")[:500],
            text=own_words(_text(message)),
            references=_references(message),
            automatic=_automatic(message),
            files=[each for each in map(_file, _parts(message)) if each],
        )
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # The library is forgiving, yet not of everything that is sent.
        raise Unreadable(str(error)) from error


def _key(message: Parsed, raw: bytes) -> str:
    found = MESSAGE_ID.search(str(message.get("Message-ID", "")))
    name = found[0] if found else ""
    return name if 0 < len(name) <= LONGEST_KEY else key_of(name.encode(errors="replace") or raw)


def _sender(message: Parsed) -> str:
    """Return the one address it is from, in lower case; empty when there is none, or more than one."""
    given = message.get_all("From", [])
    if len(given) != 1:
        return ""
    plain = COMMENT.sub("", QUOTED_NAME.sub("", str(given[0])))
    # An address as a name of itself is no second one.
    found = NAMED_ADDRESS.match(re.sub(r"^\s*\S+@\S+(?=\s*<)", "", plain)) or BARE_ADDRESS.match(plain)
    address = _clean(found[1]).lower() if found else ""
    return address if len(address) <= LONGEST_ADDRESS else ""


def _references(message: Parsed) -> tuple[str, ...]:
    """Return what it answers: `In-Reply-To` first, then `References` from the last (RFC 5322 section 3.6.4)."""
    replied = MESSAGE_ID.findall(str(message.get("In-Reply-To", ""))[:10_000])
    thread = MESSAGE_ID.findall(str(message.get("References", ""))[-10_000:])
    return tuple(dict.fromkeys([*replied, *reversed(thread)]))[:MOST_REFERENCES]


def _automatic(message: Parsed) -> str:
    """Say by which mark a machine wrote it; empty when a person did."""
    submitted = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    if submitted != "no":  # RFC 3834 section 5.
        return f"A machine wrote it (Auto-Submitted: {submitted})."
    if str(message.get("Return-Path", "")).strip() == "<>":  # RFC 5321 section 4.5.5.
        return "It reports on another message (empty return path)."
    if message.get_content_type() == "multipart/report":  # RFC 6522.
        return "It reports on another message (multipart/report)."
    if (precedence := str(message.get("Precedence", "")).strip().lower()) in LISTS:
        return f"It went to many (Precedence: {precedence})."
    if "List-Id" in message:  # RFC 2919.
        return "It went to many (List-Id)."
    return ""


def _parts(message: Parsed) -> Iterator[Parsed]:
    """Give the parts that have content, in order; a message in the message is one. Raises ValueError for too many."""
    for count, part in enumerate(_leaves(message)):
        if count == MOST_PARTS:
            raise ValueError("It has too many parts.")
        yield part


def _leaves(message: Parsed) -> Iterator[Parsed]:
    if message.get_content_maintype() != "multipart":
        yield message
        return
    inner = message.get_payload()
    for part in inner if isinstance(inner, list) else ():
        if isinstance(part, Parsed):
            yield from _leaves(part)


def _is_file(part: Parsed) -> bool:
    is_named = part.get_content_disposition() == "attachment" or part.get_filename() is not None
    return is_named or part.get_content_maintype() != "text"


def _file(part: Parsed) -> File | None:
    if not _is_file(part):
        return None
    content = part.get_payload(decode=True)
    return File(_decoded(str(part.get_filename("") or "")), content if isinstance(content, bytes) else b"")


def _text(message: Parsed) -> str:
    """Return its plain text; of one that has none, what its HTML says."""
    texts: dict[str, list[str]] = {"plain": [], "html": []}
    for part in _parts(message):
        if not _is_file(part):
            texts.setdefault(part.get_content_subtype(), []).append(_content(part))
    plain = "\n\n".join(text for text in texts["plain"] if text.strip())
    return plain or "\n\n".join(map(text_of_html, texts["html"]))[:MOST_TEXT]


def _content(part: Parsed) -> str:
    content = part.get_payload(decode=True)
    raw = content[: 4 * MOST_TEXT] if isinstance(content, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, UnicodeError):  # A name of no character set, or of one that is no text.
        text = raw.decode(errors="replace")
    return _clean(text)[:MOST_TEXT]


def _header(message: Parsed, name: str) -> str:
    return " ".join(_decoded(str(message.get(name, ""))[:10_000]).split())


def _decoded(text: str) -> str:
    """Decode the encoded words of a header (RFC 2047), as far as they can be."""
    try:
        pieces = decode_header(text)
    except HeaderParseError:
        return _clean(text)
    words = []
    for piece, charset in pieces:
        if isinstance(piece, str):
            words.append(piece)
            continue
        try:
            words.append(piece.decode(charset or "ascii", errors="replace"))
        except (LookupError, UnicodeError):
            words.append(piece.decode(errors="replace"))
    return _clean("".join(words))


def _clean(text: str) -> str:
    """Drop what no database and no page can show."""
    return UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def own_words(text: str) -> str:
    """Return a text without the quotation it ends with; all of it when it is nothing else.

    What stands between quotations stays, and they with it: an answer line by line makes no sense without.
    """
    lines = text.strip().split("\n")
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    if 0 < end < len(lines) and lines[end - 1].rstrip().endswith(":"):
        # The line that says who wrote what follows and when; mail programs break it in two.
        above = lines[end - 2].rstrip() if end > 1 else ""
        if WHO_AND_WHEN.search(above) and not above.endswith((".", "!", "?", ":")):
            end -= 2
        elif WHO_AND_WHEN.search(lines[end - 1]):
            end -= 1
    return "\n".join(lines[:end]).strip() or text.strip()


def text_of_html(html: str) -> str:
    """Return what a page of HTML says, line by line; quotations are marked as those of plain text are."""
    reader = _Html()
    reader.feed(html[:MOST_TEXT])
    reader.close()
    return _clean(reader.text())


class _Html(HTMLParser):
    """Collects what is shown: nothing is fetched, run or kept of the markup."""

    HIDDEN = frozenset({"head", "script", "style", "template", "title"})
    BREAKS = frozenset(
        {"blockquote", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "p", "table", "tr", "ul", "ol"}
    )

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._words: list[str] = []
        self._hidden = self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.HIDDEN:
            self._hidden += 1
        if tag == "body":
            self._hidden = 0  # Whatever was left open above it.
        if tag in self.BREAKS:
            self._break()
        self._quoted += tag == "blockquote"

    def handle_endtag(self, tag: str) -> None:
        if tag in self.HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if tag in self.BREAKS:
            self._break()
        if tag == "blockquote":
            self._quoted = max(0, self._quoted - 1)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._words.append(data)

    def text(self) -> str:
        self._break()
        return "\n".join(self._lines)

    def _break(self) -> None:
        line = " ".join("".join(self._words).split())
        self._words.clear()
        if line:
            self._lines.append("> " * min(self._quoted, 3) + line)
