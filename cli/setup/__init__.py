"""What is made on this machine: environments, run directories, the stack on the laptop AWS.

Uses the modules beside this package.
"""
