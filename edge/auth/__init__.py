"""The camera's AWS credentials: from its IoT certificate, else from the usual AWS chain.

Uses: the modules beside this package.
"""
