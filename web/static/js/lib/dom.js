// The few things that pages do to the document.

/**
 * The first element that matches. Throws when there is none or it is of another type: a template
 * and its script disagree, which no page can repair.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} [type]
 * @returns {T}
 */
export function one(selector, type) {
  const element = document.querySelector(selector);
  if (!(element instanceof (type ?? HTMLElement))) throw new Error(`no ${selector} on this page`);
  return /** @type {T} */ (element);
}

/**
 * Every element that matches, in document order.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} [type]
 * @returns {T[]}
 */
export function all(selector, type) {
  const wanted = type ?? HTMLElement;
  return /** @type {T[]} */ ([...document.querySelectorAll(selector)].filter((element) => element instanceof wanted));
}

/**
 * @param {HTMLElement} element
 * @param {boolean} visible
 */
export function show(element, visible) {
  element.hidden = !visible;
}

/**
 * Sets the text when it differs: a live region speaks at each change, also to the same words.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Whether a key press belongs to what has the focus, so that no shortcut may take it.
 *
 * @param {KeyboardEvent} event
 */
export function isTyping({ target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return true;
  return target instanceof Element && target.closest("input, select, textarea, [contenteditable]") !== null;
}
