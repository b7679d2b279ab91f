"""Sessions: opened, checked, stopped and reported; the safeguards that stop one from outside.

Uses alerts and visits, and the modules beside this package.
"""
