"""A TrackReceiver in virtual time."""

from bridge.broadcast.rtc.frames import EncodedFrame
from bridge.broadcast.rtc.receiver import TrackReceiver
from bridge.clock import FakeClock
from tests.rtc import frame_number, frame_packets


class Rig:
    """A TrackReceiver whose sender hears everything."""

    def __init__(self, kind: str = "video") -> None:
        self.clock = FakeClock(now=0.0)
        self.frames: list[EncodedFrame] = []
        self.reports: list[tuple[float, int]] = []
        self.restarts = 0
        self.nacks: list[tuple[float, list[int]]] = []
        self.plis: list[tuple[float, int]] = []
        self.receiver = TrackReceiver(
            kind,
            self,
            clock=self.clock,
            on_frame=self.frames.append,
            on_report=lambda ntp, timestamp: self.reports.append((ntp, timestamp)),
            on_restart=self._restart,
        )

    def _restart(self) -> None:
        self.restarts += 1

    async def send_nack(self, ssrc: int, lost: list[int]) -> None:
        self.nacks.append((self.clock.now, lost))

    async def send_pli(self, ssrc: int) -> None:
        self.plis.append((self.clock.now, ssrc))

    async def send(self, sequence: int, number: int, *, key: bool = False, count: int = 1) -> None:
        for item in frame_packets(sequence, number, key=key, count=count, arrival=self.clock.now):
            await self.receiver.take_packet(item)

    async def wait(self, seconds: float, round_trip: float = 0.1) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            await self.receiver.poll(round_trip)

    @property
    def shown(self) -> list[int]:
        return [frame_number(frame.data) for frame in self.frames]
