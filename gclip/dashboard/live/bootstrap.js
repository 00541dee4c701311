// What Streamlit loads: it fetches the live view from the application's own routes, and hands over.
export default function (component) {
  const base = document.baseURI;
  const root = component.parentElement.querySelector(".gclip");
  const url = new URL(`gclip/static/${component.data.version}/${component.data.module ?? "live.js"}`, base);
  const opened = import(url).then((live) => live.mount(component, base).then(() => live));
  opened.catch((error) => {
    console.warn("gclip: the live view could not be loaded", error);
    root.querySelector("[data-say]").textContent =
      "The live charts could not be loaded from this server. Start the dashboard with: streamlit run app.py";
  });
  return () => { opened.then((live) => live.unmount(root)).catch(() => {}); };
}
