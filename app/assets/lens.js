/* The address is the only state: menus, clicks and keys write it, and the server reads it. */
(function () {
  "use strict";

  let current = ""; /* the query of what is shown, complete */
  const menus = {}; /* what every menu shows */
  let held = false; /* an arrow key that is held down makes one step of history */

  const clamp = (value, count) => Math.max(0, Math.min(value, count - 1));
  const noUpdate = () => window.dash_clientside.no_update;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const request = (data) => set("request", { data: { ...data, at: Date.now() } });

  /* Exported pages are files, each of which says which page it is. */
  const file = document.documentElement.dataset.page;
  const here = () => file ?? (window.location.pathname.replace(/\/+$/, "") || "/");
  const fileOf = (path) =>
    file === undefined ? path : `${path.replace(/^\/+|\/+$/g, "") || "index"}.html`;

  function merged(query, changes) {
    const said = new URLSearchParams(query || "");
    Object.entries(changes).forEach(([name, value]) => said.set(name, String(value)));
    return said.toString();
  }

  function visit(path, query) {
    if (file !== undefined) {
      window.location.href = query ? `${fileOf(path)}?${query}` : fileOf(path);
      return;
    }
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
    showInMenus(query);
    set("query", { data: query });
    navigation(query);
  }

  function moved(move, query) {
    const sizes = JSON.parse(document.querySelector("[data-sizes]")?.dataset.sizes || "{}");
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
  function changesOf(event, query) {
    const [id, property] = [
      event.prop_id.slice(0, event.prop_id.lastIndexOf(".")),
      event.prop_id.slice(event.prop_id.lastIndexOf(".") + 1),
    ];
    if (event.value === undefined || event.value === null) return {};
    if (property === "value") {
      const field = JSON.parse(id).control;
      menus[field] = event.value;
      return { [field]: event.value };
    }
    if (property === "clickData") return clicked(JSON.parse(id).panel, event.value);
    if (event.value.move) return moved(event.value.move, query);
    return event.value.choose || {};
  }

  /* Write changes into the address; return the query to show on this page, or null for none. */
  function taken(changes, query, walks) {
    const { path, ...fields } = changes;
    const next = merged(query, fields);
    if (path && path !== here()) {
      visit(path, next);
      return null;
    }
    if (next === query) return null;
    const step = held || walks ? "replaceState" : "pushState";
    window.history[step](window.history.state, "", `${window.location.pathname}?${next}`);
    showInMenus(next);
    navigation(next);
    return next;
  }

  function choose(_values, _clicks, _wish, query) {
    const events = window.dash_clientside.callback_context.triggered;
    const changes = events.map((event) => changesOf(event, query));
    const walks = events.some((event) => event.value && event.value.walks);
    return taken(Object.assign({}, ...changes), query, walks) ?? noUpdate();
  }

  /* A key asks without a detour: every callback on the way is time until the next head. */
  function step(move) {
    const next = taken(moved(move, current), current, false);
    if (next !== null) set("query", { data: next });
  }

  function showInMenus(query) {
    new URLSearchParams(query).forEach((value, field) => {
      if (menus[field] === value) return;
      menus[field] = value;
      if (document.querySelector(`[id*='"control":"${field}"']`)) {
        set({ control: field }, { value });
      }
    });
  }

  /* Moved marks are drawn here: a figure that the server sends again would be drawn as a whole. */
  function mark(marks) {
    Object.entries(marks || {}).forEach(([name, shapes]) => {
      const plot = document.querySelector(`[id*='"panel":"${name}"'] .js-plotly-plot`);
      if (!plot || !plot.layout) return;
      if (JSON.stringify(plot.layout.shapes || []) === JSON.stringify(shapes)) return;
      if (!slid(plot, shapes)) window.Plotly.update(plot, {}, { shapes });
    });
  }

  /* Move drawn shapes to where the new ones are; false if they differ in more than their place. */
  function slid(plot, shapes) {
    const { xaxis, yaxis } = plot._fullLayout || {};
    const paths = plot.querySelectorAll(".shapelayer path");
    const before = plot.layout.shapes || [];
    if (!xaxis || !yaxis || paths.length !== shapes.length) return false;
    const at = (shape) => [
      xaxis.d2p(shape.xanchor ?? shape.x0), yaxis.d2p(shape.yanchor ?? shape.y0),
    ];
    if (shapes.some((shape, each) => !before[each] || before[each].type !== shape.type)) return false;
    shapes.forEach((shape, each) => {
      paths[each].lensDrawn = paths[each].lensDrawn || at(before[each]);
      const [x, y] = at(shape).map((now, axis) => now - paths[each].lensDrawn[axis]);
      paths[each].setAttribute("transform", `translate(${x},${y})`);
    });
    plot.layout.shapes = shapes;
    return true;
  }

  /* Where the server read a query as something else (a head the model lacks), say that instead. */
  function correct(drawn, query) {
    mark(drawn && drawn.marks);
    if (!drawn || drawn.of !== query || drawn.is === query) return noUpdate();
    window.history.replaceState(
      window.history.state, "", `${window.location.pathname}?${drawn.is}`,
    );
    showInMenus(drawn.is);
    navigation(drawn.is);
    return drawn.is;
  }

  /* Back and forward within a page show another choice; to another page, Dash opens it. */
  window.addEventListener("popstate", (event) => {
    if (!isShown()) return;
    event.stopImmediatePropagation();
    show(window.location.search.slice(1));
  });

  function navigation(query) {
    current = query;
    new URLSearchParams(query).forEach((value, field) => (menus[field] = value));
    window.dispatchEvent(new CustomEvent("lens-query", { detail: query }));
    document.title = "dva-lens";
    document.querySelectorAll("[data-nav]").forEach((link) => {
      link.href = `${fileOf(link.dataset.nav)}?${query}`;
      if (link.dataset.nav !== here()) return link.removeAttribute("aria-current");
      link.setAttribute("aria-current", "page");
      document.title = `${link.textContent} · dva-lens`;
    });
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    lens: { choose, correct },
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
    if (link.classList.contains("not-here")) return;
    link.href = `${fileOf(link.dataset.path || here())}?${merged(current, changes)}`;
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
    step(move);
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

  /* A page that has come says what it shows. */
  let page = null;
  new MutationObserver(() => {
    const now = document.querySelector(".page[data-query]");
    if (now === page) return;
    page = now;
    if (now) navigation(now.dataset.query);
  }).observe(document.documentElement, { subtree: true, childList: true });

  document.addEventListener("submit", (event) => event.preventDefault());
})();
