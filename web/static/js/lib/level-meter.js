// Shows in a <meter> how loud a microphone is.

const EVERY_MILLISECONDS = 100;
/** Loud speech has an RMS of about a quarter of full scale. */
const GAIN = 4;

export class LevelMeter {
  #meter;
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;
  #gestures = new AbortController();

  /** @param {HTMLMeterElement} meter from 0 to 1 */
  constructor(meter) {
    this.#meter = meter;
  }

  /**
   * Measures this track from now on; null: nothing.
   *
   * @param {MediaStreamTrack|null} track
   */
  measure(track) {
    this.close();
    if (!track) return;
    const context = (this.#context = new AudioContext());
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.#meter.value = Math.min(1, GAIN * Math.sqrt(power));
    }, EVERY_MILLISECONDS);
    if (context.state === "suspended") this.#resumeAtGesture(context);
  }

  /** Idempotent; `measure` begins anew. */
  close() {
    clearInterval(this.#timer);
    this.#gestures.abort();
    this.#context?.close();
    this.#context = null;
    this.#meter.value = 0;
  }

  /** Browsers start no audio before the page was touched. @param {AudioContext} context */
  #resumeAtGesture(context) {
    this.#gestures = new AbortController();
    const { signal } = this.#gestures;
    for (const gesture of ["pointerdown", "keydown"]) {
      document.addEventListener(gesture, () => context.resume(), { signal, once: true });
    }
  }
}
