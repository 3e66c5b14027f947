// The way back to the dashboard that serves this page, and to its run there; a page that is opened as a file has none.
{
  const parts = location.pathname.split("/").slice(1), [first] = parts, evaluation = parts.lastIndexOf("evaluation");
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  if (location.protocol !== "file:" && (first === "files" || parts.join() === "compare")) try {
    const runs = decodeURIComponent(parts.slice(1, evaluation > 0 ? evaluation : -1).join("/"));
    const here = evaluation > 0 ? `evaluation on ${decodeURIComponent(parts[evaluation + 1])}` : "comparison";
    const links = [make("a", { href: "/", textContent: "Dashboard" })];
    if (runs) links.push(make("a", { href: `/#${encodeURIComponent(runs)}`, textContent: runs }));
    const nav = make("nav", { className: "crumbs", ariaLabel: "Where this page is" });
    nav.append(...links.flatMap((link) => [link, " › "]), here);
    document.body.prepend(nav);
  } catch { /* a folder whose name is not UTF-8 */ }
}
