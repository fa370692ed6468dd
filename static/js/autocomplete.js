// The admin's search boxes carry their label's words: what Django's select2 draws has no name of its own.
"use strict";

// Registered once every script has run: so it comes after select2 has drawn them.
document.addEventListener("DOMContentLoaded", () => django.jQuery(() => {
  for (const select of document.querySelectorAll("select.admin-autocomplete[id]")) {
    const box = document.getElementById(`select2-${select.id}-container`);
    if (box && select.labels.length) box.setAttribute("aria-label", select.labels[0].textContent.trim().replace(/[:：]$/, ""));
  }
}));
