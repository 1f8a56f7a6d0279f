import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { encodingFor } from "../static/js/lib/wanted-encoding.js";

/** @import { WantedPicture } from "../static/js/lib/messages.js" */

const HD = { width: 1280, height: 720 };
/** @type {WantedPicture} */
const TILE = { width: 618, height: 466, fit: "cover", frameRate: 30, bitRate: 1_294_000 };

/** @param {{width?: number, height?: number}} captured @param {Partial<WantedPicture>} [wanted] */
function sentOf(captured, wanted = {}) {
  const { scaleResolutionDownBy: scale } = encodingFor(captured, { ...TILE, ...wanted });
  const { width = 0, height = 0 } = captured;
  return [Math.floor(width / scale), Math.floor(height / scale)];
}

describe("the encoding that is wanted", () => {
  it("fills a half of the picture with what a wide camera gives", () => {
    assert.deepEqual(encodingFor(HD, TILE), {
      scaleResolutionDownBy: 720 / 466, maxFramerate: 30, maxBitrate: 1_294_000,
    });
    assert.deepEqual(sentOf(HD), [828, 466]);
  });

  it("covers the tile in both directions, and shows a screen whole", () => {
    assert.deepEqual(sentOf({ width: 720, height: 1280 }), [618, 1098]);
    const screen = /** @type {const} */ ({ width: 930, height: 584, fit: "contain" });
    assert.deepEqual(sentOf({ width: 1920, height: 1080 }, screen), [930, 523]);
    assert.deepEqual(sentOf({ width: 1080, height: 1920 }, screen), [328, 584]);
  });

  it("never asks a browser for more than it captures", () => {
    for (const captured of [{ width: 640, height: 360 }, { width: 1280, height: 300 }, {}, { width: 1280 }]) {
      assert.equal(encodingFor(captured, TILE).scaleResolutionDownBy, 1);
    }
    assert.deepEqual(sentOf({ width: 320, height: 1280 }, { fit: "contain" }), [116, 466]);
  });

  it("is never smaller than the tile, whatever the camera", () => {
    for (let width = 640; width <= 1920; width += 7) {
      for (const height of [480, 540, 720, 1080]) {
        const [across = 0, down = 0] = sentOf({ width, height });
        assert.ok(across >= Math.min(width, 616) && down >= Math.min(height, 464), `${width}x${height}`);
      }
    }
  });

  it("is the least for a picture that is not shown, and no number that browsers refuse", () => {
    assert.deepEqual(encodingFor(HD, undefined), { scaleResolutionDownBy: 4, maxFramerate: 5, maxBitrate: 100_000 });
    assert.equal(encodingFor({ width: 720, height: 1280 }, undefined).scaleResolutionDownBy, 4);
    assert.equal(encodingFor({ width: 160, height: 120 }, undefined).scaleResolutionDownBy, 1);
    assert.equal(encodingFor({}, undefined).scaleResolutionDownBy, 1);
  });
});
