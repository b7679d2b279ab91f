"""Who may call the laptop AWS and what they may do: guard, signatures, IAM, loopback.

Uses nothing else of local/.
"""
