// The list comes from the server; this plays a recording and writes dates as the reader does.

import { Api, ApiError } from "../lib/api.js";
import { all, one, setText } from "../lib/dom.js";

const REFRESH_MILLISECONDS = 5000;
const dialog = one("#player-dialog", HTMLDialogElement);
const video = one("#recording-video", HTMLVideoElement);
const dates = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

for (const time of all("time[data-epoch]", HTMLTimeElement)) {
  const date = new Date(Number(time.dataset.epoch) * 1000);
  time.dateTime = date.toISOString();
  setText(time, dates.format(date));
}

for (const button of all("button[data-play]")) {
  const { motion = "", play = "" } = button.dataset;
  button.addEventListener("click", () => {
    setText(one("#player-title"), motion);
    video.src = play;
    dialog.showModal();
    // A browser that will not play by itself still shows its own play button.
    video.play().catch(() => video.focus());
  });
}

dialog.addEventListener("close", () => {
  video.pause();
  video.removeAttribute("src");
  video.load();
});

/** Shows the list anew once a recording that was unfinished has come further. */
async function refresh() {
  if (dialog.open) return;
  const shown = all(".recording").map(({ dataset }) => dataset.state);
  try {
    const now = (await new Api().recordings()).map(({ state }) => state);
    if (now.join() !== shown.join()) location.reload();
  } catch (error) {
    // A server that is away now is asked again in a moment; the page stays useful meanwhile.
    if (!(error instanceof ApiError)) throw error;
  }
}

if (document.querySelector(".recording[data-state=finishing], .recording[data-state=recording]")) {
  setInterval(refresh, REFRESH_MILLISECONDS);
}
