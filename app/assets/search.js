/* Search (Ctrl-K or /) and the map of keys (?): both are dialogs that Escape closes.
   What can be found comes with the page (`data-index`); the tokens are those of the text shown. */
(function () {
  "use strict";

  const MOST = 7; /* of a kind */
  const HEAD = /^(?:(.*?)[\s.,·]+)?l(?:ayer)?\s*(\d+)(?:[\s.,]*h(?:ead)?\s*(\d*))?$/i;
  const ARROWS = ["←", "→", "↑", "↓"];
  const KEYS = [
    [["Ctrl K", "/"], "search pages, models, heads such as L2H3, statistics, tokens"],
    [["?"], "this list"],
    [ARROWS, "on the map of heads or on the inspector: the next head or layer"],
    [ARROWS, "in a text: the next token, and the line above or below"],
    [["Home", "End"], "in a text: the first and the last token"],
    [["Ctrl Enter"], "in the text of Live: run the model"],
    [["Enter"], "follow what is chosen"],
    [["Esc"], "close what is open, free the token that is locked"],
    [["Tab"], "the next link, menu or figure"],
  ];

  let dialog = null;
  let found = [];
  let at = 0;

  const here = () => window.location.pathname.replace(/\/+$/, "") || "/";
  const said = () => new URLSearchParams(window.location.search);

  function element(name, attributes, ...content) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...content);
    return made;
  }

  function index() {
    const place = document.querySelector("[data-index]");
    return place ? JSON.parse(place.dataset.index) : { runs: [], statistics: [], texts: [] };
  }

  const currentRun = (runs) => (runs.find(([name]) => name === said().get("run")) || runs[0] || [""])[0];

  /* What is typed is found where every word of it stands; what begins with it comes first. */
  function matching(entries, typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    const scored = entries
      .map((entry) => [entry, `${entry.name} ${entry.note || ""}`.toLowerCase()])
      .filter(([, text]) => words.every((word) => text.includes(word)))
      .map(([entry, text]) => [entry, text.startsWith(words[0] || "") ? 0 : 1]);
    return scored.sort((one, other) => one[1] - other[1]).map(([entry]) => entry).slice(0, MOST);
  }

  function pages() {
    return [...document.querySelectorAll("[data-nav]")].map((link) => ({
      kind: "Page", name: link.textContent, choose: { path: new URL(link.href).pathname },
    }));
  }

  function models({ runs }) {
    return runs.map(([name, , , words]) => ({
      kind: "Model", name, note: words, choose: { run: name },
    }));
  }

  function statistics({ statistics: held }) {
    const shows = Boolean(document.querySelector(`[id*='"control":"statistic"']`));
    return held.map(([name, title, meaning, perHead]) => ({
      kind: "Statistic", name: title, note: meaning,
      choose: { statistic: name, ...(shows ? {} : { path: perHead ? "/heads" : "/" }) },
    }));
  }

  function heads({ runs }, typed) {
    const asked = HEAD.exec(typed.trim());
    if (!asked) return [];
    const first = currentRun(runs);
    const wanted = (asked[1] || "").toLowerCase();
    const ordered = [...runs].sort((one, other) => (other[0] === first) - (one[0] === first));
    return ordered
      .filter(([name, layers]) => Number(asked[2]) < layers && name.toLowerCase().includes(wanted))
      .flatMap(([run, , count, words]) => {
        const numbers = asked[3] ? [Number(asked[3])] : [...Array(count).keys()];
        return numbers.filter((head) => head < count).map((head) => ({
          kind: "Head", name: `L${Number(asked[2])}H${head}`, note: `${run} · ${words}`,
          choose: { run, layer: Number(asked[2]), head },
        }));
      })
      .slice(0, MOST);
  }

  function texts({ texts: held }) {
    return held.map((name) => ({ kind: "Text", name, choose: { text: name } }));
  }

  function tokens(typed) {
    const wanted = typed.trim().toLowerCase();
    if (!wanted) return [];
    return [...document.querySelectorAll(".shaded .token")]
      .map((word, token) => [word.textContent, token])
      .filter(([text, token]) => text.toLowerCase().includes(wanted) || `token ${token}` === wanted)
      .slice(0, MOST)
      .map(([text, token]) => ({
        kind: "Token", name: text.replace("\n", "") || "space", note: `token ${token}`,
        choose: { token: String(token) },
      }));
  }

  function search(typed) {
    const known = index();
    return [
      ...heads(known, typed),
      ...matching(pages(), typed),
      ...matching(models(known), typed),
      ...(typed.trim() ? matching(statistics(known), typed) : []),
      ...(typed.trim() ? matching(texts(known), typed) : []),
      ...tokens(typed),
    ];
  }

  function list(typed) {
    found = search(typed);
    at = 0;
    const box = dialog.querySelector("[role=listbox]");
    box.replaceChildren(
      ...found.map((entry, place) =>
        element(
          "li",
          { role: "option", id: `found-${place}`, "data-found": place, "aria-selected": "false" },
          element("span", { class: "found-kind" }, entry.kind),
          element("span", { class: "found-name" }, entry.name),
          element("span", { class: "found-note" }, entry.note || ""),
        ),
      ),
    );
    dialog.querySelector(".found-none").hidden = found.length > 0;
    dialog.querySelector(".unseen").textContent = `${found.length} found`;
    mark(0);
  }

  function mark(place) {
    at = found.length ? (place + found.length) % found.length : 0;
    dialog.querySelectorAll("[role=option]").forEach((option, each) => {
      option.setAttribute("aria-selected", String(each === at));
      if (each === at) option.scrollIntoView({ block: "nearest" });
    });
    const input = dialog.querySelector("input");
    if (found.length) input.setAttribute("aria-activedescendant", `found-${at}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function follow(place) {
    const entry = found[place];
    if (!entry) return;
    close();
    const choose = Object.fromEntries(
      Object.entries(entry.choose).map(([name, value]) => [name, String(value)]),
    );
    window.dash_clientside.set_props("request", { data: { choose, at: Date.now() } });
  }

  function open(made) {
    close();
    dialog = made;
    document.body.append(dialog);
    made.addEventListener("close", () => {
      made.remove();
      if (dialog === made) dialog = null;
    });
    made.addEventListener("click", (event) => event.target === made && close());
    made.showModal();
  }

  function close() {
    if (dialog) dialog.close();
  }

  function openSearch() {
    const input = element("input", {
      type: "text", role: "combobox", "aria-label": "Search", "aria-expanded": "true",
      "aria-controls": "found", "aria-autocomplete": "list", autocomplete: "off",
      spellcheck: "false", placeholder: "Page, model, L2H3, statistic, token",
    });
    open(
      element(
        "dialog",
        { class: "search", "aria-label": "Search" },
        input,
        element("ul", { role: "listbox", id: "found", "aria-label": "Found" }),
        element("p", { class: "found-none caption", hidden: "" }, "Nothing is called so."),
        element("p", { class: "unseen", role: "status" }),
      ),
    );
    input.addEventListener("input", () => list(input.value));
    list("");
    input.focus();
  }

  function openKeys() {
    const rows = KEYS.flatMap(([keys, does]) => [
      element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
      element("dd", {}, does),
    ]);
    const done = element("button", { type: "button", class: "action" }, "Close");
    done.addEventListener("click", close);
    open(
      element(
        "dialog",
        { class: "search keys", "aria-label": "Keys" },
        element("div", { class: "inspector-title" }, element("h2", {}, "Keys"), done),
        element("dl", {}, ...rows),
      ),
    );
  }

  const typing = (target) =>
    target.closest && target.closest("input, textarea, select, [contenteditable=true]");

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return openSearch();
    }
    if (dialog && dialog.contains(event.target)) return walk(event);
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/" || event.key === "?") {
      event.preventDefault();
      (event.key === "/" ? openSearch : openKeys)();
    }
  });

  function walk(event) {
    if (!dialog.querySelector("input")) return;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1 };
    if (event.key in steps) {
      event.preventDefault();
      mark(steps[event.key]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      follow(at);
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    if (!target) return;
    const option = target.closest("[data-found]");
    if (option) follow(Number(option.dataset.found));
    else if (target.closest("[data-search]")) openSearch();
    else if (target.closest("[data-keys]")) openKeys();
  });
})();
