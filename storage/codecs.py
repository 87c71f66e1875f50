"""One codec for each kind of value that is stored."""

from monitor.analysis.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.codec import Codec
from storage.fleet import Enrolment, HandedIn, Quarantine, WaitingCycle
from storage.human import Annotation, Review
from storage.outbox import Notice
from storage.rejudging import Rejudging
from storage.store import Conclusion

MEASUREMENT = Codec(Measurement, packed=("observations",))
VERDICT = Codec(Verdict)
PLATFORM = Codec(PlatformVerdict)
HEALTH = Codec(VantageHealth)
EVENT = Codec(Event)
EVENT_LOG = Codec(EventLogEntry)
CONCLUSION = Codec(Conclusion)
REJUDGING = Codec(Rejudging)
NOTICE = Codec(Notice)
REVIEW = Codec(Review)
ANNOTATION = Codec(Annotation)
ENROLMENT = Codec(Enrolment)
QUARANTINE = Codec(Quarantine)
BATCH = Codec(HandedIn)
WAITING = Codec(WaitingCycle)
