/* What Streamlit and Plotly leave out: choices that the browser's Back undoes, legends that hide
   together, pictures that say what they show, and fingers that scroll. It asks for nothing and sends
   nothing. */
(() => {
  /* A step of the browser's history is another page, or what follows a click or a key. Streamlit
     writes choices in place of the ones before, and some pages twice. Going back, it reads the
     address again. */
  let acted = false;
  for (const type of ["pointerdown", "keydown", "change"]) {
    addEventListener(type, (event) => { acted ||= event.isTrusted; }, true);
  }
  addEventListener("popstate", () => { acted = false; }, true);
  const step = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  history.pushState = history.replaceState = (state, title, url) => {
    const next = new URL(url ?? location.href, location.href);
    const isPage = next.pathname !== location.pathname;
    const isChoice = next.search !== location.search;
    (isPage || (isChoice && acted) ? step : replace)(state, title, url);
    if (isPage || isChoice) acted = false;
  };

  const graphOf = (element) => element.closest?.(".js-plotly-plot");
  const metaOf = (graph) => graph?.layout?.meta ?? {};

  /* A click on an entry of a legend is made on the same entry of every figure of its kind, and what
     is hidden stays hidden in figures of the kind that are drawn later. */
  const hidden = new Map();
  const nameOf = (entry) => entry.querySelector(".legendtext")?.textContent;
  const entriesOf = (graph) => [...graph.querySelectorAll(".legend .traces")];
  const press = (entry, ...types) => {
    for (const type of types) {
      entry.querySelector(".legendtoggle")
        ?.dispatchEvent(new MouseEvent(type, { bubbles: true, view: window }));
    }
  };
  const isFaded = (entry) => Number(entry.style.opacity || 1) < 1;
  const relay = (event) => {
    const entry = event.isTrusted && event.target.closest?.(".legend .traces");
    const graph = entry && graphOf(entry);
    const { together } = metaOf(graph);
    if (!together) return;
    for (const other of document.querySelectorAll(".js-plotly-plot")) {
      if (other === graph || metaOf(other).together !== together) continue;
      for (const same of entriesOf(other)) {
        if (nameOf(same) === nameOf(entry)) press(same, event.type);
      }
    }
    const note = () => hidden.set(
      together, new Set(entriesOf(graph).filter(isFaded).map(nameOf)));
    setTimeout(note, 1000); // Plotly waits for a second click first
  };
  addEventListener("mousedown", relay, true);
  addEventListener("mouseup", relay, true);
  const seen = new WeakSet();
  let waiting = 0;
  new MutationObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const graph of document.querySelectorAll(".js-plotly-plot")) {
        const names = hidden.get(metaOf(graph).together);
        if (seen.has(graph) || !entriesOf(graph).length) continue;
        seen.add(graph);
        for (const entry of entriesOf(graph)) {
          if (!names?.has(nameOf(entry)) || isFaded(entry)) continue;
          graph._legendMouseDownTime = 0; // else Plotly takes two entries for a double click
          press(entry, "mousedown", "mouseup");
        }
      }
    }, 100);
  }).observe(document, { childList: true, subtree: true });

  /* The camera: Plotly copies the layout at once, so it has title and source only meanwhile. */
  const ROOM = 52;
  addEventListener("click", (event) => {
    const button = event.target.closest?.('.modebar-btn[data-title^="Download plot"]');
    const graph = button && graphOf(button);
    const { title, source } = metaOf(graph);
    if (!title) return;
    const layout = graph.layout;
    const above = layout.margin?.t ?? 36;
    graph.layout = {
      ...layout,
      height: graph._fullLayout.height + ROOM,
      margin: { ...layout.margin, t: above + ROOM },
      title: {
        ...layout.title,
        text: title,
        font: { ...layout.title?.font, size: 16 },
        subtitle: { text: source ?? "", font: { size: 11 } },
        ...{ x: 0, xanchor: "left", xref: "container", pad: { l: 8, t: 8 } },
        ...{ y: 1, yanchor: "top", yref: "container", automargin: false },
      },
    };
    setTimeout(() => { graph.layout = layout; });
  }, true);

  /* One finger scrolls the page, and a tap is a click. After a tap on box, lasso, zoom or pan in a
     figure's corner, the next drag of a finger is the figure's. */
  let armed = null;
  addEventListener("click", (event) => {
    const button = event.target.closest?.('.modebar-btn[data-attr="dragmode"]');
    if (button) armed = graphOf(button);
  }, true);
  addEventListener("touchstart", (event) => {
    const graph = event.target.closest?.(".draglayer, .gl-container") && graphOf(event.target);
    if (graph && graph !== armed && event.touches.length === 1) event.stopImmediatePropagation();
  }, { capture: true, passive: true });
  addEventListener("touchend", (event) => {
    if (armed && event.target.closest?.(".draglayer")) armed = null;
  }, true);
})();
