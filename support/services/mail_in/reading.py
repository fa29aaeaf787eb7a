"""What a message says. Pure; whatever comes, it is read or Unreadable: everybody on the net may write to a helpdesk."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message as Parsed
from html import unescape

MOST_PARTS = 200
MOST_TEXT = 100_000  # Characters of a text that are looked at; a comment keeps fewer.
MOST_REFERENCES = 20
LONGEST_HEADER = 2000
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
MARKUP = re.compile(r"<!--|<(/?)([a-z][a-z0-9]*)[^<>]*>|<[!?][^<>]*>", re.IGNORECASE)
BREAKS = frozenset(
    ["blockquote", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "table", "tr", "ul"]
)
# What is not shown, and where it ends: what was left open above the body, where that begins.
HIDDEN = {
    tag: re.compile(rf"</{tag}|<body", re.IGNORECASE)
    for tag in ("head", "script", "style", "template", "title")
}
MOST_HEAD, MOST_HEADER = (
    256 * 1024,
    16 * 1024,
)  # Bytes of all headers, and of one whose parts are taken apart.
MOST_LINES, MOST_BOUNDARIES = 1_000_000, 10_000
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
CONTENT_HEADER = re.compile(rb"^content-[a-z-]+:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)


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
    if _is_made_to_be_slow(raw):
        raise Unreadable("It is made to be slow to read.")
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


def _is_made_to_be_slow(raw: bytes) -> bool:
    """Tell whether the library would take minutes, or gigabytes, for what no mail program writes."""
    head = END_OF_HEAD.search(raw)
    return (
        (head.start() if head else len(raw)) > MOST_HEAD
        or max(raw.count(b"\n"), raw.count(b"\r")) > MOST_LINES
        or raw.count(b"\n--") > MOST_BOUNDARIES
        or any(found.end() - found.start() > MOST_HEADER for found in CONTENT_HEADER.finditer(raw))
    )


def _key(message: Parsed, raw: bytes) -> str:
    found = MESSAGE_ID.search(_raw(message, "Message-ID"))
    name = found[0] if found else ""
    return name if 0 < len(name) <= LONGEST_KEY else key_of(name.encode(errors="replace") or raw)


def _sender(message: Parsed) -> str:
    """Return the one address it is from, in lower case; empty when there is none, or more than one."""
    given = message.get_all("From", [])
    if len(given) != 1:
        return ""
    plain = COMMENT.sub("", QUOTED_NAME.sub("", str(given[0])[:LONGEST_HEADER]))
    # An address as a name of itself is no second one.
    found = NAMED_ADDRESS.match(re.sub(r"^\s*\S+@\S+(?=\s*<)", "", plain)) or BARE_ADDRESS.match(plain)
    address = _clean(found[1]).lower() if found else ""
    return address if len(address) <= LONGEST_ADDRESS else ""


def _references(message: Parsed) -> tuple[str, ...]:
    """Return what it answers: `In-Reply-To` first, then `References` from the last (RFC 5322 section 3.6.4)."""
    replied = MESSAGE_ID.findall(_raw(message, "In-Reply-To"))
    thread = MESSAGE_ID.findall(str(message.get("References", ""))[-LONGEST_HEADER:])
    return tuple(dict.fromkeys([*replied, *reversed(thread)]))[:MOST_REFERENCES]


def _automatic(message: Parsed) -> str:
    """Say by which mark a machine wrote it; empty when a person did."""
    submitted = _raw(message, "Auto-Submitted", "no").partition(";")[0].strip().lower()
    if submitted != "no":  # RFC 3834 section 5.
        return f"A machine wrote it (Auto-Submitted: {submitted})."
    if _raw(message, "Return-Path").strip() == "<>":  # RFC 5321 section 4.5.5.
        return "It reports on another message (empty return path)."
    if message.get_content_type() == "multipart/report":  # RFC 6522.
        return "It reports on another message (multipart/report)."
    if (precedence := _raw(message, "Precedence").strip().lower()) in LISTS:
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


def _raw(message: Parsed, name: str, otherwise: str = "") -> str:
    """Return a header as it was written, as much of it as is looked at."""
    return str(message.get(name, otherwise))[:LONGEST_HEADER]


def _header(message: Parsed, name: str) -> str:
    return " ".join(_decoded(_raw(message, name)).split())


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
    """Return what a page of HTML says, line by line; quotations are marked as those of plain text are.

    Nothing is fetched, run or kept of the markup. Each sign is looked at a few times at most: the library's parser
    takes minutes for a hundred thousand signs that were made for it.
    """
    html = html[:MOST_TEXT]
    lines: list[str] = []
    words: list[str] = []
    quoted = at = 0

    def end_line() -> None:
        line = " ".join("".join(words).split())
        words.clear()
        if line:
            lines.append("> " * min(quoted, 3) + line)

    while found := MARKUP.search(html, at):
        words.append(unescape(html[at : found.start()]))
        at, closes, tag = found.end(), found[1], (found[2] or "").lower()
        if found[0] == "<!--":
            over = html.find("-->", at)
            at = over + 3 if over >= 0 else len(html)
        elif tag in HIDDEN and not closes:
            ends = HIDDEN[tag].search(html, at)
            at = ends.start() if ends else len(html)
        elif tag in BREAKS:
            end_line()
            if tag == "blockquote":
                quoted = max(0, quoted + (-1 if closes else 1))
    words.append(unescape(html[at:]))
    end_line()
    return _clean("\n".join(lines))
