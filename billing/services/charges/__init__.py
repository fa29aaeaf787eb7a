"""What is charged besides plans, what is taken off, and the taxes on it.

Equipment is one of these: sold at once or in instalments it is a charge, rented it is an add-on.
"""
