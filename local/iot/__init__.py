"""What MiniStack's IoT Core lacks for cameras: role aliases and the credential provider.

Things, certificates and IoT policies are MiniStack's own.
"""
