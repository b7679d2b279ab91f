"""What is made on this machine: environments, run directories, the stack on the laptop AWS.

Uses: errors, progress. `bootstrap` and `toolchain` run on Python 3.9 and use nothing else.
"""
