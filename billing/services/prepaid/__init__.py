"""Credit first: vouchers, top-ups, and the periods bought from it.

A prepaid line's period is one of its plan, from the day it begins: never a part of one. The next begins where it ends
as long as there is credit; without, the line is held, and a top-up begins a new period on its own day.
"""
