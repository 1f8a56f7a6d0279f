"""The artwork of a drawn debater: SVG text, nothing rasterised.

One coordinate system, 640x360. Inside HEAD_BOX only the head moves; outside it nothing does except
the clock, which is burnt in later (`burn_in.py`). All that matters lies in the middle 480 columns,
so that a programme may crop the picture to 4:3.
"""

from dataclasses import dataclass
from enum import IntEnum
from html import escape
from typing import Final

from bridge.debater.persona import Hair, Persona

WIDTH: Final = 640
HEIGHT: Final = 360


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; all four even, so that it is whole in 4:2:0 chroma too."""

    left: int
    top: int
    width: int
    height: int


HEAD_BOX: Final = Box(216, 72, 208, 202)
BROW_ROWS: Final = 118
"""Rows of HEAD_BOX that the eyes alone change; the rows below only the mouth does."""
CLOCK_BOX: Final = Box(132, 6, 376, 58)
CLOCK_BACKGROUND: Final = "#151515"
"""Without colour: the clock is then burnt into luma alone."""

POSES: Final = 9
"""Tilts of the head, from one shoulder towards the other; the middle one is upright."""
_TILT_DEGREES: Final = 0.9
_MAX_NAME_CHARS: Final = 40


class Mouth(IntEnum):
    """How far the mouth is open; ROUND is an 'o' or 'u'."""

    CLOSED = 0
    SLIT = 1
    HALF = 2
    OPEN = 3
    WIDE = 4
    ROUND = 5


class Eyes(IntEnum):
    """A blink is one HALF, two SHUT, one HALF; RAISED lifts the brows: a face that means it."""

    OPEN = 0
    HALF = 1
    SHUT = 2
    RAISED = 3


def scene_svg(persona: Persona, name: str) -> str:
    """Everything but the head: background, shoulders, lectern with the name, clock panel."""
    return _document(Box(0, 0, WIDTH, HEIGHT), _backdrop(persona) + _lectern(persona, name))


def head_svg(persona: Persona, pose: int, mouth: Mouth, eyes: Eyes) -> str:
    """Draw what is to be seen in HEAD_BOX; `pose` is 0 to POSES - 1."""
    tilt = (pose - POSES // 2) * _TILT_DEGREES
    shift = (pose - POSES // 2) * 0.8
    head = (
        f'<g transform="translate({shift:.2f} 0) rotate({tilt:.2f} 320 262)">'
        f"{_hair_behind(persona)}{_face(persona)}{_hair_in_front(persona)}"
        f"{_eyes(persona, eyes)}{_mouth(mouth)}</g>"
    )
    return _document(HEAD_BOX, _backdrop(persona) + head)


def flat_svg(colour: str, name: str) -> str:
    """Plain `colour` with the clock panel and a name: the sync pattern."""
    return _document(
        Box(0, 0, WIDTH, HEIGHT),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{colour}"/>{_panel()}'
        f'<rect x="190" y="300" width="260" height="40" rx="8" fill="{CLOCK_BACKGROUND}"/>'
        f"{_name(name, 327)}",
    )


def _document(view: Box, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{view.width}" height="{view.height}" '
        f'viewBox="{view.left} {view.top} {view.width} {view.height}">{body}</svg>'
    )


def _backdrop(persona: Persona) -> str:
    return f"""
<defs>
  <radialGradient id="wall" cx="0.5" cy="0.42" r="0.75">
    <stop offset="0" stop-color="{persona.light}"/>
    <stop offset="0.55" stop-color="{persona.colour}"/>
    <stop offset="1" stop-color="{persona.dark}"/>
  </radialGradient>
</defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#wall)"/>
<circle cx="320" cy="176" r="128" fill="#fff" fill-opacity="0.10"/>
<circle cx="320" cy="176" r="160" fill="none" stroke="#fff" stroke-opacity="0.10" stroke-width="2"/>
{_body(persona)}"""


def _body(persona: Persona) -> str:
    return f"""
<path d="M188 360 C190 290 226 268 282 258 L358 258 C414 268 450 290 452 360 Z"
  fill="{persona.jacket}"/>
<path d="M284 257 L320 312 L356 257 C344 248 296 248 284 257 Z" fill="{persona.shirt}"/>
<path d="M298 214 L298 254 C300 272 340 272 342 254 L342 214 Z" fill="{persona.shade}"/>
<path d="M282 257 L272 290 L300 276 L312 322 L290 360 L262 360 L250 268 Z" fill="#000"
  fill-opacity="0.12"/>
<path d="M358 257 L368 290 L340 276 L328 322 L350 360 L378 360 L390 268 Z" fill="#000"
  fill-opacity="0.12"/>"""


def _lectern(persona: Persona, name: str) -> str:
    return f"""
<path d="M150 306 L490 306 L474 360 L166 360 Z" fill="{persona.dark}"/>
<rect x="138" y="294" width="364" height="15" rx="7.5" fill="{persona.dark}"/>
<rect x="138" y="294" width="364" height="6" rx="3" fill="#fff" fill-opacity="0.22"/>
<g stroke="#20242a" stroke-width="4" stroke-linecap="round" fill="none">
  <path d="M262 296 C262 282 272 276 284 276"/></g>
<rect x="280" y="269" width="22" height="13" rx="6.5" fill="#20242a"/>
<rect x="280" y="269" width="22" height="5" rx="2.5" fill="#fff" fill-opacity="0.18"/>
{_name(name, 341)}
{_panel()}"""


def _name(name: str, baseline: int) -> str:
    # A control character would make the XML malformed.
    text = "".join(letter for letter in name if letter.isprintable()).strip()
    if len(text) > _MAX_NAME_CHARS:
        text = text[: _MAX_NAME_CHARS - 1].rstrip() + "…"
    # Inter is about 0.58 em wide on average; 290 pixels are there.
    size = min(24.0, 290 / max(1, len(text)) / 0.58)
    return (
        f'<text x="320" y="{baseline}" font-family="Inter" font-weight="600" '
        f'font-size="{size:.1f}" text-anchor="middle" fill="#fff">{escape(text)}</text>'
    )


def _panel() -> str:
    box = CLOCK_BOX
    return (
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="10" '
        f'fill="{CLOCK_BACKGROUND}"/>'
    )


def _hair_behind(persona: Persona) -> str:
    if persona.hair is Hair.BOB:
        return (
            f'<path d="M252 176 C246 108 286 88 320 88 C354 88 394 108 388 176 '
            f"C388 214 394 226 396 238 C372 248 352 240 346 224 L294 224 "
            f'C288 240 268 248 244 238 C246 226 252 214 252 176 Z" fill="{persona.hair_colour}"/>'
        )
    return (
        f'<path d="M262 172 C254 118 282 94 320 94 C358 94 386 118 378 172 Z" '
        f'fill="{persona.hair_colour}"/>'
    )


def _face(persona: Persona) -> str:
    ears = "" if persona.hair is Hair.BOB else (
        f'<ellipse cx="265" cy="176" rx="9" ry="14" fill="{persona.shade}"/>'
        f'<ellipse cx="375" cy="176" rx="9" ry="14" fill="{persona.shade}"/>'
    )  # fmt: skip
    return f"""{ears}
<path d="M266 164 C266 122 290 106 320 106 C350 106 374 122 374 164
  C374 206 348 236 320 236 C292 236 266 206 266 164 Z" fill="{persona.skin}"/>
<ellipse cx="287" cy="194" rx="11" ry="7" fill="#e0503c" fill-opacity="0.20"/>
<ellipse cx="353" cy="194" rx="11" ry="7" fill="#e0503c" fill-opacity="0.20"/>
<path d="M320 168 C316 180 313 186 316 189 C318 191 322 191 325 189" fill="none"
  stroke="{persona.shade}" stroke-width="3.5" stroke-linecap="round"/>"""


def _eyes(persona: Persona, eyes: Eyes) -> str:
    brow = 140 if eyes is Eyes.RAISED else 143
    parts = [
        f'<g fill="none" stroke="{persona.hair_colour}" stroke-width="5" stroke-linecap="round">'
        f'<path d="M284 {brow + 3} Q297 {brow - 5} 309 {brow + 1}"/>'
        f'<path d="M331 {brow + 1} Q343 {brow - 5} 356 {brow + 3}"/></g>'
    ]
    parts += [_eye(x, eyes) for x in (297, 343)]
    if persona.hair is Hair.SHORT:
        parts.append(
            '<g fill="none" stroke="#20242a" stroke-width="3"><circle cx="297" cy="162" r="17"/>'
            '<circle cx="343" cy="162" r="17"/><path d="M314 160 Q320 156 326 160"/>'
            '<path d="M280 159 L268 155 M360 159 L372 155"/></g>'
        )
    return "".join(parts)


def _eye(x: int, eyes: Eyes) -> str:
    if eyes is Eyes.SHUT:
        return (
            f'<path d="M{x - 10} 163 Q{x} 171 {x + 10} 163" fill="none" stroke="#2a1c18" '
            'stroke-width="3.5" stroke-linecap="round"/>'
        )
    lid = 162 if eyes is Eyes.HALF else 157
    return (
        f'<path d="M{x - 10} 163 Q{x} {2 * lid - 165} {x + 10} 163 Q{x} 174 {x - 10} 163 Z" '
        'fill="#fff"/>'
        f'<ellipse cx="{x}" cy="{163 if eyes is Eyes.HALF else 162}" rx="5.8" '
        f'ry="{4.2 if eyes is Eyes.HALF else 6.2}" fill="#2a1c18"/>'
        f'<circle cx="{x + 2}" cy="160.5" r="{1.0 if eyes is Eyes.HALF else 1.9}" fill="#fff"/>'
        f'<path d="M{x - 11} 163 Q{x} {2 * lid - 165} {x + 11} 162" fill="none" '
        'stroke="#2a1c18" stroke-width="2.6" stroke-linecap="round"/>'
    )


def _mouth(mouth: Mouth) -> str:
    lip = 'stroke="#8c3b33" stroke-width="3" stroke-linejoin="round"'
    if mouth is Mouth.CLOSED:
        return (
            '<path d="M301 209 Q320 221 339 209" fill="none" stroke="#8c3b33" '
            'stroke-width="4" stroke-linecap="round"/>'
        )
    if mouth is Mouth.ROUND:
        return f'<ellipse cx="320" cy="213" rx="9.5" ry="11" fill="#571d1d" {lip}/>'
    half, depth = {
        Mouth.SLIT: (17, 7), Mouth.HALF: (19, 13), Mouth.OPEN: (20, 20), Mouth.WIDE: (22, 27),
    }[mouth]  # fmt: skip
    top = 206
    parts = [
        f'<path d="M{320 - half} {top} Q320 {top - 3} {320 + half} {top} '
        f"Q{320 + half - 2} {top + depth} 320 {top + depth} "
        f'Q{320 - half + 2} {top + depth} {320 - half} {top} Z" fill="#571d1d" {lip}/>'
    ]
    if mouth >= Mouth.HALF:
        parts.append(
            f'<path d="M{320 - half + 4} {top + 1} Q320 {top - 1} {320 + half - 4} {top + 1} '
            f'L{320 + half - 6} {top + 5} L{320 - half + 6} {top + 5} Z" fill="#fff"/>'
        )
    if mouth >= Mouth.OPEN:
        parts.append(
            f'<ellipse cx="320" cy="{top + depth - 4}" rx="{half - 10}" ry="4" fill="#d2685f"/>'
        )
    return "".join(parts)


def _hair_in_front(persona: Persona) -> str:
    if persona.hair is Hair.BOB:
        return (
            f'<path d="M262 168 C260 128 284 100 322 100 C358 100 380 128 378 168 '
            f'C372 150 362 136 344 126 C318 140 284 142 262 168 Z" fill="{persona.hair_colour}"/>'
        )
    return (
        f'<path d="M264 160 C258 122 286 96 322 96 C360 96 382 122 376 160 '
        f'C370 146 368 136 360 128 C338 132 300 132 284 124 C274 134 268 146 264 160 Z" '
        f'fill="{persona.hair_colour}"/>'
        f'<path d="M266 178 C268 216 292 242 320 242 C348 242 372 216 374 178 '
        f"C370 196 360 202 346 200 C332 196 308 196 294 200 C280 202 270 196 266 178 Z "
        f'M297 209 C302 231 338 231 343 209 C334 203 306 203 297 209 Z" fill-rule="evenodd" '
        f'fill="{persona.hair_colour}" fill-opacity="0.92"/>'
    )
