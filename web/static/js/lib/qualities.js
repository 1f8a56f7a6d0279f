// What a programme can be had in, and what its viewer wants of it.

/** @typedef {{id: number, height: number}} Quality */

export const AUTO = -1;
export const SOUND_ALONE = -2;

const MODE_SUFFIX = /(-dvr|-vod)?\.m3u8$/;

export class Qualities {
  /** @type {Quality[]} the pictures there are, largest first; fewer than two are no choice */
  pictures = [];
  /** The `id` of a picture, AUTO or SOUND_ALONE. */
  chosen = AUTO;
  #soundUrl = "";

  get hasSoundAlone() {
    return this.#soundUrl !== "";
  }

  /**
   * Takes note of the levels of a multivariant playlist. hls.js does not offer the one without
   * pictures beside others, so its address is kept.
   *
   * @param {import("hls.js").LevelParsed[]} levels
   */
  note(levels) {
    if (this.chosen === SOUND_ALONE) return;
    // hls.js numbers its levels by bit rate, the lowest first.
    const sorted = levels
      .filter(({ height = 0 }) => height > 0)
      .toSorted((one, other) => one.bitrate - other.bitrate);
    this.pictures = sorted.map(({ height = 0 }, id) => ({ id, height })).toReversed();
    this.#soundUrl = levels.find(({ height }) => !height)?.url ?? "";
  }

  /**
   * The playlist to open for what is chosen.
   *
   * @param {string} multivariant
   * @param {""|"-dvr"|"-vod"} suffix what the names of the same mode's media playlists end in
   */
  address(multivariant, suffix) {
    if (this.chosen !== SOUND_ALONE || !this.#soundUrl) return multivariant;
    return this.#soundUrl.replace(MODE_SUFFIX, `${suffix}.m3u8`);
  }
}
