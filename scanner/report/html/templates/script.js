"use strict";
// The page is complete without this script. It adds search and filters, and opens what a link names.

// Everything that a filter hides or shows, with its text in lower case.
function itemsOf(section) {
  return [...section.querySelectorAll("ul.found > li, tbody > tr")]
    .filter((row) => !row.closest(".grid"))
    .map((row) => {
      const block = row.closest(".block");
      const title = block ? block.dataset.title : "";
      return { row, block, text: `${title} ${row.textContent}`.toLowerCase() };
    });
}

function start(form) {
  const section = form.closest("section[aria-labelledby]");
  const input = form.querySelector("input[type=search]");
  const boxes = [...form.querySelectorAll("input[name=severity]")];
  const output = form.querySelector("output");
  const reset = form.querySelector("button");
  let items = null; // read when it is first needed, because a report may have many thousands
  let waiting = 0;

  function apply() {
    items = items || itemsOf(section);
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    const filled = new Set();
    let shown = 0;
    for (const { row, block, text } of items) {
      const visible = !off.has(row.className) && wanted.every((word) => text.includes(word));
      row.hidden = !visible;
      if (visible) {
        shown += 1;
        filled.add(block);
        filled.add(row.parentElement);
      }
    }
    for (const { row, block } of items) {
      row.parentElement.hidden = !filled.has(row.parentElement);
      if (block) block.hidden = !filled.has(block);
    }
    const filtered = wanted.length > 0 || off.size > 0;
    reset.hidden = !filtered;
    output.textContent = filtered
      ? `${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")} ${output.dataset.noun}`
      : "";
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 60);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.addEventListener("input", soon);
  form.addEventListener("reset", () => setTimeout(apply));
  reset.hidden = true;
  form.hidden = false;
}

// A link to a finding works although a filter hides it.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) {
    for (const form of document.querySelectorAll("form.filter")) form.reset();
    setTimeout(() => target.scrollIntoView(), 20);
  }
  for (let each = target; each; each = each.parentElement) {
    if (each.tagName === "DETAILS") each.open = true;
  }
}

document.querySelectorAll("form.filter").forEach(start);
addEventListener("hashchange", follow);
follow();
addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName || "");
  const first = document.querySelector("form.filter input[type=search]");
  if (event.key === "/" && first && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    first.focus();
  }
});
