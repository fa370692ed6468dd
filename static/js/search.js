// The search box while somebody types: a list under it, moved through by keyboard. Without this the box sends its form.
"use strict";

const box = document.getElementById("search-box");
const panel = document.getElementById("search-hits");
const said = document.getElementById("search-said");

const options = () => [...panel.querySelectorAll("[role=option]")];
const chosen = () => panel.querySelector("[role=option][aria-selected=true]");

const choose = (option) => {
  chosen()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) box.setAttribute("aria-activedescendant", option.id);
  else box.removeAttribute("aria-activedescendant");
};

const show = (open) => {
  panel.hidden = !open;
  box.setAttribute("aria-expanded", String(open && options().length > 0));
  if (!open) {
    choose(null);
    said.textContent = "";
  }
};

// The hits of the search page, as links.
const links = () => [...document.querySelectorAll("[data-hits] a")];

if (box) {
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", "search-hits");
  show(false);
  if (links().length) box.focus();

  box.addEventListener("htmx:beforeRequest", (event) => {
    if (box.value.trim()) return;
    event.preventDefault();
    show(false);
  });
  panel.addEventListener("htmx:afterSwap", () => {
    if (document.activeElement !== box || !box.value.trim()) return;
    show(true);
    said.textContent = [options().length || "", panel.querySelector("[data-said]")?.textContent].filter(Boolean).join(" · ");
  });

  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const all = options();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !panel.hidden && all.length) {
      const next = all.indexOf(chosen()) + step;
      choose(next < 0 ? (step < 0 && !chosen() ? all.at(-1) : null) : all[next % all.length]);
      event.preventDefault();
    } else if (event.key === "ArrowDown" && links().length) {
      links()[0].focus();
      event.preventDefault();
    } else if (event.key === "Enter" && chosen() && !panel.hidden) {
      window.location.assign(chosen().dataset.href);
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (panel.hidden) box.value = "";
      else show(false);
      event.preventDefault();
    }
  });
  panel.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  panel.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) window.location.assign(option.dataset.href);
  });
  box.addEventListener("blur", () => show(false));
  box.form.addEventListener("submit", () => show(false));

  document.addEventListener("keydown", (event) => {
    const at = links().indexOf(event.target);
    if (at < 0 || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const next = event.key === "ArrowDown" ? links()[at + 1] : links()[at - 1] || box;
    next?.focus();
    event.preventDefault();
  });
}
