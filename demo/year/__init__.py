"""A year of one provider's money, day by day, by the services that serve customers: proof that it always adds up.

`python -m demo.year 1000` starts servers of its own, walks through the year and recounts everything at the end.
"""
