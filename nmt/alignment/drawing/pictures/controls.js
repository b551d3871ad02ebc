// The buttons above the picture: its kind, its unit, its layers; and the keys that do the same.

function options(id, choices, current) {
  byId(id).hidden = choices.length < 2;
  byId(id).replaceChildren(...choices.map(([value, name, key]) => make("button", {
    type: "button", role: "radio", "data-value": value, "aria-checked": value === current ? "true" : "false", title: `${name} (${key})`,
  }, name)));
}

function showControls() {
  const pictures = [["lines", entry().picture ? "Picture" : "Lines", "l"], ["matrix", "Matrix", "m"]];
  if (entry().tree) pictures.push(["beam", "Beam", "b"]);
  options("pictures", pictures, pictureOf());
  const choices = names.pieces ? [["words", "Words", "p"], ["pieces", "Pieces", "p"]] : [];
  options("units", choices, unitOf());
  byId("layers").replaceChildren(...layers.map((name, index) => {
    const swatch = make("span", { class: `swatch ${swatchOf(name)}`, "aria-hidden": "true" });
    const pressed = state.shown.has(name) ? "true" : "false";
    return make("button", {
      type: "button", class: "chip", "data-layer": name, "aria-pressed": pressed, title: `${name} (${index + 1})`,
    }, swatch, name);
  }));
  byId("units").classList.toggle("off", pictureOf() === "beam");
  byId("layers").hidden = pictureOf() === "beam";
}

function swatchOf(name) {
  if (name === "gold") return "gold";
  const soft = names.soft.indexOf(name);
  return soft >= 0 ? `soft hue-${soft % HUES}` : `link set-${names.links.indexOf(name) % 3}`;
}

function toggle(name) {
  if (name === undefined || entry() === undefined) return;
  if (!state.shown.delete(name)) state.shown.add(name);
  again(`[data-layer="${CSS.escape(name)}"]`);
}

function setPicture(picture) {
  if (entry() === undefined || (picture === "beam" && !entry().tree)) return;
  if (picture === "beam" || state.picture === "beam") state.focus = null;
  state.picture = picture;
  again(`#pictures [data-value="${picture}"]`);
}

function setUnit(unit) {
  if (entry() === undefined) return;
  state.unit = unit;
  state.focus = null;
  again(`#units [data-value="${unit}"]`);
}

// Redraws; what had the keyboard focus gets it back.
function again(selector) {
  const inside = document.activeElement?.closest(".controls"), word = byId("picture").contains(document.activeElement);
  const { focus } = state; // which the old picture takes with it
  showControls();
  showPicture();
  if (inside) document.querySelector(selector)?.focus();
  else if (word) {
    state.focus = focus;
    firstFocus()?.focus();
  }
}

function picked(id, act) {
  byId(id).addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act(button.dataset);
  });
}

picked("pictures", ({ value }) => setPicture(value));
picked("units", ({ value }) => setUnit(value));
picked("layers", ({ layer }) => toggle(layer));

// ---- keys

const KEYS = {
  l: () => setPicture("lines"),
  m: () => setPicture("matrix"),
  b: () => setPicture("beam"),
  p: () => setUnit(state.unit === "words" ? "pieces" : "words"),
  n: () => entry() && chooseRank(state.rank + 1),
  N: () => entry() && chooseRank(state.rank - 1),
  x: () => byId("pruned")?.click(),
  t: () => byId("theme").click(),
  h: () => byId("help").showModal(),
  "?": () => byId("help").showModal(),
};

// What a key does on a page, which has some of its `own`; null if nothing.
function actOf(target, key, own) {
  if (focusAt(target) && key.startsWith("Arrow")) return () => elementOf(stepped(focusAt(target), key))?.focus();
  if (/^[1-9]$/.test(key)) return () => toggle(layers[Number(key) - 1]);
  return own[key] ?? KEYS[key] ?? null;
}
