"""The command of the project: one file per verb, and what they share."""
