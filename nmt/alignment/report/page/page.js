// Keys, everything else that can be clicked, and the beginning.

const PLAIN = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => byId("search").select(),
  s: () => byId("measure").focus(),
  r: () => byId("reverse").click(),
};
const IN_LIST = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(list.page),
  PageUp: () => move(-list.page),
  Home: () => move(-Infinity),
  End: () => move(Infinity),
  Enter: () => firstFocus()?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const { target, key } = event, writing = target.matches("input, select");
  let act = null;
  if (key === "Escape") act = () => byId("list").focus();
  else if (writing) act = target.id === "search" && key === "Enter" ? () => byId("list").focus() : null;
  else if (target.id === "list" && key in IN_LIST) act = IN_LIST[key];
  else act = actOf(target, key, PLAIN);
  if (act) {
    event.preventDefault();
    act();
  }
});

// ---- clicks

for (const id of ["search", "least", "most"]) byId(id).addEventListener("input", refresh);
byId("measure").addEventListener("change", () => {
  byId("least").value = byId("most").value = ""; // bounds of another measure
  refresh();
});
byId("reverse").addEventListener("click", () => {
  const pressed = byId("reverse").getAttribute("aria-pressed") !== "true";
  byId("reverse").setAttribute("aria-pressed", String(pressed));
  byId("reverse").textContent = pressed ? "descending" : "ascending";
  refresh();
});
byId("finder").addEventListener("submit", (event) => event.preventDefault());
byId("help-button").addEventListener("click", () => byId("help").showModal());

function fromAddress() {
  const wanted = entries[Number(location.hash.slice(1)) - 1];
  const place = state.list.indexOf(wanted);
  if (place >= 0) choose(place);
}

addEventListener("hashchange", fromAddress);
byId("measure").append(...[FILE_ORDER, ...names.measures].map((name) => make("option", { value: name }, name)));
state.list = entries;
const addressed = location.hash;
refresh();
if (addressed) {
  history.replaceState(null, "", addressed);
  fromAddress();
}
byId("list").focus({ preventScroll: true });
