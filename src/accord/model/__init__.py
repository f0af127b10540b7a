"""The words of the whole house as frozen values; pure, first in the flow.

Read `kinds`, `item`, `fields`, `diff`, `observe`, `traits` in this order.
"""
