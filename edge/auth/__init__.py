"""The camera's AWS credentials: its certificate and role alias, or the usual AWS chain.

Uses the modules beside this package.
"""
