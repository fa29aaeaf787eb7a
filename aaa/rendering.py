"""Render one vendor-neutral rate into what each type of NAS understands.

`render()` fills six slots, r1 to r6, as text; "" is an absent attribute. They are stored per policy and NAS type,
FreeRADIUS puts them into the Access-Accept by this table, and the CoA sender puts the same values into a
CoA-Request. A value is complete as it stands, an AV pair with its name included.

    NAS type   slot  attribute (vendor/number)                 value                          in a CoA
    mikrotik   r1    Mikrotik-Rate-Limit (14988/8)             RouterOS rate string           yes
               r2    Mikrotik-Address-List (14988/19)          address list                   no
    cisco      r1    Cisco-AVPair (9/1), added with +=         ip:sub-qos-policy-in=NAME      yes
               r2    Cisco-AVPair (9/1), added with +=         ip:sub-qos-policy-out=NAME     yes
    juniper    r1    ERX-Qos-Profile-Name (4874/26)            QoS profile                    yes
               r2    ERX-CoS-Shaping-Pmt-Type (4874/108)       T02 and the download rate      yes
    huawei     r1    Huawei-Qos-Profile-Name (2011/31)         QoS profile                    yes
               r2    Huawei-Input-Average-Rate (2011/2)        upload, bit/s                  yes
               r3    Huawei-Output-Average-Rate (2011/5)       download, bit/s                yes
               r4    Huawei-Input-Peak-Rate (2011/3)           upload burst, bit/s            yes
               r5    Huawei-Output-Peak-Rate (2011/6)          download burst, bit/s          yes
    zte        r1    ZTE-Rate-Ctrl-SCR-Down (3902/83)          download, kbit/s               yes
               r2    ZTE-Rate-Ctrl-SCR-Up (3902/89)            upload, kbit/s                 yes
               r3    ZTE-Rate-Ctrl-SCR-Down-v6 (3902/233)      download of IPv6, kbit/s       yes
               r4    ZTE-Rate-Ctrl-SCR-Up-v6 (3902/228)        upload of IPv6, kbit/s         yes
    nokia      r1    Alc-SLA-Prof-Str (6527/13)                SLA profile                    yes
               r2    Alc-Subsc-Prof-Str (6527/12)              subscriber profile             yes
               r3    Alc-Subscriber-QoS-Override (6527/126),+= e:r:rate=<download, kbit/s>    yes
               r4    Alc-Subscriber-QoS-Override (6527/126),+= i:a:root:rate=<upload, kbit/s> yes
    accel_ppp  r1    Filter-Id (11)                            <download>/<upload>, kbit/s    yes
    wispr      r1    WISPr-Bandwidth-Max-Down (14122/8)        download, bit/s                no
               r2    WISPr-Bandwidth-Max-Up (14122/7)          upload, bit/s                  no
    other            nothing but the filter

    every type but accel_ppp:  r6 Filter-Id (11), the name of a filter; in a CoA of every type but wispr and other.

The same attribute in two slots is added, never overwritten: use += for all of them.

A name replaces the numbers: where a policy names a QoS or SLA profile, the rates of that vendor stay empty, because
a NAS that gets both chooses by rules of its own. Nobody but RouterOS is given threshold, time and priority.

Sources: attribute numbers from the vendors' published dictionaries. RouterOS: help page "RADIUS" (upload comes
first; a burst without threshold has the rate as threshold; minimum never above the rate). Huawei: NetEngine 8000
attribute reference (2, 3: upstream committed and peak rate in bit/s, peak only together with committed; 31: the
device looks for the name in lower case by default and refuses the session when the profile does not exist). Nokia:
RADIUS attributes reference, 26.6527.126. Juniper: "predefined variables for CoS", tag T02 of 26-108.
accel-ppp: shaper.c, simple form, download first, kbit/s at its default multiplier. WISPr: up and down are named.
Unverified on a device: all of Cisco, Juniper, Huawei, ZTE and Nokia; kbit/s for ZTE and that its -v6 attributes limit
beside, not within, the others; Juniper's rate suffix and that 26-108 works by CoA; that Huawei's peak rate is a fit
burst. RouterOS' list of what a CoA may change lacks the address list; a change of it takes a Disconnect here.
"""

from collections.abc import Callable
from dataclasses import dataclass

Slots = tuple[str, str, str, str, str, str]
Pair = tuple[str, str]
NOTHING: Slots = ("", "", "", "", "", "")

# RADIUS' integer is 32 bits (RFC 2865 section 5); a rate above it is sent as the most that can be said.
HIGHEST_INTEGER = 2**32 - 1
_FILTER = "Filter-Id"

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "mikrotik": ("Mikrotik-Rate-Limit", "Mikrotik-Address-List", "", "", "", _FILTER),
    "cisco": ("Cisco-AVPair", "Cisco-AVPair", "", "", "", _FILTER),
    "juniper": ("ERX-Qos-Profile-Name", "ERX-CoS-Shaping-Pmt-Type", "", "", "", _FILTER),
    "huawei": (
        "Huawei-Qos-Profile-Name",
        "Huawei-Input-Average-Rate",
        "Huawei-Output-Average-Rate",
        "Huawei-Input-Peak-Rate",
        "Huawei-Output-Peak-Rate",
        _FILTER,
    ),
    "zte": (
        "ZTE-Rate-Ctrl-SCR-Down",
        "ZTE-Rate-Ctrl-SCR-Up",
        "ZTE-Rate-Ctrl-SCR-Down-v6",
        "ZTE-Rate-Ctrl-SCR-Up-v6",
        "",
        _FILTER,
    ),
    "nokia": (
        "Alc-SLA-Prof-Str",
        "Alc-Subsc-Prof-Str",
        "Alc-Subscriber-QoS-Override",
        "Alc-Subscriber-QoS-Override",
        "",
        _FILTER,
    ),
    "accel_ppp": (_FILTER, "", "", "", "", ""),
    "wispr": ("WISPr-Bandwidth-Max-Down", "WISPr-Bandwidth-Max-Up", "", "", "", _FILTER),
    "other": ("", "", "", "", "", _FILTER),
}
_ONLY_AT_LOGIN = frozenset({"Mikrotik-Address-List"})
# What hotspots and unknown types make of a CoA nobody can say; a Disconnect brings the same at the next log-in.
NO_COA = frozenset({"wispr", "other"})


@dataclass(frozen=True, slots=True)
class Rate:
    """What a policy gives a subscriber, for any vendor: rates in kbit/s, "down" towards the subscriber.

    None is "not limited" for a rate and "none" for everything else.
    """

    down_kbps: int | None = None
    up_kbps: int | None = None
    burst_down_kbps: int | None = None
    burst_up_kbps: int | None = None
    threshold_down_kbps: int | None = None
    threshold_up_kbps: int | None = None
    burst_seconds: int | None = None
    priority: int | None = None
    guaranteed_down_kbps: int | None = None
    guaranteed_up_kbps: int | None = None
    cisco_policy_in: str = ""
    cisco_policy_out: str = ""
    juniper_qos_profile: str = ""
    huawei_qos_profile: str = ""
    nokia_sla_profile: str = ""
    nokia_subscriber_profile: str = ""
    address_list: str = ""
    filter_id: str = ""


def render(nas_type: str, rate: Rate) -> Slots:
    """Return the values of r1 to r6 for this type of NAS; the module says which attribute each is.

    Raises KeyError for a type that is not in ATTRIBUTES.
    """
    slots = [*_RENDERERS[nas_type](rate), "", "", "", "", "", ""][:6]
    if nas_type != "accel_ppp":
        slots[5] = rate.filter_id
    r1, r2, r3, r4, r5, r6 = slots
    return (r1, r2, r3, r4, r5, r6)


def login_pairs(nas_type: str, slots: Slots) -> list[Pair]:
    """Return the attributes of an Access-Accept with their values, in the order of the slots."""
    return [(name, value) for name, value in zip(ATTRIBUTES[nas_type], slots, strict=True) if name and value]


def coa_pairs(nas_type: str, slots: Slots) -> list[Pair]:
    """Return the attributes of a CoA-Request with their values; none where this type is not known to obey."""
    if nas_type in NO_COA:
        return []
    return [pair for pair in login_pairs(nas_type, slots) if pair[0] not in _ONLY_AT_LOGIN]


def coa_suffices(nas_type: str, before: Slots, after: Slots) -> bool:
    """Tell whether a CoA can take a live session from one rendering to another.

    It cannot where a value must vanish (a CoA sets, it does not remove) or may be set at login only.
    """
    if not coa_pairs(nas_type, after):
        return before == after
    return all(
        old == new or (new != "" and name not in _ONLY_AT_LOGIN)
        for name, old, new in zip(ATTRIBUTES[nas_type], before, after, strict=True)
    )


def missing_names(nas_type: str, rate: Rate) -> tuple[str, ...]:
    """Return the fields of the policy without which this type of NAS would not limit the subscriber at all."""
    if nas_type == "cisco":
        return tuple(name for name in ("cisco_policy_in", "cisco_policy_out") if not getattr(rate, name))
    if nas_type == "other" and not rate.filter_id:
        return ("filter_id",)
    return ()


def _mikrotik(rate: Rate) -> list[str]:
    return [_rate_limit(rate), rate.address_list]


def _rate_limit(rate: Rate) -> str:
    """Return RouterOS' positional string, upload before download, with no more parts than are needed."""
    if rate.down_kbps is None and rate.up_kbps is None:
        return ""
    parts = [_up_down(rate.up_kbps, rate.down_kbps)]
    bursts = rate.burst_down_kbps or rate.burst_up_kbps
    last = rate.priority or rate.guaranteed_down_kbps or rate.guaranteed_up_kbps
    if bursts or last:
        seconds = (rate.burst_seconds or 1) if bursts else 0
        parts += [
            _up_down(rate.burst_up_kbps, rate.burst_down_kbps),
            _up_down(
                _threshold(rate.burst_up_kbps, rate.threshold_up_kbps, rate.up_kbps),
                _threshold(rate.burst_down_kbps, rate.threshold_down_kbps, rate.down_kbps),
            ),
            f"{seconds}/{seconds}",
        ]
    if last:
        # RouterOS' own default priority is its lowest, 8.
        parts.append(str(rate.priority or 8))
    if rate.guaranteed_down_kbps or rate.guaranteed_up_kbps:
        parts.append(
            _up_down(
                _at_most(rate.guaranteed_up_kbps, rate.up_kbps),
                _at_most(rate.guaranteed_down_kbps, rate.down_kbps),
            )
        )
    return " ".join(parts)


def _threshold(burst: int | None, threshold: int | None, rate: int | None) -> int | None:
    if not burst:
        return None
    return threshold or rate


def _at_most(value: int | None, limit: int | None) -> int | None:
    return value if value is None or limit is None else min(value, limit)


def _up_down(up: int | None, down: int | None) -> str:
    return f"{_short(up)}/{_short(down)}"


def _short(kbps: int | None) -> str:
    if not kbps:
        return "0"
    return f"{kbps // 1000}M" if kbps % 1000 == 0 else f"{kbps}k"


def _cisco(rate: Rate) -> list[str]:
    return [
        f"ip:sub-qos-policy-in={rate.cisco_policy_in}" if rate.cisco_policy_in else "",
        f"ip:sub-qos-policy-out={rate.cisco_policy_out}" if rate.cisco_policy_out else "",
    ]


def _juniper(rate: Rate) -> list[str]:
    if rate.juniper_qos_profile:
        return [rate.juniper_qos_profile]
    return ["", f"T02 {_short(rate.down_kbps).lower()}" if rate.down_kbps else ""]


def _huawei(rate: Rate) -> list[str]:
    if rate.huawei_qos_profile:
        return [rate.huawei_qos_profile]
    return [
        "",
        _bits(rate.up_kbps),
        _bits(rate.down_kbps),
        _bits(rate.burst_up_kbps) if rate.up_kbps else "",
        _bits(rate.burst_down_kbps) if rate.down_kbps else "",
    ]


def _zte(rate: Rate) -> list[str]:
    down, up = _number(rate.down_kbps), _number(rate.up_kbps)
    return [down, up, down, up]


def _nokia(rate: Rate) -> list[str]:
    if rate.nokia_sla_profile:
        return [rate.nokia_sla_profile, rate.nokia_subscriber_profile]
    return [
        "",
        rate.nokia_subscriber_profile,
        f"e:r:rate={rate.down_kbps}" if rate.down_kbps else "",
        f"i:a:root:rate={rate.up_kbps}" if rate.up_kbps else "",
    ]


def _accel_ppp(rate: Rate) -> list[str]:
    if rate.down_kbps is None and rate.up_kbps is None:
        return []
    return [f"{rate.down_kbps or 0}/{rate.up_kbps or 0}"]


def _wispr(rate: Rate) -> list[str]:
    return [_bits(rate.down_kbps), _bits(rate.up_kbps)]


def _other(rate: Rate) -> list[str]:
    return []


def _bits(kbps: int | None) -> str:
    return _number(kbps * 1000 if kbps else None)


def _number(value: int | None) -> str:
    return str(min(value, HIGHEST_INTEGER)) if value else ""


_RENDERERS: dict[str, Callable[[Rate], list[str]]] = {
    "mikrotik": _mikrotik,
    "cisco": _cisco,
    "juniper": _juniper,
    "huawei": _huawei,
    "zte": _zte,
    "nokia": _nokia,
    "accel_ppp": _accel_ppp,
    "wispr": _wispr,
    "other": _other,
}
