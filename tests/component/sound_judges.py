"""What ffmpeg makes of the programme's sound."""

from fractions import Fraction

import av
import av.filter
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from bridge.broadcast.media.encoder import AudioEncoder
from bridge.broadcast.media.frames import Samples
from bridge.broadcast.media.packets import EncodedPacket
from tests.component.media_builders import settings
from tests.voices import RATE


def decode_aac(sound: Samples, kbps: int = 128) -> Samples:
    """What viewers hear of `sound`, both channels."""
    encoder = AudioEncoder(settings(audio_kbps=kbps))
    packets: list[EncodedPacket] = []
    for at in range(0, sound.shape[1], 1_600):
        packets += encoder.encode(sound[:, at : at + 1_600])
    packets += encoder.flush()
    decoder = AudioCodecContext.create("aac", "r")
    decoder.extradata = encoder.config
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def ebur128(sound: Samples) -> tuple[float, float, float]:
    """Integrated LUFS, last short-term LUFS, and dBTP, as ffmpeg's filter measures them."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format="fltp", sample_rate=RATE, layout="stereo", time_base=Fraction(1, RATE)
    )
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    whole = sound.shape[1] // 4_800 * 4_800
    for at in range(0, whole, 4_800):
        piece = np.ascontiguousarray(sound[:, at : at + 4_800])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        source.push(frame)
    source.push(None)
    metadata: dict[str, str] = {}
    while True:
        try:
            metadata = sink.pull().metadata or metadata
        except (EOFError, BlockingIOError):
            break
    peaks = [float(metadata[f"lavfi.r128.true_peaks_ch{channel}"]) for channel in (0, 1)]
    return (
        float(metadata["lavfi.r128.I"]),
        float(metadata["lavfi.r128.S"]),
        20 * float(np.log10(max(peaks))),
    )
