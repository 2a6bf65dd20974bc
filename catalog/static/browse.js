// A table to browse: DataTables searches and sorts; the filters and the address of the page say what.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("filters");
  if (!form) return;
  form.hidden = false;
  const element = document.querySelector("table.browse");
  const { noun } = element.dataset;
  const filters = [...form.querySelectorAll("select, [type=checkbox]")].map((field) => field.name);
  const heads = [...element.tHead.rows[0].cells];
  const columns = heads.map((head) => head.dataset.name);
  const table = new DataTable(element, {
    paging: false,
    autoWidth: false,
    order: [],
    orderMulti: false,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    columnDefs: [{ targets: heads.flatMap((head, i) => ("fixed" in head.dataset ? [i] : [])), orderable: false }],
    language: { zeroRecords: `No ${noun} fits. Clear a filter or try another word.` },
  });
  const rows = table.rows().nodes().toArray();
  const wanted = () => Object.fromEntries(new FormData(form));

  table.search.fixed("filters", (_text, _data, index) => {
    const chosen = wanted();
    return filters.every(
      (name) => !chosen[name] || rows[index].dataset[name].split("\n").includes(chosen[name]),
    );
  });

  function show() {
    const chosen = wanted();
    table.search(chosen.find || "").draw();
    const count = table.rows({ search: "applied" }).count();
    form.elements.count.value = `${count} of ${rows.length} ${noun}s`;
    remember(chosen);
  }

  function remember(chosen) {
    const state = new URLSearchParams();
    for (const name of ["find", ...filters]) if (chosen[name]) state.set(name, chosen[name]);
    const [order] = table.order();
    if (order && order[1]) state.set("sort", `${columns[order[0]]}-${order[1]}`);
    const query = state.toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
  }

  function recall() {
    const state = new URLSearchParams(location.search);
    for (const name of ["find", ...filters]) {
      const field = form.elements[name];
      if (field.type === "checkbox") field.checked = state.has(name);
      else field.value = state.get(name) || "";
      if (field.selectedIndex === -1) field.value = "";
    }
    const [column, direction] = (state.get("sort") || "").split("-");
    if (columns.includes(column) && ["asc", "desc"].includes(direction)) {
      table.order([columns.indexOf(column), direction]);
    }
  }

  // The copy buttons listen for clicks on the whole page and take a sorting click for one of theirs.
  element.addEventListener("click", (event) => event.stopPropagation());
  recall();
  show();
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { table.order([]); show(); }));
  table.on("order", () => remember(wanted()));
});
