"""The command `./whosthere`: one file per verb, and the packages that the verbs use."""
