"""French formats: a bare number in a template keeps its point, as attributes and scripts read it.

What people read goes through the filters of assets/templatetags/ovd.py, which write a comma (assets/words.py).
"""

DECIMAL_SEPARATOR = "."
