/* Words arrive as markup in an attribute; what is there is changed only where it differs, so that
   focus, what is scrolled and what is open stay. Scripts in it could not run. */
(function () {
  "use strict";

  function sameKind(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
  }

  function become(old, next) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      const kept = next.hasAttribute(name) || (name === "open" && old.nodeName === "DETAILS");
      if (!kept) old.removeAttribute(name);
    }
    if (!("mathml" in old.dataset)) becomeAll(old, next); /* a formula is set by itself */
  }

  function becomeAll(old, next) {
    const due = [...next.childNodes];
    const held = [...old.childNodes];
    due.forEach((child, at) => {
      if (!held[at]) old.append(child);
      else if (sameKind(held[at], child)) become(held[at], child);
      else held[at].replaceWith(child);
    });
    held.slice(due.length).forEach((child) => child.remove());
  }

  function fill() {
    let changed = false;
    document.querySelectorAll("[data-markup]").forEach((place) => {
      const source = place.dataset.markup;
      if (place.lensMarkup === source) return;
      place.lensMarkup = source;
      const template = document.createElement("template");
      template.innerHTML = source;
      becomeAll(place, template.content);
      changed = true;
    });
    if (changed) window.dispatchEvent(new CustomEvent("lens-filled"));
  }

  new MutationObserver(fill).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-markup"],
  });
})();
