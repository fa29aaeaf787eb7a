"""What the demo's customers write to the helpdesk, and what it answers. Nobody said any of this."""

import struct
import zlib
from dataclasses import dataclass

from support.models import Priority, Source

HELPDESK, NETWORK, ACCOUNTS = "Helpdesk", "Network", "Accounts"
OTHER = "Something else"  # What comes by e-mail is about that until somebody reads it.

# name, priority, team, hours to the first answer, business days to the end (None: as the settings say)
SUBJECTS: tuple[tuple[str, str, str, int, int | None], ...] = (
    ("No connection", Priority.URGENT, HELPDESK, 2, 1),
    ("Red light on the optical box", Priority.HIGH, NETWORK, 4, 2),
    ("Connected, but pages do not load", Priority.HIGH, HELPDESK, 4, 2),
    ("Slow connection", Priority.NORMAL, HELPDESK, 8, 3),
    ("WiFi name or password", Priority.NORMAL, HELPDESK, 8, 2),
    ("Payment not recognised", Priority.NORMAL, ACCOUNTS, 4, 2),
    ("Question about an invoice", Priority.LOW, ACCOUNTS, 9, None),
    ("Move to another address", Priority.LOW, NETWORK, 18, 5),
    (OTHER, Priority.NORMAL, HELPDESK, 8, None),
)
ANSWERS = (
    (
        "Restart the box",
        "Dear {customer},\n\nplease take the optical box and the router off the mains for half a minute. When all "
        "lights are steady again, tell us here whether your connection works.",
    ),
    (
        "A technician comes",
        "Dear {customer},\n\na technician looks at the line of service {service} and calls you half an hour before. "
        "We expect {ticket} to be settled by {due}.",
    ),
    (
        "Please send a photograph",
        "Dear {customer},\n\nplease send us a photograph of the lights on the optical box with your answer.",
    ),
    (
        "We know of the outage",
        "Dear {customer},\n\nthere is an outage in your street and our people are there. We write to you when it is "
        "over; you need do nothing.",
    ),
    (
        "Payment has arrived",
        "Dear {customer},\n\nyour payment has arrived, and service {service} runs again.",
    ),
)


@dataclass(frozen=True)
class Story:
    """One matter as it is talked about; `sends` is the file that comes with the first words."""

    subject: str
    title: str
    said: str
    note: str
    asked: str
    replied: str
    done: str
    source: str = Source.CUSTOMER
    sends: str = ""


STORIES = (
    Story(
        "No connection",
        "No internet since this morning",
        "There has been no internet since this morning. All lights on the router are on, but nothing opens.",
        "The ONU is online with a good signal; the session ended at 07:12 and did not come back.",
        "Please take the router off the mains for half a minute. Does it connect afterwards?",
        "Yes, it works again. What was it?",
        "The router had lost its log-in after an update by its maker. It will not happen again with this version.",
    ),
    Story(
        "Red light on the optical box",
        "The light marked LOS is red",
        "The little white box has a red light since last night. Photograph attached.",
        "Loss of signal, and the neighbours' ONUs are fine: it is between the splitter and the house.",
        "Your fibre has no light. A technician can come tomorrow between 14:00 and 16:00. Does that suit you?",
        "Tomorrow is fine. Please ring the lower bell.",
        "The connector at the wall was broken and is replaced. The signal is good again.",
        sends="light.png",
    ),
    Story(
        "Connected, but pages do not load",
        "WhatsApp works, web pages do not",
        "Messages come through, but most pages stay white. It is the same on the phone and on the computer.",
        "The session runs and has an address; names are not resolved by the server set in the customer's router.",
        "Please open http://192.0.2.1 in the browser and tell us whether a page appears.",
        "That page opens at once.",
        "Your router asked a name server that no longer exists. We have set it to ours, and pages load.",
        source=Source.STAFF,
    ),
    Story(
        "Slow connection",
        "Only a tenth of the speed in the evening",
        "Every evening after eight I measure a tenth of what I pay for. The result of a test is attached.",
        "The PON port is far from full. 2.4 GHz only: four neighbours are on the same channel.",
        "Please measure once more with a cable between computer and router.",
        "With the cable I have the full speed.",
        "Then it is the WiFi. We have moved it to a free channel and switched the faster band on.",
        sends="speedtest.txt",
    ),
    Story(
        "WiFi name or password",
        "Forgot the WiFi password",
        "We have a new telephone and nobody remembers the WiFi password.",
        "Caller answered both questions of the identity check.",
        "Shall we set a new password, or do you want the present one by SMS?",
        "A new one, please.",
        "The new password is on its way by SMS. All devices have to be connected once more.",
        source=Source.STAFF,
    ),
    Story(
        "Payment not recognised",
        "Paid last week, still reminded",
        "I transferred the amount of the last invoice on Monday and still find it open.",
        "Found among the unmatched lines of the bank's file: the reference was missing.",
        "Could you tell us from which account you paid, and on which day?",
        "From my wife's account, on Monday.",
        "Thank you: the payment is found and booked. Nothing is open.",
    ),
    Story(
        "Question about an invoice",
        "What is the part of a month?",
        "The invoice shows eleven days of a plan I no longer have. Why?",
        "The plan was changed on the 12th, and both parts are right.",
        "Your plan changed within the month, so each has its days. May we send you the reckoning?",
        "Please do.",
        "The reckoning is on its way by e-mail: eleven days of the old plan, the rest of the new one.",
        source=Source.API,
    ),
    Story(
        "Move to another address",
        "We move to Chapel Hill next month",
        "We are moving at the end of the month. Can we keep the number and the contract?",
        "The new address is served, a port is free on the splitter.",
        "Yes. On which day shall the line be ready at the new address?",
        "On the 28th, in the morning if possible.",
        "The line is ready there from the 28th at nine. The old one ends on the same day.",
        source=Source.STAFF,
    ),
)


def file_of(name: str) -> bytes:
    """Return what a customer sends with the first words: a picture, or a text."""
    if name.endswith(".png"):
        return _picture_of_a_light()
    return b"Download  19.8 Mbit/s\nUpload     9.1 Mbit/s\nPing        11 ms\nBy WiFi, second floor\n"


def _picture_of_a_light(width: int = 160, height: int = 90) -> bytes:
    """Draw a white box with a red light, as PNG (W3C, PNG Specification, third edition, section 11.2)."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # The row is not filtered.
        for x in range(width):
            in_box, in_light = 20 <= x < 140 and 20 <= y < 70, (x - 50) ** 2 + (y - 45) ** 2 < 64
            rows += bytes((200, 30, 30) if in_light else (236, 236, 232) if in_box else (90, 96, 104))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in pieces
    )
