// The form that makes a debate: checks it in words, posts it, goes on to the host console.

import { Api, ApiError } from "../lib/api.js";
import { destinationMistake, labelKey, newDestination } from "./destination-field.js";
import { one, setText } from "../lib/dom.js";
import { loadText } from "../lib/i18n.js";

const MOTION_CHARACTERS = 200;
const text = await loadText();
const form = one("#create-form", HTMLFormElement);
const list = one("#destinations");
const submit = one("#create", HTMLButtonElement);

/**
 * One of the form's own fields.
 *
 * @param {string} name
 */
function fieldOf(name) {
  return /** @type {HTMLInputElement|HTMLTextAreaElement} */ (form.elements.namedItem(name));
}

/**
 * Says what is wrong with a field, or with an empty message that nothing is.
 *
 * @param {Element} field
 * @param {Element} errorElement
 * @param {string} message
 */
function report(field, errorElement, message) {
  setText(errorElement, message);
  field.setAttribute("aria-invalid", String(message !== ""));
  return message === "";
}

/** @param {string} value */
function motionFault(value) {
  if (value === "") return text("create.motion_missing");
  return [...value].length > MOTION_CHARACTERS ? text("create.motion_long") : "";
}

/**
 * @param {string} value
 * @param {string} proposition
 */
function oppositionFault(value, proposition) {
  if (value === "") return text("create.opposition_missing");
  return value.toLowerCase() === proposition.toLowerCase() ? text("create.names_same") : "";
}

/** @import { NewDestination } from "../lib/api.js" */

/**
 * @param {NewDestination} destination
 * @param {NewDestination[]} earlier
 */
function destinationFault(destination, earlier) {
  const known = new Set(earlier.map((each) => JSON.stringify(each)));
  if (known.has(JSON.stringify(destination))) return text("create.destination_twice");
  return destinationMistake(destination, text);
}

/** Checks every field, marks the wrong ones; the body to post, or null. */
function checkedBody() {
  const motion = fieldOf("motion").value.trim();
  const proposition = fieldOf("proposition").value.trim();
  const opposition = fieldOf("opposition").value.trim();
  const faults = {
    motion: motionFault(motion),
    proposition: proposition === "" ? text("create.proposition_missing") : "",
    opposition: oppositionFault(opposition, proposition),
  };
  let sound = true;
  for (const [name, fault] of Object.entries(faults)) {
    sound = report(fieldOf(name), one(`#${name}-error`), fault) && sound;
  }
  /** @type {NewDestination[]} */
  const destinations = [];
  for (const row of list.children) {
    const field = part(row, "input", HTMLInputElement);
    const destination = newDestination(part(row, "select", HTMLSelectElement).value, field.value);
    const fault = destination ? destinationFault(destination, destinations) : "";
    sound = report(field, part(row, ".field-error", HTMLElement), fault) && sound;
    if (destination) destinations.push(destination);
  }
  const { checked: isolated } = one("#isolated", HTMLInputElement);
  return sound ? { motion, proposition, opposition, destinations, isolated } : null;
}

let destinationCount = 0;

/**
 * What a row of the template has in it.
 *
 * @template {HTMLElement} T
 * @param {Element} row
 * @param {string} selector
 * @param {new () => T} type
 */
function part(row, selector, type) {
  const found = row.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`no ${selector} in a destination`);
  return found;
}

function addDestination() {
  const template = one("#destination-template", HTMLTemplateElement);
  const row = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  const field = part(row, "input", HTMLInputElement);
  const error = part(row, ".field-error", HTMLElement);
  const secret = part(row, ".hint", HTMLElement);
  destinationCount += 1;
  field.id = `destination-${destinationCount}`;
  error.id = `${field.id}-error`;
  secret.id = `${field.id}-secret`;
  part(row, "label", HTMLLabelElement).htmlFor = field.id;
  field.setAttribute("aria-describedby", `${secret.id} ${error.id}`);
  labelKey(part(row, "select", HTMLSelectElement), field, part(row, "label", HTMLLabelElement), text);
  const reveal = part(row, "[data-role=reveal]", HTMLButtonElement);
  reveal.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(shown));
  });
  part(row, "[data-role=remove]", HTMLButtonElement).addEventListener("click", () => {
    row.remove();
    one("#add-destination").focus();
  });
  list.append(row);
  return field;
}

/**
 * The host link on this origin: a proxy may know the server by another name than the browser does.
 *
 * @param {string} link
 */
function hostPath(link) {
  const { pathname, hash } = new URL(link, location.href);
  return pathname + hash;
}

/** @param {SubmitEvent} event */
async function create(event) {
  event.preventDefault();
  setText(one("#form-error"), "");
  const body = checkedBody();
  if (body === null) {
    setText(one("#form-error"), text("create.mend"));
    one("#create-form [aria-invalid=true]").focus();
    return;
  }
  submit.disabled = true;
  setText(one("#form-status"), text("create.creating"));
  try {
    const room = await new Api().createRoom(body);
    location.assign(hostPath(room.links.host));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const detail = error.status === 0 ? text("site.unreachable") : error.message;
    setText(one("#form-error"), text("create.failed", { detail }));
  } finally {
    submit.disabled = false;
    setText(one("#form-status"), "");
  }
}

function countMotion() {
  const length = [...fieldOf("motion").value].length;
  setText(one("#motion-count"), `${length} / ${MOTION_CHARACTERS}`);
}

fieldOf("motion").addEventListener("input", countMotion);
form.addEventListener("submit", create);
form.addEventListener("input", ({ target }) => {
  if (target instanceof Element && target.getAttribute("aria-invalid") === "true") checkedBody();
});
one("#add-destination").addEventListener("click", () => addDestination().focus());
addDestination();
countMotion();
// Disabled in the page as served: a submit before this would carry the stream keys off by itself.
submit.disabled = false;
