// Secrets of this tab: the link's token, and the key that keeps a seat.

/** The token of this page's link; "" when the link was cut. */
export function tokenFromHash() {
  return location.hash.slice(1);
}

/**
 * The key that takes this tab's own seat back after a reload. Kept per room and token, so that one
 * tab that goes from one invitation to another does not mix them up.
 *
 * @param {string} room
 * @param {string} token
 */
export function seatKey(room, token) {
  const slot = `seat:${room}:${token}`;
  const kept = sessionStorage.getItem(slot);
  if (kept) return kept;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem(slot, key);
  return key;
}

/**
 * The side that a link is for, so that the green room can say it before anybody is asked. Only the
 * server checks a token; this reads its first half.
 *
 * @param {string} token
 * @returns {"proposition"|"opposition"|null}
 */
export function sideInToken(token) {
  try {
    const [content = ""] = token.split(".", 1);
    const { o: role } = JSON.parse(atob(content.replaceAll("-", "+").replaceAll("_", "/")));
    return role === "proposition" || role === "opposition" ? role : null;
  } catch {
    return null;
  }
}
