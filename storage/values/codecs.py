"""One codec for each kind of value that is stored."""

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.values.acts import Acknowledgement, Act, Mute
from storage.values.checkpoint import Checkpoint
from storage.values.codec import Codec
from storage.values.fleet import Enrolment, Invitation, Quarantine, ReceivedBatch, WaitingCycle
from storage.values.log import HeadStamp
from storage.values.outbox import Notice
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, Review
from storage.values.sourced import SourcedEvent, SourcedRow, StoredSource
from storage.values.verified_before import VerifiedBefore
from storage.values.withheld import Withheld

MEASUREMENT = Codec(Measurement, packed=("observations",))
VERDICT = Codec(Verdict)
PLATFORM = Codec(PlatformVerdict)
HEALTH = Codec(VantageHealth)
EVENT = Codec(Event)
EVENT_LOG = Codec(EventLogEntry)
CHECKPOINT = Codec(Checkpoint)
REJUDGING = Codec(Rejudging)
NOTICE = Codec(Notice)
REVIEW = Codec(Review)
ANNOTATION = Codec(Annotation)
ENROLMENT = Codec(Enrolment)
INVITATION = Codec(Invitation)
QUARANTINE = Codec(Quarantine)
ACT = Codec(Act)
MUTE = Codec(Mute)
ACKNOWLEDGEMENT = Codec(Acknowledgement)
BATCH = Codec(ReceivedBatch)
STAMP = Codec(HeadStamp)
SOURCED_ROW = Codec(SourcedRow)
SOURCED_EVENT = Codec(SourcedEvent)
SOURCE_STATE = Codec(StoredSource)
VERIFIED_BEFORE = Codec(VerifiedBefore)
WITHHELD = Codec(Withheld)
WAITING = Codec(WaitingCycle)
