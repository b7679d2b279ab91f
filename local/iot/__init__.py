"""What MiniStack's IoT Core lacks: role aliases and the credential provider.

Things, certificates and IoT policies are MiniStack's own.
Uses: ministack, security.
"""
