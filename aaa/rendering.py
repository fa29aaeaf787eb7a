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
