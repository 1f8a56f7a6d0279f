// What every page does: a change of language keeps the token, which lives in the fragment.

const fragment = location.hash;

for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a.language"))) {
  link.addEventListener("click", (event) => {
    if (!fragment || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.assign(link.getAttribute("href") + fragment);
  });
}
