// What a tab remembers of being on stage, so that a reload goes straight back there.

/**
 * @typedef {{camera: string|null, microphone: string|null, muted: boolean}} Pass devices by id; "":
 *   the browser's choice; null: it was off
 */

/** Of one seat: a tab may go from one invitation to another. */
export class ReturnPass {
  #slot;

  /**
   * @param {string} room
   * @param {string} token
   */
  constructor(room, token) {
    this.#slot = `stage:${room}:${token}`;
  }

  /** @param {Pass} pass */
  keep(pass) {
    sessionStorage.setItem(this.#slot, JSON.stringify(pass));
  }

  drop() {
    sessionStorage.removeItem(this.#slot);
  }

  /**
   * The pass, when this page was reloaded. A tab that was duplicated has it too, and must not take
   * the seat of the tab that it was made from.
   *
   * @returns {Pass|null}
   */
  read() {
    const [navigation] = performance.getEntriesByType("navigation");
    const { wasDiscarded } = /** @type {{wasDiscarded?: boolean}} */ (document);
    const isReload = navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
    if (!isReload && !wasDiscarded) return null;
    try {
      return JSON.parse(sessionStorage.getItem(this.#slot) ?? "null");
    } catch {
      return null;
    }
  }
}
