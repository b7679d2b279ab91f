"""What the owner is told of a stranger."""

from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.clock import iso
from whosthere.strangers import store as strangers
from whosthere.strangers.pictures import LINK_SECONDS, Linker
from whosthere.visits.record_sightings import Desk
from whosthere.visits.visit import Visit


def stranger_alert(desk: Desk, linker: Linker, visit: Visit) -> Alert:
    """The alert of a stranger's visit, with a link to the picture if there is one."""
    known = strangers.read_stranger(desk.table, visit.who)
    time_zone, told_ms = desk.session.settings.time_zone, desk.now_ms()
    at = alerts.clock(visit.captured_ms, time_zone, seconds=True)
    again = known is not None and known.first_ms < visit.first_ms
    who = "A stranger seen before" if again else "A stranger"
    lines = [f"{who} was seen at {visit.camera} at {at}."]
    if known and known.picture_key:
        until_ms = told_ms + 1000 * LINK_SECONDS
        until = alerts.clock(until_ms, time_zone)
        link = linker.link(known.picture_key)
        lines.append(f"Picture (until {until}): {link}")
    else:
        until_ms, link = 0, ""
        lines.append("There is no picture; the review queue says why.")
    lines.append(f"It waits in the review queue: review/pending/{visit.who}/ in the bucket.")
    return Alert(
        kind=alerts.STRANGER,
        camera=visit.camera,
        session=visit.session,
        subject=f"Stranger at {visit.camera} {alerts.clock(visit.captured_ms, time_zone)}",
        text="\n".join(lines) + alerts.lateness(visit.captured_ms, told_ms),
        facts={
            "name": visit.who,
            "stranger": visit.who,
            "visit": visit.id,
            "similarity": None,
            "captured": iso(visit.captured_ms),
            "recognised": iso(visit.recognised_ms),
            "picture": link or None,
            "pictureUntil": iso(until_ms) if link else None,
        },
    )
