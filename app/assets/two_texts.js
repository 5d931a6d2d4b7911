/* Two texts side by side: a token that is pointed at shows both of its directions, and so does the
   same token of the other text. The address holds a locked token of the first text. */
(function () {
  "use strict";

  const { LookedText, NONE } = window.lensText;
  const COLUMNS = ".beside > div";

  let sides = []; /* of both texts: their column, its edges as they came, and the text or null */
  let locked = null; /* the side and the token that are locked, or null */
  let addressed = ""; /* the token of the address that was followed */

  /* The token of the other text that is the same, counted from where both still agree. */
  function counterpart(token, one, other) {
    const [here, there] = [one.words, other.words];
    const same = (at, to) => here[at].textContent === there[to].textContent;
    const least = Math.min(here.length, there.length);
    let before = 0;
    while (before < least && same(before, before)) before += 1;
    if (token < before) return token;
    let after = 0;
    const [last, end] = [here.length - 1, there.length - 1];
    while (after < least - before && same(last - after, end - after)) after += 1;
    return last - token < after ? end - (last - token) : NONE;
  }

  const said = (side, words) => {
    const place = side.column.querySelector(".beside-said");
    if (place && side.text) place.textContent = words;
  };

  /* Draw a token of one side, and its counterpart in the other; nothing for `NONE`. */
  function show(side, token) {
    const how = locked ? "locked" : "pointed";
    sides.forEach((each) => {
      if (!each.text) return;
      let at = NONE;
      if (token !== NONE) at = each === side ? token : counterpart(token, side.text, each.text);
      each.text.show(at, how);
      const missing = token === NONE ? "" : "This text has no such token.";
      said(each, at === NONE ? missing : each.text.sentence(at));
    });
  }

  function lock(side, token, walks) {
    const frees = locked && locked.side === side && locked.token === token;
    locked = frees ? null : { side, token };
    show(side, locked ? token : NONE);
    addressed = locked ? ofTheFirst(side, token) : "none";
    const choose = { token: addressed };
    window.dash_clientside.set_props("request", { data: { choose, walks, at: Date.now() } });
  }

  function ofTheFirst(side, token) {
    const [own] = sides;
    if (!own.text) return "none";
    const place = side === own ? token : counterpart(token, side.text, own.text);
    return place === NONE ? "none" : String(place);
  }

  /* The address decides, but for a lock of the second text alone, which it cannot tell. */
  function follow(query) {
    const [own] = sides;
    if (!own || !own.text) return;
    const at = new URLSearchParams(query).get("token") || "none";
    if (at !== addressed || !locked || !sides.includes(locked.side)) {
      const token = /^\d+$/.test(at) && own.text.words[Number(at)] ? Number(at) : NONE;
      locked = token === NONE ? null : { side: own, token };
      addressed = at;
    }
    show(locked ? locked.side : own, locked ? locked.token : NONE);
  }

  function arrived() {
    const columns = [...document.querySelectorAll(COLUMNS)];
    const edges = columns.map((column) => column.querySelector("[data-edges]"));
    const is = (at) => sides[at].column === columns[at] && sides[at].edges === edges[at];
    if (columns.length === sides.length && columns.every((_, at) => is(at))) return;
    sides = columns.map((column, at) => ({
      column,
      edges: edges[at],
      text: edges[at] ? new LookedText(edges[at].dataset.edges, column) : null,
    }));
    follow(window.location.search);
  }

  function pointed(event) {
    for (const side of sides) {
      const token = side.text ? side.text.tokenOf(event) : NONE;
      if (token !== NONE) return { side, token };
    }
    return null;
  }

  document.addEventListener("pointerover", (event) => {
    if (!sides.length || locked || event.pointerType === "touch") return;
    const found = pointed(event);
    if (found) show(found.side, found.token);
    else if (sides.some(({ text }) => text && text.lit.length) && !event.target.closest(".shaded")) {
      show(sides[0], NONE);
    }
  });

  document.addEventListener("click", (event) => {
    const found = sides.length ? pointed(event) : null;
    if (found) lock(found.side, found.token);
  });

  /* Before the keys of the frame around both texts, which choose another head. */
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !sides.length) return;
      if (event.key === "Escape" && locked && event.target.closest(".beside")) {
        lock(locked.side, locked.token);
        return;
      }
      const side = sides.find(({ column, text }) => text && event.target.parentElement === column);
      if (!side || !event.target.matches(".shaded")) return;
      const own = locked && locked.side === side ? locked.token : NONE;
      const next = side.text.walked(event.key, own);
      if (next === null) return;
      event.preventDefault();
      event.stopPropagation();
      if (next !== own) lock(side, next, true);
      side.text.words[next].scrollIntoView({ block: "nearest" });
    },
    true,
  );

  window.addEventListener("lens-query", (event) => {
    arrived();
    follow(event.detail);
  });
  window.addEventListener("lens-filled", arrived);
  new MutationObserver(arrived).observe(document.documentElement, { subtree: true, childList: true });
})();
