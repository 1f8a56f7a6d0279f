// The links of a debate: copied, and large as a QR code for a phone held to the screen.

import { all, one, setText } from "../lib/dom.js";

/** @import { LinksWithCodes, QrDrawing } from "../lib/api.js" */
/** @import { Text } from "../lib/i18n.js" */
/** @typedef {"proposition"|"opposition"|"watch"} CodeName */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {QrDrawing} drawing
 * @param {string} label
 */
function picture({ size, path }, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("shape-rendering", "crispEdges");
  const modules = document.createElementNS(SVG, "path");
  modules.setAttribute("d", path);
  svg.append(modules);
  return svg;
}

/** @param {string} name */
function fieldOf(name) {
  return one(`#link-${name}`, HTMLInputElement);
}

/**
 * @param {string} name
 * @param {Element} report
 * @param {Text} text
 */
async function copy(name, report, text) {
  const field = fieldOf(name);
  let words = text("host.copied");
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // Without HTTPS or permission there is no clipboard: leave the link selected.
    field.select();
    words = text("host.copy_failed");
  }
  setText(report, words);
}

/**
 * @param {HTMLElement} button
 * @param {QrDrawing} drawing
 * @param {Text} text
 */
function openCode(button, drawing, text) {
  const dialog = one("#qr-dialog", HTMLDialogElement);
  const name = button.dataset.qr ?? "";
  dialog.dataset.side = name;
  dialog.dataset.link = name;
  setText(one("#qr-title"), button.dataset.title ?? "");
  setText(one("#qr-hint"), text(name === "watch" ? "host.qr_watch_hint" : "host.qr_invite_hint"));
  setText(one("#qr-copied"), "");
  one("#qr-picture").replaceChildren(picture(drawing, button.getAttribute("aria-label") ?? ""));
  dialog.showModal();
}

/**
 * Fills in the links and makes their buttons work. Call once.
 *
 * @param {LinksWithCodes} links
 * @param {Text} text
 */
export function showLinks(links, text) {
  for (const button of all("[data-copy]", HTMLButtonElement)) {
    const name = /** @type {CodeName|"hls"} */ (button.dataset.copy);
    const field = fieldOf(name);
    field.value = links[name];
    field.addEventListener("focus", () => field.select());
    button.addEventListener("click", () => copy(name, one("#copied"), text));
    button.disabled = false;
  }
  for (const button of all("[data-qr]", HTMLButtonElement)) {
    const name = /** @type {CodeName} */ (button.dataset.qr);
    button.addEventListener("click", () => openCode(button, links.qr[name], text));
    button.disabled = false;
  }
  const dialog = one("#qr-dialog", HTMLDialogElement);
  one("#qr-copy").addEventListener("click", () => copy(dialog.dataset.link ?? "", one("#qr-copied"), text));
}
