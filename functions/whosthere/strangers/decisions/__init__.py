"""What the owner decides about strangers: where their pictures lie in S3 is the decision.

S3's events come late, twice and out of order, so an event only says where to look. A picture is
known by the SHA-256 of its bytes, whatever its key. Of several places the first of these counts:

    people/<name>/                      named: the person's, from the first visit on
    review/ignored/                     ignored: no further alert, still counted
    review/pending/, review/named/      waits in the queue; named/ keeps pictures of the named
    review/discarded/                   discarded, for good after ten minutes
    nowhere                             the same after `discardDelaySeconds`, so that moving a
                                        picture is one decision in whatever order events come

reconcile looks what an event concerns, settle does what the places say.
Uses: the other modules of strangers, people, visits, ingest, and root modules.
"""
