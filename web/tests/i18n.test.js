import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { describe, it, mock } from "node:test";

import { textFrom } from "../static/js/lib/i18n.js";

const WEB = new URL("../", import.meta.url);

/** @param {string} lang @returns {Promise<Record<string, string>>} */
async function catalogue(lang) {
  return JSON.parse(await readFile(new URL(`i18n/${lang}.json`, WEB), "utf8"));
}

/** @param {string} folder @param {string} ending */
async function sources(folder, ending) {
  const names = await readdir(new URL(folder, WEB));
  const wanted = names.filter((name) => name.endsWith(ending));
  return Promise.all(wanted.map((name) => readFile(new URL(folder + name, WEB), "utf8")));
}

/** @param {string} words */
function placeholders(words) {
  return [...words.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
}

const [en, fr] = await Promise.all([catalogue("en"), catalogue("fr")]);
const scripts = await sources("static/js/pages/", ".js");
const templates = await sources("templates/", ".html");

describe("the catalogues", () => {
  it("have the same keys", () => {
    assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
  });

  it("have the same placeholders in each text", () => {
    for (const [key, words] of Object.entries(en)) {
      assert.deepEqual(placeholders(fr[key] ?? ""), placeholders(words), key);
    }
  });

  it("have every key that pages use", () => {
    const used = [
      ...scripts.flatMap((source) => [...source.matchAll(/["'](\w+\.\w+)["']/g)]),
      ...templates.flatMap((source) => [...source.matchAll(/\bt\("(\w+\.\w+)"\s*[,)]/g)]),
    ].map((match) => String(match[1]));
    const areas = new Set(Object.keys(en).map((key) => key.split(".")[0]));
    const missing = used.filter((key) => areas.has(key.split(".")[0]) && !(key in en));
    assert.deepEqual(missing, []);
  });

  it("have at least one key of every family that scripts put together", () => {
    const families = scripts.flatMap((source) => [...source.matchAll(/`(\w+\.\w*)\$\{[^}]+\}(\w*)`/g)]);
    assert.notEqual(families.length, 0);
    for (const [whole, start = "", end = ""] of families) {
      assert.ok(Object.keys(en).some((key) => key.startsWith(start) && key.endsWith(end)), whole);
    }
  });
});

describe("a text", () => {
  it("fills in values and leaves a placeholder without one", () => {
    assert.equal(textFrom({ a: "{n} of {m}" })("a", { n: 0 }), "0 of {m}");
  });

  it("is its key when it is missing, and says so", () => {
    const said = mock.method(console, "error", () => {});
    assert.equal(textFrom({})("a.b"), "a.b");
    assert.equal(said.mock.callCount(), 1);
    said.mock.restore();
  });
});
