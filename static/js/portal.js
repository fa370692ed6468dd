// Small helps of the keyboard. Every page works without this file.
"use strict";

// «/» goes to the search box.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const box = document.getElementById("search-box");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// Small menus close on Escape and on a click elsewhere.
const openMenus = () => document.querySelectorAll("details.me[open], details.more[open], details.chip[open]");
document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A choice in a filter is applied at once.
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-together]")) return;  // several are chosen, then applied
  if (event.target.matches("form[data-filters] select, form[data-filters] input[type=checkbox]")) event.target.form.requestSubmit();
});

// A filter left empty does not stand in the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  const sent = event.detail.formData;
  for (const [name, value] of [...sent]) if (value === "") sent.delete(name);
});

// A button pressed twice sends its form once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 5000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The list of errors is read first.
document.querySelector(".error-summary")?.focus();

// What Excel puts around a copied cell is dropped.
document.addEventListener("paste", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || !["text", "search", "tel"].includes(field.type)) return;
  const pasted = event.clipboardData?.getData("text");
  if (!pasted || pasted === pasted.trim()) return;
  event.preventDefault();
  field.setRangeText(pasted.trim(), field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// The print button of a page.
for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
// What is folded away on the screen is on the paper.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.folded")) fold.open = true;
});
