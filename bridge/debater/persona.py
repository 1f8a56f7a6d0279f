"""What makes the two drawn debaters different people."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bridge.rooms.model import Side


class Hair(Enum):
    """How a persona wears it."""

    BOB = "bob"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Looks and voice of one side. Colours are CSS."""

    light: str
    """Middle of the background."""
    colour: str
    """The side's colour: what a test and a viewer tell the sides by."""
    dark: str
    """Rim of the background, and the lectern."""
    skin: str
    shade: str
    """Of the skin: neck, ears, nose."""
    hair_colour: str
    hair: Hair
    jacket: str
    shirt: str
    pitch: float
    """Mean fundamental frequency of the voice, Hz."""
    formant_scale: float
    """Formant frequencies against those of a long vocal tract (a man's)."""
    sync_pitch: float
    """Frequency of the beep of the sync pattern, Hz."""
    pilot_pitch: int
    """Frequency of its pilot tone, Hz: whole periods in 0.1 s, and far from every beep."""
    seed: int
    """Of everything that looks or sounds like chance."""


PERSONAS: Final = {
    Side.PROPOSITION: Persona(
        light="#3fb8ac", colour="#128a86", dark="#0a4f54", skin="#c98d63", shade="#b0754d",
        hair_colour="#2b1d19", hair=Hair.BOB, jacket="#f2ead8", shirt="#12565a",
        pitch=205.0, formant_scale=1.16, sync_pitch=440.0, pilot_pitch=1100, seed=11,
    ),
    Side.OPPOSITION: Persona(
        light="#f58a5c", colour="#d9482b", dark="#8a2416", skin="#f0c6a2", shade="#dba67f",
        hair_colour="#6b6f78", hair=Hair.SHORT, jacket="#25304a", shirt="#f6f1ea",
        pitch=115.0, formant_scale=1.0, sync_pitch=660.0, pilot_pitch=1320, seed=23,
    ),
}  # fmt: skip
