/* The address is the only state: menus, clicks and keys write it, and the server reads it. */
(function () {
  "use strict";

  let current = ""; /* the query of what is shown, complete */
  let held = false; /* an arrow key that is held down makes one step of history */

  const clamp = (value, count) => Math.max(0, Math.min(value, count - 1));
  const noUpdate = () => window.dash_clientside.no_update;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const request = (data) => set("request", { data: { ...data, at: Date.now() } });
  const here = () => window.location.pathname.replace(/\/+$/, "") || "/";

  function merged(query, changes) {
    const said = new URLSearchParams(query || "");
    Object.entries(changes).forEach(([name, value]) => said.set(name, String(value)));
    return said.toString();
  }

  function visit(path, query) {
    window.history.pushState({}, "", query ? `${path}?${query}` : path);
    if (!isShown()) window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    else show(query);
    window.scrollTo(0, 0);
  }

  function isShown() {
    const page = document.querySelector(".page[data-path]");
    return Boolean(page) && page.dataset.path === here();
  }

  function show(query) {
    set("query", { data: query });
    showInMenus(query);
  }

  function moved(move, query, sizes) {
    const said = new URLSearchParams(query || "");
    const [layers, heads] = sizes[said.get("run")] || [1, 1];
    return {
      layer: clamp(Number(said.get("layer") || 0) + move.layer, layers),
      head: clamp(Number(said.get("head") || 0) + move.head, heads),
    };
  }

  /* What a click chooses is declared by the figure: its cell, or what the point carries. */
  function clicked(name, data) {
    const drawing = document.querySelector(`[id*='"drawing":"${name}"']`);
    const point = data.points && data.points[0];
    if (!drawing || !point) return {};
    if (drawing.dataset.click === "cell") return { layer: point.y, head: point.x };
    return (drawing.dataset.click === "point" && point.customdata) || {};
  }

  /* What an event asks for, as changes of the query; menus are keyed by their field. */
  function changesOf(event, query, sizes) {
    const [id, property] = [
      event.prop_id.slice(0, event.prop_id.lastIndexOf(".")),
      event.prop_id.slice(event.prop_id.lastIndexOf(".") + 1),
    ];
    if (event.value === undefined || event.value === null) return {};
    if (property === "value") return { [JSON.parse(id).control]: event.value };
    if (property === "clickData") return clicked(JSON.parse(id).panel, event.value);
    if (event.value.move) return moved(event.value.move, query, sizes);
    return event.value.choose || {};
  }

  function choose(_values, _clicks, _wish, query, sizes) {
    let changes = {};
    for (const event of window.dash_clientside.callback_context.triggered) {
      changes = { ...changes, ...changesOf(event, query, sizes) };
    }
    const { path, ...fields } = changes;
    const next = merged(query, fields);
    if (path && path !== here()) {
      visit(path, next);
      return noUpdate();
    }
    if (next === query) return noUpdate();
    const walks = window.dash_clientside.callback_context.triggered.some(
      (event) => event.value && event.value.walks,
    );
    const step = held || walks ? "replaceState" : "pushState";
    window.history[step](window.history.state, "", `${window.location.pathname}?${next}`);
    showInMenus(next);
    return next;
  }

  function showInMenus(query) {
    new URLSearchParams(query).forEach((value, field) => {
      if (document.querySelector(`[id*='"control":"${field}"']`)) {
        set({ control: field }, { value });
      }
    });
  }

  /* Where the server read a query as something else (a head the model lacks), say that instead. */
  function correct(drawn, query) {
    if (!drawn || drawn.of !== query || drawn.is === query) return noUpdate();
    window.history.replaceState(
      window.history.state, "", `${window.location.pathname}?${drawn.is}`,
    );
    showInMenus(drawn.is);
    return drawn.is;
  }

  /* Back and forward within a page show another choice; to another page, Dash opens it. */
  window.addEventListener("popstate", (event) => {
    if (!isShown()) return;
    event.stopImmediatePropagation();
    show(window.location.search.slice(1));
  });

  function navigation(query, ids) {
    current = query;
    window.dispatchEvent(new CustomEvent("lens-query", { detail: query }));
    const names = ids.map((id) => id.nav);
    const link = document.querySelector(`nav a[id*='"nav":"${here()}"']`);
    document.title = link ? `${link.textContent} · dva-lens` : "dva-lens";
    return [
      names.map((path) => `${path}?${query}`),
      names.map((path) => (path === here() ? "page" : undefined)),
    ];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    lens: { choose, correct, navigation },
  });

  /* Links say only what they change; their address is completed before it can be used. */
  function complete(event) {
    const link = event.target.closest && event.target.closest("[data-choose], [data-numbers]");
    if (!link) return;
    if (link.dataset.numbers) {
      link.href = `/numbers/${link.dataset.numbers}.csv?${current}`;
      return;
    }
    const changes = Object.fromEntries(new URLSearchParams(link.dataset.choose));
    link.href = `${link.dataset.path || here()}?${merged(current, changes)}`;
  }
  ["pointerover", "focusin", "pointerdown"].forEach((name) =>
    document.addEventListener(name, complete, true),
  );

  const ARROWS = {
    ArrowUp: { layer: -1, head: 0 },
    ArrowDown: { layer: 1, head: 0 },
    ArrowLeft: { layer: 0, head: -1 },
    ArrowRight: { layer: 0, head: 1 },
  };

  document.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!event.target.matches || !event.target.matches("[data-headgrid], [data-headmove]")) return;
    event.preventDefault();
    held = event.repeat;
    request({ move });
  });
  document.addEventListener("keyup", () => (held = false));

  function say(text) {
    const spoken = document.getElementById("spoken");
    if (spoken) spoken.textContent = text;
  }

  function copyLink(button) {
    const done = (label) => {
      button.textContent = label;
      say(label);
      window.setTimeout(() => (button.textContent = "Copy link"), 1500);
    };
    const shown = document.querySelector("nav a[aria-current=page]") || window.location;
    const written = navigator.clipboard && navigator.clipboard.writeText(shown.href);
    if (!written) return done("Copy it from the address bar");
    written.then(
      () => done("Link copied"),
      () => done("Copy it from the address bar"),
    );
  }

  function saveSvg(name) {
    const box = document.querySelector(`[id*='"panel":"${name}"'] .js-plotly-plot`);
    if (!box) return;
    const { width, height } = box.getBoundingClientRect();
    window.Plotly.downloadImage(box, { format: "svg", filename: name, width, height });
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target.closest("a, button") : null;
    if (!target) return;
    if (target.matches("[data-copy-link]")) return copyLink(target);
    if (target.matches("[data-svg]")) return saveSvg(target.dataset.svg);
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
    if (!plain || target.tagName !== "A" || target.hasAttribute("download")) return;
    if (target.dataset.choose) {
      event.preventDefault();
      const fields = Object.fromEntries(new URLSearchParams(target.dataset.choose));
      const path = target.dataset.path ? { path: target.dataset.path } : {};
      request({ choose: { ...fields, ...path } });
    } else if ((target.getAttribute("href") || "").startsWith("/")) {
      event.preventDefault();
      const to = new URL(target.href);
      visit(to.pathname, to.search.slice(1));
    }
  });

  /* Formulas arrive as MathML in an attribute; scripts in them could not run. */
  function setFormulas() {
    document.querySelectorAll("[data-mathml]").forEach((place) => {
      const source = place.dataset.mathml;
      if (place.lensFormula === source) return;
      place.lensFormula = source;
      const set = new DOMParser().parseFromString(source, "text/html").querySelector(".formula");
      place.replaceChildren(...(set ? [document.adoptNode(set)] : []));
    });
  }
  new MutationObserver(setFormulas).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-mathml"],
  });

  document.addEventListener("submit", (event) => event.preventDefault());
})();
