"""Every statement of the package, one file per aggregate.

Services are synchronous and never commit; the unit of work does, once, at its end.
"""
